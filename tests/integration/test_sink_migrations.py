"""Bringing our database to this version: once, repeatably, and never behind anybody's back."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from exporter.errors import ConfigurationError
from exporter.sinks import migrations
from exporter.sinks.migrations import migrate
from tests import databases
from tests.conftest import as_dashboards, connect, database_settings

DEFINITION = Path(__file__).parents[2] / "timescaledb"
ROLE = "aiwf_dashboards"


def _view_ids(url: str) -> list[dict[str, object]]:
    with connect(url) as connection:
        return connection.execute(
            "SELECT oid, relname FROM pg_class WHERE relname LIKE 'v\\_%' "
            "UNION ALL SELECT oid, proname FROM pg_proc WHERE proname LIKE 'v\\_%' ORDER BY 1"
        ).fetchall()


def test_migrating_a_migrated_database_does_nothing(database_url: str) -> None:
    before = _view_ids(database_url)
    done = migrate(database_settings(database_url))

    assert [] == [line for line in done if not line.startswith("TimescaleDB is not installed")]
    assert before == _view_ids(database_url)


def test_an_empty_database_is_told_what_was_applied(plain_database_url: str) -> None:
    done = migrate(database_settings(plain_database_url))

    files = sorted(file.name for file in (DEFINITION / "migrations").glob("*.sql"))
    assert [f"applied {name}" for name in files] == [
        line for line in done if line.startswith("applied 0")
    ]


def _copied_definition(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    copied = folder / "timescaledb"
    for file in DEFINITION.rglob("*.sql"):
        target = copied / file.relative_to(DEFINITION)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(file.read_bytes())
    monkeypatch.setattr(migrations, "_definition", lambda: copied)
    return copied


def test_a_migration_edited_after_it_was_applied_is_refused_by_its_name(
    one_database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied = _copied_definition(tmp_path, monkeypatch)
    edited = sorted((copied / "migrations").glob("*.sql"))[0]
    edited.write_text(edited.read_text() + "\n-- a harmless word")

    with pytest.raises(ConfigurationError, match=f"migration {edited.name} was edited after"):
        migrate(database_settings(one_database_url))


def test_a_migration_that_fails_half_way_leaves_nothing(
    one_database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied = _copied_definition(tmp_path, monkeypatch)
    (copied / "migrations" / "9999_broken.sql").write_text(
        "CREATE TABLE half (id int); SELECT no_such_column;"
    )
    with pytest.raises(Exception, match="no_such_column"):
        migrate(database_settings(one_database_url))

    with connect(one_database_url) as connection:
        row = connection.execute(
            "SELECT to_regclass('half') AS half, "
            "(SELECT count(*) FROM aiwf_migrations WHERE name LIKE '9999%') AS remembered"
        ).fetchone()
    assert {"half": None, "remembered": 0} == row


def test_changed_views_are_made_anew_and_stay_readable_for_the_dashboards(
    one_database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied = _copied_definition(tmp_path, monkeypatch)
    views = sorted((copied / "views").glob("*.sql"))
    views[-1].write_text(views[-1].read_text() + "\nCREATE VIEW v_novelty AS SELECT 1 AS one;")
    done = migrate(database_settings(one_database_url))

    assert [f"re-created {len(views)} files of views"] == [line for line in done if "views" in line]
    with connect(one_database_url) as connection:
        connection.execute(f"SET ROLE {ROLE}".encode())
        assert [{"one": 1}] == connection.execute("SELECT one FROM v_novelty").fetchall()


def test_two_exporters_that_migrate_at_once_wait_for_each_other(plain_database_url: str) -> None:
    settings = database_settings(plain_database_url)
    with ThreadPoolExecutor(4) as threads:
        done = list(threads.map(lambda _: migrate(settings), range(4)))

    assert 1 == sum("applied 0001_executions.sql" in lines for lines in done)


def test_exporters_of_several_databases_on_one_server_may_migrate_at_once(
    plain_server: str, migrated: Callable[[str], str]
) -> None:
    """The dashboards' role belongs to the whole server."""

    def migrate_often(url: str) -> list[str]:
        return [line for _ in range(30) for line in migrate(database_settings(url))]

    with ExitStack() as stack:
        urls = [
            stack.enter_context(
                databases.new_database(plain_server, template=migrated(plain_server))
            )
            for _ in range(4)
        ]
        with ThreadPoolExecutor(len(urls)) as threads:
            list(threads.map(migrate_often, urls))


def test_a_role_that_may_create_nothing_is_told_the_grant(
    plain_server: str, plain_database_url: str
) -> None:
    role = f"aiwf_powerless_{databases.database_name(plain_database_url)[-6:]}"
    named = sql.Identifier(role)
    with psycopg.connect(plain_server, autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD 'p'").format(named))
        try:
            host = plain_server.rpartition("@")[2].partition("/")[0]
            name = databases.database_name(plain_database_url)
            with pytest.raises(ConfigurationError, match="GRANT CREATE ON SCHEMA public"):
                migrate(database_settings(f"postgresql://{role}:p@{host}/{name}"))
        finally:
            admin.execute(sql.SQL("DROP ROLE {}").format(named))


# --- the dashboards' role ----------------------------------------------------------------------


def test_the_dashboards_role_reads_every_table_and_view(database_url: str) -> None:
    with connect(database_url) as admin:
        relations = admin.execute(
            "SELECT c.oid::regclass::text AS name FROM pg_class c "
            "WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'v', 'p') "
            "AND relname NOT IN ('cursors', 'spans', 'forwardings', 'aiwf_migrations')"
        ).fetchall()
    with as_dashboards(database_url) as dashboard:
        for relation in relations:
            dashboard.execute(f"SELECT * FROM {relation['name']} LIMIT 1".encode())

    assert len([row for row in relations if str(row["name"]).startswith("v_")]) >= 5


def test_the_dashboards_role_reads_no_table_of_anybody_else(database_url: str) -> None:
    with connect(database_url) as admin:
        admin.execute("CREATE TABLE others (password_hash text)")
    migrate(database_settings(database_url))

    with (
        as_dashboards(database_url) as dashboard,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        dashboard.execute("SELECT * FROM others")


def test_n8ns_own_database_is_refused_before_anything_is_written(n8n_url: str) -> None:
    with pytest.raises(ConfigurationError, match="n8n's own database"):
        migrate(database_settings(n8n_url))

    with connect(n8n_url) as n8n:
        assert (
            []
            == n8n.execute(
                "SELECT relname FROM pg_class WHERE relname IN ('aiwf_migrations', 'executions')"
            ).fetchall()
        )


def test_the_dashboards_role_calls_every_function_of_a_range(database_url: str) -> None:
    with connect(database_url) as admin:
        functions = admin.execute(
            "SELECT p.proname AS name FROM pg_proc p "
            "WHERE pronamespace = 'public'::regnamespace AND proname LIKE 'v\\_%' "
            "AND pronargs = 2 AND proargtypes[0] = 'timestamptz'::regtype"
        ).fetchall()
    assert functions
    with as_dashboards(database_url) as dashboard:
        for function in functions:
            dashboard.execute(
                f"SELECT * FROM {function['name']}(now() - interval '1 day', now())".encode()
            )


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO polls VALUES ('n8n', now(), 'ok', NULL, 0, 0)",
        "DELETE FROM executions",
        "UPDATE counters SET value = 0",
        "TRUNCATE executions_hourly",
        "CREATE TABLE ours (id int)",
        "DROP TABLE executions",
        "ALTER ROLE postgres PASSWORD 'mine'",
    ],
)
def test_the_dashboards_role_cannot_write_even_when_it_tries(
    database_url: str, statement: str
) -> None:
    with as_dashboards(database_url) as dashboard:
        dashboard.execute("SET default_transaction_read_only = off")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            dashboard.execute(statement.encode())


@pytest.mark.parametrize(
    ("setting", "value"),
    [("statement_timeout", "15s"), ("jit", "off"), ("default_transaction_read_only", "on")],
)
def test_the_dashboards_role_is_held_short(database_url: str, setting: str, value: str) -> None:
    with as_dashboards(database_url) as dashboard:
        row = dashboard.execute("SELECT current_setting(%s) AS value", [setting]).fetchone()

    assert {"value": value} == row


# --- TimescaleDB -------------------------------------------------------------------------------


@pytest.mark.timescale
def test_with_timescaledb_the_growing_tables_are_hypertables(
    timescale_server: str,
) -> None:
    with databases.new_database(timescale_server) as url:
        migrate(database_settings(url))
        with connect(url) as connection:
            rows = connection.execute(
                "SELECT hypertable_name AS name FROM timescaledb_information.hypertables "
                "WHERE hypertable_schema = 'public' ORDER BY 1"
            ).fetchall()

    assert ["executions", "llm_calls", "llm_content", "step_content", "steps"] == [
        row["name"] for row in rows
    ]


@pytest.mark.timescale
def test_rows_that_were_there_before_timescaledb_are_taken_over(
    timescale_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with databases.new_database(timescale_server) as url:
        monkeypatch.setattr(migrations, "_install_extension", lambda _: [])
        with connect(url) as connection:
            connection.execute("DROP EXTENSION IF EXISTS timescaledb")
        migrate(database_settings(url))
        with connect(url) as connection:
            connection.execute(
                "INSERT INTO llm_content SELECT 'n8n', g::text, "
                "now() - g * interval '1 day', 'c', 'p', 'r' FROM generate_series(1, 90) g"
            )
        monkeypatch.undo()
        migrate(database_settings(url))
        with connect(url) as connection:
            row = connection.execute(
                "SELECT (SELECT count(*) FROM llm_content) AS rows, "
                "(SELECT count(*) FROM show_chunks('llm_content')) AS chunks"
            ).fetchone()

    assert row is not None
    assert 90 == row["rows"]
    assert row["chunks"] > 10  # type: ignore[operator]
