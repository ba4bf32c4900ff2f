"""Anthropic's older reports, in buckets: for whom the newer ones are not to be had.

https://platform.claude.com/docs/en/manage-claude/usage-cost-api
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Generic, TypeVar

import msgspec

from exporter.http_client import HttpClient
from exporter.sources.polling.paging import pages, required
from exporter.sources.polling.wire import plausible
from exporter.sources.providers.anthropic.periods import Period

Row = TypeVar("Row")

_MOST_BUCKETS = {"1m": "1440", "1h": "168", "1d": "31"}


class Bucket(msgspec.Struct, Generic[Row]):
    """A bucket of time; it is there without use, too."""

    starting_at: datetime
    results: list[Row]


class Page(msgspec.Struct, Generic[Row]):
    """A page of buckets."""

    data: list[Bucket[Row]]
    has_more: bool = False
    next_page: str | None = None


def rows(
    http: HttpClient,
    report: str,
    period: Period,
    group_by: Sequence[str],
    *,
    into: type[Page[Row]],
    headers: Mapping[str, str] = {},
) -> Iterator[tuple[datetime, Row]]:
    """Yield the rows of a period with their times; raises as HttpClient and `pages` do."""
    parameters = [
        ("starting_at", period.from_at),
        ("ending_at", period.until_at),
        ("bucket_width", period.width),
        ("limit", _MOST_BUCKETS[period.width]),
        *(("group_by[]", name) for name in group_by),
    ]
    for page in pages(
        lambda token: http.get(
            f"v1/organizations/{report}",
            [*parameters, *([("page", token)] if token else [])],
            into=into,
            headers=headers,
        ),
        lambda page: required(page.next_page, has_more=page.has_more),
    ):
        for bucket in page.data:
            at = plausible(bucket.starting_at)
            yield from ((at, row) for row in bucket.results)
