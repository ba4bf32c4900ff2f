"""Anthropic's names of workspaces, API keys and users, and of what it gives no id."""

from exporter.errors import RefusedRequestError
from exporter.http_client import HttpClient
from exporter.records import DimensionName
from exporter.sources.polling.listing import Named, dimension_names, listed

DEFAULT_WORKSPACE = "default"
NO_KEY = "none"


def read_names(http: HttpClient, source: str) -> list[DimensionName]:
    """Read the names; of keys and workspaces also of those that are archived."""
    found = [("project_id", one) for one in _workspaces(http)]
    found += [("api_key_id", one) for one in _listed(http, "api_keys")]
    found += [("user_id", one) for one in _listed(http, "users")]
    found += [
        ("project_id", Named(DEFAULT_WORKSPACE, "Default workspace")),
        ("api_key_id", Named(NO_KEY, "No API key (Console, sign-in)")),
    ]
    return dimension_names(source, found)


def _workspaces(http: HttpClient) -> list[Named]:
    archived = ("include_archived", "true")
    try:
        # The newer reports have an id for the default workspace; the older ones have none.
        return _listed(http, "workspaces", archived, ("include_default", "true"))
    except RefusedRequestError as error:
        if error.status != 400:
            raise
        return _listed(http, "workspaces", archived)


def _listed(http: HttpClient, what: str, *parameters: tuple[str, str]) -> list[Named]:
    return listed(http, f"v1/organizations/{what}", *parameters, limit=1000, after="after_id")
