"""What a program tells of business results → records; told again, they are the same."""

import hashlib
import json
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime

from exporter.pushed.said import SaidAchievement, SaidOutcome
from exporter.pushed.values import kept
from exporter.records import Execution, Json, Outcome


def achievement_records(said: Sequence[SaidAchievement], execution: Execution) -> Iterator[Outcome]:
    """Yield the results that are told with their run; without a time, its creation is theirs."""
    told: Counter[str] = Counter()
    for one in said:
        told[one.name] += 1
        yield Outcome(
            source=execution.source,
            outcome_id=one.id
            or _of_execution(
                execution.workflow, execution.execution_id, one, occurrence=told[one.name]
            ),
            at=one.at or execution.created_at,
            workflow=execution.workflow,
            name=one.name,
            value=one.value,
            unit=one.unit,
            execution_id=execution.execution_id,
            customer=execution.customer,
            project=execution.project,
            team=execution.team,
            attributes=_attributes(one),
        )


def outcome_record(said: SaidOutcome, *, source: str, now: datetime) -> Outcome:
    """Return a result that is told by itself, of `source` if it names no other."""
    return Outcome(
        source=said.source or source,
        outcome_id=_id(said),
        at=said.at or now,
        workflow=said.workflow,
        name=said.name,
        value=said.value,
        unit=said.unit,
        execution_id=said.execution_id,
        customer=said.customer,
        project=said.project,
        team=said.team,
        attributes=_attributes(said),
    )


def _id(said: SaidOutcome) -> str:
    if said.id is not None:
        return said.id
    if said.execution_id is not None:
        return _of_execution(said.workflow, said.execution_id, said)
    if said.at is None:
        return uuid.uuid4().hex  # nothing tells it from another: told again, it is another
    whose = (said.customer, said.project, said.team)
    told = (said.workflow, said.name, str(said.value), said.unit, said.at.isoformat(), whose)
    return _digest(*told, _attributes(said))


def _of_execution(
    workflow: str, execution_id: str, said: SaidAchievement, occurrence: int = 1
) -> str:
    at = None if said.at is None else said.at.isoformat()
    return _digest(workflow, execution_id, said.name, at, occurrence)


def _digest(*parts: object) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]


def _attributes(said: SaidAchievement) -> dict[str, Json]:
    return kept({**(said.model_extra or {}), **said.attributes})
