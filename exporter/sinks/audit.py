"""Recomputes the hourly sums from the raw rows and names every difference."""

from typing import Any

import psycopg

from exporter.sql_files import named_statements

_STATEMENTS = named_statements("exporter.sinks.sql", "audit.sql")


def audit(connection: psycopg.Connection[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Return per rollup table the rows that do not equal their raw rows; all empty is right.

    Hours before the retention mark have no raw rows left and are not looked at. All tables are
    read in one snapshot, so that polls may go on meanwhile.
    """
    connection.rollback()
    connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
    try:
        return {
            table: connection.execute(statement.encode()).fetchall()
            for table, statement in _STATEMENTS.items()
        }
    finally:
        connection.rollback()
