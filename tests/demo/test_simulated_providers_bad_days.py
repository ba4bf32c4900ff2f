"""What the simulated providers' server does on a bad day, and what their ledger forgets."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from threading import Thread

import httpx
import pytest

from exporter.demo.providers.bad_days import (
    DropConnection,
    EmptyPageWithMore,
    Garbage,
    Hang,
    RateLimited,
    Redirect,
    RepeatedPage,
    Status,
)
from exporter.demo.providers.ledger import Ledger, Usage
from exporter.demo.providers.openai_api import ADMIN_KEY, OpenAIApi
from exporter.demo.providers.server import ProviderServer
from exporter.demo.providers.wire import Answer, Request

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
USAGE = "/v1/organization/usage/completions"
ASKED = {"start_time": int((NOW - 12 * HOUR).timestamp()), "bucket_width": "1h", "limit": "5"}


@pytest.fixture
def server() -> Iterator[ProviderServer]:
    """An OpenAI with one call every hour."""
    ledger = Ledger()
    for hours in range(1, 13):
        ledger.add(Usage(at=NOW - hours * HOUR, model="gpt-a", input_tokens=10**hours))
    with ProviderServer(OpenAIApi(ledger), lambda: NOW) as server:
        yield server


@pytest.fixture
def client(server: ProviderServer) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {ADMIN_KEY}"}
    with httpx.Client(base_url=server.url, headers=headers, trust_env=False) as client:
        yield client


def ask(client: httpx.Client, page: str | None = None) -> httpx.Response:
    return client.get(USAGE, params=ASKED if page is None else {**ASKED, "page": page})


def test_a_status_meets_the_next_requests_that_fit_and_no_others(
    server: ProviderServer, client: httpx.Client
) -> None:
    """The path, the page and the number of times decide."""
    server.bad_days.add(Status(503, {"X-Why": "storm"}), path="usage", page=2, times=2)
    first = ask(client)
    second = first.json()["next_page"]
    answers = [ask(client), *(ask(client, second) for _ in range(3))]
    elsewhere = client.get("/v1/organization/projects")

    assert [answer.status_code for answer in answers] == [200, 503, 503, 200]
    assert answers[1].headers["X-Why"] == "storm"
    assert answers[1].json()["error"]["type"] == "server_error"
    assert (elsewhere.status_code, server.bad_days.pending) == (200, 0)


def test_a_rate_limit_names_seconds_or_a_date_or_nothing(
    server: ProviderServer, client: httpx.Client
) -> None:
    """Retry-After comes in the forms readers must expect, by the simulation's own clock."""
    for retry_after in (7, NOW + timedelta(seconds=90), None):
        server.bad_days.add(RateLimited(retry_after))
    in_seconds, as_date, unsaid = ask(client), ask(client), ask(client)

    assert in_seconds.headers["Retry-After"] == "7"
    assert as_date.headers["Retry-After"] == "Fri, 20 Nov 2026 12:01:30 GMT"
    assert as_date.headers["Date"] == "Fri, 20 Nov 2026 12:00:00 GMT"
    assert "Retry-After" not in unsaid.headers
    assert {in_seconds.status_code, as_date.status_code, unsaid.status_code} == {429}


def test_garbage_and_redirects_come_as_they_were_planned(
    server: ProviderServer, client: httpx.Client
) -> None:
    """The oldest plan that fits is met first."""
    server.bad_days.add(Garbage(b"\xff{", "application/json"))
    server.bad_days.add(Redirect("http://elsewhere.example/"))
    garbage, redirect = ask(client), ask(client)

    assert (garbage.status_code, garbage.content) == (200, b"\xff{")
    assert (redirect.status_code, redirect.headers["Location"]) == (
        302,
        "http://elsewhere.example/",
    )


@pytest.mark.parametrize("after_bytes", [None, 20])
def test_a_connection_drops_before_or_within_an_answer(
    server: ProviderServer, client: httpx.Client, after_bytes: int | None
) -> None:
    """The reader sees a broken connection; the request after it is served."""
    server.bad_days.add(DropConnection(after_bytes))

    with pytest.raises(httpx.RemoteProtocolError):
        ask(client)
    assert ask(client).status_code == 200


def test_a_hanging_request_waits_until_it_is_released(
    server: ProviderServer, client: httpx.Client
) -> None:
    """It gets no answer; other requests are served meanwhile."""
    hang = Hang()
    server.bad_days.add(hang)
    failures: list[Exception] = []

    def wait_for_answer() -> None:
        try:
            ask(client)
        except httpx.HTTPError as error:
            failures.append(error)

    waiting = Thread(target=wait_for_answer)
    waiting.start()
    assert hang.reached.wait(5)
    assert ask(client).status_code == 200
    assert waiting.is_alive()
    hang.release()
    waiting.join(5)

    assert [type(error) for error in failures] == [httpx.RemoteProtocolError]


def test_closing_the_server_releases_what_hangs(server: ProviderServer) -> None:
    """A test that ends early leaves nothing behind."""
    hang = Hang()
    server.bad_days.add(hang)
    server.bad_days.clear()

    assert hang.released.is_set()
    assert server.bad_days.pending == 0


def test_a_repeated_page_never_ends(server: ProviderServer, client: httpx.Client) -> None:
    """The same token and the same data come again, however often one follows."""
    server.bad_days.add(RepeatedPage(), times=None)
    first = ask(client).json()
    second = ask(client, first["next_page"]).json()

    assert second == first
    assert first["has_more"] is True


def test_an_empty_page_with_more_leads_to_the_page_that_was_asked_for(
    server: ProviderServer, client: httpx.Client
) -> None:
    """Whoever follows gets everything once; whoever stops at no data loses the rest."""
    server.bad_days.add(EmptyPageWithMore(), page=2)
    server.bad_days.add(EmptyPageWithMore(), page=1)
    pages = [ask(client).json()]
    while pages[-1]["has_more"]:
        pages.append(ask(client, pages[-1]["next_page"]).json())
    tokens = [
        result["input_tokens"]
        for page in pages
        for bucket in page["data"]
        for result in bucket["results"]
    ]

    assert [len(page["data"]) for page in pages] == [0, 0, 5, 5, 2]
    assert sum(tokens) == sum(10**hours for hours in range(1, 13))


def test_every_request_is_logged_as_it_came(server: ProviderServer, client: httpx.Client) -> None:
    """Method, path, repeated parameters, headers in lower case, and the simulation's time."""
    server.bad_days.add(Status(500))
    client.get(USAGE, params={"group_by": ["model", "project_id"]})
    (request,) = server.requests

    assert (request.method, request.path, request.at) == ("GET", USAGE, NOW)
    assert request.query == {"group_by": ("model", "project_id")}
    assert request.headers["authorization"] == f"Bearer {ADMIN_KEY}"


def test_a_failure_of_the_simulation_itself_fails_the_test() -> None:
    """A dialect that raises must not pass for a provider's bad day."""

    class Broken:
        def answer(self, request: Request, now: datetime) -> Answer:
            raise KeyError(request.path)

        def refuse(self, status: int, message: str) -> Answer:
            return Answer(status=status)

    server = ProviderServer(Broken(), lambda: NOW)
    with pytest.raises(RuntimeError), server, pytest.raises(httpx.RemoteProtocolError):
        httpx.get(server.url, trust_env=False)


def test_the_ledger_shows_late_calls_and_corrections_when_their_time_comes() -> None:
    """What the reports show depends on when one asks."""
    ledger = Ledger()
    at = NOW - DAY
    late = ledger.add(
        Usage(at=at, model="m", input_tokens=8, cost_usd=Decimal(4), visible_at=at + 2 * HOUR)
    )
    gone = ledger.add(Usage(at=at, model="n", input_tokens=1, cost_usd=Decimal(1)))
    ledger.revise(late, at=at + 5 * HOUR, input_tokens=2, cost_usd=Decimal("0.5"))
    ledger.remove(gone, at=at + 6 * HOUR)

    shown = {}
    for hours in (0, 1, 2, 5, 6):
        (bucket,) = ledger.rows(at + hours * HOUR, at, at + HOUR, HOUR, ["model"])
        shown[hours] = {row.group["model"]: (row.input_tokens, row.cost_usd) for row in bucket.rows}
    assert shown == {
        0: {"n": (1, 1)},
        1: {"n": (1, 1)},
        2: {"m": (8, 4), "n": (1, 1)},
        5: {"m": (2, Decimal("0.5")), "n": (1, 1)},
        6: {"m": (2, Decimal("0.5"))},
    }
