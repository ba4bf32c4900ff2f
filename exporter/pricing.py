"""Tokens → money: the provider's list price on the day of the call, or the operator's own.

The catalogue is genai-prices' (offline, with price history). What it does not know has no price:
the cost stays unknown and is counted as such, it is never 0.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache

from genai_prices import Usage, calc_price

from exporter.records import CostSource, LlmCall
from exporter.settings import PriceOverride

_MILLION = Decimal(1_000_000)


class Pricing:
    """Prices calls whose cost nobody reported."""

    def __init__(self, overrides: Sequence[PriceOverride] = ()) -> None:
        # The newest price that is valid wins, and one for the provider wins over one for any.
        self._overrides = sorted(
            overrides,
            key=lambda price: (price.provider is not None, str(price.valid_from or "")),
            reverse=True,
        )

    def priced(self, call: LlmCall) -> LlmCall:
        """Return the call with its cost, or as it is where a cost is known or cannot be."""
        if call.cost_usd is not None or call.input_tokens is None or call.output_tokens is None:
            return call
        override = self._override(call)
        cost_usd = _own_cost(call, override) if override else _list_cost(call)
        if cost_usd is None:
            return call
        return replace(call, cost_usd=cost_usd, cost_source=CostSource.PRICED)

    def _override(self, call: LlmCall) -> PriceOverride | None:
        day = call.started_at.astimezone(UTC).date()
        return next(
            (
                price
                for price in self._overrides
                if price.model == call.model
                and price.provider in (None, call.provider)
                and (price.valid_from is None or price.valid_from <= day)
            ),
            None,
        )


def _own_cost(call: LlmCall, price: PriceOverride) -> Decimal:
    cached = call.cached_input_tokens or 0
    written = call.cache_write_tokens or 0
    fresh = max((call.input_tokens or 0) - cached - written, 0)
    cached_price = price.input if price.cached_input is None else price.cached_input
    write_price = price.input if price.cache_write is None else price.cache_write
    return (
        fresh * price.input
        + cached * cached_price
        + written * write_price
        + (call.output_tokens or 0) * price.output
    ) / _MILLION


def _list_cost(call: LlmCall) -> Decimal | None:
    usage = Usage(
        input_tokens=call.input_tokens,
        cache_read_tokens=call.cached_input_tokens,
        cache_write_tokens=call.cache_write_tokens,
        output_tokens=call.output_tokens,
    )
    if not _is_listed(call.provider, call.model):
        return None
    try:
        found = calc_price(
            usage,
            model_ref=call.model,
            provider_id=call.provider,
            genai_request_timestamp=call.started_at,
        )
    except (LookupError, ValueError):  # ValueError: more cached tokens than input, for example
        return None
    return found.total_price


@lru_cache(maxsize=4096)
def _is_listed(provider: str, model: str) -> bool:
    """Ask once per model: an unknown one is searched for in the whole catalogue."""
    try:
        calc_price(
            Usage(input_tokens=1, output_tokens=1),
            model_ref=model,
            provider_id=provider,
            genai_request_timestamp=datetime.now(UTC),
        )
    except LookupError:
        return False
    return True
