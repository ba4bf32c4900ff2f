"""How we connect to a web server: at an address that was looked at, and not beyond a deadline."""

import ipaddress
import os
import socket
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPResponse, IncompleteRead
from ipaddress import IPv4Address, IPv6Address
from typing import Any

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from exporter.errors import ExporterError, SourceError, TransientError

CONNECT_SECONDS = 5
_UNICAST = ipaddress.ip_network("2000::/3")
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
# They look public, and a cloud answers there with what is nobody else's business.
_CLOUDS = (ipaddress.ip_network("168.63.129.16/32"), ipaddress.ip_network("192.0.0.0/24"))


class _Response(HTTPResponse):
    def _safe_read(self, amt: int) -> bytes:
        if amt < 0:  # a chunk of -1 bytes would be read to the end of the peer's patience
            raise IncompleteRead(b"")
        data: bytes = super()._safe_read(amt)  # type: ignore[misc]
        return data


class Connector:
    """Opens the connections of one client, one try after the other."""

    def __init__(self, *, allow_private: bool, deadline_seconds: float) -> None:
        self._allow_private = allow_private
        self._seconds = deadline_seconds
        self._place = ""
        self._ends_at = 0.0
        self._passed = False
        self._peer: socket.socket | None = None
        self._lock = threading.Lock()

    def pools(self) -> dict[str, type[HTTPConnectionPool]]:
        """Return by scheme the pools whose connections this connector opens."""
        connector = self

        class Http(HTTPConnection):
            response_class = _Response

            def _new_conn(self) -> socket.socket:
                return connector.connected(self, self._dns_host)

            def request(self, *args: Any, **kwargs: Any) -> None:
                connector.watch(self.sock)
                super().request(*args, **kwargs)

        class Https(HTTPSConnection):
            response_class = _Response

            def _new_conn(self) -> socket.socket:
                return connector.connected(self, self._dns_host)

            def request(self, *args: Any, **kwargs: Any) -> None:
                connector.watch(self.sock)
                super().request(*args, **kwargs)

        class HttpPool(HTTPConnectionPool):
            ConnectionCls = Http

        class HttpsPool(HTTPSConnectionPool):
            ConnectionCls = Https

        return {"http": HttpPool, "https": HttpsPool}

    @contextmanager
    def deadline(self, place: str) -> Iterator[None]:
        """Cut the connection in use if what happens within takes longer; errors name the place.

        A time limit of each read does not end an answer that comes byte by byte. Looking up the
        name is not cut: the system's resolver has its own limit.

        Raises:
            TransientError: it took longer.
        """
        self._place = place
        self._passed = False
        self._ends_at = time.monotonic() + self._seconds
        timer = threading.Timer(self._seconds, self._cut)
        timer.daemon = True
        timer.start()
        try:
            yield
        except ExporterError:
            raise
        except Exception:
            if not self._passed:
                raise
        finally:
            timer.cancel()
            timer.join()
            with self._lock:
                self._forget()
        if self._passed:
            raise TransientError(
                f"{self._place}: no whole answer within {self._seconds:g} s"
            ) from None

    def connected(self, connection: HTTPConnection, host: str) -> socket.socket:
        """Connect to one of the addresses that the name has now; it is not looked up again.

        Raises:
            SourceError: one of them is private.
            OSError: no connection.
        """
        found = socket.getaddrinfo(host.strip("[]"), connection.port, type=socket.SOCK_STREAM)
        if connection.proxy is None and not self._allow_private:
            self._refuse(host, _private(found))
        problem = OSError("no address")
        for family, kind, protocol, _, address in found:
            opened = socket.socket(family, kind, protocol)
            try:
                for option in connection.socket_options or ():
                    opened.setsockopt(*option)
                remaining = max(self._ends_at - time.monotonic(), 0.01)
                opened.settimeout(min(connection.timeout or remaining, remaining))
                opened.connect(address)
                self.watch(opened)
            except OSError as error:
                opened.close()
                problem = error
            else:
                return opened
        raise problem

    def watch(self, connection: socket.socket | None) -> None:
        """Have the deadline cut this connection, which may be one kept from an earlier try."""
        with self._lock:
            self._forget()
            if self._passed:
                raise TimeoutError
            if connection is not None:
                # A copy, because TLS takes the original over; and a plain one, because to shut
                # TLS down means to write, which may wait.
                self._peer = socket.socket(fileno=os.dup(connection.fileno()))

    def _refuse(self, host: str, private: list[str]) -> None:
        if private:
            raise SourceError(
                f"{self._place}: {host} has the private address {private[0]}; "
                "set allow_private: true for this source if that is meant",
                reason="private_address",
            )

    def _cut(self) -> None:
        with self._lock:
            self._passed = True
            if self._peer is not None:
                with suppress(OSError):
                    self._peer.shutdown(socket.SHUT_RDWR)

    def _forget(self) -> None:
        if self._peer is not None:
            self._peer.close()
            self._peer = None


def private_addresses(host: str, port: int) -> list[str]:
    """Return the addresses of a name that are not of the internet; for a library's own sockets.

    Raises:
        OSError: the name has no address.
    """
    return _private(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))


def _private(found: Iterable[tuple[Any, ...]]) -> list[str]:
    addresses = [str(address[0]) for *_, address in found]
    return [text for text in addresses if not _is_public(ipaddress.ip_address(text))]


def in_words(cause: BaseException) -> str:
    """Return why there is no connection; only texts of the system, no peer wrote them."""
    match cause:
        case socket.gaierror():
            return "the name cannot be resolved"
        case TimeoutError():
            return f"no connection within {CONNECT_SECONDS} s"
        case OSError() if cause.strerror:
            return cause.strerror
        case OSError() if str(cause).startswith("Tunnel connection failed"):
            return f"the proxy answered with {str(cause).partition(': ')[2][:3]}"
        case _:
            return f"the connection broke ({type(cause).__name__})"


def _is_public(address: IPv4Address | IPv6Address) -> bool:
    """Whether it is a host of the internet; an IPv6 address that carries an IPv4 one is that."""
    if isinstance(address, IPv6Address):
        carried = address.ipv4_mapped or address.sixtofour
        if carried is None and address in _NAT64:
            carried = IPv4Address(int(address) & 0xFFFF_FFFF)
        if carried is None:
            return address.is_global and address in _UNICAST
        address = carried
    inner = address.is_multicast or any(address in network for network in _CLOUDS)
    return address.is_global and not inner
