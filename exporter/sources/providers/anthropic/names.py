"""Anthropic's names of workspaces, API keys and users, and of what it gives no id."""

import msgspec

from exporter.errors import RefusedRequestError
from exporter.http_client import HttpClient
from exporter.records import DimensionName
from exporter.sources.polling.paging import pages, required

DEFAULT_WORKSPACE = "default"
NO_KEY = "none"


class _Named(msgspec.Struct):
    id: str
    name: str | None = None
    email: str | None = None


class _List(msgspec.Struct):
    data: list[_Named]
    has_more: bool = False
    last_id: str | None = None


def read_names(http: HttpClient, source: str) -> list[DimensionName]:
    """Read the names; of keys and workspaces also of those that are archived."""
    found = [("project_id", one) for one in _workspaces(http)]
    found += [("api_key_id", one) for one in _listed(http, "api_keys")]
    found += [("user_id", one) for one in _listed(http, "users")]
    found += [
        ("project_id", _Named(DEFAULT_WORKSPACE, "Default workspace")),
        ("api_key_id", _Named(NO_KEY, "No API key (Console, sign-in)")),
    ]
    return [
        DimensionName(source=source, dimension=dimension, id=one.id, name=name)
        for dimension, one in found
        if (name := one.name or one.email)
    ]


def _workspaces(http: HttpClient) -> list[_Named]:
    archived = ("include_archived", "true")
    try:
        # The newer reports have an id for the default workspace; the older ones have none.
        return _listed(http, "workspaces", archived, ("include_default", "true"))
    except RefusedRequestError as error:
        if error.status != 400:
            raise
        return _listed(http, "workspaces", archived)


def _listed(http: HttpClient, what: str, *parameters: tuple[str, str]) -> list[_Named]:
    def ask(after: str | None) -> _List:
        paging = [("limit", "1000"), *([("after_id", after)] if after else [])]
        return http.get(f"v1/organizations/{what}", [*paging, *parameters], into=_List)

    found = pages(ask, lambda page: required(page.last_id, has_more=page.has_more))
    return [one for page in found for one in page.data]
