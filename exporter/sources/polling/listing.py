"""Lists of named things whose next page begins after the last id of this one."""

from collections.abc import Iterable

import msgspec

from exporter.http_client import HttpClient
from exporter.records import DimensionName
from exporter.sources.polling.paging import pages, required


class Named(msgspec.Struct):
    """A project, key or user; who has no name may have an address."""

    id: str
    name: str | None = None
    email: str | None = None


class _List(msgspec.Struct):
    data: list[Named]
    has_more: bool = False
    last_id: str | None = None


def listed(
    http: HttpClient, path: str, *parameters: tuple[str, str], limit: int, after: str
) -> list[Named]:
    """Return the whole list; `after` is the parameter that takes the last id.

    Raises as HttpClient and `pages` do.
    """

    def ask(last_id: str | None) -> _List:
        paging = [("limit", str(limit)), *([(after, last_id)] if last_id else [])]
        return http.get(path, [*paging, *parameters], into=_List)

    found = pages(ask, lambda page: required(page.last_id, has_more=page.has_more))
    return [one for page in found for one in page.data]


def dimension_names(source: str, found: Iterable[tuple[str, Named]]) -> list[DimensionName]:
    """Return what of (dimension, named thing) has a name that people know."""
    return [
        DimensionName(source=source, dimension=dimension, id=one.id, name=name)
        for dimension, one in found
        if (name := one.name or one.email)
    ]
