"""Cloud Monitoring's sums by hour.

https://cloud.google.com/monitoring/api/ref_v3/rest/v3/projects.timeSeries/list
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta

import msgspec

from exporter.errors import SourceError, TransientError
from exporter.http_client import HttpClient
from exporter.sources.polling.bearer import Bearer
from exporter.sources.polling.paging import pages
from exporter.sources.polling.spans import HOUR, Span
from exporter.sources.polling.wire import count, floor, plausible, rfc3339

_MINUTE = timedelta(minutes=1)
_TICK = timedelta(microseconds=1)


class _Labelled(msgspec.Struct):
    labels: dict[str, str] = {}


class _Interval(msgspec.Struct, rename="camel"):
    end_time: datetime


class _Value(msgspec.Struct, rename="camel"):
    int64_value: str | None = None
    double_value: float | None = None


class _Point(msgspec.Struct):
    interval: _Interval
    value: _Value


class _Series(msgspec.Struct):
    metric: _Labelled = msgspec.field(default_factory=_Labelled)
    resource: _Labelled = msgspec.field(default_factory=_Labelled)
    points: list[_Point] = []


class _Page(msgspec.Struct, rename="camel"):
    time_series: list[_Series] = []
    next_page_token: str | None = None
    execution_errors: list[msgspec.Raw] = []


class Monitoring:
    """Asks for the sums of one project's metrics."""

    def __init__(self, http: HttpClient, bearer: Bearer, project: str) -> None:
        self._http = http
        self._bearer = bearer
        self._path = f"v3/projects/{project}/timeSeries"

    def hourly_sums(
        self, metric: str, span: Span, group_by: Sequence[str]
    ) -> Iterator[tuple[Mapping[str, str], datetime, int]]:
        """Yield labels, an hour, and a sum; the hour under way in parts, to the minute.

        Raises:
            TransientError, SourceError: as HttpClient does, or Google did not tell all.
        """
        for part, width in _parts(span):
            for series in self._series(metric, part, width, group_by):
                labels = {**series.resource.labels, **series.metric.labels}
                for point in series.points:
                    hour = _hour(point.interval.end_time, width)
                    if hour >= span.from_at:  # the sum that ends where we begin is of before
                        yield labels, hour, _whole(point.value)

    def _series(
        self, metric: str, part: Span, width: timedelta, group_by: Sequence[str]
    ) -> Iterator[_Series]:
        parameters = [
            ("filter", f'metric.type="{metric}"'),
            ("interval.startTime", rfc3339(part.from_at)),
            ("interval.endTime", rfc3339(part.until_at)),
            ("aggregation.alignmentPeriod", f"{int(width.total_seconds())}s"),
            ("aggregation.perSeriesAligner", "ALIGN_SUM"),
            ("aggregation.crossSeriesReducer", "REDUCE_SUM"),
            *(("aggregation.groupByFields", name) for name in group_by),
            ("view", "FULL"),
        ]

        def ask(token: str | None) -> _Page:
            paging = [("pageToken", token)] if token else []
            return self._bearer.ask(
                lambda headers: self._http.get(
                    self._path, [*parameters, *paging], into=_Page, headers=headers
                )
            )

        for page in pages(ask, lambda page: page.next_page_token or None):
            if page.execution_errors:
                raise TransientError("Cloud Monitoring told a part only")
            yield from page.time_series


def _parts(span: Span) -> Iterator[tuple[Span, timedelta]]:
    """Cut off the hour under way: sums are aligned to the end of what is asked for."""
    hour, minute = floor(span.until_at, HOUR), floor(span.until_at, _MINUTE)
    if span.from_at < hour:
        yield Span(span.from_at, hour), HOUR
    if max(hour, span.from_at) < minute:
        yield Span(max(hour, span.from_at), minute), _MINUTE


def _hour(end_time: datetime, width: timedelta) -> datetime:
    """Return the hour of a sum, which is known by its end."""
    end = plausible(end_time)
    if end != floor(end, width):
        raise SourceError(f"Cloud Monitoring sums until {end}", reason="answer_changed")
    return floor(end - _TICK, HOUR)


def _whole(value: _Value) -> int:
    """Return the sum; JSON has Google's long integers as texts."""
    text = value.int64_value
    if text is not None and not (text.isascii() and text.isdecimal()):
        raise SourceError(f"a sum is {text[:40]!r}, not a count", reason="answer_changed")
    return count({"sum": value.double_value if text is None else int(text[:40])}, "sum") or 0
