"""How we connect to any PostgreSQL, so that a peer that falls silent is noticed."""

import os
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

import psycopg

CONNECT: Mapping[str, Any] = {
    "application_name": "ai-workflow-exporter",
    "connect_timeout": 10,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,  # milliseconds
}
"""Arguments of every connection: a dead peer is given up after about 25 s."""


@contextmanager
def deadline(connection: psycopg.Connection[Any], seconds: float) -> Iterator[None]:
    """Cut the connection if what happens within takes longer.

    The server's own time limit does not help when the server is frozen while its kernel still
    acknowledges; the driver then waits for hours.
    """
    timer = threading.Timer(seconds, _cut, [connection])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _cut(connection: psycopg.Connection[Any]) -> None:
    with (
        suppress(OSError, psycopg.Error),
        socket.socket(fileno=os.dup(connection.fileno())) as peer,
    ):
        peer.shutdown(socket.SHUT_RDWR)


def first_line(error: psycopg.Error) -> str:
    """Return what went wrong; later lines of the driver's text may quote a row."""
    return str(error).partition("\n")[0]
