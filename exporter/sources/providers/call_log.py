"""A gateway or tracing tool as a source: its log of model calls, read span by span."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from exporter.interfaces import Batch, Position
from exporter.records import DimensionName, Json, LlmCall
from exporter.sources.providers.spans import Progress, Rhythm, Span, cut, due_spans

CALLS = Rhythm(
    bucket=timedelta(minutes=1),
    reread=timedelta(minutes=15),  # calls are logged when they end, and in batches
    reread_daily=timedelta(days=1),  # costs come later than calls
    at_most=timedelta(hours=6),
    settled_after=timedelta(minutes=5),
)
"""How a log of calls is read again where its provider gives no reason to do otherwise."""


@dataclass(kw_only=True)
class CallLogSource:
    """Polls a log of calls; a page is written at once, the cursor moves when its span is whole."""

    name: str
    read: Callable[[Span], Iterable[Sequence[LlmCall]]]
    """Pages of the calls that began in the span, or an error."""
    names: Callable[[], Sequence[DimensionName]] | None = None
    rhythm: Rhythm = CALLS
    history: timedelta = timedelta(days=35)
    close: Callable[[], None] = field(default=lambda: None)

    def poll(self, position: Position, now: datetime) -> Iterator[Batch]:
        """Yield what is new, and again what may have changed."""
        progress = Progress.restore(position.cursor.get("calls"))
        was_deep = progress.is_deep(now)
        newest_at: datetime | None = None
        for span in due_spans(self.rhythm, progress, now, self.history):
            for page in self.read(span):
                newest_at = max([call.started_at for call in page], default=newest_at)
                yield Batch(records=page, cursor=_cursor(progress), newest_at=newest_at)
            progress.read_until = span.until_at
            yield Batch(records=[], cursor=_cursor(progress))
        if was_deep:
            progress.deep_at = now
        records = self.names() if self.names is not None else ()
        yield Batch(records=records, cursor=_cursor(progress), caught_up=True, newest_at=newest_at)

    def backfill(
        self, position: Position, from_at: datetime, until_at: datetime, now: datetime
    ) -> Iterator[Batch]:
        """Yield a range of the past, oldest first."""
        until_at = min(until_at, now)
        wanted: dict[str, Json] = {"from": from_at.isoformat(), "until": until_at.isoformat()}
        kept = position.cursor if dict(position.cursor) | wanted == dict(position.cursor) else {}
        start = datetime.fromisoformat(str(kept.get("read_until", from_at.isoformat())))
        for span in cut(start, until_at, self.rhythm):
            for page in self.read(span):
                yield Batch(records=page, cursor=kept)
            kept = {**wanted, "read_until": span.until_at.isoformat()}
            done_ratio = (span.until_at - from_at) / (until_at - from_at)
            yield Batch(records=[], cursor=kept, done_ratio=done_ratio)
        yield Batch(records=[], cursor={}, done_ratio=1)


def _cursor(progress: Progress) -> dict[str, Json]:
    return {"calls": progress.kept()}
