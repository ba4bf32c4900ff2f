"""What a bill itemizes: the parts of a call's cost, which add up to it exactly."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal
from enum import StrEnum

from exporter.demo.providers.ledger import Usage

SMALLEST = Decimal("1e-10")


class Part(StrEnum):
    """What is paid for."""

    INPUT = "input"
    CACHED_INPUT = "cached input"
    CACHE_WRITE_5M = "cache write 5m"
    CACHE_WRITE_1H = "cache write 1h"
    OUTPUT = "output"
    OTHER = "other"  # images, characters, sessions …


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """One part of what a call costs."""

    usage: Usage
    part: Part
    quantity: int
    cost_usd: Decimal


# How the parts of a list price usually relate; only the sum has to be right.
_WEIGHTS = {
    Part.INPUT: Decimal("1"),
    Part.CACHED_INPUT: Decimal("0.1"),
    Part.CACHE_WRITE_5M: Decimal("1.25"),
    Part.CACHE_WRITE_1H: Decimal("2"),
    Part.OUTPUT: Decimal("5"),
    Part.OTHER: Decimal("1"),
}


def charges(usage: Usage) -> Iterator[Charge]:
    """Yield the parts of a call's cost; what is free is not on the bill."""
    if not usage.cost_usd:
        return
    parts = _quantities(usage)
    weight = sum((_WEIGHTS[part] * quantity for part, quantity in parts), Decimal(0))
    left = usage.cost_usd
    for part, quantity in parts[:-1]:
        share = usage.cost_usd * _WEIGHTS[part] * quantity / weight
        cost = share.quantize(SMALLEST, ROUND_DOWN)
        left -= cost
        if cost:
            yield Charge(usage=usage, part=part, quantity=quantity, cost_usd=cost)
    part, quantity = parts[-1]
    yield Charge(usage=usage, part=part, quantity=quantity, cost_usd=left)


def _quantities(usage: Usage) -> list[tuple[Part, int]]:
    tokens = (
        (Part.INPUT, usage.uncached_input_tokens),
        (Part.CACHED_INPUT, usage.cached_input_tokens),
        (Part.CACHE_WRITE_5M, usage.cache_write_5m_tokens),
        (Part.CACHE_WRITE_1H, usage.cache_write_1h_tokens),
        (Part.OUTPUT, usage.output_tokens),
    )
    paid = [(part, count) for part, count in tokens if count]
    return paid or [(Part.OTHER, sum(usage.quantities.values()) or usage.requests)]
