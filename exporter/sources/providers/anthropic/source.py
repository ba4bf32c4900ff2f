"""An Anthropic organization as a source (Admin API key)."""

from collections.abc import Mapping
from functools import partial
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from exporter.http_client import HttpClient
from exporter.records import Amounts
from exporter.setting_types import HttpUrl, Secret
from exporter.sources.polling.reports import ProviderSettings, Report, ReportSource
from exporter.sources.providers.anthropic import claude_code, cost, usage
from exporter.sources.providers.anthropic.names import read_names

_VERSION = "2023-06-01"  # in later ones the default workspace has an id, in some answers


class AnthropicSettings(ProviderSettings):
    """An Anthropic organization."""

    from_environment: ClassVar[Mapping[str, str]] = {"admin_key": "ANTHROPIC_ADMIN_KEY"}

    kind: Literal["anthropic"] = "anthropic"
    base_url: HttpUrl = "https://api.anthropic.com"
    admin_key: Secret
    """Admin API key (sk-ant-admin…), or an organization's key with read:analytics."""
    claude_code: Annotated[bool, Field(strict=True)] = False
    """Whether to read who used Claude Code; its users are e-mail addresses."""


def source(settings: AnthropicSettings) -> ReportSource:
    """Return the organization as a source."""
    http = HttpClient(
        settings.base_url,
        headers={
            "x-api-key": settings.admin_key.get_secret_value(),
            "anthropic-version": _VERSION,
        },
        allow_private=settings.allow_private,
    )
    usages = usage.Usage(http, settings.name)
    reports = [
        Report(
            name=usage.REPORT,
            amounts=(Amounts.USAGE,),
            rhythm=usage.RHYTHM,
            read=usages.of_analytics,
            instead=usages.of_admin_reports,
        ),
        Report(
            name=cost.REPORT,
            amounts=(Amounts.COST,),
            rhythm=cost.RHYTHM,
            read=partial(cost.of_analytics, http, settings.name),
            instead=partial(cost.of_admin_reports, http, settings.name),
        ),
    ]
    if settings.claude_code:
        reports.append(
            Report(
                name=claude_code.REPORT,
                amounts=(Amounts.USAGE, Amounts.COST),
                rhythm=claude_code.RHYTHM,
                read=partial(claude_code.read_day, http, settings.name),
                is_optional=True,
                is_breakdown=True,
            )
        )
    return ReportSource(
        name=settings.name,
        provider="anthropic",
        reports=reports,
        names=partial(read_names, http, settings.name),
        history=settings.history,
        close=http.close,
    )
