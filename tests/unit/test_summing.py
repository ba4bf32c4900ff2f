"""Rows of one combination of dimensions become one, and nothing else does."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.records import CostBucket, UsageBucket
from exporter.sources.polling.summing import Bucket, summed

HOUR = datetime(2026, 11, 18, 9, tzinfo=UTC)
USAGE = UsageBucket(
    source="acme", provider="acme", report="usage", bucket_start=HOUR, bucket_seconds=3600
)
COST = CostBucket(
    source="acme",
    provider="acme",
    report="usage",
    bucket_start=HOUR,
    bucket_seconds=3600,
    amount=Decimal(1),
)


def only(*buckets: Bucket) -> Bucket:
    (found,) = summed(buckets)
    return found


def test_counts_are_added() -> None:
    one = replace(
        USAGE,
        requests=1,
        input_tokens=10,
        cached_input_tokens=4,
        cache_write_tokens=2,
        output_tokens=100,
        quantities={"images": 1, "web_searches": 5},
    )
    other = replace(
        USAGE,
        requests=2,
        input_tokens=20,
        cached_input_tokens=5,
        cache_write_tokens=3,
        output_tokens=200,
        quantities={"images": 2, "sessions": 7},
    )

    assert only(one, other) == replace(
        USAGE,
        requests=3,
        input_tokens=30,
        cached_input_tokens=9,
        cache_write_tokens=5,
        output_tokens=300,
        quantities={"images": 3, "web_searches": 5, "sessions": 7},
    )


def test_what_neither_row_tells_stays_unknown() -> None:
    assert only(USAGE, replace(USAGE, requests=1)) == replace(USAGE, requests=1)
    assert only(USAGE, USAGE) == USAGE


def test_amounts_are_added_to_the_last_digit() -> None:
    lines = [replace(COST, amount=Decimal("0.1"), list_amount=Decimal("0.2"))] * 3

    found = only(*lines)

    assert isinstance(found, CostBucket)
    assert (Decimal("0.3"), Decimal("0.6")) == (found.amount, found.list_amount)


def test_a_list_price_that_is_known_of_a_part_is_unknown_of_the_whole() -> None:
    found = only(COST, replace(COST, list_amount=Decimal(5)))

    assert isinstance(found, CostBucket)
    assert (Decimal(2), None) == (found.amount, found.list_amount)


def test_quantities_of_one_unit_are_added() -> None:
    tokens = replace(COST, quantity=Decimal(7), quantity_unit="tokens")

    assert only(tokens, tokens) == replace(
        tokens, amount=Decimal(2), quantity=Decimal(14), quantity_unit="tokens"
    )


@pytest.mark.parametrize("others", [("images",), ("images", None), (None, "images"), (None,)])
def test_quantities_of_two_units_have_no_sum(others: tuple[str | None, ...]) -> None:
    units = ("tokens", *others)
    rows = [replace(COST, quantity=Decimal(7), quantity_unit=unit) for unit in units]

    found = only(*rows)

    assert isinstance(found, CostBucket)
    assert (Decimal(len(rows)), None, None) == (found.amount, found.quantity, found.quantity_unit)


@pytest.mark.parametrize(
    "other",
    [
        replace(USAGE, bucket_start=HOUR + timedelta(hours=1)),
        replace(USAGE, bucket_seconds=86400),
        replace(USAGE, model="gpt-a"),
        replace(USAGE, model=""),
        replace(USAGE, project_id="gpt-a"),
        replace(USAGE, api_key_id="gpt-a"),
        replace(USAGE, user_id="gpt-a"),
        replace(USAGE, service_tier="batch"),
        replace(USAGE, dimensions={"size": "512x512"}),
        COST,
    ],
)
def test_rows_of_other_dimensions_stay_apart(other: Bucket) -> None:
    assert [USAGE, other] == summed([USAGE, other])


@pytest.mark.parametrize("other", [replace(COST, line_item="input"), replace(COST, currency="EUR")])
def test_lines_and_currencies_stay_apart(other: CostBucket) -> None:
    assert [COST, other] == summed([COST, other])


def test_the_order_of_dimensions_is_no_difference() -> None:
    one = replace(USAGE, requests=1, dimensions={"size": "s", "source": "t"})
    other = replace(USAGE, requests=1, dimensions={"source": "t", "size": "s"})

    assert 2 == only(one, other).requests  # type: ignore[union-attr]


ROWS = st.lists(
    st.one_of(
        st.builds(
            lambda model, requests, images: replace(
                USAGE, model=model, requests=requests, quantities={"images": images}
            ),
            st.sampled_from(["a", "b", None]),
            st.integers(0, 9),
            st.integers(0, 9),
        ),
        st.builds(
            lambda model, item, cents: replace(
                COST, model=model, line_item=item, amount=Decimal(cents).scaleb(-2)
            ),
            st.sampled_from(["a", "b", None]),
            st.sampled_from(["x", None]),
            st.integers(-999, 999),
        ),
    ),
    max_size=30,
)


def totals(buckets: list[Bucket]) -> Counter[tuple[object, ...]]:
    found: Counter[tuple[object, ...]] = Counter()
    for bucket in buckets:
        if isinstance(bucket, UsageBucket):
            found["requests", bucket.model] += bucket.requests or 0
            found["images", bucket.model] += bucket.quantities["images"]
        else:
            found["cents", bucket.model, bucket.line_item] += int(bucket.amount * 100)
    return found


@given(ROWS, st.randoms())
def test_nothing_is_lost_and_the_order_does_not_matter(rows: list[Bucket], chance: Random) -> None:
    shuffled = list(rows)
    chance.shuffle(shuffled)

    found = summed(rows)

    assert totals(rows) == totals(found)
    keys = [(type(bucket), bucket.bucket_start, bucket.dimensions_hash) for bucket in found]
    assert len(keys) == len(set(keys))
    assert found == summed(found)
    assert sorted(map(repr, map(_plain, found))) == sorted(map(repr, map(_plain, summed(shuffled))))


def _plain(bucket: Bucket) -> tuple[object, ...]:
    if isinstance(bucket, UsageBucket):
        return bucket.dimensions_hash, bucket.requests, bucket.quantities["images"]
    return bucket.dimensions_hash, bucket.amount
