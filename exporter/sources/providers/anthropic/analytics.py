"""Anthropic's newer reports, in rows.

https://platform.claude.com/docs/en/manage-claude/usage-cost-analytics-api
"""

from collections.abc import Sequence
from typing import Generic, TypeVar

import msgspec

from exporter.errors import RefusedRequestError, TransientError
from exporter.http_client import HttpClient
from exporter.sources.polling.paging import pages, required
from exporter.sources.providers.anthropic.periods import Period

Row = TypeVar("Row")

_BETA = {"anthropic-beta": "analytics-usage-cost-2026-08-24"}
_MOST_ROWS = 1000
_TRIES = 3


class Group(msgspec.Struct, kw_only=True):
    """Whose a row is. A null key is no key; a null workspace is one of a Claude Enterprise plan."""

    model: str | None = None
    workspace_id: str | None = None
    api_key_id: str | None = None
    service_tier: str | None = None
    context_window: str | None = None
    cost_type: str | None = None
    token_type: str | None = None


class Page(msgspec.Struct, Generic[Row]):
    """A page of rows; there is none for a bucket without use."""

    data: list[Row]
    has_more: bool = False
    next_page: str | None = None


class _RefreshedError(Exception):
    """The pages that were begun are gone: Anthropic's data is newer now."""


def rows(
    http: HttpClient,
    report: str,
    period: Period,
    group_by: Sequence[str],
    *,
    into: type[Page[Row]],
) -> list[Row]:
    """Read all pages, from the first again when the data was refreshed under them.

    Raises:
        TransientError: it is refreshed faster than it can be read.
    """
    parameters = [
        ("starting_at", period.from_at),
        ("ending_at", period.until_at),
        ("time_bucket_width", period.width),
        ("limit", str(_MOST_ROWS)),
        ("order_by", "time"),
        ("order", "asc"),
        *(("group_by[]", name) for name in group_by),
    ]

    def ask(token: str | None) -> Page[Row]:
        page = [("page", token)] if token else []
        path = f"v1/organizations/analytics/{report}"
        try:
            return http.get(path, [*parameters, *page], into=into, headers=_BETA)
        except RefusedRequestError as error:
            if error.status == 410 and token:
                raise _RefreshedError from None
            raise

    for _ in range(_TRIES):
        try:
            found = pages(ask, lambda page: required(page.next_page, has_more=page.has_more))
            return [row for page in found for row in page.data]
        except _RefreshedError:
            continue
    raise TransientError(f"Anthropic refreshed its {report} report each time before it was read")
