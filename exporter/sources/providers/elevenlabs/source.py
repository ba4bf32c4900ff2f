"""An ElevenLabs workspace as a source."""

from collections.abc import Mapping
from functools import partial
from typing import ClassVar, Literal

from exporter.http_client import HttpClient
from exporter.records import Amounts
from exporter.setting_types import HttpUrl, Secret
from exporter.sources.polling.reports import ProviderSettings, Report, ReportSource
from exporter.sources.providers.elevenlabs.costs import RHYTHM, read_costs
from exporter.sources.providers.elevenlabs.subscription import read_balances


class ElevenLabsSettings(ProviderSettings):
    """An ElevenLabs workspace."""

    from_environment: ClassVar[Mapping[str, str]] = {"api_key": "ELEVENLABS_API_KEY"}

    kind: Literal["elevenlabs"] = "elevenlabs"
    base_url: HttpUrl = "https://api.elevenlabs.io"
    api_key: Secret
    """API key with the permissions user_read and, for costs, workspace_analytics_full_read."""


def source(settings: ElevenLabsSettings) -> ReportSource:
    """Return the workspace as a source."""
    http = HttpClient(
        settings.base_url,
        headers={"xi-api-key": settings.api_key.get_secret_value()},
        allow_private=settings.allow_private,
    )
    return ReportSource(
        name=settings.name,
        provider="elevenlabs",
        reports=[
            Report(
                name="costs",
                amounts=(Amounts.COST,),
                rhythm=RHYTHM,
                read=partial(read_costs, http, settings.name),
                is_optional=True,
            )
        ],
        balances=partial(read_balances, http, settings.name),
        history=settings.history,
        close=http.close,
    )
