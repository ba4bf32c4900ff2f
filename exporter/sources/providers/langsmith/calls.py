"""Runs of LangSmith → calls."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from exporter.records import CostSource, ExecutionStatus, LlmCall, Operation
from exporter.sources.polling.call_log import Tokens
from exporter.sources.polling.call_words import CallDimensions
from exporter.sources.polling.wire import count, dollars, plausible
from exporter.sources.providers.langsmith.runs import Run
from exporter.vendor_names import UNKNOWN, provider_named

_ERROR_NAME = re.compile(r"(?:\w+\.)*(\w*(?:Error|Exception|Timeout|Interrupt|Exit))\b")
_PENDING = "pending"


def call_of(
    run: Run, projects: Mapping[str, str], *, source: str, dimensions: CallDimensions
) -> LlmCall | None:
    """Return the call; None while it runs."""
    status = (run.status or "").lower()
    if status == _PENDING or run.end_time is None:
        return None
    started_at = _utc(run.start_time)
    metadata = run.metadata if run.metadata is not None else _mapping(run.extra, "metadata")
    model = _text(metadata, "ls_model_name")
    purpose = dimensions.purpose(metadata, run.tags)
    project_id = run.project_id or run.session_id or ""
    cost_usd = _cost(run)
    return LlmCall(
        source=source,
        execution_id=run.trace_id or run.id,
        created_at=started_at,
        call_id=run.id,
        provider=provider_named(_text(metadata, "ls_provider"), model),
        model=model or UNKNOWN,
        operation=Operation.CHAT,
        status=ExecutionStatus.ERROR if status == "error" else ExecutionStatus.SUCCESS,
        error_type=_error_name(run) if status == "error" else None,
        workflow_id=purpose.workflow or project_id,
        workflow=purpose.workflow or projects.get(project_id, ""),
        started_at=started_at,
        latency_seconds=_seconds(started_at, run.end_time),
        time_to_first_token_seconds=_seconds(started_at, run.first_token_time),
        cost_usd=cost_usd,
        cost_source=None if cost_usd is None else CostSource.REPORTED,
        customer=purpose.customer,
        project=purpose.project,
        team=purpose.team,
        **_tokens(run),
    )


def _cost(run: Run) -> Decimal | None:
    """Return what LangSmith says; a 0 that no price stands behind is no price."""
    if run.total_cost is None or (not run.total_cost and run.price_model_id is None):
        return None
    return dollars(run.total_cost)


def _tokens(run: Run) -> Tokens:
    if not run.prompt_tokens and not run.completion_tokens:
        return {}
    prompt, completion = _details(run.prompt_token_details), _details(run.completion_token_details)
    written = [
        amount for name in ("cache_creation", "cache_write") if (amount := count(prompt, name))
    ]
    return {
        "input_tokens": run.prompt_tokens,
        "cached_input_tokens": count(prompt, "cache_read"),
        "cache_write_tokens": sum(written) if written else None,
        "output_tokens": run.completion_tokens,
        "reasoning_tokens": count(completion, "reasoning"),
    }


def _details(told: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """Return kinds of tokens: under `raw` as the new API tells them, or as they are."""
    raw = _mapping(told, "raw")
    return raw or told or {}


def _mapping(told: Mapping[str, Any] | None, name: str) -> Mapping[str, Any]:
    found = (told or {}).get(name)
    return found if isinstance(found, dict) else {}


def _text(told: Mapping[str, Any], name: str) -> str:
    found = told.get(name)
    return found if isinstance(found, str) else ""


def _error_name(run: Run) -> str | None:
    """Return the error's class; the rest of its text may quote what was said to the model."""
    found = _ERROR_NAME.match(run.error_preview or run.error or "")
    return found[1] if found else None


def _utc(at: datetime) -> datetime:
    """Return a time in UTC, which the old API writes without a zone."""
    return plausible(at if at.tzinfo else at.replace(tzinfo=UTC))


def _seconds(since: datetime, until: datetime | None) -> float | None:
    if until is None:
        return None
    seconds = (_utc(until) - since).total_seconds()
    return seconds if seconds >= 0 else None
