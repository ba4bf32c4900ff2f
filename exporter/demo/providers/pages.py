"""Paging as providers do it: so many buckets of time to a page, or so many items of a list."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from exporter.demo.providers.spans import DAY, EPOCH, HOUR, MINUTE, spans
from exporter.demo.providers.wire import (
    RefusalError,
    Request,
    bounded,
    one,
    page_position,
    page_token,
)

SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Width:
    """A width of buckets, and how many of them fit on a page."""

    length: timedelta
    default_limit: int
    most: int


WIDTHS = {"1m": Width(MINUTE, 60, 1440), "1h": Width(HOUR, 24, 168), "1d": Width(DAY, 7, 31)}


@dataclass(frozen=True, slots=True)
class BucketPage:
    """The stretch of time on one page, and the token of the page after it."""

    start: datetime
    end: datetime
    width: timedelta
    next_page: str | None


def bucket_page(
    request: Request, start: datetime, end: datetime, widths: Mapping[str, Width] = WIDTHS
) -> BucketPage:
    """Return the page of [start, end) that the request asks for."""
    name = one(request, "bucket_width", "1d")
    width = widths.get(str(name))
    if width is None:
        message = f"Invalid value: '{name}'. Supported values are: {_listed(widths)}."
        raise RefusalError(400, message, param="bucket_width", code="invalid_value")
    limit = bounded(request, "limit", width.default_limit, width.most)
    position = page_position(request)
    if position is not None:
        start = EPOCH + int(position) * SECOND
    cut = spans(start, min(end, start + limit * width.length), width.length)[:limit]
    stop = cut[-1][1] if cut else end
    token = page_token(request, str((stop - EPOCH) // SECOND)) if stop < end else None
    return BucketPage(start, stop, width.length, token)


def listed_after(
    request: Request,
    items: Sequence[Mapping[str, object]],
    *,
    parameter: str,
    most: int,
    missing: Callable[[str], RefusalError],
) -> tuple[Sequence[Mapping[str, object]], bool]:
    """Return the items after the one that is named by its id, and whether there are more."""
    limit = bounded(request, "limit", 20, most)
    after = one(request, parameter)
    begin = 0
    if after is not None:
        ids = [item["id"] for item in items]
        if after not in ids:
            raise missing(after)
        begin = ids.index(after) + 1
    return items[begin : begin + limit], begin + limit < len(items)


def _listed(values: Mapping[str, object]) -> str:
    return ", ".join(f"'{value}'" for value in values)
