"""When a run was created, began and ended, concluded from whatever of it is told."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from exporter.pushed.said import SaidExecution
from exporter.records import ExecutionStatus


@dataclass(frozen=True, slots=True)
class RunTimes:
    """The times of an execution."""

    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


def times_of(said: SaidExecution, stored_created_at: datetime | None, now: datetime) -> RunTimes:
    """Conclude the times; `stored_created_at` is the time key under which the run is stored.

    Told again after it was stored, the same gives the same, whatever the time is by then.
    """
    if said.status.is_final:
        return _of_ended(said, stored_created_at, now)
    created_at = stored_created_at or said_at(said) or now
    is_running = said.status is ExecutionStatus.RUNNING
    started_at = said.started_at or (created_at if is_running else None)
    return RunTimes(created_at, started_at, None)


def said_at(said: SaidExecution) -> datetime | None:
    """Return when the run was created, as far as it alone tells; None if it tells no time."""
    if said.created_at is not None or said.started_at is not None:
        return said.created_at or said.started_at
    end = said.finished_at or said.timestamp
    if end is not None and said.status.is_final and said.duration is not None:
        return end - said.duration
    return end


def _of_ended(said: SaidExecution, stored_created_at: datetime | None, now: datetime) -> RunTimes:
    duration = said.duration
    created_at = stored_created_at or said_at(said) or now - (duration or timedelta(0))
    started_at, finished_at = said.started_at, said.finished_at
    if finished_at is None and duration is not None:
        finished_at = started_at + duration if started_at else said.timestamp
        finished_at = finished_at or created_at + duration
    finished_at = finished_at or said.timestamp
    if finished_at is None:
        # How long it took is not known; when it began says its time key.
        return RunTimes(created_at, None, created_at)
    if started_at is None and duration is not None:
        started_at = finished_at - duration
    if started_at is None and created_at < finished_at:
        started_at = created_at  # told while it ran, or told by its creation
    return RunTimes(created_at, started_at, finished_at)
