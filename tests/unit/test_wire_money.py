"""Money on its way from a provider's answer to a cost bucket: exact, or refused."""

import json
from datetime import UTC, datetime
from decimal import Decimal

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from exporter.errors import SourceError
from exporter.records import CostBucket
from exporter.sources.polling import wire

DAY = datetime(2026, 11, 18, tzinfo=UTC)
# As precise as any wire: at most 17 digits are told, credits are negative.
AMOUNTS = st.builds(
    lambda digits, places: Decimal(digits).scaleb(-places),
    st.integers(-(10**17) + 1, 10**17 - 1),
    st.integers(3, 25),
)
FLOATS = st.floats(
    min_value=-1e12, max_value=1e12, allow_nan=False, allow_infinity=False, allow_subnormal=False
).filter(lambda number: number == 0 or abs(number) > 1e-60)
WRITTEN = {
    "number": lambda amount: f"{amount:f}",
    "number with exponent": lambda amount: f"{amount:e}",
    "text": lambda amount: f'"{amount:f}"',
    "text with exponent": lambda amount: f'"{amount:E}"',
}


class Amount(msgspec.Struct):
    value: Decimal


class Row(msgspec.Struct):
    """As adapters declare what they read."""

    amount: Amount


def stored(written: str, *, in_cents: bool = False) -> Decimal:
    """Take an amount the whole way."""
    row = msgspec.json.decode(f'{{"amount": {{"value": {written}}}}}', type=Row)
    convert = wire.from_cents if in_cents else wire.dollars
    bucket = CostBucket(
        source="acme",
        provider="acme",
        report="costs",
        bucket_start=DAY,
        bucket_seconds=86400,
        amount=convert(row.amount.value),
    )
    return bucket.amount


@pytest.mark.parametrize("form", WRITTEN)
@given(amount=AMOUNTS)
@example(amount=Decimal("-7.99"))
@example(amount=Decimal("0.00"))
@example(amount=Decimal("0.10000000000000001"))
def test_dollars_are_the_same_in_the_bucket_however_they_are_written(
    form: str, amount: Decimal
) -> None:
    found = stored(WRITTEN[form](amount))

    assert isinstance(found, Decimal)
    assert amount == found


@pytest.mark.parametrize("form", WRITTEN)
@given(amount=AMOUNTS)
@example(amount=Decimal("-7.99"))
@example(amount=Decimal("0.001234567890123"))
def test_cents_are_a_hundredth_of_themselves_to_the_last_digit(form: str, amount: Decimal) -> None:
    assert amount == stored(WRITTEN[form](amount.scaleb(2)), in_cents=True)


@given(number=FLOATS)
@example(number=0.1)
@example(number=12.345678901234567)
@example(number=1e-7)
def test_a_float_of_the_providers_stays_the_number_that_it_wrote(number: float) -> None:
    """What the provider computed with is its own affair: what it says is what is billed."""
    written = json.dumps(number)

    assert Decimal(written) == stored(written)
    assert Decimal(written) == stored(written, in_cents=True) * 100


@given(amounts=st.lists(AMOUNTS.map(lambda amount: round(amount, 10)), max_size=20))
def test_a_bill_adds_up_to_what_its_lines_say(amounts: list[Decimal]) -> None:
    found = [stored(f"{amount:f}") for amount in amounts]

    assert sum(amounts, Decimal(0)) == sum(found, Decimal(0))


@pytest.mark.parametrize(
    "written", ['"NaN"', '"sNaN"', '"-nan"', '"Infinity"', '"-Infinity"', '"inf"']
)
@pytest.mark.parametrize("in_cents", [False, True])
def test_what_is_not_finite_is_refused(written: str, in_cents: bool) -> None:
    with pytest.raises(SourceError) as refused:
        stored(written, in_cents=in_cents)

    assert "answer_changed" == refused.value.reason


@pytest.mark.parametrize(
    "written", ["NaN", "Infinity", "-Infinity", '"much"', '""', "null", "true"]
)
def test_what_is_no_number_does_not_even_decode(written: str) -> None:
    with pytest.raises(msgspec.DecodeError):
        stored(written)


@pytest.mark.parametrize("written", ["1e16", "-1e16", '"1e400"', "1e-101", '"0e400"'])
def test_what_cannot_be_money_is_refused(written: str) -> None:
    """A database would refuse it later, with everything else that was read."""
    with pytest.raises(SourceError) as refused:
        stored(written)

    assert "answer_changed" == refused.value.reason
    assert len(str(refused.value)) < 100


def test_the_largest_amount_is_still_exact_in_cents() -> None:
    written = "9" * 16 + "." + "1" * 100

    assert Decimal("9" * 14 + ".99" + "1" * 100) == stored(written, in_cents=True)
