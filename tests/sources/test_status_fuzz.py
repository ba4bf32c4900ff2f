"""Recorded status pages, spoilt at random: nothing breaks, and bad news never becomes good.

FUZZ_CASES=10000 spoils ten thousand pages of all kinds together, others at each run.
"""

import os
import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exporter.records import IncidentPhase
from exporter.sources.status.conclusion import WHOLE_PAGE, Conclusion
from exporter.sources.status.formats import FORMATS
from exporter.sources.status.reading import UnknownStatusError
from tests.sources.status_cases import Case, body_of, cases, read
from tests.sources.status_documents import (
    Document,
    at,
    documents,
    is_xml,
    json_of,
    oddities,
    places,
    replaced,
)
from tests.sources.status_words import GOOD, bad_words

CASES = int(os.environ.get("FUZZ_CASES", "2600"))
MOSTLY = settings(
    max_examples=-(-CASES // len(FORMATS)),
    deadline=None,
    derandomize="FUZZ_CASES" not in os.environ,
    database=None,
    suppress_health_check=list(HealthCheck),
)
TROUBLED = ("degraded", "partial_outage", "major_outage")
GREEN = ("operational", "maintenance")
VALUES: list[Any] = [
    *(None, True, False, 0, 1, -1, 2**63, 10**30, 1.5, -1e308, "", " ", "x", "\x00", "\ud7ff<b>"),
    *("2026-09-23T13:00:00Z", "2099-01-01", "0001-01-01T00:00:00+23:59", "9" * 30, "1790152800"),
    *("javascript:alert(1)", "<![x", "&#" + "9" * 5000, "y" * 60_000),
    *([], {}, [None], [{}], [[]], {"id": "x"}, [{"id": "x"}], [1, "a", None, {}], {"a": {"b": []}}),
]
RUBBISH = [
    b"\x00",
    b"\xff",
    b"<",
    b">",
    b"&",
    b'"',
    b"{",
    b"}",
    b"[",
    b",",
    b":",
    b"\\u0000",
    b"]]>",
]
_CLOSED = re.compile(
    r"resolved|recovered|restored|operational|mitigated|back up|completed|scheduled|maintenance",
    re.IGNORECASE,
)
_ITEM = re.compile(r"<(item|entry)\b.*?</\1>", re.DOTALL)

Spoiling = list[tuple[int, int, int]]
spoilings = st.lists(
    st.tuples(st.integers(0, 2**16), st.integers(0, 4), st.integers(0, 2**16)),
    min_size=1,
    max_size=4,
)


@pytest.mark.parametrize("kind", FORMATS)
def test_a_spoilt_page_breaks_nothing_and_is_no_good_news(kind: str) -> None:
    recorded = cases(kind)

    @MOSTLY
    @given(st.sampled_from(recorded), st.booleans(), st.integers(0, 3), spoilings)
    def spoil(told: Case, is_by_bytes: bool, which: int, spoiling: Spoiling) -> None:
        found = documents(told)
        if is_by_bytes or not found:
            path = sorted(told.answers)[which % len(told.answers)]
            answers = {**told.answers, path: _spoilt_bytes(told.answers[path], spoiling)}
        else:
            document = found[which % len(found)]
            value = _spoilt(document, spoiling, [*VALUES, *GOOD[kind]])
            answers = {**told.answers, document.path: document.written(value)}

        conclusion = _read(told, answers)

        if conclusion is not None:
            assert [] == oddities(conclusion)
            if _is_green(conclusion) and told.expected["page"] in TROUBLED and not told.page:
                assert [] == list(_bad_news(told, answers))

    spoil()


def _read(told: Case, answers: Mapping[str, Any]) -> Conclusion | None:
    """Read a page; None is what is unknown as a whole. Nothing else may be raised."""
    try:
        return read(told, answers)
    except UnknownStatusError:
        return None


def _is_green(found: Conclusion) -> bool:
    (whole,) = [one for one in found.statuses if one.component == WHOLE_PAGE]
    return whole.level is not None and whole.level.name.lower() in GREEN


def _spoilt(document: Document, spoiling: Spoiling, values: list[Any]) -> Any:
    """Return a document in which values are replaced, keys are gone, elements are swapped."""
    value = document.value
    for where, how, what in spoiling:
        all_places = [(), *places(value)]
        place = all_places[where % len(all_places)]
        parent = at(value, place[:-1]) if place else None
        match how:
            case 0 if isinstance(parent, dict):
                left = {key: child for key, child in parent.items() if key != place[-1]}
                value = replaced(value, place[:-1], left)
            case 1 if isinstance(parent, list):
                again = [*parent, *parent[what % len(parent) :]]
                value = replaced(value, place[:-1], again)
            case 2 if isinstance(parent, list):
                turned = parent[what % len(parent) :] + parent[: what % len(parent)]
                value = replaced(value, place[:-1], turned)
            case _:
                value = replaced(value, place, values[what % len(values)])
    return value


def _spoilt_bytes(answer: Mapping[str, Any], spoiling: Spoiling) -> dict[str, Any]:
    """Return an answer in which bytes are other bytes, are gone, or are too many."""
    body = body_of(answer)
    for where, how, what in spoiling:
        here = where % (len(body) + 1)
        there = here + 1 + what % 40
        match how:
            case 0:
                changed = bytes([body[here] ^ (1 << what % 8)]) if here < len(body) else b""
                body = body[:here] + changed + body[here + 1 :]
            case 1:
                body = body[:here] + body[there:]
            case 2:
                body = body[:there] + body[here:]
            case _:
                body = body[:here] + RUBBISH[what % len(RUBBISH)] + body[here:]
    return {**{name: value for name, value in answer.items() if name != "json"}, "text": body}


def _bad_news(told: Case, answers: Mapping[str, Any]) -> Iterator[object]:
    """Yield what of a page is still bad, or can no longer be read at all."""
    for path, answer in answers.items():
        if answer.get("status", 200) != 200:
            continue
        if is_xml(answer):
            text = body_of(answer).decode(errors="replace")
            yield from (item for item in _open_items(told, path) if item in text)
            continue
        value = json_of(answer)
        if value is None and path not in _PAST:
            yield f"{path} is no JSON"
        yield from bad_words(told.kind, value)


_PAST = ("api/v2/incidents.json", "api/v2.0.0/history")


def _open_items(told: Case, path: str) -> list[str]:
    """Return the items of a feed that tell of what is open, if nothing in it tells of an end."""
    text = body_of(told.answers[path]).decode()
    if _CLOSED.search(text):
        return []  # one of its items may come to close another
    titles = [one.title for one in read(told).incidents if one.phase is IncidentPhase.OPEN]
    items = [found[0] for found in _ITEM.finditer(text)]
    return [item for item in items if any(title in item for title in titles)]
