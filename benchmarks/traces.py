"""Spans per second into our tables, durable, against a receiver that only parses and answers.

Both run in a process of their own behind the same web server and take the same requests of 1,000
spans in protobuf. Ours answers after the commit, and concludes executions, steps and calls while
more come; the last row counts the time until all of that is written too.
"""

import asyncio
import http.client
import os
import random
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from multiprocessing.synchronize import Event

import psycopg
import uvicorn
from fastapi import FastAPI, Request, Response
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from benchmarks.server import server_url, show
from exporter import web
from exporter.app import App
from exporter.demo.embedded_postgres import free_port
from tests.databases import new_database

SPANS = 60_000
SPANS_EACH = 1_000
SPANS_OF_A_TRACE = 10
ATTRIBUTES = 20
SENDERS = 4
PROTOBUF = "application/x-protobuf"
_PROCESSES = get_context("spawn")


def bodies() -> list[bytes]:
    """Requests of whole traces; one span in five is a model call."""
    rng = random.Random(1)
    begun = datetime.now(UTC) - timedelta(minutes=10)
    made = []
    for _ in range(SPANS // SPANS_EACH):
        request = ExportTraceServiceRequest()
        group = request.resource_spans.add()
        group.resource.attributes.append(_pair("service.name", "benchmark"))
        scoped = group.scope_spans.add()
        for _ in range(SPANS_EACH // SPANS_OF_A_TRACE):
            trace_id, root = rng.randbytes(16), rng.randbytes(8)
            begins = int(begun.timestamp() * 1e9) + rng.randrange(10**11)
            for number in range(SPANS_OF_A_TRACE):
                span = scoped.spans.add()
                span.trace_id = trace_id
                span.span_id = root if number == 0 else rng.randbytes(8)
                span.parent_span_id = b"" if number == 0 else root
                span.name = "content_generator" if number == 0 else f"step {number}"
                span.start_time_unix_nano = begins + number * 10**8
                span.end_time_unix_nano = begins + (10**9 if number == 0 else (number + 1) * 10**8)
                if number % 5 == 1:
                    span.attributes.extend(
                        [
                            _pair("gen_ai.operation.name", "chat"),
                            _pair("gen_ai.provider.name", "openai"),
                            _pair("gen_ai.request.model", "gpt-4o-mini"),
                            _pair("gen_ai.usage.input_tokens", rng.randrange(2_000)),
                            _pair("gen_ai.usage.output_tokens", rng.randrange(500)),
                        ]
                    )
                for place in range(ATTRIBUTES - len(span.attributes)):
                    span.attributes.append(_pair(f"app.attribute.{place}", f"value {place}"))
        made.append(request.SerializeToString())
    return made


def _pair(key: str, value: str | int) -> KeyValue:
    told = AnyValue(int_value=value) if isinstance(value, int) else AnyValue(string_value=value)
    return KeyValue(key=key, value=told)


def serve_parser(port: int, _url: str, ready: Event) -> None:
    """The peer: parses each request, counts its spans, answers."""
    peer = FastAPI()

    @peer.post("/v1/traces")
    async def traces(request: Request) -> Response:
        found = ExportTraceServiceRequest.FromString(await request.body())
        assert sum(len(s.spans) for g in found.resource_spans for s in g.scope_spans) == SPANS_EACH
        return Response(ExportTraceServiceResponse().SerializeToString(), media_type=PROTOBUF)

    _serve(peer, port, ready)


def serve_exporter(port: int, url: str, ready: Event) -> None:
    """Ours."""
    app = App(None, {"AIWF_DATABASE_URL": url})
    app.start()
    try:
        _serve(web.build(app), port, ready)
    finally:
        app.stop()


def _serve(served: FastAPI, port: int, ready: Event) -> None:
    os.sched_setaffinity(0, {0})  # one core for the receiver; database and senders have the other
    server = uvicorn.Server(uvicorn.Config(served, port=port, log_config=None, access_log=False))

    async def run() -> None:
        serving = asyncio.ensure_future(server.serve())
        while not server.started:
            await asyncio.sleep(0.05)
        ready.set()
        await serving

    asyncio.run(run())


@contextmanager
def running(target: Callable[[int, str, Event], None], url: str) -> Iterator[int]:
    """Run a receiver in a process of its own; yield its port."""
    port = free_port()
    ready = _PROCESSES.Event()
    process = _PROCESSES.Process(target=target, args=(port, url, ready))
    process.start()
    assert ready.wait(60), "the receiver did not start"
    try:
        yield port
    finally:
        process.terminate()
        process.join()


def send_all(port: int, requests: list[bytes]) -> float:
    """Send every request by a few senders, each over one connection; return seconds."""
    begun = time.perf_counter()
    with ThreadPoolExecutor(SENDERS) as senders:
        list(senders.map(_send, [port] * SENDERS, [requests[n::SENDERS] for n in range(SENDERS)]))
    return time.perf_counter() - begun


def _send(port: int, requests: list[bytes]) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    for body in requests:
        while True:
            connection.request("POST", "/v1/traces", body, {"Content-Type": PROTOBUF})
            answer = connection.getresponse()
            answer.read()
            if answer.status == 200:
                break
            assert answer.status in (429, 503), answer.status
            time.sleep(0.2)  # noqa: TID251  # a sender that waits as it is told
    connection.close()


def _wait_until_ready(port: int) -> None:
    status = 0
    while status != 200:
        time.sleep(0.1)  # noqa: TID251  # migrations take what they take
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request("GET", "/-/ready")
        status = connection.getresponse().status
        connection.close()


def wait_until_concluded(url: str) -> None:
    """Wait until every trace is an execution."""
    with psycopg.connect(url, autocommit=True) as connection:
        while True:
            row = connection.execute(
                "SELECT count(*) FROM executions WHERE status = 'success'"
            ).fetchone()
            if row == (SPANS // SPANS_OF_A_TRACE,):
                return
            time.sleep(0.1)  # noqa: TID251  # a benchmark waits


def main() -> None:
    """Measure and print."""
    requests = bodies()
    with server_url() as server, new_database(server) as url:
        with running(serve_parser, "") as port:
            parsed = send_all(port, requests)
        with running(serve_exporter, url) as port:
            _wait_until_ready(port)
            begun = time.perf_counter()
            stored = send_all(port, requests)
            wait_until_concluded(url)
            settled = time.perf_counter() - begun
    show(
        ("receiver", "spans/s", "against parsing only"),
        [
            ("parses and answers", f"{SPANS / parsed:,.0f}", "1"),
            ("ours, answered after commit", f"{SPANS / stored:,.0f}", f"{parsed / stored:.2f}"),
            ("ours, all concluded", f"{SPANS / settled:,.0f}", f"{parsed / settled:.2f}"),
        ],
    )


if __name__ == "__main__":
    sys.exit(main())
