"""What Vertex AI's models used, by hour: the metrics of online serving.

https://cloud.google.com/monitoring/api/metrics_gcp_a_b#gcp-aiplatform
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from exporter.records import UsageBucket
from exporter.sources.polling.spans import DAY, HOUR, Rhythm, Span
from exporter.sources.providers.vertex.monitoring import Monitoring

RHYTHM = Rhythm(
    bucket=HOUR,
    reread=3 * HOUR,
    reread_daily=3 * DAY,
    at_most=7 * DAY,
    settled_after=timedelta(minutes=5),
    reaches_back=42 * DAY,
)
_ROOT = "aiplatform.googleapis.com/publisher/online_serving"
_TYPE = "metric.label.type"
_MODEL = tuple(f"resource.label.{name}" for name in ("publisher", "model_user_id", "location"))
# What to read, and by what besides the model.
_METRICS = {"token_count": (_TYPE,), "model_invocation_count": ()}

Row = tuple[datetime, str | None, str | None, str | None]
"""Hour, publisher, model, location."""


def read_usage(projects: Mapping[str, Monitoring], source: str, span: Span) -> list[UsageBucket]:
    """Read the hours of all projects."""
    return [
        _bucket(source, project, row, sums)
        for project, monitoring in projects.items()
        for row, sums in _rows(monitoring, span).items()
        if any(sums.values())
    ]


def _rows(monitoring: Monitoring, span: Span) -> Mapping[Row, Counter[str]]:
    rows: defaultdict[Row, Counter[str]] = defaultdict(Counter)
    for metric, besides in _METRICS.items():
        group_by = (*_MODEL, *besides)
        for labels, hour, amount in monitoring.hourly_sums(f"{_ROOT}/{metric}", span, group_by):
            what = f"{labels.get('type') or 'other'}_tokens" if besides else "requests"
            rows[hour, *_model(labels)][what] += amount
    return rows


def _model(labels: Mapping[str, str]) -> tuple[str | None, str | None, str | None]:
    """Return publisher, model and location; a model may come with its publisher's path."""
    model = labels.get("model_user_id", "").rpartition("/models/")[2]
    return labels.get("publisher") or None, model or None, labels.get("location") or None


def _bucket(source: str, project: str, row: Row, sums: Counter[str]) -> UsageBucket:
    at, publisher, model, location = row
    named = {"publisher": publisher, "location": location}
    known: Sequence[str] = ("requests", "input_tokens", "output_tokens")
    return UsageBucket(
        source=source,
        provider="google",
        report="usage",
        bucket_start=at,
        bucket_seconds=3600,
        model=model,
        project_id=project,
        dimensions={name: value for name, value in named.items() if value},
        requests=sums.get("requests"),
        input_tokens=sums.get("input_tokens"),
        output_tokens=sums.get("output_tokens"),
        # A type that we have no price for leaves the estimate unknown, not too low.
        quantities={name: sum_ for name, sum_ in sums.items() if sum_ and name not in known},
    )
