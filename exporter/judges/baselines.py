"""Which numbers of a day are far from what is usual for their workflow."""

from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal

from exporter.baseline_settings import BaselineLimits
from exporter.judge_settings import WorkflowSettings
from exporter.records import Comparison, Measure

# Of fewer runs a P95 is the slowest of them, which doubles by chance.
_LEAST_RUNS_OF_P95 = 100
_LEAST_SECONDS = Decimal(1)
LimitsOf = Callable[[str, str], BaselineLimits]
"""(source, workflow) → its limits."""


def limits_of(limits: BaselineLimits, workflows: Sequence[WorkflowSettings]) -> LimitsOf:
    """Return what looks the limits of a workflow up; of several entries the later say more."""

    def of_workflow(source: str, workflow: str) -> BaselineLimits:
        found = limits
        for entry in workflows:
            if entry.is_of(source, workflow):
                found = entry.baselines.over(found)
        return found

    return of_workflow


def anomalous_days(comparisons: Iterable[Comparison], limits: LimitsOf) -> list[Comparison]:
    """Return what is to be flagged; without a baseline nothing is."""
    return [
        comparison
        for comparison in comparisons
        if _is_anomalous(comparison, limits(comparison.source, comparison.workflow))
    ]


def _is_anomalous(seen: Comparison, limits: BaselineLimits) -> bool:
    usual, observed = seen.baseline_value, seen.observed_value
    if usual is None or observed <= 0 or not limits.enabled:
        return False
    is_enough = seen.samples >= limits.least_runs
    match seen.measure:
        case Measure.COST_PER_DAY:
            from_value, is_enough = limits.cost_ratio * usual, observed >= limits.cost_usd
        case Measure.COST_PER_RUN:
            from_value = limits.cost_ratio * usual
            is_enough = is_enough and observed * seen.samples >= limits.cost_usd
        case Measure.DURATION_MEDIAN:
            from_value = max(limits.duration_ratio * usual, _LEAST_SECONDS)
        case Measure.DURATION_P95:
            from_value = max(limits.duration_ratio * usual, _LEAST_SECONDS)
            is_enough = is_enough and seen.samples >= _LEAST_RUNS_OF_P95
        case Measure.ERROR_RATE:
            from_value = usual + limits.error_rate
        case Measure.TOKENS_PER_CALL:
            from_value = limits.tokens_ratio * usual
        case _:
            return False  # of runs and hours: exporter.judges.runaway
    return is_enough and observed >= from_value
