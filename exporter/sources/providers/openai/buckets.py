"""OpenAI's answers in buckets of time, page after page."""

from collections.abc import Iterator, Sequence
from typing import Generic, TypeVar

import msgspec

from exporter.http_client import HttpClient
from exporter.sources.polling.paging import pages, required
from exporter.sources.polling.spans import Span

Data = TypeVar("Data")
_MOST_BUCKETS = {"1h": "168", "1d": "31"}


class Page(msgspec.Struct, Generic[Data]):
    """A page of buckets."""

    data: list[Data]
    has_more: bool = False
    next_page: str | None = None


def buckets(
    http: HttpClient,
    path: str,
    span: Span,
    *,
    width: str,
    group_by: Sequence[str],
    into: type[Page[Data]],
) -> Iterator[Data]:
    """Yield the buckets of a span; raises as HttpClient and `pages` do."""
    parameters = [
        ("start_time", str(int(span.from_at.timestamp()))),
        ("end_time", str(int(span.until_at.timestamp()))),
        ("bucket_width", width),
        ("limit", _MOST_BUCKETS[width]),
        *(("group_by", name) for name in group_by),
    ]
    for page in pages(
        lambda token: http.get(
            path, [*parameters, *([("page", token)] if token else [])], into=into
        ),
        lambda page: required(page.next_page, has_more=page.has_more),
    ):
        yield from page.data
