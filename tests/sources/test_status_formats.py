"""Every kind of status page: what its recorded answers, and broken ones, come to."""

import re
from collections.abc import Iterator, Mapping
from typing import Any
from xml.sax.saxutils import escape

import pytest

from exporter.records import StatusLevel
from exporter.sources.status.conclusion import WHOLE_PAGE, Conclusion
from exporter.sources.status.formats import FORMATS
from exporter.sources.status.reading import UnknownStatusError
from tests.sources import status_cases
from tests.sources.status_cases import NOW, URL, Case, WrittenDoor, body_of, cases, outcome, read
from tests.sources.status_documents import at, documents, is_xml, oddities, places, replaced
from tests.sources.status_words import GOOD, SILENT_WHEN_WELL, bad_words

Answer = Mapping[str, Any]

ELSEWHERE = "https://elsewhere.example/"
HTML = {"text": "<!doctype html><title>Status</title>", "type": "text/html; charset=utf-8"}
GREEN = ("operational", "maintenance")
READS_HTML = ("pagerduty",)
NO_NEWS_IS_GOOD = {"aws": ("[]",)}
HOSTILE = (
    '<script>alert("1")</script><a href="javascript:alert(1)">x</a><![<![ <a <a '
    "\x00\x1b[31m\u202e&#99999999999;" + "y" * 100_000
)

USUAL = [told for name in ("all_green", "major_outage") for told in cases(name=name)]
TROUBLED = [told for told in cases() if told.expected["page"] in ("degraded", "major_outage")]
IN_XML = [told for told in USUAL if any(map(is_xml, told.answers.values()))]


def everywhere(told: Case, answer: Answer) -> dict[str, Answer]:
    """Let every path that is asked for in a case answer alike."""
    door = WrittenDoor(told.answers)
    door.begin(NOW, wants_history=True)
    FORMATS[told.kind].read(door)
    return dict.fromkeys(door.asked, answer)


@pytest.mark.parametrize("told", cases(), ids=str)
def test_a_recorded_page_comes_to_exactly_what_is_expected(told: Case) -> None:
    found = outcome(told)

    assert told.expected["page"] == found["page"]
    assert told.expected.get("components", {}) == found["components"]
    expected = told.expected.get("incidents", [])
    assert len(expected) == len(found["incidents"]), found["incidents"]
    assert expected == [
        {name: one[name] for name in wanted}
        for wanted, one in zip(expected, found["incidents"], strict=True)
    ]


@pytest.mark.parametrize("kind", FORMATS)
def test_every_kind_has_its_recordings(kind: str) -> None:
    assert [] == status_cases.missing(kind)


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        (HTML, "unparsable"),
        ({**HTML, "type": "application/json", "text": "<!doctype html>"}, "unparsable"),
        ({"text": b"{}", "type": ""}, "unparsable"),
        ({"status": 304}, "unparsable"),
        ({"status": 404}, "moved"),
        ({"status": 410}, "moved"),
        ({"status": 301}, "moved"),
        ({"status": 302, "headers": {"Location": "http://elsewhere.example/"}}, "moved"),
        ({"status": 302, "headers": {"Location": "javascript:alert(1)"}}, "moved"),
        ({"status": 302, "headers": {"Location": "https://["}}, "moved"),
        ({"status": 403, **HTML}, "blocked"),
        ({"status": 401}, "blocked"),
        ({"status": 429}, "unreachable"),
        ({"status": 500, **HTML}, "unreachable"),
        ({"status": 503, "headers": {"Retry-After": "60"}}, "unreachable"),
        ({"status": 400}, "unreachable"),
    ],
    ids=str,
)
@pytest.mark.parametrize("told", USUAL, ids=str)
def test_a_page_that_does_not_answer_is_unknown_and_says_why(
    told: Case, answer: Answer, cause: str
) -> None:
    assert f"unknown: {cause}" == outcome(told, everywhere(told, answer))["page"]


@pytest.mark.parametrize("told", USUAL, ids=str)
def test_a_page_whose_machine_answer_leads_to_people_elsewhere_moved(told: Case) -> None:
    moved = {"status": 301, "headers": {"Location": ELSEWHERE}}
    cause = "unparsable" if told.kind in READS_HTML else "moved"

    found = outcome(told, {**everywhere(told, moved), ELSEWHERE: HTML})

    assert f"unknown: {cause}" == found["page"]


@pytest.mark.parametrize("told", USUAL, ids=str)
def test_a_page_that_answers_as_before_from_another_host_is_read(told: Case) -> None:
    moved = {
        path: {"status": 301, "headers": {"Location": ELSEWHERE + path}} for path in told.answers
    }
    there = {ELSEWHERE + path: answer for path, answer in told.answers.items()}

    assert told.expected["page"] == outcome(told, {**moved, **there})["page"]


@pytest.mark.parametrize("told", USUAL, ids=str)
def test_a_page_that_redirects_in_a_circle_moved(told: Case) -> None:
    circle = {"status": 302, "headers": {"Location": URL + "/round"}}

    found = outcome(told, {**everywhere(told, circle), "round": circle})

    assert "unknown: moved" == found["page"]


@pytest.mark.parametrize("told", USUAL, ids=str)
@pytest.mark.parametrize("share", [0.2, 0.5, 0.95])
def test_half_an_answer_is_none(told: Case, share: float) -> None:
    cut = {path: _with_body(one, _head(body_of(one), share)) for path, one in told.answers.items()}

    found = outcome(told, cut)["page"]

    assert found.startswith("unknown") or told.kind in READS_HTML


@pytest.mark.parametrize(
    "text", ["", " ", "null", "[]", "{}", "[{}]", "0", '""', "true", "[[]]", "\ufeff", "\x00"]
)
@pytest.mark.parametrize("told", USUAL, ids=str)
def test_an_answer_that_says_nothing_is_not_green(told: Case, text: str) -> None:
    empty = {
        path: _with_body(one, text.encode(one.get("encoding", "utf-8")))
        for path, one in told.answers.items()
    }

    found = outcome(told, empty)["page"]

    assert found.startswith("unknown") or text in NO_NEWS_IS_GOOD.get(told.kind, ())


@pytest.mark.parametrize("told", USUAL, ids=str)
def test_bytes_that_are_no_text_are_no_answer(told: Case) -> None:
    for inserted in (b"\xff", b"\xc0\xaf\x80", b"\xed\xa0\x80"):
        broken = {}
        for path, one in told.answers.items():
            body = body_of(one)
            middle = len(body) // 2
            broken[path] = _with_body(one, body[:middle] + inserted + body[middle:])

        found = outcome(told, broken)["page"]

        assert found.startswith("unknown") or told.kind in READS_HTML


@pytest.mark.parametrize("told", USUAL, ids=str)
@pytest.mark.parametrize(("opened", "closed"), [("[", "]"), ('{"a":', "}"), ("<a>", "</a>")])
def test_an_answer_that_is_nested_deep_does_no_harm(told: Case, opened: str, closed: str) -> None:
    deep = (opened * 20_000 + closed * 20_000).encode()
    answers = {path: _with_body(one, deep) for path, one in told.answers.items()}

    assert outcome(told, answers)["page"].startswith("unknown")


@pytest.mark.parametrize("told", USUAL, ids=str)
def test_nesting_where_nobody_looks_does_no_harm(told: Case) -> None:
    for document in documents(told):
        if not isinstance(document.value, dict):
            continue
        marked = body_of(document.written({**document.value, "x": "MARK"})).decode()
        deep = marked.replace('"MARK"', "[" * 20_000 + "]" * 20_000).encode()
        answers = {**told.answers, document.path: _with_body(document.answer, deep)}

        assert outcome(told, answers)["page"] in ("unknown: unparsable", told.expected["page"])


@pytest.mark.parametrize("told", IN_XML, ids=str)
@pytest.mark.parametrize(
    "declared",
    [
        '<!DOCTYPE rss [<!ENTITY a "lol"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>',
        '<!DOCTYPE rss [<!ENTITY x SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE rss SYSTEM "https://elsewhere.example/rss.dtd">',
        '<!DOCTYPE rss [<!ENTITY % x SYSTEM "https://elsewhere.example/x"> %x;]>',
        "<!DOCTYPE rss>",
    ],
)
def test_xml_that_declares_anything_is_refused(told: Case, declared: str) -> None:
    answers = {}
    for path, one in told.answers.items():
        text = re.sub(r"^\s*<\?xml[^>]*\?>", "", body_of(one).decode())
        answers[path] = _with_body(one, (declared + text).encode())

    assert outcome(told, answers)["page"].startswith("unknown")


@pytest.mark.parametrize("told", cases(), ids=str)
def test_whatever_is_said_comes_out_as_plain_text_of_bounded_length(told: Case) -> None:
    for answers in _said_everywhere(told, HOSTILE):
        found = _read(told, answers)
        if found is None:
            continue
        assert [] == oddities(found)
        assert "<script" not in repr(found)
        assert "javascript:" not in repr(found)


@pytest.mark.parametrize("told", TROUBLED, ids=str)
def test_incidents_of_the_future_are_felt_now(told: Case) -> None:
    later = {}
    for path, one in told.answers.items():
        text = body_of(one).decode(one.get("encoding", "utf-8"))
        text = text.replace("2026-", "2099-").replace(" 2026 ", " 2099 ")
        text = re.sub(r"\b17\d{8}\b", "4090000000", text)
        later[path] = _with_body(one, text.encode(one.get("encoding", "utf-8")))

    found = read(told, later)

    assert told.expected["page"] == _word(found)
    assert [] == oddities(found)


@pytest.mark.parametrize("told", cases(), ids=str)
def test_what_is_told_twice_counts_once(told: Case) -> None:
    answers = {path: _doubled(one) for path, one in told.answers.items()}
    answers |= {one.path: one.written(_twice(one.value)) for one in documents(told)}

    found, once = _read(told, answers), _read(told)

    assert (once is None) == (found is None)
    if once is not None and found is not None:
        assert [] == oddities(found)
        assert _word(once) == _word(found)
        assert len(once.incidents) == len(found.incidents)


@pytest.mark.parametrize("told", TROUBLED, ids=str)
def test_bad_news_in_strange_words_is_never_good_news(told: Case) -> None:
    for document in documents(told):
        strange = document.value
        for place in bad_words(told.kind, document.value):
            strange = replaced(strange, place, _strange(at(strange, place)))

            found = outcome(told, {**told.answers, document.path: document.written(strange)})

            assert found["page"] not in GREEN


@pytest.mark.parametrize("told", cases(name="all_green"), ids=str)
def test_good_news_in_strange_words_is_none(told: Case) -> None:
    if told.kind in SILENT_WHEN_WELL:
        return
    answers = dict(told.answers)
    for document in documents(told):
        strange = document.value
        for place in places(document.value):
            if at(document.value, place) in GOOD[told.kind]:
                strange = replaced(strange, place, _strange(at(strange, place)))
        if strange != document.value:
            answers[document.path] = document.written(strange)

    is_changed = answers != dict(told.answers)

    assert is_changed == (outcome(told, answers)["page"] not in GREEN)


def _strange(word: object) -> object:
    return 700 if isinstance(word, int) and not isinstance(word, bool) else "wobbly"


def _read(told: Case, answers: Mapping[str, Answer] | None = None) -> Conclusion | None:
    """Read a case; None is what is unknown as a whole. Nothing else may be raised."""
    try:
        return read(told, answers)
    except UnknownStatusError:
        return None


def _word(found: Conclusion | None) -> str:
    (level,) = (
        [one.level for one in found.statuses if one.component == WHOLE_PAGE] if found else [None]
    )
    return "unknown" if level is None else StatusLevel(level).name.lower()


def _with_body(answer: Answer, body: bytes) -> Answer:
    return {**{name: value for name, value in answer.items() if name != "json"}, "text": body}


def _head(body: bytes, share: float) -> bytes:
    return body[: int(len(body) * share)]


def _said_everywhere(told: Case, text: str) -> Iterator[dict[str, Answer]]:
    """Yield answers in which one text after another is replaced."""
    for document in documents(told):
        for place in places(document.value):
            if isinstance(at(document.value, place), str):
                said = replaced(document.value, place, text)
                yield {**told.answers, document.path: document.written(said)}
    for path, answer in told.answers.items():
        if is_xml(answer) and b"CDATA" not in body_of(answer):
            for found in re.finditer(r"(?<=>)[^<>]*[^<>\s][^<>]*(?=<)", body_of(answer).decode()):
                spelled = escape("".join(letter for letter in text if letter.isprintable()))
                said = found.string[: found.start()] + spelled + found.string[found.end() :]
                yield {**told.answers, path: _with_body(answer, said.encode())}


def _twice(value: Any) -> Any:
    """Return a document in which each list of objects says all again."""
    if isinstance(value, dict):
        return {key: _twice(child) for key, child in value.items()}
    if isinstance(value, list):
        again = [_twice(child) for child in value]
        return again + [child for child in again if isinstance(child, dict)]
    return value


def _doubled(answer: Answer) -> Answer:
    if not is_xml(answer):
        return answer
    text = body_of(answer).decode()
    return _with_body(answer, re.sub(r"(?s)(<(item|entry)\b.*?</\2>)", r"\1\1", text).encode())
