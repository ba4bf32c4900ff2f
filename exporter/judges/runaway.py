"""Which runs and workflows of the last hour are loops that somebody should stop."""

from collections.abc import Iterable
from decimal import Decimal

from exporter.baseline_settings import RunawayLimit, RunawaySettings
from exporter.judges.baselines import LimitsOf
from exporter.records import Comparison, Measure


def limit_of(measure: Measure, settings: RunawaySettings) -> RunawayLimit:
    """Return from when on a number is taken for a loop.

    Raises:
        ValueError: the number is of a day, and shows no loop.
    """
    match measure:
        case Measure.CALLS_PER_RUN:
            return settings.calls_per_run
        case Measure.RETRIES_PER_RUN:
            return settings.retries_per_run
        case Measure.RUNS_PER_HOUR:
            return settings.runs_per_hour
        case _:
            raise ValueError(f"{measure} shows no loop")


def runaways(comparisons: Iterable[Comparison], limits: LimitsOf) -> list[Comparison]:
    """Return what is to be flagged; where nothing is usual yet, nothing is.

    What is usual counts as at least one: three retries are not far beyond none.
    """
    return [
        seen
        for seen in comparisons
        if _is_runaway(seen, limits(seen.source, seen.workflow).runaway)
        and limits(seen.source, seen.workflow).enabled
    ]


def _is_runaway(seen: Comparison, settings: RunawaySettings) -> bool:
    if seen.baseline_value is None or not settings.enabled:
        return False
    limit = limit_of(seen.measure, settings)
    usual: Decimal = max(seen.baseline_value, Decimal(1))
    return seen.observed_value >= limit.least and seen.observed_value >= limit.ratio * usual
