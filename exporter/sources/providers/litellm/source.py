"""A LiteLLM proxy as a source, by its database.

https://docs.litellm.ai/docs/proxy/db_info
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from exporter.records import LlmCall
from exporter.setting_types import Identifier, Secret
from exporter.settings import SourceSettings
from exporter.sources.engine_database import PostgresEngine
from exporter.sources.polling.call_log import CALLS, CallLogSource
from exporter.sources.polling.call_words import CallDimensions
from exporter.sources.polling.reports import History
from exporter.sources.polling.spans import HOUR, Span
from exporter.sources.providers.litellm.calls import calls_of
from exporter.sources.providers.litellm.spend_logs import SpendLogs

# Asking a database again is cheap: long streams and delayed writers are found within the hour.
RHYTHM = replace(CALLS, reread=HOUR)
# What Prisma reads in LiteLLM's DATABASE_URL, and libpq refuses.
_PRISMA_ONLY = frozenset(
    {"schema", "connection_limit", "pool_timeout", "socket_timeout", "pgbouncer", "sslaccept"}
    | {"sslidentity", "statement_cache_size"}
)


class LiteLlmSettings(SourceSettings):
    """A LiteLLM proxy."""

    from_environment: ClassVar[Mapping[str, str]] = {"url": "LITELLM_DATABASE_URL"}

    kind: Literal["litellm"] = "litellm"
    url: Secret
    """PostgreSQL of LiteLLM; a role that may only SELECT is enough."""
    schema_name: Annotated[Identifier | None, Field(alias="schema")] = None
    """Where its tables are; none: as its URL says (?schema=…), else public."""
    dimensions: CallDimensions = CallDimensions()
    """Which keys of spend_logs_metadata, or of tags, name what a call was for."""
    history: History = timedelta(days=35)
    """How much of the past the first poll reads."""
    page_rows: Annotated[int, Field(strict=True, ge=1, le=5000)] = 1000
    """Calls read per statement and written per transaction."""


def source(settings: LiteLlmSettings) -> CallLogSource:
    """Return the proxy as a source."""
    url, schema = _for_libpq(settings.url.get_secret_value())
    database = PostgresEngine(url, schema=settings.schema_name or schema or "public")
    logs = SpendLogs(database, page_rows=settings.page_rows, keys=settings.dimensions.keys)

    def read(span: Span) -> Iterator[Sequence[LlmCall]]:
        for rows in logs.pages(span):
            yield list(calls_of(rows, source=settings.name, dimensions=settings.dimensions))

    return CallLogSource(
        name=settings.name,
        read=read,
        rhythm=RHYTHM,
        history=settings.history,
        close=database.close,
    )


def _for_libpq(url: str) -> tuple[str, str | None]:
    """Return LiteLLM's DATABASE_URL without what only Prisma knows, and the schema it names."""
    address, mark, query = url.partition("?")
    if not mark or "://" not in address:
        return url, None
    said = [part.partition("=") for part in query.split("&")]
    kept = "&".join("".join(part) for part in said if part[0] not in _PRISMA_ONLY)
    schemas = [value for name, _, value in said if name == "schema"]
    return f"{address}?{kept}" if kept else address, schemas[0] if schemas else None
