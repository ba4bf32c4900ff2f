"""A web server for tests that answers with whatever bytes it is told to, or does not."""

import gzip
import json
import socket
import ssl
import threading
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from exporter.http_client import HttpClient

CERTIFICATE = Path(__file__).with_name("hostile_web.pem")
"""Of localhost and api.example.com, signed by itself."""

Answer = bytes | Callable[["HostileWeb", socket.socket], None]
Serve = Callable[..., "HostileWeb"]
Client = Callable[..., HttpClient]
Ask = Callable[..., Any]


class Row(msgspec.Struct):
    """What tests ask for."""

    count: int
    cost: Decimal = Decimal(0)


class HostileWeb:
    """Listens on a loopback port; each request takes the next answer, the last one stays."""

    def __init__(self, answers: Iterable[Answer], *, tls: bool = False) -> None:
        self.requests: list[bytes] = []
        self.connections = 0
        self.stopped = threading.Event()
        self._answers = list(answers)
        self._context: ssl.SSLContext | None = None
        if tls:
            self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._context.load_cert_chain(CERTIFICATE)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.url = f"{'https' if tls else 'http'}://localhost:{self.port}"
        self._open: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def say(self, answer: Answer) -> None:
        """Give this answer from now on."""
        self._answers = [answer]

    def stop(self) -> None:
        """Close everything and wait for it."""
        self.stopped.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._open:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        for connection in self._open:
            connection.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self.connections += 1
                self._open.append(connection.dup())
                both = [connection, self._open[-1]]
                self._threads.append(threading.Thread(target=self._serve, args=both))
                self._threads[-1].start()

    def _serve(self, connection: socket.socket, copy: socket.socket) -> None:
        connection.settimeout(5)
        with suppress(OSError), connection:
            if self._context is None:
                self._answer(connection)
            else:
                with self._context.wrap_socket(connection, server_side=True) as wrapped:
                    self._answer(wrapped)
        with suppress(OSError):
            copy.shutdown(socket.SHUT_RDWR)

    def _answer(self, connection: socket.socket) -> None:
        while not self.stopped.is_set() and (request := _request(connection)):
            answer = self._answers[min(len(self.requests), len(self._answers) - 1)]
            self.requests.append(request)
            if callable(answer):
                answer(self, connection)
                return
            connection.sendall(answer)


def _request(connection: socket.socket) -> bytes:
    """Read one request with its body; nothing if the client has gone."""
    received = b""
    while b"\r\n\r\n" not in received and not received.startswith(b"\x16"):  # TLS greets so
        piece = connection.recv(65_536)
        if not piece:
            return b""
        received += piece
    head, _, body = received.partition(b"\r\n\r\n")
    lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    while lengths and len(body) < int(lengths[0].partition(b":")[2]):
        body += connection.recv(65_536)
    return head + b"\r\n\r\n" + body


@contextmanager
def hostile_web(*answers: Answer, tls: bool = False) -> Iterator[HostileWeb]:
    """Run such a server."""
    web = HostileWeb(answers, tls=tls)
    try:
        yield web
    finally:
        web.stop()


def http(status: int, body: bytes = b"", *headers: str, kind: str = "application/json") -> bytes:
    """Return a well-formed answer."""
    lines = [
        f"HTTP/1.1 {status} Whatever",
        f"Content-Length: {len(body)}",
        *([f"Content-Type: {kind}"] if kind else []),
        *headers,
    ]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def json_answer(value: object, status: int = 200, *headers: str) -> bytes:
    """Return a well-formed answer of JSON."""
    return http(status, json.dumps(value).encode(), *headers)


FINE = json_answer({"count": 3, "cost": 0})
"""A row."""


def gzipped(body: bytes) -> bytes:
    """Return a well-formed answer, packed."""
    return http(200, gzip.compress(body), "Content-Encoding: gzip")


def silence(web: HostileWeb, connection: socket.socket) -> None:
    """Never answer."""
    web.stopped.wait()


def drop(web: HostileWeb, connection: socket.socket) -> None:
    """Hang up instead of an answer."""


def cut_off(answer: bytes, kept: int) -> Answer:
    """Hang up after so many bytes of an answer."""

    def behave(web: HostileWeb, connection: socket.socket) -> None:
        connection.sendall(answer[:kept])

    return behave


def dribble(beginning: bytes, byte: bytes = b" ") -> Answer:
    """Go on with one byte at a time, for ever, so that no single read takes long."""

    def behave(web: HostileWeb, connection: socket.socket) -> None:
        connection.sendall(beginning)
        while not web.stopped.wait(0.02):
            connection.sendall(byte)

    return behave


def gzip_bomb(megabytes_on_the_wire: int) -> Answer:
    """Send zeros, packed a thousand to one."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    head = packer.compress(bytes(16 * 1024 * 1024)) + packer.flush(zlib.Z_FULL_FLUSH)
    block = packer.compress(bytes(16 * 1024 * 1024)) + packer.flush(zlib.Z_FULL_FLUSH)

    def behave(web: HostileWeb, connection: socket.socket) -> None:
        connection.sendall(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
            b"Content-Encoding: gzip\r\nConnection: close\r\n\r\n" + head
        )
        for _ in range(megabytes_on_the_wire * 1024 * 1024 // len(block)):
            connection.sendall(block)

    return behave
