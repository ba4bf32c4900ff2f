"""Vertex AI of some Google Cloud projects as a source (a service account's key)."""

from functools import partial
from typing import Literal

from exporter.http_client import HttpClient
from exporter.records import Amounts
from exporter.setting_types import HttpUrl, Secret
from exporter.sources.polling.bearer import Bearer
from exporter.sources.polling.reports import ProviderSettings, Report, ReportSource
from exporter.sources.providers.vertex import usage
from exporter.sources.providers.vertex.monitoring import Monitoring
from exporter.sources.providers.vertex.service_account import ServiceAccount, read_key_file


class VertexSettings(ProviderSettings):
    """Vertex AI in Google Cloud projects."""

    kind: Literal["vertex"] = "vertex"
    base_url: HttpUrl = "https://monitoring.googleapis.com"
    service_account: Secret
    """Content of a service account's key file (JSON); it needs roles/monitoring.viewer."""
    token_url: HttpUrl | None = None
    """Where Google gives tokens; none: what the key file says."""
    projects: tuple[str, ...] = ()
    """Ids of the projects to read; none: the service account's own."""


def source(settings: VertexSettings) -> ReportSource:
    """Return the projects as a source.

    Raises:
        ConfigurationError: the key file is none, or PyJWT is not installed.
    """
    key_file = read_key_file(settings.service_account.get_secret_value())
    token_url = settings.token_url or key_file.token_uri
    http = HttpClient(settings.base_url, allow_private=settings.allow_private)
    login = HttpClient(token_url, allow_private=settings.allow_private)
    bearer = Bearer(ServiceAccount(key_file, login, token_url).token)
    projects = {
        project: Monitoring(http, bearer, project)
        for project in settings.projects or (key_file.project_id,)
    }

    def close() -> None:
        http.close()
        login.close()

    return ReportSource(
        name=settings.name,
        provider="google",
        reports=[
            Report(
                name="usage",
                amounts=(Amounts.USAGE,),
                rhythm=usage.RHYTHM,
                read=partial(usage.read_usage, projects, settings.name),
            )
        ],
        history=settings.history,
        close=close,
    )
