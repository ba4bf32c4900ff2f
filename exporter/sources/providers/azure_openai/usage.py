"""What Azure OpenAI's deployments used, by hour; tokens name no model, requests do.

https://learn.microsoft.com/en-us/azure/foundry/openai/monitor-openai-reference
"""

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta

from exporter.http_client import HttpClient
from exporter.records import UsageBucket
from exporter.sources.polling.bearer import Bearer
from exporter.sources.polling.spans import DAY, HOUR, Rhythm, Span
from exporter.sources.providers.azure_openai.metrics import Point, hourly_sums

RHYTHM = Rhythm(
    bucket=HOUR,
    reread=3 * HOUR,
    reread_daily=3 * DAY,
    at_most=3 * DAY,  # an answer ends at 8 MB
    settled_after=timedelta(minutes=15),
    reaches_back=90 * DAY,
)
_REQUESTS, _INPUT, _OUTPUT = "AzureOpenAIRequests", "ProcessedPromptTokens", "GeneratedTokens"
_TIER = "ServiceTierResponse"
_SNAPSHOT = re.compile(r"\d{4}-\d{2}-\d{2}")

Row = tuple[datetime, str | None, str | None, str | None, str | None]
"""Hour, deployment, model, version, tier."""


class Usage:
    """Reads the resources' metrics."""

    def __init__(
        self, http: HttpClient, bearer: Bearer, source: str, resources: Sequence[str]
    ) -> None:
        self._http = http
        self._bearer = bearer
        self._source = source
        self._resources = resources

    def read_by_tier(self, span: Span) -> list[UsageBucket]:
        """Read hours by deployment, model and service tier, whose prices differ."""
        return self._read(span, (_TIER,))

    def read(self, span: Span) -> list[UsageBucket]:
        """Read hours by deployment and model, where the resource does not tell tiers."""
        return self._read(span, ())

    def _read(self, span: Span, tier: Sequence[str]) -> list[UsageBucket]:
        return [
            self._bucket(resource, row, sums)
            for resource in self._resources
            for row, sums in self._rows(resource, span, tier).items()
        ]

    def _rows(self, resource: str, span: Span, tier: Sequence[str]) -> dict[Row, Counter[str]]:
        by_model = ("ModelDeploymentName", "ModelName", "ModelVersion", "StatusCode", *tier)
        # From a day before: tokens may be counted an hour after their request.
        calls = self._points(resource, Span(span.from_at - DAY, span.until_at), by_model, _REQUESTS)
        calls = [point for point in calls if point[1].get("statuscode", "2").startswith("2")]
        tokens = self._points(
            resource, span, ("ModelDeploymentName", "ModelVersion", *tier), _INPUT, _OUTPUT
        )
        models = _Models(calls)
        rows: defaultdict[Row, Counter[str]] = defaultdict(Counter)
        for name, named, at, total in [*calls, *tokens]:
            if at < span.from_at:
                continue
            deployment, version = named.get("modeldeploymentname"), named.get("modelversion")
            model = named.get("modelname")
            if name != _REQUESTS:
                model, version = models.behind(deployment, version)
            row = (at, deployment, model, version, named.get(_TIER.lower()))
            rows[row][name] += total
        return rows

    def _points(
        self, resource: str, span: Span, split_by: Sequence[str], *metrics: str
    ) -> list[Point]:
        return list(
            hourly_sums(
                self._http, self._bearer, resource, span, metrics=metrics, split_by=split_by
            )
        )

    def _bucket(self, resource: str, row: Row, sums: Counter[str]) -> UsageBucket:
        at, deployment, model, version, tier = row
        named = {"deployment": deployment, "model_version": version}
        return UsageBucket(
            source=self._source,
            provider="azure",
            report="usage",
            bucket_start=at,
            bucket_seconds=3600,
            model=_snapshot(model, version),
            project_id=resource.lower(),
            service_tier=tier,
            dimensions={name: value for name, value in named.items() if value},
            requests=sums.get(_REQUESTS),
            input_tokens=sums.get(_INPUT),
            output_tokens=sums.get(_OUTPUT),
        )


class _Models:
    """Which model answered at a deployment, as its requests tell."""

    def __init__(self, calls: Sequence[Point]) -> None:
        self._served: defaultdict[str | None, set[tuple[str | None, str | None]]]
        self._served = defaultdict(set)
        for _, named, _, _ in calls:
            model = (named.get("modelname"), named.get("modelversion"))
            self._served[named.get("modeldeploymentname")].add(model)

    def behind(self, deployment: str | None, version: str | None) -> tuple[str | None, str | None]:
        """Return model and version, without a model where it may have been one of several."""
        served = self._served[deployment]
        same = {model for model in served if model[1] == version}
        found = same or served
        return next(iter(found)) if len(found) == 1 else (None, version)


def _snapshot(model: str | None, version: str | None) -> str | None:
    """Name the model as OpenAI does: `gpt-4o` of version 2024-05-13 has a price of its own."""
    if model is None or version is None or not _SNAPSHOT.fullmatch(version):
        return model
    return f"{model}-{version}"
