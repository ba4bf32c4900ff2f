"""Helicone's log of requests, window after window.

https://docs.helicone.ai/rest/request/post-v1requestquery-clickhouse. Bodies of requests and
responses may come along; they are not decoded.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec

from exporter.errors import SourceError, TransientError
from exporter.http_client import HttpClient
from exporter.sources.polling.paging import MOST_PAGES
from exporter.sources.polling.spans import Span
from exporter.sources.polling.versions import newest
from exporter.sources.polling.wire import plausible

_PATH = "v1/request/query-clickhouse"
Whole = int | str | None
"""ClickHouse writes wide integers as text, unless it is told not to."""


class LoggedRequest(msgspec.Struct):
    """What is read of a request."""

    request_id: str
    request_created_at: str
    response_created_at: str | None = None
    updated_at: str | None = None
    response_status: Whole = None
    request_model: str | None = None
    provider: str | None = None
    target_url: str | None = None
    delay_ms: Whole = None
    time_to_first_token: Whole = None
    prompt_tokens: Whole = None
    completion_tokens: Whole = None
    reasoning_tokens: Whole = None
    prompt_cache_read_tokens: Whole = None
    prompt_cache_write_tokens: Whole = None
    cost: Decimal | None = None
    cache_reference_id: str | None = None
    request_user_id: str | None = None
    request_properties: dict[str, Any] | None = None

    @property
    def started_at(self) -> datetime:
        """When Helicone received it."""
        return utc(self.request_created_at)

    @property
    def changed_at(self) -> datetime | None:
        """When this version of it was written, as far as told."""
        told = self.updated_at or self.response_created_at
        return utc(told) if told else None


class _Page(msgspec.Struct):
    data: list[LoggedRequest]


def logged(http: HttpClient, span: Span, page_rows: int) -> Iterator[list[LoggedRequest]]:
    """Yield pages of the requests that came in the span, oldest first.

    Raises:
        TransientError, SourceError: as HttpClient; the paging makes no progress, or has no order.
    """
    # Its store keeps versions of a request side by side until it merges them.
    return newest(
        _pages(http, span, page_rows), lambda one: one.request_id, lambda one: one.changed_at
    )


def _pages(http: HttpClient, span: Span, page_rows: int) -> Iterator[Sequence[LoggedRequest]]:
    """Go on from the time of the last row: an offset would skip rows when others go away."""
    since, offset = span.from_at, 0
    told: set[str] = set()  # since then
    for _ in range(MOST_PAGES):
        rows = _asked(http, since, span.until_at, offset, page_rows)
        ids = {row.request_id for row in rows}
        if rows and ids <= told:
            raise TransientError("Helicone's paging goes in circles: a page told nothing new")
        yield rows
        if len(rows) < page_rows:
            return
        last = rows[-1].started_at
        if last > since:
            since, offset, told = last, 0, set()
        else:
            offset, told = offset + len(rows), told | ids
    raise TransientError(f"Helicone's paging does not end within {MOST_PAGES} pages")


def _asked(
    http: HttpClient, since: datetime, until: datetime, offset: int, page_rows: int
) -> list[LoggedRequest]:
    body = {
        "filter": {
            "left": _bound("gte", since),
            "operator": "and",
            "right": _bound("lt", until),
        },
        "offset": offset,
        "limit": page_rows,
        "sort": {"created_at": "asc"},
        "includeInputs": False,
    }
    rows = http.post(_PATH, body, into=_Page).data
    times = [row.started_at for row in rows]
    if times != sorted(times):
        raise SourceError("Helicone's answer is not in order of time", reason="answer_changed")
    return rows


def _bound(operator: str, at: datetime) -> dict[str, object]:
    written = at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"
    return {"request_response_rmt": {"request_created_at": {operator: written}}}


def utc(text: str) -> datetime:
    """Return the time of a text, which ClickHouse writes in UTC without a zone.

    Raises:
        SourceError: it is no time.
    """
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise SourceError(f"{text[:40]!r} is no time", reason="answer_changed") from None
    return plausible(at if at.tzinfo else at.replace(tzinfo=UTC))
