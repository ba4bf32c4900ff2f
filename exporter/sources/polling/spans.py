"""Which spans of a report to ask for: what is new, and what may have been revised."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from exporter.records import Json
from exporter.sources.polling.wire import floor

SECOND = timedelta(seconds=1)  # times are asked for to the second
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
_SKEW = timedelta(minutes=5)
_FIRST = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Span:
    """[from_at, until_at): from a bucket's start, until a bucket's end or now."""

    from_at: datetime
    until_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Rhythm:
    """How a report is read again; no provider says when a bucket is final."""

    bucket: timedelta
    reread: timedelta  # looked at again with each poll
    reread_daily: timedelta  # and once a UTC day
    at_most: timedelta  # the longest span that one asking may have
    settled_after: timedelta  # how late the provider's data comes, by its own word
    reaches_back: timedelta | None = None  # how far the provider keeps it
    every: timedelta | None = None  # not asked more often than this
    with_present: bool = True  # whether the bucket under way is told
    told_after: timedelta = timedelta(0)  # otherwise, how long after its end a bucket is told


@dataclass
class Progress:
    """How far a report is read; restored from the cursor."""

    read_until: datetime | None = None
    deep_at: datetime | None = None
    asked_at: datetime | None = None
    unavailable_at: datetime | None = None

    @classmethod
    def restore(cls, kept: Json, now: datetime) -> "Progress":
        """Read it back from a cursor; what a clock that ran ahead wrote is forgotten."""
        times = kept if isinstance(kept, dict) else {}
        return cls(**{name: past(times.get(name), now) for name in vars(cls())})

    def kept(self) -> dict[str, Json]:
        """Return what stands in the cursor."""
        return {
            name: at.astimezone(UTC).isoformat()
            for name, at in vars(self).items()
            if at is not None
        }

    def is_deep(self, now: datetime) -> bool:
        """Whether the long look back of the day is still to come."""
        return self.deep_at is None or floor(self.deep_at, DAY) < floor(now, DAY)


def past(kept: Json, now: datetime) -> datetime | None:
    """Return a time of a cursor, unless it lies ahead."""
    at = datetime.fromisoformat(str(kept)) if kept else None
    return None if at is None or at > now + _SKEW else at


def due_spans(
    rhythm: Rhythm, progress: Progress, now: datetime, history: timedelta
) -> Iterator[Span]:
    """Yield the spans to ask for now, oldest first; none while it is too early."""
    if rhythm.every and progress.asked_at and now - progress.asked_at < rhythm.every:
        return
    horizon = latest(rhythm, now)
    if progress.read_until is None:
        start = floor(now - history, DAY)
    else:
        back = rhythm.reread_daily if progress.is_deep(now) else rhythm.reread
        start = min(progress.read_until, horizon) - back
    start = max(start, earliest(rhythm, now))
    yield from cut(floor(start, rhythm.bucket), horizon, rhythm)


def earliest(rhythm: Rhythm, now: datetime) -> datetime:
    """Return from when on the provider still tells: an empty answer about before is no answer."""
    if rhythm.reaches_back is None:
        return _FIRST
    return floor(now - rhythm.reaches_back, DAY) + DAY


def latest(rhythm: Rhythm, now: datetime) -> datetime:
    """Return until when the provider tells by now."""
    if rhythm.with_present:
        return floor(now, SECOND)
    return floor(now - rhythm.told_after, rhythm.bucket)


def cut(from_at: datetime, until_at: datetime, rhythm: Rhythm) -> Iterator[Span]:
    """Cut a range into spans that may be asked for at once."""
    while from_at < until_at:
        end = min(from_at + rhythm.at_most, until_at)
        yield Span(from_at, end)
        from_at = end


def complete_until(rhythm: Rhythm, read_until: datetime) -> datetime:
    """Return until when what was read has settled: whole buckets, as late as the provider is."""
    return floor(read_until - rhythm.settled_after, rhythm.bucket)
