"""Which of the words that a call carries say what, and for whom, it was made."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from exporter.setting_types import Strict

_SEPARATORS = (":", "=")


@dataclass(frozen=True, slots=True, kw_only=True)
class CallPurpose:
    """What a call was made for, as far as it says so."""

    workflow: str | None = None
    customer: str | None = None
    project: str | None = None
    team: str | None = None


class CallDimensions(Strict):
    """Which keys of a call's metadata, properties or `key:value` tags name what it was for.

    The first one found wins; upper and lower case are the same.
    """

    workflow: tuple[str, ...] = ("workflow",)
    customer: tuple[str, ...] = ("customer",)
    project: tuple[str, ...] = ("project",)
    team: tuple[str, ...] = ("team",)

    @property
    def keys(self) -> list[str]:
        """All of them, in lower case."""
        named = (*self.workflow, *self.customer, *self.project, *self.team)
        return sorted({key.lower() for key in named})

    def purpose(self, *said: object) -> CallPurpose:
        """Return what mappings and lists of tags say, the first of them first."""
        words: dict[str, str] = {}
        for found in said:
            words = {**_words(found), **words}
        return CallPurpose(
            workflow=_first(words, self.workflow),
            customer=_first(words, self.customer),
            project=_first(words, self.project),
            team=_first(words, self.team),
        )


def _first(words: Mapping[str, str], keys: Sequence[str]) -> str | None:
    return next((words[key.lower()] for key in keys if key.lower() in words), None)


def _words(said: object) -> dict[str, str]:
    pairs: list[tuple[str, object]] = []
    match said:
        case Mapping():
            pairs = list(said.items())
        case list() | tuple():
            pairs = [pair for tag in said if isinstance(tag, str) and (pair := _pair(tag))]
        case _:
            pass
    return {
        str(key).strip().lower(): word
        for key, value in reversed(pairs)  # of a tag given twice the first counts
        if isinstance(value, str | int) and (word := str(value).strip())
    }


def _pair(tag: str) -> tuple[str, object] | None:
    place = min((at for mark in _SEPARATORS if (at := tag.find(mark)) > 0), default=0)
    return (tag[:place], tag[place + 1 :]) if place else None
