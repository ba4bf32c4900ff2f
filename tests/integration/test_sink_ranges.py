"""The functions of a range give exactly what the raw rows say, before and after retention."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exporter.settings import RetentionSettings
from exporter.sinks.housekeeping import retain
from tests import databases
from tests.conftest import connect
from tests.sources.by_hand import differences
from tests.sources.made_up import BEGUN, history, write

HOURS = 30
# Far enough behind the oldest row that retention in these tests is ours alone.
NOW = BEGUN + timedelta(hours=HOURS)
Ours = psycopg.Connection[dict[str, Any]]

RAW_EXECUTIONS = """
    SELECT source, workflow_id, status, count(*) AS runs, count(duration_seconds) AS timed_runs,
        sum(round(coalesce(duration_seconds, 0)::numeric, 6)) AS duration_seconds,
        sum(coalesce(items_total, 0))::bigint AS items_total,
        sum(coalesce(items_failed, 0))::bigint AS items_failed
    FROM {executions} WHERE created_at BETWEEN %(start)s AND %(end)s
    GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"""
TOTALS = """
    SELECT source, workflow_id, status, runs, timed_runs, duration_seconds, items_total,
        items_failed
    FROM v_execution_totals(%(start)s, %(end)s) ORDER BY 1, 2, 3"""
RAW_DURATIONS = """
    SELECT source, workflow_id, status, duration_bucket(duration_seconds) AS duration_bucket,
        count(*) AS runs
    FROM {executions}
    WHERE created_at BETWEEN %(start)s AND %(end)s AND duration_seconds IS NOT NULL
    GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4"""
DURATIONS = """
    SELECT * FROM v_execution_durations(%(start)s, %(end)s) ORDER BY 1, 2, 3, 4"""
RAW_CALLS = """
    SELECT source, workflow_id, provider, model, status, customer, count(*) AS calls,
        count(*) FILTER (WHERE tokens_estimated) AS estimated_calls,
        count(*) FILTER (WHERE status = 'success' AND input_tokens IS NULL) AS unmetered_calls,
        count(*) FILTER (WHERE status = 'success' AND cost_usd IS NULL) AS unpriced_calls,
        sum(coalesce(input_tokens, 0))::bigint AS input_tokens,
        sum(coalesce(output_tokens, 0))::bigint AS output_tokens,
        sum(coalesce(cost_usd, 0)) AS cost_usd, count(latency_seconds) AS timed_calls,
        sum(round(coalesce(latency_seconds, 0)::numeric, 6)) AS latency_seconds
    FROM {llm_calls} WHERE started_at BETWEEN %(start)s AND %(end)s
    GROUP BY 1, 2, 3, 4, 5, 6 ORDER BY 1, 2, 3, 4, 5, 6"""
CALLS = """
    SELECT source, workflow_id, provider, model, status, customer, calls, estimated_calls,
        unmetered_calls, unpriced_calls, input_tokens, output_tokens, cost_usd, timed_calls,
        latency_seconds
    FROM v_llm_totals(%(start)s, %(end)s) ORDER BY 1, 2, 3, 4, 5, 6"""
PAIRS = {
    "executions": (RAW_EXECUTIONS, TOTALS),
    "durations": (RAW_DURATIONS, DURATIONS),
    "calls": (RAW_CALLS, CALLS),
}


def _compare(
    ours: Ours, suffix: str, start: datetime, end: datetime, *, raw_start: datetime
) -> None:
    for name, (raw, view) in PAIRS.items():
        query = raw.format(executions=f"executions{suffix}", llm_calls=f"llm_calls{suffix}")
        expected = ours.execute(query.encode(), {"start": raw_start, "end": end}).fetchall()
        found = ours.execute(view.encode(), {"start": start, "end": end}).fetchall()
        assert expected == found, name


@pytest.fixture(scope="module")
def ours(plain_server: str, migrated: Any) -> Iterator[Ours]:
    """A day of history."""
    with databases.new_database(plain_server, template=migrated(plain_server)) as url:
        write(url, history(seed=1, hours=HOURS, executions=2000))
        with connect(url) as connection:
            yield connection


@pytest.fixture(scope="module")
def retained(plain_server: str, migrated: Any) -> Iterator[tuple[Ours, datetime]]:
    """The same, its first ten hours gone from the raw tables; they are kept aside."""
    with databases.new_database(plain_server, template=migrated(plain_server)) as url:
        write(url, history(seed=2, hours=HOURS, executions=2000))
        with connect(url) as connection:
            connection.execute("CREATE TABLE executions_before AS SELECT * FROM executions")
            connection.execute("CREATE TABLE llm_calls_before AS SELECT * FROM llm_calls")
            connection.autocommit = False
            kept = RetentionSettings(executions=timedelta(hours=20), llm_content=timedelta(hours=5))
            retain(connection, kept, NOW)
            connection.autocommit = True
            yield connection, BEGUN + timedelta(hours=10)
        assert {} == differences(url)


moments = st.integers(-3_600_000_000, (HOURS + 4) * 3_600_000_000).map(
    lambda microseconds: BEGUN + timedelta(microseconds=microseconds)
) | st.integers(-1, HOURS + 4).map(lambda hours: BEGUN + timedelta(hours=hours))
examples = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@examples
@given(st.tuples(moments, moments))
def test_any_range_is_exact(ours: Ours, pair: tuple[datetime, datetime]) -> None:
    start, end = sorted(pair)
    _compare(ours, "", start, end, raw_start=start)


@pytest.mark.parametrize("microseconds", [0, 1, 59_999_999, 3_599_999_999])
def test_a_range_shorter_than_an_hour_is_exact(ours: Ours, microseconds: int) -> None:
    row = ours.execute(
        "SELECT created_at FROM executions ORDER BY created_at OFFSET 700"
    ).fetchone()
    assert row is not None
    start = row["created_at"]
    _compare(ours, "", start, start + timedelta(microseconds=microseconds), raw_start=start)


def test_a_range_whose_end_is_before_its_start_is_empty(ours: Ours) -> None:
    query = "SELECT * FROM v_execution_totals(%s, %s)"
    assert [] == ours.execute(query, [NOW, BEGUN]).fetchall()


@examples
@given(st.tuples(moments, moments))
def test_after_retention_any_range_of_whole_hours_is_exact(
    retained: tuple[Ours, datetime], pair: tuple[datetime, datetime]
) -> None:
    connection, _ = retained
    start, end = sorted(at.replace(minute=0, second=0, microsecond=0) for at in pair)
    # An end on the hour takes in that very moment, of which no row is known any more.
    _compare(connection, "_before", start, end, raw_start=start)


@examples
@given(st.tuples(moments, moments))
def test_after_retention_a_range_from_behind_the_mark_begins_with_its_whole_hour(
    retained: tuple[Ours, datetime], pair: tuple[datetime, datetime]
) -> None:
    connection, mark = retained
    start, end = sorted(pair)
    if start >= mark or end < mark + timedelta(hours=3):
        return
    first_hour = start.replace(minute=0, second=0, microsecond=0)
    _compare(connection, "_before", start, end, raw_start=first_hour)


@examples
@given(st.tuples(moments, moments))
def test_after_retention_a_range_of_what_is_kept_is_exact(
    retained: tuple[Ours, datetime], pair: tuple[datetime, datetime]
) -> None:
    connection, mark = retained
    start, end = sorted(pair)
    if start < mark:
        return
    _compare(connection, "_before", start, end, raw_start=start)


def test_the_summary_of_a_range_says_what_the_raw_rows_say(ours: Ours) -> None:
    start, end = BEGUN + timedelta(hours=3, minutes=17), BEGUN + timedelta(hours=21, seconds=5)
    found = ours.execute("SELECT * FROM v_execution_summary(%s, %s)", [start, end]).fetchone()
    raw = ours.execute(
        "SELECT count(*) AS runs, count(*) FILTER (WHERE status = 'success') AS succeeded, "
        "count(*) FILTER (WHERE status IN ('error', 'timeout', 'crashed')) AS failed, "
        "count(*) FILTER (WHERE status = 'canceled') AS canceled, "
        "count(*) FILTER (WHERE status = 'running') AS open, avg(duration_seconds) AS average, "
        "percentile_disc(0.95) WITHIN GROUP (ORDER BY duration_seconds) AS p95 "
        "FROM executions WHERE created_at BETWEEN %s AND %s",
        [start, end],
    ).fetchone()

    assert found is not None
    assert raw is not None
    for name in ("runs", "succeeded", "failed", "canceled", "open"):
        assert raw[name] == found[name], name
    assert found["success_ratio"] == pytest.approx(
        raw["succeeded"] / (raw["succeeded"] + raw["failed"])
    )
    assert found["average_seconds"] == pytest.approx(raw["average"])
    assert found["p95_seconds"] == pytest.approx(raw["p95"], rel=0.0101)


def test_the_workflow_summary_says_what_the_raw_rows_say(ours: Ours) -> None:
    start, end = BEGUN + timedelta(minutes=30), BEGUN + timedelta(hours=15, minutes=1)
    found = ours.execute(
        "SELECT workflow_id, runs, failed, llm_calls, cost_usd, p95_seconds "
        "FROM v_workflow_summary(%s, %s) ORDER BY 1",
        [start, end],
    ).fetchall()
    raw = ours.execute(
        "SELECT e.*, c.llm_calls, c.cost_usd FROM (SELECT workflow_id, count(*) AS runs, "
        "count(*) FILTER (WHERE status IN ('error', 'timeout', 'crashed')) AS failed, "
        "percentile_disc(0.95) WITHIN GROUP (ORDER BY duration_seconds) AS p95_seconds "
        "FROM executions WHERE created_at BETWEEN %(start)s AND %(end)s GROUP BY 1) e JOIN ("
        "SELECT workflow_id, count(*) AS llm_calls, sum(coalesce(cost_usd, 0)) AS cost_usd "
        "FROM llm_calls WHERE started_at BETWEEN %(start)s AND %(end)s GROUP BY 1) c "
        "USING (workflow_id) ORDER BY 1",
        {"start": start, "end": end},
    ).fetchall()

    assert len(raw) == len(found) == 3
    for expected, row in zip(raw, found, strict=True):
        assert expected.pop("p95_seconds") == pytest.approx(row.pop("p95_seconds"), rel=0.0101)
        assert expected == row


@given(st.floats(1e-6, 1e9))
@settings(max_examples=200, deadline=None, derandomize=True)
def test_the_middle_of_a_duration_bucket_is_within_one_percent(ours: Ours, seconds: float) -> None:
    row = ours.execute(
        "SELECT duration_bucket_seconds(duration_bucket(%s)) AS middle", [seconds]
    ).fetchone()

    assert row is not None
    assert row["middle"] == pytest.approx(seconds, rel=0.0101)


@pytest.mark.parametrize("seconds", [0.0, 1e-7, 9.9e-7])
def test_what_is_shorter_than_a_microsecond_is_nothing(ours: Ours, seconds: float) -> None:
    row = ours.execute(
        "SELECT duration_bucket_seconds(duration_bucket(%s)) AS middle", [seconds]
    ).fetchone()

    assert {"middle": 0} == row


def test_a_longer_duration_is_never_in_a_lower_bucket(ours: Ours) -> None:
    row = ours.execute(
        "SELECT bool_and(rises) AS rises FROM (SELECT bucket >= lag(bucket, 1, bucket) "
        "OVER (ORDER BY seconds) AS rises FROM (SELECT seconds, duration_bucket(seconds) AS bucket "
        "FROM (SELECT exp(g / 50.0)::float8 AS seconds FROM generate_series(-700, 1000) g) s) b) r"
    ).fetchone()

    assert {"rises": True} == row
    assert datetime.now(UTC) > BEGUN
