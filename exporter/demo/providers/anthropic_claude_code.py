"""Anthropic's report on Claude Code: one UTC day of developers, their sessions and tokens.

Told from the calls with a label `terminal_type`; their quantities count sessions, lines and tools.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal

from exporter.demo.providers.anthropic_words import ORGANIZATION_ID, written
from exporter.demo.providers.ledger import Ledger, Usage
from exporter.demo.providers.spans import DAY
from exporter.demo.providers.wire import (
    RefusalError,
    Request,
    allow_only,
    bounded,
    one,
    page_position,
    page_token,
)

_PARAMETERS = frozenset({"starting_at", "limit", "page"})
_TOOLS = ("edit_tool", "multi_edit_tool", "write_tool", "notebook_edit_tool")


def claude_code_report(ledger: Ledger, request: Request, now: datetime) -> Mapping[str, object]:
    """Return a page of the records of a day."""
    allow_only(request, _PARAMETERS)
    start = _day(request)
    limit = bounded(request, "limit", 20, 1000)
    groups: defaultdict[tuple[str, str, str, str], list[Usage]] = defaultdict(list)
    for usage in ledger.visible(now, start, start + DAY):
        terminal = usage.labels.get("terminal_type")
        if terminal is not None:
            customer = usage.labels.get("customer_type", "api")
            groups[usage.user_id or "", usage.api_key_id or "", terminal, customer].append(usage)
    records = [
        _record(ledger, start, key, usages)
        for key, usages in sorted(groups.items(), key=lambda group: group[0])
    ]
    begin = int(page_position(request) or 0)
    stop = begin + limit
    more = page_token(request, str(stop)) if stop < len(records) else None
    return {"data": records[begin:stop], "has_more": more is not None, "next_page": more}


def _day(request: Request) -> datetime:
    try:
        day = date.fromisoformat(str(one(request, "starting_at")))
    except ValueError as error:
        raise RefusalError(400, "starting_at: Input should be a date, YYYY-MM-DD") from error
    return datetime.combine(day, time(), UTC)


def _record(
    ledger: Ledger, start: datetime, key: tuple[str, str, str, str], usages: Sequence[Usage]
) -> dict[str, object]:
    user_id, key_id, terminal, customer = key
    done: Counter[str] = Counter()
    for usage in usages:
        done.update(usage.quantities)
    return {
        "date": written(start),
        "actor": {"type": "user_actor", "email_address": f"{user_id}@company.example"}
        if user_id
        else {"type": "api_actor", "api_key_name": ledger.names["api_key"].get(key_id, key_id)},
        "organization_id": ORGANIZATION_ID,
        "customer_type": customer,
        "subscription_type": None if customer == "api" else "team",
        "terminal_type": terminal,
        "core_metrics": {
            "num_sessions": done["num_sessions"],
            "lines_of_code": {"added": done["lines_added"], "removed": done["lines_removed"]},
            "commits_by_claude_code": done["commits"],
            "pull_requests_by_claude_code": done["pull_requests"],
        },
        "tool_actions": {
            tool: {
                "accepted": done[f"{tool}_accepted"],
                "rejected": done[f"{tool}_rejected"],
            }
            for tool in _TOOLS
        },
        "model_breakdown": _by_model(usages),
    }


def _by_model(usages: Sequence[Usage]) -> list[dict[str, object]]:
    models: defaultdict[str, list[Usage]] = defaultdict(list)
    for usage in usages:
        models[usage.model].append(usage)
    return [
        {
            "model": model,
            "tokens": {
                "input": sum(usage.uncached_input_tokens for usage in used),
                "output": sum(usage.output_tokens for usage in used),
                "cache_read": sum(usage.cached_input_tokens for usage in used),
                "cache_creation": sum(
                    usage.cache_write_5m_tokens + usage.cache_write_1h_tokens for usage in used
                ),
            },
            # Cents, here as a number.
            "estimated_cost": {
                "amount": sum((usage.cost_usd for usage in used), Decimal(0)) * 100,
                "currency": "USD",
            },
        }
        for model, used in sorted(models.items())
    ]
