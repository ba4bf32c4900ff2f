"""Reads n8n's flatted run data by path, building only what is asked for.

Flatted text is a JSON array with the root at 0. Inside its objects and arrays every string is the
index of another element, every other value is itself; an element that is a string is that string.
Source: the `flatted` package that n8n uses, checked on rows of n8n 2.41.
"""

import json
from collections.abc import Iterator

import msgspec

from exporter.records import Json

_LONGEST_INDEX = 10
_ARRAY = msgspec.json.Decoder(list[msgspec.Raw])


class UnreadableRunDataError(Exception):
    """The text is not flatted JSON."""


def decode_json(text: bytes) -> Json:
    """Decode JSON, also with texts that JavaScript cut within a character.

    Raises:
        UnreadableRunDataError: it is not JSON, or nested deeper than any data is.
    """
    try:
        decoded: Json = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        try:
            decoded = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise UnreadableRunDataError(str(error)) from None
    return decoded


class FlattedDocument:
    """Lazy access; containers are returned shallow, their strings still being indexes."""

    def __init__(self, text: str) -> None:
        self.characters = len(text)
        try:
            self._elements = _ARRAY.decode(text)
            self._decoded: dict[int, Json] = {}
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            # A text that JavaScript cut within a character needs the slower decoder, at once.
            elements = decode_json(text.encode(errors="surrogatepass"))
            if not isinstance(elements, list):
                raise UnreadableRunDataError("it is no array") from None
            self._elements = [msgspec.Raw()] * len(elements)
            self._decoded = dict(enumerate(elements))

    @property
    def root(self) -> dict[str, Json]:
        """The root object; empty for a row that holds nothing."""
        root = self._element(0) if self._elements else {}
        return root if isinstance(root, dict) else {}

    def _element(self, index: int) -> Json:
        if index not in self._decoded:
            self._decoded[index] = decode_json(bytes(self._elements[index]))
        return self._decoded[index]

    def _place(self, index: str) -> int:
        if not (index.isascii() and index.isdecimal() and len(index) < _LONGEST_INDEX):
            raise UnreadableRunDataError(f"{index[:20]!r} is no index")
        place = int(index)
        if place >= len(self._elements):
            raise UnreadableRunDataError(f"there is no element {index}")
        return place

    def _resolve(self, value: Json) -> Json:
        return self._element(self._place(value)) if isinstance(value, str) else value

    def get(self, container: Json, *path: str | int) -> Json:
        """Follow keys and positions from a shallow container; None where the path ends early."""
        for step in path:
            match container, step:
                case dict(), str() if step in container:
                    container = self._resolve(container[step])
                case list(), int() if -len(container) <= step < len(container):
                    container = self._resolve(container[step])
                case _:
                    return None
        return container

    def mapping(self, container: Json, *path: str | int) -> dict[str, Json]:
        """Like `get`, for an object; empty where there is none."""
        found = self.get(container, *path)
        return found if isinstance(found, dict) else {}

    def items(self, container: Json, *path: str | int) -> Iterator[Json]:
        """Like `get`, for an array: its resolved items; none where there is no array."""
        found = self.get(container, *path)
        if isinstance(found, list):
            yield from map(self._resolve, found)

    def text(self, container: Json, *path: str | int) -> str | None:
        """Like `get`, for a text."""
        found = self.get(container, *path)
        return found if isinstance(found, str) else None

    def number(self, container: Json, *path: str | int) -> float | None:
        """Like `get`, for a finite number that is not negative."""
        found = self.get(container, *path)
        is_number = isinstance(found, int | float) and not isinstance(found, bool)
        return found if is_number and 0 <= found < float("inf") else None  # type: ignore[operator,return-value]  # narrowed by is_number

    def json_of_text(self, index: str, most: int) -> str | None:
        """Return the JSON of the text at an index, of a long one the beginning; None: no text."""
        place = self._place(index)
        if place in self._decoded:
            element = self._decoded[place]
            return json.dumps(element[:most]) if isinstance(element, str) else None
        # It is JSON already, and need not be taken apart.
        raw = memoryview(self._elements[place])
        return str(raw[: 4 * most], "utf-8", "ignore") if bytes(raw[:1]) == b'"' else None
