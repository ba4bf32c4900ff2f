"""xAI's costs: US dollars by UTC day and description, such as `Chat grok-4`.

https://docs.x.ai/developers/management-api/billing
"""

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import Annotated

import msgspec

from exporter.errors import SourceError
from exporter.http_client import HttpClient
from exporter.records import CostBucket
from exporter.sources.polling.spans import DAY, Rhythm, Span
from exporter.sources.polling.wire import dollars, floor, start_of_day
from exporter.sources.providers.xai.team import Team

RHYTHM = Rhythm(
    bucket=DAY, reread=3 * DAY, reread_daily=35 * DAY, at_most=31 * DAY, settled_after=DAY
)


class _Point(msgspec.Struct):
    timestamp: datetime
    values: Annotated[list[Decimal], msgspec.Meta(min_length=1, max_length=1)]


class _Series(msgspec.Struct, rename="camel"):
    data_points: list[_Point]
    group_labels: Annotated[list[str], msgspec.Meta(min_length=1, max_length=1)]


class _Answer(msgspec.Struct, rename="camel"):
    time_series: list[_Series]
    limit_reached: bool = False


def read_costs(http: HttpClient, team: Team, source: str, span: Span) -> list[CostBucket]:
    """Read costs; where not everything of a span is told, its two halves are asked for."""
    answer = http.post(team.path("usage"), _question(span), into=_Answer)
    if answer.limit_reached:
        return [bucket for half in _halves(span) for bucket in read_costs(http, team, source, half)]
    found = [bucket for series in answer.time_series for bucket in _buckets(source, series)]
    return [bucket for bucket in found if bucket.bucket_start != span.until_at]


def _halves(span: Span) -> tuple[Span, Span]:
    middle = floor(span.from_at + (span.until_at - span.from_at) / 2, DAY)
    if middle <= span.from_at:
        raise SourceError("xAI does not tell all costs of one day", reason="answer_changed")
    return Span(span.from_at, middle), Span(middle, span.until_at)


def _buckets(source: str, series: _Series) -> Iterator[CostBucket]:
    item = series.group_labels[0]
    last_word = item.rpartition(" ")[2]
    for point in series.data_points:
        amount = dollars(point.values[0])
        if amount:  # a series has a point for each day, also where there was nothing
            yield CostBucket(
                source=source,
                provider="x-ai",
                report="costs",
                bucket_start=start_of_day(point.timestamp),
                bucket_seconds=86400,
                model=last_word if last_word.startswith("grok-") else None,
                line_item=item,
                amount=amount,
            )


def _question(span: Span) -> object:
    from_at, until_at = (f"{at:%Y-%m-%d %H:%M:%S}" for at in (span.from_at, span.until_at))
    return {
        "analyticsRequest": {
            "timeRange": {"startTime": from_at, "endTime": until_at, "timezone": "Etc/GMT"},
            "timeUnit": "TIME_UNIT_DAY",
            "values": [{"name": "usd", "aggregation": "AGGREGATION_SUM"}],
            "groupBy": ["description"],
            "filters": [],
        }
    }
