"""The sink under one source's lease: reads back where it stands, writes one batch as a whole."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import psycopg
from psycopg.types.json import Jsonb
from psycopg_pool import PoolTimeout

from exporter.errors import RefusedRowsError, SinkError
from exporter.interfaces import (
    Accountant,
    Batch,
    Counter,
    Increment,
    OpenExecution,
    Position,
    Present,
)
from exporter.postgres import first_line
from exporter.sinks.merge import Merge
from exporter.sinks.present import present_of
from exporter.sql_files import named_statements

_EXECUTIONS = named_statements("exporter.sinks.sql", "executions.sql")
_STATE = named_statements("exporter.sinks.sql", "state.sql")
# What says of rows that they cannot be stored, now or later.
_REFUSALS = (psycopg.DataError, psycopg.IntegrityError, psycopg.errors.ProgramLimitExceeded)
Row = dict[str, Any]
Connection = psycopg.Connection[Row]


@contextmanager
def translated() -> Iterator[None]:
    """Turn the driver's errors into ours: later, or rows that cannot be stored."""
    try:
        yield
    except PoolTimeout:
        raise SinkError("our database gives no connection") from None
    except _REFUSALS as error:
        raise RefusedRowsError(f"{type(error).__name__}: {first_line(error)}") from None
    except psycopg.Error as error:
        # The first line names the problem; later ones may quote a row.
        raise SinkError(f"{type(error).__name__}: {first_line(error)}") from None


def counters_of(rows: Sequence[Row]) -> list[Counter]:
    """Return persisted series as they stand in rows."""
    return [
        Counter(
            metric=row["metric"], labels=tuple(sorted(row["labels"].items())), value=row["value"]
        )
        for row in rows
    ]


class TimescaleSession:
    """The sink under one source's lease."""

    def __init__(self, connection: Connection, source: str, role: str | None = None) -> None:
        self._connection = connection
        self._source = source
        self._role = role

    def _rows(self, statement: str, parameters: Mapping[str, object] | None = None) -> list[Row]:
        return self._connection.execute(
            statement.encode(), {"source": self._source, **(parameters or {})}
        ).fetchall()

    def position(self) -> Position:
        """Read back cursor and open executions."""
        with translated(), self._connection.transaction():
            rows = self._rows(_STATE["position"])
            open_rows = self._rows(_EXECUTIONS["open_executions"])
        kept = rows[0] if rows else {"cursor": {}, "generation": 0, "caught_up": False}
        return Position(**kept, open_executions=tuple(OpenExecution(**row) for row in open_rows))

    def present(self, now: datetime) -> Present:
        """Read what of the source is true now."""
        with translated(), self._connection.transaction():
            return present_of(self._role, lambda name: self._rows(name, {"now": now}))

    def counters(self) -> list[Counter]:
        """Read back the source's persisted counters."""
        with translated(), self._connection.transaction():
            return counters_of(self._rows(_STATE["counters_of_source"]))

    def write(
        self, position: Position, batch: Batch, accountant: Accountant, now: datetime
    ) -> tuple[Position, Sequence[Increment]]:
        """Commit one batch, or raise SinkError and change nothing."""
        with translated(), self._connection.transaction():
            moved = self._rows(
                _STATE["move_cursor"],
                {
                    "cursor": Jsonb(dict(batch.cursor)),
                    "generation": position.generation,
                    "caught_up": batch.caught_up,
                    "newest_at": batch.newest_at,
                    "now": now,
                },
            )
            if not moved:
                raise SinkError(
                    f"another writer moved the cursor of {self._source}; nothing was written"
                )
            merge = Merge(self._connection, self._source)
            changes = merge.apply(batch.records)
            omissions = {**batch.omissions, "expired": merge.expired_executions}
            increments = accountant.increments(self._source, changes, omissions)
            self._count(increments)
        return (
            Position(cursor=batch.cursor, **moved[0], open_executions=position.open_executions),
            increments,
        )

    def _count(self, increments: Sequence[Increment]) -> None:
        for statement, keep_max in (("add_to_counters", False), ("raise_counters", True)):
            moved = [increment for increment in increments if increment.keep_max is keep_max]
            if moved:
                rows = [
                    {
                        "metric": increment.metric,
                        "labels": dict(increment.labels),
                        "amount": increment.amount,
                    }
                    for increment in moved
                ]
                self._connection.execute(_STATE[statement].encode(), {"moved": Jsonb(rows)})
