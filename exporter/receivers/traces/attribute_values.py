"""Attributes as anybody sends them → values of the type that we need; a wrong type is unknown."""

import math
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation

from exporter.records import Json

Attributes = Mapping[str, Json]

_LONGEST_NAME = 300
_MOST = 10**12  # a count beyond is damage, not use
_MOST_USD = Decimal(10**6)  # of one call, likewise
_DIGITS = 19


def text_of(value: Json) -> str | None:
    """Return a name or an id; ids are sent as numbers, too."""
    if isinstance(value, str):
        return value.strip()[:_LONGEST_NAME] or None
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)[:_LONGEST_NAME]
    return None


def text(attributes: Attributes, *keys: str) -> str | None:
    """Return the first of the attributes that is one."""
    for key in keys:
        value = attributes.get(key)
        if value is not None and (found := text_of(value)) is not None:
            return found
    return None


def count(attributes: Attributes, *keys: str) -> int | None:
    """Return the first of the attributes that is a whole number ≥ 0, also in digits."""
    for key in keys:
        value = attributes.get(key)
        if value is not None and (found := _count(value)) is not None:
            return found
    return None


def _count(value: Json) -> int | None:
    match value:
        case bool():
            return None
        case int():
            found = value
        case float() if value.is_integer():
            found = int(value)
        case str() if value.isascii() and value.isdecimal() and len(value) < _DIGITS:
            found = int(value)
        case _:
            return None
    return found if 0 <= found < _MOST else None


def number(attributes: Attributes, *keys: str) -> float | None:
    """Return the first of the attributes that is a finite number ≥ 0, also in digits."""
    for key in keys:
        value = attributes.get(key)
        if isinstance(value, str):
            try:
                value = float(value)
            except ValueError:
                continue
        if not isinstance(value, int | float) or isinstance(value, bool):
            continue
        if 0 <= value < _MOST and math.isfinite(value):
            return float(value)
    return None


def usd(attributes: Attributes, *keys: str) -> Decimal | None:
    """Return the first of the attributes that is an amount > 0, with the digits that were sent.

    0 is what instrumentations send of a model that their price list does not know.
    """
    for key in keys:
        value = attributes.get(key)
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            continue
        try:
            amount = Decimal(str(value)[:_LONGEST_NAME])
        except InvalidOperation:
            continue
        if amount.is_finite() and 0 < amount < _MOST_USD:
            return amount
    return None
