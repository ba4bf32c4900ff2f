"""What one poll is: lease, position, ask, write, count, name the outcome."""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import Protocol

from exporter.errors import SinkError, SourceError, TransientError
from exporter.interfaces import (
    Accountant,
    Batch,
    Counter,
    Increment,
    PollResult,
    Position,
    Present,
    Sink,
    SinkSession,
    Source,
)
from exporter.log import redact
from exporter.preparation import Preparation, write_all

log = logging.getLogger(__name__)

_PROGRESS_SECONDS = 30
_PATIENT_FAILURES = 5  # polls in a row that found no answer, before we ask less often
_FEWER_POLLS = 4
_LONGEST_REST = timedelta(minutes=15)
_REFUSED_PAUSE = timedelta(minutes=1)  # asking oftener than people can act only fills their logs


class Display(Protocol):
    """Where the present state is shown."""

    def restore(self, counters: Sequence[Counter]) -> None:
        """Show persisted counters as they stand."""

    def counted(self, source: str, increments: Sequence[Increment], *, caught_up: bool) -> None:
        """Show committed movements of counters."""

    def present(self, source: str, present: Present) -> None:
        """Show what is true now."""

    def polled(self, result: PollResult) -> None:
        """Show how a poll ended."""

    def own(self, metric: str, value: float, **labels: str) -> None:
        """Show a number of the exporter itself."""


class Poller:
    """Polls one source; the only place that swallows errors, and it counts them."""

    def __init__(
        self,
        source: Source,
        sink: Sink,
        *,
        accountant: Accountant,
        display: Display,
        preparation: Preparation,
        every: timedelta = timedelta(0),
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.source = source
        self.last_result: PollResult | None = None
        self._sink = sink
        self._accountant = accountant
        self._display = display
        self._preparation = preparation
        self._every = every
        self._failures = 0
        self._clock = clock
        self._quiet_until: datetime | None = None
        self._running = Lock()
        self._retired = False

    def retire(self) -> None:
        """Poll no more, and give back the source's connections when a poll under way has ended."""
        self._retired = True
        if self._running.acquire(blocking=False):
            self.source.close()
            self._running.release()

    def poll(self) -> PollResult | None:
        """Poll once; None while the source rests after a refusal."""
        with self._running:
            result = None if self._retired else self._poll()
            if self._retired:
                self.source.close()
            return result

    def _poll(self) -> PollResult | None:
        now = self._clock()
        if self._quiet_until is not None and now < self._quiet_until:
            return None
        self._quiet_until = None
        begun = time.monotonic()
        tally = _Tally()
        result = PollResult(
            source=self.source.name, outcome="ok", started_at=now, duration_seconds=0
        )
        try:
            with self._sink.session(self.source.name) as session:
                if session is None:
                    result = replace(result, outcome="standby", detail="another exporter polls it")
                else:
                    self._write_all(session, now, tally)
            self._display.own("aiwf_sink_up", 1)
        except TransientError as error:
            result = replace(result, outcome="later", detail=str(error))
            self._rest(now, error.rest)
        except SourceError as error:
            result = replace(result, outcome="refused", reason=error.reason, detail=str(error))
            self._rest(now, error.rest or _REFUSED_PAUSE)
        except SinkError as error:
            result = replace(result, outcome="blocked", detail=str(error))
            self._display.own("aiwf_sink_up", 0)
        except Exception as error:  # one source must not end the others
            result = replace(result, outcome="failed", detail=f"{type(error).__name__}: {error}")
            log.exception("poll.crashed", extra={"source": self.source.name})
        result = replace(
            result,
            duration_seconds=time.monotonic() - begun,
            records=tally.records,
            newest_at=tally.newest_at,
            detail=redact(result.detail) if result.detail else None,
        )
        self._failures = 0 if result.outcome in ("ok", "standby") else self._failures + 1
        self._tell(result, tally)
        return result

    def _rest(self, now: datetime, asked: timedelta | None) -> None:
        """Ask nothing for as long as the source wants, and longer if it fails again and again."""
        if asked is None and self._failures >= _PATIENT_FAILURES:
            asked = min(_FEWER_POLLS * self._every, _LONGEST_REST)
        if asked is not None:
            self._quiet_until = now + asked

    def _write_all(self, session: SinkSession, now: datetime, tally: "_Tally") -> None:
        if self.last_result is None or self.last_result.outcome != "ok":
            # A commit may have been in doubt, or another exporter at work: the database knows.
            self._display.restore(session.counters())
        try:
            self._write_batches(session, now, tally)
        except (TransientError, SourceError):
            # What was written before is true, and what was true before midnight may not be.
            self._display.present(self.source.name, session.present(now))
            raise
        self._display.present(self.source.name, session.present(now))

    def _write_batches(self, session: SinkSession, now: datetime, tally: "_Tally") -> None:
        position = session.position()
        for batch in self.source.poll(position, now):
            prepared = self._preparation.applied(batch)
            position = self._write(session, position, prepared, now, tally)
            if self._retired:
                raise TransientError("ended early, between two batches: a stop or a reload")

    def _write(
        self,
        session: SinkSession,
        position: Position,
        batch: Batch,
        now: datetime,
        tally: "_Tally",
    ) -> Position:
        name = self.source.name
        for part, written, increments in write_all(
            session, position, batch, source=name, accountant=self._accountant, now=now
        ):
            position = written
            tally.add(part, written)
            if tally.is_time_to_tell():
                log.info("poll.progress", extra={"source": name, "records": tally.records})
            self._display.counted(name, increments, caught_up=written.caught_up)
        return position

    def _tell(self, result: PollResult, tally: "_Tally") -> None:
        self.last_result = result
        self._display.polled(result)
        self._sink.record_poll(result)
        level = {"ok": logging.INFO, "standby": logging.DEBUG, "failed": logging.ERROR}
        log.log(
            level.get(result.outcome, logging.WARNING),
            "poll.finished",
            extra={
                "source": result.source,
                "outcome": result.outcome,
                "records": result.records,
                "seconds": round(result.duration_seconds, 3),
                "detail": result.detail,
                "omissions": tally.omissions or None,
            },
        )


class _Tally:
    """What a poll has written so far: a poll that breaks off still says so."""

    def __init__(self) -> None:
        self.records = 0
        self.newest_at: datetime | None = None
        self.omissions: dict[str, int] = {}
        self._told_at = time.monotonic()

    def is_time_to_tell(self) -> bool:
        """Whether a long poll should say how far it is; every half minute."""
        if time.monotonic() - self._told_at < _PROGRESS_SECONDS:
            return False
        self._told_at = time.monotonic()
        return True

    def add(self, batch: Batch, position: Position) -> None:
        self.records += batch.rows
        self.newest_at = position.newest_at
        for reason, count in batch.omissions.items():
            self.omissions[reason] = self.omissions.get(reason, 0) + count
