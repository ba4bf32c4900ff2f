"""What a poll costs the monitored database: statements, connections, and never a write."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from exporter.errors import SourceError, TransientError
from exporter.sources.engine_database import PostgresEngine
from tests import databases
from tests.conftest import connect
from tests.sources.by_hand import Exporter, exporter, one, wait_until
from tests.sources.changing_n8n import ChangingN8n

MOST_STATEMENTS = 8  # of a poll that finds nothing new
MOST_CONNECTIONS = 2


@pytest.fixture
def app(read_url: str, n8n_url: str, tmp_path: Path) -> Iterator[Exporter]:
    """An exporter that has read the recording and polled twice since."""
    with exporter(tmp_path, read_url, {"url": n8n_url}) as polled:
        polled.poll_ok()
        polled.poll_ok()
        yield polled


@pytest.fixture
def shared_n8n_url(plain_server: str, n8n_template: str) -> str:
    """The recorded n8n itself, for tests that change nothing."""
    return databases.with_database(plain_server, n8n_template)


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The statements that are sent to n8n's database from now on."""
    statements: list[str] = []
    query = PostgresEngine.query

    def listen(self: PostgresEngine, statement: str, parameters: object = None) -> object:
        statements.append(statement)
        return query(self, statement, parameters)  # type: ignore[arg-type]

    monkeypatch.setattr(PostgresEngine, "query", listen)
    return statements


def test_a_poll_with_nothing_new_sends_a_handful_of_statements(
    app: Exporter, sent: list[str]
) -> None:
    app.poll_ok()

    assert 0 < len(sent) <= MOST_STATEMENTS, sent


def test_a_poll_with_nothing_new_reads_no_run_data(app: Exporter, sent: list[str]) -> None:
    app.poll_ok()

    assert [] == [statement for statement in sent if "execution_data" in statement]


def test_no_statement_reads_a_payload_of_an_execution_that_still_runs(
    app: Exporter, n8n_url: str, sent: list[str]
) -> None:
    with ChangingN8n(n8n_url) as n8n:
        n8n.begin(601)
        app.poll_ok()

    assert [] == [statement for statement in sent if '"workflowData"' in statement]


def test_the_number_of_statements_grows_with_pages_and_not_with_open_executions(
    app: Exporter, n8n_url: str, sent: list[str]
) -> None:
    app.poll_ok()
    few = len(sent)
    with ChangingN8n(n8n_url) as n8n:
        for new_id in range(601, 701):
            n8n.begin(new_id)
    app.poll_ok()
    sent.clear()
    app.poll_ok()

    assert few == len(sent)


def test_at_most_two_connections_are_open(app: Exporter, n8n_url: str) -> None:
    with connect(n8n_url) as n8n:
        row = n8n.execute(
            "SELECT count(*) AS n FROM pg_stat_activity WHERE datname = current_database() "
            "AND application_name = 'ai-workflow-exporter'"
        ).fetchone()

    assert row is not None
    assert 1 <= row["n"] <= MOST_CONNECTIONS  # type: ignore[operator]


def test_between_polls_no_transaction_is_open(app: Exporter, n8n_url: str) -> None:
    with connect(n8n_url) as n8n:
        rows = n8n.execute(
            "SELECT state FROM pg_stat_activity WHERE datname = current_database() "
            "AND application_name = 'ai-workflow-exporter'"
        ).fetchall()

    assert {"idle"} == {row["state"] for row in rows}


def test_after_the_end_no_connection_is_left(read_url: str, n8n_url: str, tmp_path: Path) -> None:
    with exporter(tmp_path, read_url, {"url": n8n_url}) as app:
        app.poll_ok()

    left = (
        "SELECT count(*) AS n FROM pg_stat_activity WHERE datname = current_database() "
        "AND application_name = 'ai-workflow-exporter'"
    )
    wait_until(lambda: one(n8n_url, left) == {"n": 0})


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM execution_entity RETURNING id",
        "CREATE TABLE ours (id int)",
        "UPDATE workflow_entity SET active = false RETURNING id",
        "SELECT nextval('execution_entity_id_seq')",
    ],
)
def test_the_session_cannot_write(shared_n8n_url: str, statement: str) -> None:
    engine = PostgresEngine(shared_n8n_url)
    with pytest.raises((TransientError, SourceError), match="read-only transaction"):
        engine.query(statement)
    engine.close()


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("transaction_read_only", "on"),
        ("statement_timeout", "10s"),
        ("lock_timeout", "500ms"),
        ("idle_in_transaction_session_timeout", "5s"),
        ("TimeZone", "UTC"),
        ("application_name", "ai-workflow-exporter"),
    ],
)
def test_the_session_is_set_up_to_do_no_harm(shared_n8n_url: str, setting: str, value: str) -> None:
    engine = PostgresEngine(shared_n8n_url)
    try:
        found = engine.query("SELECT current_setting(%(name)s) AS value", {"name": setting})
    finally:
        engine.close()

    assert [{"value": value}] == found


def test_a_statement_that_takes_too_long_is_cancelled_by_the_server(
    n8n_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("exporter.sources.engine_database.STATEMENT_TIMEOUT_SECONDS", 0.2)
    engine = PostgresEngine(n8n_url)
    with pytest.raises(TransientError, match="statement cancelled"):
        engine.query("SELECT pg_sleep(30)")
    assert [{"one": 1}] == engine.query("SELECT 1 AS one")
    engine.close()
