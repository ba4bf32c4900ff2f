"""OpenAI's names of projects, users and keys; deleted ones are no longer told."""

from exporter.http_client import HttpClient
from exporter.records import DimensionName
from exporter.sources.polling.listing import Named, dimension_names, listed


def read_names(http: HttpClient, source: str) -> list[DimensionName]:
    """Read the names of projects, archived ones too, of users, and of keys."""
    projects = _listed(http, "organization/projects", ("include_archived", "true"))
    found = [("project_id", one) for one in projects]
    found += [("user_id", one) for one in _listed(http, "organization/users")]
    for project in projects:
        path = f"organization/projects/{project.id}/api_keys"
        keys = _listed(http, path, ("owner_project_access", "any"))
        found += [("api_key_id", key) for key in keys]
    return dimension_names(source, found)


def _listed(http: HttpClient, path: str, *parameters: tuple[str, str]) -> list[Named]:
    return listed(http, path, *parameters, limit=100, after="after")
