"""The simulated OpenRouter, and the month that every simulated provider can tell."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest

from exporter.demo.providers.anthropic_api import ADMIN_KEY as ANTHROPIC_KEY
from exporter.demo.providers.anthropic_api import AnthropicApi
from exporter.demo.providers.ledger import Ledger, Row, Usage, Value
from exporter.demo.providers.openai_api import ADMIN_KEY as OPENAI_KEY
from exporter.demo.providers.openai_api import OpenAIApi
from exporter.demo.providers.openrouter_api import MANAGEMENT_KEY, OpenRouterApi
from exporter.demo.providers.server import ProviderServer
from exporter.demo.providers.simulated_month import (
    DISCOUNT,
    ORGANIZATIONS,
    list_price,
    simulated_month,
)

NOW = datetime(2026, 11, 20, 12, 30, tzinfo=UTC)
TODAY = datetime(2026, 11, 20, tzinfo=UTC)
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
SETTLED = NOW + 3 * DAY
PROVIDERS = sorted(ORGANIZATIONS)


@pytest.fixture
def router() -> Iterator[httpx.Client]:
    """An OpenRouter with a call today, two yesterday, and one that is 31 days old."""
    ledger = Ledger()
    for days, cost in ((0, "0.5"), (1, "0.25"), (1, "0.125"), (31, "8")):
        ledger.add(
            Usage(
                at=TODAY - days * DAY,
                model="openai/gpt-a",
                api_key_id="hash_1",
                input_tokens=10,
                cached_input_tokens=4,
                output_tokens=6,
                reasoning_tokens=2,
                cost_usd=Decimal(cost),
            )
        )
    ledger.add(
        Usage(
            at=TODAY - DAY,
            model="openai/gpt-a",
            api_key_id="hash_2",
            project_id="ws_1",
            labels={"byok": "true"},
            cost_usd=Decimal(3),
        )
    )
    ledger.add_name("api_key", "hash_1", "one")
    ledger.add_name("api_key", "hash_2", "two", project_id="ws_1")
    api = OpenRouterApi(ledger, total_credits=Decimal(20), inference_keys={"sk-or-1": "hash_1"})
    headers = {"Authorization": f"Bearer {MANAGEMENT_KEY}"}
    with (
        ProviderServer(api, lambda: NOW) as server,
        httpx.Client(base_url=server.url, headers=headers, trust_env=False) as client,
    ):
        yield client


def data(client: httpx.Client, path: str, **query: Any) -> Any:
    answer = client.get(f"/api/v1/{path}", params=query)
    assert answer.status_code == 200, answer.text
    return json.loads(answer.content, parse_float=Decimal)["data"]


def test_activity_shows_the_last_thirty_completed_days(router: httpx.Client) -> None:
    """Today is absent, what is older is forgotten, and one's own keys are counted apart."""
    days = data(router, "activity")
    today = router.get("/api/v1/activity", params={"date": "2026-11-20"})
    in_workspace = data(router, "activity", group_by="workspace", workspace_id="ws_1")

    assert {item["date"] for item in days} == {"2026-11-19"}
    own, ours = sorted(days, key=lambda item: item["usage"])
    assert (ours["usage"], ours["requests"], ours["reasoning_tokens"]) == (Decimal("0.375"), 2, 4)
    assert (ours["prompt_tokens"], ours["cached_tokens"], ours["completion_tokens"]) == (20, 8, 12)
    assert (own["usage"], own["byok_usage_inference"]) == (0, 3)
    assert [item["workspace_id"] for item in in_workspace] == ["ws_1"]
    assert (today.status_code, today.json()["error"]["code"]) == (400, 400)


def test_credits_and_keys_are_for_management(router: httpx.Client) -> None:
    """An inference key sees itself; keys of other workspaces are listed on request."""
    inference = {"Authorization": "Bearer sk-or-1"}
    own = router.get("/api/v1/key", headers=inference).json()["data"]
    refused = router.get("/api/v1/credits", headers=inference)
    unknown = router.get("/api/v1/credits", headers={"Authorization": "Bearer sk-or-2"})

    assert data(router, "credits") == {"total_credits": 20, "total_usage": Decimal("8.875")}
    assert [key["hash"] for key in data(router, "keys")] == ["hash_1"]
    assert [key["name"] for key in data(router, "keys", workspace_id="ws_1")] == ["two"]
    assert data(router, "keys", offset=1) == []
    assert (own["usage"], own["usage_daily"], own["usage_weekly"]) == (8.875, 0.5, 0.875)
    assert (own["usage_monthly"], own["is_management_key"]) == (0.875, False)
    assert (refused.status_code, unknown.status_code) == (403, 401)


def sums(ledger: Ledger, now: datetime, *group_by: str, days: int = 30) -> list[Row]:
    (bucket,) = ledger.rows(now, NOW - days * DAY, NOW, (days + 1) * DAY, group_by)
    return list(bucket.rows)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_seed_tells_one_month(provider: str) -> None:
    """The same again for the same seed, another for another, plausible in each."""
    ledger = simulated_month(1, NOW, 10, provider=provider)
    same, other = (simulated_month(seed, NOW, 10, provider=provider) for seed in (1, 2))
    (total,) = sums(ledger, SETTLED)

    assert sums(same, SETTLED, "model", "api_key_id") == sums(
        ledger, SETTLED, "model", "api_key_id"
    )
    assert sums(other, SETTLED) != [total]
    assert 50 < total.cost_usd < 10_000
    assert total.requests > 5_000
    assert total.cached_input_tokens > total.input_tokens / 20
    assert len(sums(ledger, SETTLED, "api_key_id")) == 5
    assert len(ledger.names["project"]) == 3


@pytest.mark.parametrize("provider", PROVIDERS)
def test_the_bill_lies_a_little_below_the_list_price(provider: str) -> None:
    """Listed models cost the list price less the discount; one model is not in the list."""
    ledger = simulated_month(1, NOW, 5, provider=provider)
    unlisted = ORGANIZATIONS[provider].unlisted.model
    usages = [u for u in ledger.visible(SETTLED, NOW - 5 * DAY, NOW) if u.output_tokens]
    listed = [usage for usage in usages if usage.model != unlisted]

    for usage in listed:
        assert abs(list_price(provider, usage) * (1 - DISCOUNT) - usage.cost_usd) <= Decimal(
            "1e-10"
        )
    unknown = next(usage for usage in usages if usage.model == unlisted)
    with pytest.raises(LookupError):
        list_price(provider, unknown)
    assert unknown.cost_usd > 0


@pytest.mark.parametrize("provider", PROVIDERS)
def test_what_a_month_shows_changes_afterwards(provider: str) -> None:
    """Days that are over still grow; one shrinks, and a project's model loses a day."""
    ledger = simulated_month(1, NOW, 5, provider=provider)
    grew, shrank, vanished = set(), set(), set()
    for start in (TODAY - days * DAY for days in range(1, 5)):
        before: dict[tuple[Value, Value], int] = {}
        for hours in range(1, 73):
            now = start + DAY + hours * HOUR
            (bucket,) = ledger.rows(now, start, start + DAY, DAY, ["project_id", "model"])
            after = {
                (row.group["project_id"], row.group["model"]): row.output_tokens
                for row in bucket.rows
            }
            vanished |= {(start, key) for key in before if key not in after}
            grew |= {(start, key) for key in before if after.get(key, 0) > before[key]}
            shrank |= {(start, key) for key in before if 0 < after.get(key, 0) < before[key]}
            before = after

    assert len(grew) > 5
    assert shrank
    assert len(vanished) == 1


def test_a_month_reads_the_same_over_the_wire() -> None:
    """A whole month of OpenAI and of Anthropic, page by page, equals its ledger."""
    openai = simulated_month(7, NOW, provider="openai")
    with ProviderServer(OpenAIApi(openai), lambda: SETTLED) as server:
        query = {
            "start_time": str(int((NOW - 30 * DAY).timestamp())),
            "end_time": str(int(NOW.timestamp())),
            "group_by": "line_item",
        }
        headers = {"Authorization": f"Bearer {OPENAI_KEY}"}
        costs = _pages(f"{server.url}/v1/organization/costs", query, headers)
    billed = sum(Decimal(r["amount"]["value"]) for day in costs for r in day["results"])

    anthropic = simulated_month(7, NOW, provider="anthropic")
    with ProviderServer(AnthropicApi(anthropic), lambda: SETTLED) as server:
        query = {
            "starting_at": (NOW - 30 * DAY).isoformat(),
            "ending_at": NOW.isoformat(),
            "group_by[]": "model",
        }
        headers = {"x-api-key": ANTHROPIC_KEY, "anthropic-version": "2023-06-01"}
        usage = _pages(f"{server.url}/v1/organizations/usage_report/messages", query, headers)
    read = sum(r["output_tokens"] for day in usage for r in day["results"])

    assert billed == sum(row.cost_usd for row in sums(openai, SETTLED))
    assert read == sum(row.output_tokens for row in sums(anthropic, SETTLED))


def _pages(url: str, query: dict[str, str], headers: dict[str, str]) -> list[Any]:
    found: list[Any] = []
    with httpx.Client(headers=headers, trust_env=False) as client:
        while True:
            answer = client.get(url, params=query)
            assert answer.status_code == 200, answer.text
            page = json.loads(answer.content, parse_float=Decimal)
            found += page["data"]
            if not page["has_more"]:
                return found
            query = {**query, "page": page["next_page"]}
