"""Deepgram's usage and bills: what we store is what Deepgram says at the end of the month."""

import json
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from exporter.demo.providers.bad_days import DropConnection
from exporter.demo.providers.deepgram_api import API_KEY, PROJECTS, DeepgramApi, deepgram_month
from exporter.demo.providers.server import ProviderServer
from exporter.errors import SourceError
from exporter.records import CostBucket, DimensionName, UsageBucket
from exporter.sources.polling.spans import Span
from tests.conftest import connect
from tests.sources.by_hand import Clock, exporter, one
from tests.sources.provider_month import Month
from tests.sources.recorded_answers import made, read, recorded
from tests.sources.written_answers import written

END = datetime(2026, 11, 20, tzinfo=UTC)
DAY = timedelta(days=1)
ENVIRON = {"DEEPGRAM_API_KEY": API_KEY}
THE_DAY = Span(END - 2 * DAY, END - DAY)
PROJECT = "8b6f0c1e-0000-4000-8000-aa77bb66cc55"
KEY_ID = "5c0e3f1d-0000-4000-8000-1b2c3d4e5f60"
FILES = {
    "/projects": "projects.json",
    "usage/breakdown": "usage.json",
    "billing/breakdown": "billing.json",
    "/balances": "balances.json",
    "/keys": "keys.json",
}
ONE_PROJECT = '{"projects": [{"project_id": "p-1", "name": null}]}'


def block(server: ProviderServer) -> dict[str, object]:
    return {
        "name": "deepgram",
        "kind": "deepgram",
        "api_key": {"env": "DEEPGRAM_API_KEY"},
        "base_url": f"{server.url}/v1",
        "allow_private": True,
        "every": "5s",
    }


# What is recorded.


def test_usage_is_seconds_of_every_channel_characters_and_tokens() -> None:
    with recorded("deepgram", "api_key", FILES) as (source, server):
        listening, agent = read(source, "usage", THE_DAY)
        asked = server.requests[-1]

    assert listening == UsageBucket(
        source="deepgram",
        provider="deepgram",
        report="usage",
        bucket_start=THE_DAY.from_at,
        bucket_seconds=86400,
        model="nova-3",
        project_id=PROJECT,
        requests=373,
        input_tokens=0,
        output_tokens=0,
        quantities={"input_audio_seconds": 9807},
    )
    assert agent == UsageBucket(
        source="deepgram",
        provider="deepgram",
        report="usage",
        bucket_start=THE_DAY.from_at,
        bucket_seconds=86400,
        model=None,  # it was two together
        project_id=PROJECT,
        dimensions={"models": "aura-2, nova-3"},
        requests=12,
        input_tokens=1200,
        output_tokens=340,
        quantities={"agent_seconds": 900, "input_characters": 9158},
    )
    assert {
        "start": ("2026-11-18",),
        "end": ("2026-11-19",),
        "grouping": ("models",),
    } == asked.query


def test_a_bill_is_exact_and_by_line_item_and_key() -> None:
    with recorded("deepgram", "api_key", FILES) as (source, server):
        streaming, adjustment = read(source, "billing", THE_DAY)
        asked = server.requests[-1]

    assert streaming == CostBucket(
        source="deepgram",
        provider="deepgram",
        report="billing",
        bucket_start=THE_DAY.from_at,
        bucket_seconds=86400,
        model="nova-3",
        project_id=PROJECT,
        api_key_id=KEY_ID,
        line_item="streaming::nova-3",
        amount=Decimal("0.2512345678901234"),
    )
    assert isinstance(adjustment, CostBucket)
    assert (None, None, Decimal("-1.5")) == (
        adjustment.model,
        adjustment.api_key_id,
        adjustment.amount,
    )
    assert ("line_item", "accessor") == asked.query["grouping"]


def test_balances_are_named_after_project_and_purchase() -> None:
    with recorded("deepgram", "api_key", FILES) as (source, _):
        assert source.balances is not None
        found = [(b.balance, b.unit, b.remaining) for b in source.balances(END)]

    assert [
        ("Support line: a1b2c3d4-0000-4000-8000-0f0e0d0c0b0a", "USD", Decimal("187.654321")),
        ("Support line: b2c3d4e5-0000-4000-8000-0f0e0d0c0b0a", "hour", Decimal(12)),
    ] == found


def test_projects_and_keys_have_names() -> None:
    with recorded("deepgram", "api_key", FILES) as (source, _):
        assert source.names is not None
        found = source.names()

    assert [
        DimensionName(source="deepgram", dimension="project_id", id=PROJECT, name="Support line"),
        DimensionName(source="deepgram", dimension="api_key_id", id=KEY_ID, name="production"),
    ] == found


# Traps.


def breakdown(row: str, resolution: str = '{"units": "day", "amount": 1}') -> dict[str, str | int]:
    body = f'{{"resolution": {resolution}, "results": [{row}]}}'
    return {"/projects": ONE_PROJECT, "usage/breakdown": body, "billing/breakdown": body}


NOTHING = '{"dollars": 0, "grouping": {"start": "2026-11-18"}}'


def test_what_is_not_told_is_unknown() -> None:
    row = '{"requests": 1, "grouping": {"start": "2026-11-18", "models": [null]}}'
    with written("deepgram", "api_key", breakdown(row)) as (source, _):
        (found,) = read(source, "usage", THE_DAY)

    assert isinstance(found, UsageBucket)
    assert (None, None, {}, {}) == (
        found.model,
        found.input_tokens,
        found.quantities,
        found.dimensions,
    )


@pytest.mark.parametrize("report", ["usage", "billing"])
@pytest.mark.parametrize(
    "resolution", ['{"units": "week", "amount": 1}', '{"units": "day", "amount": 7}']
)
def test_an_answer_that_is_not_by_day_is_refused(report: str, resolution: str) -> None:
    with (
        written("deepgram", "api_key", breakdown(NOTHING, resolution)) as (source, _),
        pytest.raises(SourceError, match="not by day"),
    ):
        read(source, report, THE_DAY)


@pytest.mark.parametrize(
    ("report", "row"),
    [
        ("billing", '{"grouping": {"start": "2026-11-18"}}'),
        ("billing", '{"dollars": null, "grouping": {"start": "2026-11-18"}}'),
        ("billing", '{"dollars": "NaN", "grouping": {"start": "2026-11-18"}}'),
        ("billing", '{"dollars": 1, "grouping": {"line_item": "streaming::nova-3"}}'),
        ("billing", '{"dollars": 1, "grouping": {"start": "this week"}}'),
        ("usage", '{"requests": 1.5, "grouping": {"start": "2026-11-18"}}'),
        ("usage", '{"tts_characters": -1, "grouping": {"start": "2026-11-18"}}'),
        ("usage", '{"total_hours": -1, "grouping": {"start": "2026-11-18"}}'),
        ("usage", '{"total_hours": 1e308, "grouping": {"start": "2026-11-18"}}'),
    ],
)
def test_what_is_not_understood_is_refused_not_guessed(report: str, row: str) -> None:
    with (
        written("deepgram", "api_key", breakdown(row)) as (source, _),
        pytest.raises(SourceError) as refused,
    ):
        read(source, report, THE_DAY)

    assert "answer_changed" == refused.value.reason


@pytest.mark.parametrize("tells_end", [True, False])
def test_it_does_not_matter_whether_the_last_day_is_told(tells_end: bool) -> None:
    api = DeepgramApi(deepgram_month(7, END, days=8), tells_end=tells_end)
    span = Span(END - 5 * DAY, END - 2 * DAY)
    with ProviderServer(api, lambda: END) as server:
        source = made("deepgram", "api_key", f"{server.url}/v1", API_KEY)
        found = read(source, "billing", span)

    usages = api.ledger.visible(END, span.from_at, span.until_at)
    amounts = [bucket.amount for bucket in found if isinstance(bucket, CostBucket)]
    assert sum(usage.cost_usd for usage in usages) == sum(amounts)


@pytest.mark.parametrize("projects", ['{"projects": []}', ONE_PROJECT])
def test_a_project_that_is_not_seen_is_not_one_without_use(projects: str) -> None:
    answers = {**breakdown(NOTHING), "/projects": projects}
    with (
        written("deepgram", "api_key", answers, projects=["p-2"]) as (source, _),
        pytest.raises(SourceError, match="p-2") as refused,
    ):
        read(source, "billing", THE_DAY)

    assert "request_refused" == refused.value.reason


def test_only_the_projects_that_are_configured_are_read() -> None:
    chosen = next(iter(PROJECTS))
    api = DeepgramApi(deepgram_month(7, END, days=8))
    with ProviderServer(api, lambda: END) as server:
        url = f"{server.url}/v1"
        source = made("deepgram", "api_key", url, API_KEY, projects=[chosen])
        found = read(source, "usage", Span(END - 5 * DAY, END))

    assert {chosen} == {bucket.project_id for bucket in found}


def test_an_id_cannot_lead_to_another_path() -> None:
    projects = json.dumps({"projects": [{"project_id": "../keys?x=", "name": "x"}]})
    with written("deepgram", "api_key", {**breakdown(NOTHING), "/projects": projects}) as (
        source,
        server,
    ):
        read(source, "billing", THE_DAY)
        asked = server.requests[-1].path

    assert "/projects/..%2Fkeys%3Fx%3D/billing/breakdown" == asked


# Bad days of its own.


def test_when_one_project_breaks_off_nothing_of_the_others_is_stored(
    tmp_path: Path, one_database_url: str
) -> None:
    clock = Clock()
    clock.now = END - timedelta(hours=11)
    last = list(PROJECTS)[-1]
    with (
        ProviderServer(DeepgramApi(deepgram_month(7, END, days=8)), clock) as server,
        exporter(tmp_path, one_database_url, block(server), clock=clock, environ=ENVIRON) as ours,
    ):
        server.bad_days.add(DropConnection(after_bytes=90), path=f"{last}/billing", times=3)
        assert "later" == ours.poll().outcome
        read_of = one(one_database_url, "SELECT array_agg(report) AS all FROM report_coverage")
        assert ["usage"] == read_of["all"]
        clock.advance(minutes=20)
        ours.poll_ok()

    rows = one(one_database_url, "SELECT count(DISTINCT project_id) AS n FROM cost_buckets")
    assert len(PROJECTS) == rows["n"]


@pytest.mark.parametrize("scopes", [{"usage:read"}, {"usage:read", "keys:read"}])
def test_a_key_that_may_not_read_bills_still_reads_usage(
    tmp_path: Path, one_database_url: str, scopes: set[str]
) -> None:
    clock = Clock()
    clock.now = END - timedelta(hours=11)
    api = DeepgramApi(deepgram_month(7, END, days=8), scopes=scopes)
    with (
        ProviderServer(api, clock) as server,
        exporter(tmp_path, one_database_url, block(server), clock=clock, environ=ENVIRON) as ours,
    ):
        ours.poll_ok()

    found = one(
        one_database_url,
        "SELECT (SELECT count(*) FROM usage_buckets) AS used, (SELECT count(*) FROM cost_buckets)"
        " + (SELECT count(*) FROM balances) AS billed,"
        " (SELECT count(*) FROM dimension_names WHERE dimension = 'api_key_id') AS keys",
    )
    assert found["used"] > 0
    assert 0 == found["billed"]
    assert ("keys:read" in scopes) == (found["keys"] > 0)


# The month.


@pytest.mark.parametrize("tells_end", [True, False], ids=["end is told", "end is not told"])
def test_after_a_month_of_bad_days_the_tables_equal_deepgrams_truth(
    tmp_path: Path, one_database_url: str, tells_end: bool
) -> None:
    clock = Clock()
    clock.now = END - timedelta(days=18, hours=-1)
    ledger = deepgram_month(7, END, days=30)
    with (
        ProviderServer(DeepgramApi(ledger, tells_end=tells_end), clock) as server,
        Month(tmp_path, one_database_url, block(server), ENVIRON, clock) as month,
    ):
        month.live_through(server, END + timedelta(days=4), fails_mid_page=None)

        usage = ledger.visible(clock.now, END - timedelta(days=30), END)
        costs: dict[tuple[object, ...], Decimal] = defaultdict(Decimal)
        amounts: dict[tuple[object, ...], int] = defaultdict(int)
        for one_ in usage:
            day = one_.at.replace(hour=0, minute=0, second=0, microsecond=0)
            costs[day, one_.project_id, one_.api_key_id, one_.labels["item"]] += one_.cost_usd
            where = (day, one_.project_id, one_.model)
            amounts[*where, "requests"] += one_.requests
            for name, amount in one_.quantities.items():
                amounts[*where, NAMES[name]] += amount
        assert costs == _costs_stored(one_database_url)
        assert amounts == _usage_stored(one_database_url)
        month.assert_at_rest()


NAMES = {
    "seconds": "input_audio_seconds",
    "agent_seconds": "agent_seconds",
    "characters": "input_characters",
}


def _costs_stored(url: str) -> dict[tuple[object, ...], Decimal]:
    with connect(url) as connection:
        rows = connection.execute(
            "SELECT bucket_start, project_id, api_key_id, line_item, cost_usd FROM cost_buckets"
        ).fetchall()
    return {tuple(row.values())[:4]: row["cost_usd"] for row in rows}  # type: ignore[misc]


def _usage_stored(url: str) -> dict[tuple[object, ...], int]:
    with connect(url) as connection:
        rows = connection.execute(
            "SELECT bucket_start, project_id, model, name, amount FROM usage_buckets,"
            " LATERAL (SELECT 'requests' AS name, requests AS amount UNION ALL"
            " SELECT key, value::bigint FROM jsonb_each_text(quantities)) told"
        ).fetchall()
    return {tuple(row.values())[:4]: row["amount"] for row in rows}  # type: ignore[misc]
