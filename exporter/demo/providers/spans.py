"""Time cut into the buckets that providers report by."""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TypeVar

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)

_Item = TypeVar("_Item")


def spans(start: datetime, end: datetime, width: timedelta) -> list[tuple[datetime, datetime]]:
    """Cut [start, end) at UTC multiples of `width`; wider than a day, in steps from `start`."""
    origin = EPOCH if width <= DAY else start
    cut = []
    while start < end:
        stop = min(origin + ((start - origin) // width + 1) * width, end)
        cut.append((start, stop))
        start = stop
    return cut


def by_span(
    cut: Sequence[tuple[datetime, datetime]],
    items: Sequence[_Item],
    at: Callable[[_Item], datetime],
) -> list[list[_Item]]:
    """Return, for each adjoining span, the items whose time lies in it."""
    starts = [start for start, _ in cut]
    inside: list[list[_Item]] = [[] for _ in cut]
    for item in items:
        inside[bisect_right(starts, at(item)) - 1].append(item)
    return inside
