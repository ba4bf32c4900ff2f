"""Bytes of JSON → what programs tell, or a refusal that names every wrong place."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal, InvalidOperation
from itertools import islice
from typing import Generic, NoReturn, TypeVar

from pydantic import ValidationError

from exporter.errors import BadRequestError
from exporter.nesting import containers_in, is_nested_too_deep
from exporter.pushed.notes import notes_of, typos_in
from exporter.pushed.said import SaidExecution, SaidOutcome

T = TypeVar("T", SaidExecution, SaidOutcome)

_MOST_TOLD = 10_000
_MOST_CONTAINERS = 100_000
_MOST_WRONG = 20
_MOST_MISTAKES = 5  # of one line
_MOST_NOTES = 20
_IN_WORDS = {
    "missing": "is missing",
    "model_type": "must be an object",
    "model_attributes_type": "must be an object",
    "string_unicode": "a key holds half of a surrogate pair",
    "string_type": "must be text",
}


class NotReadableError(ValueError):
    """A document that cannot be read; its message says where and why."""


@dataclass(frozen=True, slots=True)
class Told(Generic[T]):
    """A request that was understood."""

    said: Sequence[T]
    notes: Sequence[str] = ()  # what its sender should know: a key that is not known …

    @property
    def count(self) -> int:
        """How many executions or outcomes it tells."""
        return len(self.said)


def read_executions(body: bytes, *, is_lines: bool, now: datetime) -> Told[SaidExecution]:
    """Read one execution, a list of them, or one a line.

    Raises:
        BadRequestError: something in it is wrong; every wrong place is named, up to 20.
    """
    return _read(body, is_lines, lambda document: execution_of(document, now))


def read_outcomes(body: bytes, *, is_lines: bool, now: datetime) -> Told[SaidOutcome]:
    """Read one outcome, a list of them, or one a line.

    Raises:
        BadRequestError: something in it is wrong; every wrong place is named, up to 20.
    """
    return _read(body, is_lines, lambda document: outcome_of(document, now))


def execution_of(document: object, now: datetime) -> SaidExecution:
    """Return the execution that decoded JSON tells.

    Raises:
        NotReadableError: it is none.
    """
    return _validated(SaidExecution, document, now)


def outcome_of(document: object, now: datetime) -> SaidOutcome:
    """Return the outcome that decoded JSON tells.

    Raises:
        NotReadableError: it is none.
    """
    return _validated(SaidOutcome, document, now)


def decoded(text: str) -> object:
    """Decode JSON; numbers with a point are decimals, their digits as they were written.

    Raises:
        NotReadableError: it is no JSON, or nested too deep.
    """
    if is_nested_too_deep(text):
        raise NotReadableError("is JSON nested too deep")
    try:
        return json.loads(text, parse_float=_decimal, parse_constant=_constant)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, " if error.lineno > 1 else ""
        raise NotReadableError(
            f"is no JSON: {error.msg[:1].lower()}{error.msg[1:]} at {where}column {error.colno}"
        ) from None
    except ValueError as error:
        raise NotReadableError(f"is no JSON: {error}") from None


def _decimal(written: str) -> Decimal:
    try:
        return Decimal(written)
    except InvalidOperation:
        raise ValueError("a number is too large") from None


def _constant(written: str) -> NoReturn:
    raise ValueError(f"{written} is no number in JSON; write null")


def _validated(model: type[T], document: object, now: datetime) -> T:
    try:
        return model.model_validate(document, context={"now": now})
    except ValidationError as error:
        mistakes = list(_mistakes(error))
    mistakes += islice(typos_in(document, model), _MOST_MISTAKES)
    raise NotReadableError("; ".join(mistakes))


def _mistakes(error: ValidationError) -> Iterator[str]:
    details = error.errors(include_url=False, include_input=False)
    for detail in details[:_MOST_MISTAKES]:
        words = _IN_WORDS.get(detail["type"], detail["msg"].removeprefix("Value error, "))
        place = ""
        for part in detail["loc"]:
            place += f"[{part}]" if isinstance(part, int) else f".{part}"
        yield f"{place.lstrip('.')}: {words}" if place else words
    if len(details) > _MOST_MISTAKES:
        yield f"and {len(details) - _MOST_MISTAKES} more"


def _read(body: bytes, is_lines: bool, make: Callable[[object], T]) -> Told[T]:
    reading = _Reading(make)
    for place, document in _documents(_text(body), is_lines):
        reading.add(place, document)
    return reading.told()


def _text(body: bytes) -> str:
    try:
        text = str(body, "utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadRequestError(f"the body is not UTF-8 at byte {error.start}") from None
    # Each takes twenty times its size in memory.
    if text.count("{") + text.count("[") > _MOST_CONTAINERS < containers_in(text):
        raise BadRequestError(
            f"the body holds more than {_MOST_CONTAINERS:,} objects and lists; send less at a time",
            status=413,
        )
    return text


def _documents(text: str, is_lines: bool) -> Iterator[tuple[str, object]]:
    """Yield each document and where it stands, undecoded where it stands in a line of its own."""
    if not is_lines:
        try:
            found = decoded(text)
        except NotReadableError as error:
            if "extra data" not in str(error):
                raise BadRequestError(f"the body {error}") from None
            # Several documents: lines, of which the sender did not say that they are.
        else:
            if isinstance(found, list):
                yield from ((f"[{place}]", document) for place, document in enumerate(found))
            else:
                yield "", found
            return
    # Not splitlines(): a line of JSON may hold other characters that end lines.
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            yield f"line {number}", _Undecoded(line)


@dataclass(frozen=True, slots=True)
class _Undecoded:
    line: str


@dataclass
class _Reading(Generic[T]):
    """What of a body was understood so far."""

    make: Callable[[object], T]
    said: list[T] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    notes: dict[str, list[str]] = field(default_factory=dict)  # → where

    def add(self, place: str, document: object) -> None:
        if len(self.said) + len(self.wrong) >= _MOST_TOLD:
            raise BadRequestError(
                f"the body tells more than {_MOST_TOLD:,} at once; send less at a time", status=413
            )
        try:
            if isinstance(document, _Undecoded):
                document = decoded(document.line)
            said = self.make(document)
        except NotReadableError as error:
            self.wrong.append(f"{place}: {error}" if place else str(error))
            return
        self.said.append(said)
        for note in notes_of(said):
            self.notes.setdefault(note, []).append(place)

    def told(self) -> Told[T]:
        if self.wrong:
            raise BadRequestError("\n".join(_first(self.wrong, _MOST_WRONG, "are wrong")))
        if not self.said:
            raise BadRequestError("the body is empty; send one JSON object, a list, or lines")
        noted = [_noted(note, places) for note, places in self.notes.items()]
        return Told(self.said, list(_first(noted, _MOST_NOTES, "notes")))


def _first(messages: Sequence[str], most: int, words: str) -> Iterator[str]:
    yield from messages[:most]
    if len(messages) > most:
        yield f"and {len(messages) - most} more {words}"


def _noted(note: str, places: Sequence[str]) -> str:
    if not places[0]:
        return note
    others = f" and {len(places) - 1} more" if len(places) > 1 else ""
    return f"{places[0]}{others}: {note}"
