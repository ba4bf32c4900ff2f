"""What workflows cost against what is usual, and what is far from it, as gauges."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime, timedelta
from math import inf

from exporter.records import RUNAWAY_MEASURES, Anomaly, Comparison, Measure
from exporter.sinks.prometheus import OTHER, Labels

STILL_SO = timedelta(minutes=10)
"""What was last seen longer ago is over."""
LabelsOf = Callable[..., Labels]
Values = Mapping[Labels, float]


def cost_gauges(days: Iterable[Comparison], today: date, labels: LabelsOf) -> dict[str, Values]:
    """Return cost and usual cost of today so far and of yesterday: metric → labels → value.

    Workflows beyond the cap of labels share a cost; a sum of usual days is none of a usual day.
    """
    costs: dict[Labels, float] = defaultdict(float)
    baselines: dict[Labels, float] = {}
    for one in days:
        if one.measure is not Measure.COST_PER_DAY:
            continue
        window = _window(one.day, today)
        series = labels(source=one.source, workflow=one.workflow, window=window)
        costs[series] += float(one.observed_value)
        if one.baseline_value is not None and ("workflow", OTHER) not in series:
            baselines[series] = float(one.baseline_value)
    return {"aiwf_workflow_cost_usd": costs, "aiwf_cost_baseline_usd": baselines}


def anomaly_gauges(
    anomalies: Iterable[Anomaly],
    today: date,
    today_began_at: datetime,
    now: datetime,
    labels: LabelsOf,
) -> dict[str, Values]:
    """Return what is far from usual now, the worst of each workflow: metric → labels → value.

    A cost that was told while its day went on is not told again on the day after.
    """
    ratios: dict[Labels, float] = {}
    runaway: dict[Labels, float] = {}
    observed: dict[Labels, float] = {}
    usual: dict[Labels, float] = {}
    for one in anomalies:
        is_so = now - one.last_seen_at <= STILL_SO
        of_workflow = {"source": one.source, "workflow": one.workflow, "measure": one.measure}
        if one.measure in RUNAWAY_MEASURES:
            series = labels(**of_workflow)
            runaway[series] = max(float(is_so), runaway.get(series, 0))
            if is_so and one.observed_value >= observed.get(series, 0):
                observed[series] = float(one.observed_value)
                usual[series] = float(one.baseline_value)
        elif is_so and not _was_told(one, today, today_began_at):
            series = labels(**of_workflow, window=_window(one.day, today))
            ratios[series] = max(_ratio(one), ratios.get(series, 0))
    return {
        "aiwf_anomaly_ratio": ratios,
        "aiwf_runaway": runaway,
        "aiwf_runaway_observed": observed,
        "aiwf_runaway_usual": usual,
    }


def _window(day: date, today: date) -> str:
    return "today" if day == today else "yesterday"


def _was_told(one: Anomaly, today: date, today_began_at: datetime) -> bool:
    is_past = one.day < today
    return is_past and one.measure is Measure.COST_PER_DAY and one.first_seen_at < today_began_at


def _ratio(one: Anomaly) -> float:
    return float(one.observed_value / one.baseline_value) if one.baseline_value else inf
