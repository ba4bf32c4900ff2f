"""What a program might tell, read and stored as the receiver does, with tables that are a dict."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

from exporter.errors import BadRequestError
from exporter.pushed.batch import batch_records
from exporter.pushed.reading import Told, read_executions, read_outcomes
from exporter.records import Execution, LlmCall, Outcome, Record, Step, WholeExecution

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
SOURCE = "pushed"
RUN: Mapping[str, Any] = {"execution_id": "run-1", "workflow": "content", "status": "success"}


def body(*documents: object) -> bytes:
    """Write documents as lines."""
    return b"\n".join(json.dumps(document).encode() for document in documents)


def execution(now: datetime = NOW, **fields: Any) -> list[Record]:
    """Records of one run that is told for the first time."""
    return Stored().told(read_executions(body({**RUN, **fields}), is_lines=True, now=now), now=now)


def refused(written: bytes | object, *, is_lines: bool = False, now: datetime = NOW) -> str:
    """Why a body of executions is refused."""
    sent = written if isinstance(written, bytes) else body(written)
    with pytest.raises(BadRequestError) as error:
        read_executions(sent, is_lines=is_lines, now=now)
    return str(error.value)


def notes(**fields: Any) -> Sequence[str]:
    """What the sender of one run is told."""
    return read_executions(body({**RUN, **fields}), is_lines=False, now=NOW).notes


def one_execution(records: Sequence[Record]) -> Execution:
    """The only execution among records."""
    (found,) = [record for record in records if isinstance(record, Execution)]
    return found


def steps(records: Sequence[Record]) -> list[Step]:
    """The steps among records."""
    return [record for record in records if isinstance(record, Step)]


def calls(records: Sequence[Record]) -> list[LlmCall]:
    """The model calls among records."""
    return [record for record in records if isinstance(record, LlmCall)]


def outcomes(records: Sequence[Record]) -> list[Outcome]:
    """The business results among records."""
    return [record for record in records if isinstance(record, Outcome)]


@dataclass
class Stored:
    """Tables: key → row, as the sink keeps them."""

    rows: dict[tuple[object, ...], Record] = field(default_factory=dict)

    def created_at_of(self, source: str, execution_ids: Sequence[str]) -> Mapping[str, datetime]:
        """Time keys of executions that are stored."""
        return {
            row.execution_id: row.created_at
            for row in self.rows.values()
            if isinstance(row, Execution)
            and row.source == source
            and row.execution_id in execution_ids
        }

    def outcome_at_of(self, source: str, outcome_ids: Sequence[str]) -> Mapping[str, datetime]:
        """Times of outcomes that are stored."""
        return {
            row.outcome_id: row.at
            for row in self.rows.values()
            if isinstance(row, Outcome) and row.source == source and row.outcome_id in outcome_ids
        }

    def told(self, *requests: Told[Any], now: datetime = NOW) -> list[Record]:
        """Store requests in one transaction and return its records."""
        records = batch_records(requests, source=SOURCE, now=now, store=self)
        self.write(records)
        return records

    def write(self, records: Sequence[Record]) -> None:
        """Store records: of two with one key the later counts, and what is whole has no more."""
        told = {_key(record) for record in records}
        for record in records:
            if isinstance(record, WholeExecution):
                gone = [
                    key
                    for key, row in self.rows.items()
                    if isinstance(row, Step | LlmCall)
                    and (row.execution_id, row.created_at)
                    == (record.execution_id, record.created_at)
                    and key not in told
                ]
                for key in gone:
                    del self.rows[key]
            else:
                self.rows[_key(record)] = record

    def push(self, *documents: object, now: datetime = NOW) -> list[Record]:
        """Tell of executions and store them."""
        return self.told(read_executions(body(*documents), is_lines=True, now=now), now=now)

    def push_outcomes(self, *documents: object, now: datetime = NOW) -> list[Record]:
        """Tell of outcomes and store them."""
        return self.told(read_outcomes(body(*documents), is_lines=True, now=now), now=now)


def _key(record: Record) -> tuple[object, ...]:
    match record:
        case Execution():
            return ("execution", record.source, record.execution_id, record.created_at)
        case Step():
            return ("step", record.execution_id, record.created_at, record.step_id)
        case LlmCall():
            return ("call", record.execution_id, record.created_at, record.call_id)
        case Outcome():
            return ("outcome", record.source, record.outcome_id, record.at)
        case WholeExecution():
            return ("whole", record.execution_id, record.created_at)
        case _:
            raise AssertionError(record)
