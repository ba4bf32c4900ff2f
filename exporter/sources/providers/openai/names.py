"""OpenAI's names of projects, users and keys; deleted ones are no longer told."""

import msgspec

from exporter.http_client import HttpClient
from exporter.records import DimensionName
from exporter.sources.polling.paging import pages, required


class _Named(msgspec.Struct):
    id: str
    name: str | None = None
    email: str | None = None


class _List(msgspec.Struct):
    data: list[_Named]
    has_more: bool = False
    last_id: str | None = None


def read_names(http: HttpClient, source: str) -> list[DimensionName]:
    """Read the names of projects, archived ones too, of users, and of keys."""
    projects = _listed(http, "organization/projects", ("include_archived", "true"))
    found = [("project_id", one) for one in projects]
    found += [("user_id", one) for one in _listed(http, "organization/users")]
    for project in projects:
        path = f"organization/projects/{project.id}/api_keys"
        keys = _listed(http, path, ("owner_project_access", "any"))
        found += [("api_key_id", key) for key in keys]
    return [
        DimensionName(source=source, dimension=dimension, id=one.id, name=name)
        for dimension, one in found
        if (name := one.name or one.email)
    ]


def _listed(http: HttpClient, path: str, *parameters: tuple[str, str]) -> list[_Named]:
    def ask(after: str | None) -> _List:
        paging = [("limit", "100"), *([("after", after)] if after else [])]
        return http.get(path, [*paging, *parameters], into=_List)

    found = pages(ask, lambda page: required(page.last_id, has_more=page.has_more))
    return [one for page in found for one in page.data]
