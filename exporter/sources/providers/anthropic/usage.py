"""Anthropic's usage in hours, the same from its newer and its older report."""

from collections.abc import Mapping
from datetime import datetime, timedelta

import msgspec

from exporter.errors import RefusedRequestError
from exporter.http_client import HttpClient
from exporter.records import UsageBucket
from exporter.sources.polling.spans import DAY, HOUR, Rhythm, Span
from exporter.sources.polling.wire import floor, plausible
from exporter.sources.providers.anthropic import admin_reports, analytics
from exporter.sources.providers.anthropic.counts import Counts
from exporter.sources.providers.anthropic.names import DEFAULT_WORKSPACE, NO_KEY
from exporter.sources.providers.anthropic.periods import hours

REPORT = "messages"
RHYTHM = Rhythm(
    bucket=HOUR,
    reread=6 * HOUR,  # minutes late as a rule; the newer report has been seen three hours late
    reread_daily=4 * DAY,
    at_most=DAY,  # a large organization's day is many pages, and a minute has 60 requests
    settled_after=timedelta(hours=3),
)
# Five at most.
_ANALYTICS_GROUPS = ("model", "workspace_id", "api_key_id", "service_tier", "context_window")
_ADMIN_GROUPS = (*_ANALYTICS_GROUPS, "inference_geo")
_FAST_MODE = {"anthropic-beta": "fast-mode-2026-02-01"}


class _AnalyticsRow(msgspec.Struct):
    starting_at: datetime
    group: analytics.Group
    usage: Counts


class _AdminRow(Counts, kw_only=True):
    model: str | None = None
    workspace_id: str | None = None
    api_key_id: str | None = None
    service_tier: str | None = None
    context_window: str | None = None
    inference_geo: str | None = None
    speed: str | None = None


class Usage:
    """Reads usage, and remembers whether the older report tells speeds."""

    def __init__(self, http: HttpClient, source: str) -> None:
        self._http = http
        self._source = source
        self._with_speed = True

    def of_analytics(self, span: Span) -> list[UsageBucket]:
        """Read the newer report."""
        into = analytics.Page[_AnalyticsRow]
        return [
            self._bucket(
                plausible(row.starting_at),
                row.usage,
                row.group,
                workspace_id=row.group.workspace_id,
                dimensions={"context_window": row.group.context_window},
            )
            for period in hours(span)
            for row in analytics.rows(self._http, "usage", period, _ANALYTICS_GROUPS, into=into)
        ]

    def of_admin_reports(self, span: Span) -> list[UsageBucket]:
        """Read the older report; a null workspace is the default one."""
        try:
            found = self._admin_rows(span, with_speed=self._with_speed)
        except RefusedRequestError as error:
            if error.status != 400 or not self._with_speed:
                raise
            found = self._admin_rows(span, with_speed=False)
            self._with_speed = False
        return [
            self._bucket(
                at,
                row,
                row,
                workspace_id=row.workspace_id or DEFAULT_WORKSPACE,
                dimensions={
                    "context_window": row.context_window,
                    "inference_geo": row.inference_geo,
                    "speed": row.speed,
                },
            )
            for at, row in found
        ]

    def _admin_rows(self, span: Span, *, with_speed: bool) -> list[tuple[datetime, _AdminRow]]:
        groups = (*_ADMIN_GROUPS, "speed") if with_speed else _ADMIN_GROUPS
        headers = _FAST_MODE if with_speed else {}
        into = admin_reports.Page[_AdminRow]
        path = "usage_report/messages"
        return [
            row
            for period in hours(span)
            for row in admin_reports.rows(
                self._http, path, period, groups, into=into, headers=headers
            )
        ]

    def _bucket(
        self,
        at: datetime,
        counts: Counts,
        group: analytics.Group | _AdminRow,
        *,
        workspace_id: str | None,
        dimensions: Mapping[str, str | None],
    ) -> UsageBucket:
        return UsageBucket(
            source=self._source,
            provider="anthropic",
            report=REPORT,
            bucket_start=floor(at, HOUR),
            bucket_seconds=3600,
            model=group.model,
            project_id=workspace_id,
            api_key_id=group.api_key_id or NO_KEY,
            service_tier=group.service_tier,
            dimensions={name: value for name, value in dimensions.items() if value},
            requests=counts.requests,
            input_tokens=counts.input_tokens,
            cached_input_tokens=counts.cache_read_input_tokens,
            cache_write_tokens=counts.cache_write_tokens,
            output_tokens=counts.output_tokens,
            quantities=counts.quantities,
        )
