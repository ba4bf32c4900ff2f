"""An OpenAI organization as a source (Admin API key)."""

from collections.abc import Mapping
from functools import partial
from typing import ClassVar, Literal

from exporter.http_client import HttpClient
from exporter.records import Amounts
from exporter.setting_types import HttpUrl, Secret
from exporter.sources.polling.reports import ProviderSettings, Report, ReportSource
from exporter.sources.providers.openai import costs, names, usage


class OpenAiSettings(ProviderSettings):
    """An OpenAI organization."""

    from_environment: ClassVar[Mapping[str, str]] = {"admin_key": "OPENAI_ADMIN_KEY"}

    kind: Literal["openai"] = "openai"
    base_url: HttpUrl = "https://api.openai.com/v1"
    admin_key: Secret
    """Admin API key of an organization owner (scope api.usage.read)."""


def source(settings: OpenAiSettings) -> ReportSource:
    """Return the organization as a source."""
    http = HttpClient(
        settings.base_url,
        headers={"Authorization": f"Bearer {settings.admin_key.get_secret_value()}"},
        allow_private=settings.allow_private,
    )
    return ReportSource(
        name=settings.name,
        provider="openai",
        reports=[
            *(
                Report(
                    name=kind,
                    amounts=(Amounts.USAGE,),
                    rhythm=usage.RHYTHM,
                    read=partial(usage.read_usage, http, settings.name, kind),
                    is_optional=kind != "completions",
                )
                for kind in usage.GROUPS
            ),
            Report(
                name="costs",
                amounts=(Amounts.COST,),
                rhythm=costs.RHYTHM,
                read=partial(costs.read_costs, http, settings.name, costs.BY_KEY),
                instead=partial(costs.read_costs, http, settings.name, costs.BY_LINE_ITEM),
            ),
        ],
        names=partial(names.read_names, http, settings.name),
        history=settings.history,
        close=http.close,
    )
