"""Run data → JSON for people: written piece by piece, and no further than there is room."""

import json
from collections.abc import Iterator
from functools import lru_cache

from exporter.records import Json
from exporter.sources.workflows.n8n.flatted import FlattedDocument

SECRET_NAMES = frozenset(
    {"authorization", "proxy-authorization", "cookie", "set-cookie", "password", "secret"}
    | {"api_key", "api-key", "apikey", "x-api-key", "client_secret"}
    | {"access_token", "refresh_token", "id_token"}
)
"""Headers and fields, in lower case, whose values are never written: webhooks receive them."""
HIDDEN = "[hidden]"


@lru_cache(maxsize=4096)
def _named(key: str) -> tuple[str, bool]:
    """Return how a value's name is written, and whether its value is not."""
    return json.dumps(key, ensure_ascii=False) + ":", key.lower() in SECRET_NAMES


class JsonWriter:
    """Writes parts of a document until there are enough characters.

    A document may be large, and may hold itself: without a limit there would be no end.
    """

    def __init__(self, document: FlattedDocument, most: int) -> None:
        self._document = document
        self._left = most
        self._pieces: list[str] = []

    @property
    def is_cut(self) -> bool:
        """Whether there was more to write than there was room for."""
        return self._left < 0

    def text(self) -> str:
        """Return what was written."""
        written = "".join(self._pieces)
        return written[: self._left] if self.is_cut else written

    def put(self, text: str) -> None:
        """Write a text as it stands."""
        self._pieces.append(text)
        self._left -= len(text)

    def value(self, value: Json) -> None:
        """Write a value of the document, as `FlattedDocument.get` returns it."""
        unfinished = [self._begun(value)]  # no recursion: data may be nested as deep as it likes
        while unfinished and not self.is_cut:
            inner = next(unfinished[-1], None)
            if inner is None:
                unfinished.pop()
            else:
                unfinished.append(self._begun(inner))

    def _begun(self, value: Json) -> Iterator[dict[str, Json] | list[Json]]:
        """Write a value; what is yielded is to be written before it goes on."""
        match value:
            case dict():
                for place, key in enumerate(value):
                    named, is_secret = _named(key)
                    self.put("," + named if place else "{" + named)
                    if is_secret:
                        self.put(f'"{HIDDEN}"')
                    else:
                        yield from self._member(value, key)
                self.put("}" if value else "{}")
            case list():
                for place in range(len(value)):
                    self.put("," if place else "[")
                    yield from self._member(value, place)
                self.put("]" if value else "[]")
            case _:
                self.put(json.dumps(value, ensure_ascii=False))

    def _member(
        self, container: dict[str, Json] | list[Json], place: str | int
    ) -> Iterator[dict[str, Json] | list[Json]]:
        member = container[place]  # type: ignore[index]  # each by its own kind
        if isinstance(member, str):
            text = self._document.json_of_text(member, max(self._left, 1))
            if text is not None:
                self.put(text)
                return
            member = self._document.get(container, place)
        if isinstance(member, dict | list):
            yield member
        else:
            self.put(json.dumps(member, ensure_ascii=False))
