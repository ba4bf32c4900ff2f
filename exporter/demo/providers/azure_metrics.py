"""Azure Monitor's metrics of one account, told from a ledger."""

import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from exporter.demo.providers.ledger import Ledger, Usage
from exporter.demo.providers.spans import HOUR, by_span, spans
from exporter.demo.providers.wire import RefusalError, Request, allow_only, bounded, one

_PARAMETERS = frozenset(
    {
        "api-version",
        "metricnamespace",
        "metricnames",
        "timespan",
        "interval",
        "aggregation",
        "$filter",
        "top",
    }
)
_SNAPSHOT = re.compile(r"(.+?)-(\d{4}-\d{2}-\d{2})")
_REFUSED = 3  # requests that were refused for each that was served; not usage
_TIER = "ServiceTierResponse"
_ON_TOKENS = {"ModelDeploymentName", "ModelVersion", _TIER}
_DIMENSIONS = {
    "AzureOpenAIRequests": {*_ON_TOKENS, "ModelName", "StatusCode"},
    "ProcessedPromptTokens": _ON_TOKENS,
    "GeneratedTokens": _ON_TOKENS,
}
_AMOUNTS: Mapping[str, Callable[[Usage], int]] = {
    "AzureOpenAIRequests": lambda usage: usage.requests,
    "ProcessedPromptTokens": lambda usage: usage.input_tokens,
    "GeneratedTokens": lambda usage: usage.output_tokens,
}


def metrics(
    ledger: Ledger, request: Request, now: datetime, *, account: str, tells_tiers: bool
) -> Mapping[str, object]:
    """Return the sums by hour that the request asks for."""
    allow_only(request, _PARAMETERS)
    start, end = (datetime.fromisoformat(t) for t in str(one(request, "timespan")).split("/"))
    if end > now or end <= start:
        raise RefusalError(400, "Invalid timespan.", code="BadRequest")
    if (one(request, "interval"), one(request, "aggregation")) != ("PT1H", "Total"):
        raise RefusalError(400, "The simulation sums hours.", code="BadRequest")
    split_by = re.findall(r"(\w+) eq '\*'", str(one(request, "$filter", "")))
    names = str(one(request, "metricnames")).split(",")
    for name in names:
        unknown = set(split_by) - _DIMENSIONS[name]
        if unknown or (_TIER in split_by and not tells_tiers):
            message = f"Metric: {name} does not support requested dimension combination."
            raise RefusalError(400, message, code="BadRequest")
    usages = [usage for usage in ledger.visible(now, start, end) if usage.project_id == account]
    most = bounded(request, "top", 10, 2**31 - 1)
    return {
        "cost": 0,
        "timespan": one(request, "timespan"),
        "interval": "PT1H",
        "value": [
            {
                "type": "Microsoft.Insights/metrics",
                "name": {"value": name, "localizedValue": name},
                "unit": "Count",
                "timeseries": _series(name, usages, split_by, start, end)[:most],
                "errorCode": "Success",
            }
            for name in names
        ],
        "namespace": "Microsoft.CognitiveServices/accounts",
        "resourceregion": "swedencentral",
    }


def _series(
    metric: str, usages: Sequence[Usage], split_by: Sequence[str], start: datetime, end: datetime
) -> list[object]:
    groups: defaultdict[tuple[str, ...], list[tuple[Usage, int]]] = defaultdict(list)
    for usage in usages:
        named = _named(usage)
        key = tuple(named[name] for name in split_by)
        groups[key].append((usage, _AMOUNTS[metric](usage)))
        if metric == "AzureOpenAIRequests":
            key = tuple({**named, "StatusCode": "429"}[name] for name in split_by)
            groups[key].append((usage, _REFUSED * usage.requests))
    hours = spans(start, end, HOUR)
    return [
        {
            "metadatavalues": [
                {"name": {"value": name.lower(), "localizedValue": name}, "value": value}
                for name, value in zip(split_by, key, strict=True)
            ],
            "data": [
                _point(hour, [amount for _, amount in inside])
                for (hour, _), inside in zip(
                    hours, by_span(hours, members, lambda pair: pair[0].at), strict=True
                )
            ],
        }
        for key, members in sorted(groups.items())
    ]


def _named(usage: Usage) -> dict[str, str]:
    found = _SNAPSHOT.fullmatch(usage.model)
    return {
        "ModelDeploymentName": usage.labels.get("deployment", usage.model),
        "ModelName": found[1] if found else usage.model,
        "ModelVersion": found[2] if found else "1",
        "StatusCode": "200",
        _TIER: usage.service_tier or "__Empty",
    }


def _point(hour: datetime, amounts: Sequence[int]) -> dict[str, object]:
    """An hour without anything has a time and no total."""
    point: dict[str, object] = {"timeStamp": f"{hour:%Y-%m-%dT%H:%M:%SZ}"}
    return {**point, "total": float(sum(amounts))} if amounts else point
