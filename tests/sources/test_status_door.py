"""What a page's web server may do to us, and what it may not."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from urllib3.util.retry import Retry

from exporter import http_client
from exporter.http_answer import Place
from exporter.records import UnknownCause
from exporter.sources.status import door as door_module
from exporter.sources.status.door import Door
from exporter.sources.status.reading import UnknownStatusError
from tests.hostile_web import HostileWeb, silence
from tests.status_web import StatusWeb

NOW = datetime(2026, 9, 23, 14, 0, tzinfo=UTC)


class Word(msgspec.Struct):
    word: str


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tries follow each other at once."""
    real: Retry = http_client._BACK_OFF
    monkeypatch.setattr(http_client, "_BACK_OFF", real.new(backoff_factor=0, backoff_jitter=0))


@pytest.fixture
def web() -> Iterator[StatusWeb]:
    web = StatusWeb()
    web.says("/a.json", b'{"word": "fine"}')
    yield web
    web.stop()


@pytest.fixture
def elsewhere() -> Iterator[StatusWeb]:
    web = StatusWeb()
    web.says("/a.json", b'{"word": "moved"}')
    web.says("/", b"<html>", Content_Type="text/html")
    yield web
    web.stop()


@pytest.fixture
def opened() -> Iterator[Callable[..., Door]]:
    doors: list[Door] = []

    def make(url: str, *, allow_private: bool = True) -> Door:
        doors.append(Door(url, allow_private=allow_private))
        doors[-1].begin(NOW)
        return doors[-1]

    yield make
    for each in doors:
        each.close()


def unknown(door: Door, path: str = "a.json") -> UnknownStatusError:
    with pytest.raises(UnknownStatusError) as failed:
        door.json(path, Word)
    return failed.value


def test_what_has_not_changed_is_not_sent_again(
    web: StatusWeb, opened: Callable[..., Door]
) -> None:
    web.says("/a.json", b'{"word": "fine"}', ETag='"1"')
    door = opened(web.url)

    words = [door.json("a.json", Word).word for _ in range(3)]

    assert ["fine"] * 3 == words
    assert [None, '"1"', '"1"'] == [headers.get("If-None-Match") for _, headers in web.asked]


def test_what_has_changed_is_read_anew(web: StatusWeb, opened: Callable[..., Door]) -> None:
    door = opened(web.url)
    for number in ("1", "2"):
        web.says("/a.json", b'{"word": "%s"}' % number.encode(), ETag=f'"{number}"')
        found = door.json("a.json", Word).word

        assert number == found


def test_a_304_to_a_question_without_conditions_is_no_answer(
    web: StatusWeb, opened: Callable[..., Door]
) -> None:
    web.says("/a.json", b"", status=304)

    assert UnknownCause.UNPARSABLE is unknown(opened(web.url)).cause


def test_a_redirect_to_another_host_is_followed_and_told(
    web: StatusWeb, elsewhere: StatusWeb, opened: Callable[..., Door]
) -> None:
    web.says("/a.json", b"", status=301, Location=f"{elsewhere.url}/a.json")
    door = opened(web.url)

    assert "moved" == door.json("a.json", Word).word
    assert elsewhere.url == door.moved_to


def test_a_redirect_on_the_same_host_is_no_move(
    web: StatusWeb, opened: Callable[..., Door]
) -> None:
    web.says("/b.json", b"", status=302, Location="/a.json")
    door = opened(web.url)

    assert "fine" == door.json("b.json", Word).word
    assert door.moved_to is None


def test_a_redirect_that_ends_at_a_page_for_people_means_moved(
    web: StatusWeb, elsewhere: StatusWeb, opened: Callable[..., Door]
) -> None:
    web.says("/a.json", b"", status=301, Location=f"{elsewhere.url}/")

    error = unknown(opened(web.url))

    assert UnknownCause.MOVED is error.cause
    assert elsewhere.url in str(error)


@pytest.mark.parametrize("hops", [3, 4])
def test_three_redirects_are_followed_and_no_more(
    web: StatusWeb, opened: Callable[..., Door], hops: int
) -> None:
    for hop in range(hops):
        web.says(
            f"/{hop}", b"", status=302, Location=f"/{hop + 1}" if hop < hops - 1 else "/a.json"
        )
    door = opened(web.url)

    if hops == 3:
        assert "fine" == door.json("0", Word).word
    else:
        assert UnknownCause.MOVED is unknown(door, "0").cause
    assert web.paths.count("/a.json") == (hops == 3)


@pytest.mark.parametrize(
    "location",
    ["ftp://example.com/", "file:///etc/passwd", "https:///x", "javascript:1", "http://[", ""],
)
def test_nobody_goes_where_no_web_server_is(
    web: StatusWeb, opened: Callable[..., Door], location: str
) -> None:
    web.says("/a.json", b"", status=301, Location=location)

    assert UnknownCause.MOVED is unknown(opened(web.url)).cause


def test_a_redirect_from_https_never_leads_to_http() -> None:
    reply = http_client.Reply(
        301, {"Location": "http://example.com/"}, b"", Place("GET example.com/")
    )

    with pytest.raises(UnknownStatusError, match="where nobody is asked"):
        door_module._next("https://status.example.com/a.json", reply)


def test_a_redirect_into_a_private_network_is_not_followed(
    monkeypatch: pytest.MonkeyPatch, web: StatusWeb, elsewhere: StatusWeb
) -> None:
    web.says("/a.json", b"", status=301, Location=f"{elsewhere.url}/a.json")
    door = Door(web.url, allow_private=True)
    door.begin(NOW)
    monkeypatch.setattr(door, "_allow_private", False)  # only the first host may be private

    error = unknown(door)
    door.close()

    assert UnknownCause.UNREACHABLE is error.cause
    assert "private address" in str(error)
    assert [] == elsewhere.asked


def test_a_page_on_a_private_network_is_not_asked_unless_that_is_meant(
    web: StatusWeb, opened: Callable[..., Door]
) -> None:
    assert "private address" in str(unknown(opened(web.url, allow_private=False)))
    assert [] == web.asked


@pytest.mark.parametrize(
    ("status", "cause"),
    [
        (401, UnknownCause.BLOCKED),
        (403, UnknownCause.BLOCKED),
        (404, UnknownCause.MOVED),
        (410, UnknownCause.MOVED),
        (429, UnknownCause.UNREACHABLE),
        (500, UnknownCause.UNREACHABLE),
        (503, UnknownCause.UNREACHABLE),
    ],
)
def test_a_refusal_has_its_cause(
    web: StatusWeb, opened: Callable[..., Door], status: int, cause: UnknownCause
) -> None:
    web.says("/a.json", b"<html>", status=status, Content_Type="text/html")

    assert cause is unknown(opened(web.url)).cause


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("text/html", b"<html>"),
        ("application/json", b"{"),
        ("application/json", b"{}"),
        ("application/json", b"[]"),
        ("application/json", b"\xff"),
        ("application/json", b"{" * 90_000),
        ("application/json", b'{"word": "' + b"x" * 6_000_000 + b'"}'),
    ],
)
def test_an_answer_that_is_none_is_unparsable(
    web: StatusWeb, opened: Callable[..., Door], kind: str, body: bytes
) -> None:
    web.says("/a.json", body, Content_Type=kind)

    assert UnknownCause.UNPARSABLE is unknown(opened(web.url)).cause


def test_a_server_that_is_not_there_is_unreachable(opened: Callable[..., Door]) -> None:
    gone = StatusWeb()
    gone.stop()

    assert UnknownCause.UNREACHABLE is unknown(opened(gone.url)).cause


def test_a_server_that_hangs_is_unreachable(
    monkeypatch: pytest.MonkeyPatch, opened: Callable[..., Door]
) -> None:
    monkeypatch.setattr(door_module, "_DEADLINE_SECONDS", 0.2)
    web = HostileWeb([silence])

    error = unknown(opened(web.url))
    web.stop()

    assert UnknownCause.UNREACHABLE is error.cause


def test_a_server_that_wants_to_be_left_alone_is(
    web: StatusWeb, opened: Callable[..., Door]
) -> None:
    web.says("/a.json", b"", status=429, Retry_After="300")
    door = opened(web.url)
    unknown(door)
    asked = len(web.asked)

    with pytest.raises(UnknownStatusError, match="429"):
        door.begin(NOW + timedelta(seconds=299))
    web.says("/a.json", b'{"word": "fine"}')
    door.begin(NOW + timedelta(seconds=300))

    assert asked == len(web.asked)
    assert "fine" == door.json("a.json", Word).word


@pytest.mark.parametrize(
    "body",
    [
        b"<rss",
        b"",
        b'<!DOCTYPE r [<!ENTITY a "aaaaaaaaaa">]><r>&a;</r>',
        b'<!DOCTYPE r [<!ENTITY a SYSTEM "file:///etc/passwd">]><r>&a;</r>',
        b'<?xml version="1.0" encoding="no-such"?><r/>',
        b"<r>\x00</r>",
    ],
)
def test_xml_that_is_broken_or_clever_is_unparsable(
    web: StatusWeb, opened: Callable[..., Door], body: bytes
) -> None:
    web.says("/feed", body, Content_Type="application/rss+xml")

    with pytest.raises(UnknownStatusError) as failed:
        opened(web.url).xml("feed")

    assert UnknownCause.UNPARSABLE is failed.value.cause


def test_xml_nested_deep_does_no_harm(web: StatusWeb, opened: Callable[..., Door]) -> None:
    web.says("/feed", b"<a>" * 50_000 + b"</a>" * 50_000, Content_Type="application/xml")

    assert "a" == opened(web.url).xml("feed").tag
