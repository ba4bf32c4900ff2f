"""Raw rows leave after their time, the sums stay, and nothing that left is counted again."""

from datetime import timedelta
from typing import Any

import pytest

from exporter.records import ExecutionStatus
from exporter.settings import RetentionSettings
from exporter.sinks.audit import audit
from exporter.sinks.housekeeping import retain, timescale_license
from tests.conftest import connect
from tests.sources.by_hand import counters, differences, one, stored
from tests.sources.made_up import BEGUN, call, execution, history, step, write

HOURS = 48
NOW = BEGUN + timedelta(hours=HOURS)
DAY = RetentionSettings(executions=timedelta(hours=24), llm_content=timedelta(hours=12))
SUMS = (
    "executions_hourly",
    "execution_durations_hourly",
    "llm_calls_hourly",
    "llm_latencies_hourly",
)


def _retain(url: str, settings: RetentionSettings = DAY) -> dict[str, int]:
    with connect(url) as connection:
        connection.autocommit = False
        return retain(connection, settings, NOW)  # type: ignore[arg-type]


def test_rows_past_their_time_are_deleted_and_younger_ones_stay(database_url: str) -> None:
    write(database_url, history(seed=3, hours=HOURS, executions=500))
    older = one(
        database_url,
        "SELECT count(*) FILTER (WHERE leaves) AS older, count(*) FILTER (WHERE NOT leaves) "
        "AS younger FROM (SELECT created_at < %(mark)s AND status <> 'running' AS leaves "
        "FROM executions) e",
        {"mark": BEGUN + timedelta(hours=24)},
    )
    deleted = _retain(database_url)

    assert older["older"] == deleted["executions"]
    assert {"n": older["younger"]} == one(database_url, "SELECT count(*) AS n FROM executions")


def test_the_sums_stay_and_the_audit_finds_no_difference(database_url: str) -> None:
    write(database_url, history(seed=4, hours=HOURS, executions=500))
    before = stored(database_url)
    _retain(database_url)

    after = stored(database_url)
    for table in SUMS:
        assert before[table] == after[table], table
    assert {} == differences(database_url)


def test_what_has_left_is_refused_when_it_comes_again(database_url: str) -> None:
    records = history(seed=5, hours=HOURS, executions=500)
    write(database_url, records)
    _retain(database_url)
    before, counted_before = stored(database_url), counters(database_url)
    write(database_url, records)

    after = stored(database_url)
    for table in (*SUMS, "executions", "llm_calls", "steps", "llm_content"):
        assert before[table] == after[table], table
    refused = [name for name in counters(database_url) if '"expired"' in name]
    assert counted_before == {
        name: value for name, value in counters(database_url).items() if name not in refused
    }
    assert {} == differences(database_url)


def test_what_has_left_and_changed_is_refused_too(one_database_url: str) -> None:
    write(one_database_url, [execution(1)])
    _retain(one_database_url)
    before = stored(one_database_url)
    write(one_database_url, [execution(1, status=ExecutionStatus.ERROR)])

    assert before == stored(one_database_url)


def test_what_is_still_open_stays_and_is_moved_when_it_ends(one_database_url: str) -> None:
    write(one_database_url, [execution(1, status=ExecutionStatus.RUNNING)])
    _retain(one_database_url)
    write(one_database_url, [execution(1)])

    assert {"status": "success", "runs": 1} == one(
        one_database_url, "SELECT status, runs FROM executions_hourly WHERE runs <> 0"
    )


def test_retention_again_deletes_nothing_more(database_url: str) -> None:
    write(database_url, history(seed=6, hours=HOURS, executions=200))
    _retain(database_url)

    assert {0} == set(_retain(database_url).values())


def test_a_longer_retention_later_does_not_bring_the_mark_back(one_database_url: str) -> None:
    """What is deleted stays deleted: if it came again, it would be counted twice."""
    records = history(seed=7, hours=HOURS, executions=200)
    write(one_database_url, records)
    _retain(one_database_url)
    before = stored(one_database_url)
    _retain(one_database_url, RetentionSettings(executions=timedelta(days=90)))
    write(one_database_url, records)

    for table in SUMS:
        assert before[table] == stored(one_database_url)[table], table


def test_texts_leave_before_their_calls(database_url: str) -> None:
    young = execution(1, created_at=NOW - timedelta(hours=18))
    write(database_url, [young, step(young), call(young, prompt="p", response="r")])
    _retain(database_url)

    assert {"calls": 1, "texts": 0} == one(
        database_url,
        "SELECT (SELECT count(*) FROM llm_calls) AS calls, "
        "(SELECT count(*) FROM llm_content) AS texts",
    )


def test_many_hours_leave_at_once_with_a_pause_of_days_between_them(database_url: str) -> None:
    """Rows are deleted in portions: each must leave, also those after a long silence."""
    long_ago = [
        execution(1000 + number, created_at=BEGUN - timedelta(days=9, minutes=17 * number))
        for number in range(30)
    ]
    write(database_url, [*long_ago, *(execution(number) for number in range(300))])
    deleted = _retain(database_url)

    # Chunks that TimescaleDB drops as a whole are not in the number.
    assert deleted["executions"] in {300, 330}
    assert {"n": 0} == one(database_url, "SELECT count(*) AS n FROM executions")


def test_a_call_days_after_its_execution_was_created_is_no_difference_when_that_has_left(
    one_database_url: str,
) -> None:
    """An execution that waited for a person goes on days later: its calls leave with it."""
    waited = execution(1, created_at=NOW - timedelta(hours=30))
    write(
        one_database_url,
        [waited, call(waited, started_at=waited.created_at + timedelta(days=4))],
    )
    _retain(one_database_url)

    assert {} == differences(one_database_url)


def test_a_range_after_the_mark_holds_the_calls_of_executions_created_before_it(
    one_database_url: str,
) -> None:
    """Created ten minutes before the mark, called half an hour after it: the raw row has left."""
    mark = NOW - timedelta(hours=24)
    crossing = execution(1, created_at=mark - timedelta(minutes=10))
    write(one_database_url, [crossing, call(crossing, started_at=mark + timedelta(minutes=30))])
    _retain(one_database_url)

    assert {"calls": 1} == one(
        one_database_url,
        "SELECT coalesce(sum(calls), 0)::int AS calls FROM v_llm_totals(%s, %s)",
        [mark + timedelta(minutes=10), mark + timedelta(hours=5)],
    )


# --- audit -------------------------------------------------------------------------------------


def _audited(url: str) -> dict[str, int]:
    with connect(url) as connection:
        connection.autocommit = False
        found: dict[str, list[dict[str, Any]]] = audit(connection)  # type: ignore[arg-type]
    return {table: len(rows) for table, rows in found.items() if rows}


@pytest.mark.parametrize(
    ("table", "plant"),
    [
        ("executions_hourly", "UPDATE executions_hourly SET runs = runs + 1 WHERE {one}"),
        ("executions_hourly", "UPDATE executions_hourly SET duration_seconds = 0 WHERE {one}"),
        ("executions_hourly", "DELETE FROM executions_hourly WHERE {one}"),
        (
            "execution_durations_hourly",
            "UPDATE execution_durations_hourly SET runs = 99 WHERE {one}",
        ),
        ("llm_calls_hourly", "UPDATE llm_calls_hourly SET cost_usd = cost_usd + 1e-9 WHERE {one}"),
        ("llm_calls_hourly", "UPDATE llm_calls_hourly SET input_tokens = -1 WHERE {one}"),
        ("llm_latencies_hourly", "UPDATE llm_latencies_hourly SET calls = 99 WHERE {one}"),
    ],
)
def test_the_audit_finds_a_planted_difference(
    one_database_url: str, table: str, plant: str
) -> None:
    write(one_database_url, history(seed=8, hours=5, executions=200))
    assert {} == _audited(one_database_url)
    with connect(one_database_url) as connection:
        connection.execute(plant.format(one=f"ctid = (SELECT ctid FROM {table} LIMIT 1)").encode())

    assert [table] == list(_audited(one_database_url))


def test_the_audit_finds_a_raw_row_that_was_never_summed(database_url: str) -> None:
    write(database_url, history(seed=9, hours=5, executions=100))
    with connect(database_url) as connection:
        connection.execute(
            "INSERT INTO executions SELECT (jsonb_populate_record(e, "
            '\'{"execution_id": "planted"}\')).* FROM executions e LIMIT 1'
        )

    assert "executions_hourly" in _audited(database_url)


def test_a_plain_server_has_no_license_and_timescaledb_has_one(database_url: str) -> None:
    with connect(database_url) as connection:
        has_extension = connection.execute(
            "SELECT 1 FROM pg_extension WHERE extname = 'timescaledb'"
        ).fetchone()
        found = timescale_license(connection)  # type: ignore[arg-type]

    assert bool(has_extension) == (found in {"apache", "timescale"})


def test_what_status_pages_said_leaves_after_its_own_time(one_database_url: str) -> None:
    old, young = NOW - timedelta(days=11), NOW - timedelta(days=9)
    with connect(one_database_url) as connection:
        for name, phase, at in (
            ("old", "resolved", old),
            ("open", "open", old),
            ("young", "resolved", young),
        ):
            connection.execute(
                "INSERT INTO incidents (source, page, incident_id, title, phase, level, impact,"
                " status, is_maintenance, started_at, first_seen_at, components) VALUES ('status',"
                " 'p', %(name)s, '', %(phase)s, 2, '', '', false, %(at)s, %(at)s, '{}')",
                {"name": name, "phase": phase, "at": at},
            )
            connection.execute(
                "INSERT INTO status_samples (source, page, component, observed_at, raw)"
                " VALUES ('status', 'p', %(name)s, %(at)s, '')",
                {"name": name, "at": at},
            )

    deleted = _retain(one_database_url, RetentionSettings(status=timedelta(days=10)))

    assert (1, 2) == (deleted["incidents"], deleted["status_samples"])
    with connect(one_database_url) as connection:
        rows = connection.execute("SELECT incident_id FROM incidents ORDER BY 1").fetchall()
    assert ["open", "young"] == [row["incident_id"] for row in rows]
