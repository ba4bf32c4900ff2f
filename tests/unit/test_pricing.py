"""Tokens → money: list price of the day, the operator's own price, or unknown; never 0."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from genai_prices import data_snapshot
from hypothesis import given
from hypothesis import strategies as st

from exporter.pricing import Pricing
from exporter.records import CostSource, ExecutionStatus, LlmCall, Operation
from exporter.settings import PriceOverride
from exporter.sources.workflows.n8n import nodes

NOW = datetime(2026, 1, 3, 12, tzinfo=UTC)


def call(
    model: str = "gpt-4o-mini",
    *,
    provider: str = "openai",
    tokens: tuple[int | None, int | None] = (1_000_000, 1_000_000),
    cached: int | None = None,
    written: int | None = None,
    at: datetime = NOW,
) -> LlmCall:
    return LlmCall(
        source="n8n",
        execution_id="1",
        created_at=at,
        call_id="m#0",
        provider=provider,
        model=model,
        operation=Operation.CHAT,
        status=ExecutionStatus.SUCCESS,
        workflow_id="w",
        workflow="invoices",
        started_at=at,
        input_tokens=tokens[0],
        output_tokens=tokens[1],
        cached_input_tokens=cached,
        cache_write_tokens=written,
    )


def own(model: str = "house-model", **fields: object) -> PriceOverride:
    return PriceOverride.model_validate({"model": model, "input": "1", "output": "10"} | fields)


def cost(priced: LlmCall) -> Decimal | None:
    return priced.cost_usd


# --- list prices ---------------------------------------------------------------------------


def test_a_known_model_costs_its_list_price() -> None:
    """gpt-4o-mini: 0.15 USD per million in, 0.60 out (OpenAI's price page, July 2024)."""
    priced = Pricing().priced(call(tokens=(2_000_000, 500_000)))

    assert 2 * Decimal("0.15") + Decimal("0.60") / 2 == priced.cost_usd
    assert CostSource.PRICED is priced.cost_source


def test_cached_tokens_cost_their_own_price() -> None:
    """gpt-4o-mini: cached input 0.075 USD per million."""
    priced = Pricing().priced(call(tokens=(1_000_000, 0), cached=400_000))

    assert Decimal("0.6") * Decimal("0.15") + Decimal("0.4") * Decimal("0.075") == priced.cost_usd


def test_a_price_is_exact_to_the_last_token() -> None:
    priced = Pricing().priced(call(tokens=(1, 1)))

    assert Decimal("0.00000015") + Decimal("0.0000006") == priced.cost_usd


@pytest.mark.parametrize(
    "dated", [call("gpt-4o-mini-2024-07-18"), call("gpt-4o-mini", provider="azure")]
)
def test_a_dated_name_and_another_seller_are_priced(dated: LlmCall) -> None:
    assert (cost(Pricing().priced(dated)) or 0) > 0


def test_a_model_whose_price_changed_costs_what_it_cost_on_the_day() -> None:
    """o3: 10 and 40 USD per million until 10 June 2025, then 2 and 8 (OpenAI)."""
    before = Pricing().priced(call("o3", at=datetime(2025, 5, 1, tzinfo=UTC)))
    after = Pricing().priced(call("o3", at=datetime(2025, 7, 1, tzinfo=UTC)))

    assert (Decimal(50), Decimal(10)) == (before.cost_usd, after.cost_usd)


# --- what has no price ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "provider"),
    [
        ("house-model", "openai"),
        ("unknown", "unknown"),
        ("", ""),
        ("llama3", "ollama"),
        ("gpt-4o-mini", "nobody"),
    ],
)
def test_an_unknown_model_or_provider_has_no_price(model: str, provider: str) -> None:
    priced = Pricing().priced(call(model, provider=provider))

    assert (None, None) == (priced.cost_usd, priced.cost_source)


@pytest.mark.parametrize("tokens", [(None, 10), (10, None), (None, None)])
def test_unknown_tokens_have_no_price(tokens: tuple[int | None, int | None]) -> None:
    assert cost(Pricing().priced(call(tokens=tokens))) is None


def test_a_cost_that_was_reported_stays() -> None:
    reported = replace(call(), cost_usd=Decimal("7"), cost_source=CostSource.REPORTED)

    priced = Pricing([own("gpt-4o-mini")]).priced(reported)

    assert (priced.cost_usd, priced.cost_source) == (Decimal("7"), CostSource.REPORTED)


def test_the_context_window_of_a_known_model_is_told() -> None:
    assert Pricing().priced(call()).context_window_tokens == 128_000
    assert Pricing().priced(replace(call(), model="ours")).context_window_tokens is None


def test_a_call_that_used_no_tokens_costs_nothing() -> None:
    assert 0 == cost(Pricing().priced(call(tokens=(0, 0))))


@given(
    tokens=st.tuples(st.integers(0, 10**12), st.integers(0, 10**12)),
    cached=st.none() | st.integers(0, 10**12),
    written=st.none() | st.integers(0, 10**12),
    model=st.sampled_from(["gpt-4o-mini", "claude-sonnet-4-5", "gemini-2.5-pro", "house-model"]),
    provider=st.sampled_from(["openai", "anthropic", "google", "openrouter"]),
)
def test_any_count_of_tokens_is_priced_or_unknown(
    tokens: tuple[int, int], cached: int | None, written: int | None, model: str, provider: str
) -> None:
    asked = call(model, provider=provider, tokens=tokens, cached=cached, written=written)

    found = cost(Pricing([own()]).priced(asked))

    assert found is None or found >= 0


# --- own prices ----------------------------------------------------------------------------


def test_an_own_price_wins_over_the_list() -> None:
    assert Decimal(11) == cost(Pricing([own("gpt-4o-mini")]).priced(call()))


def test_an_own_price_prices_what_no_list_knows() -> None:
    priced = Pricing([own()]).priced(call("house-model", tokens=(500_000, 100_000)))

    assert Decimal("1.5") == priced.cost_usd
    assert CostSource.PRICED is priced.cost_source


def test_an_own_price_is_for_the_exact_name() -> None:
    assert cost(Pricing([own()]).priced(call("house-model-2"))) is None


def test_a_price_for_the_provider_wins_over_one_for_any() -> None:
    prices = Pricing([own(input="1", output="1"), own(provider="azure", input="2", output="2")])

    assert Decimal(4) == cost(prices.priced(call("house-model", provider="azure")))
    assert Decimal(2) == cost(prices.priced(call("house-model", provider="openai")))


def test_a_price_for_another_provider_does_not_count() -> None:
    assert cost(Pricing([own(provider="azure")]).priced(call("house-model"))) is None


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        (datetime(2025, 12, 31, 23, 59, tzinfo=UTC), 2),
        (datetime(2026, 1, 1, tzinfo=UTC), 4),
        (datetime(2026, 2, 1, tzinfo=UTC), 6),
    ],
    ids=["before", "first day", "after the next"],
)
def test_a_price_counts_from_its_first_utc_day(at: datetime, expected: int) -> None:
    prices = [
        own(input="2", output="2", valid_from=date(2026, 1, 1)),
        own(input="1", output="1"),
        own(input="3", output="3", valid_from=date(2026, 2, 1)),
    ]

    assert expected == cost(Pricing(prices).priced(call("house-model", at=at)))


def test_the_day_of_a_price_is_the_utc_day() -> None:
    in_new_york = datetime(2025, 12, 31, 20, tzinfo=timezone(timedelta(hours=-5)))

    priced = Pricing([own(valid_from=date(2026, 1, 1))]).priced(call("house-model", at=in_new_york))

    assert cost(priced) is not None


def test_own_cached_and_written_tokens_have_their_own_prices() -> None:
    price = own(cached_input="0.1", cache_write="1.25")

    priced = Pricing([price]).priced(
        call("house-model", tokens=(1_000_000, 0), cached=600_000, written=100_000)
    )

    assert Decimal("0.3") + Decimal("0.06") + Decimal("0.125") == priced.cost_usd


def test_without_an_own_cache_price_cached_tokens_cost_what_input_costs() -> None:
    priced = Pricing([own()]).priced(call("house-model", tokens=(1_000_000, 0), cached=600_000))

    assert Decimal(1) == priced.cost_usd


def test_a_cache_price_of_zero_is_a_price() -> None:
    priced = Pricing([own(cached_input="0")]).priced(
        call("house-model", tokens=(1_000_000, 0), cached=600_000)
    )

    assert Decimal("0.4") == priced.cost_usd


# --- the names of engines and of the catalogue ---------------------------------------------


@pytest.mark.parametrize(
    ("node_type", "model"),
    [
        ("@n8n/n8n-nodes-langchain.lmChatOpenAi", "gpt-4o-mini"),
        ("@n8n/n8n-nodes-langchain.lmChatAnthropic", "claude-sonnet-4-5"),
        ("@n8n/n8n-nodes-langchain.lmChatGoogleGemini", "gemini-2.5-flash"),
        ("@n8n/n8n-nodes-langchain.lmChatGoogleVertex", "gemini-2.5-flash"),
        ("@n8n/n8n-nodes-langchain.lmChatAzureOpenAi", "gpt-4o-mini"),
        ("@n8n/n8n-nodes-langchain.lmChatMistralCloud", "mistral-large-latest"),
        ("@n8n/n8n-nodes-langchain.lmChatGroq", "llama-3.3-70b-versatile"),
        ("@n8n/n8n-nodes-langchain.lmChatDeepSeek", "deepseek-chat"),
        ("@n8n/n8n-nodes-langchain.lmChatXAiGrok", "grok-3"),
        ("@n8n/n8n-nodes-langchain.lmChatCohere", "command-r"),
        ("@n8n/n8n-nodes-langchain.lmChatOpenRouter", "openai/gpt-4o-mini"),
        ("@n8n/n8n-nodes-langchain.lmChatAwsBedrock", "anthropic.claude-3-haiku-20240307-v1:0"),
        ("@n8n/n8n-nodes-langchain.lmChatMoonshot", "kimi-k2-0905-preview"),
    ],
)
def test_the_model_of_an_n8n_node_is_priced(node_type: str, model: str) -> None:
    priced = Pricing().priced(call(model, provider=nodes.provider(node_type)))

    assert (cost(priced) or 0) > 0, nodes.provider(node_type)


def test_the_catalogue_is_there_offline() -> None:
    assert data_snapshot.get_snapshot().providers
