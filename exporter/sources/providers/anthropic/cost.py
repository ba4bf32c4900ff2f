"""Anthropic's billed costs by UTC day, from its newer and its older report; both write cents."""

from datetime import datetime, timedelta
from decimal import Decimal

import msgspec

from exporter.http_client import HttpClient
from exporter.records import CostBucket
from exporter.sources.polling.spans import DAY, HOUR, Rhythm, Span
from exporter.sources.polling.wire import from_cents, plausible
from exporter.sources.providers.anthropic import admin_reports, analytics
from exporter.sources.providers.anthropic.names import DEFAULT_WORKSPACE, NO_KEY
from exporter.sources.providers.anthropic.periods import days

REPORT = "cost"
RHYTHM = Rhythm(
    bucket=DAY,
    reread=3 * DAY,
    reread_daily=35 * DAY,
    at_most=31 * DAY,
    settled_after=timedelta(hours=12),
    with_present=False,  # only whole days are told
    told_after=HOUR,
)
# cost_type and token_type do not count among the five that may be.
_ANALYTICS_GROUPS = (
    *("model", "workspace_id", "api_key_id", "service_tier"),
    *("cost_type", "token_type"),
)
_ADMIN_GROUPS = ("workspace_id", "description")


class _Money(msgspec.Struct):
    amount: Decimal
    list_amount: Decimal
    currency: str


class _AnalyticsRow(msgspec.Struct):
    starting_at: datetime
    group: analytics.Group
    cost: _Money


class _AdminRow(msgspec.Struct, kw_only=True):
    amount: Decimal
    currency: str
    description: str | None = None
    model: str | None = None
    workspace_id: str | None = None
    service_tier: str | None = None
    cost_type: str | None = None
    token_type: str | None = None
    context_window: str | None = None
    inference_geo: str | None = None


def of_analytics(http: HttpClient, source: str, span: Span) -> list[CostBucket]:
    """Read the newer report: by key too, after discounts and before credits."""
    into = analytics.Page[_AnalyticsRow]
    return [
        CostBucket(
            source=source,
            provider="anthropic",
            report=REPORT,
            bucket_start=plausible(row.starting_at),
            bucket_seconds=86400,
            model=row.group.model,
            project_id=row.group.workspace_id,
            api_key_id=row.group.api_key_id or NO_KEY,
            service_tier=row.group.service_tier,
            dimensions=_told(row.group, "cost_type", "token_type"),
            line_item=row.group.token_type or row.group.cost_type,
            amount=from_cents(row.cost.amount),
            list_amount=from_cents(row.cost.list_amount),
            currency=row.cost.currency,
        )
        for row in analytics.rows(http, "cost", days(span), _ANALYTICS_GROUPS, into=into)
    ]


def of_admin_reports(http: HttpClient, source: str, span: Span) -> list[CostBucket]:
    """Read the older report: no keys; a null workspace is the default one."""
    into = admin_reports.Page[_AdminRow]
    return [
        CostBucket(
            source=source,
            provider="anthropic",
            report=REPORT,
            bucket_start=at,
            bucket_seconds=86400,
            model=row.model,
            project_id=row.workspace_id or DEFAULT_WORKSPACE,
            service_tier=row.service_tier,
            dimensions=_told(row, "cost_type", "token_type", "context_window", "inference_geo"),
            line_item=row.description,
            amount=from_cents(row.amount),
            currency=row.currency,
        )
        for at, row in admin_reports.rows(http, "cost_report", days(span), _ADMIN_GROUPS, into=into)
    ]


def _told(row: msgspec.Struct, *names: str) -> dict[str, str]:
    return {name: value for name in names if (value := getattr(row, name))}
