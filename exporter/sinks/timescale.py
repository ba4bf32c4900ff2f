"""History → tables: rows, hourly sums, counters and cursor of a batch in one transaction."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from threading import Condition

import psycopg
from psycopg.rows import dict_row
from psycopg_pool import ConnectionPool

from exporter.errors import SinkError
from exporter.interfaces import Counter, PollResult, StoredTrace
from exporter.postgres import CONNECT
from exporter.records import Forwarding
from exporter.sinks import traces
from exporter.sinks.session import Connection, Row, TimescaleSession, counters_of, translated
from exporter.sql_files import named_statements

_EXECUTIONS = named_statements("exporter.sinks.sql", "executions.sql")
_OUTCOMES = named_statements("exporter.sinks.sql", "outcomes.sql")
_SPEND = named_statements("exporter.sinks.sql", "spend.sql")
_STATE = named_statements("exporter.sinks.sql", "state.sql")

_CONNECTIONS_BESIDE_LEASES = 8  # web, reports, and the jobs that lease for a moment
_HANDOVER_SECONDS = 30


class TimescaleSink:
    """Our database, plain PostgreSQL or TimescaleDB."""

    def __init__(self, url: str, *, sources: int = 1, timeout_seconds: float = 10) -> None:
        self._leasing = Condition()
        self._leases: dict[str, Connection] = {}
        self._in_use: set[str] = set()
        self._to_release: set[str] = set()
        self._roles: dict[str, str] = {}
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
    def session(self, source: str) -> Iterator[TimescaleSession | None]:
        """Lend the source's leased connection; None while anybody else polls the source.

        The lease is an advisory lock that its connection holds between polls, so that one
        exporter owns a source until it ends: the counters it shows are then all of them.
        """
        with translated():
            connection = self._begin(source)
            if connection is None:
                yield None
                return
            try:
                yield TimescaleSession(connection, source, self._roles.get(source))
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
        with translated(), self._pool.connection() as connection:
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
        return counters_of(rows)

    def sources(self) -> list[Row]:
        """Read of each source: caught_up, newest_at, updated_at."""
        with self.connection() as connection:
            return connection.execute(_STATE["sources"].encode()).fetchall()

    def describe_source(self, source: str, kind: str, role: str) -> None:
        """Remember what the source is: views tell a gateway's calls from a workflow engine's."""
        self._roles[source] = role
        with self.connection() as connection:
            connection.execute(
                _SPEND["describe_source"].encode(),
                {"source": source, "kind": kind, "role": role},
            )

    def due_traces(self, source: str, now: datetime, most_spans: int) -> Sequence[StoredTrace]:
        """Return traces to look at, longest due first."""
        with self.connection() as connection:
            return traces.due_traces(connection, source, now, most_spans)

    def closed_traces(self, source: str, trace_ids: Sequence[str]) -> set[str]:
        """Return those of the traces that take no more spans."""
        with self.connection() as connection:
            return traces.closed_traces(connection, source, trace_ids)

    def created_at_of(self, source: str, execution_ids: Sequence[str]) -> Mapping[str, datetime]:
        """Return the time keys of those executions that are stored."""
        with self.connection() as connection:
            rows = connection.execute(
                _EXECUTIONS["created_at_of"].encode(),
                {"source": source, "ids": list(execution_ids)},
            ).fetchall()
        return {row["execution_id"]: row["created_at"] for row in rows}

    def outcome_at_of(self, source: str, outcome_ids: Sequence[str]) -> Mapping[str, datetime]:
        """Return the time keys of those outcomes that are stored."""
        with self.connection() as connection:
            rows = connection.execute(
                _OUTCOMES["at_of"].encode(), {"source": source, "ids": list(outcome_ids)}
            ).fetchall()
        return {row["outcome_id"]: row["at"] for row in rows}

    def forwardings(self, target: str, most: int) -> Sequence[Forwarding]:
        """Return the oldest bodies that wait for the target."""
        with self.connection() as connection:
            return traces.forwardings(connection, target, most)

    def forwarded(self, done: Sequence[Forwarding]) -> None:
        """Forget bodies that need not be sent any more."""
        with self.connection() as connection:
            traces.forget_forwardings(connection, done)

    def rhythms(self) -> dict[tuple[str, str], float]:
        """(source, workflow) → the longest usual silence between its runs, in seconds."""
        with self.connection() as connection:
            rows = connection.execute(_EXECUTIONS["rhythms"].encode()).fetchall()
        return {(row["source"], row["workflow"]): row["expected_interval_seconds"] for row in rows}


def _configure(connection: Connection) -> None:
    connection.execute(
        "SET timezone = 'UTC'; SET jit = off;"
        # The server too must notice that we are gone, or our lease outlives us by hours.
        "SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5;"
        "SET tcp_keepalives_count = 3; SET tcp_user_timeout = 20000;"
        "SET lock_timeout = '30s'; SET statement_timeout = '5min'"
    )
    connection.commit()
