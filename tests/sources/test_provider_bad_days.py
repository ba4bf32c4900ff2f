"""What each provider's bad day does: nothing lost, nothing invented, nobody asked in a storm."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from exporter import http_client
from exporter.demo.providers.bad_days import (
    BadDay,
    Garbage,
    Hang,
    RateLimited,
    Redirect,
    RepeatedPage,
    Status,
)
from exporter.demo.providers.server import ProviderServer
from exporter.interfaces import PollResult
from exporter.sources import KINDS
from tests.conftest import connect
from tests.sources.by_hand import Clock, Exporter, exporter
from tests.sources.simulated import SIMULATED, START

NO_PROVIDERS = {
    "n8n",  # a database
    "litellm",  # a database
    "jsonl",  # files
    "status_pages",  # a bad day there is one page's: test_status_door.py
}


def test_every_kind_that_is_asked_over_the_web_has_a_simulated_provider() -> None:
    assert set(KINDS) - NO_PROVIDERS == set(SIMULATED)


@pytest.fixture
def clock() -> Clock:
    clock = Clock()
    clock.now = START
    return clock


@pytest.fixture(params=SIMULATED)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def server(kind: str, clock: Clock) -> Iterator[ProviderServer]:
    with ProviderServer(SIMULATED[kind].api(), clock) as server:
        yield server


@pytest.fixture(autouse=True)
def impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_client, "DEADLINE_SECONDS", 1.0)


@pytest.fixture
def ours(
    kind: str, clock: Clock, server: ProviderServer, tmp_path: Path, one_database_url: str
) -> Iterator[Exporter]:
    simulated = SIMULATED[kind]
    block = {**simulated.block(kind, server.url), "history": "3d"}
    with exporter(
        tmp_path, one_database_url, block, clock=clock, environ=simulated.environ
    ) as running:
        yield running


def poll_on(ours: Exporter, server: ProviderServer, bad_day: BadDay) -> PollResult:
    """Poll while every answer is the same bad one."""
    server.bad_days.add(bad_day, times=None)
    result = ours.poll()
    server.bad_days.clear()
    return result


def shown(ours: Exporter) -> str:
    return ours.app.exposition.serve(ours.clock.now).decode()


def buckets(url: str) -> int:
    """How many rows say anything of use or cost."""
    with connect(url) as connection:
        row = connection.execute(
            "SELECT (SELECT count(*) FROM usage_buckets) + (SELECT count(*) FROM cost_buckets)"
            " + (SELECT count(*) FROM report_coverage) + (SELECT count(*) FROM llm_calls)"
            " + (SELECT count(*) FROM balances) AS rows"
        ).fetchone()
    assert row is not None
    return int(str(row["rows"]))


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_key_is_seen_as_such_and_never_as_no_use(
    kind: str, ours: Exporter, server: ProviderServer, one_database_url: str, status: int
) -> None:
    result = poll_on(ours, server, Status(status))

    assert ("refused", "key_refused") == (result.outcome, result.reason)
    assert f'aiwf_source_up{{source="{kind}"}} 0' in shown(ours)
    assert f'aiwf_source_problem{{reason="key_refused",source="{kind}"}} 1' in shown(ours)
    assert "aiwf_provider_cost_usd" not in shown(ours)
    assert 0 == buckets(one_database_url)


def test_a_refused_key_is_tried_once_in_fifteen_minutes(
    ours: Exporter, server: ProviderServer
) -> None:
    poll_on(ours, server, Status(401))
    asked = len(server.requests)

    ours.clock.advance(minutes=14)
    assert ours.app.pollers[0].poll() is None
    assert asked == len(server.requests)
    ours.clock.advance(minutes=2)
    assert ours.poll().outcome == "ok"


@pytest.mark.parametrize("by_date", [False, True], ids=["seconds", "date"])
def test_a_provider_that_says_when_to_come_back_is_not_asked_before(
    ours: Exporter, server: ProviderServer, clock: Clock, by_date: bool
) -> None:
    until = clock.now + timedelta(seconds=91)
    result = poll_on(ours, server, RateLimited(until if by_date else 90))
    asked = len(server.requests)

    assert "later" == result.outcome
    assert 1 == asked
    ours.clock.advance(seconds=60)
    assert ours.app.pollers[0].poll() is None
    ours.clock.advance(minutes=15)
    assert ours.poll().outcome == "ok"


@pytest.mark.parametrize(
    "bad_day",
    [
        Status(500),
        Hang(),
        Garbage(),
        Garbage(b'{"data": [{"results"', "application/json"),
        Garbage(b"\xff\xfe{\x00}\x00", "application/json"),
    ],
    ids=["500", "hang", "html", "truncated", "utf-16"],
)
def test_an_answer_that_is_none_leaves_everything_for_the_next_poll(
    ours: Exporter, server: ProviderServer, one_database_url: str, bad_day: BadDay
) -> None:
    result = poll_on(ours, server, bad_day)

    assert "later" == result.outcome, result.detail
    assert 0 == buckets(one_database_url)
    assert ours.poll().outcome == "ok"
    assert buckets(one_database_url) > 0


def test_a_redirect_is_not_followed_and_the_key_goes_nowhere(
    ours: Exporter, server: ProviderServer, clock: Clock, kind: str
) -> None:
    with ProviderServer(SIMULATED[kind].api(), clock) as elsewhere:
        result = poll_on(ours, server, Redirect(elsewhere.url))

        assert ("refused", "redirected") == (result.outcome, result.reason)
        assert [] == elsewhere.requests


@pytest.mark.parametrize("kind", [k for k, s in SIMULATED.items() if s.paged], indirect=True)
def test_paging_without_end_is_noticed_and_nothing_of_it_is_kept(
    kind: str, ours: Exporter, server: ProviderServer, one_database_url: str
) -> None:
    server.bad_days.add(RepeatedPage(), path=SIMULATED[kind].paged or "", times=None)

    result = ours.poll()

    assert "later" == result.outcome, result.detail
    assert "paging" in (result.detail or "")
    with connect(one_database_url) as connection:
        rows = connection.execute("SELECT DISTINCT report FROM report_coverage").fetchall()
    told = (SIMULATED[kind].paged or "").rpartition("/")[2]
    assert told not in {row["report"] for row in rows}


def test_no_key_stands_in_what_is_told_of_a_bad_day(
    ours: Exporter, server: ProviderServer, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    result = poll_on(ours, server, Status(401))

    for value in SIMULATED[kind].environ.values():
        assert value not in (result.detail or "")
        assert value not in caplog.text
        assert value not in shown(ours)
