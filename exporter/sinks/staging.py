"""Records → rows of temporary tables, by binary COPY."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from exporter.records import Execution, LlmCall, Step
from exporter.sql_files import named_statements

_STATEMENTS = named_statements("exporter.sinks.sql", "merge.sql")
# Columns that stand in keys of tables, of hourly sums or of counters, and hold foreign text.
_KEY_COLUMNS = frozenset(
    {"execution_id", "step_id", "parent_step_id", "call_id", "workflow_id", "workflow"}
    | {"provider", "model", "customer", "project", "team", "error_type"}
)
_LONGEST_KEY_BYTES = 255  # nine of them fit an index entry, which PostgreSQL ends at 2,704 bytes
Row = dict[str, Any]
Staged = Execution | Step | LlmCall


@dataclass(frozen=True, slots=True)
class Table:
    """A table that records are merged into, and what names a row of it besides its execution."""

    name: str
    own_key: str | None = None

    @property
    def stage(self) -> str:
        """Its temporary twin."""
        return f"staged_{self.name}"

    def statement(self, name: str) -> bytes:
        """Fill a statement of merge.sql with this table's names."""
        keys = ["source", "execution_id", "created_at", *([self.own_key] if self.own_key else [])]
        same_key = " AND ".join(f"t.{key} = s.{key}" for key in keys)
        text = _STATEMENTS[name].replace("{stage}", self.stage).replace("{table}", self.name)
        return text.replace("{same_key}", same_key).encode()

    def key(self, record: Staged) -> tuple[object, ...]:
        """What a row of it is known by; of two records with one key the later wins."""
        own = getattr(record, self.own_key) if self.own_key else None
        return (record.source, record.execution_id, record.created_at, own)


EXECUTIONS = Table("executions")
STEPS = Table("steps", "step_id")
LLM_CALLS = Table("llm_calls", "call_id")
LLM_CONTENT = Table("llm_content", "call_id")


def columns(connection: psycopg.Connection[Row], table: Table) -> dict[str, str]:
    """Return the table's columns and types, in order."""
    rows = connection.execute(
        "SELECT attname, format_type(atttypid, NULL) AS type FROM pg_attribute "
        "WHERE attrelid = %(table)s::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
        {"table": table.name},
    ).fetchall()
    return {row["attname"]: row["type"] for row in rows}


def stage(
    connection: psycopg.Connection[Row], table: Table, records: Sequence[Staged]
) -> Mapping[str, datetime]:
    """Fill the table's temporary twin with what differs from what is stored.

    Returns the bounds of `created_at`, parameters of every later statement.
    """
    connection.execute(table.statement("create_stage"))
    described = columns(connection, table)
    with connection.cursor().copy(
        f"COPY {table.stage} FROM STDIN (FORMAT BINARY)".encode()
    ) as copy:
        copy.set_types(list(described.values()))
        for record in {table.key(record): record for record in records}.values():
            copy.write_row([_value(record, column) for column in described])
    return prune(connection, table)


def prune(connection: psycopg.Connection[Row], table: Table) -> Mapping[str, datetime]:
    """Drop from the twin what is expired or already stored as it is; return the time bounds."""
    connection.execute(table.statement("drop_expired"))
    bounds = connection.execute(table.statement("bounds")).fetchone()
    assert bounds is not None  # noqa: S101  # an aggregate always gives a row
    connection.execute(table.statement("drop_unchanged"), bounds)
    return bounds


def replace_stored(
    connection: psycopg.Connection[Row], table: Table, bounds: Mapping[str, datetime]
) -> None:
    """Put the staged rows in the place of those they differ from."""
    connection.execute(table.statement("delete_stored"), bounds)
    connection.execute(table.statement("insert_staged"))


def _value(record: Staged, column: str) -> object:
    if column == "duration_seconds" and isinstance(record, Execution):
        return duration_seconds(record)
    match getattr(record, column):
        case StrEnum() as word:
            return word.value
        case str() as text:
            return fitted(text) if column in _KEY_COLUMNS else storable(text)
        case tuple() as texts:
            return [storable(text) for text in texts]
        case Mapping() as mapping:
            return Jsonb(_storable_json(dict(mapping)))
        case float() | int() | Decimal() | datetime() | None as value:
            return value
        case other:
            raise TypeError(f"{column}: no column holds a {type(other).__name__}")


def duration_seconds(execution: Execution) -> float | None:
    """From start to end; None while open, and where the engine's times contradict each other."""
    begun_at = execution.started_at
    if begun_at is None or execution.finished_at is None or execution.finished_at < begun_at:
        return None
    return (execution.finished_at - begun_at).total_seconds()


def fitted(text: str) -> str:
    """Cut a name to what an index entry can hold; two long names stay two."""
    encoded = storable(text).encode()
    if len(encoded) <= _LONGEST_KEY_BYTES:
        return encoded.decode()
    digest = hashlib.sha256(encoded).hexdigest()[:12]
    return encoded[: _LONGEST_KEY_BYTES - 20].decode(errors="ignore") + "…" + digest


def storable(text: str) -> str:
    """Remove what PostgreSQL's text cannot hold: NUL, and halves of surrogate pairs."""
    text = text.replace("\0", "")
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode(errors="replace").decode()
    return text


def _storable_json(value: Any) -> Any:
    match value:
        case str():
            return storable(value)
        case dict():
            return {storable(str(key)): _storable_json(child) for key, child in value.items()}
        case list():
            return [_storable_json(child) for child in value]
        case _:
            return value
