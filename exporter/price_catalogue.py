"""The door to genai-prices: list prices by date, offline; what it does not know has no price."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache

from genai_prices import Usage, calc_price
from genai_prices.types import ModelPrice

LONG_CONTEXT = "200k-1M"
"""Anthropic's name for calls above the long-context threshold, which cost more a token."""
# Prices above a threshold of input tokens are meant for one call. A sum of many calls is priced
# as if it were one of this size: below every threshold, or above.
_SHORT_EXPONENT, _LONG_EXPONENT = 2, 6
# A unit that none of these prices covers would silently cost nothing.
_PRICED_BY = {
    "cache_read_tokens": ("input_mtok",),
    "cache_write_tokens": ("input_mtok",),
    "input_tokens": ("input_mtok",),
    "output_tokens": ("output_mtok",),
    "cache_write_1h_tokens": ("input_mtok",),
    # Sound costs many times what text does; images cost what text does unless it is said.
    "input_audio_tokens": ("input_audio_mtok",),
    "output_audio_tokens": ("output_audio_mtok",),
    "cache_audio_read_tokens": ("cache_audio_read_mtok", "input_audio_mtok"),
    "input_image_tokens": ("input_image_mtok", "input_mtok"),
    "output_image_tokens": ("output_image_mtok", "output_mtok"),
    "cache_image_read_tokens": ("cache_image_read_mtok", "cache_read_mtok", "input_mtok"),
    "input_characters": ("input_mchars",),
    "audio_seconds": ("audio_hours", "input_audio_hours"),
    "input_audio_seconds": ("input_audio_hours", "audio_hours"),
    "web_searches": ("web_searches_kcount",),
    "storage_searches": ("storage_searches_kcount",),
    "code_executions": ("code_executions_kcount",),
}
_CONTEXTS = {
    "batch": {"processing": "batch"},
    "flex": {"service_tier": "flex"},
    "priority": {"service_tier": "priority"},
    "fast": {"speed": "fast"},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Metered:
    """What one call, or many calls together, used of a model."""

    provider: str
    model: str
    at: datetime
    input_tokens: int = 0  # total: cached and cache-written included
    cached_input_tokens: int = 0
    cache_write_tokens: int = 0
    output_tokens: int = 0
    quantities: Mapping[str, int] = field(default_factory=dict)
    rate: str | None = None  # batch, flex, priority, fast; anything else is the standard rate
    is_sum: bool = False
    is_long_context: bool = False

    @property
    def amounts(self) -> dict[str, int]:
        """Everything that is not zero, by genai-prices' names."""
        named = {
            "input_tokens": self.input_tokens,
            "cache_read_tokens": self.cached_input_tokens,
            "cache_write_tokens": self.cache_write_tokens,
            "output_tokens": self.output_tokens,
            # The catalogue wants the whole beside each of its parts.
            "audio_seconds": self.quantities.get("input_audio_seconds", 0),
            **self.quantities,
        }
        return {name: amount for name, amount in named.items() if amount}


def list_price(metered: Metered) -> Decimal | None:
    """Return the US dollars that it costs at list price, or None where that is not known."""
    amounts = metered.amounts
    if not amounts.keys() <= _PRICED_BY.keys() or not _listed(metered.provider, metered.model)[0]:
        return None
    shift = _shift(metered) if metered.is_sum else 0
    try:
        found = calc_price(
            Usage(**{name: Decimal(amount).scaleb(shift) for name, amount in amounts.items()}),
            model_ref=metered.model,
            provider_id=metered.provider,
            genai_request_timestamp=metered.at,
            price_context=_CONTEXTS.get(metered.rate or ""),
        )
    except (LookupError, ValueError):  # ValueError: more cached tokens than input, for example
        return None
    if not all(_is_priced(name, found.model_price) for name in amounts):
        return None
    return found.total_price.scaleb(-shift)


def _shift(metered: Metered) -> int:
    """By how many decimal places to move the amounts, so that the right tier is met exactly."""
    exponent = Decimal(max(metered.input_tokens, 1)).adjusted()
    return (_LONG_EXPONENT if metered.is_long_context else _SHORT_EXPONENT) - exponent


def _is_priced(name: str, price: ModelPrice) -> bool:
    return any(getattr(price, key) is not None for key in _PRICED_BY[name])


def context_window_tokens(provider: str, model: str) -> int | None:
    """Return the most tokens that the model takes in; None where that is not known."""
    return _listed(provider, model)[1]


@lru_cache(maxsize=4096)
def _listed(provider: str, model: str) -> tuple[bool, int | None]:
    """Whether a model is listed, and its context window; an unknown one takes long to find."""
    try:
        found = calc_price(
            Usage(input_tokens=1, output_tokens=1),
            model_ref=model,
            provider_id=provider,
            genai_request_timestamp=datetime.now(UTC),
        )
    except LookupError:
        return False, None
    return True, found.model.context_window
