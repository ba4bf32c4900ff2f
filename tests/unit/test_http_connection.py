"""Connections: cut at the deadline, verified, and never to an address inside by accident."""

import socket
import time
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from exporter import http_connection
from exporter.errors import ConfigurationError, SourceError, TransientError
from exporter.http_client import HttpClient
from tests.hostile_web import (
    CERTIFICATE,
    FINE,
    Answer,
    Client,
    Row,
    Serve,
    cut_off,
    dribble,
    drop,
    http,
    silence,
)

# --- Connections -------------------------------------------------------------------------


def test_a_dropped_connection_is_tried_again(serve: Serve, client: Client) -> None:
    web = serve(drop, cut_off(FINE, len(FINE) - 3), FINE)

    assert client(web).get("/", into=Row).count == 3


@pytest.mark.parametrize(
    "answer",
    [
        drop,
        cut_off(FINE, 10),
        cut_off(FINE, len(FINE) - 3),
        cut_off(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{", 100),
    ],
)
def test_a_connection_that_always_drops_is_given_up(
    serve: Serve, client: Client, answer: Answer
) -> None:
    web = serve(answer)

    with pytest.raises(TransientError, match=rf"^GET localhost:{web.port}/x: "):
        client(web).get("/x", into=Row)

    assert len(web.requests) == 3


def test_a_refused_connection_says_so(client: Client) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

    with pytest.raises(TransientError, match=f"^GET 127.0.0.1:{port}/x: Connection refused$"):
        client(f"http://127.0.0.1:{port}").get("/x", into=Row)


def test_a_name_that_nobody_knows_says_so(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    lookups: list[object] = []

    def unknown(host: str, *args: object, **kwargs: object) -> None:
        lookups.append(host)
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)

    with pytest.raises(TransientError, match=r"^GET api\.example\.com/: the name cannot be "):
        client("https://api.example.com").get("/", into=Row)

    assert lookups == ["api.example.com"] * 3


def test_a_connection_that_does_not_come_about_is_given_up(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def silent(self: socket.socket, address: object) -> None:
        assert self.gettimeout() == pytest.approx(5, abs=0.1)
        raise TimeoutError("timed out")

    monkeypatch.setattr(socket.socket, "connect", silent)

    with pytest.raises(TransientError, match="no connection within 5 s"):
        client("http://127.0.0.1:9", deadline_seconds=30).get("/", into=Row)


@pytest.mark.parametrize(
    "answer",
    [
        silence,
        dribble(b"HTTP/1.1 200 OK\r\nX-Slow: ", b"x"),
        dribble(b"HTTP/1.1 100 Continue\r\n", b"HTTP/1.1 100 Continue\r\n\r\n"),
        dribble(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{"),
        dribble(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n",
            b"1\r\n \r\n",
        ),
        dribble(b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{"count": 1}'),
    ],
    ids=["silent", "headers", "100 for ever", "body", "chunks", "a whole body that goes on"],
)
@pytest.mark.parametrize("tls", [False, True])
def test_a_slow_server_is_cut_at_the_deadline_and_not_asked_again(
    serve: Serve,
    client: Client,
    monkeypatch: pytest.MonkeyPatch,
    answer: Answer,
    tls: bool,
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    web = serve(answer, tls=tls)
    begun = time.monotonic()

    with pytest.raises(TransientError, match=r"/x: no whole answer within 0\.3 s$"):
        client(web, deadline_seconds=0.3).get("/x", into=Row)

    assert time.monotonic() - begun < 3
    assert len(web.requests) == 1


def test_a_kept_connection_is_cut_too(serve: Serve, client: Client) -> None:
    web = serve(FINE, silence)
    asking = client(web, deadline_seconds=0.3)
    asking.get("/", into=Row)

    with pytest.raises(TransientError, match="no whole answer"):
        asking.get("/", into=Row)

    assert web.connections == 1


def test_a_server_that_never_ends_its_handshake_is_cut(client: Client) -> None:
    begun = time.monotonic()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        asking = client(f"https://localhost:{listener.getsockname()[1]}", deadline_seconds=0.3)

        with pytest.raises(TransientError, match="no whole answer"):
            asking.get("/", into=Row)

    assert time.monotonic() - begun < 3


def test_a_cut_connection_is_not_used_again(serve: Serve, client: Client) -> None:
    web = serve(silence, FINE)
    asking = client(web, deadline_seconds=0.3)
    with pytest.raises(TransientError):
        asking.get("/", into=Row)

    assert asking.get("/", into=Row).count == 3


# --- Certificates ------------------------------------------------------------------------


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"])
def test_the_operators_authorities_are_trusted(
    serve: Serve, client: Client, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, str(CERTIFICATE))

    assert client(serve(tls=True)).get("/", into=Row).count == 3


def test_a_certificate_nobody_signed_is_refused(serve: Serve, client: Client) -> None:
    web = serve(tls=True)

    with pytest.raises(SourceError, match="self-signed certificate") as refused:
        client(web).get("/x", into=Row)

    assert refused.value.reason == "certificate_refused"
    assert str(refused.value).startswith(f"GET localhost:{web.port}/x: ")
    assert web.connections == 1


def test_a_certificate_of_another_host_is_refused(
    serve: Serve, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    web = serve(tls=True)

    with pytest.raises(SourceError, match=r"not valid for '127\.0\.0\.1'") as refused:
        client(f"https://127.0.0.1:{web.port}").get("/", into=Row)

    assert refused.value.reason == "certificate_refused"


def test_a_server_without_tls_is_no_matter_of_certificates(serve: Serve, client: Client) -> None:
    web = serve(http(400))

    with pytest.raises(TransientError, match=r"(?i)SSL"):
        client(f"https://localhost:{web.port}").get("/", into=Row)


@pytest.mark.usefixtures("no_proxies")
def test_authorities_that_are_not_there_are_a_mistake_in_the_configuration(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "none.pem"))

    with pytest.raises(ConfigurationError, match="REQUESTS_CA_BUNDLE names"):
        HttpClient("https://api.example.com")


# --- Addresses ---------------------------------------------------------------------------


def resolve_to(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> list[str]:
    """Answer one lookup after the other, and return which names were looked up."""
    asked: list[str] = []

    def lookup(host: str, port: int, *args: object, **kwargs: object) -> list[Any]:
        addresses = answers[min(len(asked), len(answers) - 1)]
        asked.append(host)
        return [
            (
                socket.AF_INET6 if ":" in address else socket.AF_INET,
                socket.SOCK_STREAM,
                socket.IPPROTO_TCP,
                "",
                (address, port, 0, 0) if ":" in address else (address, port),
            )
            for address in addresses
        ]

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    return asked


PRIVATE = [
    "127.0.0.1",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "100.100.100.200",
    "168.63.129.16",
    "192.0.0.192",
    "0.0.0.0",  # noqa: S104
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::7f00:1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:169.254.169.254",
    "64:ff9b::7f00:1",
    "64:ff9b:1::7f00:1",
    "2002:7f00:1::",
    "fe80::1%lo",
    "fec0::1",
    "fd00:ec2::254",
    "ff02::1",
    "ff0e::1",
    "2001:db8::1",
]


@pytest.mark.parametrize("address", PRIVATE)
def test_a_private_address_is_not_connected_to(
    client: Client, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    resolve_to(monkeypatch, ["8.8.8.8", address])
    monkeypatch.setattr(socket.socket, "connect", lambda *_: pytest.fail("connected"))

    with pytest.raises(SourceError) as refused:
        client("https://api.example.com", allow_private=False).get("/x", into=Row)

    assert refused.value.reason == "private_address"
    assert str(refused.value) == (
        f"GET api.example.com/x: api.example.com has the private address {address}; "
        "set allow_private: true for this source if that is meant"
    )


@pytest.mark.parametrize(
    "host", ["localhost", "127.1", "2130706433", "0x7f.1", "[::1]", "[::ffff:127.0.0.1]"]
)
def test_a_private_address_is_known_however_it_is_written(
    serve: Serve, client: Client, host: str
) -> None:
    web = serve()

    with pytest.raises(SourceError) as refused:
        client(f"http://{host}:{web.port}", allow_private=False).get("/", into=Row)

    assert refused.value.reason == "private_address"
    assert web.connections == 0


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "2606:4700::1111", "64:ff9b::808:808", "2002:808:808::"]
)
def test_an_address_of_the_internet_is_public(address: str) -> None:
    assert http_connection._is_public(ip_address(address))


@pytest.mark.parametrize("tls", [False, True])
def test_the_connection_goes_to_the_address_that_was_looked_at(
    serve: Serve, client: Client, monkeypatch: pytest.MonkeyPatch, tls: bool
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    monkeypatch.setattr(http_connection, "_is_public", lambda address: str(address) == "127.0.0.1")
    web = serve(tls=tls)
    url = web.url.replace("localhost", "api.example.com")
    asked = resolve_to(monkeypatch, ["127.0.0.1"], ["127.0.0.2"])

    assert client(url, allow_private=False).get("/", into=Row).count == 3

    assert asked == ["api.example.com"]
    assert f"\r\nHost: api.example.com:{web.port}\r\n".encode() in web.requests[0]


def test_every_new_connection_is_looked_at(
    serve: Serve, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_connection, "_is_public", lambda address: str(address) == "127.0.0.1")
    web = serve(drop)
    resolve_to(monkeypatch, ["127.0.0.1"], ["127.0.0.2"])

    with pytest.raises(SourceError, match=r"127\.0\.0\.2"):
        client(f"http://api.example.com:{web.port}", allow_private=False).get("/", into=Row)

    assert web.connections == 1
