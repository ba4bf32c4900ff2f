"""Records → rows of temporary tables, by binary COPY."""

import hashlib
import json
import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec
import psycopg
from psycopg.types.json import Jsonb

from exporter.records import CostBucket, Execution, LlmCall, Outcome, Step, UsageBucket
from exporter.sql_files import named_statements

_STATEMENTS = named_statements("exporter.sinks.sql", "merge.sql")
# Columns that stand in keys of tables, of hourly sums or of counters, and hold foreign text.
_KEY_COLUMNS = frozenset(
    {"execution_id", "step_id", "parent_step_id", "call_id", "workflow_id", "workflow"}
    | {"provider", "model", "customer", "project", "team", "error_type"}
    | {"outcome_id", "name", "unit"}
    | {"report", "project_id", "api_key_id", "user_id", "service_tier", "line_item", "currency"}
)
_LONGEST_KEY_BYTES = 255  # nine of them fit an index entry, which PostgreSQL ends at 2,704 bytes
_LARGEST_COUNT = 10**15  # beyond is damage; sums of such counts still fit a bigint
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class StepText:
    """What a step received and gave on; of an execution as a whole the step_id is empty."""

    source: str
    execution_id: str
    created_at: datetime
    step_id: str
    input: str | None
    output: str | None


Staged = Execution | Step | LlmCall | StepText | Outcome | UsageBucket | CostBucket


@dataclass(frozen=True, slots=True)
class Table:
    """A table that records are merged into."""

    name: str
    key: tuple[str, ...]  # the columns that a row is known by; none of them is ever NULL
    mark_column: str = "created_at"  # the time that retention goes by
    time_column: str = "created_at"  # the time within its key

    @property
    def stage(self) -> str:
        """Its temporary twin."""
        return f"staged_{self.name}"

    def filled(self, statement: str) -> bytes:
        """Fill a statement with this table's names."""
        names = {
            "{stage}": self.stage,
            "{table}": self.name,
            "{mark_column}": self.mark_column,
            "{time_column}": self.time_column,
            "{same_key}": " AND ".join(f"t.{column} = s.{column}" for column in self.key),
        }
        for place, value in names.items():
            statement = statement.replace(place, value)
        return statement.encode()

    def statement(self, name: str) -> bytes:
        """Fill a statement of merge.sql."""
        return self.filled(_STATEMENTS[name])


_RUN = ("source", "execution_id", "created_at")
EXECUTIONS = Table("executions", _RUN)
STEPS = Table("steps", (*_RUN, "step_id"))
# A call is summed in the hour it began, which may be days after its execution was created.
LLM_CALLS = Table("llm_calls", (*_RUN, "call_id"), mark_column="started_at")
LLM_CONTENT = Table("llm_content", (*_RUN, "call_id"))
STEP_CONTENT = Table("step_content", (*_RUN, "step_id"))
OUTCOMES = Table("outcomes", ("source", "outcome_id", "at"), mark_column="at", time_column="at")


def lock(connection: psycopg.Connection[Row], source: str) -> None:
    """Be the only one, until the end of the transaction, to merge rows of the source."""
    connection.execute(_STATEMENTS["lock"].encode(), {"source": source})


def stage(
    connection: psycopg.Connection[Row], table: Table, records: Sequence[Staged]
) -> Mapping[str, Any]:
    """Fill the table's temporary twin with what differs from what is stored.

    Of two records with one key the later counts. Returns the bounds of `created_at`, parameters
    of every later statement, and how many rows were `expired`.
    """
    copy_in(connection, table, records)
    return prune(connection, table)


def copy_in(connection: psycopg.Connection[Row], table: Table, records: Sequence[Staged]) -> None:
    """Fill the table's temporary twin; of two records with one key the later counts."""
    connection.execute(table.statement("create_stage"))
    described = _described(connection, table)
    types = [row["type"] for row in described]
    columns = [(row["name"], _converter(row["name"], row["type"])) for row in described]
    key = [place for place, row in enumerate(described) if row["name"] in table.key]
    rows = [[convert(getattr(record, name)) for name, convert in columns] for record in records]
    statement = f"COPY {table.stage} FROM STDIN (FORMAT BINARY)"
    with connection.cursor().copy(statement.encode()) as copy:
        copy.set_types(types)
        for row in {tuple(row[place] for place in key): row for row in rows}.values():
            copy.write_row(row)


def _described(connection: psycopg.Connection[Row], table: Table) -> list[Row]:
    return connection.execute(_STATEMENTS["describe"].encode(), {"table": table.name}).fetchall()


def columns_of(connection: psycopg.Connection[Row], table: Table) -> list[str]:
    """Name the table's columns in their order."""
    return [row["name"] for row in _described(connection, table)]


def prune(connection: psycopg.Connection[Row], table: Table) -> Mapping[str, Any]:
    """Drop from the twin what is expired or already stored as it is; return the time bounds."""
    expired = connection.execute(table.statement("drop_expired")).rowcount
    bounds = connection.execute(table.statement("bounds")).fetchone()
    assert bounds is not None  # noqa: S101  # an aggregate always gives a row
    connection.execute(table.statement("drop_unchanged"), bounds)
    return {**bounds, "expired": expired}


def replace_stored(
    connection: psycopg.Connection[Row], table: Table, bounds: Mapping[str, Any]
) -> None:
    """Put the staged rows in the place of those they differ from."""
    connection.execute(table.statement("delete_stored"), bounds)
    connection.execute(table.statement("insert_staged"))


def _converter(column: str, sql_type: str) -> Callable[[Any], object]:
    if column in _KEY_COLUMNS:
        return lambda text: None if text is None else fitted(text)
    return _CONVERTERS.get(sql_type, _as_it_is)


def _as_it_is(value: Any) -> Any:
    return value


def _count(value: int | None) -> int | None:
    return value if value is None or -_LARGEST_COUNT < value < _LARGEST_COUNT else None


def _finite(value: float | None) -> float | None:
    return value if value is None or math.isfinite(value) else None


def _amount(value: Decimal | None) -> Decimal | None:
    is_amount = value is not None and value.is_finite() and abs(value) < _LARGEST_COUNT
    return value if is_amount else None


def _encoded(value: Any) -> bytes:
    """Return JSON; what PostgreSQL's jsonb cannot hold is found only where it could be."""
    with suppress(UnicodeEncodeError, OverflowError):
        encoded = msgspec.json.encode(value)
        if b"\\u0000" not in encoded:
            return encoded
    return json.dumps(_json(value)).encode()


def _json(value: Any) -> Any:
    match value:
        case str():
            return storable(value)
        case float():
            return _finite(value)
        case Mapping():
            return {storable(str(key)): _json(child) for key, child in value.items()}
        case list():
            return [_json(child) for child in value]
        case _:
            return value


_CONVERTERS: Mapping[str, Callable[[Any], object]] = {
    "text": lambda text: None if text is None else storable(text),
    "text[]": lambda texts: [storable(text) for text in texts],
    "jsonb": lambda mapping: Jsonb(_encoded(mapping), dumps=_as_it_is),
    "bigint": _count,
    "integer": _count,
    "double precision": _finite,
    "numeric": _amount,
}


def fitted(text: str) -> str:
    """Cut a name to what an index entry can hold; two long names stay two."""
    encoded = storable(text).encode()
    if len(encoded) <= _LONGEST_KEY_BYTES:
        return encoded.decode()
    digest = hashlib.sha256(encoded).hexdigest()[:12]
    return encoded[: _LONGEST_KEY_BYTES - 20].decode(errors="ignore") + "…" + digest


def storable(text: str) -> str:
    """Remove what PostgreSQL's text cannot hold: NUL, and halves of surrogate pairs."""
    if text.isascii() and "\0" not in text:
        return text
    try:
        return text.replace("\0", "").encode().decode()
    except UnicodeEncodeError:
        return text.replace("\0", "").encode(errors="replace").decode()
