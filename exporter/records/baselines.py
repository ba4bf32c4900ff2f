"""What is compared with what is usual for a workflow, and what of it was far from usual."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum


class Measure(StrEnum):
    """A number that has a usual value."""

    COST_PER_DAY = "cost_per_day"  # USD
    COST_PER_RUN = "cost_per_run"  # USD
    DURATION_MEDIAN = "duration_median"  # seconds
    DURATION_P95 = "duration_p95"  # seconds
    ERROR_RATE = "error_rate"  # failed of ended runs
    TOKENS_PER_CALL = "tokens_per_call"
    CALLS_PER_RUN = "calls_per_run"
    RETRIES_PER_RUN = "retries_per_run"
    RUNS_PER_HOUR = "runs_per_hour"


RUNAWAY_MEASURES = (Measure.CALLS_PER_RUN, Measure.RETRIES_PER_RUN, Measure.RUNS_PER_HOUR)
"""What shows a loop while it runs; the others are of a day."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A number of a workflow, and what is usual for it."""

    source: str
    workflow_id: str
    workflow: str
    measure: Measure
    day: date  # that it is of, in the zone of the baselines; of a run or hour: the present one
    baseline_value: Decimal | None  # None: not known
    observed_value: Decimal
    samples: int = 1  # runs or calls that the number is of
    execution_id: str = ""  # of one run; empty: of the workflow
    created_at: datetime | None = None  # of the execution


@dataclass(frozen=True, slots=True, kw_only=True)
class Anomaly:
    """A number that was far from usual, as it is stored."""

    source: str
    workflow_id: str
    workflow: str
    measure: Measure
    day: date
    baseline_value: Decimal
    observed_value: Decimal
    execution_id: str
    first_seen_at: datetime
    last_seen_at: datetime
