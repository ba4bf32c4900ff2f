"""Single values as programs write them → ours: whole counts, exact money, UTC times, texts."""

import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BeforeValidator, ValidationInfo, WithJsonSchema

from exporter.records import Json

_MOST = 10**15  # beyond is damage; sums of such counts still fit 64 bits
_MOST_DIGITS, _MOST_PLACES = 100, 50
_LONGEST_DURATION = timedelta(days=3660)
_LONGEST_ID_BYTES = 255
_LONGEST_TEXT, _MOST_ITEMS = 4096, 256
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_OLDEST = datetime(2015, 1, 1, tzinfo=UTC)
_FUTURE = timedelta(days=1)
_NUMBER = re.compile(r"[+-]?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,4})?", re.ASCII)
_NOT_STORABLE = re.compile("[\0\ud800-\udfff]")
# Seconds, milliseconds, microseconds or nanoseconds: all between 2015 and 5138 differ in size.
_UNITS = (Decimal(1), Decimal(1000), Decimal(10**6), Decimal(10**9))
_LARGEST_SECONDS = Decimal(10**11)
_NO_TIME = (
    "is no time; write ISO 8601 with its zone, such as 2026-01-31T12:00:00Z, or Unix time in "
    "seconds or milliseconds"
)


def _number(value: object, problem: str) -> Decimal:
    """Return a number, also one in quotes; its digits are those that were written."""
    if isinstance(value, str) and len(value) <= _MOST_DIGITS and _NUMBER.fullmatch(value.strip()):
        return Decimal(value.strip())
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise ValueError(problem)
    return Decimal(value)


def _amount(value: object, problem: str) -> Decimal:
    number = _number(value, problem)
    places = number.as_tuple().exponent
    if not isinstance(places, int):
        raise ValueError(problem)  # not finite
    if number.adjusted() >= Decimal(_MOST).adjusted():
        raise ValueError(f"must be less than {_MOST:,}")
    if places < -_MOST_PLACES or len(number.as_tuple().digits) > _MOST_DIGITS:
        raise ValueError(f"must have at most {_MOST_PLACES} digits after the point")
    return number


def _count(value: object) -> int:
    problem = "must be a whole number ≥ 0"
    number = _amount(value, problem)
    if number < 0 or number != number.to_integral_value():
        raise ValueError(problem)
    return int(number)


def _attempt(value: object) -> int:
    count = _count(value)
    if count < 1:
        raise ValueError("must be a whole number ≥ 1")
    return count


def _money(value: object) -> Decimal:
    problem = "must be US dollars ≥ 0, such as 0.023"
    amount = _amount(value, problem)
    if amount < 0:
        raise ValueError(problem)
    return amount


def _result(value: object) -> Decimal:
    if isinstance(value, bool):
        return Decimal(value)
    return _amount(value, "must be a number, or true or false")


def _duration(value: object, unit: timedelta, words: str) -> timedelta:
    problem = f"must be {words} ≥ 0"
    amount = _amount(value, problem)
    if amount < 0:
        raise ValueError(problem)
    microseconds = amount * (unit // timedelta(microseconds=1))
    if microseconds > _LONGEST_DURATION // timedelta(microseconds=1):
        raise ValueError(f"is more than ten years; must be {words}")
    return timedelta(microseconds=round(microseconds))


def _time(value: object, info: ValidationInfo) -> datetime:
    try:
        at = _time_of(value)
    except OverflowError:
        raise ValueError(_NO_TIME) from None
    now: datetime = (info.context or {})["now"]
    if at > now + _FUTURE:
        raise ValueError(
            f"is {at:%Y-%m-%d %H:%M} UTC, more than a day from now; is its unit right?"
        )
    if at < _OLDEST:
        raise ValueError(f"is {at:%Y-%m-%d %H:%M} UTC, before 2015; is its unit right?")
    return at


def _time_of(value: object) -> datetime:
    if not isinstance(value, str) or _NUMBER.fullmatch(value.strip()):
        number = _number(value, _NO_TIME)
        for unit in _UNITS:
            if abs(number) < _LARGEST_SECONDS * unit:
                return _EPOCH + timedelta(microseconds=round(number * 10**6 / unit))
        raise ValueError(_NO_TIME)
    try:
        at = datetime.fromisoformat(value.strip())
    except ValueError:
        raise ValueError(_NO_TIME) from None
    if at.tzinfo is None:
        raise ValueError("has no zone; end it with Z (UTC) or an offset such as +02:00")
    return at.astimezone(UTC)


def _text(value: object) -> str:
    """Return a name; programs write many of them as numbers."""
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise ValueError("must be text")
    return str(value)


def _name(value: object) -> str:
    text = _text(value)
    if not text.strip():
        raise ValueError("must not be empty")
    return text


def _id(value: object) -> str:
    text = _name(value)
    if _NOT_STORABLE.search(text):
        raise ValueError("must not hold NUL or half of a surrogate pair")
    if len(text.encode()) > _LONGEST_ID_BYTES:
        raise ValueError(f"must be at most {_LONGEST_ID_BYTES} bytes long")
    return text


def _url(value: object) -> str:
    text = _text(value)
    if not re.fullmatch(r"https?://[^\s\0]+", text):
        raise ValueError("must be an address that begins with https:// or http://")
    return text


def _tags(value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        value = [value]
    return tuple(_text(tag) for tag in value)


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError("must be true or false")
    return value


def _content(value: object) -> str | None:
    """Return what people and models wrote: a text as it is, anything else as JSON."""
    return value if isinstance(value, str) else json.dumps(json_of(value), ensure_ascii=False)


def json_of(value: Any) -> Json:
    """Return decoded JSON with floats in the place of decimals, where that loses nothing."""
    match value:
        case Decimal():
            nearest = float(value)
            return nearest if Decimal(repr(nearest)) == value else str(value)
        case dict():
            return {str(key): json_of(child) for key, child in value.items()}
        case list():
            return [json_of(child) for child in value]
        case _:
            return value  # type: ignore[no-any-return]


def shortened(value: Json) -> Json:
    """Cut what is no content to what is worth keeping beside a run."""
    match value:
        case str():
            return value[:_LONGEST_TEXT]
        case list():
            return [shortened(child) for child in value[:_MOST_ITEMS]]
        case dict():
            kept = list(value.items())[:_MOST_ITEMS]
            return {key[:_LONGEST_TEXT]: shortened(child) for key, child in kept}
        case _:
            return value


def both_ends(text: str) -> str:
    """Cut a stack in its middle: its ends tell where it began and where it broke."""
    if len(text) <= _LONGEST_TEXT:
        return text
    half = _LONGEST_TEXT // 2 - 2
    return f"{text[:half]}\n…\n{text[-half:]}"


def kept(attributes: Mapping[str, Any]) -> dict[str, Json]:
    """Return attributes as they are kept."""
    found = shortened(json_of(dict(attributes)))
    return found if isinstance(found, dict) else {}


def _attributes(value: object) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ValueError("must be an object")
    return value


def _told(check: Callable[..., object]) -> BeforeValidator:
    """Check a value that may be left out: null and empty text say nothing."""
    return BeforeValidator(lambda value: None if value is None or value == "" else check(value))


def _schema(*types: str) -> WithJsonSchema:
    return WithJsonSchema({"type": list(types) if len(types) > 1 else types[0]})


Id = Annotated[str, BeforeValidator(_id), _schema("string", "integer")]
Name = Annotated[str, BeforeValidator(_name), _schema("string", "integer")]
OptionalId = Annotated[str | None, _told(_id), _schema("string", "integer")]
Text = Annotated[str | None, _told(_text), _schema("string", "number")]
Content = Annotated[str | None, _told(_content), WithJsonSchema({})]
Url = Annotated[str | None, _told(_url), _schema("string")]
Tags = Annotated[
    tuple[str, ...],
    BeforeValidator(lambda value: () if value is None else _tags(value)),
    WithJsonSchema({"type": "array", "items": {"type": "string"}}),
]
Flag = Annotated[bool, BeforeValidator(lambda value: value is not None and _flag(value))]
Count = Annotated[int | None, _told(_count), WithJsonSchema({"type": "integer", "minimum": 0})]
Attempt = Annotated[int | None, _told(_attempt), WithJsonSchema({"type": "integer", "minimum": 1})]
Money = Annotated[
    Decimal | None, _told(_money), WithJsonSchema({"type": ["number", "string"], "minimum": 0})
]
Result = Annotated[Decimal, BeforeValidator(_result), _schema("number", "boolean")]
Seconds = Annotated[
    timedelta | None,
    _told(lambda value: _duration(value, timedelta(seconds=1), "a number of seconds")),
    WithJsonSchema({"type": "number", "minimum": 0}),
]
Milliseconds = Annotated[
    timedelta | None,
    _told(lambda value: _duration(value, timedelta(milliseconds=1), "a number of milliseconds")),
    WithJsonSchema({"type": "number", "minimum": 0}),
]
Time = Annotated[
    datetime | None,
    BeforeValidator(
        lambda value, info: None if value is None or value == "" else _time(value, info)
    ),
    WithJsonSchema(
        {"anyOf": [{"type": "string", "format": "date-time"}, {"type": "number", "minimum": 0}]}
    ),
]
Attributes = Annotated[
    Mapping[str, Any],
    BeforeValidator(lambda value: {} if value is None else _attributes(value)),
    WithJsonSchema({"type": "object"}),
]
