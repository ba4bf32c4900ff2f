"""Which spans are model calls, and which only tell of the same calls once more."""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice

from exporter.receivers.traces.dialects import kind_of, operation_of
from exporter.receivers.traces.providers import model_of
from exporter.receivers.traces.tree import Tree, ended_at
from exporter.records import Operation, Span, StepKind

_HIGHEST = 64  # levels above a call that may repeat it
# An SDK that traces itself, below an instrumentation of it or, where that makes no span current,
# beside. https://github.com/anthropics/anthropic-sdk-python, since 2.0
_SDKS = re.compile(r"com\.\w+\.sdk\.")


@dataclass(frozen=True, slots=True)
class Inference:
    """A call, and the other spans that tell of it alone; the first of them is the nearest."""

    span: Span
    operation: Operation
    repeated_by: list[Span] = field(default_factory=list)

    @property
    def spans(self) -> tuple[Span, ...]:
        """Return all that tell of it, the one that counts first."""
        return (self.span, *self.repeated_by)


def inferences(tree: Tree) -> list[Inference]:
    """Return the model calls of a trace, the earliest first.

    Of inferences of one operation that lie in one another only the innermost is a call: the others
    repeat its tokens. One below a tool is another call.
    """
    operations = {
        span.span_id: operation
        for span in tree.spans
        if (operation := operation_of(span)) is not None
    }
    above_others: set[tuple[str, Operation]] = set()
    for span_id, operation in operations.items():
        for above in _outside(tree, tree.by_id[span_id]):
            if (above.span_id, operation) in above_others:
                break
            above_others.add((above.span_id, operation))
    calls = {
        span_id: Inference(tree.by_id[span_id], operation)
        for span_id, operation in operations.items()
        if (span_id, operation) not in above_others
    }
    _join_twins(tree, calls)
    _join_those_above(tree, calls, operations)
    return list(calls.values())


def _outside(tree: Tree, span: Span) -> Iterator[Span]:
    """Yield the spans above one, up to a tool."""
    for above in tree.ancestors(span):
        if kind_of(above) is StepKind.TOOL:
            return
        yield above


def _join_twins(tree: Tree, calls: dict[str, Inference]) -> None:
    """Join what an SDK says of its calls to what an instrumentation beside it says."""
    told_by_sdk = [call for call in calls.values() if _SDKS.match(call.span.scope)]
    if not told_by_sdk:
        return
    beside: defaultdict[object, list[Inference]] = defaultdict(list)
    for call in calls.values():
        if not _SDKS.match(call.span.scope):
            beside[_place(tree, call)].append(call)
    for call in told_by_sdk:
        others = beside[_place(tree, call)]
        twin = next((other for other in others if _encloses(other.span, call.span)), None)
        if twin is not None:
            others.remove(twin)
            del calls[twin.span.span_id]
            call.repeated_by.append(twin.span)


def _place(tree: Tree, call: Inference) -> tuple[object, ...]:
    return tree.parents[call.span.span_id], call.operation, model_of(call.span)


def _encloses(outer: Span, inner: Span) -> bool:
    ids = {span.attributes.get("gen_ai.response.id") for span in (outer, inner)} - {None}
    return (
        len(ids) < 2 and outer.started_at <= inner.started_at and ended_at(inner) <= ended_at(outer)
    )


def _join_those_above(
    tree: Tree, calls: Mapping[str, Inference], operations: Mapping[str, Operation]
) -> None:
    """Join a call to the inferences above it, where it is the only call below them."""
    below: defaultdict[str, list[Inference]] = defaultdict(list)
    for call in calls.values():
        for above in islice(_outside(tree, call.span), _HIGHEST):
            if operations.get(above.span_id) is call.operation:
                below[above.span_id].append(call)
    for span_id, found in below.items():
        if len(found) == 1:
            found[0].repeated_by.append(tree.by_id[span_id])
