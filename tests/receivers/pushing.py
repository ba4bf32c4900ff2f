"""The receiver of spans without its thread: requests are pushed, and it is polled, by hand."""

from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

from exporter.app import App
from exporter.interfaces import PollResult
from exporter.poll import Poller
from exporter.receivers.intake import Receipt
from exporter.receivers.traces.receiver import TracesReceiver
from tests.receivers.otlp_requests import PROTOBUF, Sent, as_protobuf
from tests.sources.by_hand import Clock, exporter


class Traces:
    """The receiver of spans, polled by hand."""

    def __init__(self, app: App, clock: Clock) -> None:
        self.app = app
        self.clock = clock
        self.receiver = TracesReceiver(
            app.settings.receivers.traces,
            app.sink,
            clock=clock,
            poll_seconds=0.0,
            is_n8n_read=True,
        )
        self._poller: Poller = app._poller_of(app.settings)(self.receiver, timedelta(seconds=1))

    def push(self, *spans: Sent) -> "Future[Receipt]":
        """Send a request; it is stored at the next poll."""
        return self.receiver.accept(as_protobuf(spans), PROTOBUF)

    def poll(self) -> PollResult:
        """Store what waits, and conclude from what is due."""
        result = self._poller.poll()
        assert result is not None
        return result

    def settle(self) -> None:
        """Store what waits, and conclude from it a little later."""
        for _ in range(2):
            result = self.poll()
            assert result.outcome == "ok", result.detail
            self.clock.advance(seconds=2)


@contextmanager
def traces_into(
    folder: Path, database_url: str, now: datetime, **receivers: object
) -> Iterator[Traces]:
    """Yield a receiver of spans that writes to the database."""
    with exporter(folder, database_url, receivers=receivers) as running:
        running.clock.now = now
        yield Traces(running.app, running.clock)


def requests(spans: Sequence[Sent], number: int) -> list[Sequence[Sent]]:
    """Cut spans into so many requests, one after the other."""
    size = max(-(-len(spans) // number), 1)
    return [spans[start : start + size] for start in range(0, len(spans), size)]
