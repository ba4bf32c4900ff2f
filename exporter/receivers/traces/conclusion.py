"""The spans of a trace → records: what they say together, in whatever order they came."""

from collections.abc import Sequence
from datetime import datetime

from exporter.receivers.traces.execution import execution_of
from exporter.receivers.traces.execution_span import execution_span
from exporter.receivers.traces.inferences import inferences
from exporter.receivers.traces.llm_calls import llm_calls
from exporter.receivers.traces.purpose import Purposes
from exporter.receivers.traces.steps import steps
from exporter.receivers.traces.tree import tree_of
from exporter.records import Record, Span, WholeExecution
from exporter.settings import TracesSettings


def concluded(
    source: str,
    spans: Sequence[Span],
    settings: TracesSettings,
    *,
    stored_created_at: datetime | None,
    is_over: bool,
) -> list[Record]:
    """Conclude from all spans of a trace, at least one.

    The records depend on the set of spans only. `is_over`: no span came for `settings.silence`.
    `stored_created_at`: the time key under which the execution is stored; None: it never was.
    """
    tree = tree_of(spans)
    found = execution_span(tree, is_over=is_over)
    created_at = (found.span or tree.spans[0]).started_at
    purposes = Purposes(tree, settings, found.span)
    execution = execution_of(
        source, tree, found, purposes.of_execution, created_at, is_over=is_over
    )
    calls = inferences(tree)
    told_as_calls = {span.span_id for call in calls for span in call.spans}
    whole = WholeExecution(
        source=source,
        execution_id=execution.execution_id,
        created_at=created_at,
        stored_created_at=stored_created_at,
    )
    return [
        whole,
        execution,
        *steps(tree, execution, found.span, told_as_calls),
        *llm_calls(calls, execution, found.span, purposes),
    ]
