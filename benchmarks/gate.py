"""The gate under 2,000 questions a second, against a web route that decides nothing.

Each serves in a process of its own that has one core; database and sender have the other. Questions
are sent when they are due, whether or not the one before is answered, and the time of an answer
counts from when its question was due. Ours is measured while the exporter polls an n8n that goes
on, and while it reads that n8n's history.
"""

import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from multiprocessing import get_context
from multiprocessing.synchronize import Event
from pathlib import Path
from threading import Event as Pause
from threading import Thread
from typing import Annotated

import uvicorn
import uvloop
from fastapi import FastAPI, Query
from pydantic import BaseModel
from starlette.types import ASGIApp

from benchmarks.server import server_url, show
from exporter import web
from exporter.app import App
from exporter.demo.embedded_postgres import free_port
from exporter.demo.simulated_n8n import SimulatedN8n
from tests.databases import new_database

PER_SECOND = 2_000
SECONDS = 10
CONNECTIONS = 64
_PROCESSES = get_context("spawn")
CUSTOMERS = 200


class Asked(BaseModel):
    """The question as the peer takes it."""

    customer: str
    provider: str
    model: str
    input_tokens: int
    max_output_tokens: int


def serve_peer(port: int, _url: str, _n8n: str, ready: Event) -> None:
    """The peer: reads a question, says yes."""
    peer = FastAPI()

    @peer.get("/v1/gate")
    async def gate(question: Annotated[Asked, Query()]) -> dict[str, object]:
        return {"allow": True, "code": "ok", "input_tokens": question.input_tokens}

    _serve(peer, port, ready)


def serve_gate(port: int, url: str, n8n_url: str, ready: Event) -> None:
    """Ours, with budgets that bind every question, and rates."""
    budgets = [
        {"name": "all", "period": "month", "limit_usd": 1e6, "deny": True},
        {"name": "each", "scope": "customer", "period": "day", "limit_usd": 1e5, "deny": True},
    ]
    settings = {
        "database": {"url": {"env": "URL"}},
        "sources": [{"name": "n8n", "kind": "n8n", "url": {"env": "N8N"}, "every": "1s"}],
        "budgets": budgets,
        "gate": {"rates": [{"tokens_per_minute": 10**9, "runs_per_minute": 10**6}]},
    }
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "config.yml"
        config.write_text(json.dumps(settings))
        app = App(config, {"URL": url, "N8N": n8n_url})
        app.start()
        try:
            _serve(web.build(app), port, ready)
        finally:
            app.stop()


def _serve(served: ASGIApp, port: int, ready: Event) -> None:
    os.sched_setaffinity(0, {0})
    server = uvicorn.Server(uvicorn.Config(served, port=port, log_config=None, access_log=False))

    def tell() -> None:
        while not server.started:
            Pause().wait(0.05)
        ready.set()

    Thread(target=tell, daemon=True).start()
    server.run()


@contextmanager
def running(
    target: Callable[[int, str, str, Event], None], url: str, n8n_url: str
) -> Iterator[int]:
    """Serve in a process of its own; yield its port."""
    port = free_port()
    ready = _PROCESSES.Event()
    process = _PROCESSES.Process(target=target, args=(port, url, n8n_url, ready))
    process.start()
    assert ready.wait(60), "it did not start"
    try:
        yield port
    finally:
        process.terminate()
        process.join()


async def ask(port: int) -> tuple[list[float], float]:
    """Send questions at their pace; return how many milliseconds each took, and all of them."""
    took: list[float] = []
    waiting: asyncio.Queue[tuple[int, float] | None] = asyncio.Queue()

    async def connection() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while (due := await waiting.get()) is not None:
            number, due_at = due
            at = min(due_at, time.perf_counter())  # it may be sent a millisecond early
            writer.write(
                f"GET /v1/gate?customer=c{number % CUSTOMERS}&provider=openai&model=gpt-4o-mini"
                f"&input_tokens={1000 + number % 500}&max_output_tokens=500 HTTP/1.1\r\n"
                "Host: 127.0.0.1\r\n\r\n".encode()
            )
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200"), head
            length = int(head.lower().partition(b"content-length:")[2].split()[0])
            await reader.readexactly(length)
            took.append((time.perf_counter() - at) * 1000)
        writer.close()

    connections = [asyncio.create_task(connection()) for _ in range(CONNECTIONS)]
    begun = time.perf_counter()
    for number in range(PER_SECOND * SECONDS):
        due = begun + number / PER_SECOND
        if (early := due - time.perf_counter()) > 0.001:
            await asyncio.sleep(early)
        waiting.put_nowait((number, due))
    for _ in connections:
        waiting.put_nowait(None)
    await asyncio.gather(*connections)
    return sorted(took), (time.perf_counter() - begun) * 1000


def _keep_working(n8n: SimulatedN8n, until: float) -> None:
    while time.monotonic() < until:
        n8n.step(datetime.now(UTC))
        Pause().wait(0.5)


def main() -> None:
    """Measure the peer and ours in turns."""
    rows: list[tuple[object, ...]] = []
    with server_url() as server, new_database(server) as n8n_url, SimulatedN8n(n8n_url) as n8n:
        n8n.create()
        n8n.write_history(datetime.now(UTC), days=3)
        os.sched_setaffinity(0, {1})
        for name, target, settle_seconds in (
            ("a route that decides nothing", serve_peer, 0),
            ("the gate, while a history is read", serve_gate, 1),
            ("the gate, while n8n is polled every second", serve_gate, 40),
            ("a route that decides nothing", serve_peer, 0),
        ):
            with new_database(server) as url, running(target, url, n8n_url) as port:
                Pause().wait(settle_seconds)
                worker = Thread(target=_keep_working, args=(n8n, time.monotonic() + SECONDS))
                worker.start()
                took, all_ms = uvloop.run(ask(port))
                worker.join()
            p50, p99 = (took[int(len(took) * share)] for share in (0.5, 0.99))
            rows.append((name, f"{len(took) / all_ms * 1000:,.0f}", f"{p50:.2f}", f"{p99:.2f}"))
    show(("what", "answers a second", "P50 ms", "P99 ms"), rows)


if __name__ == "__main__":
    sys.exit(main())
