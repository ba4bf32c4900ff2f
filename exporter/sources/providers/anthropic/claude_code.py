"""Anthropic's report on Claude Code: who used it, by UTC day; what it counts is in usage and cost.

https://platform.claude.com/docs/en/build-with-claude/claude-code-analytics-api
"""

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec

from exporter.http_client import HttpClient
from exporter.records import CostBucket, UsageBucket
from exporter.sources.polling.paging import pages, required
from exporter.sources.polling.spans import DAY, HOUR, Rhythm, Span
from exporter.sources.polling.summing import Bucket
from exporter.sources.polling.wire import Count, from_cents, plausible

REPORT = "claude_code"
RHYTHM = Rhythm(
    bucket=DAY,
    reread=DAY,
    reread_daily=4 * DAY,
    at_most=DAY,  # each asking is about one day
    settled_after=12 * HOUR,
    every=HOUR,
)


class _Actor(msgspec.Struct):
    email_address: str | None = None
    api_key_name: str | None = None


class _Lines(msgspec.Struct):
    added: Count
    removed: Count


class _Core(msgspec.Struct):
    num_sessions: Count
    lines_of_code: _Lines
    commits_by_claude_code: Count
    pull_requests_by_claude_code: Count


class _Tokens(msgspec.Struct):
    input: Count
    output: Count
    cache_read: Count
    cache_creation: Count


class _Money(msgspec.Struct):
    amount: Decimal
    currency: str


class _Model(msgspec.Struct):
    model: str
    tokens: _Tokens
    estimated_cost: _Money


class _Record(msgspec.Struct):
    date: datetime
    actor: _Actor
    core_metrics: _Core
    model_breakdown: list[_Model]
    customer_type: str | None = None
    subscription_type: str | None = None
    terminal_type: str | None = None


class _Page(msgspec.Struct):
    data: list[_Record]
    has_more: bool = False
    next_page: str | None = None


def read_day(http: HttpClient, source: str, span: Span) -> list[Bucket]:
    """Read the day that the span is, or is a part of."""
    parameters = [("starting_at", span.from_at.strftime("%Y-%m-%d")), ("limit", "1000")]
    found = pages(
        lambda token: http.get(
            "v1/organizations/usage_report/claude_code",
            [*parameters, *([("page", token)] if token else [])],
            into=_Page,
        ),
        lambda page: required(page.next_page, has_more=page.has_more),
    )
    return [bucket for page in found for record in page.data for bucket in _buckets(source, record)]


def _buckets(source: str, record: _Record) -> Iterator[Bucket]:
    names = ("customer_type", "subscription_type", "terminal_type")
    shared: dict[str, Any] = {
        "source": source,
        "provider": "anthropic",
        "report": REPORT,
        "bucket_start": plausible(record.date),
        "bucket_seconds": 86400,
        "user_id": record.actor.email_address or record.actor.api_key_name,
        "dimensions": {name: value for name in names if (value := getattr(record, name))},
        "is_breakdown": True,
    }
    work = {
        "sessions": record.core_metrics.num_sessions,
        "lines_added": record.core_metrics.lines_of_code.added,
        "lines_removed": record.core_metrics.lines_of_code.removed,
        "commits": record.core_metrics.commits_by_claude_code,
        "pull_requests": record.core_metrics.pull_requests_by_claude_code,
    }
    yield UsageBucket(**shared, quantities={name: count for name, count in work.items() if count})
    for used in record.model_breakdown:
        tokens = used.tokens
        yield UsageBucket(
            **shared,
            model=used.model,
            input_tokens=tokens.input + tokens.cache_read + tokens.cache_creation,
            cached_input_tokens=tokens.cache_read,
            cache_write_tokens=tokens.cache_creation,
            output_tokens=tokens.output,
        )
        yield CostBucket(
            **shared,
            model=used.model,
            line_item="estimated cost",
            amount=from_cents(used.estimated_cost.amount),
            currency=used.estimated_cost.currency,
        )
