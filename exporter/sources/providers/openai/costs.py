"""OpenAI's billed costs: US dollars by UTC day, project, line item, and key where that is told.

https://platform.openai.com/docs/api-reference/usage/costs
"""

from decimal import Decimal

import msgspec

from exporter.http_client import HttpClient
from exporter.records import CostBucket
from exporter.sources.polling.spans import DAY, HOUR, Rhythm, Span
from exporter.sources.polling.wire import dollars, from_unix
from exporter.sources.providers.openai.buckets import Page, buckets

RHYTHM = Rhythm(
    bucket=DAY,
    reread=3 * DAY,
    reread_daily=35 * DAY,
    at_most=31 * DAY,
    settled_after=12 * HOUR,
)
# Many organizations answer 400 to a grouping by key: then it is read without.
BY_KEY = ("project_id", "line_item", "api_key_id")
BY_LINE_ITEM = ("project_id", "line_item")


class _Amount(msgspec.Struct):
    value: Decimal
    currency: str = "usd"


class _Cost(msgspec.Struct):
    amount: _Amount
    line_item: str | None = None
    project_id: str | None = None
    api_key_id: str | None = None
    quantity: Decimal | None = None
    quantity_unit: str | None = None


class _CostBucket(msgspec.Struct):
    start_time: int
    results: list[_Cost]


def read_costs(
    http: HttpClient, source: str, group_by: tuple[str, ...], span: Span
) -> list[CostBucket]:
    """Read billed costs, as finely as they are grouped."""
    found = buckets(
        http,
        "organization/costs",
        span,
        width="1d",
        group_by=group_by,
        into=Page[_CostBucket],
    )
    return [
        CostBucket(
            source=source,
            provider="openai",
            report="costs",
            bucket_start=from_unix(bucket.start_time),
            bucket_seconds=86400,
            model=_model_of(row.line_item),
            project_id=row.project_id,
            api_key_id=row.api_key_id,
            line_item=row.line_item,
            amount=dollars(row.amount.value),
            currency=row.amount.currency.upper(),
            quantity=row.quantity,
            quantity_unit=row.quantity_unit,
        )
        for bucket in found
        for row in bucket.results
    ]


def _model_of(line_item: str | None) -> str | None:
    """Return the model of a line item such as `gpt-5-mini-2025-08-07, input`."""
    model, separator, _ = (line_item or "").rpartition(", ")
    return model if separator else None
