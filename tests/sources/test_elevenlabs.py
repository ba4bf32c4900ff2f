"""ElevenLabs' characters and costs: what we store is what ElevenLabs says at the end."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from exporter.demo.providers.elevenlabs_api import API_KEY, ElevenLabsApi, elevenlabs_month
from exporter.demo.providers.server import ProviderServer
from exporter.errors import RefusedRequestError, SourceError
from exporter.interfaces import Position
from exporter.records import Balance, CostBucket
from exporter.sources.polling.spans import Span
from tests.conftest import connect
from tests.sources.by_hand import Clock, exporter, one
from tests.sources.provider_month import Month
from tests.sources.recorded_answers import made, read, recorded
from tests.sources.written_answers import written

END = datetime(2026, 11, 20, tzinfo=UTC)
DAY = timedelta(days=1)
ENVIRON = {"ELEVENLABS_API_KEY": API_KEY}
THE_DAY = Span(END - 2 * DAY, END - DAY)
PATH = "workspace/analytics/usage"
SUBSCRIPTION = "user/subscription"
FILES = {SUBSCRIPTION: "subscription.json", PATH: "usage.json"}


def block(server: ProviderServer) -> dict[str, object]:
    return {
        "name": "elevenlabs",
        "kind": "elevenlabs",
        "api_key": {"env": "ELEVENLABS_API_KEY"},
        "base_url": server.url,
        "allow_private": True,
        "every": "5s",
    }


# What is recorded.


def test_characters_are_a_balance_with_its_limit() -> None:
    with recorded("elevenlabs", "api_key", FILES) as (source, _):
        assert source.balances is not None
        found = source.balances(END)

    assert found == [
        Balance(
            source="elevenlabs",
            provider="elevenlabs",
            balance="characters",
            unit="characters",
            observed_at=END,
            remaining=Decimal(750_000),
            used=Decimal(1_250_000),
            limit_amount=Decimal(2_000_000),
        )
    ]


def test_costs_are_exact_and_in_the_workspaces_currency() -> None:
    with recorded("elevenlabs", "api_key", FILES) as (source, server):
        speech, dubbing = read(source, "costs", THE_DAY)
        (asked,) = [json.loads(request.body) for request in server.requests]

    assert speech == CostBucket(
        source="elevenlabs",
        provider="elevenlabs",
        report="costs",
        bucket_start=THE_DAY.from_at,
        bucket_seconds=86400,
        model="eleven_multilingual_v2",
        line_item="TTS",
        amount=Decimal("12.345678901234567"),
        currency="EUR",
        quantity=Decimal(56_000),
        quantity_unit="characters",
    )
    assert isinstance(dubbing, CostBucket)
    assert (None, Decimal("0.1"), None) == (dubbing.model, dubbing.amount, dubbing.quantity)
    assert asked == {
        "start_time": 1794960000000,  # milliseconds
        "end_time": 1795046400000,
        "interval_seconds": 86400,
        "group_by": ["product_type", "model", "fiat_currency"],
    }


def test_the_day_after_the_last_one_is_not_what_was_asked_for() -> None:
    with recorded("elevenlabs", "api_key", FILES) as (source, _):
        days = {bucket.bucket_start for bucket in read(source, "costs", THE_DAY)}
        both = {bucket.bucket_start for bucket in read(source, "costs", Span(END - 2 * DAY, END))}

    assert days == {THE_DAY.from_at}
    assert both == {THE_DAY.from_at, THE_DAY.until_at}


# Traps.


def table(day: object, cost: object, currency: str | None = "usd", **changes: object) -> str:
    known: dict[str, object] = {
        "columns": [
            "fiat_currency",
            "model",
            "when",
            "product_type",
            "total_cost",
            "total_charge_count",
        ],
        "column_types": ["String", "String", "DateTime", "String", "Float", "Float"],
        "column_units": [None, None, None, None, None, None],
        "rows": [[currency, "eleven_v3", day, "TTS", cost, 3]],
    }
    return json.dumps(known | changes)


@pytest.mark.parametrize(
    "day",
    [
        "2026-11-18T00:00:00Z",
        "2026-11-18T02:00:00+02:00",
        "2026-11-18 00:00:00",
        "2026-11-18",
        1794960000000,
    ],
)
def test_a_day_is_understood_however_it_is_written(day: object) -> None:
    with written("elevenlabs", "api_key", {PATH: table(day, 1)}) as (source, _):
        (found,) = read(source, "costs", THE_DAY)

    assert THE_DAY.from_at == found.bucket_start


@pytest.mark.parametrize(
    "body",
    [
        table("2026-11-18T09:00:00Z", 1),
        table(1794960000, 1),  # seconds
        table("lately", 1),
        table("2026-11-18", "NaN"),
        table("2026-11-18", None),
        table("2026-11-18", 1, currency=None),
        table("2026-11-18", 1, column_types=["String"] * 6),
        table("2026-11-18", 1, rows=[["usd", "eleven_v3", "2026-11-18"]]),
        table("2026-11-18", 1, columns=["fiat_currency", "model", "when", "product", "x", "y"]),
    ],
    ids=[
        "within a day",
        "seconds",
        "no time",
        "NaN",
        "no cost",
        "no currency",
        "no column of times",
        "a short row",
        "other columns",
    ],
)
def test_what_is_not_understood_is_refused_not_guessed(body: str) -> None:
    with (
        written("elevenlabs", "api_key", {PATH: body}) as (source, _),
        pytest.raises(SourceError) as refused,
    ):
        read(source, "costs", THE_DAY)

    assert "answer_changed" == refused.value.reason


def test_the_unit_of_the_column_is_the_currency_where_no_row_names_one() -> None:
    body = table("2026-11-18", "0.25", None, column_units=[None, None, None, None, "gbp", None])
    with written("elevenlabs", "api_key", {PATH: body}) as (source, _):
        (found,) = read(source, "costs", THE_DAY)

    assert isinstance(found, CostBucket)
    assert ("GBP", Decimal("0.25")) == (found.currency, found.amount)


def test_more_characters_than_the_plan_includes_are_less_than_none_left() -> None:
    body = '{"character_count": 2000500, "character_limit": 2000000}'
    with written("elevenlabs", "api_key", {SUBSCRIPTION: body}) as (source, _):
        assert source.balances is not None
        (found,) = source.balances(END)

    assert Decimal(-500) == found.remaining


# Bad days of its own.


@pytest.mark.parametrize(
    ("permissions", "is_billed_by_cost"),
    [(("user_read",), True), (("user_read", "workspace_analytics_full_read"), False)],
    ids=["a key without analytics", "a workspace billed in credits"],
)
def test_without_costs_characters_are_still_read(
    tmp_path: Path, one_database_url: str, permissions: tuple[str, ...], is_billed_by_cost: bool
) -> None:
    clock = Clock()
    clock.now = END - timedelta(hours=11)
    api = ElevenLabsApi(
        elevenlabs_month(7, END, days=8),
        permissions=permissions,
        is_billed_by_cost=is_billed_by_cost,
    )
    with (
        ProviderServer(api, clock) as server,
        exporter(tmp_path, one_database_url, block(server), clock=clock, environ=ENVIRON) as ours,
    ):
        ours.poll_ok()
        ours.poll_ok()

        asked = [request.path for request in server.requests if PATH in request.path]
    left = one(one_database_url, "SELECT remaining, used FROM balances")
    assert left["used"] > 0
    assert 1 == len(asked), "what is refused is asked for once a day"
    assert 0 == one(one_database_url, "SELECT count(*) AS rows FROM report_coverage")["rows"]


def test_a_key_that_is_good_for_nothing_is_refused_as_such() -> None:
    answers = {PATH: 401, SUBSCRIPTION: 401}
    with (
        written("elevenlabs", "api_key", answers) as (source, _),
        pytest.raises(RefusedRequestError) as refused,
    ):
        read(source, "costs", THE_DAY)

    assert (401, "key_refused") == (refused.value.status, refused.value.reason)


def test_a_question_that_does_not_suit_ends_the_report_alone() -> None:
    answers = {PATH: 422, SUBSCRIPTION: '{"character_count": 0, "character_limit": 1}'}
    with (
        written("elevenlabs", "api_key", answers) as (source, _),
        pytest.raises(RefusedRequestError) as refused,
    ):
        read(source, "costs", THE_DAY)

    assert 403 == refused.value.status


def test_a_first_poll_asks_for_a_week_at_a_time_and_never_for_what_is_to_come() -> None:
    clock = Clock()
    clock.now = END - timedelta(hours=11)
    with ProviderServer(ElevenLabsApi(elevenlabs_month(7, END, days=8)), clock) as server:
        list(made("elevenlabs", "api_key", server.url, API_KEY).poll(Position(), clock.now))
        asked = [json.loads(r.body) for r in server.requests if r.body]

    assert [7] * 5 + [0] == [(a["end_time"] - a["start_time"]) // 86_400_000 for a in asked]
    assert max(a["end_time"] for a in asked) <= clock.now.timestamp() * 1000


# The month.


def test_after_a_month_of_bad_days_the_tables_equal_elevenlabs_truth(
    tmp_path: Path, one_database_url: str
) -> None:
    clock = Clock()
    clock.now = END - timedelta(days=18, hours=-1)
    ledger = elevenlabs_month(7, END, days=30)
    with (
        ProviderServer(ElevenLabsApi(ledger, currency="eur"), clock) as server,
        Month(tmp_path, one_database_url, block(server), ENVIRON, clock) as month,
    ):
        month.live_through(server, END + timedelta(days=4), fails_mid_page=None)

        truth: dict[tuple[object, ...], Decimal] = {}
        for usage in ledger.visible(clock.now, END - timedelta(days=30), END):
            day = usage.at.replace(hour=0, minute=0, second=0, microsecond=0)
            key = (day, usage.labels["item"], usage.model or None)
            truth[key] = truth.get(key, Decimal(0)) + usage.cost_usd
        assert truth == _stored(one_database_url)
        unconverted = one(one_database_url, "SELECT count(cost_usd) AS known FROM cost_buckets")
        assert 0 == unconverted["known"], "nobody named a rate of exchange"
        month.assert_at_rest()


def _stored(url: str) -> dict[tuple[object, ...], Decimal]:
    with connect(url) as connection:
        rows = connection.execute(
            "SELECT bucket_start, line_item, model, sum(amount) AS amount FROM cost_buckets"
            " WHERE currency = 'EUR' GROUP BY 1, 2, 3"
        ).fetchall()
    return {tuple(row.values())[:3]: row["amount"] for row in rows}  # type: ignore[misc]
