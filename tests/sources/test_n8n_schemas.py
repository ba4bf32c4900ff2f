"""Other n8n versions and set-ups: what is missing is done without, or refused by its name."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import connect
from tests.sources.by_hand import Exporter, assert_same, exporter, one, stored
from tests.sources.changing_n8n import ChangingN8n

NEW = 601
TABLES = (
    "execution_entity",
    "execution_data",
    "execution_metadata",
    "workflow_entity",
    "workflows_tags",
    "tag_entity",
    "shared_workflow",
    "project",
)


@pytest.fixture
def n8n(n8n_url: str) -> Iterator[ChangingN8n]:
    """A copy of the recorded n8n that is made into another version."""
    with ChangingN8n(n8n_url) as changing:
        yield changing


@pytest.fixture
def app(one_database_url: str, n8n_url: str, tmp_path: Path) -> Iterator[Exporter]:
    """An exporter that has read nothing yet."""
    with exporter(tmp_path, one_database_url, {"url": n8n_url}) as polled:
        yield polled


def _make_it_n8n_1(n8n: ChangingN8n) -> None:
    """Take away what came with 2.x, and with late 1.x."""
    for column in (
        "storedAt",
        "tracingContext",
        "deduplicationKey",
        "jsonSizeBytes",
        "binaryDataSizeBytes",
        "workflowVersionId",
        "usedPrivateCredentials",
        "createdAt",
    ):
        n8n.execute(f'ALTER TABLE execution_entity DROP COLUMN "{column}"')
    n8n.execute('ALTER TABLE execution_data DROP COLUMN "workflowVersionId"')
    for column in ("activeVersionId", "isArchived", "versionCounter", "description", "nodeGroups"):
        n8n.execute(f'ALTER TABLE workflow_entity DROP COLUMN "{column}" CASCADE')


def test_n8n_1_without_the_new_columns_reads_the_same_executions(
    read_url: str, one_database_url: str, n8n: ChangingN8n, app: Exporter
) -> None:
    _make_it_n8n_1(n8n)
    app.poll_ok()

    counts = "SELECT workflow, status, count(*) AS n FROM executions GROUP BY 1, 2 ORDER BY 1, 2"
    calls = "SELECT provider, model, count(*) AS n, sum(input_tokens) AS i, sum(cost_usd) AS c FROM llm_calls GROUP BY 1, 2 ORDER BY 1, 2"  # noqa: E501
    for query in (counts, calls):
        with connect(read_url) as newest, connect(one_database_url) as oldest:
            assert newest.execute(query).fetchall() == oldest.execute(query).fetchall()


def test_n8n_1_takes_the_start_for_the_time_of_creation(
    one_database_url: str, n8n: ChangingN8n, app: Exporter
) -> None:
    _make_it_n8n_1(n8n)
    app.poll_ok()

    assert {"n": 573} == one(
        one_database_url, "SELECT count(*) AS n FROM executions WHERE created_at = started_at"
    )


def test_n8n_1_goes_on_being_read_as_executions_end(
    one_database_url: str, n8n: ChangingN8n, app: Exporter
) -> None:
    _make_it_n8n_1(n8n)
    app.poll_ok()
    n8n.end(572, "success")
    app.poll_ok()

    assert {"status": "success"} == one(
        one_database_url, "SELECT status FROM executions WHERE execution_id = '572'"
    )


def test_n8n_1_with_timestamps_without_zone_means_utc(
    read_url: str, one_database_url: str, n8n: ChangingN8n, app: Exporter
) -> None:
    n8n.execute("SET timezone = 'UTC'")
    for column in ("startedAt", "stoppedAt", "waitTill", "createdAt", "deletedAt"):
        n8n.execute(
            f'ALTER TABLE execution_entity ALTER COLUMN "{column}" '
            "TYPE timestamp(3) without time zone"
        )
    n8n.execute("SET timezone = 'America/New_York'")
    app.poll_ok()

    assert_same(read_url, one_database_url)


def test_a_role_whose_time_zone_is_elsewhere_reads_the_same_times(
    read_url: str, one_database_url: str, n8n: ChangingN8n, app: Exporter
) -> None:
    n8n.execute(
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET timezone = ''Asia/Kathmandu''', "
        "current_database()); END $$"
    )
    app.poll_ok()

    assert_same(read_url, one_database_url)


@pytest.mark.parametrize(
    "statement",
    [
        "DROP TABLE execution_metadata",
        "DROP TABLE workflows_tags, folder_tag; DROP TABLE tag_entity CASCADE",
        "DROP TABLE shared_workflow; DROP TABLE project CASCADE",
        "ALTER TABLE shared_workflow DROP COLUMN role",
    ],
)
def test_a_table_that_only_adds_names_may_be_missing(
    one_database_url: str, n8n: ChangingN8n, app: Exporter, statement: str
) -> None:
    n8n.execute(statement)
    app.poll_ok()

    assert {"n": 573} == one(one_database_url, "SELECT count(*) AS n FROM executions")


@pytest.mark.parametrize(
    ("table", "column"),
    [
        ("execution_entity", "id"),
        ("execution_entity", "status"),
        ("execution_entity", "startedAt"),
        ("execution_entity", "stoppedAt"),
        ("execution_entity", "workflowId"),
        ("execution_entity", "mode"),
        ("execution_data", "data"),
        ("execution_data", "workflowData"),
        ("workflow_entity", "name"),
    ],
)
def test_a_missing_column_that_the_numbers_need_is_refused_by_its_name(
    one_database_url: str, n8n: ChangingN8n, app: Exporter, table: str, column: str
) -> None:
    n8n.execute(f'ALTER TABLE {table} DROP COLUMN "{column}" CASCADE')
    result = app.poll()

    assert ("refused", "schema") == (result.outcome, result.reason)
    assert f"{table} has no column {column}" in str(result.detail)
    assert {"n": 0} == one(one_database_url, "SELECT count(*) AS n FROM executions")


def test_a_database_that_is_no_n8n_is_refused_with_what_to_check(
    one_database_url: str, plain_database_url: str, tmp_path: Path
) -> None:
    with exporter(tmp_path, one_database_url, {"url": plain_database_url}) as app:
        result = app.poll()

    assert ("refused", "schema") == (result.outcome, result.reason)
    assert "is it an n8n database, are schema and table_prefix right" in str(result.detail)


def test_a_status_that_nobody_knows_is_refused_by_its_name(
    one_database_url: str, n8n: ChangingN8n, app: Exporter
) -> None:
    app.poll_ok()
    n8n.add(NEW, status="dreaming")
    result = app.poll()

    assert ("refused", "schema") == (result.outcome, result.reason)
    assert "execution 601 has status 'dreaming'" in str(result.detail)
    assert {"n": 573} == one(one_database_url, "SELECT count(*) AS n FROM executions")


def test_a_status_that_nobody_knew_is_read_when_it_has_become_another(
    one_database_url: str, n8n: ChangingN8n, app: Exporter
) -> None:
    n8n.add(NEW, status="dreaming")
    assert "refused" == app.poll().outcome
    n8n.change(NEW, status="success")
    app.clock.advance(minutes=2)
    app.poll_ok()

    assert {"n": 574} == one(one_database_url, "SELECT count(*) AS n FROM executions")


@pytest.mark.parametrize("status", [None, "unknown"])
def test_rows_from_before_n8n_kept_a_status_tell_it_by_how_they_ended(
    one_database_url: str, n8n: ChangingN8n, app: Exporter, status: str | None
) -> None:
    n8n.execute("ALTER TABLE execution_entity ALTER COLUMN status DROP NOT NULL")
    n8n.add(NEW, status=status, finished=True)
    n8n.add(NEW + 1, status=status, finished=False)
    n8n.add(NEW + 2, status=status, finished=False, stoppedAt=None)
    app.poll_ok()
    app.poll_ok()

    with connect(one_database_url) as ours:
        rows = ours.execute(
            "SELECT status FROM executions WHERE execution_id::int > 600 ORDER BY execution_id"
        ).fetchall()
    assert ["success", "error", "running"] == [row["status"] for row in rows]


def test_a_table_prefix_is_found(
    read_url: str, one_database_url: str, n8n: ChangingN8n, tmp_path: Path
) -> None:
    for table in TABLES:
        n8n.execute(f'ALTER TABLE {table} RENAME TO "Team-1_{table}"')
    source = {"url": n8n.url, "table_prefix": "Team-1_"}
    with exporter(tmp_path, one_database_url, source) as app:
        app.poll_ok()

    assert_same(read_url, one_database_url)


def test_a_schema_of_another_name_is_found(
    read_url: str, one_database_url: str, n8n: ChangingN8n, tmp_path: Path
) -> None:
    n8n.execute('CREATE SCHEMA "n8n Prod"')
    for table in TABLES:
        n8n.execute(f'ALTER TABLE {table} SET SCHEMA "n8n Prod"')
    with exporter(tmp_path, one_database_url, {"url": n8n.url, "schema": "n8n Prod"}) as app:
        app.poll_ok()

    assert_same(read_url, one_database_url)


def test_columns_that_a_later_n8n_adds_change_nothing(
    read_url: str, one_database_url: str, n8n: ChangingN8n, app: Exporter
) -> None:
    n8n.execute("ALTER TABLE execution_entity ADD COLUMN novel jsonb DEFAULT '{}'")
    n8n.execute("ALTER TABLE workflow_entity ADD COLUMN novel text")
    app.poll_ok()

    assert stored(read_url) == stored(one_database_url)


def test_an_n8n_without_any_execution_is_read_to_its_end(
    one_database_url: str, n8n: ChangingN8n, app: Exporter
) -> None:
    n8n.execute("DELETE FROM execution_entity")
    app.poll_ok()
    assert {"caught_up": True} == one(one_database_url, "SELECT caught_up FROM cursors")
    n8n.execute(
        'INSERT INTO execution_entity (id, finished, mode, status, "workflowId", "startedAt") '
        "VALUES (1, false, 'trigger', 'running', 'CI0wavT50SD9eLCp', now())"
    )
    app.poll_ok()

    assert {"status": "running"} == one(one_database_url, "SELECT status FROM executions")
