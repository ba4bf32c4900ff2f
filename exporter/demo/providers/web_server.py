"""Sockets and threads below a simulated provider: how answers, and the lack of one, are sent."""

import socket
import sys
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock
from typing import Protocol

from exporter.demo.providers.bad_days import BadDay, DropConnection, Hang
from exporter.demo.providers.wire import Answer, Request


class Desk(Protocol):
    """Who receives requests and decides what they get."""

    def received(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes
    ) -> Request:
        """Log a request."""

    def meets(self, request: Request) -> BadDay | None:
        """Return what misbehaviour the request meets."""

    def answer(self, request: Request, bad_day: BadDay | None) -> Answer:
        """Return what the request gets."""


class WebServer(ThreadingHTTPServer):
    """Serves a free port of this machine; remembers what broke inside."""

    daemon_threads = True

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.failures: list[BaseException] = []
        self._open: set[socket.socket] = set()
        self._lock = Lock()
        super().__init__(("127.0.0.1", 0), _Handler)

    def keep(self, connection: socket.socket) -> None:
        """Remember an open connection."""
        with self._lock:
            self._open.add(connection)

    def forget(self, connection: socket.socket) -> None:
        """Forget a connection that is about to close."""
        with self._lock:
            self._open.discard(connection)

    def drop_connections(self) -> None:
        """Break what is still open: readers keep connections for their next request."""
        with self._lock:
            for connection in self._open:
                drop(connection)

    def handle_error(self, request: object, client_address: object) -> None:
        """Remember a failure of the simulation; a reader that hangs up is none."""
        error = sys.exc_info()[1]
        if error is not None and not isinstance(error, ConnectionError):
            self.failures.append(error)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body leave together: apart, the second waits for an acknowledgement
    disable_nagle_algorithm = True
    server: WebServer
    answered_at: datetime

    def setup(self) -> None:
        super().setup()
        self.server.keep(self.connection)

    def finish(self) -> None:
        self.server.forget(self.connection)
        with suppress(OSError):
            super().finish()

    def do_GET(self) -> None:
        length = int(self.headers.get("Content-Length", "0"))
        desk = self.server.desk
        request = desk.received(
            self.command, self.path, dict(self.headers.items()), self.rfile.read(length)
        )
        self.answered_at = request.at
        bad_day = desk.meets(request)
        match bad_day:
            case Hang(reached=reached, released=released):
                reached.set()
                released.wait()
                self._drop()
            case DropConnection(after_bytes=None):
                self._drop()
            case DropConnection(after_bytes=int(after_bytes)):
                self._send(desk.answer(request, bad_day), at_most=after_bytes)
                self._drop()
            case _:
                self._send(desk.answer(request, bad_day))

    do_POST = do_GET  # noqa: N815 - named by the standard library
    do_PUT = do_GET  # noqa: N815
    do_PATCH = do_GET  # noqa: N815
    do_DELETE = do_GET  # noqa: N815

    def _send(self, answer: Answer, at_most: int | None = None) -> None:
        body = answer.encoded()
        has_body = answer.status != 304
        headers = {"Content-Type": "application/json"} if has_body else {}
        headers.update(answer.headers)
        if has_body:
            headers["Content-Length"] = str(len(body))
        self.send_response(answer.status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body[:at_most])
        self.wfile.flush()

    def _drop(self) -> None:
        self.close_connection = True
        drop(self.connection)

    def date_time_string(self, timestamp: float | None = None) -> str:
        """Return the date of the simulation: readers compare it with `Retry-After`."""
        return format_datetime(self.answered_at.astimezone(UTC), usegmt=True)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Say nothing: the log of requests is the server's."""


def drop(connection: socket.socket) -> None:
    """Break a connection under whoever waits at its other end."""
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
