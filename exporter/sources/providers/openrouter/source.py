"""An OpenRouter account as a source (management key)."""

from collections.abc import Mapping
from typing import ClassVar, Literal

from exporter.http_client import HttpClient
from exporter.records import Amounts
from exporter.setting_types import HttpUrl, Secret
from exporter.sources.polling.reports import ProviderSettings, Report, ReportSource
from exporter.sources.providers.openrouter import activity
from exporter.sources.providers.openrouter.account import Account


class OpenRouterSettings(ProviderSettings):
    """An OpenRouter account."""

    from_environment: ClassVar[Mapping[str, str]] = {"management_key": "OPENROUTER_MANAGEMENT_KEY"}

    kind: Literal["openrouter"] = "openrouter"
    base_url: HttpUrl = "https://openrouter.ai/api/v1"
    management_key: Secret
    """Management key; it cannot call models."""


def source(settings: OpenRouterSettings) -> ReportSource:
    """Return the account as a source."""
    http = HttpClient(
        settings.base_url,
        headers={"Authorization": f"Bearer {settings.management_key.get_secret_value()}"},
        allow_private=settings.allow_private,
    )
    account = Account(http, settings.name)
    return ReportSource(
        name=settings.name,
        provider="openrouter",
        reports=[
            Report(
                name=activity.REPORT,
                amounts=(Amounts.USAGE, Amounts.COST),
                rhythm=activity.RHYTHM,
                read=activity.Activity(http, settings.name).read_day,
            )
        ],
        names=account.names,
        balances=account.balances,
        history=settings.history,
        close=http.close,
    )
