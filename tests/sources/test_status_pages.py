"""Status pages as a source: each by itself, found out anew when it changes, and doubted."""

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError
from urllib3.util.retry import Retry

from exporter import http_client
from exporter.errors import TransientError
from exporter.interfaces import Batch, Position
from exporter.records import PageReading, StatusLevel, UnknownCause
from exporter.sources.status import settings as status_settings
from exporter.sources.status.formats import FORMATS
from exporter.sources.status.reading import Format
from exporter.sources.status.settings import StatusPagesSettings, catalogue
from exporter.sources.status.source import StatusPagesSource
from tests.sources import status_cases
from tests.status_web import StatusWeb

NOW = status_cases.NOW
Served = Callable[..., StatusWeb]


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tries follow each other at once."""
    real: Retry = http_client._BACK_OFF
    monkeypatch.setattr(http_client, "_BACK_OFF", real.new(backoff_factor=0, backoff_jitter=0))


@pytest.fixture
def served() -> Iterator[Served]:
    """Serve a recorded case, or nothing."""
    webs: list[StatusWeb] = []

    def serve(kind: str | None = None, name: str = "all_green") -> StatusWeb:
        webs.append(StatusWeb())
        if kind is not None:
            show(webs[-1], kind, name)
        return webs[-1]

    yield serve
    for web in webs:
        web.stop()


def show(web: StatusWeb, kind: str, name: str) -> None:
    """Let the server answer as recorded."""
    web.answers.clear()
    (told,) = status_cases.cases(kind, name)
    for path, answer in told.answers.items():
        kind_of_body = answer.get("type", "application/json")
        web.says(f"/{path}", status_cases.body_of(answer), Content_Type=kind_of_body)


def source_of(*pages: object, **options: Any) -> StatusPagesSource:
    written = {"name": "status", "pages": pages, "allow_private": True, **options}
    return StatusPagesSource(StatusPagesSettings.model_validate(written))


def page_at(web: StatusWeb, **said: Any) -> dict[str, Any]:
    return {"page": "example", "title": "Example", "url": web.url, **said}


def poll(source: StatusPagesSource, at: datetime = NOW) -> list[Batch]:
    return list(source.poll(Position(), at))


def reading(source: StatusPagesSource, at: datetime = NOW) -> PageReading:
    with closing(source.poll(Position(), at)) as batches:  # type: ignore[type-var]
        (found,) = next(batches).records
    assert isinstance(found, PageReading)
    return found


def whole(source: StatusPagesSource, at: datetime = NOW) -> StatusLevel | UnknownCause | None:
    status = reading(source, at).statuses[0]
    return status.cause if status.level is None else status.level


# --- The catalogue and what is configured -------------------------------------------------------


@pytest.mark.parametrize("name", catalogue())
def test_every_page_of_the_catalogue_can_be_configured_or_says_why_not(name: str) -> None:
    line = catalogue()[name]
    said: dict[str, Any] = {"page": name}
    if line.needs_regions:
        said["regions"] = ["us-east-1"]

    if line.unreadable is None:
        (page,) = StatusPagesSettings.model_validate({"name": "s", "pages": [said]}).pages
        assert (line.title, line.url, line.kind) == (page.title, page.url, page.kind)
    else:
        with pytest.raises(ValidationError, match="cannot be read by a machine"):
            StatusPagesSettings.model_validate({"name": "s", "pages": [said]})


def test_the_catalogue_holds_the_services_that_people_ask_for() -> None:
    assert len(catalogue()) >= 25


def test_a_line_of_the_catalogue_is_one_line() -> None:
    lines = (
        status_settings.files("exporter.sources.status")
        .joinpath("pages.yml")
        .read_text()
        .splitlines()
    )

    assert len(catalogue()) == len([line for line in lines if line and not line.startswith("#")])


def test_what_is_written_wins_over_the_catalogue() -> None:
    said = {"page": "openai", "components": ["Sora"], "alert": "always"}
    (page,) = StatusPagesSettings.model_validate({"name": "s", "pages": [said]}).pages

    assert (("Sora",), "always", "https://status.openai.com") == (
        page.components,
        page.alert,
        page.url,
    )


def test_an_address_alone_is_a_page_named_by_its_host() -> None:
    (page,) = StatusPagesSettings.model_validate(
        {"name": "s", "pages": ["https://status.example.com"]}
    ).pages

    assert ("status-example-com", "auto") == (page.page, page.kind)


# --- Kinds -------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [kind for kind, how in FORMATS.items() if how.is_detectable])
def test_the_kind_of_a_page_is_found_out(served: Served, kind: str) -> None:
    web = served(kind)

    found = reading(source_of(page_at(web)))

    assert (kind, StatusLevel.OPERATIONAL) == (found.kind, found.statuses[0].level)


def test_a_page_that_changes_its_platform_is_read_by_the_new_one(served: Served) -> None:
    web = served("statuspage")
    source = source_of(page_at(web, kind="statuspage"))
    assert "statuspage" == reading(source).kind

    show(web, "instatus", "all_green")
    found = reading(source, NOW + timedelta(minutes=1))

    assert ("instatus", StatusLevel.OPERATIONAL) == (found.kind, found.statuses[0].level)


def test_a_page_that_nobody_can_read_is_tried_anew_only_now_and_then(served: Served) -> None:
    web = served()
    source = source_of(page_at(web, kind="statuspage"))
    asked = []
    for minute in (0, 1, 14, 15):
        web.asked.clear()
        assert UnknownCause.MOVED is whole(source, NOW + timedelta(minutes=minute))
        asked.append(len(web.asked))

    assert asked[0] > 3
    assert [1, 1] == asked[1:3]
    assert asked[0] == asked[3]


def test_a_page_of_no_known_kind_is_unknown(served: Served) -> None:
    web = served()
    for path in ("/", "/api/v2/summary.json"):
        web.says(path, b"<html>", Content_Type="text/html")

    assert UnknownCause.UNPARSABLE is whole(source_of(page_at(web)))


def test_a_server_in_trouble_is_no_reason_to_doubt_the_kind(served: Served) -> None:
    web = served()
    web.says("/api/v2/summary.json", b"", status=503)
    source = source_of(page_at(web, kind="statuspage"))

    assert UnknownCause.UNREACHABLE is whole(source)
    assert {"/api/v2/summary.json"} == set(web.paths)


# --- Other hosts ---------------------------------------------------------------------------------


def redirect(web: StatusWeb, to: StatusWeb) -> None:
    for path in to.answers:
        web.says(path, b"", status=301, Location=f"{to.url}{path}")


def test_a_page_that_moved_and_bears_the_name_is_believed_and_told(served: Served) -> None:
    web, new = served(), served("statuspage", "degraded")
    redirect(web, new)

    found = reading(source_of(page_at(web, kind="statuspage")))

    assert (StatusLevel.DEGRADED, new.url) == (found.statuses[0].level, found.moved_to)


def test_a_page_that_moved_to_another_company_is_unknown(served: Served) -> None:
    web, new = served(), served("statuspage")
    redirect(web, new)

    found = reading(source_of(page_at(web, kind="statuspage", page="acme", title="Acme")))

    assert UnknownCause.MOVED is found.statuses[0].cause
    assert "calls itself 'Example'" in found.statuses[0].raw


def test_a_page_whose_new_host_is_of_another_kind_is_found_there(served: Served) -> None:
    web, new = served(), served("instatus")
    new.says("/", b"<html>", Content_Type="text/html")
    web.says("/api/v2/summary.json", b"", status=301, Location=f"{new.url}/")

    found = reading(source_of(page_at(web, kind="statuspage")))

    assert ("instatus", StatusLevel.OPERATIONAL) == (found.kind, found.statuses[0].level)
    assert new.url == found.moved_to


# --- Polls ---------------------------------------------------------------------------------


def test_a_page_in_trouble_does_not_keep_the_others_from_being_read(served: Served) -> None:
    fine, gone = served("statuspage"), StatusWeb()
    gone.stop()
    pages = [page_at(fine), page_at(gone, page="gone")]

    found = {
        one.page: one.statuses[0].level or one.statuses[0].cause
        for batch in poll(source_of(*pages))
        for one in batch.records
        if isinstance(one, PageReading)
    }

    assert {"example": None, "gone": UnknownCause.UNREACHABLE} == found


def test_a_mistake_of_ours_in_one_format_does_not_keep_the_others_from_being_read(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(page: object) -> Any:
        raise ZeroDivisionError

    monkeypatch.setitem(FORMATS, "instatus", Format(read=broken))  # type: ignore[arg-type]
    fine = served("statuspage")
    source = source_of(
        page_at(fine, kind="statuspage"), page_at(served("instatus"), page="b", kind="instatus")
    )
    batches = source.poll(Position(), NOW)

    told = [record for record in next(batches).records if isinstance(record, PageReading)]

    assert ["example"] == [one.page for one in told]
    with pytest.raises(ZeroDivisionError):
        next(batches)


def test_where_no_page_at_all_can_be_reached_the_source_says_so() -> None:
    gone = StatusWeb()
    gone.stop()
    source = source_of(page_at(gone))
    batches = source.poll(Position(), NOW)

    assert 1 == len(next(batches).records)
    with pytest.raises(TransientError, match="none of 1 pages can be reached"):
        list(batches)


def test_a_source_is_caught_up_when_all_its_pages_are_read(served: Served) -> None:
    source = source_of(page_at(served("statuspage")), page_at(served("statuspage"), page="b"))

    assert [(1, False), (1, False), (0, True)] == [
        (len(batch.records), batch.caught_up) for batch in poll(source)
    ]


@pytest.mark.parametrize(("every", "minutes"), [("15s", 10), ("1m", 10), ("1h", 300)])
def test_a_reading_is_believed_for_a_few_polls(served: Served, every: str, minutes: int) -> None:
    found = reading(source_of(page_at(served("statuspage")), every=every))

    assert NOW + timedelta(minutes=minutes) == found.believed_until


def test_the_past_is_asked_for_at_first_daily_and_when_an_incident_ended(served: Served) -> None:
    web = served("statuspage", "degraded")
    source = source_of(page_at(web, kind="statuspage"))
    asked = []
    for hours in (0, 1, 2, 3, 4, 27, 28):
        if hours == 2:
            show(web, "statuspage", "all_green")
        web.asked.clear()
        reading(source, NOW + timedelta(hours=hours))
        asked.append((hours, "/api/v2/incidents.json" in web.paths))

    assert [
        (0, True),
        (1, False),
        (2, False),
        (3, True),
        (4, False),
        (27, True),
        (28, False),
    ] == asked


def test_words_that_nobody_knows_are_counted(served: Served) -> None:
    web = served("statuspage")
    answer = json.loads(web.answers["/api/v2/summary.json"][2])
    answer["components"][0]["status"] = "wobbly"
    web.says("/api/v2/summary.json", json.dumps(answer).encode())

    batch, _ = poll(source_of(page_at(web, kind="statuspage")))

    assert {"unmapped_status": 1} == batch.omissions


def test_a_page_on_which_nothing_changes_any_more_is_not_believed(served: Served) -> None:
    source = source_of(page_at(served("statuspage"), kind="statuspage"))

    assert StatusLevel.OPERATIONAL is whole(source, datetime(2026, 12, 22, 13, tzinfo=UTC))
    assert UnknownCause.FROZEN is whole(source, datetime(2026, 12, 22, 14, tzinfo=UTC))
