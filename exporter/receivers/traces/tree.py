"""The spans of a trace in order, each once, under the parent that is known."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from exporter.records import Span


@dataclass(frozen=True, slots=True)
class Tree:
    """What is known of a trace; `spans` begins with the earliest."""

    spans: Sequence[Span]
    by_id: dict[str, Span]
    parents: dict[str, str | None]  # None: at the top, or its parent is not known

    def ancestors(self, span: Span) -> Iterator[Span]:
        """Yield the spans above a span, the nearest first."""
        above = self.parents[span.span_id]
        while above is not None:
            yield self.by_id[above]
            above = self.parents[above]

    def tops(self) -> list[Span]:
        """Return the spans that nothing known is above of."""
        return [span for span in self.spans if self.parents[span.span_id] is None]

    def tops_by_id(self) -> dict[str, Span]:
        """Return the span on top of each span."""
        tops: dict[str, Span] = {}
        for span in self.spans:
            path = []
            at: str | None = span.span_id
            while at is not None and at not in tops:
                path.append(at)
                at = self.parents[at]
            top = self.by_id[path[-1]] if at is None else tops[at]
            tops.update(dict.fromkeys(path, top))
        return tops

    def has_parent_elsewhere(self, span: Span) -> bool:
        """Whether a span has a parent that is not known."""
        return span.parent_span_id is not None and span.parent_span_id not in self.by_id

    def lacks_parent(self, span: Span) -> bool:
        """Whether a span on top has a parent of its own process that has not come."""
        # A server's or consumer's parent is the caller, whatever an older SDK leaves unsaid.
        return (
            self.has_parent_elsewhere(span)
            and not span.is_parent_remote
            and span.kind not in {"server", "consumer"}
        )


def ended_at(span: Span) -> datetime:
    """Return when a span ended."""
    return span.started_at + timedelta(seconds=span.duration_seconds)


def tree_of(spans: Iterable[Span]) -> Tree:
    """Arrange the spans; of two with one id the one that ended later counts.

    A span that is said to lie below itself is on top, whatever the order they come in.
    """
    by_id: dict[str, Span] = {}
    for span in spans:
        other = by_id.get(span.span_id)
        if other is None or (other is not span and _later(other, span) is span):
            by_id[span.span_id] = span
    ordered = sorted(by_id.values(), key=lambda span: (span.started_at, span.span_id))
    parents: dict[str, str | None] = {}
    for span in ordered:
        parent = span.parent_span_id
        parents[span.span_id] = parent if parent in by_id and parent != span.span_id else None
    _cut_rings(ordered, by_id, parents)
    return Tree(ordered, by_id, parents)


def _later(one: Span, other: Span) -> Span:
    if one == other:
        return one
    return max(one, other, key=lambda span: (ended_at(span), repr(span)))


def _cut_rings(
    ordered: Sequence[Span], by_id: dict[str, Span], parents: dict[str, str | None]
) -> None:
    walks: dict[str, int] = {}
    for walk, span in enumerate(ordered):
        at: str | None = span.span_id
        while at is not None and at not in walks:
            walks[at] = walk
            at = parents[at]
        if at is not None and walks[at] == walk:
            ring, place = {at}, parents[at]
            while place is not None and place != at:
                ring.add(place)
                place = parents[place]
            parents[min(ring, key=lambda one: (by_id[one].started_at, one))] = None
