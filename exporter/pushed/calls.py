"""What a program tells of the model calls of a run → records."""

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from exporter.pushed.parts import SaidError
from exporter.pushed.said import SaidCall, SaidExecution
from exporter.pushed.words import operation_named
from exporter.records import CostSource, Execution, ExecutionStatus, LlmCall, Operation
from exporter.vendor_names import UNKNOWN, provider_named

RUN_CALL_ID = "run"
"""The call that stands for what a whole run cost, where its calls are not told."""
_LONGEST_ERROR_TYPE = 80


def call_records(said: SaidExecution, execution: Execution) -> Iterator[LlmCall]:
    """Yield the calls of a run; without any, what the run as a whole used, as a call of none."""
    steps = _Steps(said)
    for call_id, call in zip(said.call_ids, said.llm_calls, strict=True):
        step_id = steps.id_of(call.step_id)
        yield _record(
            execution,
            call_id,
            call.started_at or steps.started_at(step_id),
            cost_usd=call.cost_usd,
            step_id=step_id,
            provider=provider_named(call.provider, call.model),
            model=call.model,
            requested_model=call.requested_model,
            operation=_operation(call),
            status=call.status_or_error(call.status),
            error_type=_error_type(call.failure),
            finish_reason=call.finish_reason,
            latency_seconds=_seconds(call.latency),
            time_to_first_token_seconds=_seconds(call.time_to_first_token),
            tokens_estimated=call.tokens_estimated,
            prompt=call.prompt,
            response=call.failure.message if call.response is None else call.response,
            **call.tokens,
        )
    if said.is_use_told_as_a_whole:
        yield _record(
            execution,
            RUN_CALL_ID,
            None,
            cost_usd=said.cost_usd,
            calls=0,
            provider=provider_named(said.provider, said.model or ""),
            model=said.model or UNKNOWN,
            operation=Operation.OTHER,
            status=ExecutionStatus.SUCCESS,  # however the run ended, this much was served
            prompt=said.prompt,
            response=said.response,
            **said.tokens,
        )


def _record(
    execution: Execution, call_id: str, began_at: datetime | None, *, cost_usd: Any, **told: Any
) -> LlmCall:
    return LlmCall(
        source=execution.source,
        execution_id=execution.execution_id,
        created_at=execution.created_at,
        call_id=call_id,
        workflow_id=execution.workflow_id,
        workflow=execution.workflow,
        customer=execution.customer,
        project=execution.project,
        team=execution.team,
        started_at=began_at or execution.started_at or execution.created_at,
        cost_usd=cost_usd,
        cost_source=None if cost_usd is None else CostSource.REPORTED,
        **told,
    )


class _Steps:
    """The steps of a run, as its calls name them: by id, or by a name that only one has."""

    def __init__(self, said: SaidExecution) -> None:
        self._by_id = dict(zip(said.step_ids, said.steps, strict=True))
        names = Counter(step.name for step in said.steps)
        self._ids: Mapping[str | None, str] = {
            step.name: step_id for step_id, step in self._by_id.items() if names[step.name] == 1
        }

    def id_of(self, said: str | None) -> str | None:
        if said is None or said in self._by_id:
            return said
        return self._ids.get(said, said)

    def started_at(self, step_id: str | None) -> datetime | None:
        step = self._by_id.get(step_id or "")
        return None if step is None else step.span[0]


def _seconds(duration: timedelta | None) -> float | None:
    return None if duration is None else duration.total_seconds()


def _operation(call: SaidCall) -> Operation:
    if call.operation is None:
        return Operation.EMBEDDINGS if "embed" in call.model.lower() else Operation.CHAT
    return operation_named(call.operation) or Operation.OTHER


def _error_type(failure: SaidError) -> str | None:
    """A call keeps no message: a word is taken for the type, prose is not."""
    if failure.type is not None or failure.message is None:
        return failure.type
    is_word = len(failure.message) <= _LONGEST_ERROR_TYPE and len(failure.message.split()) == 1
    return failure.message if is_word else "error"
