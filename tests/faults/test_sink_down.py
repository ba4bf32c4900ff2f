"""Our own database goes away and comes back: the source is the buffer."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from exporter.schedule import one_at_a_time
from tests import databases
from tests.conftest import connect
from tests.sources.by_hand import Exporter, assert_same, differences, exporter, one, stored
from tests.sources.changing_n8n import ChangingN8n


@pytest.fixture
def clean_url(plain_server: str, migrated: Callable[[str], str]) -> Iterator[str]:
    """A second database of ours, for an exporter that nothing happens to."""
    with databases.new_database(plain_server, template=migrated(plain_server)) as url:
        yield url


@contextmanager
def unreachable(server: str, url: str) -> Iterator[None]:
    """Throw everybody out of a database and let nobody in."""
    name = databases.database_name(url)
    allow = sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS {}")
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute(allow.format(sql.Identifier(name), sql.SQL("false")))
        admin.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s",
            [name],
        )
        try:
            yield
        finally:
            admin.execute(allow.format(sql.Identifier(name), sql.SQL("true")))


def _impatient(app: Exporter) -> Exporter:
    app.app.sink._pool.timeout = 0.5
    return app


def _metric(app: Exporter, line: str) -> bool:
    return line in app.app.exposition.serve(app.clock.now).decode().splitlines()


def test_while_our_database_is_down_the_poll_is_blocked_and_nothing_moves(
    one_database_url: str, plain_server: str, n8n_url: str, tmp_path: Path
) -> None:
    with exporter(tmp_path, one_database_url, {"url": n8n_url}) as app:
        app.poll_ok()
        cursor = one(one_database_url, "SELECT * FROM cursors")
        with ChangingN8n(n8n_url) as n8n:
            n8n.add(601)
        with unreachable(plain_server, one_database_url):
            result = _impatient(app).poll()

            assert ("blocked", "our database gives no connection") == (
                result.outcome,
                result.detail,
            )
            assert _metric(app, "aiwf_sink_up 0")
        assert cursor == one(one_database_url, "SELECT * FROM cursors")


def test_after_an_outage_of_our_database_one_poll_catches_up(
    one_database_url: str, clean_url: str, plain_server: str, n8n_url: str, tmp_path: Path
) -> None:
    with exporter(tmp_path, one_database_url, {"url": n8n_url}) as app:
        app.poll_ok()
        with ChangingN8n(n8n_url) as n8n, unreachable(plain_server, one_database_url):
            for new_id in range(601, 621):
                n8n.add(new_id)
            n8n.end(572, "error")
            assert "blocked" == _impatient(app).poll().outcome
        app.app.sink._pool.timeout = 30
        app.poll_ok()
        assert _metric(app, "aiwf_sink_up 1")
    with exporter(tmp_path, clean_url, {"url": n8n_url}) as app:
        app.poll_ok()

    for table in ("executions", "steps", "llm_calls", "executions_hourly", "llm_calls_hourly"):
        assert stored(clean_url)[table] == stored(one_database_url)[table], table
    assert {} == differences(one_database_url)


def test_a_session_that_is_ended_in_the_middle_of_a_poll_loses_only_its_batch(
    one_database_url: str, clean_url: str, n8n_url: str, tmp_path: Path
) -> None:
    with exporter(tmp_path, one_database_url, {"url": n8n_url, "page_rows": 50}) as app:
        show = app.app.exposition.counted
        shown = 0

        def end_sessions_after_four(*arguments: object, **named: object) -> None:
            nonlocal shown
            shown += 1
            show(*arguments, **named)  # type: ignore[arg-type]
            if shown == 4:
                with connect(one_database_url) as admin:
                    admin.execute(
                        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
                        "WHERE datname = current_database() AND pid <> pg_backend_pid()"
                    )

        app.app.exposition.counted = end_sessions_after_four  # type: ignore[method-assign]
        result = app.poll()
        assert "blocked" == result.outcome
        assert 3 * 50 == one(one_database_url, "SELECT count(*) AS n FROM executions")["n"]
        app.poll_ok()
    with exporter(tmp_path, clean_url, {"url": n8n_url}) as app:
        app.poll_ok()

    assert_same(clean_url, one_database_url)


def test_a_statement_that_fails_in_the_transaction_leaves_nothing_of_its_batch(
    one_database_url: str, clean_url: str, n8n_url: str, tmp_path: Path
) -> None:
    """As a full disk does: the tables took their rows, and then a later statement is refused."""
    with connect(one_database_url) as ours:
        ours.execute("ALTER TABLE counters ADD CONSTRAINT full_disk CHECK (value < 0)")
    with exporter(tmp_path, one_database_url, {"url": n8n_url}) as app:
        assert "blocked" == app.poll().outcome
        assert one(one_database_url, "SELECT count(*) AS n FROM executions") == {"n": 0}
        assert one(one_database_url, "SELECT count(*) AS n FROM executions_hourly") == {"n": 0}
        with connect(one_database_url) as ours:
            ours.execute("ALTER TABLE counters DROP CONSTRAINT full_disk")
        app.poll_ok()
    with exporter(tmp_path, clean_url, {"url": n8n_url}) as app:
        app.poll_ok()

    assert_same(clean_url, one_database_url)


def test_a_database_that_became_read_only_blocks_and_recovers(
    one_database_url: str, n8n_url: str, tmp_path: Path
) -> None:
    name = sql.Identifier(databases.database_name(one_database_url))
    setting = sql.SQL("ALTER DATABASE {} SET default_transaction_read_only = {}")
    with exporter(tmp_path, one_database_url, {"url": n8n_url}) as app:
        with connect(one_database_url) as admin:
            admin.execute(setting.format(name, sql.SQL("on")))
            admin.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        result = app.poll()
        assert "blocked" == result.outcome
        assert "read-only transaction" in str(result.detail)
        with connect(one_database_url) as admin:
            admin.execute("SET default_transaction_read_only = off")
            admin.execute(setting.format(name, sql.SQL("off")))
            admin.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        app.poll_ok()


def test_housekeeping_without_a_database_says_so_and_lives(
    one_database_url: str, plain_server: str, n8n_url: str, tmp_path: Path
) -> None:
    with exporter(tmp_path, one_database_url, {"url": n8n_url}) as app:
        with unreachable(plain_server, one_database_url):
            running = _impatient(app).app
            one_at_a_time(running.sink, "housekeeping", running.keep_house)()
            app.poll()
        assert _metric(app, 'aiwf_source_up{source="n8n"} 0')
