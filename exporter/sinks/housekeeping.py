"""Retention and compression: our own jobs, so that every edition keeps and drops alike."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import psycopg

from exporter.settings import RetentionSettings
from exporter.sinks.staging import (
    EXECUTIONS,
    LLM_CALLS,
    LLM_CONTENT,
    OUTCOMES,
    STEP_CONTENT,
    STEPS,
)
from exporter.sql_files import named_statements

COMPRESS_AFTER = timedelta(days=35)
"""Later than any source revises its rows: writing to a compressed chunk is slow."""
_STATEMENTS = named_statements("exporter.sinks.sql", "housekeeping.sql")
_MAY_GO = {
    "executions": "t.status NOT IN ('queued', 'running', 'waiting')",
    "incidents": "t.phase = 'resolved'",
    "traces": "t.look_at IS NULL",
}
# Nothing is summed of these: what is deleted needs no mark.
_UNMARKED = (
    ("polls", "started_at", "polls"),
    ("status_samples", "observed_at", "status"),
    ("incidents", "started_at", "status"),
    ("incident_updates", "at", "status"),
    ("traces", "received_at", "executions"),
    ("forwardings", "received_at", "polls"),  # of a target that is no longer configured
)
_TABLES = (EXECUTIONS, STEPS, LLM_CALLS, LLM_CONTENT, STEP_CONTENT, OUTCOMES)
_TEXTS = (LLM_CONTENT, STEP_CONTENT)
_COMPRESSED = (EXECUTIONS, STEPS, LLM_CALLS, LLM_CONTENT)
Connection = psycopg.Connection[dict[str, Any]]


def timescale_license(connection: Connection) -> str | None:
    """Return `timescale` (Community), `apache`, or None on plain PostgreSQL."""
    row = connection.execute(_STATEMENTS["license"].encode()).fetchone()
    return row["license"] or None if row and row["version"] else None


def database_now(connection: Connection) -> datetime:
    """Return the database's time: a wrong clock of ours must not delete what is young."""
    row = connection.execute("SELECT now() AS now").fetchone()
    assert row is not None  # noqa: S101  # a clock always answers
    connection.commit()
    found: datetime = row["now"]
    return found


def retain(connection: Connection, settings: RetentionSettings, now: datetime) -> dict[str, int]:
    """Delete raw rows past their time and return how many rows of each table; hourly sums stay.

    Whole chunks that TimescaleDB drops are not in the numbers. The mark is set first and in its
    own transaction: from then on the writer refuses rows that old, so that nothing deleted is
    ever counted again.
    """
    deleted: dict[str, int] = {}
    for table in _TABLES:
        age = settings.llm_content if table in _TEXTS else settings.executions
        # Whole hours, as the hourly sums: a range that reaches behind the mark reads those.
        before = (now - age).replace(minute=0, second=0, microsecond=0)
        _run(connection, "move_mark", {"table": table.name, "before": before})
        if timescale_license(connection) and table in (STEPS, *_TEXTS):
            _run(connection, "drop_chunks", {"table": table.name, "before": before})
        deleted[table.name] = _delete_older(connection, table.name, table.mark_column, before)
    for name, column, setting in _UNMARKED:
        deleted[name] = _delete_older(connection, name, column, now - getattr(settings, setting))
    return deleted


def _run(connection: Connection, statement: str, parameters: Mapping[str, object]) -> int:
    connection.execute("SET LOCAL statement_timeout = 0")  # a chunk takes what it takes
    affected = connection.execute(_STATEMENTS[statement].encode(), parameters).rowcount
    connection.commit()
    return affected


def _delete_older(connection: Connection, table: str, column: str, before: datetime) -> int:
    statement = _STATEMENTS["delete_oldest_hour"]
    statement = statement.replace("{table}", table).replace("{column}", column)
    statement = statement.replace("{may_go}", _MAY_GO.get(table, "true"))
    total = 0
    while gone := connection.execute(statement.encode(), {"before": before}).rowcount:
        connection.commit()
        total += gone
    connection.commit()
    return total


def compress(connection: Connection, now: datetime) -> int:
    """Compress old chunks and return how many are; TimescaleDB Community only."""
    if timescale_license(connection) != "timescale":
        return 0
    before = now - COMPRESS_AFTER
    return sum(
        _run(connection, "compress", {"table": table.name, "before": before})
        for table in _COMPRESSED
    )
