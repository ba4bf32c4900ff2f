"""SIGKILL under a load of spans: every span that was acknowledged is stored, once."""

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection, HTTPException
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path

from exporter.demo.embedded_postgres import free_port
from tests import databases
from tests.faults.receiving_process import receive_until_killed
from tests.receivers.otlp_requests import PROTOBUF, Sent, as_protobuf, span_id
from tests.receivers.pushing import traces_into
from tests.sources.by_hand import differences, stored, wait_until

KILLS = 12
TRACES = 240
SPANS_OF_A_TRACE = 12
SENDERS = 3
_PROCESSES = get_context("forkserver")
_PROCESSES.set_forkserver_preload(["tests.faults.receiving_process"])


def load() -> list[list[Sent]]:
    """Traces in small requests, in which no two spans of a trace need to come together."""
    spans = [
        Sent(
            trace_id=f"{trace + 1:032x}",
            span_id=span_id(number + 1),
            parent=span_id(1) if number else "",
            name=f"step {number}" if number else "worker",
            at_ms=trace * 1_000 + number,
            took_ms=500 - number,
            attributes={
                "gen_ai.operation.name": "chat",
                "gen_ai.provider.name": "openai",
                "gen_ai.request.model": "gpt-4o-mini",
                "gen_ai.usage.input_tokens": number,
                "gen_ai.usage.output_tokens": 1,
            }
            if number % 4 == 1
            else {},
        )
        for trace in range(TRACES)
        for number in range(SPANS_OF_A_TRACE)
    ]
    random.Random(3).shuffle(spans)
    return [spans[start : start + 2] for start in range(0, len(spans), 2)]


@contextmanager
def receiving(port: int, url: str, seconds: float | None) -> Iterator[BaseProcess]:
    """Serve in a process; SIGKILL it at the end of the block, if it has not done so itself."""
    process = _PROCESSES.Process(
        target=receive_until_killed, args=(port, {"AIWF_DATABASE_URL": url}, seconds)
    )
    process.start()
    try:
        yield process
    finally:
        process.kill()
        process.join()
        assert process.exitcode == -9
        process.close()


class Senders:
    """Send requests until each of them is acknowledged, as an SDK does."""

    def __init__(self, port: int, bodies: list[bytes]) -> None:
        self._port = port
        self._bodies = list(enumerate(bodies))
        self._lock = threading.Lock()
        self.acknowledged: set[int] = set()
        self._paused = threading.Event()
        self._threads = [threading.Thread(target=self._send) for _ in range(SENDERS)]
        for thread in self._threads:
            thread.start()

    def join(self) -> None:
        for thread in self._threads:
            thread.join()

    def _send(self) -> None:
        while True:
            with self._lock:
                if not self._bodies:
                    return
                number, body = self._bodies.pop()
            while not self._is_acknowledged(body):
                self._paused.wait(0.02)
            self.acknowledged.add(number)

    def _is_acknowledged(self, body: bytes) -> bool:
        with (
            suppress(OSError, HTTPException),
            closing(HTTPConnection("127.0.0.1", self._port, timeout=20)) as connection,
        ):
            connection.request("POST", "/v1/traces", body, {"Content-Type": PROTOBUF})
            with connection.getresponse() as answer:
                return answer.status == 200
        return False


def test_kills_under_load_lose_and_repeat_nothing_that_was_acknowledged(
    one_database_url: str, plain_server: str, migrated: Callable[[str], str], tmp_path: Path
) -> None:
    requests = load()
    port = free_port()
    chance = random.Random(5)
    senders = Senders(port, [as_protobuf(sent) for sent in requests])
    productive = 0
    for _ in range(KILLS):
        before = len(senders.acknowledged)
        with receiving(port, one_database_url, chance.uniform(0.2, 1.2)) as process:
            process.join(30)
        productive += len(senders.acknowledged) > before
    assert productive > KILLS / 3, "kills must fall into work, not into waiting"
    with receiving(port, one_database_url, None):
        senders.join()
        assert len(senders.acknowledged) == len(requests)

    now = datetime.now(UTC) + timedelta(seconds=5)
    with databases.new_database(plain_server, template=migrated(plain_server)) as clean:
        for url, sent in ((clean, requests), (one_database_url, [])):
            with traces_into(tmp_path, url, now) as traces:
                for request in sent:
                    traces.push(*request)
                traces.clock.advance(minutes=1)
                # The lease of the last killed process ends when the server notices its death.
                wait_until(lambda traces=traces: traces.poll().outcome == "ok")
                for _ in range(len(requests)):
                    traces.clock.advance(seconds=2)
                    if traces.poll().records == 0:
                        break

        assert stored(clean) == stored(one_database_url)
        assert len(stored(clean)["executions"]) == TRACES
        assert differences(one_database_url) == {}
