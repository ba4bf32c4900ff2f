"""Loops: found at the first look after they show, and never where everything is as usual."""

import random
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal

import pytest

from exporter.records import ExecutionStatus
from tests.baseline_records import Weeks
from tests.integration.baseline_looks import DAY, NOW, TODAY, WEEK, Ours, looking, polled, shown

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


@pytest.fixture
def ours(one_database_url: str) -> Iterator[Ours]:
    with looking(one_database_url) as found:
        yield found


def usual_runs(days: int = 10, *, calls: int = 8, retried: int = 0) -> Weeks:
    """Five runs a day, alike."""
    weeks = Weeks()
    for day in range(1, days + 1):
        for hour in range(5):
            weeks.run(TODAY - day * DAY + hour * HOUR, calls=calls, retried=retried)
    return weeks


# Calls and retries of one run.


def test_a_run_that_calls_far_more_often_is_flagged_while_it_still_runs(ours: Ours) -> None:
    weeks = usual_runs(calls=20)
    loop = weeks.run(NOW - 2 * MINUTE, calls=60, status=ExecutionStatus.RUNNING, seconds=None)
    ours.write(weeks)

    ours.look()

    assert [("calls_per_run", TODAY.date(), Decimal(20), Decimal(60))] == ours.anomalies()
    assert [("run", loop.execution_id, loop.created_at)] == ours.anomalies(
        "period", "execution_id", "created_at"
    )


def test_a_run_that_began_hours_ago_counts_with_all_its_calls(ours: Ours) -> None:
    weeks = usual_runs(calls=20)
    # A call a second for 70 minutes, of which the first ten are not in the last hour.
    weeks.run(NOW - timedelta(minutes=70), calls=4200, seconds=4200)
    ours.write(weeks)

    ours.look()

    assert [(Decimal(20), Decimal(4200))] == ours.anomalies("baseline_value", "observed_value")


def test_a_run_below_fifty_calls_is_no_loop_however_few_are_usual(ours: Ours) -> None:
    weeks = usual_runs(calls=1)
    weeks.run(NOW - 2 * MINUTE, calls=49)
    ours.write(weeks)

    ours.look()

    assert [] == ours.anomalies()


def test_a_run_of_a_workflow_whose_runs_are_large_is_no_loop(ours: Ours) -> None:
    weeks = usual_runs(calls=40)
    weeks.run(NOW - 2 * MINUTE, calls=119)
    ours.write(weeks)

    ours.look()

    assert [] == ours.anomalies()


def test_of_fewer_than_twenty_runs_nothing_is_usual(ours: Ours) -> None:
    weeks = usual_runs(days=3)  # fifteen runs
    weeks.run(NOW - 2 * MINUTE, calls=500)
    ours.write(weeks)

    ours.look()

    assert [] == ours.anomalies()


def test_a_run_that_was_flagged_does_not_become_usual(ours: Ours) -> None:
    weeks = usual_runs()
    weeks.run(NOW - 2 * HOUR, calls=300)
    ours.write(weeks)
    ours.look(NOW - 110 * MINUTE)
    again = Weeks()
    again.run(NOW - 2 * MINUTE, calls=300)
    ours.write(again)

    ours.look()

    assert [(Decimal(8),), (Decimal(8),)] == ours.anomalies("baseline_value")


def test_a_loop_over_midnight_is_one_flag(ours: Ours) -> None:
    weeks = usual_runs()
    weeks.run(TODAY + DAY - 10 * MINUTE, calls=100, seconds=None, status=ExecutionStatus.RUNNING)
    ours.write(weeks)

    ours.look(TODAY + DAY - MINUTE)
    ours.look(TODAY + DAY + MINUTE)

    assert [(TODAY.date(), TODAY + DAY - MINUTE, TODAY + DAY + MINUTE)] == ours.anomalies(
        "day", "first_seen_at", "last_seen_at"
    )


def test_retries_of_calls_are_counted_by_run(ours: Ours) -> None:
    weeks = usual_runs(calls=4, retried=1)
    weeks.run(NOW - 2 * MINUTE, calls=20, retried=12)
    weeks.run(NOW - 2 * MINUTE, calls=20, retried=9)  # below ten
    ours.write(weeks)

    ours.look()

    assert [("retries_per_run", TODAY.date(), Decimal(1), Decimal(12))] == ours.anomalies()


def test_tries_of_a_step_count_beyond_the_first_also_where_each_is_told(ours: Ours) -> None:
    weeks = usual_runs(calls=0)
    last_only = weeks.run(NOW - 2 * MINUTE, calls=0)
    each_told = weeks.run(NOW - 3 * MINUTE, calls=0)
    weeks.tried(last_only, "load", [15])
    weeks.tried(each_told, "load", range(1, 12))
    ours.write(weeks)

    ours.look()

    # 15 tries are 14 retries; 1 to 11 are 10.
    assert {(last_only.execution_id, 14), (each_told.execution_id, 10)} == set(
        ours.anomalies("execution_id", "observed_value")
    )


# Runs of an hour.


def hours_of(runs: int) -> Weeks:
    """So many runs in the hours around this one, on the same weekday of four weeks."""
    weeks = Weeks()
    for week in range(1, 5):
        for place in range(runs):
            at = NOW - week * WEEK - timedelta(minutes=30) + place * timedelta(seconds=5)
            weeks.run(at, calls=0)
    return weeks


def test_runs_far_beyond_the_same_hours_of_the_weekday_are_flagged(ours: Ours) -> None:
    weeks = hours_of(30)
    for place in range(150):
        weeks.run(NOW - 5 * MINUTE + place * timedelta(seconds=1), calls=0)
    ours.write(weeks)

    ours.look(NOW - 4 * MINUTE)
    assert [] == ours.anomalies()

    # Five times thirty are reached three minutes and a half later.
    ours.look()
    assert [("runs_per_hour", TODAY.date(), Decimal(30), Decimal(150))] == ours.anomalies()


def test_a_burst_at_an_hour_without_custom_is_held_against_the_busiest_hour(ours: Ours) -> None:
    weeks = Weeks()
    for day in (2, 3, 4):  # at one in the morning
        for place in range(40):
            weeks.run(TODAY - day * DAY + HOUR + place * MINUTE, calls=0)
    for place in range(190):
        weeks.run(NOW - timedelta(seconds=place + 1), calls=0)
    ours.write(weeks)
    ours.look()
    assert [] == ours.anomalies()

    more = Weeks()
    for place in range(10):
        more.run(NOW - timedelta(seconds=place + 1), calls=0)
    ours.write(more)
    ours.look()

    assert [(Decimal(40), Decimal(200))] == ours.anomalies("baseline_value", "observed_value")


def test_a_workflow_of_two_days_has_no_usual_hour(ours: Ours) -> None:
    weeks = Weeks()
    for day in (2, 3):
        weeks.run(TODAY - day * DAY)
    for place in range(300):
        weeks.run(NOW - timedelta(seconds=place + 1), calls=0)
    ours.write(weeks)

    ours.look()

    assert [] == ours.anomalies()


# What is shown.


def test_a_loop_is_shown_with_both_numbers_and_then_as_over(ours: Ours) -> None:
    weeks = usual_runs()
    weeks.run(NOW - 2 * MINUTE, calls=100)
    ours.write(weeks)
    ours.look()
    jobs, exposition = ours.exporter()
    series = '{measure="calls_per_run",source="code",workflow="Weekly report"}'

    jobs.show(NOW)
    polled(exposition)
    assert {series: 1} == shown(exposition, NOW, "aiwf_runaway")
    assert {series: 100} == shown(exposition, NOW, "aiwf_runaway_observed")
    assert {series: 8} == shown(exposition, NOW, "aiwf_runaway_usual")

    later = NOW + 2 * HOUR
    ours.look(later)
    jobs.show(later)
    polled(exposition, later)
    assert {series: 0} == shown(exposition, later, "aiwf_runaway")
    assert {} == shown(exposition, later, "aiwf_runaway_observed")

    jobs.show(NOW + 2 * DAY)
    polled(exposition, NOW + 2 * DAY)
    assert {} == shown(exposition, NOW + 2 * DAY, "aiwf_runaway")


# Nothing is flagged where nothing is the matter.


def test_a_steady_month_has_no_false_alarm(ours: Ours) -> None:
    """Four weeks are watched, by the hour, after two that are learnt from."""
    chance = random.Random(6)
    busy, nightly, weekly = Weeks("Busy"), Weeks("Nightly"), Weeks("Weekly")
    for day in range(42):
        at = TODAY - (42 - day) * DAY
        runs = 40 if at.weekday() < 5 else 12
        for _ in range(runs):
            moment = at + 8 * HOUR + chance.random() * 10 * HOUR
            is_error = chance.random() < 0.04
            busy.run(
                moment,
                calls=1 + int(chance.expovariate(0.4)),
                usd=Decimal(str(round(0.2 * chance.lognormvariate(0, 0.5), 4))),
                seconds=20 * chance.lognormvariate(0, 0.5),
                status=ExecutionStatus.ERROR if is_error else ExecutionStatus.SUCCESS,
                tokens=int(1500 * chance.lognormvariate(0, 0.5)),
            )
        usd = Decimal(str(round(9 * chance.lognormvariate(0, 0.15), 4)))
        nightly.run(at + 2 * HOUR, calls=30 + chance.randrange(20), usd=usd, seconds=900)
        if at.weekday() == 0:
            weekly.run(at + 6 * HOUR, calls=10, usd="25", seconds=300)
    ours.write(busy, nightly, weekly)

    jobs, _ = ours.exporter()
    for hour in range(28 * 24):
        now = TODAY - 28 * DAY + hour * HOUR + timedelta(minutes=59)
        jobs.look_for_loops(now)
        if hour % 24 in (6, 23):
            jobs.look_at_days(now)

    assert [] == ours.anomalies("workflow", "measure", "day", "baseline_value", "observed_value")
    # It would have told: the next night costs three times as much.
    nightly.records.clear()
    nightly.run(TODAY + 2 * HOUR, calls=160, usd="27")
    ours.write(nightly)
    jobs.look_at_days(TODAY + 3 * HOUR)
    jobs.look_for_loops(TODAY + 2 * HOUR + MINUTE)
    assert [("Nightly", "calls_per_run"), ("Nightly", "cost_per_day")] == ours.anomalies(
        "workflow", "measure"
    )


def test_a_business_that_grows_by_ten_percent_a_week_is_not_flagged(ours: Ours) -> None:
    weeks = Weeks()
    for day in range(56):
        at = TODAY - (56 - day) * DAY
        size = 1.1 ** (day / 7)
        cost = Decimal(str(round(20 * size, 4)))
        for place in range(int(40 * size)):
            weeks.run(at + place * 5 * MINUTE, usd=cost if place == 0 else "0", calls=1)
    ours.write(weeks)

    jobs, _ = ours.exporter()
    for day in range(14, 57):
        now = TODAY - (56 - day) * DAY
        jobs.look_at_days(now)
        jobs.look_for_loops(now - 10 * HOUR)

    assert [] == ours.anomalies()
