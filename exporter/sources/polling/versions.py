"""Rows that a log tells more than once, until its store has merged them: the newest counts."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import TypeVar

Row = TypeVar("Row")
_OLDEST = datetime.min.replace(tzinfo=UTC)


def newest(
    pages: Iterable[Sequence[Row]],
    key: Callable[[Row], str],
    changed_at: Callable[[Row], datetime | None],
) -> Iterator[list[Row]]:
    """Yield the pages, without rows older than one of the same key that was told before."""
    told: dict[str, datetime] = {}
    for page in pages:
        kept: dict[str, Row] = {}
        for row in page:
            at = changed_at(row) or _OLDEST
            if at >= told.get(key(row), _OLDEST):
                told[key(row)] = at
                kept[key(row)] = row
        yield list(kept.values())
