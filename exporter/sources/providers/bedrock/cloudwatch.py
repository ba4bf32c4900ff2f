"""CloudWatch's two questions: which metrics there are, and what they sum up to by hour.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from math import isfinite
from typing import Any

from exporter.errors import RefusedRequestError, SourceError, TransientError
from exporter.sources.polling.paging import pages
from exporter.sources.polling.spans import HOUR, Span
from exporter.sources.polling.wire import floor, plausible
from exporter.sources.providers.bedrock.door import Door

Metric = tuple[str, str]
"""The id of a model, and the name of a metric."""
_NAMESPACE = "AWS/Bedrock"
_QUERIES_AT_ONCE = 500


def listed(door: Door) -> list[Metric]:
    """Return what there is by model alone; series with more or fewer dimensions count the same."""
    found: set[Metric] = set()
    for page in _pages(
        door, "list_metrics", "Metrics", Namespace=_NAMESPACE, Dimensions=[{"Name": "ModelId"}]
    ):
        for metric in page["Metrics"]:
            dimensions = metric.get("Dimensions", ())
            if [one.get("Name") for one in dimensions] == ["ModelId"]:
                found.add((str(dimensions[0].get("Value")), str(metric.get("MetricName"))))
    return sorted(found)


def hourly_sums(
    door: Door, metrics: Sequence[Metric], span: Span
) -> Iterator[tuple[Metric, datetime, float]]:
    """Yield each metric's sum of each hour that has one.

    Raises:
        TransientError, SourceError: as the door does, or CloudWatch did not tell all.
    """
    for first in range(0, len(metrics), _QUERIES_AT_ONCE):
        asked = {f"m{n}": m for n, m in enumerate(metrics[first : first + _QUERIES_AT_ONCE])}
        states = dict.fromkeys(asked, "missing")
        for page in _pages(
            door,
            "get_metric_data",
            "MetricDataResults",
            MetricDataQueries=[_query(metric_id, metric) for metric_id, metric in asked.items()],
            StartTime=span.from_at,
            EndTime=span.until_at,
            ScanBy="TimestampAscending",
        ):
            for result in page["MetricDataResults"]:
                metric = asked.get(result.get("Id"))
                if metric is None:
                    raise SourceError(
                        "CloudWatch answers what was not asked", reason="answer_changed"
                    )
                states[result["Id"]] = result.get("StatusCode", "Complete")
                for at, value in _points(result):
                    yield metric, at, value
        _demand_all(states.values())


def _pages(door: Door, operation: str, told: str, **parameters: object) -> Iterator[dict[str, Any]]:
    return pages(
        lambda token: door.ask(
            operation, told, **parameters, **({"NextToken": token} if token else {})
        ),
        lambda page: page.get("NextToken") or None,
    )


def _query(metric_id: str, metric: Metric) -> dict[str, object]:
    model_id, name = metric
    dimensions = [{"Name": "ModelId", "Value": model_id}]
    of = {"Namespace": _NAMESPACE, "MetricName": name, "Dimensions": dimensions}
    return {"Id": metric_id, "MetricStat": {"Metric": of, "Period": 3600, "Stat": "Sum"}}


def _points(result: Mapping[str, Any]) -> Iterator[tuple[datetime, float]]:
    times, values = result.get("Timestamps", ()), result.get("Values", ())
    if len(times) != len(values):
        raise TransientError("CloudWatch answers with more times than values, or fewer")
    for time, value in zip(times, values, strict=True):
        at = plausible(time)
        if at != floor(at, HOUR) or not isfinite(value):
            raise SourceError(
                f"CloudWatch tells {value} for an hour from {at} on", reason="answer_changed"
            )
        yield at, value


def _demand_all(states: Iterable[str]) -> None:
    """Refuse half an answer: CloudWatch says of each metric whether it told all of it."""
    bad = {state for state in states if state != "Complete"}
    if "Forbidden" in bad:
        raise RefusedRequestError(
            "CloudWatch may not be asked for metrics' data (cloudwatch:GetMetricData)",
            reason="key_refused",
            status=403,
            rest=timedelta(minutes=15),
        )
    if bad:
        raise TransientError(f"CloudWatch told a part only: {', '.join(sorted(bad))}")
