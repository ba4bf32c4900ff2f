"""An xAI team as a source (management key)."""

from collections.abc import Mapping
from functools import partial
from typing import ClassVar, Literal

from exporter.http_client import HttpClient
from exporter.records import Amounts
from exporter.setting_types import HttpUrl, Secret
from exporter.sources.polling.reports import ProviderSettings, Report, ReportSource
from exporter.sources.providers.xai.balances import read_balances
from exporter.sources.providers.xai.costs import RHYTHM, read_costs
from exporter.sources.providers.xai.team import Team


class XaiSettings(ProviderSettings):
    """An xAI team."""

    from_environment: ClassVar[Mapping[str, str]] = {"management_key": "XAI_MANAGEMENT_KEY"}

    kind: Literal["xai"] = "xai"
    base_url: HttpUrl = "https://management-api.x.ai"
    management_key: Secret
    """Management key that may read billing; an API key for models does not do."""
    team_id: str | None = None
    """The team; none: the one that the key belongs to."""


def source(settings: XaiSettings) -> ReportSource:
    """Return the team as a source."""
    http = HttpClient(
        settings.base_url,
        headers={"Authorization": f"Bearer {settings.management_key.get_secret_value()}"},
        allow_private=settings.allow_private,
    )
    team = Team(http, settings.team_id)
    return ReportSource(
        name=settings.name,
        provider="x-ai",
        reports=[
            Report(
                name="costs",
                amounts=(Amounts.COST,),
                rhythm=RHYTHM,
                read=partial(read_costs, http, team, settings.name),
                is_optional=True,
            )
        ],
        balances=partial(read_balances, http, team, settings.name),
        history=settings.history,
        close=http.close,
    )
