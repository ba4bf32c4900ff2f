"""Runs the receivers: each is polled in a thread of its own, again and again."""

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from exporter.errors import NotNowError
from exporter.interfaces import Source
from exporter.poll import Poller
from exporter.receivers.intake import Receipt
from exporter.receivers.pushes import PushesReceiver
from exporter.receivers.traces.receiver import TracesReceiver
from exporter.settings import Settings
from exporter.sinks.timescale import TimescaleSink

POLL_EVERY = timedelta(seconds=30)
"""How long one poll of a receiver waits for what comes."""
_PAUSE_SECONDS = 1.0  # after a poll that failed


class Receiver(Source, Protocol):
    """A source that is not asked, but told."""

    kind: str

    def turn_away(self, reason: NotNowError) -> None:
        """Answer all that waits: it could not be stored."""

    def end(self) -> None:
        """Take nothing more."""


class Accepting(Protocol):
    """What takes the requests of one route."""

    def accept(self, body: bytes, content_type: str) -> "Future[Receipt]":
        """Take a request, unpacked."""


@dataclass(frozen=True, slots=True)
class _Running:
    receiver: Receiver
    poller: Poller


class Receivers:
    """What is pushed, by route; and the threads that store it."""

    def __init__(
        self,
        settings: Settings,
        sink: TimescaleSink,
        poller_of: Callable[[Source, timedelta], Poller],
    ) -> None:
        pushed = settings.receivers
        self._routes: dict[str, Accepting] = {}
        self._running: list[_Running] = []
        self._threads: list[threading.Thread] = []
        self._ending = threading.Event()
        seconds = POLL_EVERY.total_seconds()
        if pushed.traces.enabled:
            is_n8n_read = any(source.kind == "n8n" for source in settings.sources)
            traces = TracesReceiver(
                pushed.traces, sink, poll_seconds=seconds, is_n8n_read=is_n8n_read
            )
            self._routes["traces"] = traces
            self._running.append(_Running(traces, poller_of(traces, POLL_EVERY)))
        if pushed.executions.enabled:
            told = PushesReceiver(pushed.executions, sink, poll_seconds=seconds)
            self._routes |= {"executions": told.executions, "outcomes": told.outcomes}
            self._running.append(_Running(told, poller_of(told, POLL_EVERY)))

    @property
    def pollers(self) -> list[Poller]:
        """The pollers of the receivers that are switched on."""
        return [running.poller for running in self._running]

    @property
    def kinds(self) -> Mapping[str, str]:
        """Name → kind of each."""
        return {running.receiver.name: running.receiver.kind for running in self._running}

    def receiver(self, route: str) -> Accepting | None:
        """Return what takes the requests of a route; None: it is switched off."""
        return self._routes.get(route)

    def start(self) -> None:
        """Begin to store what comes."""
        for running in self._running:
            thread = threading.Thread(
                target=self._run, args=(running,), name=f"receive {running.receiver.name}"
            )
            thread.start()
            self._threads.append(thread)

    def stop(self) -> None:
        """Turn away what is not stored yet; what is being stored is answered first."""
        self._ending.set()
        for running in self._running:
            running.receiver.end()
            running.poller.retire()
        for thread in self._threads:
            thread.join()

    def _run(self, running: _Running) -> None:
        while not self._ending.is_set():
            result = running.poller.poll()
            if result is not None and result.outcome != "ok":
                running.receiver.turn_away(
                    NotNowError(f"it could not be stored ({result.detail}); send it again")
                )
                self._ending.wait(_PAUSE_SECONDS)
