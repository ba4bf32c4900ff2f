"""Which span of a trace is the execution's, and whether it has come."""

from dataclasses import dataclass

from exporter.receivers.traces.dialects import declares_workflow, operation_of, workflow_named
from exporter.receivers.traces.tree import Tree
from exporter.records import Span


@dataclass(frozen=True, slots=True)
class Found:
    """The execution's span and its workflow, as far as they are known."""

    span: Span | None  # None: it has not come
    workflow: str | None  # None: no span names one


def execution_span(tree: Tree, *, is_over: bool) -> Found:
    """Find the execution's span.

    It is the top-most span that names a workflow, where there is one such, else the earliest root.
    Attributes and baggage are copied to children in some dialects: while a parent is missing that
    may name the workflow too, only silence makes the choice.
    """
    tops = tree.tops()
    orphans = [span for span in tops if tree.lacks_parent(span)]
    # A caller elsewhere may never tell us; one without any parent is a root beyond doubt.
    roots = [span for span in tops if not tree.lacks_parent(span)]
    first_roots = [span for span in roots if not tree.has_parent_elsewhere(span)]
    named = _named(tree)
    if not first_roots and orphans and not is_over:
        return Found(None, _shared_name(named))
    root = next(iter(first_roots or roots), None)
    if root is not None:
        if orphans and not is_over:
            tops_of = tree.tops_by_id()
            known = [span for span in named if not tree.lacks_parent(tops_of[span.span_id])]
        else:
            known = named
        if len(known) == 1 and (known[0] is root or operation_of(known[0]) is None):
            return Found(known[0], _name(known[0]))
        return Found(root, _name(root) or _shared_name(named))
    if len(named) == 1 and _is_more_than_a_leaf(tree, named[0]):
        return Found(named[0], _name(named[0]))
    return Found(None, _shared_name(named))


def _named(tree: Tree) -> list[Span]:
    """Return the spans that name a workflow below none that does."""
    is_inside: dict[str, bool] = {}  # whether the span or one above it names a workflow
    found = []
    for span in tree.spans:
        path = []
        at: str | None = span.span_id
        while at is not None and at not in is_inside:
            path.append(at)
            at = tree.parents[at]
        inside = at is not None and is_inside[at]
        for span_id in reversed(path):
            if not inside and _name(tree.by_id[span_id]) is not None:
                found.append(tree.by_id[span_id])
                inside = True
            is_inside[span_id] = inside
    return sorted(found, key=lambda span: (span.started_at, span.span_id))


def _name(span: Span) -> str | None:
    return workflow_named(span.attributes)


def _shared_name(named: list[Span]) -> str | None:
    names = {_name(span) for span in named}
    return names.pop() if len(names) == 1 else None


def _is_more_than_a_leaf(tree: Tree, span: Span) -> bool:
    return declares_workflow(span) or span.span_id in tree.parents.values()
