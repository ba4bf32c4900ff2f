"""OpenRouter's activity: what each completed UTC day used and cost, by model and upstream.

https://openrouter.ai/docs/api/api-reference/analytics/get-user-activity
"""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal

import msgspec

from exporter.errors import RefusedRequestError
from exporter.http_client import HttpClient
from exporter.records import CostBucket, UsageBucket
from exporter.sources.polling.spans import DAY, HOUR, Rhythm, Span
from exporter.sources.polling.summing import Bucket
from exporter.sources.polling.wire import Count, dollars, utc_day

REPORT = "activity"
RHYTHM = Rhythm(
    bucket=DAY,
    reread=3 * DAY,
    reread_daily=30 * DAY,
    at_most=DAY,  # asked for by its date, so that a day that is no longer told is refused
    settled_after=timedelta(hours=12),
    reaches_back=30 * DAY,
    every=HOUR,
    with_present=False,
    told_after=HOUR,
)


class _Item(msgspec.Struct, kw_only=True):
    date: str
    model: str
    requests: Count
    prompt_tokens: Count
    completion_tokens: Count
    usage: Decimal
    byok_usage_inference: Decimal
    cached_tokens: Count | None = None
    endpoint_id: str | None = None
    provider_name: str | None = None
    workspace_id: str | None = None


class _Answer(msgspec.Struct):
    data: list[_Item]


class Activity:
    """Reads activity, and remembers whether it is told by workspace."""

    def __init__(self, http: HttpClient, source: str) -> None:
        self._http = http
        self._source = source
        self._by_workspace = True

    def read_day(self, span: Span) -> list[Bucket]:
        """Read the day that the span is."""
        date = span.from_at.strftime("%Y-%m-%d")
        try:
            items = self._items(date, by_workspace=self._by_workspace)
        except RefusedRequestError as error:
            if error.status != 400 or not self._by_workspace:
                raise
            items = self._items(date, by_workspace=False)
            self._by_workspace = False
        return [bucket for item in items for bucket in self._buckets(item)]

    def _items(self, date: str, *, by_workspace: bool) -> list[_Item]:
        group_by = [("group_by", "workspace")] if by_workspace else []
        return self._http.get("activity", [("date", date), *group_by], into=_Answer).data

    def _buckets(self, item: _Item) -> Iterator[Bucket]:
        bucket_start = utc_day(item.date)
        told = {"upstream": item.provider_name, "endpoint": item.endpoint_id}
        dimensions = {name: value for name, value in told.items() if value}
        yield UsageBucket(
            source=self._source,
            provider="openrouter",
            report=REPORT,
            bucket_start=bucket_start,
            bucket_seconds=86400,
            model=item.model,
            project_id=item.workspace_id,
            dimensions=dimensions,
            requests=item.requests,
            input_tokens=item.prompt_tokens,
            cached_input_tokens=item.cached_tokens,
            output_tokens=item.completion_tokens,
        )
        # With a key of one's own (BYOK) the upstream bills; OpenRouter only tells how much.
        for line_item, amount in (
            ("usage", item.usage),
            ("byok_usage_inference", item.byok_usage_inference),
        ):
            if amount or line_item == "usage":
                yield CostBucket(
                    source=self._source,
                    provider="openrouter",
                    report=REPORT,
                    bucket_start=bucket_start,
                    bucket_seconds=86400,
                    model=item.model,
                    project_id=item.workspace_id,
                    dimensions=dimensions,
                    is_breakdown=line_item != "usage",
                    line_item=line_item,
                    amount=dollars(amount),
                )
