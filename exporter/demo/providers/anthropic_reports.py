"""Anthropic's reports: tokens of the Messages API, and what is billed."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from exporter.demo.providers.anthropic_words import (
    FAST_MODE,
    array,
    cents,
    check_order,
    filters,
    has_beta,
    keeps,
    moment,
    read,
    required_moment,
    snapped_down,
    snapped_up,
    written,
)
from exporter.demo.providers.charges import Charge, Part, charges
from exporter.demo.providers.ledger import Ledger, Row, Usage, Value
from exporter.demo.providers.pages import WIDTHS, BucketPage, Width, bucket_page
from exporter.demo.providers.spans import by_span, spans
from exporter.demo.providers.wire import RefusalError, Request, allow_only, one

_PERIOD = ("starting_at", "ending_at", "bucket_width", "limit", "page", "group_by[]")
_USAGE_GROUPS = (
    "account_id",
    "api_key_id",
    "context_window",
    "inference_geo",
    "model",
    "service_account_id",
    "service_tier",
    "workspace_id",
)
_USAGE_FILTERS = {
    "account_ids": "account_id",
    "api_key_ids": "api_key_id",
    "workspace_ids": "workspace_id",
    "models": "model",
    "service_tiers": "service_tier",
    "context_window": "context_window",
    "inference_geos": "inference_geo",
    "speeds": "speed",
}
# Sandboxes and agent sessions are billed, but are no messages.
_MESSAGES = frozenset({"completions", "web_search"})
_COST_GROUPS = ("workspace_id", "description")
_COST_WIDTHS: Mapping[str, Width] = {"1d": WIDTHS["1d"]}
_COST_FIELDS = (
    "description",
    "cost_type",
    "token_type",
    "model",
    "service_tier",
    "context_window",
    "inference_geo",
)
_TOKEN_TYPES = {
    Part.INPUT: ("uncached_input_tokens", "Input Tokens"),
    Part.CACHED_INPUT: ("cache_read_input_tokens", "Input Tokens, Cache Hit"),
    Part.CACHE_WRITE_5M: (
        "cache_creation.ephemeral_5m_input_tokens",
        "Input Tokens, Cache Write 5m",
    ),
    Part.CACHE_WRITE_1H: (
        "cache_creation.ephemeral_1h_input_tokens",
        "Input Tokens, Cache Write 1h",
    ),
    Part.OUTPUT: ("output_tokens", "Output Tokens"),
}


def usage_report(ledger: Ledger, request: Request, now: datetime) -> Mapping[str, object]:
    """Return a page of the tokens by bucket."""
    allow_only(request, frozenset(_PERIOD) | {f"{name}[]" for name in _USAGE_FILTERS})
    groups = (*_USAGE_GROUPS, "speed") if has_beta(request, FAST_MODE) else _USAGE_GROUPS
    if "speed" not in groups and request.query.get("speeds[]"):
        raise RefusalError(400, f"speeds: requires the beta {FAST_MODE}")
    group_by = array(request, "group_by", groups)
    wanted = filters(request, _USAGE_FILTERS)
    page = _page_of(request, now, WIDTHS)
    buckets = ledger.rows(
        now,
        page.start,
        page.end,
        page.width,
        group_by,
        read=read,
        keep=lambda usage: usage.endpoint in _MESSAGES and keeps(usage, wanted),
    )
    ungrouped = dict.fromkeys(groups)
    return _page(
        [
            _bucket(
                bucket.start,
                bucket.end,
                [{**tokens(row), **ungrouped, **row.group} for row in bucket.rows],
            )
            for bucket in buckets
        ],
        page.next_page,
    )


def tokens(row: Row) -> dict[str, object]:
    """Return the counts of a row in Anthropic's words."""
    return {
        "uncached_input_tokens": row.uncached_input_tokens,
        "cache_read_input_tokens": row.cached_input_tokens,
        "cache_creation": {
            "ephemeral_5m_input_tokens": row.cache_write_5m_tokens,
            "ephemeral_1h_input_tokens": row.cache_write_1h_tokens,
        },
        "output_tokens": row.output_tokens,
        "server_tool_use": {"web_search_requests": row.quantities.get("web_search_requests", 0)},
    }


def cost_report(ledger: Ledger, request: Request, now: datetime) -> Mapping[str, object]:
    """Return a page of the billed cost by day."""
    allow_only(request, frozenset(_PERIOD))
    group_by = array(request, "group_by", _COST_GROUPS)
    page = _page_of(request, now, _COST_WIDTHS)
    found = list(billed(ledger.visible(now, page.start, page.end)))
    cut = spans(page.start, page.end, page.width)
    inside = by_span(cut, found, lambda charge: charge.usage.at)
    return _page(
        [
            _bucket(begin, stop, _cost_results(bucket, group_by))
            for (begin, stop), bucket in zip(cut, inside, strict=True)
        ],
        page.next_page,
    )


def billed(usages: Sequence[Usage]) -> Iterator[Charge]:
    """Yield what the cost report includes: the Priority Tier is paid for elsewhere."""
    for usage in usages:
        if not str(read(usage, "service_tier")).startswith("priority"):
            yield from charges(usage)


def read_charge(charge: Charge, name: str) -> Value:
    """Return what a charge says about one dimension of cost."""
    is_tokens = charge.part is not Part.OTHER
    match name:
        case "cost_type":
            return "tokens" if is_tokens else charge.usage.endpoint
        case "token_type":
            return _TOKEN_TYPES[charge.part][0] if is_tokens else None
        case "description":
            return _description(charge)
        case "model" | "service_tier" | "context_window" | "inference_geo" if not is_tokens:
            return None
        case _:
            return read(charge.usage, name)


def _description(charge: Charge) -> str:
    if charge.part is Part.OTHER:
        return f"{charge.usage.endpoint.replace('_', ' ').title()} Usage"
    usual = ("standard", "0-200k", "global")
    special = [
        f" - {value}"
        for name in ("service_tier", "context_window", "inference_geo")
        if (value := read(charge.usage, name)) not in usual
    ]
    words = _TOKEN_TYPES[charge.part][1]
    return f"{charge.usage.model} Usage - {words}{''.join(special)}"


def _cost_results(found: Sequence[Charge], group_by: Sequence[str]) -> list[dict[str, object]]:
    names = [
        *(["workspace_id"] if "workspace_id" in group_by else []),
        *(_COST_FIELDS if "description" in group_by else ()),
    ]
    groups: defaultdict[tuple[Value, ...], Decimal] = defaultdict(Decimal)
    for charge in found:
        groups[tuple(read_charge(charge, name) for name in names)] += charge.cost_usd
    return [
        {
            "amount": cents(cost),
            "currency": "USD",
            **dict.fromkeys(("workspace_id", *_COST_FIELDS)),
            **dict(zip(names, key, strict=True)),
        }
        for key, cost in sorted(groups.items(), key=lambda group: str(group[0]))
    ]


def _page_of(request: Request, now: datetime, widths: Mapping[str, Width]) -> BucketPage:
    """Return the page that is asked for: whole buckets, the one that is not over yet included."""
    start = required_moment(request, "starting_at", now)
    end = moment(request, "ending_at", now) or now
    check_order(start, end)
    width = widths.get(str(one(request, "bucket_width", "1d")))
    if width is not None:
        start, end = snapped_down(start, width.length), snapped_up(end, width.length)
    return bucket_page(request, start, end, widths)


def _bucket(
    start: datetime, end: datetime, results: Sequence[Mapping[str, object]]
) -> dict[str, object]:
    return {"starting_at": written(start), "ending_at": written(end), "results": results}


def _page(data: Sequence[object], next_page: str | None) -> dict[str, object]:
    return {"data": data, "has_more": next_page is not None, "next_page": next_page}
