"""A gateway or tracing tool as a source: its log of model calls, read span by span."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypedDict

from exporter.interfaces import Batch, Position
from exporter.records import DimensionName, Json, LlmCall
from exporter.sources.polling.spans import DAY, Progress, Rhythm, Span, cut, due_spans
from exporter.sources.polling.wire import floor

CALLS = Rhythm(
    bucket=timedelta(minutes=1),
    reread=timedelta(minutes=15),  # calls are logged when they end, and in batches
    # What is told, or corrected, up to two days after a call began is found: a look back of one
    # day, once a day, would miss what began before midnight and was told after it.
    reread_daily=timedelta(days=3),
    at_most=timedelta(hours=6),
    settled_after=timedelta(minutes=5),
)
"""How a log of calls is read again where its provider gives no reason to do otherwise."""


class Tokens(TypedDict, total=False):
    """What a call used, as LlmCall names it."""

    input_tokens: int | None
    cached_input_tokens: int | None
    cache_write_tokens: int | None
    output_tokens: int | None
    reasoning_tokens: int | None


@dataclass(kw_only=True)
class CallLogSource:
    """Polls a log of calls; a page is written at once, the cursor moves when its span is whole.

    Logs are read by the time that calls began: one that lasts longer than the rhythm's `reread`
    is found by the look back of the day.
    """

    name: str
    read: Callable[[Span], Iterable[Sequence[LlmCall]]]
    """Pages of the calls that began in the span, or an error."""
    names: Callable[[], Sequence[DimensionName]] | None = None
    rhythm: Rhythm = CALLS
    history: timedelta = timedelta(days=35)
    close: Callable[[], None] = field(default=lambda: None)

    def poll(self, position: Position, now: datetime) -> Iterator[Batch]:
        """Yield what is new, and again what may have changed."""
        progress = Progress.restore(position.cursor.get("calls"), now)
        is_deep = progress.is_deep(now)
        look = _Look.restore(position.cursor.get("look"), floor(now, DAY))
        newest_at: datetime | None = None
        for span in due_spans(self.rhythm, progress, now, self.history):
            if is_deep and look.until and span.until_at <= look.until - self.rhythm.reread:
                continue
            for page in self.read(span):
                times = [call.started_at for call in page]
                newest_at = max([*times, newest_at] if newest_at else times, default=None)
                yield Batch(records=page, cursor=_cursor(progress, look), newest_at=newest_at)
            progress.read_until = max(progress.read_until or span.until_at, span.until_at)
            look.until = span.until_at if is_deep else None
            yield Batch(records=[], cursor=_cursor(progress, look))
        if is_deep:
            progress.deep_at, look.until = now, None
        yield Batch(
            records=self.names() if self.names is not None else (),
            cursor=_cursor(progress, look),
            caught_up=True,
            newest_at=newest_at,
        )

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


@dataclass
class _Look:
    """How far the long look back of a day has come: broken off, it goes on where it stood."""

    day: datetime
    until: datetime | None = None

    @classmethod
    def restore(cls, kept: Json, today: datetime) -> "_Look":
        if isinstance(kept, dict) and kept.get("day") == today.isoformat():
            return cls(today, datetime.fromisoformat(str(kept["until"])))
        return cls(today)

    def kept(self) -> Json:
        if self.until is None:
            return None
        return {"day": self.day.isoformat(), "until": self.until.isoformat()}


def _cursor(progress: Progress, look: _Look) -> dict[str, Json]:
    return {"calls": progress.kept(), "look": look.kept()}
