"""What Bedrock's models used, by hour: the metrics of the bedrock-runtime endpoint.

https://docs.aws.amazon.com/bedrock/latest/userguide/monitoring-runtime-metrics.html
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from exporter.records import UsageBucket
from exporter.sources.polling.spans import DAY, HOUR, Rhythm, Span
from exporter.sources.polling.wire import count, counts
from exporter.sources.providers.bedrock.cloudwatch import hourly_sums, listed
from exporter.sources.providers.bedrock.door import Door

RHYTHM = Rhythm(
    bucket=HOUR,
    reread=3 * HOUR,
    reread_daily=3 * DAY,
    at_most=7 * DAY,  # of hours, for as many metrics as are asked for at once: 84 000 points
    settled_after=timedelta(minutes=15),
    reaches_back=14 * DAY,  # a metric without data for two weeks is no longer listed
)
# Two names each: AWS's pages and its accounts do not agree.
_CACHE_READ = ("CacheReadInputTokenCount", "CacheReadInputTokens")
_CACHE_WRITE = ("CacheWriteInputTokenCount", "CacheWriteInputTokens")
_METRICS = frozenset(
    {
        "Invocations",
        "InputTokenCount",
        "OutputTokenCount",
        "OutputImageCount",
        *_CACHE_READ,
        *_CACHE_WRITE,
    }
)


def read_usage(doors: Mapping[str, Door], source: str, span: Span) -> list[UsageBucket]:
    """Read the hours of all regions; the one under way is told as far as it is."""
    return [
        _bucket(source, region, model_id, at, row)
        for region, door in doors.items()
        for (model_id, at), row in _rows(door, span).items()
    ]


def _rows(door: Door, span: Span) -> Mapping[tuple[str, datetime], dict[str, Any]]:
    rows: defaultdict[tuple[str, datetime], dict[str, Any]] = defaultdict(dict)
    metrics = [(model_id, name) for model_id, name in listed(door) if name in _METRICS]
    for (model_id, name), at, value in hourly_sums(door, metrics, span):
        rows[model_id, at][name] = value
    return rows


def _bucket(
    source: str, region: str, model_id: str, at: datetime, row: dict[str, Any]
) -> UsageBucket:
    read, written = _first(row, _CACHE_READ), _first(row, _CACHE_WRITE)
    parts = (count(row, "InputTokenCount"), read, written)  # the first does without the others
    told = [part for part in parts if part is not None]
    return UsageBucket(
        source=source,
        provider="aws",
        report="usage",
        bucket_start=at,
        bucket_seconds=3600,
        model=model_id,
        dimensions={"region": region},
        requests=count(row, "Invocations"),
        input_tokens=sum(told) if told else None,
        cached_input_tokens=read,
        cache_write_tokens=written,
        output_tokens=count(row, "OutputTokenCount"),
        quantities=counts(row, {"OutputImageCount": "images"}),
    )


def _first(row: dict[str, Any], names: Sequence[str]) -> int | None:
    return next((found for name in names if (found := count(row, name)) is not None), None)
