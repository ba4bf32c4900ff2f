"""Spans made by hand, and what is concluded from them."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from exporter.receivers.traces.conclusion import concluded
from exporter.receivers.traces.content_keys import is_content
from exporter.records import Execution, LlmCall, Record, Span, SpanEvent, Step
from exporter.settings import TracesSettings

BEGUN = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
TRACE = "5b8efff798038103d269b633813fc60c"
CHAT: Mapping[str, Any] = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4o-mini",
}
T = TypeVar("T")


def at(seconds: float) -> datetime:
    return BEGUN + timedelta(seconds=seconds)


def made(  # noqa: PLR0917 - the first few say what a tree looks like
    span_id: str,
    parent: str | None = None,
    name: str = "step",
    begun: float = 0,
    took: float = 1,
    said: Mapping[str, Any] | None = None,
    **more: Any,
) -> Span:
    """Return a span; of what it says, prose becomes its content as at the decoders."""
    said = said or {}
    return Span(
        source="otel",
        trace_id=TRACE,
        span_id=span_id,
        parent_span_id=parent,
        name=name,
        started_at=at(begun),
        duration_seconds=took,
        attributes={key: value for key, value in said.items() if not is_content(key)},
        content={key: str(value) for key, value in said.items() if is_content(key)},
        **{"service": "writer", "resource": {"service.name": "writer"}, **more},
    )


def exception(kind: str, message: str, stack: str = "") -> SpanEvent:
    return SpanEvent(
        name="exception",
        at=at(1),
        attributes={
            "exception.type": kind,
            "exception.message": message,
            "exception.stacktrace": stack,
        },
    )


def conclude(
    *spans: Span, is_over: bool = False, settings: TracesSettings | None = None
) -> list[Record]:
    return concluded(
        "otel", spans, settings or TracesSettings(), stored_created_at=None, is_over=is_over
    )


def execution_of(
    *spans: Span, is_over: bool = False, settings: TracesSettings | None = None
) -> Execution:
    [found] = _only(Execution, conclude(*spans, is_over=is_over, settings=settings))
    return found


def steps_of(*spans: Span) -> dict[str, Step]:
    return {step.step_id: step for step in _only(Step, conclude(*spans))}


def calls_of(*spans: Span, settings: TracesSettings | None = None) -> dict[str, LlmCall]:
    records = conclude(*spans, settings=settings)
    return {call.call_id: call for call in _only(LlmCall, records)}


def _only(kind: type[T], records: Sequence[Record]) -> list[T]:
    return [record for record in records if isinstance(record, kind)]
