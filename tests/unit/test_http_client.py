"""The door to the web: what is sent, what is kept to ourselves, and that no bytes crash it."""

import base64
import logging
import socket
import ssl
import threading
import traceback
import urllib.parse
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from exporter import __version__
from exporter.errors import ConfigurationError, RefusedRequestError, SourceError, TransientError
from exporter.http_client import HttpClient
from tests.hostile_web import (
    CERTIFICATE,
    FINE,
    Answer,
    Client,
    HostileWeb,
    Row,
    Serve,
    cut_off,
    dribble,
    drop,
    gzipped,
    http,
    json_answer,
    silence,
)

CANARY = "cAnArY-0a1b2c3d4e"


# --- Asking ------------------------------------------------------------------------------


def test_an_answer_is_decoded_into_the_type(serve: Serve, client: Client) -> None:
    web = serve(json_answer({"count": 3, "cost": 1, "unknown": [None]}))

    assert Row(3, Decimal(1)) == client(web).get("/usage", into=Row)


def test_money_is_what_stood_on_the_wire(serve: Serve, client: Client) -> None:
    web = serve(http(200, b'{"count": 1, "cost": 0.1000000000000000000001}'))

    assert Decimal("0.1000000000000000000001") == client(web).get("/", into=Row).cost


def test_an_answer_may_be_a_list(serve: Serve, client: Client) -> None:
    web = serve(json_answer([{"count": 1}, {"count": 2}]))

    assert [Row(1), Row(2)] == client(web).get("/", into=list[Row])


def test_a_path_is_joined_to_the_base_url(serve: Serve, client: Client) -> None:
    web = serve()

    client(f"{web.url}/v1/").get("/usage", [("day", "2026-01-01"), ("day", "ä&=")], into=Row)
    client(f"{web.url}/v1").get("usage?page=2", [("limit", "7")], into=Row)
    client(f"{web.url}/v1/feed.json").get("", into=Row)

    lines = [request.partition(b"\r\n")[0].decode() for request in web.requests]
    assert lines == [
        "GET /v1/usage?day=2026-01-01&day=%C3%A4%26%3D HTTP/1.1",
        "GET /v1/usage?page=2&limit=7 HTTP/1.1",
        "GET /v1/feed.json HTTP/1.1",
    ]


def test_a_next_link_of_the_same_origin_is_followed(serve: Serve, client: Client) -> None:
    web = serve()

    client(f"{web.url}/v1").get(f"{web.url.upper()}/v1/usage?page=2", into=Row)

    assert web.requests[0].startswith(b"GET /v1/usage?page=2 HTTP/1.1\r\n")


@pytest.mark.parametrize(
    "link",
    [
        "http://localhost:1/x",
        "https://localhost:{port}/x",
        "http://127.0.0.1:{port}/x",
        "http://localhost/x",
        "http://user@localhost:{port}/x",
        "http://localhost:{port}@evil.example/x",
        "http://evil.example\\@localhost:{port}/x",
        "//evil.example/x",
        "file:///etc/passwd",
        "http://localhost:99999/x",
        "http://[/x",
    ],
)
def test_a_next_link_elsewhere_is_not_followed(serve: Serve, client: Client, link: str) -> None:
    web = serve()

    with pytest.raises(TransientError, match=r"^localhost:[0-9]+ names a next page"):
        client(web).get(link.format(port=web.port), into=Row)

    assert web.connections == 0


def test_a_question_goes_as_json(serve: Serve, client: Client) -> None:
    web = serve()

    client(web).post("/query", {"day": "2026-01-01"}, [("page", "2")], into=Row)

    head, _, body = web.requests[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /query?page=2 HTTP/1.1\r\n")
    assert b"\r\nContent-Type: application/json" in head
    assert body == b'{"day":"2026-01-01"}'


def test_a_form_goes_as_a_form(serve: Serve, client: Client) -> None:
    web = serve()

    client(web).post_form("/token", {"grant_type": "x", "secret": "a&b=c ü\ud800"}, into=Row)

    head, _, body = web.requests[0].partition(b"\r\n\r\n")
    assert b"\r\nContent-Type: application/x-www-form-urlencoded" in head
    assert body == b"grant_type=x&secret=a%26b%3Dc+%C3%BC%3F"


def test_headers_of_the_client_and_of_the_call_are_sent(serve: Serve, client: Client) -> None:
    web = serve()

    client(web, headers={"X-Api-Key": "one", "X-Version": "1"}).get(
        "/", into=Row, headers={"X-Version": "2"}
    )

    sent = web.requests[0].decode()
    assert f"\r\nUser-Agent: ai-workflow-exporter/{__version__}\r\n" in sent
    assert "\r\nX-Api-Key: one\r\n" in sent
    assert "\r\nX-Version: 2\r\n" in sent
    assert "X-Version: 1" not in sent


def test_pages_come_over_one_connection(serve: Serve, client: Client) -> None:
    web = serve(FINE, gzipped(b'{"count": 4}'), json_answer({}, 404), FINE)
    asking = client(web)

    asking.get("/1", into=Row)
    asking.get("/2", into=Row)
    with pytest.raises(RefusedRequestError):
        asking.get("/3", into=Row)
    asking.get("/4", into=Row)

    assert (web.connections, len(web.requests)) == (1, 4)


def test_a_closed_client_opens_another_connection(serve: Serve, client: Client) -> None:
    web = serve()
    asking = client(web)

    asking.get("/", into=Row)
    asking.close()
    asking.get("/", into=Row)

    assert web.connections == 2


def test_closing_hangs_up(serve: Serve, client: Client) -> None:
    hung_up = threading.Event()

    def answer(web: HostileWeb, connection: socket.socket) -> None:
        connection.sendall(FINE)
        if connection.recv(1) == b"":
            hung_up.set()

    asking = client(serve(answer))
    asking.get("/", into=Row)
    in_use = list(asking._adapter.poolmanager.pools._container.values())

    asking.close()

    assert in_use
    assert hung_up.wait(5)


def test_cookies_are_not_kept(serve: Serve, client: Client) -> None:
    web = serve(http(200, b'{"count": 1}', "Set-Cookie: a=b"))
    asking = client(web)

    asking.get("/", into=Row)
    asking.get("/", into=Row)

    assert b"cookie" not in web.requests[1].lower()


@pytest.mark.parametrize(
    "url",
    [
        "api.example.com",
        "ftp://api.example.com",
        "https://",
        "https://user:pass@api.example.com",
        "https://api.example.com?key=1",
        "https://api.example.com:99999",
        "",
    ],
)
def test_a_base_url_that_cannot_be_is_a_mistake_in_the_configuration(url: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        HttpClient(url)

    assert "pass" not in str(refused.value)


def test_a_decoder_is_made_once_a_type(
    serve: Serve, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[object] = []
    real = msgspec.json.Decoder
    monkeypatch.setattr(msgspec.json, "Decoder", lambda into: (made.append(into), real(into))[1])
    asking = client(serve())

    for into in (Row, Row, dict[str, int], dict[str, int]):
        asking.get("/", into=into)

    assert made == [Row, dict[str, int]]


# --- What the environment may say --------------------------------------------------------


def test_a_proxy_of_the_operator_is_used_and_may_be_private(
    serve: Serve, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = serve()
    monkeypatch.setenv("HTTP_PROXY", proxy.url.replace("//", "//user:pass@"))

    asking = client("http://api.example.com", allow_private=False)

    assert asking.get("/x", into=Row).count == 3
    assert proxy.requests[0].startswith(b"GET http://api.example.com/x HTTP/1.1\r\n")
    assert b"Proxy-Authorization: Basic " + base64.b64encode(b"user:pass") in proxy.requests[0]


def test_through_a_proxy_the_certificate_is_the_hosts(
    serve: Serve, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def tunnel(web: HostileWeb, connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 Connected\r\n\r\n")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(CERTIFICATE)
        with context.wrap_socket(connection, server_side=True) as host:
            asked.append(host.recv(65_536))
            host.sendall(FINE)

    asked: list[bytes] = []
    monkeypatch.setenv("HTTPS_PROXY", serve(tunnel).url)
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))

    answer = client("https://api.example.com", allow_private=False).get("/x", into=Row)

    assert answer.count == 3
    assert asked[0].startswith(b"GET /x HTTP/1.1\r\n")
    with pytest.raises(SourceError, match=r"not valid for 'api\.example\.org'"):
        client("https://api.example.org").get("/x", into=Row)


def test_a_proxy_that_refuses_a_tunnel_is_named(
    serve: Serve, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = serve(http(407, kind=""))
    monkeypatch.setenv("HTTPS_PROXY", proxy.url)

    with pytest.raises(TransientError, match=r"/x: the proxy answered with 407$"):
        client("https://api.example.com").get("/x", into=Row)

    assert proxy.requests[0].startswith(b"CONNECT api.example.com:443 ")


def test_a_silent_proxy_is_cut_too(
    serve: Serve, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", serve(silence).url)

    with pytest.raises(TransientError, match="no whole answer within"):
        client("https://api.example.com", deadline_seconds=0.3).get("/", into=Row)


def test_hosts_in_no_proxy_are_asked_directly(
    serve: Serve, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy, web = serve(), serve()
    monkeypatch.setenv("HTTP_PROXY", proxy.url)
    monkeypatch.setenv("NO_PROXY", "localhost")

    client(web).get("/", into=Row)

    assert (proxy.connections, web.connections) == (0, 1)


@pytest.mark.usefixtures("no_proxies")
def test_a_socks_proxy_is_a_mistake_in_the_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", f"socks5://user:{CANARY}@localhost:1080")

    with pytest.raises(ConfigurationError, match="SOCKS") as refused:
        HttpClient("https://api.example.com")

    assert CANARY not in str(refused.value)


def test_a_proxy_that_cannot_be_is_named_without_its_password(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://user:{CANARY}@[:80")

    with pytest.raises((SourceError, TransientError)) as refused:
        client("http://api.example.com").get("/", into=Row)

    assert CANARY not in "".join(traceback.format_exception(refused.value))


def test_netrc_does_not_replace_our_authorization(
    serve: Serve, client: Client, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "netrc").write_text("machine localhost login somebody password else\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    web = serve()

    client(web, headers={"Authorization": "Bearer ours"}).get("/", into=Row)

    assert b"\r\nAuthorization: Bearer ours\r\n" in web.requests[0]


# --- Secrets -----------------------------------------------------------------------------


def echo(status: int, template: str, kind: str = "application/json") -> bytes:
    """Return an answer that repeats our key, whole and with a character nobody sees in it."""
    words = template.replace("{key}", CANARY).replace(
        "{split}", CANARY[:6] + "\\u0000" + CANARY[6:]
    )
    return http(status, words.encode(), f"Location: /?{CANARY}", kind=kind)


@pytest.mark.parametrize(
    "answer",
    [
        *(
            echo(status, '{"error": {"message": "Incorrect key: {key}, {split}, Bearer {key}"}}')
            for status in (302, 400, 401, 402, 404, 429, 500)
        ),
        echo(400, '{"message": "' + "x" * 190 + ' {key}"}'),
        echo(200, "{key}"),
        echo(200, '{"count": "{key}"}'),
        echo(200, "{}", kind=f"text/{CANARY}"),
        cut_off(echo(200, "{key}"), 60),
        cut_off(f"{CANARY}\r\n\r\n".encode(), 100),
        cut_off(f"HTTP/1.1 200 OK\r\n{CANARY}\r\n\r\n".encode(), 100),
        cut_off(f"HTTP/1.1 200 OK\r\nContent-Length: {CANARY}, 2\r\n\r\n".encode(), 100),
        cut_off(f"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{CANARY}\r\n".encode(), 100),
        drop,
        dribble(b""),
    ],
)
def test_what_we_sent_stands_in_no_error_and_no_log(
    serve: Serve, client: Client, caplog: pytest.LogCaptureFixture, answer: Answer
) -> None:
    web = serve(answer)
    headers = {"Authorization": f"Bearer {CANARY}"}
    asking = client(web, headers=headers, deadline_seconds=0.5)
    calls: list[Callable[[], object]] = [
        lambda: asking.get("/usage", [("key", CANARY)], into=Row),
        lambda: asking.get(f"{web.url}/usage?key={CANARY}", into=Row),
        lambda: asking.post("/usage", {}, [("key", CANARY)], into=Row),
        lambda: asking.post_form("/usage", {"client_secret": CANARY}, into=Row),
    ]

    with caplog.at_level(logging.DEBUG):
        for call in calls:
            with pytest.raises((TransientError, SourceError)) as failed:
                call()

            whole = "".join(traceback.format_exception(failed.value))
            assert CANARY.lower() not in whole.lower()
            assert CANARY[6:] not in whole
            assert f"localhost:{web.port}/usage" in str(failed.value)
            assert failed.value.__context__ is None or failed.value.__suppress_context__
    assert CANARY not in caplog.text


@pytest.mark.parametrize(
    "key",
    [
        f"{CANARY}\nlines",
        f"{CANARY}\r\nX-Evil: lines",
        f"{CANARY}caf\u00e9",
        f"\u201c{CANARY}\u201d",
        f"{CANARY}\x00",
        f" {CANARY}",
        f"{CANARY} ",
        f"{CANARY}\ud800",
    ],
)
def test_a_key_that_no_header_can_carry_is_refused_without_showing_it(
    serve: Serve, client: Client, key: str
) -> None:
    web = serve()

    with pytest.raises(SourceError, match="header X-Api-Key cannot carry its value") as refused:
        client(web, headers={"X-Api-Key": key}).get("/", into=Row)

    assert refused.value.reason == "key_refused"
    assert CANARY not in "".join(traceback.format_exception(refused.value))
    assert web.connections == 0


def test_a_key_in_the_query_arrives_as_it_is(serve: Serve, client: Client) -> None:
    web = serve()
    key = "a&b=c#d%20e+f/ü\n"

    client(web).get("/", [("key", key)], into=Row)

    target = web.requests[0].split()[1].decode()
    assert urllib.parse.parse_qs(urllib.parse.urlsplit(target).query) == {"key": [key]}
