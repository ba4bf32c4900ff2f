"""Requests that Helicone logged → calls."""

from decimal import Decimal
from urllib.parse import urlsplit

from exporter.errors import SourceError
from exporter.records import CostSource, ExecutionStatus, LlmCall, Operation
from exporter.sources.polling.call_log import Tokens
from exporter.sources.polling.call_words import CallDimensions
from exporter.sources.polling.wire import dollars
from exporter.sources.providers.helicone.request_log import LoggedRequest, Whole
from exporter.vendor_names import UNKNOWN, provider_named

_SESSION = "helicone-session-id"
_NOT_CACHED = (None, "", "00000000-0000-0000-0000-000000000000")
_PENDING = (None, 0, -2)
_STATUSES = {-1: ExecutionStatus.TIMEOUT, -3: ExecutionStatus.CANCELED}
_NO_PROVIDER = ("custom", "helicone", "local")
_OPERATIONS = {
    "/embeddings": Operation.EMBEDDINGS,
    ":embedcontent": Operation.EMBEDDINGS,
    "/images/": Operation.IMAGE,
    "/audio/": Operation.AUDIO,
    "/moderations": Operation.MODERATION,
}


def call_of(one: LoggedRequest, *, source: str, dimensions: CallDimensions) -> LlmCall | None:
    """Return the call; None while its answer is awaited."""
    code = _whole(one.response_status, "response_status")
    if code in _PENDING:
        return None
    properties = one.request_properties or {}
    purpose = dimensions.purpose(properties, {"Helicone-User-Id": one.request_user_id})
    sessions = [value for name, value in properties.items() if name.lower() == _SESSION]
    status = ExecutionStatus.SUCCESS if code in range(200, 300) else _STATUSES.get(code or 0)
    cost_usd = _cost(one)
    said = (one.provider or "").lower()
    model = one.request_model or ""
    return LlmCall(
        source=source,
        execution_id=str(sessions[0]) if sessions and sessions[0] else one.request_id,
        created_at=one.started_at,
        call_id=one.request_id,
        provider=provider_named(None if said in _NO_PROVIDER else said, model),
        model=model or UNKNOWN,
        operation=_operation(one.target_url),
        status=status or ExecutionStatus.ERROR,
        error_type=None if status is ExecutionStatus.SUCCESS else str(code),
        workflow_id=purpose.workflow or "",
        workflow=purpose.workflow or "",
        started_at=one.started_at,
        latency_seconds=_seconds(one.delay_ms, "delay_ms"),
        time_to_first_token_seconds=_seconds(one.time_to_first_token, "time_to_first_token"),
        cost_usd=cost_usd,
        cost_source=None if cost_usd is None else CostSource.REPORTED,
        customer=purpose.customer,
        project=purpose.project,
        team=purpose.team,
        **_tokens(one),
    )


def _cost(one: LoggedRequest) -> Decimal | None:
    """Return the US dollars; 0 is also what a model costs that Helicone has no price of."""
    if one.cache_reference_id not in _NOT_CACHED:
        return dollars(one.cost or Decimal(0))
    return dollars(one.cost) if one.cost else None


def _tokens(one: LoggedRequest) -> Tokens:
    """Return the tokens: Helicone counts cache and reasoning apart from prompt and completion."""
    fresh = _amount(one.prompt_tokens, "prompt_tokens")
    cached = _amount(one.prompt_cache_read_tokens, "prompt_cache_read_tokens")
    written = _amount(one.prompt_cache_write_tokens, "prompt_cache_write_tokens")
    said = _amount(one.completion_tokens, "completion_tokens")
    reasoning = _amount(one.reasoning_tokens, "reasoning_tokens")
    given, made = fresh + cached + written, said + reasoning
    if not given and not made:
        return {}
    return {
        "input_tokens": given,
        "cached_input_tokens": cached,
        "cache_write_tokens": written,
        "output_tokens": made,
        "reasoning_tokens": reasoning,
    }


def _operation(url: str | None) -> Operation:
    path = urlsplit(url or "").path.lower()
    found = (operation for part, operation in _OPERATIONS.items() if part in path)
    return next(found, Operation.CHAT)


def _amount(value: Whole, name: str) -> int:
    return max(_whole(value, name) or 0, 0)


def _seconds(milliseconds: Whole, name: str) -> float | None:
    whole = _whole(milliseconds, name)
    return whole / 1000 if whole is not None and whole >= 0 else None


def _whole(value: Whole, name: str) -> int | None:
    try:
        return None if value is None or value == "" else int(value)
    except ValueError:
        raise SourceError(
            f"{name} is {str(value)[:40]!r}, not a number", reason="answer_changed"
        ) from None
