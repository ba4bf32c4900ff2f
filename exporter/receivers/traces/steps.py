"""Spans below an execution's → its steps."""

from collections.abc import Collection, Iterator, Mapping

from exporter.receivers.traces.attribute_values import count
from exporter.receivers.traces.dialects import kind_of, step_name
from exporter.receivers.traces.failures import Failure, failure_of
from exporter.receivers.traces.messages import given, result
from exporter.receivers.traces.tree import Tree, ended_at
from exporter.records import Execution, ExecutionStatus, Json, Span, Step

_MOST_ATTRIBUTES = 64
_MOST_EVENTS = 20
_LONGEST_TEXT = 1_000
# Told in other ways: as the error, in columns, as content.
_EVENTS_TOLD = ("exception", "gen_ai.", "llm.content.")


def steps(
    tree: Tree,
    execution: Execution,
    execution_span: Span | None,
    calls: Collection[str],
) -> Iterator[Step]:
    """Yield a step for each span but the execution's; prompts and responses stay with the calls."""
    top = None if execution_span is None else execution_span.span_id
    for span in tree.spans:
        if span.span_id != top:
            yield _step(tree, execution, span, top, is_call=span.span_id in calls)


def _step(
    tree: Tree,
    execution: Execution,
    span: Span,
    top: str | None,
    *,
    is_call: bool,
) -> Step:
    failure = failure_of(span)
    parent = tree.parents[span.span_id]
    said = span.attributes
    return Step(
        source=execution.source,
        execution_id=execution.execution_id,
        created_at=execution.created_at,
        step_id=span.span_id,
        parent_step_id=None if parent == top else parent,
        name=step_name(span),
        kind=kind_of(span),
        status=ExecutionStatus.SUCCESS if failure is None else failure.status,
        started_at=span.started_at,
        duration_seconds=span.duration_seconds,
        attempt=attempt_of(span),
        items_in=count(said, "aiwf.items.in", "n8n.node.items.input"),
        items_out=count(said, "aiwf.items.out", "n8n.node.items.output"),
        items_failed=count(said, "aiwf.items.failed"),
        error_type=None if failure is None else failure.error_type,
        error_message=None if failure is None else failure.message,
        attributes=_attributes(span, execution, failure),
        input=None if is_call else given(span),
        output=None if is_call else result(span),
    )


def _attributes(span: Span, execution: Execution, failure: Failure | None) -> dict[str, Json]:
    kept = bounded(span.attributes)
    if span.kind != "internal":
        kept["span.kind"] = span.kind
    if span.service and span.service != execution.attributes.get("service.name"):
        kept["service.name"] = span.service
    if failure is not None and failure.stack:
        kept["error_stack"] = failure.stack
    if span.events and (events := _events(span)):
        kept["events"] = events
    return kept


def _events(span: Span) -> list[Json]:
    events: list[Json] = []
    for event in span.events:
        if not event.name.startswith(_EVENTS_TOLD) and len(events) < _MOST_EVENTS:
            after_seconds = (event.at - span.started_at).total_seconds()
            told: dict[str, Json] = {"name": event.name, "after_seconds": after_seconds}
            events.append({**bounded(event.attributes), **told})
    return events


def bounded(attributes: Mapping[str, Json], most: int = _MOST_ATTRIBUTES) -> dict[str, Json]:
    """Return what is worth keeping of attributes beside a run."""
    kept: dict[str, Json] = {}
    for key, value in attributes.items():
        if len(kept) == most:
            break
        kept[key] = value[:_LONGEST_TEXT] if isinstance(value, str) else value
    return kept


def attempt_of(span: Span) -> int:
    """Return which try a span was, beginning with 1."""
    told = count(
        span.attributes, "aiwf.attempt", "airflow.task_instance.try_number", "retry.attempt"
    )
    if told is None:
        resent = count(span.attributes, "http.request.resend_count", "http.resend_count")
        told = None if resent is None else resent + 1
    return max(told or 1, 1)


def failed_last(tree: Tree, execution_span: Span | None) -> Span | None:
    """Return the span that failed last of those with none below that failed."""
    failed = [span for span in tree.spans if failure_of(span) is not None]
    above_failed = {tree.parents[span.span_id] for span in failed}
    leaves = [
        span for span in failed if span.span_id not in above_failed and span is not execution_span
    ]
    return max(leaves, key=lambda span: (ended_at(span), span.span_id), default=None)
