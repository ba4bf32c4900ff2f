"""Azure OpenAI resources of one tenant as a source (an Entra application with a secret)."""

from functools import partial
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from exporter.http_client import HttpClient
from exporter.records import Amounts, DimensionName
from exporter.setting_types import HttpUrl, Secret
from exporter.sources.polling.bearer import Bearer, Token
from exporter.sources.polling.reports import ProviderSettings, Report, ReportSource
from exporter.sources.providers.azure_openai import costs, usage


def _absolute(path: str) -> str:
    if not path.startswith("/") or "?" in path:
        raise ValueError(f"{path!r} is no resource id; write /subscriptions/…, as Azure shows it")
    return path.rstrip("/")


ResourceId = Annotated[str, AfterValidator(_absolute)]


class AzureOpenAiSettings(ProviderSettings):
    """Azure OpenAI resources that one Entra application may look at."""

    kind: Literal["azure_openai"] = "azure_openai"
    base_url: HttpUrl = "https://management.azure.com"
    login_url: HttpUrl = "https://login.microsoftonline.com"
    """Where Entra gives tokens; national clouds have their own."""
    tenant_id: str
    """Directory (tenant) id of the application."""
    client_id: str
    """Application (client) id; it needs Monitoring Reader on the resources."""
    client_secret: Secret
    """A secret of the application."""
    resources: Annotated[tuple[ResourceId, ...], Field(min_length=1)]
    """Ids of the Azure OpenAI or Foundry resources (Microsoft.CognitiveServices/accounts)."""
    cost_scope: ResourceId | None = None
    """Whose costs to read, such as /subscriptions/… (needs Cost Management Reader); none: nobody's.
    """


def source(settings: AzureOpenAiSettings) -> ReportSource:
    """Return the resources as a source."""
    http = HttpClient(settings.base_url, allow_private=settings.allow_private)
    login = HttpClient(settings.login_url, allow_private=settings.allow_private)
    bearer = Bearer(partial(_token, login, settings))
    used = usage.Usage(http, bearer, settings.name, settings.resources)
    reports = [
        Report(
            name="usage",
            amounts=(Amounts.USAGE,),
            rhythm=usage.RHYTHM,
            read=used.read_by_tier,
            instead=used.read,
        )
    ]
    if settings.cost_scope is not None:
        billed = costs.Costs(http, bearer, settings.name, settings.cost_scope)
        reports.append(
            Report(
                name="costs",
                amounts=(Amounts.COST,),
                rhythm=costs.RHYTHM,
                read=billed.read,
                is_optional=True,
            )
        )

    def close() -> None:
        http.close()
        login.close()

    return ReportSource(
        name=settings.name,
        provider="azure",
        reports=reports,
        names=partial(_names, settings),
        history=settings.history,
        close=close,
    )


def _token(login: HttpClient, settings: AzureOpenAiSettings) -> Token:
    """Ask for a token.

    https://learn.microsoft.com/en-us/entra/identity-platform/v2-oauth2-client-creds-grant-flow
    """
    return login.post_form(
        f"{settings.tenant_id}/oauth2/v2.0/token",
        {
            "grant_type": "client_credentials",
            "client_id": settings.client_id,
            "client_secret": settings.client_secret.get_secret_value(),
            "scope": f"{settings.base_url.rstrip('/')}/.default",
        },
        into=Token,
    )


def _names(settings: AzureOpenAiSettings) -> list[DimensionName]:
    return [
        DimensionName(
            source=settings.name,
            dimension="project_id",
            id=resource.lower(),
            name=resource.rpartition("/")[2],
        )
        for resource in settings.resources
    ]
