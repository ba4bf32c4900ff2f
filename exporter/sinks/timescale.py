"""History → tables: rows, hourly sums, counters and cursor of a batch in one transaction."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from threading import Condition
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
from exporter.postgres import CONNECT, first_line
from exporter.sinks.merge import Merge
from exporter.sql_files import named_statements

_EXECUTIONS = named_statements("exporter.sinks.sql", "executions.sql")
_STATE = named_statements("exporter.sinks.sql", "state.sql")

# What says of rows that they cannot be stored, now or later.
_REFUSALS = (psycopg.DataError, psycopg.IntegrityError, psycopg.errors.ProgramLimitExceeded)
_CONNECTIONS_BESIDE_LEASES = 4
_HANDOVER_SECONDS = 30
Row = dict[str, Any]
Connection = psycopg.Connection[Row]


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except PoolTimeout:
        raise SinkError("our database gives no connection") from None
    except _REFUSALS as error:
        raise RefusedRowsError(f"{type(error).__name__}: {first_line(error)}") from None
    except psycopg.Error as error:
        # The first line names the problem; later ones may quote a row.
        raise SinkError(f"{type(error).__name__}: {first_line(error)}") from None


class TimescaleSink:
    """Our database, plain PostgreSQL or TimescaleDB."""

    def __init__(self, url: str, *, sources: int = 1, timeout_seconds: float = 10) -> None:
        self._leasing = Condition()
        self._leases: dict[str, Connection] = {}
        self._in_use: set[str] = set()
        self._to_release: set[str] = set()
        self._pool: ConnectionPool[Connection] = ConnectionPool(
            url,
            min_size=1,
            max_size=sources + _CONNECTIONS_BESIDE_LEASES,
            timeout=timeout_seconds,
            open=False,
            check=ConnectionPool.check_connection,
            kwargs={"row_factory": dict_row, **CONNECT},
            configure=_configure,
        )

    def open(self) -> None:
        """Begin to connect; a database that is down is tried again in the background."""
        self._pool.open()

    def close(self) -> None:
        """Give back every lease and connection."""
        for source in list(self._leases):
            self.release(source)
        self._pool.close()

    @contextmanager
    def session(self, source: str) -> Iterator["TimescaleSession | None"]:
        """Lend the source's leased connection; None while anybody else polls the source.

        The lease is an advisory lock that its connection holds between polls, so that one
        exporter owns a source until it ends: the counters it shows are then all of them.
        """
        with _translated():
            connection = self._begin(source)
            if connection is None:
                yield None
                return
            try:
                yield TimescaleSession(connection, source)
            finally:
                with suppress(psycopg.Error):
                    connection.rollback()
                self._leave(source)

    def _begin(self, source: str) -> Connection | None:
        with self._leasing:
            # After a reload the poll of the configuration before may still write its last batch.
            if not self._leasing.wait_for(lambda: source not in self._in_use, _HANDOVER_SECONDS):
                raise SinkError("the poll of the configuration before this one has not ended")
            self._in_use.add(source)
        try:
            connection = self._lease(source)
        except BaseException:
            self._leave(source)
            raise
        if connection is None:
            self._leave(source)
        return connection

    def _leave(self, source: str) -> None:
        with self._leasing:
            self._in_use.discard(source)
            is_to_release = source in self._to_release
            self._to_release.discard(source)
            self._leasing.notify_all()
        if is_to_release:
            self.release(source)

    def _lease(self, source: str) -> Connection | None:
        held = self._leases.get(source)
        if held is not None:
            try:
                ConnectionPool.check_connection(held)
            except psycopg.OperationalError:
                self._leases.pop(source)
                self._pool.putconn(held)
            else:
                return held
        connection = self._pool.getconn()
        try:
            leased = connection.execute(_STATE["try_lease"].encode(), {"source": source}).fetchone()
            connection.commit()
        except BaseException:
            self._pool.putconn(connection)
            raise
        if not (leased and leased["is_ours"]):
            self._pool.putconn(connection)
            return None
        self._leases[source] = connection
        return connection

    def release(self, source: str) -> None:
        """Give the lease of a source back, at the latest when a poll under way has ended."""
        with self._leasing:
            if source in self._in_use:
                self._to_release.add(source)
                return
            held = self._leases.pop(source, None)
        if held is not None:
            with suppress(psycopg.Error):
                held.execute(_STATE["end_lease"].encode(), {"source": source})
                held.commit()
            self._pool.putconn(held)

    def make_room(self, sources: int) -> None:
        """Let the pool hold a leased connection for each source, and some beside."""
        self._pool.resize(1, sources + _CONNECTIONS_BESIDE_LEASES)

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
    connection.execute(
        "SET timezone = 'UTC'; SET jit = off;"
        # The server too must notice that we are gone, or our lease outlives us by hours.
        "SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5;"
        "SET tcp_keepalives_count = 3; SET tcp_user_timeout = 20000;"
        "SET lock_timeout = '30s'; SET statement_timeout = '5min'"
    )
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
