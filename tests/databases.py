"""Databases for tests: migrated once into a template, cloned for each test; dumps restored."""

import gzip
import os
import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql

N8N_DUMP = Path(__file__).parent / "sources" / "n8n" / "n8n-2.41.sql.gz"
# What a server without contrib modules, or older than 17, does not know and no row needs.
_LEFT_OUT = re.compile(r"^(\\|CREATE EXTENSION|COMMENT ON EXTENSION|SET transaction_timeout)")


def server_url(variable: str) -> str | None:
    """Return the address of a test server, without which tests say that they were skipped."""
    return os.environ.get(variable)


def with_database(url: str, name: str) -> str:
    """Return the URL with another database in it."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


@contextmanager
def new_database(server: str, template: str | None = None) -> Iterator[str]:
    """Create a database, yield its URL, drop it."""
    name = f"aiwf_{uuid.uuid4().hex[:12]}"
    create = sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name))
    if template is not None:
        create += sql.SQL(" TEMPLATE {}").format(sql.Identifier(template))
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute(create)
        try:
            yield with_database(server, name)
        finally:
            admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def database_name(url: str) -> str:
    """Return the database of a URL."""
    return urlsplit(url).path.lstrip("/")


def restore(dump: Path, url: str) -> None:
    """Load a plain-SQL dump: statements as they stand, rows by COPY."""
    with gzip.open(dump, "rt", encoding="utf-8") as lines, psycopg.connect(url) as connection:
        statements: list[str] = []
        for line in lines:
            if line.startswith("COPY ") and line.rstrip().endswith("FROM stdin;"):
                connection.execute("".join(statements).encode())
                statements.clear()
                with connection.cursor().copy(line.encode()) as copy:
                    for row in lines:
                        if row == "\\.\n":
                            break
                        copy.write(row)
            elif not _LEFT_OUT.match(line):
                statements.append(line)
        connection.execute("".join(statements).encode())
