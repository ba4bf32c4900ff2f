"""TimescaleDB Community, as PGlite brings it: migrations, compression and retention.

PGlite knows no COPY FROM STDIN, so rows are inserted here and the writer is tested elsewhere.
"""

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from psycopg.rows import dict_row

from exporter.settings import RetentionSettings
from exporter.sinks import housekeeping
from exporter.sinks.audit import audit
from exporter.sinks.migrations import migrate
from tests import databases
from tests.conftest import database_settings

pytestmark = pytest.mark.community
NOW = datetime(2026, 6, 15, 12, tzinfo=UTC)
DAYS = 150
Community = psycopg.Connection[dict[str, object]]

FILL = """
INSERT INTO executions (source, execution_id, created_at, workflow_id, workflow, status,
    started_at, finished_at, duration_seconds)
SELECT 'n8n', g::text, %(now)s - g * interval '6 hours', 'w', 'W', 'success',
    %(now)s - g * interval '6 hours', %(now)s - g * interval '6 hours' + interval '2 s', 2
FROM generate_series(1, %(rows)s) g;
INSERT INTO steps (source, execution_id, created_at, step_id, name, kind, status, attempt)
SELECT source, execution_id, created_at, 's', 's', 'other', 'success', 1 FROM executions;
INSERT INTO llm_calls (source, execution_id, created_at, call_id, started_at, workflow_id,
    workflow, provider, model, operation, status, tokens_estimated, input_tokens, cost_usd)
SELECT source, execution_id, created_at, 'c', created_at, 'w', 'W', 'openai', 'gpt-4o', 'chat',
    'success', false, 10, 0.001 FROM executions;
INSERT INTO llm_content (source, execution_id, created_at, call_id, prompt)
SELECT source, execution_id, created_at, 'c', 'hello' FROM executions;
INSERT INTO executions_hourly
SELECT date_trunc('hour', created_at), source, workflow_id, status, 1, 1, 2, 0, 0 FROM executions;
INSERT INTO execution_durations_hourly
SELECT date_trunc('hour', created_at), source, workflow_id, status, duration_bucket(2), 1
FROM executions;
INSERT INTO llm_calls_hourly
SELECT date_trunc('hour', created_at), source, 'w', 'openai', 'gpt-4o', 'success', NULL, NULL,
    NULL, 1, 0, 0, 0, 10, 0, 0, 0, 0, 0.001, 0, 0 FROM executions;
"""


@pytest.fixture
def community() -> Iterator[Community]:
    """A migrated database with five months of rows."""
    server = databases.server_url("TEST_PGLITE_URL")
    if server is None:
        pytest.skip("TEST_PGLITE_URL is not set: run the tests by `make test`")
    url = databases.with_database(server, f"t{uuid.uuid4().hex[:12]}")
    migrate(database_settings(url))
    with psycopg.connect(url, row_factory=dict_row, prepare_threshold=None) as connection:
        for statement in filter(str.strip, FILL.split(";")):
            connection.execute(statement.encode(), {"now": NOW, "rows": DAYS * 4})
        connection.commit()
        yield connection


def _number(connection: Community, query: str) -> int:
    row = connection.execute(query.encode(), prepare=False).fetchone()
    connection.commit()
    assert row is not None
    return int(next(iter(row.values())))  # type: ignore[call-overload]


def _compressed(connection: Community, table: str) -> int:
    return _number(
        connection,
        "SELECT count(*) FROM timescaledb_information.chunks "
        f"WHERE hypertable_name = '{table}' AND is_compressed",
    )


def test_the_edition_is_told(community: Community) -> None:
    assert "timescale" == housekeeping.timescale_license(community)


def test_migrating_again_does_nothing() -> None:
    server = databases.server_url("TEST_PGLITE_URL")
    if server is None:
        pytest.skip("TEST_PGLITE_URL is not set: run the tests by `make test`")
    url = databases.with_database(server, f"t{uuid.uuid4().hex[:12]}")
    first = migrate(database_settings(url))

    assert "applied compression.sql (TimescaleDB edition: timescale)" in first
    assert [] == migrate(database_settings(url))


def test_old_chunks_are_compressed_and_read_as_before(community: Community) -> None:
    before = _number(community, "SELECT count(*) FROM executions")
    compressed = housekeeping.compress(community, NOW)

    assert compressed > 0
    for table in ("executions", "steps", "llm_calls", "llm_content"):
        assert _compressed(community, table) > 0, table
    assert before == _number(community, "SELECT count(*) FROM executions")


def test_the_youngest_chunk_stays_as_it_is(community: Community) -> None:
    housekeeping.compress(community, NOW)
    chunks = _number(community, "SELECT count(*) FROM show_chunks('executions')")

    assert _compressed(community, "executions") < chunks


def test_compressing_again_changes_nothing(community: Community) -> None:
    housekeeping.compress(community, NOW)
    before = _compressed(community, "executions")
    housekeeping.compress(community, NOW)

    assert before == _compressed(community, "executions")


def test_retention_works_on_compressed_chunks(community: Community) -> None:
    """Compression comes after 35 days, retention after 90: the chunk at the mark is compressed."""
    housekeeping.compress(community, NOW)
    housekeeping.retain(community, RetentionSettings(), NOW)

    mark = (NOW - timedelta(days=90)).replace(minute=0, second=0, microsecond=0)
    expected = _number(
        community, f"SELECT count(*) FROM executions WHERE created_at >= '{mark.isoformat()}'"
    )
    assert 90 * 4 == expected
    chunk = timedelta(days=30)
    too_old = f"SELECT count(*) FROM executions WHERE created_at < '{(mark - chunk).isoformat()}'"
    assert 0 == _number(community, too_old)


def test_after_compression_and_retention_the_audit_finds_no_difference(
    community: Community,
) -> None:
    housekeeping.compress(community, NOW)
    housekeeping.retain(community, RetentionSettings(), NOW)

    assert {} == {table: rows for table, rows in audit(community).items() if rows}


def test_a_range_over_compressed_and_deleted_rows_is_whole(community: Community) -> None:
    housekeeping.compress(community, NOW)
    housekeeping.retain(community, RetentionSettings(), NOW)
    runs = _number(
        community,
        "SELECT sum(runs) FROM v_execution_totals"
        f"('{(NOW - timedelta(days=DAYS + 1)).isoformat()}', '{NOW.isoformat()}')",
    )

    assert DAYS * 4 == runs


def test_a_row_in_a_compressed_chunk_can_still_be_replaced(community: Community) -> None:
    """A late change of an old execution: delete and insert, as the merge does."""
    housekeeping.compress(community, NOW)
    community.execute(
        "CREATE TEMP TABLE staged_executions AS SELECT * FROM executions WHERE execution_id = '400'"
    )
    community.execute("UPDATE staged_executions SET status = 'error'")
    community.execute(
        "DELETE FROM executions t USING staged_executions s WHERE t.source = s.source "
        "AND t.execution_id = s.execution_id AND t.created_at = s.created_at"
    )
    community.execute("INSERT INTO executions SELECT * FROM staged_executions")
    community.commit()

    assert 1 == _number(
        community,
        "SELECT count(*) FROM executions WHERE execution_id = '400' AND status = 'error'",
    )
    assert DAYS * 4 == _number(community, "SELECT count(*) FROM executions")
