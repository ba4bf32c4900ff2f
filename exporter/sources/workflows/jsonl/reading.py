"""Lines of logs → batches: what they say of runs, and what of them could not be taken over."""

import logging
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from exporter.interfaces import Batch, Cursor, OpenExecution
from exporter.pushed.batch import newest_of_each
from exporter.pushed.notes import notes_of
from exporter.pushed.outcomes import outcome_record
from exporter.pushed.reading import NotReadableError
from exporter.pushed.runs import run_records
from exporter.pushed.said import SaidExecution, SaidOutcome
from exporter.records import Execution, Outcome, Record, WholeExecution
from exporter.sources.workflows.jsonl.line_meaning import NoTimeError, meaning_of
from exporter.sources.workflows.jsonl.log_lines import LONGEST_LINE, Line

log = logging.getLogger(__name__)

_BATCH_LINES = 500
_BATCH_BYTES = 4 * 1024 * 1024
_MOST_NOTES = 100


class Reading:
    """One poll: what was read of the files, and what of it is not yet in a batch."""

    def __init__(
        self,
        source: str,
        now: datetime,
        open_executions: Iterable[OpenExecution],
        noted: set[str],
    ) -> None:
        self._source = source
        self._now = now
        # A run keeps the time key under which it was first told of while it is open. Once it has
        # ended a line counts by its own times, so that it does not matter where a poll begins.
        self._open_since = {seen.execution_id: seen.created_at for seen in open_executions}
        self._noted = noted
        self._records: list[Record] = []
        self._omissions: Counter[str] = Counter()
        self._lines = 0
        self._bytes = 0
        self._first_wrong: str | None = None
        self._wrong = 0

    @property
    def is_enough(self) -> bool:
        """Whether what was read is enough for a batch."""
        return self._lines >= _BATCH_LINES or self._bytes >= _BATCH_BYTES

    def add(self, line: Line, path: str) -> None:
        """Take in what a line says."""
        self._lines += 1
        if line.content is None:
            self._omit("too_long_line", f"is longer than {LONGEST_LINE} bytes", line, path)
            return
        self._bytes += len(line.content)
        try:
            said = meaning_of(line.content, self._now, self._open_since)
        except NoTimeError as error:
            self._omit("no_time", str(error), line, path)
        except NotReadableError as error:
            self._omit("unreadable_line", str(error), line, path)
        else:
            if said is None:
                self._omissions["other_line"] += bool(line.content.strip())
                return
            self._note(said, line, path)
            if isinstance(said, SaidOutcome):
                self._records.append(outcome_record(said, source=self._source, now=self._now))
            else:
                self._add_run(said)

    def _add_run(self, said: SaidExecution) -> None:
        told = run_records(
            said,
            source=self._source,
            now=self._now,
            stored_created_at=self._open_since.pop(said.execution_id, None),
        )
        # Whether it is stored already, nobody knows here: what it had may have to go.
        self._records += [
            replace(record, stored_created_at=record.created_at)
            if isinstance(record, WholeExecution)
            else record
            for record in told
        ]
        if not said.status.is_final:
            self._open_since |= {
                record.execution_id: record.created_at
                for record in told
                if isinstance(record, Execution)
            }

    def _omit(self, reason: str, why: str, line: Line, path: str) -> None:
        self._omissions[reason] += 1
        self._wrong += 1
        self._first_wrong = self._first_wrong or f"{path} line {line.number}: {why}"

    def _note(self, said: SaidExecution | SaidOutcome, line: Line, path: str) -> None:
        """Log what a program should know of its lines: each matter once."""
        if len(self._noted) >= _MOST_NOTES:
            return
        for note in notes_of(said):
            if note not in self._noted:
                self._noted.add(note)
                detail = f"{path} line {line.number}: {note}"
                log.info("jsonl.note", extra={"source": self._source, "detail": detail})

    def batch(self, cursor: Cursor, *, caught_up: bool = False) -> Batch:
        """Return what was read since the last batch."""
        records, omissions = newest_of_each(self._records), dict(self._omissions)
        self._records, self._omissions = [], Counter()
        self._lines = self._bytes = 0
        return Batch(
            records=records,
            cursor=cursor,
            caught_up=caught_up,
            # One in the future would look fresh for ever.
            newest_at=max((min(at, self._now) for at in _times(records)), default=None),
            omissions={reason: count for reason, count in omissions.items() if count},
        )

    def tell(self) -> None:
        """Log what could not be taken over, once a poll."""
        if self._first_wrong is not None:
            log.warning(
                "jsonl.unreadable",
                extra={
                    "source": self._source,
                    "detail": self._first_wrong,
                    "lines": self._wrong,
                },
            )


def _times(records: Iterable[Record]) -> Iterable[datetime]:
    for record in records:
        match record:
            case Execution():
                yield record.finished_at or record.started_at or record.created_at
            case Outcome():
                yield record.at
            case _:
                pass
