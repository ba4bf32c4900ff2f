"""Usage of many calls together → money at list price; what has no price stays unknown."""

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.pricing import Pricing
from exporter.records import CostBucket, UsageBucket
from exporter.settings import PriceOverride

AT = datetime(2026, 11, 18, 9, tzinfo=UTC)
BUCKET = UsageBucket(
    source="openai",
    provider="openai",
    report="completions",
    bucket_start=AT,
    bucket_seconds=3600,
    model="gpt-5-mini-2025-08-07",
    input_tokens=0,
    output_tokens=0,
)
SONNET = replace(BUCKET, provider="anthropic", model="claude-sonnet-4-5-20250929")
BILL = CostBucket(
    source="openai",
    provider="openai",
    report="costs",
    bucket_start=AT,
    bucket_seconds=86400,
    amount=Decimal("10"),
)


def cost(bucket: UsageBucket, pricing: Pricing | None = None) -> Decimal | None:
    return (pricing or Pricing()).priced_usage(bucket).cost_usd


def test_a_sum_of_calls_costs_what_its_tokens_cost() -> None:
    """gpt-5-mini: 0.25 USD per million in, 0.025 cached, 2 out (OpenAI's price page, Aug 2025)."""
    bucket = replace(
        BUCKET, input_tokens=3_000_000, cached_input_tokens=1_000_000, output_tokens=500_000
    )

    assert Decimal("1.525") == cost(bucket)


def test_many_short_calls_are_not_priced_as_one_long_one() -> None:
    """Sonnet 4.5: 3 USD per million below 200,000 tokens a call, 6 above (Anthropic, Sep 2025)."""
    assert Decimal("30") == cost(replace(SONNET, input_tokens=10_000_000))


def test_calls_that_the_provider_groups_as_long_are_priced_as_such() -> None:
    long = replace(
        SONNET,
        input_tokens=1_000_000,
        output_tokens=10_000,
        dimensions={"context_window": "200k-1M"},
    )

    assert Decimal("6.225") == cost(long)


def test_a_batch_costs_half() -> None:
    full = cost(replace(BUCKET, model="gpt-5", input_tokens=1_000_000))
    batch = cost(replace(BUCKET, model="gpt-5", input_tokens=1_000_000, service_tier="batch"))

    assert full is not None
    assert full / 2 == batch


def test_a_cache_write_for_an_hour_costs_more_than_one_for_minutes() -> None:
    """Sonnet 4.5: 3.75 USD per million for 5 minutes, 6 for an hour."""
    short = replace(SONNET, input_tokens=1_000_000, cache_write_tokens=1_000_000)

    assert Decimal("3.75") == cost(short)
    assert Decimal("6") == cost(replace(short, quantities={"cache_write_1h_tokens": 1_000_000}))


def test_what_caching_saved_is_the_difference_to_no_cache() -> None:
    bucket = replace(BUCKET, input_tokens=2_000_000, cached_input_tokens=1_000_000)

    priced = Pricing().priced_usage(bucket)

    assert Decimal("0.275") == priced.cost_usd
    assert Decimal("0.5") == priced.cost_without_cache_usd


def test_the_price_is_of_the_buckets_day() -> None:
    """o3 fell from 10 to 2 USD per million on 10 June 2025."""
    before = replace(BUCKET, model="o3", input_tokens=1_000_000)
    before = replace(before, bucket_start=datetime(2025, 5, 1, tzinfo=UTC))

    assert Decimal("10") == cost(before)
    assert Decimal("2") == cost(replace(before, bucket_start=AT))


@pytest.mark.parametrize(
    ("model", "quantities", "expected"),
    [
        ("tts-1", {"input_characters": 1_000_000}, Decimal("15")),
        ("whisper-1", {"input_audio_seconds": 3600}, Decimal("0.36")),
        ("gpt-image-1", {"images": 3}, None),
        ("gpt-5-mini", {"web_searches": 1000}, Decimal("10")),
    ],
)
def test_other_units_have_their_own_price_or_none(
    model: str, quantities: dict[str, int], expected: Decimal | None
) -> None:
    assert expected == cost(replace(BUCKET, model=model, quantities=quantities))


def test_tokens_of_a_model_that_is_not_priced_by_tokens_are_not_free() -> None:
    assert cost(replace(BUCKET, model="tts-1", input_tokens=1000)) is None


def test_an_unknown_model_has_no_price() -> None:
    priced = Pricing().priced_usage(replace(BUCKET, model="research-preview", input_tokens=5))

    assert (None, None) == (priced.cost_usd, priced.cost_without_cache_usd)


def test_usage_without_a_model_has_no_price() -> None:
    assert cost(replace(BUCKET, model=None, input_tokens=5)) is None


def test_no_use_costs_nothing() -> None:
    assert 0 == cost(BUCKET)


def test_an_own_price_wins_and_knows_tokens_only() -> None:
    own = PriceOverride.model_validate(
        {"model": "gpt-image-1", "input": "1", "output": "2", "valid_from": date(2026, 1, 1)}
    )
    tokens = replace(BUCKET, model="gpt-image-1", input_tokens=1_000_000)

    assert Decimal("1") == cost(tokens, Pricing([own]))
    assert cost(replace(tokens, quantities={"images": 1}), Pricing([own])) is None


@given(
    tokens=st.tuples(*[st.integers(0, 10**13)] * 3), parts=st.integers(1, 50), long=st.booleans()
)
def test_a_sum_costs_what_its_parts_cost_together(
    tokens: tuple[int, int, int], parts: int, long: bool
) -> None:
    """However large the sum: no tier is met by adding up."""
    fresh, cached, output = tokens
    window = {"context_window": "200k-1M" if long else "0-200k"}
    part = replace(
        SONNET,
        input_tokens=fresh + cached,
        cached_input_tokens=cached,
        output_tokens=output,
        dimensions=window,
    )
    whole = replace(
        part,
        input_tokens=(fresh + cached) * parts,
        cached_input_tokens=cached * parts,
        output_tokens=output * parts,
    )

    one, all_ = cost(part), cost(whole)

    assert one is not None
    if fresh + cached or not long:  # output alone has no context to be long
        assert one * parts == all_


def test_an_amount_in_dollars_is_what_it_is() -> None:
    assert Decimal("10") == Pricing().converted(BILL).cost_usd


def test_an_amount_in_another_currency_is_unknown_without_a_rate() -> None:
    euros = replace(BILL, currency="EUR")

    assert Pricing().converted(euros).cost_usd is None
    assert Decimal("10.8") == Pricing([], {"EUR": Decimal("1.08")}).converted(euros).cost_usd
