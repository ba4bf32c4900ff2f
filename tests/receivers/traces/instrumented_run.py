"""Runs the instrumented program against simulated providers and takes in what it sends."""

import gzip
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock

from exporter.demo.providers.anthropic_inference import AnthropicInference
from exporter.demo.providers.inference import LIST_PRICES, Failure, Refusal, ServedCall
from exporter.demo.providers.openai_inference import API_KEY, OpenAiInference
from exporter.demo.providers.server import ProviderServer
from exporter.demo.providers.wire import Answer, Request
from exporter.receivers.traces import otlp_protobuf
from exporter.records import Span
from tests.receivers.traces.dialects import Dialect

_PROGRAM = Path(__file__).with_name("instrumented_program.py")
_THOUSAND = 1000  # OpenLIT's prices are per thousand tokens


@dataclass(frozen=True)
class InstrumentedRun:
    """What the program's providers served, and what its instrumentation told of it."""

    served: Sequence[ServedCall]
    spans: Sequence[Span]


class _Collector:
    """Takes OTLP as the exporter does, and keeps the bodies."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self._lock = Lock()

    def answer(self, request: Request, now: datetime) -> Answer:
        body = request.body
        if request.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        if request.path == "/v1/traces":
            with self._lock:
                self.bodies.append(body)
        return Answer(headers={"Content-Type": "application/x-protobuf"})

    def refuse(self, status: int, message: str) -> Answer:
        return Answer(status=status, body=message.encode())


def now() -> datetime:
    return datetime.now(UTC)


def run(dialect: Dialect, python: str, folder: Path) -> InstrumentedRun:
    """Run the program once."""
    openai, anthropic, collector = OpenAiInference(), AnthropicInference(), _Collector()
    openai.book.plan(
        Failure(status=429, error="rate_limit_exceeded"),
        Failure(status=500, error="server_error"),
        Failure(status=400, error="context_length_exceeded"),
        Failure(status=503, error="overloaded"),
        Refusal(),
        model="gpt-4.1",
    )
    anthropic.book.plan(
        Failure(status=429, error="rate_limit_error"),
        Failure(status=529, error="overloaded_error"),
        Failure(status=400, error="invalid_request_error"),
        Failure(status=500, error="api_error"),
        Refusal(),
        model="claude-sonnet-4-5",
    )
    prices = folder / "prices.json"
    prices.write_text(json.dumps(_openlit_prices()))
    with (
        ProviderServer(openai, now) as openai_server,
        ProviderServer(anthropic, now) as anthropic_server,
        ProviderServer(collector, now) as collector_server,
    ):
        urls = (openai_server.url, anthropic_server.url, collector_server.url)
        done = subprocess.run(
            [python, _PROGRAM, dialect.program, *urls, API_KEY, prices],
            env={"PATH": os.environ["PATH"], "HOME": str(folder), **dialect.environment},
            capture_output=True,
            text=True,
            timeout=120,
        )
    if done.returncode != 0:
        sys.stderr.write(done.stderr)
        raise RuntimeError(f"{dialect.program} ended with {done.returncode}")
    spans = [
        span
        for body in collector.bodies
        for span in otlp_protobuf.received(body, "otel", now()).spans
    ]
    return InstrumentedRun([*openai.book.calls, *anthropic.book.calls], spans)


def _openlit_prices() -> dict[str, object]:
    chat = {}
    embeddings = {}
    for model, price in LIST_PRICES.items():
        if model.startswith("text-embedding"):
            embeddings[model] = float(price.input / _THOUSAND)
            continue
        chat[model] = {
            "promptPrice": float(price.input / _THOUSAND),
            "completionPrice": float(price.output / _THOUSAND),
            "cacheReadPrice": float((price.cached_input or price.input) / _THOUSAND),
            "cacheCreationPrice": float((price.cache_write or price.input) / _THOUSAND),
        }
    return {"chat": chat, "embeddings": embeddings, "images": {}, "audio": {}}
