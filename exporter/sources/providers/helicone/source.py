"""A Helicone organization as a source (an API key that may read requests)."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from exporter.http_client import HttpClient
from exporter.records import LlmCall
from exporter.setting_types import HttpUrl, Secret
from exporter.sources.polling.call_log import CallLogSource
from exporter.sources.polling.call_words import CallDimensions
from exporter.sources.polling.reports import ProviderSettings
from exporter.sources.polling.spans import Span
from exporter.sources.providers.helicone.calls import call_of
from exporter.sources.providers.helicone.request_log import logged


class HeliconeSettings(ProviderSettings):
    """A Helicone organization."""

    from_environment: ClassVar[Mapping[str, str]] = {"api_key": "HELICONE_API_KEY"}

    kind: Literal["helicone"] = "helicone"
    base_url: HttpUrl = "https://api.helicone.ai"
    """Your own Helicone, or that of the region: https://eu.api.helicone.ai."""
    api_key: Secret
    """API key that may read."""
    dimensions: CallDimensions = CallDimensions(workflow=("workflow", "Helicone-Session-Name"))
    """Which custom properties name what a call was for; Helicone-User-Id is one of them."""
    page_rows: Annotated[int, Field(strict=True, ge=1, le=1000)] = 500
    """Requests read at once; fewer, where your Helicone sends long bodies along."""


def source(settings: HeliconeSettings) -> CallLogSource:
    """Return the organization as a source."""
    http = HttpClient(
        settings.base_url,
        headers={"Authorization": f"Bearer {settings.api_key.get_secret_value()}"},
        allow_private=settings.allow_private,
    )

    def read(span: Span) -> Iterator[Sequence[LlmCall]]:
        for page in logged(http, span, settings.page_rows):
            found = (
                call_of(one, source=settings.name, dimensions=settings.dimensions) for one in page
            )
            yield [call for call in found if call is not None]

    return CallLogSource(name=settings.name, read=read, history=settings.history, close=http.close)
