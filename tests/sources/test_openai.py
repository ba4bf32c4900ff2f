"""OpenAI's usage and costs: what we store is what OpenAI says at the end of the month."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from exporter.demo.providers.charges import charges
from exporter.demo.providers.ledger import Ledger
from exporter.demo.providers.openai_api import ADMIN_KEY, OpenAIApi
from exporter.demo.providers.server import ProviderServer
from exporter.demo.providers.simulated_month import simulated_month
from exporter.records import CostBucket, UsageBucket
from exporter.sources.polling.spans import Span
from tests.conftest import connect
from tests.sources.by_hand import Clock, exporter
from tests.sources.provider_month import Month
from tests.sources.recorded_answers import read, recorded

END = datetime(2026, 11, 20, tzinfo=UTC)
HISTORY_DAYS = 12
ENVIRON = {"OPENAI_ADMIN_KEY": ADMIN_KEY}


@pytest.fixture(scope="module")
def ledger() -> Ledger:
    return simulated_month(seed=7, until=END, days=30)


@pytest.fixture
def clock() -> Clock:
    clock = Clock()
    clock.now = END - timedelta(days=30 - HISTORY_DAYS, hours=-1)
    return clock


def block(server: ProviderServer) -> dict[str, object]:
    return {
        "name": "openai",
        "kind": "openai",
        "admin_key": {"env": "OPENAI_ADMIN_KEY"},
        "base_url": f"{server.url}/v1",
        "allow_private": True,
        "every": "5s",
    }


@pytest.fixture
def server(ledger: Ledger, clock: Clock) -> Iterator[ProviderServer]:
    with ProviderServer(OpenAIApi(ledger, refused_cost_groups=("api_key_id",)), clock) as server:
        yield server


def test_a_usage_answer_is_told_with_everything_it_meters() -> None:
    start = datetime(2026, 11, 3, 0, tzinfo=UTC)
    with recorded("openai", "admin_key", {"completions": "usage_completions.json"}) as (source, _):
        first, batch = read(source, "completions", Span(start, start + timedelta(hours=3)))

    assert first == UsageBucket(
        source="openai",
        provider="openai",
        report="completions",
        bucket_start=start,
        bucket_seconds=3600,
        model="gpt-5-mini-2025-08-07",
        project_id="proj_a",
        api_key_id="key_b",
        service_tier="default",
        requests=5,
        input_tokens=1000,
        cached_input_tokens=400,
        cache_write_tokens=100,
        output_tokens=500,
        quantities={
            "input_audio_tokens": 80,  # 50 fresh and 30 cached ones
            "cache_audio_read_tokens": 30,
            "output_audio_tokens": 60,
            "input_image_tokens": 50,
        },
    )
    assert isinstance(batch, UsageBucket)
    assert ("batch", 70, None, {}) == (
        batch.service_tier,
        batch.input_tokens,
        batch.cached_input_tokens,
        batch.quantities,
    )


def test_a_costs_answer_is_told_to_the_last_digit() -> None:
    day = datetime(2026, 11, 3, tzinfo=UTC)
    with recorded("openai", "admin_key", {"costs": "costs.json"}) as (source, _):
        tokens, storage = read(source, "costs", Span(day, day + timedelta(days=1)))

    assert tokens == CostBucket(
        source="openai",
        provider="openai",
        report="costs",
        bucket_start=day,
        bucket_seconds=86400,
        model="gpt-5-mini-2025-08-07",
        project_id="proj_a",
        line_item="gpt-5-mini-2025-08-07, input",
        amount=Decimal("0.06"),
        currency="USD",
        quantity=Decimal("123456.0"),
        quantity_unit="tokens",
    )
    assert isinstance(storage, CostBucket)
    assert (Decimal("0.12345678901234567"), None) == (storage.amount, storage.model)


def test_an_organization_that_refuses_costs_by_key_is_asked_without(
    tmp_path: Path, one_database_url: str, clock: Clock, server: ProviderServer
) -> None:
    with exporter(tmp_path, one_database_url, block(server), clock=clock, environ=ENVIRON) as ours:
        ours.poll_ok()
        ours.poll_ok()

    groups = [r.query["group_by"] for r in server.requests if r.path.endswith("/costs")]
    refused = [names for names in groups if "api_key_id" in names]
    assert 1 == len(refused)
    assert 2 <= len(groups)


def test_names_of_archived_projects_and_hidden_keys_are_known(
    tmp_path: Path, one_database_url: str, ledger: Ledger, clock: Clock, server: ProviderServer
) -> None:
    with exporter(tmp_path, one_database_url, block(server), clock=clock, environ=ENVIRON) as ours:
        ours.poll_ok()

    with connect(one_database_url) as connection:
        rows = connection.execute("SELECT id, name FROM dimension_names").fetchall()
    assert {row["id"]: row["name"] for row in rows} == {
        id_: name for names in ledger.names.values() for id_, name in names.items()
    }


def test_after_a_month_of_bad_days_the_tables_equal_openais_truth(
    tmp_path: Path, one_database_url: str, ledger: Ledger, clock: Clock, server: ProviderServer
) -> None:
    with Month(tmp_path, one_database_url, block(server), ENVIRON, clock) as month:
        month.live_through(server, END + timedelta(days=4), fails_mid_page="completions")

        usage = ledger.visible(clock.now, END - timedelta(days=40), END)
        assert _usage_truth(usage) == _usage_stored(one_database_url)
        assert _cost_truth(usage) == _costs_stored(one_database_url)
        month.assert_at_rest()


def _usage_truth(usage: list) -> dict[tuple[object, ...], list[int]]:
    found: dict[tuple[object, ...], list[int]] = {}
    for one in usage:
        if one.endpoint != "completions":
            continue
        hour = one.at.replace(minute=0, second=0, microsecond=0)
        tier = "batch" if one.batch else one.service_tier or "default"
        key = (hour, one.model, one.project_id, one.api_key_id, one.user_id, tier)
        sums = found.setdefault(key, [0] * 4)
        for place, amount in enumerate(
            (one.requests, one.input_tokens, one.cached_input_tokens, one.output_tokens)
        ):
            sums[place] += amount
    return found


def _usage_stored(url: str) -> dict[tuple[object, ...], list[int]]:
    with connect(url) as connection:
        rows = connection.execute(
            "SELECT bucket_start, model, project_id, api_key_id, user_id, service_tier, requests,"
            " input_tokens, cached_input_tokens, output_tokens"
            " FROM usage_buckets WHERE report = 'completions'"
        ).fetchall()
    return {tuple(row.values())[:6]: list(row.values())[6:] for row in rows}  # type: ignore[misc]


def _cost_truth(usage: list) -> dict[tuple[object, ...], Decimal]:
    found: dict[tuple[object, ...], Decimal] = {}
    for one in usage:
        day = one.at.replace(hour=0, minute=0, second=0, microsecond=0)
        for charge in charges(one):
            key = (day, one.project_id)
            found[key] = found.get(key, Decimal(0)) + charge.cost_usd
    return found


def _costs_stored(url: str) -> dict[tuple[object, ...], Decimal]:
    with connect(url) as connection:
        rows = connection.execute(
            "SELECT bucket_start, project_id, sum(cost_usd) AS cost_usd FROM cost_buckets"
            " GROUP BY 1, 2"
        ).fetchall()
    return {(row["bucket_start"], row["project_id"]): row["cost_usd"] for row in rows}  # type: ignore[misc]
