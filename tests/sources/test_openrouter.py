"""OpenRouter's activity: what we store is what OpenRouter says at the end of the month."""

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from exporter.demo.providers import openrouter_api
from exporter.demo.providers.bad_days import Status
from exporter.demo.providers.ledger import Ledger, Usage
from exporter.demo.providers.openrouter_api import MANAGEMENT_KEY, OpenRouterApi
from exporter.demo.providers.server import ProviderServer
from exporter.demo.providers.simulated_month import simulated_month
from exporter.pricing import Pricing
from exporter.records import Balance, CostBucket, UsageBucket
from exporter.sources.polling.spans import Span
from tests.conftest import connect
from tests.sources.by_hand import Clock, Exporter, exporter, one
from tests.sources.provider_month import Month
from tests.sources.recorded_answers import made, read, recorded

END = datetime(2026, 11, 20, tzinfo=UTC)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
INFERENCE_KEY = "sk-or-v1-inference-simulated"
ENVIRON = {"OPENROUTER_MANAGEMENT_KEY": MANAGEMENT_KEY, "INFERENCE": INFERENCE_KEY}
THE_DAY = Span(END - 2 * DAY, END - DAY)
WORKSPACE = "11111111-2222-4333-8444-555555555555"
FILES = {
    "/activity": "activity.json",
    "/credits": "credits.json",
    "/key": "key.json",
    "/keys": "keys.json",
    "/workspaces": "workspaces.json",
}


# What is recorded.


def test_activity_is_told_by_model_and_upstream() -> None:
    with recorded("openrouter", "management_key", FILES) as (source, server):
        usage, cost, byok, *free = read(source, "activity", THE_DAY)

    assert {"date": ("2026-11-18",), "group_by": ("workspace",)} == server.requests[0].query
    assert usage == UsageBucket(
        source="openrouter",
        provider="openrouter",
        report="activity",
        bucket_start=THE_DAY.from_at,
        bucket_seconds=86400,
        model="openai/gpt-4.1",
        project_id=WORKSPACE,
        dimensions={"upstream": "OpenAI", "endpoint": "550e8400-e29b-41d4-a716-446655440000"},
        requests=5,
        input_tokens=50,
        cached_input_tokens=20,
        output_tokens=125,
    )
    assert cost == CostBucket(
        source="openrouter",
        provider="openrouter",
        report="activity",
        bucket_start=THE_DAY.from_at,
        bucket_seconds=86400,
        model="openai/gpt-4.1",
        project_id=WORKSPACE,
        dimensions=usage.dimensions,
        line_item="usage",
        amount=Decimal("0.015"),
    )
    assert isinstance(cost, CostBucket)
    assert byok == replace(
        cost, line_item="byok_usage_inference", amount=Decimal("0.012"), is_breakdown=True
    )
    assert ["UsageBucket", "CostBucket"] == [type(bucket).__name__ for bucket in free]
    assert isinstance(free[1], CostBucket)
    assert 0 == free[1].amount


def test_credits_and_limits_of_keys_in_use_are_balances() -> None:
    with recorded("openrouter", "management_key", FILES) as (source, _):
        assert source.balances is not None
        found = source.balances(END)

    assert found == [
        balance("credits", remaining="84.75", used="25.75"),
        balance("key website", remaining="12.25", used="37.75", limit="50"),
    ]


def balance(name: str, *, remaining: str, used: str, limit: str | None = None) -> Balance:
    return Balance(
        source="openrouter",
        provider="openrouter",
        balance=name,
        unit="USD",
        observed_at=END,
        remaining=Decimal(remaining),
        used=Decimal(used),
        limit_amount=Decimal(limit) if limit else None,
    )


def test_workspaces_and_keys_are_named_disabled_ones_too() -> None:
    with recorded("openrouter", "management_key", FILES) as (source, _):
        assert source.names is not None
        names = {(name.dimension, name.id): name.name for name in source.names()}

    assert "Support" == names["project_id", WORKSPACE]
    assert "retired" == names["api_key_id", "eeeeeeeeffffffff"]


def test_more_cached_than_sent_tokens_have_no_price() -> None:
    told = UsageBucket(
        source="openrouter",
        provider="openrouter",
        report="activity",
        bucket_start=THE_DAY.from_at,
        bucket_seconds=86400,
        model="openai/gpt-4.1",
        input_tokens=10,
        cached_input_tokens=10,
        output_tokens=4,
    )

    assert Pricing().priced_usage(told).cost_usd is not None
    replayed = replace(told, cached_input_tokens=16)  # answers from OpenRouter's own cache
    assert Pricing().priced_usage(replayed).cost_usd is None


# The month.


@pytest.fixture(scope="module")
def ledger() -> Ledger:
    ledger = simulated_month(seed=5, until=END, days=20, provider="openrouter")
    for hours in range(1, 200, 7):  # with a key of one's own: another bill
        ledger.add(
            Usage(
                at=END - hours * HOUR,
                model="anthropic/claude-sonnet-4.5",
                project_id="ws_lab",
                labels={"provider_name": "Anthropic", "byok": "true"},
                input_tokens=1_000,
                output_tokens=100,
                cost_usd=Decimal("0.0045"),
            )
        )
    return ledger


@pytest.fixture
def clock() -> Clock:
    clock = Clock()
    clock.now = END - 9 * DAY + 2 * HOUR
    return clock


@pytest.fixture
def server(ledger: Ledger, clock: Clock) -> Iterator[ProviderServer]:
    api = OpenRouterApi(ledger, inference_keys={INFERENCE_KEY: "hash_web"})
    with ProviderServer(api, clock) as server:
        yield server


def block(server: ProviderServer, **settings: object) -> dict[str, object]:
    return {
        "name": "openrouter",
        "kind": "openrouter",
        "management_key": {"env": "OPENROUTER_MANAGEMENT_KEY"},
        "base_url": f"{server.url}/api/v1",
        "allow_private": True,
        "every": "5s",
        **settings,
    }


def test_after_a_month_of_bad_days_the_tables_equal_openrouters_truth(
    tmp_path: Path, one_database_url: str, clock: Clock, ledger: Ledger, server: ProviderServer
) -> None:
    with Month(tmp_path, one_database_url, block(server), ENVIRON, clock) as month:
        month.live_through(server, END + 3 * DAY, fails_mid_page=None)

        calls = ledger.visible(clock.now, END - 40 * DAY, END)
        assert usage_truth(calls) == usage_stored(one_database_url)
        assert cost_truth(calls) == cost_stored(one_database_url)
        month.assert_at_rest()
        for _ in range(3):
            clock.advance(hours=2)  # when activity is read again
            month.assert_at_rest(polls=1)


Key = tuple[object, ...]


def usage_truth(calls: list[Usage]) -> dict[Key, list[int]]:
    found: dict[Key, list[int]] = defaultdict(lambda: [0] * 4)
    for call in calls:
        amounts = (call.requests, call.input_tokens, call.cached_input_tokens, call.output_tokens)
        for place, amount in enumerate(amounts):
            found[key_of(call)][place] += amount
    return dict(found)


def key_of(call: Usage) -> Key:
    day = call.at.replace(hour=0, minute=0, second=0, microsecond=0)
    upstream = call.labels.get("provider_name", "OpenAI")
    return day, call.model, call.project_id, upstream


def usage_stored(url: str) -> dict[Key, list[int]]:
    with connect(url) as connection:
        rows = connection.execute(
            "SELECT bucket_start, model, project_id, dimensions->>'upstream' AS upstream, requests,"
            " input_tokens, cached_input_tokens, output_tokens FROM usage_buckets"
        ).fetchall()
    return {tuple(row.values())[:4]: list(row.values())[4:] for row in rows}  # type: ignore[misc]


def cost_truth(calls: list[Usage]) -> dict[Key, Decimal]:
    """What is billed, and what an upstream bills, by day."""
    found: dict[Key, Decimal] = defaultdict(Decimal)
    for call in calls:
        found[key_of(call)[0], "byok" in call.labels] += call.cost_usd
    return dict(found)


def cost_stored(url: str) -> dict[Key, Decimal]:
    with connect(url) as connection:
        billed = connection.execute(
            "SELECT bucket_start, sum(cost_usd) AS cost_usd FROM cost_daily"
            " WHERE cost_kind = 'billed' GROUP BY 1"
        ).fetchall()
        byok = connection.execute(
            "SELECT bucket_start, sum(cost_usd) AS cost_usd FROM cost_buckets"
            " WHERE line_item = 'byok_usage_inference' GROUP BY 1"
        ).fetchall()
    return {
        (row["bucket_start"], is_byok): Decimal(str(row["cost_usd"]))
        for is_byok, rows in ((False, billed), (True, byok))
        for row in rows
    }


# How it asks, and bad days of its own.


@contextmanager
def asking(
    folder: Path, url: str, server: ProviderServer, clock: Clock, **settings: object
) -> Iterator[Exporter]:
    with exporter(folder, url, block(server, **settings), clock=clock, environ=ENVIRON) as ours:
        yield ours


def days_asked(server: ProviderServer) -> list[str]:
    return [request.query["date"][0] for request in server.requests if "/activity" in request.path]


def test_only_completed_days_are_asked_for_an_hour_after_their_end(
    tmp_path: Path, one_database_url: str, clock: Clock, server: ProviderServer
) -> None:
    clock.now = END + timedelta(minutes=30)
    with asking(tmp_path, one_database_url, server, clock) as ours:
        ours.poll_ok()
        assert ["2026-10-22", "2026-11-18"] == [days_asked(server)[0], days_asked(server)[-1]]

        clock.advance(hours=1)
        ours.poll_ok()
        assert "2026-11-19" == days_asked(server)[-1]


def test_activity_is_asked_for_once_an_hour_and_credits_each_time(
    tmp_path: Path, one_database_url: str, clock: Clock, server: ProviderServer
) -> None:
    with asking(tmp_path, one_database_url, server, clock) as ours:
        ours.poll_ok()
        before = len(days_asked(server))
        for _ in range(11):
            clock.advance(minutes=5)
            ours.poll_ok()
        assert before == len(days_asked(server))

        clock.advance(minutes=5)
        ours.poll_ok()
        assert before + 3 == len(days_asked(server))
    credits_asked = [request for request in server.requests if "/credits" in request.path]
    assert 13 == len(credits_asked)


def test_days_that_openrouter_no_longer_tells_are_kept(
    tmp_path: Path, one_database_url: str, clock: Clock, server: ProviderServer
) -> None:
    query = "SELECT count(*) AS rows, sum(cost_usd) AS cost_usd FROM cost_daily"
    clock.now = END + DAY
    with asking(tmp_path, one_database_url, server, clock) as ours:
        ours.poll_ok()
        kept = one(one_database_url, query)
        for _ in range(4):
            clock.advance(days=9)
            ours.poll_ok()

    assert kept["rows"] > 0
    assert kept == one(one_database_url, query)


def test_an_account_without_workspaces_is_read_as_one(
    tmp_path: Path, one_database_url: str, clock: Clock, server: ProviderServer
) -> None:
    server.bad_days.add(Status(400), path="/activity", times=1)
    with asking(tmp_path, one_database_url, server, clock, history="3d") as ours:
        ours.poll_ok()

    by_workspace = [
        "group_by" in request.query for request in server.requests if "/activity" in request.path
    ]
    assert [True, False, False, False] == by_workspace[:4]
    query = "SELECT count(*) AS rows, count(project_id) AS named FROM usage_buckets"
    rows = one(one_database_url, query)
    assert rows["rows"] > 0
    assert 0 == rows["named"]


def test_a_key_that_only_calls_models_is_refused_and_invents_no_zero(
    tmp_path: Path, one_database_url: str, clock: Clock, server: ProviderServer
) -> None:
    key = {"management_key": {"env": "INFERENCE"}}
    with asking(tmp_path, one_database_url, server, clock, **key) as ours:
        result = ours.poll()

    assert ("refused", "key_refused") == (result.outcome, result.reason)
    assert 0 == one(one_database_url, "SELECT count(*) AS rows FROM report_coverage")["rows"]


def test_without_a_list_of_keys_there_are_still_credits(
    tmp_path: Path, one_database_url: str, clock: Clock, server: ProviderServer
) -> None:
    server.bad_days.add(Status(403), path="/keys", times=None)
    with asking(tmp_path, one_database_url, server, clock, history="2d") as ours:
        ours.poll_ok()

    assert "credits" == one(one_database_url, "SELECT balance FROM balances")["balance"]


def test_keys_are_listed_to_the_last_page_of_every_workspace(
    clock: Clock, server: ProviderServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(openrouter_api, "KEYS_PER_PAGE", 1)
    source = made("openrouter", "management_key", f"{server.url}/api/v1", MANAGEMENT_KEY)

    assert source.names is not None
    keys = {name.id for name in source.names() if name.dimension == "api_key_id"}

    assert {"hash_web", "hash_blog", "hash_tickets", "hash_mail", "hash_lab"} == keys
