"""Tokens → money: the provider's list price on the day, or the operator's own.

What has no price stays unknown and is counted as such; it is never 0.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal, localcontext

from exporter.price_catalogue import LONG_CONTEXT, Metered, context_window_tokens, list_price
from exporter.records import CostBucket, CostSource, LlmCall, UsageBucket
from exporter.settings import PriceOverride

_MILLION = Decimal(1_000_000)
_DIGITS = 200  # more than any provider writes: an amount is not rounded on its way


class Pricing:
    """Prices what nobody named a cost of."""

    def __init__(
        self,
        overrides: Sequence[PriceOverride] = (),
        usd_per_unit: Mapping[str, Decimal] | None = None,
    ) -> None:
        # The newest price that is valid wins, and one for the provider wins over one for any.
        self._overrides = sorted(
            overrides,
            key=lambda price: (price.provider is not None, str(price.valid_from or "")),
            reverse=True,
        )
        self._usd_per_unit = {"USD": Decimal(1), **(usd_per_unit or {})}

    def priced(self, call: LlmCall) -> LlmCall:
        """Return the call with its cost and its model's context window, where they can be known."""
        if call.context_window_tokens is None and call.calls:
            window = context_window_tokens(call.provider, call.model)
            call = replace(call, context_window_tokens=window) if window else call
        if call.cost_usd is not None or call.input_tokens is None or call.output_tokens is None:
            return call
        cost_usd = self._cost(
            Metered(
                provider=call.provider,
                model=call.model,
                at=call.started_at,
                input_tokens=call.input_tokens,
                cached_input_tokens=call.cached_input_tokens or 0,
                cache_write_tokens=call.cache_write_tokens or 0,
                output_tokens=call.output_tokens,
            )
        )
        if cost_usd is None:
            return call
        return replace(call, cost_usd=cost_usd, cost_source=CostSource.PRICED)

    def estimated(
        self, provider: str, model: str, input_tokens: int, output_tokens: int, at: datetime
    ) -> Decimal | None:
        """Return what a call of so many tokens would cost; None: its model has no known price."""
        return self._cost(
            Metered(
                provider=provider,
                model=model,
                at=at,
                input_tokens=input_tokens,
                output_tokens=output_tokens,
            )
        )

    def priced_usage(self, bucket: UsageBucket) -> UsageBucket:
        """Return the bucket with its estimate at list price, and what it were without caching."""
        if bucket.model is None:
            return bucket
        metered = Metered(
            provider=bucket.provider,
            model=bucket.model,
            at=bucket.bucket_start,
            input_tokens=bucket.input_tokens or 0,
            cached_input_tokens=bucket.cached_input_tokens or 0,
            cache_write_tokens=bucket.cache_write_tokens or 0,
            output_tokens=bucket.output_tokens or 0,
            quantities=bucket.quantities,
            rate="fast" if bucket.dimensions.get("speed") == "fast" else bucket.service_tier,
            is_sum=True,
            is_long_context=bucket.dimensions.get("context_window") == LONG_CONTEXT,
        )
        uncached = replace(
            metered,
            cached_input_tokens=0,
            cache_write_tokens=0,
            quantities={
                name: amount for name, amount in bucket.quantities.items() if "cache" not in name
            },
        )
        return replace(
            bucket, cost_usd=self._cost(metered), cost_without_cache_usd=self._cost(uncached)
        )

    def converted(self, bucket: CostBucket) -> CostBucket:
        """Return the bucket with its amount in US dollars, where the rate is known."""
        rate = self._usd_per_unit.get(bucket.currency.upper())
        with localcontext(prec=_DIGITS):
            return replace(bucket, cost_usd=None if rate is None else bucket.amount * rate)

    def _cost(self, metered: Metered) -> Decimal | None:
        override = self._override(metered)
        return _own_cost(metered, override) if override else list_price(metered)

    def _override(self, metered: Metered) -> PriceOverride | None:
        day = metered.at.astimezone(UTC).date()
        return next(
            (
                price
                for price in self._overrides
                if price.model == metered.model
                and price.provider in (None, metered.provider)
                and (price.valid_from is None or price.valid_from <= day)
            ),
            None,
        )


def _own_cost(metered: Metered, price: PriceOverride) -> Decimal | None:
    if any(not name.endswith("_tokens") for name in metered.quantities):
        return None  # images, seconds …: our own prices are of tokens
    cached, written = metered.cached_input_tokens, metered.cache_write_tokens
    fresh = max(metered.input_tokens - cached - written, 0)
    cached_price = price.input if price.cached_input is None else price.cached_input
    write_price = price.input if price.cache_write is None else price.cache_write
    return (
        fresh * price.input
        + cached * cached_price
        + written * write_price
        + metered.output_tokens * price.output
    ) / _MILLION
