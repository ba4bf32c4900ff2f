"""Applies timescaledb/: migrations once, views when they changed, and what the edition allows."""

import hashlib
import re
from importlib.resources import files
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import dict_row

from exporter.errors import ConfigurationError, SinkError
from exporter.postgres import CONNECT, first_line
from exporter.settings import DatabaseSettings
from exporter.sinks.dashboard_role import set_up_dashboard_role
from exporter.sinks.housekeeping import timescale_license

Connection = psycopg.Connection[dict[str, Any]]
_LOCK = 7_304_201_991  # one migration at a time per database
_PATIENCE = "60s"
_OLDEST_SERVER = 15
_NOT_FOR_DASHBOARDS = {"cursors", "spans", "forwardings"}  # inner state


def _definition() -> Path:
    shipped = Path(str(files("exporter"))) / "_timescaledb"
    return shipped if shipped.is_dir() else Path(__file__).parents[2] / "timescaledb"


def migrate(settings: DatabaseSettings) -> list[str]:
    """Bring the database to this version and return what was done, one line each.

    Raises:
        SinkError: the database cannot be reached, or refused; nothing was changed half.
        ConfigurationError: it is a database that we cannot work with.
    """
    try:
        with psycopg.connect(
            settings.url.get_secret_value(), row_factory=dict_row, **CONNECT
        ) as connection:
            return _migrate(connection, settings)
    except psycopg.errors.InsufficientPrivilege as error:
        raise ConfigurationError(
            f"database: {first_line(error)}; our role must own its schema: "
            "GRANT CREATE ON SCHEMA public TO it"
        ) from None
    except UnicodeError:
        raise ConfigurationError("database.url: its host cannot be") from None
    except psycopg.ProgrammingError as error:
        if error.sqlstate is None:
            raise ConfigurationError("database.url: not a valid PostgreSQL URL") from None
        raise SinkError(f"migrate: {error}") from None
    except psycopg.Error as error:
        raise SinkError(f"database: {first_line(error)}") from None


def _migrate(connection: Connection, settings: DatabaseSettings) -> list[str]:
    if connection.info.server_version < _OLDEST_SERVER * 10000:
        raise ConfigurationError(
            f"database: PostgreSQL {connection.info.server_version // 10000} is too old; "
            f"{_OLDEST_SERVER} or later is needed"
        )
    connection.execute(
        f"SET timezone = 'UTC'; SET client_min_messages = warning; SET lock_timeout = '{_PATIENCE}'"
    )
    try:
        connection.execute("SELECT pg_advisory_lock(%(key)s)", {"key": _LOCK})
    except psycopg.errors.LockNotAvailable:
        raise SinkError(f"migrate: somebody else has been migrating for {_PATIENCE}") from None
    connection.commit()
    _refuse_foreign(connection)
    done = [*_install_extension(connection)]
    connection.execute(
        "CREATE TABLE IF NOT EXISTS aiwf_migrations "
        "(name text PRIMARY KEY, checksum text NOT NULL,"
        " applied_at timestamptz NOT NULL DEFAULT now())"
    )
    rows = connection.execute("SELECT name, checksum FROM aiwf_migrations").fetchall()
    connection.commit()
    applied = {row["name"]: row["checksum"] for row in rows}
    definition = _definition()
    for file in sorted((definition / "migrations").glob("*.sql")):
        done += _apply_once(connection, file, applied)
    done += _edition(connection, definition, applied)
    done += _views(connection, definition, applied)
    return done + set_up_dashboard_role(connection, settings, _readable(definition))


def _refuse_foreign(connection: Connection) -> None:
    """Stop before anything is written into a database that is somebody else's."""
    found = connection.execute(
        "SELECT to_regclass('aiwf_migrations') AS ours, to_regclass('execution_entity') AS n8n,"
        " coalesce(to_regclass('executions'), to_regclass('workflows')) AS foreign"
    ).fetchone()
    connection.commit()
    if found is None or found["ours"] is not None:
        return
    if found["n8n"] is not None:
        raise ConfigurationError(
            "database.url: this is n8n's own database; give the exporter one of its own"
        )
    if found["foreign"] is not None:
        raise ConfigurationError(
            f"database.url: there is a table {found['foreign']} that is not ours; "
            "give the exporter a database of its own"
        )


def _readable(definition: Path) -> list[str]:
    """Name the tables and views that dashboards may read."""
    created = re.compile(r"^CREATE (?:TABLE|VIEW) (\w+)", re.MULTILINE)
    files_ = [*(definition / "migrations").glob("*.sql"), *(definition / "views").glob("*.sql")]
    names = {name for file in files_ for name in created.findall(file.read_text(encoding="utf-8"))}
    return sorted(names - _NOT_FOR_DASHBOARDS)


def _checksum(*files_: Path) -> str:
    return hashlib.sha256(b"\0".join(file.read_bytes() for file in files_)).hexdigest()


def _remember(connection: Connection, name: str, checksum: str) -> None:
    connection.execute(
        "INSERT INTO aiwf_migrations (name, checksum) VALUES (%(name)s, %(checksum)s) "
        "ON CONFLICT (name) DO UPDATE SET checksum = excluded.checksum, applied_at = now()",
        {"name": name, "checksum": checksum},
    )


def _apply_once(connection: Connection, file: Path, applied: dict[str, str]) -> list[str]:
    checksum = _checksum(file)
    if file.name in applied:
        if applied[file.name] != checksum:
            raise ConfigurationError(
                f"database: migration {file.name} was edited after it was applied here; "
                "restore the file, and put the change into a new one"
            )
        return []
    with connection.transaction():
        connection.execute(file.read_bytes())
        _remember(connection, file.name, checksum)
    return [f"applied {file.name}"]


def _install_extension(connection: Connection) -> list[str]:
    row = connection.execute(
        "SELECT installed_version FROM pg_available_extensions WHERE name = 'timescaledb'"
    ).fetchone()
    if row is None or row["installed_version"] is not None:
        return []
    try:
        with connection.transaction():
            connection.execute("CREATE EXTENSION timescaledb")
    except psycopg.Error as error:
        reason = first_line(error)
        return [
            f"TimescaleDB is there but could not be switched on ({reason}): plain tables are used"
        ]
    return ["switched TimescaleDB on"]


def _edition(connection: Connection, definition: Path, applied: dict[str, str]) -> list[str]:
    """Turn tables into hypertables, and allow compression, where the edition can."""
    edition = timescale_license(connection)
    connection.commit()
    names = ["hypertables.sql"] if edition else []
    names += ["compression.sql"] if edition == "timescale" else []
    done = []
    for name in names:
        file = definition / name
        if applied.get(name) != _checksum(file):
            with connection.transaction():
                connection.execute(file.read_bytes())
                _remember(connection, name, _checksum(file))
            done.append(f"applied {name} (TimescaleDB edition: {edition})")
    return done


def _views(connection: Connection, definition: Path, applied: dict[str, str]) -> list[str]:
    """Re-create views and functions when a file changed: they hold no data."""
    files_ = sorted((definition / "views").glob("*.sql"))
    checksum = _checksum(*files_)
    if applied.get("views") == checksum:
        return []
    with connection.transaction():
        connection.execute((definition / "drop_views.sql").read_bytes())
        for file in files_:
            connection.execute(file.read_bytes())
        _remember(connection, "views", checksum)
    return [f"re-created {len(files_)} files of views"]
