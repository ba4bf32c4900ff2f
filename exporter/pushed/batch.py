"""Requests that are stored in one transaction → records, as if each had been stored by itself."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from exporter.interfaces import ExecutionStore
from exporter.pushed.outcomes import outcome_record
from exporter.pushed.reading import Told
from exporter.pushed.runs import run_records
from exporter.pushed.said import SaidExecution, SaidOutcome
from exporter.records import Execution, LlmCall, Outcome, Record, Step, WholeExecution


def batch_records(
    requests: Sequence[Told[SaidExecution] | Told[SaidOutcome]],
    *,
    source: str,
    now: datetime,
    store: ExecutionStore,
) -> list[Record]:
    """Return the records of the requests, in the order in which they came.

    Raises:
        SinkError: what is stored already cannot be asked for.
    """
    said = [one for request in requests for one in request.said]
    ids = {one.execution_id for one in said if isinstance(one, SaidExecution)}
    created_at = dict(store.created_at_of(source, sorted(ids))) if ids else {}
    records: list[Record] = []
    for one in said:
        if isinstance(one, SaidOutcome):
            records.append(outcome_record(one, source=source, now=now))
            continue
        told = run_records(
            one, source=source, now=now, stored_created_at=created_at.get(one.execution_id)
        )
        created_at |= {
            record.execution_id: record.created_at
            for record in told
            if isinstance(record, Execution)
        }
        records += told
    return _at_stored_times(newest_of_each(records), store)


def newest_of_each(records: Iterable[Record]) -> list[Record]:
    """Leave out what is told of a run that is told again later: the later replaces it as a whole.

    Outcomes stay: they are known by themselves.
    """
    found = list(records)
    newest = {
        (record.execution_id, record.created_at): place
        for place, record in enumerate(found)
        if isinstance(record, Execution)
    }
    return [
        record
        for place, record in enumerate(found)
        if not isinstance(record, Execution | Step | LlmCall | WholeExecution)
        or place >= newest.get((record.execution_id, record.created_at), 0)
    ]


def _at_stored_times(records: list[Record], store: ExecutionStore) -> list[Record]:
    """Give outcomes the time under which they are stored, whatever time is told this time."""
    outcomes = [record for record in records if isinstance(record, Outcome)]
    at: dict[tuple[str, str], datetime] = {}
    for source in sorted({outcome.source for outcome in outcomes}):
        ids = {outcome.outcome_id for outcome in outcomes if outcome.source == source}
        stored = store.outcome_at_of(source, sorted(ids))
        at |= {(source, outcome_id): stored_at for outcome_id, stored_at in stored.items()}
    for outcome in outcomes:
        at.setdefault((outcome.source, outcome.outcome_id), outcome.at)
    return [
        replace(record, at=at[record.source, record.outcome_id])
        if isinstance(record, Outcome)
        else record
        for record in records
    ]
