"""LangSmith's runs of models, page after page.

https://docs.langchain.com/langsmith/smith-api-reference: POST /api/v2/runs/query; where it is not
there yet, POST /api/v1/runs/query. Inputs and outputs are not asked for.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec

from exporter.http_client import HttpClient
from exporter.sources.polling.paging import pages
from exporter.sources.polling.spans import SECOND, Span
from exporter.sources.polling.wire import Count
from exporter.sources.providers.langsmith.either import Either

_COMMON = (
    "id", "trace_id", "status", "start_time", "end_time", "first_token_time", "tags",
    "prompt_tokens", "completion_tokens", "prompt_token_details", "completion_token_details",
    "total_cost", "price_model_id",
)  # fmt: skip
_NEW_ONLY = ("project_id", "metadata", "error_preview")
_OLD_ONLY = ("session_id", "extra", "error")
_NEW_A_PAGE, _OLD_A_PAGE = 1000, 100


class Run(msgspec.Struct):
    """What is read of a run, of either API."""

    id: str
    start_time: datetime
    trace_id: str | None = None
    project_id: str | None = None
    session_id: str | None = None
    status: str | None = None
    end_time: datetime | None = None
    first_token_time: datetime | None = None
    error_preview: str | None = None
    error: str | None = None
    metadata: dict[str, Any] | None = None
    extra: dict[str, Any] | None = None
    tags: list[str] | None = None
    prompt_tokens: Count | None = None
    completion_tokens: Count | None = None
    prompt_token_details: dict[str, Any] | None = None
    completion_token_details: dict[str, Any] | None = None
    total_cost: Decimal | None = None
    price_model_id: str | None = None


class _Page(msgspec.Struct):
    items: list[Run]
    next_cursor: str | None = None


class _Cursors(msgspec.Struct):
    next: str | None = None


class _OldPage(msgspec.Struct):
    runs: list[Run]
    cursors: _Cursors | None = None


class Runs:
    """Reads runs of type llm, of any of some projects."""

    def __init__(self, http: HttpClient) -> None:
        self._http = http
        self._apis = Either()

    def pages(self, project_ids: Sequence[str], span: Span) -> Iterator[list[Run]]:
        """Yield those that began in the span; raises as HttpClient and `pages` do."""
        # Whether a bound belongs to the span is not documented: a second more is asked for.
        since, until = _written(span.from_at - SECOND), _written(span.until_at)

        def ask(cursor: str | None) -> _Page:
            more = {"cursor": cursor} if cursor else {}
            return self._apis.ask(
                lambda: self._new(project_ids, since, until, more),
                lambda: self._old(project_ids, since, until, more),
            )

        for page in pages(ask, lambda page: page.next_cursor or None):
            yield page.items

    def _new(
        self, project_ids: Sequence[str], since: str, until: str, more: dict[str, str]
    ) -> _Page:
        body = {
            "project_ids": project_ids,
            "run_type": "LLM",
            "min_start_time": since,
            "max_start_time": until,
            "selects": [name.upper() for name in (*_COMMON, *_NEW_ONLY)],
            "page_size": _NEW_A_PAGE,
        }
        return self._http.post("api/v2/runs/query", body | more, into=_Page)

    def _old(
        self, project_ids: Sequence[str], since: str, until: str, more: dict[str, str]
    ) -> _Page:
        body = {
            "session": project_ids,
            "run_type": "llm",
            "start_time": since,
            "filter": f'and(gte(start_time, "{since}"), lte(start_time, "{until}"))',
            "select": [*_COMMON, *_OLD_ONLY],
            "limit": _OLD_A_PAGE,
        }
        page = self._http.post("api/v1/runs/query", body | more, into=_OldPage)
        # A page without runs is the end, whatever cursor it carries.
        return _Page(page.runs, page.cursors.next if page.cursors and page.runs else None)


def _written(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
