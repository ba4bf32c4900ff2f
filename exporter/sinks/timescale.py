"""History → tables: rows, hourly sums, counters and cursor of a batch in one transaction."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import Any

import psycopg
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb
from psycopg_pool import ConnectionPool, PoolTimeout

from exporter.errors import RefusedRowsError, SinkError
from exporter.interfaces import (
    Accountant,
    Batch,
    Counter,
    Increment,
    OpenExecution,
    PollResult,
    Position,
    Present,
)
from exporter.sinks.merge import Merge
from exporter.sql_files import named_statements

_EXECUTIONS = named_statements("exporter.sinks.sql", "executions.sql")
_STATE = named_statements("exporter.sinks.sql", "state.sql")

Row = dict[str, Any]
Connection = psycopg.Connection[Row]


def _first_line(error: psycopg.Error) -> str:
    return str(error).partition("\n")[0]


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except PoolTimeout:
        raise SinkError("our database gives no connection") from None
    except (psycopg.DataError, psycopg.errors.ProgramLimitExceeded) as error:
        raise RefusedRowsError(f"{type(error).__name__}: {_first_line(error)}") from None
    except psycopg.Error as error:
        # The first line names the problem; later ones may quote a row.
        raise SinkError(f"{type(error).__name__}: {_first_line(error)}") from None


class TimescaleSink:
    """Our database, plain PostgreSQL or TimescaleDB."""

    def __init__(self, url: str, *, connections: int = 4, timeout_seconds: float = 10) -> None:
        self._pool: ConnectionPool[Connection] = ConnectionPool(
            url,
            min_size=1,
            max_size=connections,
            timeout=timeout_seconds,
            open=False,
            check=ConnectionPool.check_connection,
            kwargs={"row_factory": dict_row, "application_name": "ai-workflow-exporter"},
            configure=_configure,
        )

    def open(self) -> None:
        """Begin to connect; a database that is down is tried again in the background."""
        self._pool.open()

    def close(self) -> None:
        """Give back every connection."""
        self._pool.close()

    @contextmanager
    def session(self, source: str) -> Iterator["TimescaleSession | None"]:
        """Hold the lease of a source, an advisory lock that dies with its connection."""
        with _translated(), self._pool.connection() as connection:
            leased = connection.execute(_STATE["try_lease"].encode(), {"source": source}).fetchone()
            connection.commit()
            if not (leased and leased["is_ours"]):
                yield None
                return
            try:
                yield TimescaleSession(connection, source)
            finally:
                with suppress(psycopg.Error):
                    connection.rollback()
                    connection.execute(_STATE["end_lease"].encode(), {"source": source})
                    connection.commit()

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """Lend a connection for one transaction."""
        with _translated(), self._pool.connection() as connection:
            yield connection

    def record_poll(self, result: PollResult) -> None:
        """Remember how a poll ended."""
        with suppress(SinkError), self.connection() as connection:
            connection.execute(
                _STATE["record_poll"].encode(),
                {
                    "source": result.source,
                    "started_at": result.started_at,
                    "outcome": result.outcome,
                    "detail": result.detail,
                    "records": result.records,
                    "duration_seconds": result.duration_seconds,
                },
            )

    def counters(self) -> list[Counter]:
        """Read back every persisted counter."""
        with self.connection() as connection:
            rows = connection.execute(_STATE["counters"].encode()).fetchall()
        return _counters(rows)

    def sources(self) -> list[Row]:
        """Read of each source: caught_up, newest_at, updated_at."""
        with self.connection() as connection:
            return connection.execute(_STATE["sources"].encode()).fetchall()

    def rhythms(self) -> dict[tuple[str, str], float]:
        """(source, workflow) → the longest usual silence between its runs, in seconds."""
        with self.connection() as connection:
            rows = connection.execute(_EXECUTIONS["rhythms"].encode()).fetchall()
        return {(row["source"], row["workflow"]): row["expected_interval_seconds"] for row in rows}


def _counters(rows: Sequence[Row]) -> list[Counter]:
    return [
        Counter(
            metric=row["metric"], labels=tuple(sorted(row["labels"].items())), value=row["value"]
        )
        for row in rows
    ]


def _configure(connection: Connection) -> None:
    connection.execute("SET timezone = 'UTC'; SET jit = off; SET lock_timeout = '30s'")
    connection.commit()


class TimescaleSession:
    """The sink under one source's lease."""

    def __init__(self, connection: Connection, source: str) -> None:
        self._connection = connection
        self._source = source

    def _rows(self, statement: str, parameters: Mapping[str, object] | None = None) -> list[Row]:
        return self._connection.execute(
            statement.encode(), {"source": self._source, **(parameters or {})}
        ).fetchall()

    def position(self) -> Position:
        """Read back cursor and open executions."""
        with _translated(), self._connection.transaction():
            rows = self._rows(_STATE["position"])
            open_rows = self._rows(_EXECUTIONS["open_executions"])
        kept = rows[0] if rows else {"cursor": {}, "generation": 0, "caught_up": False}
        return Position(**kept, open_executions=tuple(OpenExecution(**row) for row in open_rows))

    def present(self) -> Present:
        """Read the source's workflows and how many executions are open."""
        with _translated(), self._connection.transaction():
            workflows = self._rows(_EXECUTIONS["workflows"])
            open_counts = self._rows(_EXECUTIONS["open_counts"])
        return Present(
            workflows={row["workflow"]: row["active"] for row in workflows},
            open_executions={
                (row["workflow"], row["status"]): row["executions"] for row in open_counts
            },
        )

    def counters(self) -> list[Counter]:
        """Read back the source's persisted counters."""
        with _translated(), self._connection.transaction():
            return _counters(self._rows(_STATE["counters_of_source"]))

    def write(
        self, position: Position, batch: Batch, accountant: Accountant, now: datetime
    ) -> tuple[Position, Sequence[Increment]]:
        """Commit one batch, or raise SinkError and change nothing."""
        with _translated(), self._connection.transaction():
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
            changes = Merge(self._connection, self._source).apply(batch.records)
            increments = accountant.increments(self._source, changes, batch.omissions)
            self._count(increments)
        return (
            Position(cursor=batch.cursor, **moved[0], open_executions=position.open_executions),
            increments,
        )

    def _count(self, increments: Sequence[Increment]) -> None:
        for statement, keep_max in (("add_to_counters", False), ("raise_counters", True)):
            moved = [increment for increment in increments if increment.keep_max is keep_max]
            if moved:
                self._connection.execute(
                    _STATE[statement].encode(),
                    {
                        "metrics": [increment.metric for increment in moved],
                        "labels": [Jsonb(dict(increment.labels)) for increment in moved],
                        "amounts": [increment.amount for increment in moved],
                    },
                )
