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
from tests.conftest import connect
from tests.sources.by_hand import Clock
from tests.sources.provider_month import Month

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
