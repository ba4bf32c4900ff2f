"""What servers answer: which error it becomes, and how much of it we take."""

import re
import tracemalloc
from contextlib import suppress
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from urllib3.util.retry import Retry

from exporter import http_client
from exporter.errors import RefusedRequestError, SourceError, TransientError
from tests.hostile_web import (
    FINE,
    Answer,
    Ask,
    Client,
    Row,
    Serve,
    cut_off,
    dribble,
    drop,
    gzip_bomb,
    gzipped,
    hostile_web,
    http,
    json_answer,
)


class Page(msgspec.Struct):
    data: list[Row]


# --- Refusals ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "reason", "rest"),
    [
        (401, "key_refused", timedelta(minutes=15)),
        (403, "key_refused", timedelta(minutes=15)),
        (402, "payment_required", timedelta(minutes=15)),
        (400, "request_refused", None),
        (404, "request_refused", None),
        (405, "request_refused", None),
        (410, "request_refused", None),
        (418, "request_refused", None),
        (422, "request_refused", None),
        (301, "redirected", None),
        (304, "redirected", None),
    ],
)
def test_a_refusal_is_asked_once_and_named(
    serve: Serve, client: Client, status: int, reason: str, rest: timedelta | None
) -> None:
    web = serve(json_answer({}, status, "Retry-After: 3"))

    with pytest.raises(RefusedRequestError) as refused:
        client(web).get("/v1/usage", [("page", "2")], into=Row)

    error = refused.value
    assert (error.status, error.reason, error.rest) == (status, reason, rest)
    assert str(error).startswith(f"GET localhost:{web.port}/v1/usage answered with {status}")
    assert len(web.requests) == 1


@pytest.mark.parametrize(
    ("headers", "rest"),
    [
        (["Retry-After: 7"], 7),
        (["Retry-After: 0"], 0),
        (["Retry-After: 1.5"], 1.5),
        (["Retry-After: 86400"], 900),
        (["Retry-After: " + "9" * 5000], 900),
        (["Retry-After-Ms: 1500", "Retry-After: 7"], 1.5),
        (["Date: Sun, 25 Oct 2026 00:59:50 GMT", "Retry-After: Sun, 25 Oct 2026 01:00:20 GMT"], 30),
        (
            ["Date: Sun, 25 Oct 2026 00:00:00 GMT", "Retry-After: Mon, 26 Oct 2026 00:00:00 GMT"],
            900,
        ),
        (["Date: Sun, 25 Oct 2026 00:00:00 GMT", "Retry-After: Sat, 24 Oct 2026 00:00:00 GMT"], 0),
        (["Date: soon", "Retry-After: Sat, 24 Oct 2026 00:00:00 GMT"], 60),
        (["Retry-After: soon"], 60),
        (["Retry-After: -5"], 60),
        (["Retry-After: nan"], 60),
        ([], 60),
    ],
)
def test_too_many_requests_rests_as_asked(
    serve: Serve, client: Client, headers: list[str], rest: float
) -> None:
    web = serve(json_answer({}, 429, *headers))

    with pytest.raises(TransientError) as later:
        client(web).get("/", into=Row)

    assert later.value.rest == timedelta(seconds=rest)
    assert len(web.requests) == 1


@pytest.mark.parametrize("status", [408, 425, 500, 502, 503, 504, 529, 599, 999])
def test_a_stumbling_server_is_asked_three_times(serve: Serve, client: Client, status: int) -> None:
    web = serve(json_answer({}, status))

    with pytest.raises(TransientError, match=f"answered with {status}") as later:
        client(web).get("/", into=Row)

    assert later.value.rest is None
    assert len(web.requests) == 3


def test_a_post_is_tried_again_with_its_body(serve: Serve, client: Client) -> None:
    web = serve(json_answer({}, 500), drop, FINE)

    assert client(web).post("/", {"a": 1}, into=Row).count == 3
    assert [request.rpartition(b"\r\n")[2] for request in web.requests] == [b'{"a":1}'] * 3


def test_an_overloaded_server_that_asks_for_rest_gets_it(serve: Serve, client: Client) -> None:
    web = serve(json_answer({}, 503, "Retry-After: 120"))

    with pytest.raises(TransientError) as later:
        client(web).get("/", into=Row)

    assert later.value.rest == timedelta(seconds=120)
    assert len(web.requests) == 1


def test_tries_are_spread_in_time(
    serve: Serve, client: Client, no_waiting: Retry, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    monkeypatch.setattr(http_client, "_BACK_OFF", no_waiting)
    monkeypatch.setattr("urllib3.util.retry.time.sleep", waits.append)

    with pytest.raises(TransientError):
        client(serve(json_answer({}, 500))).get("/", into=Row)

    first, second = waits
    assert 1 <= first <= 2 <= second <= 3
    assert not first.is_integer()


def test_a_redirect_is_not_followed(serve: Serve, client: Client) -> None:
    elsewhere = serve()
    for target in (elsewhere.url, "file:///etc/passwd", "http://169.254.169.254/", "http://[", "/"):
        web = serve(http(302, b"", f"Location: {target}"))

        with pytest.raises(RefusedRequestError, match="answered with 302, a redirect"):
            client(web, headers={"Authorization": "Bearer key"}).get("/", into=Row)

        assert len(web.requests) == 1
    assert elsewhere.connections == 0


def test_the_body_of_a_redirect_is_not_read_to_its_end(ask: Ask) -> None:
    endless = dribble(b"HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n", b"x" * 1_000_000)

    assert ask(endless, deadline_seconds=30).reason == "redirected"


@pytest.mark.parametrize(
    "body",
    [
        {"error": {"message": "unknown \r\n  workspace\u202e\x00"}},
        {"error": "unknown \r\n  workspace\u202e\x00"},
        {"message": "unknown \r\n  workspace\u202e\x00"},
    ],
)
def test_the_service_is_quoted_on_one_line(ask: Ask, body: object) -> None:
    assert str(ask(json_answer(body, 400))).endswith("answered with 400: unknown     workspace")


def test_a_quote_is_short(ask: Ask) -> None:
    assert str(ask(json_answer({"message": "x" * 5000}, 400))).endswith(": " + "x" * 200)


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[" * 60_000, b"\xff", b'{"error": {"message": 7}}', b"[]", b"7"]
)
def test_an_error_without_words_is_still_named(ask: Ask, body: bytes) -> None:
    assert str(ask(http(400, body))).endswith("answered with 400")


@pytest.mark.parametrize(
    "answer",
    [
        cut_off(http(401, b"x" * 100), 80),
        http(401, b"x" * 1_000_000),
        http(401, b"no gzip", "Content-Encoding: gzip"),
    ],
)
def test_a_refusal_counts_even_if_its_body_is_broken(ask: Ask, answer: Answer) -> None:
    assert ask(answer).reason == "key_refused"


def test_a_refusal_counts_even_if_its_body_never_ends(ask: Ask) -> None:
    error = ask(dribble(b"HTTP/1.1 401 No\r\n\r\n"), deadline_seconds=0.3)

    assert error.reason == "key_refused"


# --- Bodies ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (http(200, b"<html></html>", kind="text/html; charset=utf-8"), "text/html, not JSON"),
        (http(200, b"{}", kind="text/plain"), "text/plain, not JSON"),
        (http(200, b"{}", kind=""), "no content type, not JSON"),
        (http(200, b"<html></html>"), "no JSON: "),
        (http(200, b""), "no JSON: "),
        (http(204), "no JSON: "),
        (http(200, b'{"count": 1'), "no JSON: "),
        (http(200, b'{"count": "wrong type, and cut off'), "no JSON: "),
        (http(200, b'{"count": 1} and more'), "no JSON: "),
        (http(200, b'{"count": NaN}'), "no JSON: "),
        (http(200, b"\x00" * 100), "no JSON: "),
        (http(200, '{"count": 1, "other": "ä"}'.encode("latin-1")), "bytes that are not UTF-8"),
        (http(200, '{"count": 1}'.encode("utf-16")), "bytes that are not UTF-8"),
        (http(200, b'{"other": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"), "nested too deep"),
        (http(200, b"[" * 100_000 + b"]" * 100_000), "nested too deep"),
        (http(200, b'{"a":' * 100_000 + b"1" + b"}" * 100_000), "nested too deep"),
        (http(200, b"no gzip", "Content-Encoding: gzip"), "broken gzip"),
        (http(200, b"", "Content-Encoding: gzip"), "truncated gzip"),
        (http(200, b"{}", "Content-Encoding: br"), "an encoding that we did not ask for"),
        (http(200, b"{}", "Content-Encoding: gzip, gzip"), "an encoding that we did not ask for"),
    ],
)
def test_what_is_no_json_is_asked_for_again_later(
    serve: Serve, client: Client, answer: bytes, problem: str
) -> None:
    web = serve(answer)

    with pytest.raises(TransientError, match=re.escape(problem)) as failed:
        client(web).get("/usage", into=Row)

    assert re.match(rf"GET localhost:{web.port}/usage answered ", str(failed.value))
    assert len(web.requests) == 1


@pytest.mark.parametrize("codec", ["utf-16", "utf-16-le"])
def test_utf_16_is_read_where_the_answer_says_so(serve: Serve, client: Client, codec: str) -> None:
    web = serve(http(200, '{"count": 7}'.encode(codec), kind="application/json;charset=utf-16"))

    assert client(web).get("/usage", into=Row).count == 7


def test_deep_nesting_within_a_text_is_no_nesting(serve: Serve, client: Client) -> None:
    web = serve(http(200, b'{"count": 7, "other": "' + b'\\"[{' * 10_000 + b'"}'))

    assert client(web).get("/usage", into=Row).count == 7


def test_gzip_that_ends_early_or_late_is_no_answer(ask: Ask) -> None:
    whole = gzipped(b'{"count": 1}').partition(b"\r\n\r\n")[2]

    early, late = (
        ask(http(200, body, "Content-Encoding: gzip")) for body in (whole[:-9], whole + b"more")
    )

    assert "truncated gzip" in str(early)
    assert "more behind its gzip" in str(late)


@pytest.mark.parametrize(
    "kind", ["application/json; charset=UTF-8", "Application/JSON", "application/vnd.api+json"]
)
def test_json_may_be_called_so_in_several_ways(serve: Serve, client: Client, kind: str) -> None:
    assert client(serve(http(200, b'{"count": 1}', kind=kind))).get("/", into=Row).count == 1


@pytest.mark.parametrize(
    ("body", "into", "field"),
    [
        ({"data": [{"count": 1}, {"count": "1"}]}, Page, "$.data[1].count"),
        ({"data": [{"cost": 1}]}, Page, "$.data[0]"),
        ({"count": 1, "cost": "much"}, Row, "$.cost"),
        ([], Row, "got `array`"),
        ({"count": 10**30}, dict[str, bool], "$[...]"),
    ],
)
def test_json_that_does_not_fit_is_for_a_person_to_look_at(
    serve: Serve, client: Client, body: object, into: Any, field: str
) -> None:
    web = serve(json_answer(body))

    with pytest.raises(SourceError, match=re.escape(field)) as changed:
        client(web).get("/usage", into=into)

    assert changed.value.reason == "answer_changed"
    assert str(changed.value).startswith(f"GET localhost:{web.port}/usage answered with JSON that")


def test_numbers_beyond_measure_are_no_crash(ask: Ask) -> None:
    for number in (b"9" * 5000, b"1e99999999999999999999", b"-" + b"9" * 5000):
        error = ask(http(200, b'{"count": 1, "cost": "x", "n": ' + number + b"}"))

        assert error.reason == "answer_changed"
    assert ask(http(200, b'{"count": ' + b"9" * 5000 + b"}")).reason == "answer_changed"


def test_a_body_over_the_limit_is_given_up(serve: Serve, client: Client) -> None:
    fits, too_large = (http(200, b'{"count": 1}'.ljust(size)) for size in (1000, 1001))
    asking = client(serve(fits, too_large), max_bytes=1000)

    assert asking.get("/", into=Row).count == 1
    with pytest.raises(TransientError, match="answered with more than 1000 bytes"):
        asking.get("/", into=Row)


def test_the_limit_counts_what_was_unpacked(serve: Serve, client: Client) -> None:
    fits, too_large = (gzipped(b'{"count": 1}'.ljust(size)) for size in (1000, 1001))
    asking = client(serve(fits, too_large), max_bytes=1000)

    assert asking.get("/", into=Row).count == 1
    with pytest.raises(TransientError, match="answered with more than 1000 bytes"):
        asking.get("/", into=Row)


def test_a_packing_ratio_of_a_bomb_is_refused_beyond_a_megabyte(
    serve: Serve, client: Client
) -> None:
    small, large = (gzipped(b'{"count": 1}'.ljust(size)) for size in (1024 * 1024, 3 * 1024 * 1024))
    asking = client(serve(small, large))

    assert asking.get("/", into=Row).count == 1
    with pytest.raises(TransientError, match="answered with more than 1048576 bytes"):
        asking.get("/", into=Row)


def test_a_gzip_bomb_of_10_mb_does_not_explode(ask: Ask) -> None:
    bomb = gzip_bomb(10)
    tracemalloc.start()
    try:
        error = ask(bomb)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert "on the wire" in str(error)
    assert peak < 64 * 1024 * 1024


def test_an_endless_body_is_given_up_at_the_limit(ask: Ask) -> None:
    beginning = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n"

    error = ask(dribble(beginning, b" " * 1_000_000), deadline_seconds=30, max_bytes=5_000_000)

    assert "answered with more than 5000000 bytes" in str(error)


@pytest.mark.parametrize("size", [b"-1", b"ffffffffffff"])
def test_a_chunk_without_an_end_takes_no_memory(ask: Ask, size: bytes) -> None:
    beginning = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + size + b"\r\n"
    tracemalloc.start()
    try:
        ask(dribble(beginning, b" " * 1_000_000), deadline_seconds=1, max_bytes=2_000_000)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert peak < 16 * 1024 * 1024


@pytest.mark.parametrize(
    "answer",
    [
        b"no HTTP at all\r\n\r\n",
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1, 2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: x\r\n\r\n{",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\n{}\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"f" * 100_000,
        b"HTTP/1.1 103 Early\r\n\r\n",
        b"\x16\x03\x01" * 1000,
        b"",
    ],
)
def test_broken_http_is_asked_for_again_later(ask: Ask, answer: bytes) -> None:
    assert isinstance(ask(cut_off(answer, len(answer))), TransientError)


FUZZ = settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
NEARLY_JSON = st.text(alphabet='{}[]":,count1.e-\\u\n').map(str.encode)


def ask_and_survive(client: Client, answer: Answer) -> None:
    with hostile_web(answer) as web:
        asking = client(web)
        with suppress(TransientError, SourceError):
            asking.get("/", into=Row)
        asking.close()


@FUZZ
@given(body=st.binary(max_size=200) | NEARLY_JSON)
def test_no_body_leads_to_any_other_error(client: Client, body: bytes) -> None:
    ask_and_survive(client, http(200, body))


@FUZZ
@given(
    head=st.sampled_from(
        [b"", b"HTTP/1.1 ", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: "]
    ),
    rest=st.binary(max_size=200),
)
def test_no_bytes_lead_to_any_other_error(client: Client, head: bytes, rest: bytes) -> None:
    ask_and_survive(client, cut_off(head + rest, len(head + rest)))
