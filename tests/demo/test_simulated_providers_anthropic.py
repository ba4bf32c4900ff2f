"""The simulated Anthropic tells its ledger's truth, with Anthropic's quirks."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest

from exporter.demo.providers.anthropic_analytics import BETA
from exporter.demo.providers.anthropic_api import ADMIN_KEY, WORKSPACE_KEY, AnthropicApi
from exporter.demo.providers.anthropic_words import FAST_MODE
from exporter.demo.providers.ledger import Ledger, Usage
from exporter.demo.providers.server import ProviderServer

NOW = datetime(2026, 11, 20, 12, 30, tzinfo=UTC)
TODAY = datetime(2026, 11, 20, tzinfo=UTC)
HOUR = timedelta(hours=1)
USAGE = "/v1/organizations/usage_report/messages"
COSTS = "/v1/organizations/cost_report"
ANALYTICS_USAGE = "/v1/organizations/analytics/usage"
ANALYTICS_COST = "/v1/organizations/analytics/cost"
CLAUDE_CODE = "/v1/organizations/usage_report/claude_code"
TODAY_SO_FAR = {"starting_at": "2026-11-20T00:00:00Z", "ending_at": "2026-11-20T12:30:00Z"}


@pytest.fixture
def ledger() -> Ledger:
    """A call with every kind of input, a batch, a search, a sandbox, and a developer."""
    ledger = Ledger()
    ledger.add(
        Usage(
            at=TODAY + 9 * HOUR,
            model="claude-a",
            requests=2,
            project_id="wrkspc_1",
            api_key_id="apikey_1",
            input_tokens=105_000,
            cached_input_tokens=25_000,
            cache_write_5m_tokens=3_000,
            cache_write_1h_tokens=2_000,
            output_tokens=18_000,
            cost_usd=Decimal("0.7123456789"),
        )
    )
    ledger.add(
        Usage(
            at=TODAY + 10 * HOUR,
            model="claude-a",
            batch=True,
            input_tokens=10,
            cost_usd=Decimal("0.01"),
        )
    )
    ledger.add(
        Usage(
            at=TODAY + 10 * HOUR,
            model="claude-a",
            endpoint="web_search",
            quantities={"web_search_requests": 3},
            cost_usd=Decimal("0.03"),
        )
    )
    ledger.add(
        Usage(at=TODAY, model="sandbox", endpoint="code_execution", cost_usd=Decimal("0.05"))
    )
    ledger.add(
        Usage(
            at=TODAY + 11 * HOUR,
            model="claude-b",
            user_id="user_ada",
            labels={"terminal_type": "vscode"},
            input_tokens=100,
            cached_input_tokens=60,
            output_tokens=5,
            quantities={"num_sessions": 1, "lines_added": 12, "edit_tool_rejected": 2},
            cost_usd=Decimal("0.0155"),
        )
    )
    return ledger


@pytest.fixture
def api(ledger: Ledger) -> AnthropicApi:
    return AnthropicApi(ledger, discount=Decimal("0.2"))


@pytest.fixture
def client(api: AnthropicApi) -> Iterator[httpx.Client]:
    headers = {
        "x-api-key": ADMIN_KEY,
        "anthropic-version": "2023-06-01",
        "anthropic-beta": f"other, {BETA}",
    }
    with (
        ProviderServer(api, lambda: NOW) as server,
        httpx.Client(base_url=server.url, headers=headers, trust_env=False) as client,
    ):
        yield client


def get(client: httpx.Client, path: str, query: dict[str, Any]) -> Any:
    """Return the parsed body; numbers keep every digit."""
    response = client.get(path, params=query)
    assert response.status_code == 200, response.text
    return json.loads(response.content, parse_float=Decimal)


def test_tokens_exclude_the_cache_and_name_it(client: httpx.Client) -> None:
    """Uncached input stands apart, cache writes are nested, and nobody counts requests."""
    query = {**TODAY_SO_FAR, "bucket_width": "1h", "group_by[]": ["model", "service_tier"]}
    buckets = get(client, USAGE, query)["data"]
    (nine,) = buckets[9]["results"]
    tiers = [(r["service_tier"], r["server_tool_use"]) for r in buckets[10]["results"]]

    assert nine["uncached_input_tokens"] == 75_000
    assert nine["cache_read_input_tokens"] == 25_000
    assert nine["cache_creation"] == {
        "ephemeral_5m_input_tokens": 3_000,
        "ephemeral_1h_input_tokens": 2_000,
    }
    assert (nine["output_tokens"], nine["workspace_id"]) == (18_000, None)
    assert not {"requests", "num_model_requests", "speed"} & nine.keys()
    assert tiers == [
        ("batch", {"web_search_requests": 0}),
        ("standard", {"web_search_requests": 3}),
    ]
    assert buckets[0]["results"] == []


def test_times_are_snapped_to_whole_buckets(client: httpx.Client) -> None:
    """A start within the day gives the whole day, whose end may lie ahead."""
    query = {"starting_at": "2026-11-20T11:59:00+02:00", "bucket_width": "1d"}
    (day,) = get(client, USAGE, query)["data"]

    assert (day["starting_at"], day["ending_at"]) == (
        "2026-11-20T00:00:00Z",
        "2026-11-21T00:00:00Z",
    )
    assert day["results"][0]["uncached_input_tokens"] == 75_000 + 10 + 40


def test_costs_are_cents_and_add_up_to_the_last_digit(client: httpx.Client) -> None:
    """Amounts are decimal strings; the parsed fields come with the description."""
    query = {**TODAY_SO_FAR, "group_by[]": ["workspace_id", "description"]}
    (day,) = get(client, COSTS, query)["data"]
    results = day["results"]
    (plain,) = get(client, COSTS, TODAY_SO_FAR)["data"][0]["results"]

    assert sum(Decimal(r["amount"]) for r in results) == Decimal("81.78456789")
    assert (plain["amount"], plain["description"]) == ("81.78456789", None)
    assert {(r["cost_type"], r["token_type"]) for r in results} == {
        ("tokens", "uncached_input_tokens"),
        ("tokens", "cache_read_input_tokens"),
        ("tokens", "cache_creation.ephemeral_5m_input_tokens"),
        ("tokens", "cache_creation.ephemeral_1h_input_tokens"),
        ("tokens", "output_tokens"),
        ("web_search", None),
        ("code_execution", None),
    }
    assert len({(r["workspace_id"], r["description"]) for r in results}) == len(results)


def test_priority_spend_is_not_in_the_cost_report(client: httpx.Client, ledger: Ledger) -> None:
    """It is paid for elsewhere; the tokens are reported all the same."""
    at = TODAY - 2 * HOUR
    ledger.add(
        Usage(at=at, model="m", service_tier="priority", input_tokens=9, cost_usd=Decimal(1))
    )
    query = {"starting_at": "2026-11-19T00:00:00Z", "ending_at": "2026-11-20T00:00:00Z"}

    assert get(client, COSTS, query)["data"][0]["results"] == []
    assert get(client, USAGE, query)["data"][0]["results"][0]["uncached_input_tokens"] == 9


@pytest.mark.parametrize(
    "query",
    [
        {**TODAY_SO_FAR, "group_by": "model"},
        {**TODAY_SO_FAR, "group_by[]": "speed"},
        {**TODAY_SO_FAR, "speeds[]": "fast"},
        {**TODAY_SO_FAR, "bucket_width": "1w"},
        {**TODAY_SO_FAR, "limit": "32"},
        {"starting_at": "yesterday"},
        {"starting_at": "2026-11-20T00:00:00Z", "ending_at": "2026-11-21T00:00:00Z"},
        {},
    ],
)
def test_what_is_wrong_with_a_request_is_refused(
    client: httpx.Client, query: dict[str, str]
) -> None:
    """400 in Anthropic's words, an array without its brackets included."""
    answer = client.get(USAGE, params=query)

    assert answer.status_code == 400
    assert answer.json()["error"]["type"] == "invalid_request_error"


@pytest.mark.parametrize(
    ("headers", "status", "kind"),
    [
        ({"x-api-key": "sk-ant-other"}, 401, "authentication_error"),
        ({"x-api-key": WORKSPACE_KEY}, 403, "permission_error"),
        ({"anthropic-version": "2020-01-01"}, 400, "invalid_request_error"),
        ({"anthropic-beta": FAST_MODE}, 404, "not_found_error"),
    ],
)
def test_headers_are_checked(
    client: httpx.Client, headers: dict[str, str], status: int, kind: str
) -> None:
    """The key, the version, and for analytics the beta."""
    answer = client.get(ANALYTICS_USAGE, params=TODAY_SO_FAR, headers=headers)

    assert answer.status_code == status
    assert (answer.json()["type"], answer.json()["error"]["type"]) == ("error", kind)


def test_the_fast_mode_beta_tells_speeds_apart(client: httpx.Client) -> None:
    """With its header `speed` is a group like the others."""
    query = {**TODAY_SO_FAR, "group_by[]": "speed"}
    answer = client.get(USAGE, params=query, headers={"anthropic-beta": FAST_MODE})

    assert answer.json()["data"][0]["results"][0]["speed"] == "standard"


def test_analytics_knows_the_cost_of_a_key(client: httpx.Client) -> None:
    """Cents after the discount and before it, with requests unless cost types are told apart."""
    query = {**TODAY_SO_FAR, "group_by[]": ["api_key_id"], "time_bucket_width": "1d"}
    rows = get(client, ANALYTICS_COST, query)["data"]
    by_type = get(client, ANALYTICS_COST, {**query, "group_by[]": ["api_key_id", "token_type"]})
    key = next(row for row in rows if row["group"]["api_key_id"] == "apikey_1")

    assert key["cost"] == {
        "amount": "71.23456789",
        "list_amount": "89.04320986",
        "currency": "USD",
        "requests": 2,
    }
    assert {row["cost"]["requests"] for row in by_type["data"]} == {None}
    assert sum(Decimal(r["cost"]["amount"]) for r in by_type["data"]) == Decimal("81.78456789")


def test_analytics_pages_by_rows_and_its_cursors_expire(
    client: httpx.Client, api: AnthropicApi
) -> None:
    """Each row once; when the data is refreshed, the next page is gone."""
    query = {**TODAY_SO_FAR, "group_by[]": "model", "time_bucket_width": "1h", "limit": "2"}
    first = get(client, ANALYTICS_USAGE, query)
    last = get(client, ANALYTICS_USAGE, {**query, "page": first["next_page"]})
    api.analytics.refresh()
    expired = client.get(ANALYTICS_USAGE, params={**query, "page": first["next_page"]})
    again = get(client, ANALYTICS_USAGE, query)

    rows = [*first["data"], *last["data"]]
    assert [row["usage"]["requests"] for row in rows] == [2, 2, 1]
    assert [row["usage"]["total_tokens"] for row in rows] == [123_000, 10, 105]
    assert last["has_more"] is False
    assert expired.status_code == 410
    assert again["data"] == first["data"]


@pytest.mark.parametrize(
    "query",
    [
        {"starting_at": "2026-10-01T00:00:00Z", "ending_at": "2026-11-02T00:00:00Z"},
        {"starting_at": "2025-12-31T00:00:00Z", "ending_at": "2026-01-02T00:00:00Z"},
        {"starting_at": "2026-11-20T00:00:00Z", "time_bucket_width": "1h"},
        {
            **TODAY_SO_FAR,
            "group_by[]": ["model", "actor", "speed", "product", "api_key_id", "session_id"],
        },
    ],
)
def test_analytics_has_narrow_limits(client: httpx.Client, query: dict[str, Any]) -> None:
    """31 days, not before 2026, an end for buckets, five groups."""
    assert client.get(ANALYTICS_USAGE, params=query).status_code == 400


def test_an_organization_without_analytics_is_told_so(
    client: httpx.Client, api: AnthropicApi
) -> None:
    """The status is the organization's; the other reports are not touched."""
    api.analytics_status = 403

    assert client.get(ANALYTICS_COST, params=TODAY_SO_FAR).status_code == 403
    assert client.get(COSTS, params=TODAY_SO_FAR).status_code == 200


def test_claude_code_reports_one_day_of_developers(client: httpx.Client) -> None:
    """Who worked, in which terminal, and an estimate in cents that is a number."""
    (record,) = get(client, CLAUDE_CODE, {"starting_at": "2026-11-20"})["data"]
    wrong = client.get(CLAUDE_CODE, params={"starting_at": "2026-11-20T00:00:00Z"})

    assert record["actor"] == {
        "type": "user_actor",
        "email_address": "user_ada@company.example",
    }
    assert record["core_metrics"]["lines_of_code"] == {"added": 12, "removed": 0}
    assert record["tool_actions"]["edit_tool"] == {"accepted": 0, "rejected": 2}
    (model,) = record["model_breakdown"]
    assert model["tokens"] == {"input": 40, "output": 5, "cache_read": 60, "cache_creation": 0}
    assert model["estimated_cost"] == {"amount": Decimal("1.55"), "currency": "USD"}
    assert wrong.status_code == 400


def test_names_come_in_the_shape_of_the_version(client: httpx.Client, ledger: Ledger) -> None:
    """Archived workspaces on request; a key's workspace moved into a scope."""
    ledger.add_name("project", "wrkspc_1", "One")
    ledger.add_name("project", "wrkspc_2", "Two")
    ledger.remove_name("project", "wrkspc_1", at=NOW - HOUR)
    ledger.add_name("api_key", "apikey_1", "first", project_id="wrkspc_1")
    ledger.add_name("api_key", "apikey_2", "second")
    workspaces, keys = "/v1/organizations/workspaces", "/v1/organizations/api_keys"
    newer = {"anthropic-version": "2026-10-21"}
    with_default = client.get(workspaces, params={"include_default": "true"}, headers=newer)
    first = get(client, keys, {"limit": "1"})
    second = get(client, keys, {"limit": "1", "after_id": first["last_id"]})

    assert [item["id"] for item in get(client, workspaces, {})["data"]] == ["wrkspc_2"]
    assert len(get(client, workspaces, {"include_archived": "true"})["data"]) == 2
    assert [item["name"] for item in with_default.json()["data"]] == ["Default", "Two"]
    assert (first["data"][0]["workspace_id"], first["has_more"]) == ("wrkspc_1", True)
    assert (second["data"][0]["workspace_id"], second["has_more"]) == (None, False)
    scopes = [item["scope"]["workspace_id"] for item in _newer(client, keys)]
    assert scopes == ["wrkspc_1", "wrkspc_default"]


def _newer(client: httpx.Client, path: str) -> list[dict[str, Any]]:
    answer = client.get(path, headers={"anthropic-version": "2026-10-21"})
    found: list[dict[str, Any]] = answer.json()["data"]
    return found
