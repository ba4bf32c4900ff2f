"""Anthropic's usage and costs: what we store is what Anthropic says at the end of the month."""

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from exporter.demo.providers.anthropic_api import ADMIN_KEY, AnthropicApi
from exporter.demo.providers.anthropic_reports import billed
from exporter.demo.providers.anthropic_words import read as told
from exporter.demo.providers.bad_days import Status
from exporter.demo.providers.ledger import Ledger, Usage
from exporter.demo.providers.server import ProviderServer
from exporter.demo.providers.simulated_month import simulated_month
from exporter.demo.providers.wire import Answer, Request
from exporter.errors import RefusedRequestError, SourceError, TransientError
from exporter.records import CostBucket, UsageBucket
from exporter.sources.polling.spans import Span
from exporter.sources.providers.anthropic import admin_reports, analytics
from tests.conftest import connect
from tests.sources.by_hand import Clock, Exporter, counted, exporter, one
from tests.sources.provider_month import Month
from tests.sources.recorded_answers import made, read, recorded

END = datetime(2026, 11, 20, tzinfo=UTC)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
ENVIRON = {"ANTHROPIC_ADMIN_KEY": ADMIN_KEY}
THE_HOUR = Span(END - 14 * HOUR, END - 13 * HOUR)
THE_DAY = Span(END - 2 * DAY, END - DAY)


# What is recorded.


def test_a_newer_usage_report_is_told_in_hours_with_every_kind_of_input() -> None:
    with recorded("anthropic", "admin_key", {"usage": "analytics_usage.json"}) as (source, _):
        first, sandbox = read(source, "messages", THE_HOUR)

    assert first == UsageBucket(
        source="anthropic",
        provider="anthropic",
        report="messages",
        bucket_start=THE_HOUR.from_at,
        bucket_seconds=3600,
        model="claude-opus-5-5",
        project_id="wrkspc_01Example",
        api_key_id="apikey_01Example",
        service_tier="standard",
        dimensions={"context_window": "0-200k"},
        requests=12,
        input_tokens=105_000,
        cached_input_tokens=25_000,
        cache_write_tokens=5_000,
        output_tokens=18_000,
        quantities={"cache_write_1h_tokens": 2_000, "web_searches": 4},
    )
    assert (None, "none", 3, {}) == (
        sandbox.model,
        sandbox.api_key_id,
        sandbox.requests,  # type: ignore[union-attr]
        sandbox.dimensions,
    )


def test_a_newer_cost_report_is_told_by_key_in_dollars_with_its_list_price() -> None:
    with recorded("anthropic", "admin_key", {"cost": "analytics_cost.json"}) as (source, _):
        tokens, sandbox = read(source, "cost", THE_DAY)

    assert tokens == CostBucket(
        source="anthropic",
        provider="anthropic",
        report="cost",
        bucket_start=THE_DAY.from_at,
        bucket_seconds=86400,
        model="claude-opus-5-5",
        project_id="wrkspc_01Example",
        api_key_id="apikey_01Example",
        service_tier="batch",
        dimensions={"cost_type": "tokens", "token_type": "output_tokens"},
        line_item="output_tokens",
        amount=Decimal("12.505"),
        list_amount=Decimal(13),
    )
    assert isinstance(sandbox, CostBucket)
    assert ("code_execution", Decimal("0.05")) == (sandbox.line_item, sandbox.amount)


def test_an_older_usage_report_names_the_default_workspace_and_the_console() -> None:
    files = {"usage_report/messages": "usage_report.json"}
    with recorded("anthropic", "admin_key", files) as (source, _):
        (found,) = read(source, "messages", THE_HOUR, instead=True)

    assert found == UsageBucket(
        source="anthropic",
        provider="anthropic",
        report="messages",
        bucket_start=THE_HOUR.from_at,
        bucket_seconds=3600,
        model="claude-opus-5-5",
        project_id="default",
        api_key_id="none",
        service_tier="standard",
        dimensions={"context_window": "200k-1M", "inference_geo": "us", "speed": "fast"},
        requests=None,  # it is not told
        input_tokens=105_000,
        cached_input_tokens=25_000,
        cache_write_tokens=5_000,
        output_tokens=18_000,
        quantities={"cache_write_1h_tokens": 2_000, "web_searches": 4},
    )


def test_an_older_cost_report_is_in_cents_and_knows_no_key() -> None:
    with recorded("anthropic", "admin_key", {"cost_report": "cost_report.json"}) as (source, _):
        (found,) = read(source, "cost", THE_DAY, instead=True)

    assert found == CostBucket(
        source="anthropic",
        provider="anthropic",
        report="cost",
        bucket_start=THE_DAY.from_at,
        bucket_seconds=86400,
        model="claude-sonnet-4-20250514",
        project_id="default",
        api_key_id=None,
        service_tier="standard",
        dimensions={
            "cost_type": "tokens",
            "token_type": "output_tokens",
            "context_window": "0-200k",
            "inference_geo": "us",
        },
        line_item="Claude Sonnet 4 Usage - Output Tokens",
        amount=Decimal("15.234"),
    )


def test_claude_code_is_told_by_person_as_a_breakdown() -> None:
    files = {"claude_code": "claude_code.json"}
    with recorded("anthropic", "admin_key", files, claude_code=True) as (source, _):
        work, tokens, cost, nothing = read(source, "claude_code", THE_DAY)

    assert all(bucket.is_breakdown for bucket in (work, tokens, cost, nothing))
    assert {"ada@company.example"} == {bucket.user_id for bucket in (work, tokens, cost)}
    assert isinstance(work, UsageBucket)
    assert {"sessions": 5, "lines_added": 100, "lines_removed": 50, "commits": 2} == work.quantities
    assert isinstance(tokens, UsageBucket)
    assert (1_150, 100, 50, 500) == (
        tokens.input_tokens,
        tokens.cached_input_tokens,
        tokens.cache_write_tokens,
        tokens.output_tokens,
    )
    assert isinstance(cost, CostBucket)
    assert Decimal("1.5") == cost.amount
    assert ("ci", "team") == (nothing.user_id, nothing.dimensions["subscription_type"])


@pytest.mark.parametrize("version", ["2023-06-01", "2026-10-21"])
def test_a_key_is_named_whatever_the_version_says_of_its_workspace(version: str) -> None:
    files = {
        "api_keys": f"api_keys_{version}.json",
        "workspaces": "../openrouter/workspaces.json",
        "users": "../openrouter/workspaces.json",
    }
    with recorded("anthropic", "admin_key", files) as (source, _):
        assert source.names is not None
        names = {(name.dimension, name.id): name.name for name in source.names()}

    assert "website" == names["api_key_id", "apikey_01Example"]
    assert "Default workspace" == names["project_id", "default"]


def test_a_renamed_count_is_an_error_and_no_zero() -> None:
    files = {"usage": "analytics_cost.json"}
    with (
        recorded("anthropic", "admin_key", files) as (source, _),
        pytest.raises(SourceError) as error,
    ):
        read(source, "messages", THE_HOUR)

    assert "answer_changed" == error.value.reason


# The month.


class Organization(AnthropicApi):
    """Gets the newer reports at some time."""

    newer_from = END

    def answer(self, request: Request, now: datetime) -> Answer:
        self.analytics_status = 200 if now >= self.newer_from else 403
        return super().answer(request, now)


@pytest.fixture(scope="module")
def ledger() -> Ledger:
    return simulated_month(seed=11, until=END, days=20, provider="anthropic")


@pytest.fixture
def clock() -> Clock:
    clock = Clock()
    clock.now = END - 9 * DAY + HOUR
    return clock


@pytest.fixture
def server(ledger: Ledger, clock: Clock) -> Iterator[ProviderServer]:
    with ProviderServer(Organization(ledger, discount=Decimal("0.1")), clock) as server:
        yield server


@pytest.fixture
def api(server: ProviderServer) -> Organization:
    assert isinstance(server._api, Organization)
    return server._api


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(analytics, "_MOST_ROWS", 100)
    monkeypatch.setattr(admin_reports, "_MOST_BUCKETS", {"1m": "50", "1h": "20", "1d": "5"})


def block(server: ProviderServer, **settings: object) -> dict[str, object]:
    return {
        "name": "anthropic",
        "kind": "anthropic",
        "admin_key": {"env": "ANTHROPIC_ADMIN_KEY"},
        "base_url": server.url,
        "allow_private": True,
        "every": "5s",
        **settings,
    }


@pytest.fixture
def month(
    tmp_path: Path,
    one_database_url: str,
    clock: Clock,
    server: ProviderServer,
    small_pages: None,
) -> Month:
    settings = block(server, claude_code=True)
    return Month(tmp_path, one_database_url, settings, ENVIRON, clock)


@pytest.mark.parametrize(
    ("newer_from", "mid_page"),
    [
        (END - 99 * DAY, "analytics/usage"),
        (END + 99 * DAY, "usage_report/messages"),
        (END - 4 * DAY, "usage_report/messages"),
    ],
    ids=["newer reports", "older reports", "from older to newer reports"],
)
def test_after_a_month_of_bad_days_the_tables_equal_anthropics_truth(
    month: Month, api: Organization, server: ProviderServer, newer_from: datetime, mid_page: str
) -> None:
    api.newer_from = newer_from
    with month:
        month.live_through(server, END + 3 * DAY, fails_mid_page=mid_page)

        calls = api.ledger.visible(month.clock.now, END - 40 * DAY, END)
        assert usage_truth(calls) == usage_stored(month.database_url)
        assert cost_truth(calls) == cost_stored(month.database_url)
        assert claude_code_truth(calls) == claude_code_stored(month.database_url)
        assert sum(cost_truth(calls).values()) == billed_per_day(month.database_url)
        if newer_from < END - 40 * DAY:
            assert cost_by_key_truth(calls) == cost_by_key_stored(month.database_url)
        month.assert_at_rest()


Sums = dict[tuple[object, ...], list[int]]
Money = dict[tuple[object, ...], Decimal]


def usage_truth(calls: list[Usage]) -> Sums:
    found: Sums = defaultdict(lambda: [0] * 6)
    for call in calls:
        if call.endpoint in ("completions", "web_search"):
            hour = call.at.replace(minute=0, second=0, microsecond=0)
            dimensions = [told(call, name) for name in ("model", "service_tier", "context_window")]
            key = (hour, *dimensions, call.project_id or "", call.api_key_id)
            amounts = (
                call.input_tokens,
                call.cached_input_tokens,
                call.cache_write_5m_tokens + call.cache_write_1h_tokens,
                call.cache_write_1h_tokens,
                call.output_tokens,
                call.quantities.get("web_search_requests", 0),
            )
            for place, amount in enumerate(amounts):
                found[key][place] += amount
    return dict(found)


def usage_stored(url: str) -> Sums:
    with connect(url) as connection:
        rows = connection.execute(
            "SELECT bucket_start, model, service_tier, dimensions->>'context_window' AS context,"
            " coalesce(nullif(project_id, 'default'), '') AS project, api_key_id,"
            " input_tokens, cached_input_tokens, cache_write_tokens,"
            " coalesce((quantities->>'cache_write_1h_tokens')::bigint, 0) AS written_1h,"
            " output_tokens, coalesce((quantities->>'web_searches')::bigint, 0) AS searches"
            " FROM usage_buckets WHERE report = 'messages'"
        ).fetchall()
    return {tuple(row.values())[:6]: list(row.values())[6:] for row in rows}  # type: ignore[misc]


def cost_truth(calls: list[Usage]) -> Money:
    found: Money = defaultdict(Decimal)
    for charge in billed(calls):
        day = charge.usage.at.replace(hour=0, minute=0, second=0, microsecond=0)
        found[day, charge.usage.project_id or ""] += charge.cost_usd
    return dict(found)


def cost_stored(url: str) -> Money:
    return money(
        url,
        "SELECT bucket_start, coalesce(nullif(project_id, 'default'), '') AS project,"
        " sum(cost_usd) AS cost_usd FROM cost_buckets WHERE report = 'cost' GROUP BY 1, 2",
    )


def cost_by_key_truth(calls: list[Usage]) -> Money:
    found: Money = defaultdict(Decimal)
    for charge in billed(calls):
        found[(charge.usage.api_key_id,)] += charge.cost_usd
    return dict(found)


def cost_by_key_stored(url: str) -> Money:
    return money(
        url,
        "SELECT api_key_id, sum(cost_usd) AS cost_usd FROM cost_buckets WHERE report = 'cost'"
        " GROUP BY 1",
    )


def claude_code_truth(calls: list[Usage]) -> Money:
    found: Money = defaultdict(Decimal)
    for call in calls:
        if "terminal_type" in call.labels:
            day = call.at.replace(hour=0, minute=0, second=0, microsecond=0)
            found[day, call.model] += call.cost_usd
    return dict(found)


def claude_code_stored(url: str) -> Money:
    return money(
        url,
        "SELECT bucket_start, model, sum(cost_usd) AS cost_usd FROM cost_buckets"
        " WHERE report = 'claude_code' GROUP BY 1, 2",
    )


def money(url: str, query: str) -> Money:
    with connect(url) as connection:
        rows = connection.execute(query).fetchall()
    return {tuple(row.values())[:-1]: Decimal(str(row["cost_usd"])) for row in rows}


def billed_per_day(url: str) -> Decimal:
    """What is summed as billed: no breakdown, and nothing twice."""
    query = "SELECT sum(cost_usd) AS cost_usd FROM cost_daily WHERE cost_kind = 'billed'"
    return Decimal(str(one(url, query)["cost_usd"]))


# How it asks.


@contextmanager
def asking(
    folder: Path, url: str, server: ProviderServer, clock: Clock, **settings: object
) -> Iterator[Exporter]:
    settings = {"history": "3d", **settings}
    with exporter(folder, url, block(server, **settings), clock=clock, environ=ENVIRON) as ours:
        yield ours


def paths(server: ProviderServer, part: str) -> list[str]:
    return [request.path for request in server.requests if part in request.path]


def test_it_asks_in_one_version_for_whole_buckets_that_are_over(
    tmp_path: Path, one_database_url: str, clock: Clock, server: ProviderServer
) -> None:
    clock.now = END + timedelta(hours=9, minutes=41, seconds=17, milliseconds=300)
    with asking(tmp_path, one_database_url, server, clock) as ours:
        ours.poll_ok()

    assert {"2023-06-01"} == {request.headers["anthropic-version"] for request in server.requests}
    asked = {
        (request.query["time_bucket_width"][0], request.query["ending_at"][0][-12:])
        for request in server.requests
        if "analytics" in request.path
    }
    assert asked >= {("1h", "20T09:00:00Z"), ("1m", "20T09:41:00Z"), ("1d", "20T00:00:00Z")}
    endings = {"1h": ":00:00Z", "1m": ":00Z", "1d": "T00:00:00Z"}
    assert all(until.endswith(endings[width]) for width, until in asked)


def test_a_poll_at_midnight_asks_for_no_empty_span(
    tmp_path: Path, one_database_url: str, clock: Clock, server: ProviderServer
) -> None:
    clock.now = END - timedelta(milliseconds=700)  # the poll is a second later
    with asking(tmp_path, one_database_url, server, clock) as ours:
        ours.poll_ok()

    assert [] == paths(server, "_report/messages")


def test_costs_of_a_day_are_asked_for_an_hour_after_its_end(
    tmp_path: Path, one_database_url: str, clock: Clock, server: ProviderServer
) -> None:
    clock.now = END + timedelta(minutes=30)
    query = "SELECT max(read_until) AS read_until FROM report_coverage WHERE report = 'cost'"
    with asking(tmp_path, one_database_url, server, clock) as ours:
        ours.poll_ok()
        assert END - DAY == one(one_database_url, query)["read_until"]

        clock.advance(minutes=31)
        ours.poll_ok()
        assert END == one(one_database_url, query)["read_until"]


def test_without_the_newer_reports_they_are_tried_once_a_day(
    tmp_path: Path, one_database_url: str, clock: Clock, server: ProviderServer, api: Organization
) -> None:
    api.newer_from = END + 99 * DAY
    with asking(tmp_path, one_database_url, server, clock) as ours:
        for _ in range(5):
            ours.poll_ok()
            clock.advance(hours=5)
        assert 2 == len(paths(server, "analytics"))  # usage and cost

        api.newer_from = clock.now
        asked = len(paths(server, "_report"))
        ours.poll_ok()
        assert asked == len(paths(server, "_report"))
        assert 2 + 3 <= len(paths(server, "analytics"))


def test_a_refusal_by_both_reports_is_a_refusal(
    tmp_path: Path, one_database_url: str, clock: Clock, server: ProviderServer
) -> None:
    server.bad_days.add(Status(403), path="report", times=None)
    server.bad_days.add(Status(403), path="analytics", times=None)
    with asking(tmp_path, one_database_url, server, clock) as ours:
        result = ours.poll()

    assert ("refused", "key_refused") == (result.outcome, result.reason)


def test_an_account_without_the_fast_mode_beta_is_read_without_speeds(
    tmp_path: Path, one_database_url: str, clock: Clock, server: ProviderServer, api: Organization
) -> None:
    api.newer_from = END + 99 * DAY
    server.bad_days.add(Status(400), path="usage_report/messages", times=1)
    with asking(tmp_path, one_database_url, server, clock) as ours:
        ours.poll_ok()
        told_speeds = [
            "speed" in request.query["group_by[]"]
            for request in server.requests
            if "usage_report/messages" in request.path
        ]

    assert [True, *[False] * (len(told_speeds) - 1)] == told_speeds
    query = "SELECT count(*) AS rows FROM usage_buckets"
    assert one(one_database_url, query)["rows"] > 0


def test_names_that_may_not_be_read_hide_no_report(
    tmp_path: Path, one_database_url: str, clock: Clock, server: ProviderServer
) -> None:
    server.bad_days.add(Status(403), path="workspaces", times=None)
    with asking(tmp_path, one_database_url, server, clock) as ours:
        ours.poll_ok()
        ours.poll_ok()

    assert 1 == len(paths(server, "workspaces"))
    omitted = counted(one_database_url, "aiwf_source_omissions_total", reason="names_unavailable")
    assert 1 == omitted


def test_claude_code_is_read_when_it_is_wanted_and_its_refusal_is_no_problem(
    tmp_path: Path, one_database_url: str, clock: Clock, server: ProviderServer
) -> None:
    with asking(tmp_path, one_database_url, server, clock) as ours:
        ours.poll_ok()
    assert [] == paths(server, "claude_code")

    server.bad_days.add(Status(403), path="claude_code", times=None)
    with asking(tmp_path, one_database_url, server, clock, claude_code=True) as ours:
        ours.poll_ok()
    assert 1 == len(paths(server, "claude_code"))


# Bad days of its own.


class Refreshing(AnthropicApi):
    """Refreshes its data whenever it is asked for a second page, some times."""

    times = 1

    def answer(self, request: Request, now: datetime) -> Answer:
        if "page" in request.query and self.times:
            self.times -= 1
            self.analytics.refresh()
        return super().answer(request, now)


@pytest.fixture
def refreshing(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> Refreshing:
    monkeypatch.setattr(analytics, "_MOST_ROWS", 20)
    return Refreshing(ledger)


A_DAY = Span(END - 5 * DAY, END - 4 * DAY)


def test_pages_that_are_gone_are_read_again_from_the_first(
    ledger: Ledger, refreshing: Refreshing
) -> None:
    with (
        ProviderServer(refreshing, lambda: END) as server,
        ProviderServer(AnthropicApi(ledger), lambda: END) as quiet,
    ):
        found = read(made("anthropic", "admin_key", server.url, ADMIN_KEY), "messages", A_DAY)
        expected = read(made("anthropic", "admin_key", quiet.url, ADMIN_KEY), "messages", A_DAY)

    assert 0 == refreshing.times
    assert len(found) > 2 * 20
    assert expected == found


def test_pages_that_are_gone_each_time_leave_the_span_to_the_next_poll(
    refreshing: Refreshing,
) -> None:
    refreshing.times = 99
    with (
        ProviderServer(refreshing, lambda: END) as server,
        pytest.raises(TransientError, match="refreshed"),
    ):
        read(made("anthropic", "admin_key", server.url, ADMIN_KEY), "messages", A_DAY)

    assert 3 * 2 == len(server.requests)


def test_a_report_that_is_gone_for_good_is_no_refresh(refreshing: Refreshing) -> None:
    with ProviderServer(refreshing, lambda: END) as server:
        server.bad_days.add(Status(410), times=None)
        with pytest.raises(RefusedRequestError):
            read(made("anthropic", "admin_key", server.url, ADMIN_KEY), "messages", A_DAY)

    assert 1 == len(server.requests)


def test_a_correction_of_three_weeks_ago_is_seen_within_a_day(
    tmp_path: Path, one_database_url: str, clock: Clock
) -> None:
    ledger = Ledger()
    call = Usage(at=END - 20 * DAY, model="claude-a", cost_usd=Decimal("2.5"), input_tokens=10)
    number = ledger.add(call)
    clock.now = END + 9 * HOUR
    ledger.revise(number, at=clock.now + 2 * HOUR, cost_usd=Decimal("1.75"))
    settings = {"history": "30d"}
    with (
        ProviderServer(AnthropicApi(ledger), clock) as server,
        asking(tmp_path, one_database_url, server, clock, **settings) as ours,
    ):
        ours.poll_ok()
        assert Decimal("2.5") == billed_per_day(one_database_url)
        clock.advance(days=1)
        ours.poll_ok()

    assert Decimal("1.75") == billed_per_day(one_database_url)
