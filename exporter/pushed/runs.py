"""What a program tells of one run → records."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from exporter.pushed.calls import call_records
from exporter.pushed.outcomes import achievement_records
from exporter.pushed.parts import SaidError
from exporter.pushed.said import SaidExecution
from exporter.pushed.times import RunTimes, times_of
from exporter.pushed.values import both_ends, kept
from exporter.pushed.words import kind_named
from exporter.records import (
    Execution,
    ExecutionStatus,
    Json,
    Record,
    Step,
    StepKind,
    WholeExecution,
)

_FAILED = frozenset({ExecutionStatus.ERROR, ExecutionStatus.TIMEOUT, ExecutionStatus.CRASHED})


def run_records(
    said: SaidExecution, *, source: str, now: datetime, stored_created_at: datetime | None
) -> list[Record]:
    """Return the execution, its steps, calls and outcomes, and the word that this is all of it.

    `stored_created_at` is the time key under which it is stored, and stays.
    """
    times = times_of(said, stored_created_at, now)
    execution = _execution(said, source, times)
    whole = WholeExecution(
        source=source,
        execution_id=said.execution_id,
        created_at=times.created_at,
        stored_created_at=stored_created_at,
    )
    return [
        execution,
        *_steps(said, execution),
        *call_records(said, execution),
        whole,
        *achievement_records(said.outcomes, execution),
    ]


def _execution(said: SaidExecution, source: str, times: RunTimes) -> Execution:
    failure = said.failure
    return Execution(
        source=source,
        execution_id=said.execution_id,
        created_at=times.created_at,
        started_at=times.started_at,
        finished_at=times.finished_at,
        workflow_id=said.workflow_id or said.workflow_name,
        workflow=said.workflow_name,
        status=said.status,
        workflow_version=said.version,
        trigger=said.trigger,
        error_type=failure.type,
        error_message=failure.message,
        error_step=failure.step or said.error_step or _failed_step(said),
        retry_of=said.retry_of,
        parent_execution_id=said.parent_execution_id,
        trace_id=said.trace_id,
        customer=said.customer,
        project=said.project,
        team=said.team,
        tags=said.tags,
        attributes=_attributes(said, failure),
        items_total=said.items_total,
        items_failed=said.items_failed,
        engine_url=said.url,
        # A prompt beside `llm_calls` is of none of them.
        input=said.prompt if said.input is None and said.llm_calls else said.input,
        output=said.response if said.output is None and said.llm_calls else said.output,
    )


def _failed_step(said: SaidExecution) -> str | None:
    """Return the first step that failed in a run that failed."""
    if said.status not in _FAILED:
        return None
    return next(
        (
            step.name or step_id
            for step_id, step in zip(said.step_ids, said.steps, strict=True)
            if step.status_or_error(step.status) in _FAILED
        ),
        None,
    )


def _attributes(said: SaidExecution, failure: SaidError) -> dict[str, Json]:
    found: dict[str, Any] = {**(said.model_extra or {}), **said.attributes}
    if said.steps_completed is not None:
        found["steps_completed"] = said.steps_completed
    if failure.stack is not None:
        found["error_stack"] = both_ends(failure.stack)
    model = {"provider": said.provider, "model": said.model}
    if said.llm_calls:
        # Each call tells its own; what is told of the run must not be added to that.
        told = {"cost_usd": said.cost_usd, **said.tokens, **model}
        found |= {f"reported_{name}": value for name, value in told.items() if value is not None}
    elif not said.is_use_told_as_a_whole:
        found |= {name: value for name, value in model.items() if value is not None}
    return kept(found)


def _steps(said: SaidExecution, execution: Execution) -> Iterator[Step]:
    for step_id, step in zip(said.step_ids, said.steps, strict=True):
        kind, failure = kind_named(step.kind), step.failure
        attributes: dict[str, Any] = {**(step.model_extra or {}), **step.attributes}
        if step.kind is not None and kind is None:
            attributes["kind"] = step.kind
        if failure.stack is not None:
            attributes["error_stack"] = both_ends(failure.stack)
        started_at, duration = step.span
        yield Step(
            source=execution.source,
            execution_id=execution.execution_id,
            created_at=execution.created_at,
            step_id=step_id,
            name=step.name or step_id,
            kind=kind or StepKind.OTHER,
            status=step.status_or_error(step.status),
            parent_step_id=step.parent_step_id,
            started_at=started_at,
            duration_seconds=None if duration is None else duration.total_seconds(),
            attempt=step.attempt or 1,
            items_in=step.items_in,
            items_out=step.items_out,
            items_failed=step.items_failed,
            error_type=failure.type,
            error_message=failure.message,
            attributes=kept(attributes),
            input=step.input,
            output=step.output,
        )
