"""The jobs that conclude from what is stored, at their intervals, one exporter at a time."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta

from exporter.settings import Settings
from exporter.sinks.exposition import Exposition
from exporter.sinks.timescale import TimescaleSink


@dataclass(frozen=True, slots=True)
class Job:
    """Something that is done at intervals."""

    name: str  # also of its lease
    every: timedelta
    run: Callable[[], object]  # may raise SinkError: it is tried again at its next interval


class Judging:
    """Joins judges with what they read and write."""

    def __init__(self, settings: Settings, sink: TimescaleSink, exposition: Exposition) -> None:
        self._settings = settings
        self._sink = sink
        self._exposition = exposition

    def jobs(self) -> Iterator[Job]:
        """Yield every job of the configuration in force."""
        yield from ()
