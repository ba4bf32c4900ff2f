"""What may be asked for: whole buckets. Half a one is not told, or the request is refused."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from exporter.sources.polling.spans import HOUR, Span
from exporter.sources.polling.wire import floor, rfc3339

_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Period:
    """From, until and width of buckets, as Anthropic reads them."""

    from_at: str
    until_at: str
    width: str


def days(span: Span) -> Period:
    """Return the days that the span is."""
    return _period(span.from_at, span.until_at, "1d")


def hours(span: Span) -> Iterator[Period]:
    """Yield the span's whole hours, then the whole minutes of the hour under way."""
    hour, minute = floor(span.until_at, HOUR), floor(span.until_at, _MINUTE)
    if span.from_at < hour:
        yield _period(span.from_at, hour, "1h")
    if max(span.from_at, hour) < minute:
        yield _period(max(span.from_at, hour), minute, "1m")


def _period(from_at: datetime, until_at: datetime, width: str) -> Period:
    return Period(rfc3339(from_at), rfc3339(until_at), width)
