"""What is usual for a workflow: medians by hand, unknown days, zones, flags written once."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from exporter.records import ExecutionStatus, Workflow
from tests.baseline_records import Weeks
from tests.integration.baseline_looks import DAY, NOW, TODAY, WEEK, Ours, looking, polled, shown


@pytest.fixture
def ours(database_url: str) -> Iterator[Ours]:
    with looking(database_url) as found:
        yield found


def weeks_of(*usd: str | None, at: datetime = TODAY, workflow: str = "Weekly report") -> Weeks:
    """A run at ten on the same weekday of the weeks before, the newest first."""
    weeks = Weeks(workflow)
    for number, cost in enumerate(usd, start=1):
        weeks.day(at - number * WEEK + timedelta(hours=10), cost)
    return weeks


# What is usual.


def test_usual_is_the_median_of_the_same_weekday_in_four_weeks(ours: Ours) -> None:
    weeks = weeks_of("18", "21", "19", "90", "1000")  # the fifth week is too long ago
    for days in (1, 2, 8, 9, 15):
        weeks.day(TODAY - days * DAY, "500")  # other weekdays
    ours.write(weeks)

    ours.look()

    # 18, 19, 21, 90: between 19 and 21.
    assert (Decimal(20), "weekday", 4) == ours.baseline()


def test_a_weekday_without_a_run_is_unknown_and_three_weeks_are_enough(ours: Ours) -> None:
    weeks = weeks_of("18")
    weeks.day(TODAY - 3 * WEEK, "30")
    weeks.day(TODAY - 4 * WEEK, "20")
    ours.write(weeks)

    ours.look()

    assert (Decimal(20), "weekday", 3) == ours.baseline()


def test_with_two_such_weekdays_the_last_days_with_runs_are_usual(ours: Ours) -> None:
    weeks = weeks_of("100", "100")
    for days, usd in ((1, "4"), (2, "6"), (3, "8")):
        weeks.day(TODAY - days * DAY, usd)
    ours.write(weeks)

    ours.look()

    # 4, 6, 8, 100, 100.
    assert (Decimal(8), "recent", 5) == ours.baseline()


def test_of_more_than_fourteen_days_with_runs_the_newest_are_usual(ours: Ours) -> None:
    weeks = Weeks()
    others = [days for days in range(1, 28) if days % 7]
    for place, days in enumerate(others):
        weeks.day(TODAY - days * DAY, "7" if place < 14 else "1000")
    ours.write(weeks)

    ours.look()

    assert (Decimal(7), "recent", 14) == ours.baseline()


def test_a_new_workflow_has_nothing_usual_and_is_not_flagged(ours: Ours) -> None:
    weeks = Weeks()
    weeks.day(TODAY - 2 * DAY, "1")
    weeks.day(TODAY - DAY, "1")
    weeks.day(TODAY, "500")
    ours.write(weeks)

    ours.look()

    assert ours.baseline() is None
    assert [] == ours.anomalies()


def test_a_day_whose_calls_have_no_price_is_unknown_and_not_free(ours: Ours) -> None:
    ours.write(weeks_of(None, None, "30", "10"))

    ours.look()

    assert ours.baseline() is None


def test_a_day_on_which_runs_cost_nothing_is_known(ours: Ours) -> None:
    ours.write(weeks_of("0", "0", "0", "10"))

    ours.look()

    assert (Decimal(0), "weekday", 4) == ours.baseline()


def test_every_measure_of_a_day_has_its_own_usual(ours: Ours) -> None:
    weeks = Weeks()
    for number in range(1, 5):
        at = TODAY - number * WEEK
        # Three runs of 1, 10 and 100 s, one of which fails; 6 USD; calls of 1,000 tokens.
        weeks.run(at, usd="6", seconds=1)
        weeks.run(at, seconds=10)
        weeks.run(at, seconds=100, status=ExecutionStatus.ERROR)
    ours.write(weeks)

    ours.look()

    usual = {
        measure: ours.baseline(measure)[0]  # type: ignore[index]
        for measure in (
            "cost_per_day",
            "cost_per_run",
            "duration_median",
            "duration_p95",
            "error_rate",
            "tokens_per_call",
        )
    }
    assert (Decimal(6), Decimal(2), Decimal(1000)) == (
        usual["cost_per_day"],
        usual["cost_per_run"],
        usual["tokens_per_call"],
    )
    assert float(usual["duration_median"]) == pytest.approx(10, rel=0.02)
    assert float(usual["duration_p95"]) == pytest.approx(100, rel=0.02)
    assert float(usual["error_rate"]) == pytest.approx(1 / 3)


def test_days_begin_in_the_chosen_zone_also_where_clocks_change(ours: Ours) -> None:
    # Berlin left summer time on Sunday 25 October 2026: that day has 25 hours. The Sundays before
    # begin at 22:00 UTC, and those after at 23:00 UTC.
    berlin = ZoneInfo("Europe/Berlin")
    weeks = Weeks()
    sunday = datetime(2026, 11, 15, tzinfo=berlin)
    for day, usd in ((8, "10"), (1, "20")):
        midnight = datetime(2026, 11, day, tzinfo=berlin).astimezone(UTC)
        weeks.day(midnight, usd)
        weeks.day(midnight - timedelta(hours=1), "700")  # still Saturday
    for day, usd in ((25, "40"), (18, "30")):
        midnight = datetime(2026, 10, day, tzinfo=berlin).astimezone(UTC)
        weeks.day(midnight, usd)
        weeks.day(midnight - timedelta(hours=1), "700")
    # The last of the 25 hours.
    weeks.day(datetime(2026, 10, 25, 22, 30, tzinfo=UTC), "2")
    ours.write(weeks)

    ours.look(sunday + timedelta(hours=12), baselines={"zone": "Europe/Berlin"})

    # 10, 20, 42, 30.
    assert (Decimal(25), "weekday", 4) == ours.baseline(day=sunday.date())


# What is far from it.


def test_45_usd_against_20_are_flagged_with_both_numbers(ours: Ours) -> None:
    weeks = weeks_of("20", "20", "19", "21")
    weeks.day(TODAY + timedelta(hours=1), "45")
    ours.write(weeks)

    ours.look()

    assert [("cost_per_day", TODAY.date(), Decimal(20), Decimal(45))] == ours.anomalies()
    assert [("day", None, 2.25)] == ours.anomalies("period", "execution_id", "ratio")


def test_just_below_twice_is_left_alone(ours: Ours) -> None:
    weeks = weeks_of("20", "20", "20")
    weeks.day(TODAY, "39.99")
    ours.write(weeks)

    ours.look()

    assert [] == ours.anomalies()


def test_yesterday_is_compared_as_a_whole_with_its_own_weekday(ours: Ours) -> None:
    yesterday = TODAY - DAY
    weeks = weeks_of("3", "3", "3", "3", at=yesterday)
    weeks.records += weeks_of("100", "100", "100").records  # Tuesdays
    weeks.day(yesterday + timedelta(hours=23, minutes=30), "7")
    ours.write(weeks)

    ours.look()

    assert [("cost_per_day", yesterday.date(), Decimal(3), Decimal(7))] == ours.anomalies()


def test_of_today_only_the_cost_is_judged(ours: Ours) -> None:
    weeks = weeks_of("4", "4", "4", "4")
    for minute in range(40):
        weeks.run(TODAY + timedelta(minutes=minute), status=ExecutionStatus.ERROR, seconds=500)
    ours.write(weeks)

    ours.look()
    assert [] == ours.anomalies()

    ours.look(NOW + DAY)
    assert [("duration_median",), ("error_rate",)] == ours.anomalies("measure")


def test_a_flag_is_written_once_over_restarts_and_two_exporters(ours: Ours) -> None:
    weeks = weeks_of("20", "20", "20")
    weeks.day(TODAY, "45")
    ours.write(weeks)

    for minutes in (0, 0, 2, 4):
        ours.look(NOW + timedelta(minutes=minutes))

    assert [(NOW, NOW + timedelta(minutes=4))] == ours.anomalies("first_seen_at", "last_seen_at")


def test_a_flag_keeps_the_worst_that_was_seen(ours: Ours) -> None:
    weeks = weeks_of("20", "20", "20")
    weeks.day(TODAY, "45")
    ours.write(weeks)
    ours.look()
    more = Weeks()
    more.day(TODAY + timedelta(hours=2), "15")
    ours.write(more)

    ours.look(NOW + timedelta(minutes=2))

    assert [("cost_per_day", TODAY.date(), Decimal(20), Decimal(60))] == ours.anomalies()


def test_what_is_usual_is_found_again_unchanged(ours: Ours) -> None:
    ours.write(weeks_of("20", "30", "10"))
    query = "SELECT measure, as_of_day, baseline_value, sample_days FROM baselines ORDER BY 1, 2"

    ours.look()
    first = ours.execute(query)
    ours.look(NOW + timedelta(hours=1))

    assert first
    assert first == ours.execute(query)


def test_what_is_no_longer_usual_is_forgotten(ours: Ours) -> None:
    ours.write(weeks_of("20", "30", "10"))
    ours.look()
    ours.execute("DELETE FROM llm_calls_hourly RETURNING 1")
    ours.execute("DELETE FROM executions_hourly RETURNING 1")

    ours.look(NOW + timedelta(hours=1))

    assert ours.baseline() is None


def test_a_source_whose_history_is_still_read_is_not_judged(ours: Ours) -> None:
    weeks = weeks_of("20", "20", "20")
    weeks.day(TODAY, "45")
    ours.write(weeks)
    ours.execute("UPDATE cursors SET caught_up = false RETURNING 1")

    ours.look()
    assert [] == ours.anomalies()

    ours.execute("UPDATE cursors SET caught_up = true RETURNING 1")
    ours.look()
    assert [("cost_per_day",)] == ours.anomalies("measure")


def test_a_workflow_may_have_limits_of_its_own(ours: Ours) -> None:
    for workflow in ("usual", "bursty", "unwatched"):
        weeks = weeks_of("20", "20", "20", workflow=workflow)
        weeks.day(TODAY, "45")
        ours.write(weeks)

    ours.look(
        workflows=[
            {"workflow": "bursty", "baselines": {"cost_ratio": 3}},
            {"workflow": "unwatched", "baselines": {"enabled": False}},
        ]
    )

    assert [("usual",)] == ours.anomalies("workflow")


# What is shown.


def test_an_exporter_shows_what_another_wrote(ours: Ours) -> None:
    weeks = weeks_of("20", "20", "20")
    weeks.day(TODAY, "45")
    ours.write(weeks)
    ours.look()
    jobs, exposition = ours.exporter()
    polled(exposition)

    jobs.show(NOW)

    series = '{source="code",window="today",workflow="Weekly report"}'
    assert {series: 45} == shown(exposition, NOW, "aiwf_workflow_cost_usd")
    assert {series: 20} == shown(exposition, NOW, "aiwf_cost_baseline_usd")
    assert {'{measure="cost_per_day",' + series[1:]: 2.25} == shown(
        exposition, NOW, "aiwf_anomaly_ratio"
    )


def test_a_workflow_that_is_gone_is_no_longer_shown(ours: Ours) -> None:
    weeks = weeks_of("20", "20", "20")
    weeks.day(TODAY, "45")
    ours.write(weeks)
    jobs, exposition = ours.exporter()
    jobs.look_at_days(NOW)
    later = NOW + 3 * DAY

    jobs.show(NOW)
    polled(exposition)
    assert shown(exposition, NOW, "aiwf_workflow_cost_usd")
    jobs.show(later)
    polled(exposition, later)

    assert {} == shown(exposition, later, "aiwf_workflow_cost_usd")
    assert {} == shown(exposition, later, "aiwf_anomaly_ratio")


def test_a_cost_that_was_told_today_is_not_told_again_tomorrow(ours: Ours) -> None:
    yesterday = weeks_of("20", "20", "20")
    yesterday.day(TODAY, "45")
    late = weeks_of("20", "20", "20", workflow="Late")
    ours.write(yesterday, late)
    jobs, exposition = ours.exporter()
    jobs.look_at_days(NOW)
    late = Weeks("Late")
    late.day(TODAY + timedelta(hours=23), "45")
    ours.write(late)
    tomorrow = NOW + DAY

    jobs.look_at_days(tomorrow)
    jobs.show(tomorrow)
    polled(exposition, tomorrow)

    assert {'{measure="cost_per_day",source="code",window="yesterday",workflow="Late"}': 2.25} == (
        shown(exposition, tomorrow, "aiwf_anomaly_ratio")
    )


def test_a_renamed_workflow_keeps_what_is_usual(ours: Ours) -> None:
    weeks = weeks_of("20", "20", "20")
    ours.write(weeks)
    renamed = Weeks()
    renamed.records.append(
        Workflow(source="code", workflow_id="Weekly report", workflow="New name", active=True)
    )
    ours.write(renamed)

    ours.look()

    assert (Decimal(20), "weekday", 3) == ours.baseline(workflow="New name")
