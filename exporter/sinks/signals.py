"""What is remarkable of calls and steps → its hourly sums, and what is new of it."""

from collections.abc import Mapping
from typing import Any

import psycopg

from exporter.interfaces import SignalChange
from exporter.sql_files import named_statements

_STATEMENTS = named_statements("exporter.sinks.sql", "signals.sql")
Connection = psycopg.Connection[dict[str, Any]]


def merge_call_signals(connection: Connection, bounds: Mapping[str, object]) -> list[SignalChange]:
    """Sum up what the staged calls say more or less than the stored ones, and return it."""
    return _merge(connection, _STATEMENTS["call_differences"], bounds)


def merge_step_signals(connection: Connection, bounds: Mapping[str, object]) -> list[SignalChange]:
    """Sum up what the staged steps say more or less than the stored ones, and return it."""
    return _merge(connection, _STATEMENTS["step_differences"], bounds)


def _merge(
    connection: Connection, differences: str, bounds: Mapping[str, object]
) -> list[SignalChange]:
    statement = _STATEMENTS["changes"].replace("{differences}", differences)
    changes = [
        SignalChange(**row) for row in connection.execute(statement.encode(), bounds).fetchall()
    ]
    if changes:
        roll_up(connection, differences, bounds)
    return changes


def roll_up(
    connection: Connection, differences: str, bounds: Mapping[str, object] | None = None
) -> None:
    """Move the hourly sums by the rows that a query names."""
    statement = _STATEMENTS["roll_up"].replace("{differences}", differences)
    connection.execute(statement.encode(), bounds)
