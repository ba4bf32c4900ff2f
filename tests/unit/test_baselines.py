"""Which numbers are far from usual: the limits, and that nothing unknown is flagged."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from exporter.baseline_settings import BaselineSettings, RunawaySettings, WorkflowBaselineSettings
from exporter.judge_settings import WorkflowSettings
from exporter.judges.baselines import anomalous_days, limits_of
from exporter.judges.runaway import limit_of, runaways
from exporter.records import RUNAWAY_MEASURES, Comparison, Measure

TODAY = datetime(2026, 11, 24, tzinfo=UTC).date()
LIMITS = limits_of(BaselineSettings(), ())


def seen(measure: Measure, usual: str | None, observed: str, samples: int = 100) -> Comparison:
    return Comparison(
        source="n8n",
        workflow_id="1",
        workflow="Posts",
        measure=measure,
        day=TODAY,
        baseline_value=None if usual is None else Decimal(usual),
        observed_value=Decimal(observed),
        samples=samples,
    )


def is_flagged(*facts: Any, **settings: Any) -> bool:
    one = seen(*facts)
    limits = limits_of(BaselineSettings(**settings), ())
    judge = runaways if one.measure in RUNAWAY_MEASURES else anomalous_days
    return judge([one], limits) == [one]


def test_45_usd_against_20_usd_are_far_from_usual_with_both_numbers() -> None:
    (found,) = anomalous_days([seen(Measure.COST_PER_DAY, "20", "45", 1)], LIMITS)

    assert (Decimal(20), Decimal(45)) == (found.baseline_value, found.observed_value)


@pytest.mark.parametrize(
    ("measure", "usual", "below", "reached"),
    [
        (Measure.COST_PER_DAY, "20", "39.99", "40"),
        (Measure.COST_PER_DAY, "0.1", "0.99", "1"),  # small change
        (Measure.COST_PER_DAY, "0", "0.99", "1"),  # of nothing, one dollar is far
        (Measure.COST_PER_RUN, "0.2", "0.39", "0.4"),
        (Measure.COST_PER_RUN, "0.001", "0.0099", "0.01"),  # 100 runs: 1 USD
        (Measure.DURATION_MEDIAN, "10", "19.9", "20"),
        (Measure.DURATION_MEDIAN, "0.1", "0.9", "1"),  # below a second
        (Measure.DURATION_P95, "10", "19.9", "20"),
        (Measure.ERROR_RATE, "0.05", "0.149", "0.15"),
        (Measure.ERROR_RATE, "0", "0.09", "0.1"),
        (Measure.TOKENS_PER_CALL, "1000", "1999", "2000"),
        (Measure.CALLS_PER_RUN, "20", "59", "60"),
        (Measure.CALLS_PER_RUN, "0", "49", "50"),
        (Measure.RETRIES_PER_RUN, "5", "14", "15"),
        (Measure.RETRIES_PER_RUN, "0", "9", "10"),
        (Measure.RUNS_PER_HOUR, "60", "299", "300"),
        (Measure.RUNS_PER_HOUR, "1", "99", "100"),
    ],
)
def test_a_number_is_flagged_from_its_limit_on(
    measure: Measure, usual: str, below: str, reached: str
) -> None:
    assert not is_flagged(measure, usual, below)
    assert is_flagged(measure, usual, reached)


@pytest.mark.parametrize("measure", Measure)
def test_where_nothing_is_usual_nothing_is_flagged(measure: Measure) -> None:
    assert not is_flagged(measure, None, "1000000")


@pytest.mark.parametrize("measure", Measure)
def test_nothing_of_a_workflow_that_is_left_alone_is_flagged(measure: Measure) -> None:
    assert is_flagged(measure, "1", "1000000")
    assert not is_flagged(measure, "1", "1000000", enabled=False)


@pytest.mark.parametrize("measure", RUNAWAY_MEASURES)
def test_loops_alone_can_be_switched_off(measure: Measure) -> None:
    off = RunawaySettings(enabled=False)

    assert not is_flagged(measure, "1", "1000000", runaway=off)
    assert is_flagged(Measure.COST_PER_DAY, "20", "45", runaway=off)


@pytest.mark.parametrize(
    ("measure", "least"),
    [
        (Measure.COST_PER_DAY, 1),
        (Measure.COST_PER_RUN, 30),
        (Measure.DURATION_MEDIAN, 30),
        (Measure.DURATION_P95, 100),
        (Measure.ERROR_RATE, 30),
        (Measure.TOKENS_PER_CALL, 30),
    ],
)
def test_a_number_of_few_runs_says_little(measure: Measure, least: int) -> None:
    assert is_flagged(measure, "0.2", "50", least)
    assert least == 1 or not is_flagged(measure, "0.2", "50", least - 1)


def test_a_day_without_cost_is_not_far_from_a_usual_day_without_cost() -> None:
    assert not is_flagged(Measure.COST_PER_DAY, "0", "0", cost_usd=0)


def test_a_number_of_a_day_has_no_limit_of_loops() -> None:
    with pytest.raises(ValueError, match="cost_per_day"):
        limit_of(Measure.COST_PER_DAY, RunawaySettings())


def test_a_workflow_says_only_what_is_another_for_it() -> None:
    posts = WorkflowSettings(
        workflow="Posts", baselines=WorkflowBaselineSettings(cost_ratio=Decimal(3))
    )
    in_n8n = WorkflowSettings(
        workflow="Posts", source="n8n", baselines=WorkflowBaselineSettings(least_runs=5)
    )
    limits = limits_of(BaselineSettings(cost_usd=Decimal(7)), (posts, in_n8n))

    assert (Decimal(3), Decimal(7), 5) == _said(limits("n8n", "Posts"))
    assert (Decimal(3), Decimal(7), 30) == _said(limits("code", "Posts"))
    assert (Decimal(2), Decimal(7), 30) == _said(limits("n8n", "Others"))


def _said(limits: Any) -> tuple[Decimal, Decimal, int]:
    return limits.cost_ratio, limits.cost_usd, limits.least_runs
