"""Compares calls that were concluded from spans with the provider's own log of them."""

from collections import Counter
from collections.abc import Iterable
from decimal import Decimal

from exporter.demo.providers.inference import LIST_PRICES, ServedCall
from exporter.pricing import Pricing
from exporter.records import CostSource, ExecutionStatus, LlmCall
from tests.receivers.traces.dialects import Dialect

_COUNTS = (
    "input_tokens",
    "cached_input_tokens",
    "cache_write_tokens",
    "output_tokens",
    "reasoning_tokens",
)
_NOTHING = (None,) * len(_COUNTS)


def served_calls(served: Iterable[ServedCall], dialect: Dialect) -> Counter[tuple[object, ...]]:
    """Return what the provider logged, as far as the dialect can tell of it."""
    return Counter(
        (
            call.model,
            call.operation,
            call.error is None,
            *(
                (getattr(call, name) if name not in dialect.never_tells else 0 for name in _COUNTS)
                if _is_told(call, dialect)
                else _NOTHING
            ),
        )
        for call in served
        if call.operation not in dialect.makes_no_span_of
    )


def concluded_calls(calls: Iterable[LlmCall]) -> Counter[tuple[object, ...]]:
    """Return what was concluded; a count that an instrumentation made up itself is no knowledge."""
    return Counter(
        (
            call.model,
            call.operation,
            call.status is ExecutionStatus.SUCCESS,
            *(
                _NOTHING
                if call.tokens_estimated or (call.input_tokens, call.output_tokens) == (None, None)
                else (getattr(call, name) or 0 for name in _COUNTS)
            ),
        )
        for call in calls
    )


def served_cost_usd(served: Iterable[ServedCall], dialect: Dialect) -> Decimal:
    """Return what the calls that the dialect tells all of cost at the provider."""
    return sum(
        (call.cost_usd or Decimal(0) for call in served if _is_told(call, dialect)), Decimal(0)
    )


def concluded_cost_usd(calls: Iterable[LlmCall], source: CostSource) -> Decimal:
    """Return what the calls cost by their span, or by the price list."""
    pricing = Pricing()
    return sum(
        (
            priced.cost_usd or Decimal(0)
            for call in calls
            if call.model in LIST_PRICES and not call.tokens_estimated
            for priced in [pricing.priced(call)]
            if priced.cost_source is source
        ),
        Decimal(0),
    )


def _is_told(call: ServedCall, dialect: Dialect) -> bool:
    return (
        call.error is None
        and call.is_usage_told
        and call.operation not in dialect.tells_no_tokens_of
    )
