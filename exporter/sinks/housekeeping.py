"""Retention and compression: our own jobs, so that every edition keeps and drops alike."""

from datetime import datetime, timedelta
from typing import Any

import psycopg

from exporter.settings import RetentionSettings
from exporter.sql_files import named_statements

COMPRESS_AFTER = timedelta(days=35)
"""Later than any source revises its rows: writing to a compressed chunk is slow."""
_STATEMENTS = named_statements("exporter.sinks.sql", "housekeeping.sql")
_EXECUTION_TABLES = ("executions", "steps", "llm_calls")
_ROWS_PER_DELETE = 20_000
Connection = psycopg.Connection[dict[str, Any]]


def timescale_license(connection: Connection) -> str | None:
    """Return `timescale` (Community), `apache`, or None on plain PostgreSQL."""
    row = connection.execute(_STATEMENTS["license"].encode()).fetchone()
    return row["license"] or None if row and row["version"] else None


def retain(connection: Connection, settings: RetentionSettings, now: datetime) -> dict[str, int]:
    """Delete raw rows past their time and return how many rows of each table; hourly sums stay.

    Whole chunks that TimescaleDB drops are not in the numbers. The mark is set first and in its
    own transaction: from then on the writer refuses rows that old, so that nothing deleted is
    ever counted again.
    """
    ages = dict.fromkeys(_EXECUTION_TABLES, settings.executions)
    ages["llm_content"] = settings.llm_content
    deleted: dict[str, int] = {}
    for table, age in ages.items():
        # Whole hours, as the hourly sums: a range that reaches behind the mark reads those.
        before = (now - age).replace(minute=0, second=0, microsecond=0)
        _run(connection, "move_mark", table, before)
        if timescale_license(connection):
            _run(connection, "drop_chunks", table, before)
        deleted[table] = _delete_older(connection, table, "created_at", before)
    deleted["polls"] = _delete_older(connection, "polls", "started_at", now - settings.polls)
    return deleted


def _run(connection: Connection, statement: str, table: str, before: datetime) -> int:
    parameters = {"table": table, "before": before}
    affected = connection.execute(_STATEMENTS[statement].encode(), parameters).rowcount
    connection.commit()
    return affected


def _delete_older(connection: Connection, table: str, column: str, before: datetime) -> int:
    statement = _STATEMENTS["delete_older"].replace("{table}", table).replace("{column}", column)
    total = 0
    while True:
        parameters = {"before": before, "limit": _ROWS_PER_DELETE}
        gone = connection.execute(statement.encode(), parameters).rowcount
        connection.commit()
        total += gone
        if gone < _ROWS_PER_DELETE:
            return total


def compress(connection: Connection, now: datetime) -> int:
    """Compress old chunks and return how many are; TimescaleDB Community only."""
    if timescale_license(connection) != "timescale":
        return 0
    before = now - COMPRESS_AFTER
    return sum(
        _run(connection, "compress", table, before) for table in (*_EXECUTION_TABLES, "llm_content")
    )
