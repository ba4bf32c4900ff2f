"""xAI's credits and costs: what we store is what xAI says at the end of the month."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from exporter.demo.providers.server import ProviderServer
from exporter.demo.providers.xai_api import MANAGEMENT_KEY, TEAM_ID, XaiApi, xai_month
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
ENVIRON = {"XAI_MANAGEMENT_KEY": MANAGEMENT_KEY}
THE_DAY = Span(END - 2 * DAY, END - DAY)
WHOSE, USAGE = "management-keys/validation", "/usage"
LEDGER, PREVIEW = "prepaid/balance", "invoice/preview"
FILES = {
    WHOSE: "validation.json",
    LEDGER: "balance.json",
    PREVIEW: "preview.json",
    USAGE: "usage.json",
}
TEAM = f'{{"teamId": "{TEAM_ID}"}}'


def block(server: ProviderServer) -> dict[str, object]:
    return {
        "name": "xai",
        "kind": "xai",
        "management_key": {"env": "XAI_MANAGEMENT_KEY"},
        "base_url": server.url,
        "allow_private": True,
        "every": "5s",
    }


def balances(answers: dict[str, str | int]) -> dict[str, Balance]:
    with written("xai", "management_key", {WHOSE: TEAM, **answers}) as (source, _):
        assert source.balances is not None
        return {found.balance: found for found in source.balances(END)}


# What is recorded.


def test_credits_left_are_those_of_the_ledger_less_what_was_drawn_this_month() -> None:
    """The ledger alone says 517.49 dollars where 47.98 are left."""
    with recorded("xai", "management_key", FILES) as (source, _):
        assert source.balances is not None
        posted, left = source.balances(END)

    assert ("posted credits", Decimal("517.49"), None) == (
        posted.balance,
        posted.remaining,
        posted.used,
    )
    assert left == Balance(
        source="xai",
        provider="x-ai",
        balance="credits",
        unit="USD",
        observed_at=END,
        remaining=Decimal("47.98"),
        used=Decimal("469.51"),
    )


def test_costs_are_dollars_by_what_they_were_for() -> None:
    with recorded("xai", "management_key", FILES) as (source, server):
        chat, storage = read(source, "costs", THE_DAY)
        asked = server.requests[-1]

    assert chat == CostBucket(
        source="xai",
        provider="x-ai",
        report="costs",
        bucket_start=THE_DAY.from_at,
        bucket_seconds=86400,
        model="grok-4.6",
        line_item="Chat grok-4.6",
        amount=Decimal("0.75973725"),
    )
    assert isinstance(storage, CostBucket)
    assert (None, Decimal("1.2345678901E-7")) == (storage.model, storage.amount)
    assert f"/v1/billing/teams/{TEAM_ID}/usage" == asked.path
    assert json.loads(asked.body)["analyticsRequest"]["timeRange"] == {
        "startTime": "2026-11-18 00:00:00",
        "endTime": "2026-11-19 00:00:00",
        "timezone": "Etc/GMT",
    }


# Traps.


def test_credit_is_negative_and_debt_is_not() -> None:
    found = balances({LEDGER: '{"total": {"val": "799"}}', PREVIEW: 404})

    assert Decimal("-7.99") == found["posted credits"].remaining


@pytest.mark.parametrize(
    "preview",
    [
        400,
        403,
        404,
        '{"coreInvoice": {}}',
        '{"coreInvoice": {"prepaidCredits": {"val": "-51749"}}}',
        '{"coreInvoice": {"prepaidCredits": null, "prepaidCreditsUsed": {"val": "0"}}}',
    ],
)
def test_what_was_drawn_is_unknown_rather_than_nothing(preview: str | int) -> None:
    found = balances({LEDGER: '{"total": {"val": "-51749"}}', PREVIEW: preview})

    assert {"posted credits"} == set(found)


def test_a_preview_that_stumbles_is_no_reason_to_say_less() -> None:
    with pytest.raises(RefusedRequestError) as refused:
        balances({LEDGER: '{"total": {"val": "-51749"}}', PREVIEW: 401})

    assert 401 == refused.value.status


@pytest.mark.parametrize(
    ("key", "team"),
    [
        ('{"teamId": "t-1", "scope": "SCOPE_TEAM", "scopeId": "t-1"}', "t-1"),
        ('{"scope": "SCOPE_TEAM", "scopeId": "t/2"}', "t%2F2"),
    ],
)
def test_the_key_says_which_team_it_is_and_is_asked_once(key: str, team: str) -> None:
    answers: dict[str, str | int] = {WHOSE: key, USAGE: '{"timeSeries": []}'}
    with written("xai", "management_key", answers) as (source, server):
        read(source, "costs", THE_DAY)
        read(source, "costs", THE_DAY)
        paths = [request.path for request in server.requests]

    assert [f"/auth/{WHOSE}", *[f"/v1/billing/teams/{team}/usage"] * 2] == paths


def test_a_team_that_is_configured_is_not_asked_for() -> None:
    answers: dict[str, str | int] = {"teams/t-9/usage": '{"timeSeries": []}'}
    with written("xai", "management_key", answers, team_id="t-9") as (source, _):
        assert [] == read(source, "costs", THE_DAY)


def test_a_key_of_no_team_says_what_to_do() -> None:
    answers: dict[str, str | int] = {WHOSE: '{"scope": "SCOPE_ORGANIZATION", "scopeId": "o-1"}'}
    with (
        written("xai", "management_key", answers) as (source, _),
        pytest.raises(SourceError, match="set team_id"),
    ):
        read(source, "costs", THE_DAY)


def series(points: str) -> str:
    return f'{{"timeSeries": [{{"groupLabels": ["Chat grok-4"], "dataPoints": [{points}]}}]}}'


@pytest.mark.parametrize(
    "points",
    [
        '{"timestamp": "2026-11-18T09:00:00Z", "values": [1]}',
        '{"timestamp": "2026-11-18T00:00:00", "values": [1]}',
        '{"timestamp": "2026-11-18T00:00:00Z", "values": []}',
        '{"timestamp": "2026-11-18T00:00:00Z", "values": [1, 2]}',
        '{"timestamp": "2026-11-18T00:00:00Z", "values": ["NaN"]}',
        '{"timestamp": "2026-11-18T00:00:00Z", "values": [null]}',
    ],
    ids=["within a day", "no zone", "no value", "two values", "NaN", "null"],
)
def test_what_is_not_understood_is_refused_not_guessed(points: str) -> None:
    answers: dict[str, str | int] = {WHOSE: TEAM, USAGE: series(points)}
    with (
        written("xai", "management_key", answers) as (source, _),
        pytest.raises(SourceError) as refused,
    ):
        read(source, "costs", THE_DAY)

    assert "answer_changed" == refused.value.reason


@pytest.mark.parametrize("most_points", [10_000, 16, 6])
def test_an_answer_that_was_cut_short_is_asked_for_in_halves(most_points: int) -> None:
    api = XaiApi(xai_month(7, END, days=8), most_points=most_points)
    span = Span(END - 8 * DAY, END)
    with ProviderServer(api, lambda: END + DAY) as server:
        source = made("xai", "management_key", server.url, MANAGEMENT_KEY)
        found = read(source, "costs", span)

    usages = api.ledger.visible(END + DAY, span.from_at, span.until_at)
    amounts = [bucket.amount for bucket in found if isinstance(bucket, CostBucket)]
    assert sum(usage.cost_usd for usage in usages) == sum(amounts)


def test_a_day_that_is_cut_short_is_refused() -> None:
    api = XaiApi(xai_month(7, END, days=8), most_points=1)
    with ProviderServer(api, lambda: END + DAY) as server:
        source = made("xai", "management_key", server.url, MANAGEMENT_KEY)
        with pytest.raises(SourceError, match="one day"):
            read(source, "costs", Span(END - 8 * DAY, END))


# Bad days of its own.


def test_a_key_that_may_not_read_costs_still_reads_credits(
    tmp_path: Path, one_database_url: str
) -> None:
    clock = Clock()
    clock.now = END - timedelta(hours=11)
    api = XaiApi(xai_month(7, END, days=8), may_read_costs=False)
    with (
        ProviderServer(api, clock) as server,
        exporter(tmp_path, one_database_url, block(server), clock=clock, environ=ENVIRON) as ours,
    ):
        ours.poll_ok()
        ours.poll_ok()

    assert 2 == one(one_database_url, "SELECT count(*) AS rows FROM balances")["rows"]
    assert 0 == one(one_database_url, "SELECT count(*) AS rows FROM report_coverage")["rows"]


def test_nothing_is_asked_for_that_is_to_come() -> None:
    now = END - timedelta(hours=11, microseconds=-1)
    with ProviderServer(XaiApi(xai_month(7, END, days=8)), lambda: now) as server:
        list(made("xai", "management_key", server.url, MANAGEMENT_KEY).poll(Position(), now))
        ends = [
            json.loads(request.body)["analyticsRequest"]["timeRange"]["endTime"]
            for request in server.requests
            if request.body
        ]

    assert "2026-11-19 13:00:00" == max(ends)


# The month.


def test_after_a_month_of_bad_days_the_tables_equal_xais_truth(
    tmp_path: Path, one_database_url: str
) -> None:
    clock = Clock()
    clock.now = END - timedelta(days=18, hours=-1)
    ledger = xai_month(7, END, days=30)
    with (
        ProviderServer(XaiApi(ledger), clock) as server,
        Month(tmp_path, one_database_url, block(server), ENVIRON, clock) as month,
    ):
        month.live_through(server, END + timedelta(days=4), fails_mid_page=None)

        truth: dict[tuple[object, ...], Decimal] = {}
        for usage in ledger.visible(clock.now, END - timedelta(days=30), END):
            day = usage.at.replace(hour=0, minute=0, second=0, microsecond=0)
            key = (day, usage.labels["item"], usage.model or None)
            truth[key] = truth.get(key, Decimal(0)) + usage.cost_usd
        assert truth == _stored(one_database_url)
        month.assert_at_rest()


def _stored(url: str) -> dict[tuple[object, ...], Decimal]:
    with connect(url) as connection:
        rows = connection.execute(
            "SELECT bucket_start, line_item, model, sum(cost_usd) AS cost_usd FROM cost_buckets"
            " GROUP BY 1, 2, 3"
        ).fetchall()
    return {tuple(row.values())[:3]: row["cost_usd"] for row in rows}  # type: ignore[misc]
