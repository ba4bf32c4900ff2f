"""Reads another product's database and never harms it: read-only, short, one connection."""

import json
import re
import sqlite3
import time
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

import psycopg
from psycopg.rows import dict_row

from exporter.errors import SourceError, TransientError
from exporter.postgres import CONNECT, deadline, first_line

Row = dict[str, Any]
Parameters = Mapping[str, object]

STATEMENT_TIMEOUT_SECONDS = 10
_LIMITS = (
    "SET LOCAL statement_timeout = '{seconds}s'; SET LOCAL lock_timeout = '500ms';"
    "SET LOCAL idle_in_transaction_session_timeout = '5s'; SET LOCAL timezone = 'UTC'"
)
_SQLITE_BUSY_SECONDS = 5


class EngineDatabase(Protocol):
    """A monitored database: statements in, rows out, errors sorted."""

    clock: str  # the expression for the database's own time

    def in_list(self, parameter: str) -> str:
        """Return the predicate "is in the list that the parameter holds"."""

    def byte_length(self, column: str) -> str:
        """Return the expression for a text's size, which fetches no payload."""

    def as_text(self, column: str) -> str:
        """Return the expression that reads a JSON column as it stands."""

    def table(self, name: str) -> str:
        """Return the quoted name of an engine's table, with its schema and prefix."""

    def columns(self, name: str) -> frozenset[str]:
        """Return the columns that the table has; none if there is no such table."""

    def query(self, statement: str, parameters: Parameters | None = None) -> list[Row]:
        """Run one read statement with parameters written %(name)s.

        Raises:
            TransientError: no answer now.
            SourceError: not until somebody acts.
        """

    def close(self) -> None:
        """Close the connection; the next query opens another."""


_REFUSED_LOGIN = re.compile(
    r"authentication failed|role .* does not exist|no pg_hba.conf entry|not permitted to log in"
)
_WRONG_URL = re.compile(r"database .* does not exist|connection is bad: invalid|^invalid ")


def _quoted(*names: str) -> str:
    return ".".join('"' + name.replace('"', '""') + '"' for name in names)


class PostgresEngine:
    """An engine's PostgreSQL."""

    clock = "now()"

    def __init__(self, url: str, *, schema: str = "public", table_prefix: str = "") -> None:
        self._url = url
        self._schema = schema
        self._prefix = table_prefix
        self._connection: psycopg.Connection[Row] | None = None

    def in_list(self, parameter: str) -> str:
        """A list is an array."""
        return f"= ANY(%({parameter})s)"

    def byte_length(self, column: str) -> str:
        """The size stands beside the value, also of one that is stored apart."""
        return f"octet_length({column})"

    def as_text(self, column: str) -> str:
        """Keep the driver from building what we may not need."""
        return f"{column}::text"

    def table(self, name: str) -> str:
        """Return the quoted name with schema and prefix."""
        return _quoted(self._schema, self._prefix + name)

    def columns(self, name: str) -> frozenset[str]:
        """Read the catalogue; a column that we may not read is none."""
        rows = self.query(
            "SELECT attname FROM pg_attribute "
            "WHERE attrelid = to_regclass(%(table)s) AND attnum > 0 AND NOT attisdropped "
            "AND has_column_privilege(attrelid, attnum, 'SELECT')",
            {"table": self.table(name)},
        )
        return frozenset(row["attname"] for row in rows)

    def query(self, statement: str, parameters: Parameters | None = None) -> list[Row]:
        """Run one statement in its own short transaction."""
        try:
            connection = self._connected()
            # Settings of this transaction only: a pooler would hand a session's on to the engine.
            with deadline(connection, STATEMENT_TIMEOUT_SECONDS + 5), connection.transaction():
                connection.execute(_LIMITS.format(seconds=STATEMENT_TIMEOUT_SECONDS).encode())
                return connection.execute(statement.encode(), parameters).fetchall()
        except psycopg.Error as error:
            if not isinstance(
                error, psycopg.errors.QueryCanceled | psycopg.errors.LockNotAvailable
            ):
                self.close()
            raise _sorted_error(error) from None  # the driver's text may hold the URL
        except UnicodeError:
            raise SourceError("the database URL has a host that cannot be", reason="url") from None

    def _connected(self) -> psycopg.Connection[Row]:
        if self._connection is None or self._connection.closed:
            self._connection = psycopg.connect(
                self._url,
                prepare_threshold=None,  # a pooler between us may not know prepared statements
                row_factory=dict_row,
                **CONNECT,
            )
            self._connection.read_only = True
        return self._connection

    def close(self) -> None:
        """Close the connection, whatever state it is in."""
        if self._connection is not None:
            with suppress(psycopg.Error):
                self._connection.close()
        self._connection = None


def _sorted_error(error: psycopg.Error) -> TransientError | SourceError:
    message = first_line(error)
    match error:
        case psycopg.errors.UndefinedTable() | psycopg.errors.UndefinedColumn():
            return SourceError(f"not the schema we know: {message}", reason="schema")
        case psycopg.errors.InsufficientPrivilege():
            return SourceError(f"{message}; grant SELECT on it to our role", reason="permission")
        case psycopg.errors.QueryCanceled():
            return TransientError(
                f"no answer in {STATEMENT_TIMEOUT_SECONDS} s, statement cancelled"
            )
        case psycopg.errors.LockNotAvailable():
            return TransientError("a table is locked; we do not queue behind it")
        case psycopg.ProgrammingError() if error.sqlstate is None:
            return SourceError("the database URL is not valid", reason="url")
        case psycopg.OperationalError() if _REFUSED_LOGIN.search(message):
            return SourceError("the database refused user or password", reason="auth")
        case psycopg.OperationalError() if "permission denied for database" in message:
            return SourceError("our role may not connect to the database", reason="permission")
        case psycopg.OperationalError() if _WRONG_URL.search(message):
            return SourceError(
                "the database in the URL does not exist, or it is no valid URL", reason="url"
            )
        case _:
            return TransientError(f"{type(error).__name__}: {message}")


class SqliteEngine:
    """An engine's SQLite file, opened read-only beside the engine that writes it."""

    clock = "strftime('%Y-%m-%d %H:%M:%f', 'now')"

    def __init__(self, path: str, *, table_prefix: str = "") -> None:
        self._path = path
        self._prefix = table_prefix
        self._connection: sqlite3.Connection | None = None

    def in_list(self, parameter: str) -> str:
        """A list is JSON text."""
        return f"IN (SELECT value FROM json_each(%({parameter})s))"

    def byte_length(self, column: str) -> str:
        """The size of a blob stands in its header."""
        return f"length(CAST({column} AS blob))"

    def as_text(self, column: str) -> str:
        """JSON is text already."""
        return column

    def table(self, name: str) -> str:
        """Return the quoted name with prefix."""
        return _quoted(self._prefix + name)

    def columns(self, name: str) -> frozenset[str]:
        """Read the table's own description."""
        rows = self.query(
            "SELECT name FROM pragma_table_info(%(table)s)", {"table": self._prefix + name}
        )
        return frozenset(row["name"] for row in rows)

    def query(self, statement: str, parameters: Parameters | None = None) -> list[Row]:
        """Run one statement; lists go in as JSON text, times as n8n-like UTC text."""
        values = {key: _sqlite_value(value) for key, value in (parameters or {}).items()}
        deadline = time.monotonic() + STATEMENT_TIMEOUT_SECONDS
        try:
            connection = self._connected()
            connection.set_progress_handler(lambda: time.monotonic() > deadline, 10_000)
            with closing(
                connection.execute(re.sub(r"%\((\w+)\)s", r":\1", statement), values)
            ) as cursor:
                names = [column[0] for column in cursor.description]
                return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
        except sqlite3.Error as error:
            self.close()
            raise self._sorted_error(error) from error

    def _connected(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = sqlite3.connect(
                f"{Path(self._path).expanduser().absolute().as_uri()}?mode=ro",
                uri=True,
                timeout=_SQLITE_BUSY_SECONDS,
                check_same_thread=False,  # polls of one source never overlap
                isolation_level=None,
            )
        return self._connection

    def _sorted_error(self, error: sqlite3.Error) -> TransientError | SourceError:
        message = str(error)
        if "no such table" in message or "no such column" in message:
            return SourceError(f"not the schema we know: {message}", reason="schema")
        if "not a database" in message or "malformed" in message:
            return SourceError(f"{self._path}: {message}", reason="schema")
        if message == "interrupted":
            return TransientError(
                f"no answer in {STATEMENT_TIMEOUT_SECONDS} s, statement cancelled"
            )
        if "unable to open" in message or Path(self._path).is_dir():
            return SourceError(
                f"{self._path} cannot be opened; is the path right, and may we write beside it "
                "(WAL mode needs its -shm file)?",
                reason="url",
            )
        return TransientError(f"{self._path}: {message}")

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
        self._connection = None


def _sqlite_value(value: object) -> object:
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S.") + f"{value.microsecond // 1000:03d}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return json.dumps(value)
    return value
