"""Inferences → model calls."""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import TypeVar

from exporter.receivers.traces.attribute_values import number, text, text_of, usd
from exporter.receivers.traces.failures import call_error_type, failure_of, is_coarse
from exporter.receivers.traces.inferences import Inference
from exporter.receivers.traces.messages import answer_json, prompt, response
from exporter.receivers.traces.providers import model_of, provider_of, requested_model_of
from exporter.receivers.traces.purpose import Purposes
from exporter.receivers.traces.token_counts import token_counts
from exporter.records import (
    CostSource,
    Execution,
    ExecutionStatus,
    Json,
    LlmCall,
    Operation,
    Span,
)

T = TypeVar("T")

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
    "anthropic.message.stop_reason",
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


def llm_calls(
    calls: Iterable[Inference],
    execution: Execution,
    execution_span: Span | None,
    purposes: Purposes,
) -> Iterator[LlmCall]:
    """Yield the record of each call; what its own span leaves open is taken from those around."""
    for call in calls:
        is_execution = execution_span is not None and call.span is execution_span
        yield _call(call, execution, None if is_execution else call.span.span_id, purposes)


def _call(
    call: Inference, execution: Execution, step_id: str | None, purposes: Purposes
) -> LlmCall:
    span, spans = call.span, call.spans
    counts = [token_counts(one) for one in spans]
    tokens = next((one for one in counts if one.are_known), counts[0])
    output_tokens = tokens.output_tokens
    if call.operation is Operation.EMBEDDINGS and tokens.input_tokens is not None:
        output_tokens = output_tokens or 0  # there is none to tell of
    cost_usd = _first(spans, lambda one: usd(one.attributes, *_COST))
    failure = failure_of(span)
    purpose = purposes.of_call(span)
    return LlmCall(
        source=execution.source,
        execution_id=execution.execution_id,
        created_at=execution.created_at,
        call_id=span.span_id,
        step_id=step_id,
        provider=provider_of(span),
        model=model_of(span),
        requested_model=_first(spans, requested_model_of),
        operation=call.operation,
        status=ExecutionStatus.SUCCESS if failure is None else failure.status,
        workflow_id=execution.workflow_id,
        workflow=execution.workflow,
        started_at=span.started_at,
        error_type=None if failure is None else _error_type(spans),
        finish_reason=_first(spans, finish_reason),
        latency_seconds=span.duration_seconds,
        time_to_first_token_seconds=_first(spans, _time_to_first_token),
        input_tokens=tokens.input_tokens,
        cached_input_tokens=tokens.cached_input_tokens,
        cache_write_tokens=tokens.cache_write_tokens,
        output_tokens=output_tokens,
        reasoning_tokens=next(
            (one.reasoning_tokens for one in counts if one.reasoning_tokens is not None), None
        ),
        tokens_estimated=tokens.are_estimated,
        cost_usd=cost_usd,
        cost_source=None if cost_usd is None else CostSource.REPORTED,
        customer=purpose.customer,
        project=purpose.project,
        team=purpose.team,
        prompt=_first(spans, prompt),
        response=_first(spans, response),
    )


def _first(spans: Iterable[Span], told: Callable[[Span], T | None]) -> T | None:
    return next((found for span in spans if (found := told(span)) is not None), None)


def _error_type(spans: Iterable[Span]) -> str | None:
    """Return the most exact class that any of the spans names."""
    named = [
        name
        for span in spans
        if (failure := failure_of(span)) and (name := call_error_type(span, failure))
    ]
    return next((name for name in named if not is_coarse(name)), named[0] if named else None)


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
    if span.attributes.get("gen_ai.request.stream") is False:
        return None  # some send the time of the whole answer then
    seconds = number(span.attributes, *_TO_FIRST_TOKEN)
    if seconds is None and (ms := number(span.attributes, *_TO_FIRST_TOKEN_MS)) is not None:
        seconds = ms / 1000
    if seconds is None:
        first: datetime | None = min(
            (event.at for event in span.events if event.name in _FIRST_TOKEN_EVENTS), default=None
        )
        seconds = None if first is None else (first - span.started_at).total_seconds()
    return seconds if seconds is not None and 0 <= seconds <= span.duration_seconds else None
