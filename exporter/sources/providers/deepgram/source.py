"""Deepgram's projects as a source."""

from collections.abc import Mapping
from typing import ClassVar, Literal

from exporter.http_client import HttpClient
from exporter.records import Amounts
from exporter.setting_types import HttpUrl, Secret
from exporter.sources.polling.reports import ProviderSettings, Report, ReportSource
from exporter.sources.providers.deepgram.breakdowns import RHYTHM, Breakdowns
from exporter.sources.providers.deepgram.projects import Projects


class DeepgramSettings(ProviderSettings):
    """Projects at Deepgram."""

    from_environment: ClassVar[Mapping[str, str]] = {"api_key": "DEEPGRAM_API_KEY"}

    kind: Literal["deepgram"] = "deepgram"
    base_url: HttpUrl = "https://api.deepgram.com/v1"
    api_key: Secret
    """API key with the scopes usage:read and, for bills and balances, billing:read."""
    projects: tuple[str, ...] = ()
    """Ids of the projects to read; none: every one that the key sees."""


def source(settings: DeepgramSettings) -> ReportSource:
    """Return the projects as a source."""
    http = HttpClient(
        settings.base_url,
        headers={"Authorization": f"Token {settings.api_key.get_secret_value()}"},
        allow_private=settings.allow_private,
    )
    projects = Projects(http, settings.name, settings.projects)
    breakdowns = Breakdowns(http, settings.name, projects)
    return ReportSource(
        name=settings.name,
        provider="deepgram",
        reports=[
            Report(name="usage", amounts=(Amounts.USAGE,), rhythm=RHYTHM, read=breakdowns.usage),
            Report(
                name="billing",
                amounts=(Amounts.COST,),
                rhythm=RHYTHM,
                read=breakdowns.costs,
                is_optional=True,
            ),
        ],
        names=projects.names,
        balances=projects.balances,
        history=settings.history,
        close=http.close,
    )
