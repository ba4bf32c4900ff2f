"""Langfuse's observations → calls.

https://api.reference.langfuse.com (observations v2). Prompts and answers are in the field group
`io`, which is not asked for.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal

import msgspec

from exporter.errors import RefusedRequestError, SourceError
from exporter.http_client import HttpClient
from exporter.records import CostSource, ExecutionStatus, LlmCall, Operation
from exporter.sources.polling.call_log import Tokens
from exporter.sources.polling.call_words import CallDimensions
from exporter.sources.polling.paging import pages
from exporter.sources.polling.spans import Span
from exporter.sources.polling.versions import newest
from exporter.sources.polling.wire import Count, dollars, plausible, rfc3339
from exporter.vendor_names import UNKNOWN, provider_named

OPERATIONS = {"GENERATION": Operation.CHAT, "EMBEDDING": Operation.EMBEDDINGS}
"""Types of observation that are a call of a model."""
_PATH = "api/public/v2/observations"
_FIELDS = "core,basic,time,model,usage,metrics,trace_context"
_LIMIT = "1000"


class Observation(msgspec.Struct, rename="camel"):
    """What is read of an observation."""

    id: str
    start_time: datetime
    trace_id: str | None = None
    end_time: datetime | None = None
    updated_at: datetime | None = None
    level: str | None = None
    model: str | None = None
    provided_model_name: str | None = None
    usage_details: dict[str, Count] | None = None
    cost_details: dict[str, Decimal] | None = None
    latency: float | None = None
    time_to_first_token: float | None = None
    trace_name: str | None = None
    tags: list[str] | None = None


class _Meta(msgspec.Struct):
    cursor: str | None = None


class _Page(msgspec.Struct):
    data: list[Observation]
    meta: _Meta


def observations(http: HttpClient, kind: str, span: Span) -> Iterator[list[Observation]]:
    """Yield pages of the observations of one type that began in the span.

    Raises:
        SourceError: it is a Langfuse that does not tell them; or as HttpClient and `pages` do.
    """
    parameters = [
        ("type", kind),
        ("fields", _FIELDS),
        ("fromStartTime", rfc3339(span.from_at)),
        ("toStartTime", rfc3339(span.until_at)),
        ("limit", _LIMIT),
    ]

    def ask(cursor: str | None) -> _Page:
        try:
            return http.get(
                _PATH, [*parameters, *([("cursor", cursor)] if cursor else [])], into=_Page
            )
        except RefusedRequestError as error:
            if error.status != 404:
                raise
            raise SourceError(
                "this Langfuse does not tell observations by its API v2 (404): that needs Langfuse "
                "4 in a v4 write mode; or is base_url wrong?",
                reason="request_refused",
            ) from None

    found = pages(ask, lambda page: page.meta.cursor or None)
    # Its store keeps versions of an observation side by side until it merges them.
    return newest((page.data for page in found), lambda one: one.id, lambda one: one.updated_at)


def call_of(
    one: Observation, kind: str, *, source: str, dimensions: CallDimensions
) -> LlmCall | None:
    """Return the call; None while it is not known to be over."""
    if one.end_time is None and not one.usage_details and not one.cost_details:
        return None
    started_at = plausible(one.start_time)
    model = one.model or one.provided_model_name
    purpose = dimensions.purpose(one.tags)
    # `totalCost` is 0 where there is no price; a total among the details is a price.
    cost_usd = (one.cost_details or {}).get("total")
    workflow = purpose.workflow or one.trace_name or ""
    return LlmCall(
        source=source,
        execution_id=one.trace_id or one.id,
        created_at=started_at,
        call_id=one.id,
        provider=provider_named(None, model or ""),
        model=model or UNKNOWN,
        operation=OPERATIONS[kind],
        status=ExecutionStatus.ERROR if one.level == "ERROR" else ExecutionStatus.SUCCESS,
        workflow_id=workflow,
        workflow=workflow,
        started_at=started_at,
        latency_seconds=_positive(one.latency),
        time_to_first_token_seconds=_positive(one.time_to_first_token),
        cost_usd=None if cost_usd is None else dollars(cost_usd),
        cost_source=None if cost_usd is None else CostSource.REPORTED,
        customer=purpose.customer,
        project=purpose.project,
        team=purpose.team,
        **_tokens(one.usage_details or {}),
    )


def _tokens(usage: Mapping[str, int]) -> Tokens:
    """Return the tokens: Langfuse's kinds of usage exclude each other, and it adds them up so."""
    given = {name: amount for name, amount in usage.items() if "input" in name}
    cache = {name: amount for name, amount in given.items() if "cache" in name}
    written = [cache[name] for name in cache if "creation" in name or "write" in name]
    made = {name: amount for name, amount in usage.items() if "output" in name}
    reasoning = [amount for name, amount in made.items() if "reasoning" in name]
    return {
        "input_tokens": sum(given.values()) if given else None,
        "cached_input_tokens": sum(cache.values()) - sum(written) if cache else None,
        "cache_write_tokens": sum(written) if written else None,
        "output_tokens": sum(made.values()) if made else None,
        "reasoning_tokens": sum(reasoning) if reasoning else None,
    }


def _positive(seconds: float | None) -> float | None:
    return seconds if seconds is not None and seconds >= 0 else None
