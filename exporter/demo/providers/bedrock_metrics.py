"""CloudWatch's metrics of Bedrock, told from a ledger: lists of series, sums of hours."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from exporter.demo.providers.ledger import Ledger, Usage
from exporter.demo.providers.spans import DAY, EPOCH, HOUR
from exporter.demo.providers.wire import RefusalError

NAMESPACE = "AWS/Bedrock"
LISTED_FOR = 14 * DAY
KEPT_FOR = 455 * DAY
_MOST_QUERIES = 500

_AMOUNTS: Mapping[str, Callable[[Usage], int]] = {
    "Invocations": lambda usage: usage.requests,
    "InputTokenCount": lambda usage: usage.uncached_input_tokens,
    "OutputTokenCount": lambda usage: usage.output_tokens,
    "CacheReadInputTokenCount": lambda usage: usage.cached_input_tokens,
    "CacheWriteInputTokenCount": (
        lambda usage: usage.cache_write_5m_tokens + usage.cache_write_1h_tokens
    ),
}
# Series that count the same calls again, or something else.
_OTHERS = (
    ("Invocations", ()),
    ("InputTokenCount", ()),
    ("InvocationLatency", ("ModelId",)),
    ("InputTokenCount", ("ModelId", "ServiceTier")),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics:
    """What one region's CloudWatch knows."""

    ledger: Ledger
    region: str
    series_per_page: int
    results_per_page: int

    def listed(self, body: Mapping[str, Any], now: datetime) -> dict[str, object]:
        """Answer ListMetrics."""
        _need(body, {"Namespace", "MetricName", "Dimensions", "NextToken", "RecentlyActive"})
        if body.get("Namespace") != NAMESPACE:
            return {"Metrics": []}
        wanted = {str(one["Name"]) for one in body.get("Dimensions", ())}
        models = sorted({usage.model for usage in self._usages(now, now - LISTED_FOR, now)})
        found = [
            _series(name, model, names)
            for model in models
            for name, names in (*((name, ("ModelId",)) for name in _AMOUNTS), *_OTHERS)
            if wanted <= {*names}
        ]
        first, token = _page(body, self.series_per_page, len(found))
        return {"Metrics": found[first : first + self.series_per_page], **token}

    def data(self, body: Mapping[str, Any], now: datetime) -> dict[str, object]:
        """Answer GetMetricData."""
        known = {"MetricDataQueries", "StartTime", "EndTime", "ScanBy", "NextToken"}
        _need(body, known | {"MaxDatapoints"})
        queries: Sequence[Mapping[str, Any]] = body["MetricDataQueries"]
        if not 0 < len(queries) <= _MOST_QUERIES:
            raise RefusalError(400, "Too many queries.", code="ValidationError")
        end = datetime.fromtimestamp(body["EndTime"], UTC)
        if end > now + timedelta(minutes=1):
            raise RefusalError(400, "The simulation is not asked for the future.")
        start = max(datetime.fromtimestamp(body["StartTime"], UTC), now - KEPT_FOR)
        usages = self._usages(now, start, end)
        first, token = _page(body, self.results_per_page, len(queries))
        page = queries[first : first + self.results_per_page]
        return {"MetricDataResults": [_result(query, usages) for query in page], **token}

    def _usages(self, now: datetime, start: datetime, end: datetime) -> list[Usage]:
        return [
            usage
            for usage in self.ledger.visible(now, start, end)
            if usage.labels.get("region", self.region) == self.region
        ]


def _series(name: str, model: str, names: Sequence[str]) -> dict[str, object]:
    values = {"ModelId": model, "ServiceTier": "default"}
    dimensions = [{"Name": one, "Value": values[one]} for one in names]
    return {"Namespace": NAMESPACE, "MetricName": name, "Dimensions": dimensions}


def _result(query: Mapping[str, Any], usages: Sequence[Usage]) -> dict[str, object]:
    asked = query["MetricStat"]
    metric = asked["Metric"]
    if (asked["Period"], asked["Stat"]) != (3600, "Sum"):
        raise RefusalError(400, "The simulation sums hours.", code="ValidationError")
    model = {one["Name"]: one["Value"] for one in metric["Dimensions"]}["ModelId"]
    amount = _AMOUNTS[metric["MetricName"]]
    sums: dict[datetime, float] = {}
    for usage in usages:
        if usage.model == model and (metric["MetricName"] == "Invocations" or amount(usage)):
            hour = usage.at - (usage.at - EPOCH) % HOUR
            sums[hour] = sums.get(hour, 0.0) + amount(usage)
    times = sorted(sums)
    return {
        "Id": query["Id"],
        "Label": f"{model} {metric['MetricName']}",
        "Timestamps": [at.timestamp() for at in times],
        "Values": [sums[at] for at in times],
        "StatusCode": "Complete",
    }


def _page(body: Mapping[str, Any], size: int, total: int) -> tuple[int, dict[str, object]]:
    """Return where the page begins, and the token of the one after it."""
    first = int(str(body.get("NextToken", "after 0")).removeprefix("after "))
    after = first + size
    return first, {"NextToken": f"after {after}"} if after < total else {}


def _need(body: Mapping[str, Any], known: set[str]) -> None:
    if unknown := set(body) - known:
        raise RefusalError(400, f"Unknown parameters: {sorted(unknown)}", code="ValidationError")
