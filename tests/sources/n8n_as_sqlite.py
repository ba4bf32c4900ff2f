"""The recorded n8n as the SQLite file that n8n would have written."""

import json
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

from tests.conftest import connect

_TYPES = {"boolean": "boolean", "timestamp with time zone": "datetime(3)", "integer": "integer"}
_TABLES = (
    "execution_entity",
    "execution_data",
    "execution_metadata",
    "workflow_entity",
    "workflows_tags",
    "tag_entity",
    "shared_workflow",
    "project",
)
_INDEXES = (
    'CREATE INDEX stopped ON execution_entity ("stoppedAt", status, "deletedAt") '
    'WHERE "stoppedAt" IS NOT NULL AND "deletedAt" IS NULL',
    'CREATE INDEX metadata_of ON execution_metadata ("executionId")',
)


def as_sqlite(value: object) -> object:
    """Write a value as n8n does: UTC text, 0 and 1, JSON text."""
    match value:
        case datetime():
            return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
        case bool():
            return int(value)
        case dict() | list():
            return json.dumps(value)
        case _ if value is None or isinstance(value, str | int | float):
            return value
        case _:
            return str(value)


def write_sqlite(n8n_url: str, path: Path) -> None:
    """Copy the tables that matter into a new file in WAL mode."""
    to = sqlite3.connect(path, isolation_level=None)
    to.execute("PRAGMA journal_mode = WAL")
    with connect(n8n_url) as source:
        for table in _TABLES:
            described = source.execute(
                "SELECT column_name AS name, data_type AS type FROM information_schema.columns "
                "WHERE table_schema = 'public' AND table_name = %s ORDER BY ordinal_position",
                [table],
            ).fetchall()
            columns = ", ".join(
                f'"{column["name"]}" '
                + (
                    "integer PRIMARY KEY"
                    if column["name"] == "id" and column["type"] == "integer"
                    else _TYPES.get(str(column["type"]), "text")
                )
                for column in described
            )
            to.execute(f"CREATE TABLE {table} ({columns})")
            places = ", ".join("?" * len(described))
            to.execute("BEGIN")
            to.executemany(
                f"INSERT INTO {table} VALUES ({places})",
                [
                    [as_sqlite(value) for value in row.values()]
                    for row in source.execute(f"SELECT * FROM {table}".encode())
                ],
            )
            to.execute("COMMIT")
    for index in _INDEXES:
        to.execute(index)
    to.close()
