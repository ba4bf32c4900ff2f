"""A Langfuse project as a source (its public and secret key)."""

from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar, Literal

from exporter.http_client import HttpClient
from exporter.records import LlmCall
from exporter.setting_types import HttpUrl, Secret
from exporter.sources.polling.call_log import CallLogSource
from exporter.sources.polling.call_words import CallDimensions
from exporter.sources.polling.reports import ProviderSettings
from exporter.sources.polling.spans import Span
from exporter.sources.providers.langfuse.observations import OPERATIONS, call_of, observations


class LangfuseSettings(ProviderSettings):
    """A Langfuse project."""

    from_environment: ClassVar[Mapping[str, str]] = {
        "public_key": "LANGFUSE_PUBLIC_KEY",
        "secret_key": "LANGFUSE_SECRET_KEY",
    }
    also_from_environment: ClassVar[Mapping[str, str]] = {"base_url": "LANGFUSE_HOST"}

    kind: Literal["langfuse"] = "langfuse"
    base_url: HttpUrl = "https://cloud.langfuse.com"
    """Your own Langfuse, or that of the region: https://us.cloud.langfuse.com …"""
    public_key: Secret
    """Public key of the project."""
    secret_key: Secret
    """Secret key of the project."""
    dimensions: CallDimensions = CallDimensions()
    """Which keys of tags written key:value name what a call was for."""


def source(settings: LangfuseSettings) -> CallLogSource:
    """Return the project as a source."""
    keys = f"{settings.public_key.get_secret_value()}:{settings.secret_key.get_secret_value()}"
    http = HttpClient(
        settings.base_url,
        headers={"Authorization": f"Basic {b64encode(keys.encode()).decode()}"},
        allow_private=settings.allow_private,
    )

    def read(span: Span) -> Iterator[Sequence[LlmCall]]:
        for kind in OPERATIONS:
            for page in observations(http, kind, span):
                found = (
                    call_of(one, kind, source=settings.name, dimensions=settings.dimensions)
                    for one in page
                )
                yield [call for call in found if call is not None]

    return CallLogSource(name=settings.name, read=read, history=settings.history, close=http.close)
