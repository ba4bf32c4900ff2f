"""Rows of LiteLLM's spend logs → calls."""

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from exporter.records import CostSource, ExecutionStatus, LlmCall, Operation
from exporter.sources.engine_database import Row
from exporter.sources.polling.call_log import Tokens
from exporter.sources.polling.call_words import CallDimensions
from exporter.sources.polling.wire import count, dollars
from exporter.vendor_names import UNKNOWN, provider_named

_OPERATIONS = (
    (re.compile(r"embedding"), Operation.EMBEDDINGS),
    (re.compile(r"image"), Operation.IMAGE),
    (re.compile(r"transcription|speech|realtime"), Operation.AUDIO),
    (re.compile(r"moderation"), Operation.MODERATION),
    (re.compile(r"completion|messages|responses|generate_content|^$"), Operation.CHAT),
)
# Management of files, batches, tools …: logged like calls, and no call of a model.
_NO_MODEL = re.compile(r"file|batch|mcp|vector_store|container")


def calls_of(rows: Sequence[Row], *, source: str, dimensions: CallDimensions) -> Iterator[LlmCall]:
    """Yield a page's calls."""
    for row in rows:
        model, call_type = row["model"] or "", row["call_type"] or ""
        is_free = not row["spend"] and not row["total_tokens"]
        if is_free and (not model or _NO_MODEL.search(call_type)):
            continue
        started_at, finished_at = _utc(row["startTime"]), _utc(row["endTime"])
        is_cached = row["cache_hit"] == "True"
        cost_usd = _cost(row, is_cached=is_cached)
        purpose = dimensions.purpose(row["words"], row["tags"])
        status = _status(row)
        yield LlmCall(
            source=source,
            execution_id=row["session_id"] or row["request_id"],
            created_at=started_at,
            call_id=row["request_id"],
            provider=provider_named(row["custom_llm_provider"], model),
            model=model.removeprefix(f"{row['custom_llm_provider']}/") or UNKNOWN,
            requested_model=row["model_group"] or None,
            operation=_operation(call_type),
            status=status,
            error_type=row["error_class"] if status is not ExecutionStatus.SUCCESS else None,
            workflow_id=purpose.workflow or "",
            workflow=purpose.workflow or "",
            started_at=started_at,
            latency_seconds=_seconds(started_at, finished_at),
            time_to_first_token_seconds=_first_token(row, started_at, finished_at),
            cost_usd=cost_usd,
            cost_source=CostSource.REPORTED if cost_usd is not None else None,
            customer=purpose.customer or row["end_user"],
            project=purpose.project or row["project"],
            team=purpose.team or row["team"],
            **_tokens(row),
        )


def _cost(row: Row, *, is_cached: bool) -> Decimal | None:
    """Return what LiteLLM says; it writes 0 also where it knows no price."""
    spend = dollars(Decimal(str(row["spend"] or 0)))
    return spend if spend or is_cached or row["is_priced"] else None


def _tokens(row: Row) -> Tokens:
    if not row["total_tokens"]:
        return {}
    prompt, completion = _details(row["prompt_details"]), _details(row["completion_details"])
    cached = count(row, "cache_read")
    written = count(row, "cache_written")
    cached = count(prompt, "cached_tokens") if cached is None else cached
    written = count(prompt, "cache_creation_tokens") if written is None else written
    total = count(row, "prompt_tokens")
    apart = (cached or 0) + (written or 0)
    if total is not None and apart > total:  # an old LiteLLM counts Anthropic's cache apart
        total += apart
    return {
        "input_tokens": total,
        "cached_input_tokens": cached,
        "cache_write_tokens": written,
        "output_tokens": count(row, "completion_tokens"),
        "reasoning_tokens": count(completion, "reasoning_tokens"),
    }


def _details(found: object) -> dict[str, Any]:
    return found if isinstance(found, dict) else {}


def _status(row: Row) -> ExecutionStatus:
    if row["status"] != "failure":
        return ExecutionStatus.SUCCESS
    is_late = "Timeout" in (row["error_class"] or "")
    return ExecutionStatus.TIMEOUT if is_late else ExecutionStatus.ERROR


def _operation(call_type: str) -> Operation:
    found = (operation for pattern, operation in _OPERATIONS if pattern.search(call_type))
    return next(found, Operation.OTHER)


def _utc(at: datetime) -> datetime:
    """Read a time of either column type; Prisma keeps UTC without a zone."""
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def _seconds(since: datetime, until: datetime) -> float | None:
    seconds = (until - since).total_seconds()
    return seconds if seconds >= 0 else None


def _first_token(row: Row, started_at: datetime, finished_at: datetime) -> float | None:
    """Return the time to the first token; where there was no stream, LiteLLM writes the end."""
    first = row["completionStartTime"]
    if first is None or not started_at <= _utc(first) < finished_at:
        return None
    return _seconds(started_at, _utc(first))
