"""Every kind of status page: what its recorded answers, and broken ones, come to."""

import pytest

from exporter.sources.status.formats import FORMATS
from tests.sources import status_cases
from tests.sources.status_cases import Case, cases, outcome

HTML = {"text": "<!doctype html><title>Status</title>", "type": "text/html; charset=utf-8"}


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
