"""Two rows that a provider gives for one combination of dimensions are one, with their sum."""

from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal

from exporter.records import CostBucket, UsageBucket

Bucket = UsageBucket | CostBucket


def summed(buckets: Iterable[Bucket]) -> list[Bucket]:
    """Return the buckets with one for each key."""
    found: dict[tuple[object, ...], Bucket] = {}
    for bucket in buckets:
        key = (type(bucket), bucket.bucket_start, bucket.dimensions_hash)
        earlier = found.get(key)
        found[key] = bucket if earlier is None else _sum(earlier, bucket)
    return list(found.values())


def _sum(one: Bucket, other: Bucket) -> Bucket:
    if isinstance(one, UsageBucket) and isinstance(other, UsageBucket):
        names = {**one.quantities, **other.quantities}
        return replace(
            one,
            requests=_added(one.requests, other.requests),
            input_tokens=_added(one.input_tokens, other.input_tokens),
            cached_input_tokens=_added(one.cached_input_tokens, other.cached_input_tokens),
            cache_write_tokens=_added(one.cache_write_tokens, other.cache_write_tokens),
            output_tokens=_added(one.output_tokens, other.output_tokens),
            quantities={
                name: one.quantities.get(name, 0) + other.quantities.get(name, 0) for name in names
            },
        )
    assert isinstance(one, CostBucket) and isinstance(other, CostBucket)  # noqa: S101, PT018  # one key
    has_one_unit = one.quantity_unit == other.quantity_unit
    return replace(
        one,
        amount=one.amount + other.amount,
        list_amount=_amounts(one.list_amount, other.list_amount),
        quantity=_amounts(one.quantity, other.quantity) if has_one_unit else None,
        quantity_unit=one.quantity_unit if has_one_unit else None,
    )


def _added(one: int | None, other: int | None) -> int | None:
    return other if one is None else one if other is None else one + other


def _amounts(one: Decimal | None, other: Decimal | None) -> Decimal | None:
    """Return the sum where both are known: a part of it would look like a discount."""
    return None if one is None or other is None else one + other
