"""OpenRouter's lists of workspaces and keys, some at a time."""

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Generic, TypeVar

import msgspec

from exporter.errors import RefusedRequestError
from exporter.http_client import HttpClient
from exporter.sources.polling.paging import pages

Item = TypeVar("Item")


class Limit(msgspec.Struct, kw_only=True):
    """What a key may still spend, in US dollars; null is without limit."""

    limit: Decimal | None = None
    limit_remaining: Decimal | None = None


class Key(Limit, kw_only=True):
    """A key; its hash is its id."""

    hash: str
    name: str | None = None
    disabled: bool = False


class Workspace(msgspec.Struct):
    """A workspace."""

    id: str
    name: str


class _Page(msgspec.Struct, Generic[Item]):
    data: list[Item]


def read_workspaces(http: HttpClient) -> list[Workspace]:
    """Read the workspaces."""
    return _listed(http, "workspaces", (), _Page[Workspace], lambda one: one.id)


def read_keys(http: HttpClient, workspaces: Sequence[Workspace]) -> list[Key]:
    """Read the keys of all workspaces; unless one is named, the default one's are told."""
    shown = (("include_disabled", "true"), ("include_expired", "true"))
    found: dict[str, Key] = {}
    for where in [(), *((("workspace_id", one.id),) for one in workspaces)]:
        keys = _listed(http, "keys", (*shown, *where), _Page[Key], lambda key: key.hash)
        found |= {key.hash: key for key in keys}
    return list(found.values())


def _listed(
    http: HttpClient,
    path: str,
    parameters: Sequence[tuple[str, str]],
    into: type[_Page[Item]],
    identity: Callable[[Item], str],
) -> list[Item]:
    """Read on until a page has nothing new: how much a page holds is not told.

    An account that may not see the list has an empty one.
    """
    found: dict[str, Item] = {}

    def ask(offset: str | None) -> bool:
        skip = [("offset", offset)] if offset else []
        items = http.get(path, [*parameters, *skip], into=into).data
        known = len(found)
        found.update({identity(item): item for item in items})
        return len(found) > known

    try:
        for _ in pages(ask, lambda is_new: str(len(found)) if is_new else None):
            pass
    except RefusedRequestError as error:
        if error.status not in (403, 404):
            raise
    return list(found.values())
