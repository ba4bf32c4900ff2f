"""Values as providers write them → ours: exact money, whole counts, UTC times."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Context, Decimal
from typing import Annotated, Any

import msgspec

from exporter.errors import SourceError

_LARGEST = 2**53
Count = Annotated[int, msgspec.Meta(ge=0, le=_LARGEST)]
"""A number of tokens, requests …: whole, never negative."""
_OLDEST = datetime(2015, 1, 1, tzinfo=UTC)
_HUNDRED = Decimal(100)
_EXACT = Context(prec=200)  # more digits than an amount may have
_MOST_DIGITS, _MOST_PLACES = 15, 100  # beyond, it is no money, and databases refuse it


def _changed(message: str) -> SourceError:
    return SourceError(message, reason="answer_changed")


def dollars(amount: Decimal) -> Decimal:
    """Return an amount that is in the currency's unit, whatever the wire wrote it as.

    Raises:
        SourceError: it is not finite, or not of this world.
    """
    places = amount.as_tuple().exponent
    if not isinstance(places, int) or amount.adjusted() > _MOST_DIGITS or places < -_MOST_PLACES:
        raise _changed(f"an amount of money is {str(amount)[:40]}")
    return amount


def from_cents(amount: Decimal) -> Decimal:
    """Return an amount that is in hundredths of the currency's unit."""
    return _EXACT.divide(dollars(amount), _HUNDRED)


def count(row: Mapping[str, Any], name: str) -> int | None:
    """Return a whole number of a row with many optional fields; None where it is not told."""
    value = row.get(name)
    if value is None:
        return None
    whole = int(value) if isinstance(value, int | float) and value == int(value) else -1
    if isinstance(value, bool) or not 0 <= whole <= _LARGEST:
        raise _changed(f"{name} is {str(value)[:40]!r}, not a count")
    return whole


def counts(row: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, int]:
    """Return the row's counts that are not zero, under our names."""
    found = {ours: count(row, theirs) for theirs, ours in names.items()}
    return {name: value for name, value in found.items() if value}


def text(row: Mapping[str, Any], name: str) -> str | None:
    """Return a text of a row; None where it is not told or empty."""
    value = row.get(name)
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise _changed(f"{name} is {str(value)[:40]!r}, not a text")
    return value


def texts(row: Mapping[str, Any], names: Sequence[str]) -> dict[str, str]:
    """Return the row's texts of these names, as far as told."""
    found = {name: text(row, name) for name in names}
    return {name: value for name, value in found.items() if value is not None}


def from_unix(seconds: int) -> datetime:
    """Return the time of Unix seconds."""
    try:
        return plausible(datetime.fromtimestamp(seconds, UTC))
    except (OverflowError, OSError, ValueError):
        raise _changed(f"{seconds} is no time") from None


def utc_day(text: str) -> datetime:
    """Return the beginning of a day written YYYY-MM-DD, with or without a time after it."""
    try:
        day = date.fromisoformat(text[:10])
    except ValueError:
        raise _changed(f"{text[:40]!r} is no day") from None
    return plausible(datetime(day.year, day.month, day.day, tzinfo=UTC))


def plausible(at: datetime) -> datetime:
    """Return the time in UTC.

    Raises:
        SourceError: it has no zone, or is before 2015: something else stands there.
    """
    if at.tzinfo is None:
        raise _changed(f"the time {at} has no zone")
    at = at.astimezone(UTC)
    if at < _OLDEST:
        raise _changed(f"the time {at} is long ago")
    return at


def start_of_day(at: datetime) -> datetime:
    """Return the time in UTC of what is told by day.

    Raises:
        SourceError: no UTC day begins then.
    """
    at = plausible(at)
    if at != floor(at, timedelta(days=1)):
        raise _changed(f"no day begins at {at}")
    return at


def rfc3339(at: datetime) -> str:
    """Write a time as most providers read it, to the second."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def floor(at: datetime, width: timedelta) -> datetime:
    """Return the start of the bucket that holds the time; buckets are cut from UTC midnight."""
    return at - (at - datetime.min.replace(tzinfo=UTC)) % width
