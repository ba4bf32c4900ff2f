"""Spans of an inference → model calls: the innermost only, those above repeat their tokens."""

from collections.abc import Iterator, Mapping
from datetime import datetime

from exporter.receivers.traces.attribute_values import number, text, text_of, usd
from exporter.receivers.traces.dialects import kind_of, operation_of
from exporter.receivers.traces.failures import call_error_type, failure_of
from exporter.receivers.traces.messages import answer_json, prompt, response
from exporter.receivers.traces.providers import model_of, provider_of, requested_model_of
from exporter.receivers.traces.purpose import Purposes
from exporter.receivers.traces.token_counts import token_counts
from exporter.receivers.traces.tree import Tree
from exporter.records import (
    CostSource,
    Execution,
    ExecutionStatus,
    Json,
    LlmCall,
    Operation,
    Span,
    StepKind,
)

_COST = (
    "gen_ai.usage.cost",
    "llm.cost.total",
    "gen_ai.usage.total_cost",
    "gen_ai.cost.total_cost",
    "operation.cost",
)
_FINISH = (
    "gen_ai.response.finish_reasons",
    "gen_ai.response.finish_reason",
    "gen_ai.completion.0.finish_reason",
    "llm.finish_reason",
    "llm.response.finish_reason",
    "llm.response.stop_reason",
    "gen_ai.response.stop_reason",
    "ai.response.finishReason",
)
_FINISH_IN_ANSWERS = ("finish_reason", "stop_reason", "finishReason")
_TO_FIRST_TOKEN = (
    "gen_ai.response.time_to_first_chunk",
    "gen_ai.server.time_to_first_token",
    "gen_ai.client.operation.time_to_first_chunk",
    "llm.time_to_first_token",
)
_TO_FIRST_TOKEN_MS = ("ai.response.msToFirstChunk", "ai.stream.msToFirstChunk")
_FIRST_TOKEN_EVENTS = frozenset(
    {"First Token Stream Event", "llm.content.completion.chunk", "ai.stream.firstChunk"}
)


def inferences(tree: Tree) -> dict[str, Operation]:
    """Return the spans that are model calls: span id → what the model was asked to do.

    A model call below a tool is another one: it does not repeat the call that asked for the tool.
    """
    found = {
        span.span_id: operation
        for span in tree.spans
        if (operation := operation_of(span)) is not None
    }
    repeating: set[tuple[str, Operation]] = set()
    for span_id, operation in found.items():
        above = tree.parents[span_id]
        while above is not None and (above, operation) not in repeating:
            if kind_of(tree.by_id[above]) is StepKind.TOOL:
                break
            repeating.add((above, operation))
            above = tree.parents[above]
    return {
        span_id: operation
        for span_id, operation in found.items()
        if (span_id, operation) not in repeating
    }


def llm_calls(
    tree: Tree,
    calls: Mapping[str, Operation],
    execution: Execution,
    execution_span: Span | None,
    purposes: Purposes,
) -> Iterator[LlmCall]:
    """Yield a call for each of the spans."""
    for span_id, operation in calls.items():
        span = tree.by_id[span_id]
        is_execution = execution_span is not None and span_id == execution_span.span_id
        yield _call(span, operation, execution, None if is_execution else span_id, purposes)


def _call(
    span: Span, operation: Operation, execution: Execution, step_id: str | None, purposes: Purposes
) -> LlmCall:
    provider = provider_of(span)
    tokens = token_counts(span, provider)
    cost_usd = usd(span.attributes, *_COST)
    failure = failure_of(span)
    purpose = purposes.of_call(span)
    return LlmCall(
        source=execution.source,
        execution_id=execution.execution_id,
        created_at=execution.created_at,
        call_id=span.span_id,
        step_id=step_id,
        provider=provider,
        model=model_of(span),
        requested_model=requested_model_of(span),
        operation=operation,
        status=ExecutionStatus.SUCCESS if failure is None else failure.status,
        workflow_id=execution.workflow_id,
        workflow=execution.workflow,
        started_at=span.started_at,
        error_type=None if failure is None else call_error_type(span, failure),
        finish_reason=finish_reason(span),
        latency_seconds=span.duration_seconds,
        time_to_first_token_seconds=_time_to_first_token(span),
        input_tokens=tokens.input_tokens,
        cached_input_tokens=tokens.cached_input_tokens,
        cache_write_tokens=tokens.cache_write_tokens,
        output_tokens=tokens.output_tokens,
        reasoning_tokens=tokens.reasoning_tokens,
        cost_usd=cost_usd,
        cost_source=None if cost_usd is None else CostSource.REPORTED,
        customer=purpose.customer,
        project=purpose.project,
        team=purpose.team,
        prompt=prompt(span),
        response=response(span),
    )


def finish_reason(span: Span) -> str | None:
    """Return why a model stopped; of several answers, the first."""
    for key in _FINISH:
        if key in span.attributes and (found := _word(span.attributes[key])) is not None:
            return found
    return _finish_in(answer_json(span))


def _word(value: Json) -> str | None:
    if isinstance(value, list):
        return next((word for item in value if (word := text_of(item)) is not None), None)
    if isinstance(value, str) and value.startswith("["):
        value = value.strip("[]").partition(",")[0].strip(" \"'")
    return text_of(value)


def _finish_in(answer: Json) -> str | None:
    """Find the reason in an answer as the provider gave it, or in a list of messages."""
    choices = answer.get("choices", [answer]) if isinstance(answer, dict) else answer
    first = choices[0] if isinstance(choices, list) and choices else None
    return text(first, *_FINISH_IN_ANSWERS) if isinstance(first, dict) else None


def _time_to_first_token(span: Span) -> float | None:
    seconds = number(span.attributes, *_TO_FIRST_TOKEN)
    if seconds is None and (ms := number(span.attributes, *_TO_FIRST_TOKEN_MS)) is not None:
        seconds = ms / 1000
    if seconds is None:
        first: datetime | None = min(
            (event.at for event in span.events if event.name in _FIRST_TOKEN_EVENTS), default=None
        )
        seconds = None if first is None else (first - span.started_at).total_seconds()
    return seconds if seconds is not None and 0 <= seconds <= span.duration_seconds else None
