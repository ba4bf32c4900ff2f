"""A LangSmith workspace as a source (an API key that may read its projects and runs)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import ClassVar, Literal

from exporter.http_client import HttpClient
from exporter.records import LlmCall
from exporter.setting_types import HttpUrl, Secret
from exporter.sources.polling.call_log import CALLS, CallLogSource
from exporter.sources.polling.call_words import CallDimensions
from exporter.sources.polling.reports import ProviderSettings
from exporter.sources.polling.spans import HOUR, Span
from exporter.sources.providers.langsmith.calls import call_of
from exporter.sources.providers.langsmith.projects import Projects
from exporter.sources.providers.langsmith.runs import Runs

# Queries by key are few in ten seconds: a span that breaks off for it must be worth little.
RHYTHM = replace(CALLS, reread=timedelta(minutes=30), at_most=2 * HOUR)
_PROJECTS_A_QUERY = 100


class LangSmithSettings(ProviderSettings):
    """A LangSmith workspace."""

    from_environment: ClassVar[Mapping[str, str]] = {"api_key": "LANGSMITH_API_KEY"}
    also_from_environment: ClassVar[Mapping[str, str]] = {"base_url": "LANGSMITH_ENDPOINT"}

    kind: Literal["langsmith"] = "langsmith"
    base_url: HttpUrl = "https://api.smith.langchain.com"
    """Your own LangSmith, or that of the region."""
    api_key: Secret
    """API key of the workspace; a service key that may read is enough."""
    workspace_id: str | None = None
    """For a key of several workspaces: which."""
    projects: tuple[str, ...] = ()
    """Names of the tracing projects to read; none: all of them."""
    dimensions: CallDimensions = CallDimensions()
    """Which keys of metadata, or of tags, name what a call was for."""


def source(settings: LangSmithSettings) -> CallLogSource:
    """Return the workspace as a source."""
    headers = {"x-api-key": settings.api_key.get_secret_value()}
    if settings.workspace_id is not None:
        headers["X-Tenant-Id"] = settings.workspace_id
    # A self-hosted LangSmith is named to its SDK with the version of the API.
    base_url = settings.base_url.rstrip("/").removesuffix("/v1").removesuffix("/api")
    http = HttpClient(base_url, headers=headers, allow_private=settings.allow_private)
    projects, runs = Projects(http), Runs(http)

    def read(span: Span) -> Iterator[Sequence[LlmCall]]:
        names = {
            project.id: project.name or project.id
            for project in projects.read()
            if not settings.projects or project.name in settings.projects
        }
        ids = list(names)
        for start in range(0, len(ids), _PROJECTS_A_QUERY):
            for page in runs.pages(ids[start : start + _PROJECTS_A_QUERY], span):
                found = (
                    call_of(run, names, source=settings.name, dimensions=settings.dimensions)
                    for run in page
                )
                yield [call for call in found if call is not None]

    return CallLogSource(
        name=settings.name,
        read=read,
        rhythm=RHYTHM,
        history=settings.history,
        close=http.close,
    )
