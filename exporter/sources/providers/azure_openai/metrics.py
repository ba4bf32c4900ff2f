"""Azure Monitor's sums by hour of one resource.

https://learn.microsoft.com/en-us/rest/api/monitor/metrics/list
"""

from collections.abc import Iterator, Sequence
from datetime import datetime

import msgspec

from exporter.errors import SourceError, TransientError
from exporter.http_client import HttpClient
from exporter.sources.polling.bearer import Bearer
from exporter.sources.polling.spans import HOUR, Span
from exporter.sources.polling.wire import count, floor, plausible, rfc3339

_MOST_SERIES = 10_000  # without a number, ten of them are told, and the rest is silently not
_NOTHING = "__Empty"
_WIDTH = "PT1H"


class _Word(msgspec.Struct):
    value: str


class _Dimension(msgspec.Struct):
    name: _Word
    value: str | None = None


class _Point(msgspec.Struct, rename="camel"):
    time_stamp: datetime
    total: float | None = None


class _Series(msgspec.Struct):
    metadatavalues: list[_Dimension] = []
    data: list[_Point] = []


class _Metric(msgspec.Struct, rename="camel"):
    name: _Word
    timeseries: list[_Series] = []
    error_code: str = "Success"


class _Answer(msgspec.Struct):
    value: list[_Metric]
    interval: str


Point = tuple[str, dict[str, str], datetime, int]
"""A metric, its dimensions by their names in lower case, an hour, and the sum."""


def hourly_sums(
    http: HttpClient,
    bearer: Bearer,
    resource: str,
    span: Span,
    *,
    metrics: Sequence[str],
    split_by: Sequence[str],
) -> Iterator[Point]:
    """Yield the sums that are not zero.

    Raises:
        TransientError, SourceError: as HttpClient does, or Azure did not tell all.
    """
    parameters = [
        ("api-version", "2023-10-01"),
        ("metricnamespace", "Microsoft.CognitiveServices/accounts"),
        ("metricnames", ",".join(metrics)),
        ("timespan", f"{rfc3339(span.from_at)}/{rfc3339(span.until_at)}"),
        ("interval", _WIDTH),
        ("aggregation", "Total"),
        ("$filter", " and ".join(f"{name} eq '*'" for name in split_by)),
        ("top", str(_MOST_SERIES)),
    ]
    answer = bearer.ask(
        lambda headers: http.get(
            f"{resource}/providers/Microsoft.Insights/metrics",
            parameters,
            into=_Answer,
            headers=headers,
        )
    )
    if answer.interval != _WIDTH:
        raise SourceError(f"Azure Monitor tells sums of {answer.interval}", reason="answer_changed")
    told = {metric.name.value: metric for metric in answer.value}
    for name in metrics:
        if name not in told or told[name].error_code != "Success":
            raise TransientError(f"Azure Monitor did not tell {name} this time")
        if len(told[name].timeseries) >= _MOST_SERIES:
            raise SourceError(
                f"Azure Monitor has more of {name} than it tells", reason="answer_changed"
            )
        for series in told[name].timeseries:
            dimensions = {
                one.name.value.lower(): one.value
                for one in series.metadatavalues
                if one.value and one.value != _NOTHING
            }
            for point in series.data:
                total = count({name: point.total}, name)
                at = plausible(point.time_stamp)
                if total and span.from_at <= at < span.until_at:
                    yield name, dimensions, floor(at, HOUR), total
