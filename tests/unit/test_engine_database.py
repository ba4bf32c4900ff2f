"""Monitored databases: what goes wrong is sorted, and nothing is ever written."""

import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from psycopg import sql

from exporter.errors import SourceError, TransientError
from exporter.sources import engine_database
from exporter.sources.engine_database import PostgresEngine, SqliteEngine

ROLE_PASSWORD = "a-canary"


def as_role(url: str, role: str) -> str:
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{role}:{ROLE_PASSWORD}@{host}"))


@pytest.fixture
def engine(plain_database_url: str) -> Iterator[PostgresEngine]:
    made = PostgresEngine(plain_database_url)
    yield made
    made.close()


@pytest.fixture
def role(plain_server: str) -> Iterator[str]:
    """A role that owns nothing and may do nothing."""
    name = f"aiwf_test_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(plain_server, autocommit=True) as admin:
        admin.execute(
            sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(
                sql.Identifier(name), sql.Literal(ROLE_PASSWORD)
            )
        )
        yield name
        admin.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))


def refusal(
    engine: PostgresEngine | SqliteEngine, statement: str = "SELECT 1 AS one"
) -> SourceError:
    with pytest.raises(SourceError) as refused:
        engine.query(statement)
    return refused.value


# --- PostgreSQL ----------------------------------------------------------------------------


def test_rows_come_as_dictionaries(engine: PostgresEngine) -> None:
    assert [{"one": 1, "two": "b"}] == engine.query(
        "SELECT %(a)s::int AS one, %(b)s AS two", {"a": 1, "b": "b"}
    )


def test_times_come_in_utc(engine: PostgresEngine) -> None:
    (row,) = engine.query("SELECT timestamptz '2026-01-03 12:00:00+02' AS at")

    assert datetime(2026, 1, 3, 10, tzinfo=UTC) == row["at"]
    assert "UTC" == engine.query("SHOW timezone")[0]["TimeZone"]


def test_columns_of_a_table_are_read_and_none_of_one_that_is_not_there(
    engine: PostgresEngine, plain_database_url: str
) -> None:
    with psycopg.connect(plain_database_url) as admin:
        admin.execute('CREATE TABLE things (id int, "deletedAt" timestamptz, gone int)')
        admin.execute("ALTER TABLE things DROP COLUMN gone")

    assert frozenset({"id", "deletedAt"}) == engine.columns("things")
    assert frozenset() == engine.columns("nothing")


def test_schema_and_prefix_are_quoted(plain_database_url: str) -> None:
    engine = PostgresEngine(plain_database_url, schema='odd"schema', table_prefix="n8n_")

    assert '"odd""schema"."n8n_execution_entity"' == engine.table("execution_entity")
    assert frozenset() == engine.columns("execution_entity")
    engine.close()


def test_a_statement_that_writes_is_refused_by_the_session(
    engine: PostgresEngine, plain_database_url: str
) -> None:
    with psycopg.connect(plain_database_url) as admin:
        admin.execute("CREATE TABLE things (id int)")

    with pytest.raises(TransientError, match="read-only transaction"):
        engine.query("INSERT INTO things VALUES (1) RETURNING id")

    with psycopg.connect(plain_database_url) as admin:
        assert (0,) == admin.execute("SELECT count(*) FROM things").fetchone()


def test_a_missing_table_is_another_schema(engine: PostgresEngine) -> None:
    refused = refusal(engine, "SELECT * FROM execution_entity")

    assert "schema" == refused.reason
    assert 'not the schema we know: relation "execution_entity" does not exist' == str(refused)


def test_a_missing_column_is_another_schema(engine: PostgresEngine) -> None:
    assert "schema" == refusal(engine, "SELECT nothing FROM pg_class").reason


def test_a_slow_statement_is_cancelled_and_may_be_tried_later(
    plain_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_database, "STATEMENT_TIMEOUT_SECONDS", 0.1)
    engine = PostgresEngine(plain_database_url)

    with pytest.raises(TransientError, match="statement cancelled"):
        engine.query("SELECT pg_sleep(30)")

    assert [{"one": 1}] == engine.query("SELECT 1 AS one")
    engine.close()


def test_a_locked_table_is_not_queued_behind(
    engine: PostgresEngine, plain_database_url: str
) -> None:
    with psycopg.connect(plain_database_url) as admin:
        admin.execute("CREATE TABLE things (id int)")
    with psycopg.connect(plain_database_url) as admin:
        admin.execute("LOCK TABLE things IN ACCESS EXCLUSIVE MODE")

        with pytest.raises(TransientError, match="a table is locked"):
            engine.query("SELECT * FROM things")

    assert [] == engine.query("SELECT * FROM things")


def test_a_table_that_our_role_may_not_read_says_what_to_grant(
    plain_database_url: str, role: str
) -> None:
    with psycopg.connect(plain_database_url) as admin:
        admin.execute("CREATE TABLE things (id int)")
    engine = PostgresEngine(as_role(plain_database_url, role))

    refused = refusal(engine, "SELECT * FROM things")

    engine.close()
    assert "permission" == refused.reason
    assert "permission denied for table things; grant SELECT on it to our role" == str(refused)


def test_a_database_that_our_role_may_not_enter_is_a_permission(
    plain_database_url: str, role: str
) -> None:
    name = sql.Identifier(urlsplit(plain_database_url).path.lstrip("/"))
    with psycopg.connect(plain_database_url) as admin:
        admin.execute(sql.SQL("REVOKE CONNECT ON DATABASE {} FROM PUBLIC").format(name))

    refused = refusal(PostgresEngine(as_role(plain_database_url, role)))

    assert "permission" == refused.reason
    assert "canary" not in str(refused)


def test_a_role_that_does_not_exist_is_refused_as_login(plain_database_url: str) -> None:
    assert "auth" == refusal(PostgresEngine(as_role(plain_database_url, "nobody_at_all"))).reason


def test_a_role_that_may_not_log_in_is_refused_as_login(plain_database_url: str, role: str) -> None:
    with psycopg.connect(plain_database_url) as admin:
        admin.execute(sql.SQL("ALTER ROLE {} NOLOGIN").format(sql.Identifier(role)))

    assert "auth" == refusal(PostgresEngine(as_role(plain_database_url, role))).reason


def test_a_database_that_does_not_exist_is_a_wrong_url(plain_server: str) -> None:
    url = urlunsplit(urlsplit(plain_server)._replace(path="/aiwf_no_such_database"))

    assert "url" == refusal(PostgresEngine(url)).reason


@pytest.mark.parametrize(
    "url",
    [
        "a-canary",
        "mysql://n8n:a-canary@127.0.0.1/n8n",
        "postgresql://n8n:a-canary%zz@127.0.0.1/n8n",
        "postgresql://n8n:a-canary@127.0.0.1:99999/n8n",
        "postgresql://n8n:a-canary@127.0.0.1:54x32/n8n",
        "postgresql://n8n:a-canary@127.0.0.1/n8n?sslmode=never",
        "postgresql://n8n:a-canary@127.0.0.1/n8n?unknown=1",
        "postgresql://n8n:a-canary@..nowhere/n8n",
        "postgresql://n8n:a-canary@[::1/n8n",
    ],
)
def test_what_is_no_url_is_refused_without_repeating_it(url: str) -> None:
    refused = refusal(PostgresEngine(url))

    assert "url" == refused.reason
    assert "canary" not in str(refused)


@pytest.mark.parametrize("place", ["127.0.0.1:1", "no-such-host.invalid:5432"])
def test_a_server_that_does_not_answer_may_answer_later(place: str) -> None:
    with pytest.raises(TransientError) as failed:
        PostgresEngine(f"postgresql://n8n:a-canary@{place}/n8n").query("SELECT 1")

    assert "canary" not in str(failed.value)


def test_the_drivers_error_is_not_chained_for_it_may_hold_the_url() -> None:
    with pytest.raises(TransientError) as failed:
        PostgresEngine("postgresql://n8n:a-canary@127.0.0.1:1/n8n").query("SELECT 1")

    assert failed.value.__cause__ is None
    assert failed.value.__suppress_context__


def test_a_connection_that_was_cut_is_opened_again(
    engine: PostgresEngine, plain_database_url: str
) -> None:
    (row,) = engine.query("SELECT pg_backend_pid() AS pid")
    with psycopg.connect(plain_database_url, autocommit=True) as admin:
        admin.execute("SELECT pg_terminate_backend(%s, 5000)", (row["pid"],))

    with pytest.raises(TransientError):
        engine.query("SELECT 1 AS one")

    assert [{"one": 1}] == engine.query("SELECT 1 AS one")


def test_one_connection_is_used_and_given_back(
    engine: PostgresEngine, plain_database_url: str
) -> None:
    for _ in range(3):
        engine.query("SELECT 1")
    ours = (
        "SELECT count(*) FROM pg_stat_activity "
        "WHERE application_name = 'ai-workflow-exporter' AND datname = current_database()"
    )
    with psycopg.connect(plain_database_url, autocommit=True) as admin:
        assert (1,) == admin.execute(ours).fetchone()
        engine.close()
        deadline = admin.execute("SELECT now() + interval '10 s'").fetchone()
        assert deadline is not None
        while admin.execute(ours).fetchone() != (0,):
            assert admin.execute("SELECT clock_timestamp() < %s", deadline).fetchone() == (True,)


def test_closing_twice_does_no_harm(engine: PostgresEngine) -> None:
    engine.close()
    engine.close()


# --- SQLite --------------------------------------------------------------------------------


@pytest.fixture
def sqlite_file(tmp_path: Path) -> Path:
    file = tmp_path / "database.sqlite"
    with closing(sqlite3.connect(file)) as connection:
        connection.execute('CREATE TABLE n8n_things (id INTEGER, "deletedAt" TEXT)')
        connection.execute("INSERT INTO n8n_things VALUES (1, NULL), (2, '2026-01-03')")
        connection.commit()
    return file


def test_sqlite_rows_come_as_dictionaries(sqlite_file: Path) -> None:
    engine = SqliteEngine(str(sqlite_file), table_prefix="n8n_")

    rows = engine.query(
        f"SELECT id FROM {engine.table('things')} WHERE id {engine.in_list('ids')}",
        {"ids": [2, 3]},
    )

    engine.close()
    assert [{"id": 2}] == rows


def test_sqlite_columns_are_read_with_the_prefix(sqlite_file: Path) -> None:
    engine = SqliteEngine(str(sqlite_file), table_prefix="n8n_")

    assert frozenset({"id", "deletedAt"}) == engine.columns("things")
    assert frozenset() == engine.columns("nothing")
    engine.close()


def test_sqlite_is_never_written(sqlite_file: Path) -> None:
    engine = SqliteEngine(str(sqlite_file))

    with pytest.raises(TransientError, match="readonly"):
        engine.query("INSERT INTO n8n_things VALUES (3, NULL) RETURNING id")

    with closing(sqlite3.connect(sqlite_file)) as connection:
        assert (2,) == connection.execute("SELECT count(*) FROM n8n_things").fetchone()


def test_a_sqlite_file_that_is_not_there_is_named_and_not_made(tmp_path: Path) -> None:
    file = tmp_path / "database.sqlite"

    refused = refusal(SqliteEngine(str(file)))

    assert "url" == refused.reason
    assert str(file) in str(refused)
    assert not file.exists()


def test_a_directory_is_no_sqlite_file(tmp_path: Path) -> None:
    assert "url" == refusal(SqliteEngine(str(tmp_path))).reason


def test_a_file_of_something_else_is_no_database(tmp_path: Path) -> None:
    file = tmp_path / "database.sqlite"
    file.write_bytes(b"this is a text and not a database, " * 100)

    refused = refusal(SqliteEngine(str(file)), "SELECT * FROM execution_entity")

    assert "schema" == refused.reason
    assert "file is not a database" in str(refused)


def test_a_sqlite_table_that_is_not_there_is_another_schema(sqlite_file: Path) -> None:
    engine = SqliteEngine(str(sqlite_file))

    assert "schema" == refusal(engine, "SELECT * FROM execution_entity").reason
    assert "schema" == refusal(engine, "SELECT absent FROM n8n_things").reason


@pytest.mark.parametrize("name", ["n8n #1.sqlite", "what?.sqlite", "100%41.sqlite", "a&b=c.sqlite"])
def test_a_sqlite_path_may_hold_marks_of_urls(sqlite_file: Path, name: str) -> None:
    file = sqlite_file.rename(sqlite_file.with_name(name))
    engine = SqliteEngine(str(file))

    assert [{"n": 2}] == engine.query("SELECT count(*) AS n FROM n8n_things")
    engine.close()


def test_a_locked_sqlite_file_may_be_free_later(
    sqlite_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_database, "_SQLITE_BUSY_SECONDS", 0.05)
    with closing(sqlite3.connect(sqlite_file, isolation_level=None)) as writer:
        writer.execute("PRAGMA locking_mode = EXCLUSIVE")
        writer.execute("BEGIN EXCLUSIVE")

        with pytest.raises(TransientError, match="locked"):
            SqliteEngine(str(sqlite_file)).query("SELECT * FROM n8n_things")


def test_a_slow_sqlite_statement_is_interrupted(
    sqlite_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_database, "STATEMENT_TIMEOUT_SECONDS", 0.05)
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"

    with pytest.raises(TransientError, match=r"no answer in 0\.05 s, statement cancelled"):
        SqliteEngine(str(sqlite_file)).query(endless)


def test_sqlite_times_are_compared_as_n8n_writes_them(sqlite_file: Path) -> None:
    engine = SqliteEngine(str(sqlite_file))

    (row,) = engine.query(
        "SELECT %(at)s AS at", {"at": datetime(2026, 1, 3, 12, 0, 0, 123999, tzinfo=UTC)}
    )

    engine.close()
    assert "2026-01-03 12:00:00.123" == row["at"]
