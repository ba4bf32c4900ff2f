"""The read-only role of the dashboards: whoever may look at Grafana can send any SQL as it."""

from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg import sql

from exporter.settings import DatabaseSettings

Connection = psycopg.Connection[dict[str, Any]]
_ATTEMPTS = 30
_PAUSE = "SELECT pg_sleep(0.05 + random() * 0.2)"
_SETTINGS = {"default_transaction_read_only": "on", "statement_timeout": "15s", "jit": "off"}


def set_up_dashboard_role(
    connection: Connection, settings: DatabaseSettings, relations: Sequence[str]
) -> list[str]:
    """Create the role, limit it, and let it read our tables and views and nothing else.

    Grants are given at every migration, as views lose them when they are made anew. What our own
    role may not do is said with the statement for a superuser.
    """
    role = settings.dashboard_role
    row = connection.execute(
        "SELECT current_schema() AS schema,"
        " (SELECT coalesce(rolconfig, '{}') FROM pg_roles WHERE rolname = %(role)s) AS configured",
        {"role": role},
    ).fetchone()
    connection.commit()
    assert row is not None  # noqa: S101  # it has no FROM
    name, schema = sql.Identifier(role), sql.Identifier(row["schema"])
    done = []
    if row["configured"] is None:
        create = sql.SQL("CREATE ROLE {}").format(name)
        if not _allowed(connection, create):
            return [_remedy(f"CREATE ROLE {role} LOGIN PASSWORD '…'; then migrate again")]
        done.append(f"created role {role}")
    # What stands already is left alone: every exporter of the server comes by at every start.
    limits = [
        sql.SQL("ALTER ROLE {} SET {} = {}").format(name, sql.Identifier(key), sql.Literal(value))
        for key, value in {**_SETTINGS, "search_path": row["schema"]}.items()
        if f"{key}={value}" not in (row["configured"] or ())
    ]
    if settings.dashboard_password is not None:
        password = settings.dashboard_password.get_secret_value().encode()
        # Encrypted here, so that the server's log never shows it.
        encrypted = connection.pgconn.encrypt_password(password, role.encode(), b"scram-sha-256")
        limits.append(
            sql.SQL("ALTER ROLE {} LOGIN PASSWORD {}").format(name, sql.Literal(encrypted.decode()))
        )
    if not _allowed(connection, *limits):
        wanted = "; ".join(
            f"ALTER ROLE {role} SET {key} = '{value}'" for key, value in _SETTINGS.items()
        )
        done.append(_remedy(wanted))
    with connection.transaction():
        connection.execute(sql.SQL("GRANT USAGE ON SCHEMA {} TO {}").format(schema, name))
        listed = sql.SQL(", ").join(map(sql.Identifier, relations))
        connection.execute(sql.SQL("GRANT SELECT ON {} TO {}").format(listed, name))
    return done


def _allowed(connection: Connection, *statements: sql.Composed) -> bool:
    for attempt in range(_ATTEMPTS):
        try:
            with connection.transaction():
                for statement in statements:
                    connection.execute(statement)
        except psycopg.errors.InsufficientPrivilege:
            return False
        except (psycopg.errors.DuplicateObject, psycopg.errors.UniqueViolation):
            return True  # another exporter created it at the same moment
        except psycopg.errors.InternalError_:
            # Roles belong to the whole server: somebody changed this one at the same moment.
            if attempt + 1 == _ATTEMPTS:
                raise
            connection.execute(_PAUSE)
            connection.commit()
        else:
            return True
    return False


def _remedy(statement: str) -> str:
    return f"our role may not set up the dashboards' role; as a superuser run: {statement}"
