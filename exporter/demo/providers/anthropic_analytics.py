"""Anthropic's dimensional analytics (beta): usage and cost in rows, by key, actor and more."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from exporter.demo.providers.anthropic_reports import billed, read_charge, tokens
from exporter.demo.providers.anthropic_words import (
    array,
    cents,
    check_order,
    moment,
    read,
    required_moment,
    snapped_down,
    snapped_up,
    written,
)
from exporter.demo.providers.charges import SMALLEST, Charge
from exporter.demo.providers.ledger import Ledger, Row, Value
from exporter.demo.providers.spans import DAY, HOUR, MINUTE, by_span, spans
from exporter.demo.providers.wire import (
    RefusalError,
    Request,
    allow_only,
    bounded,
    one,
    page_position,
    page_token,
)

BETA = "analytics-usage-cost-2026-08-24"
GROUPS = (
    "actor",
    "actor_type",
    "agent_id",
    "api_key_id",
    "claude_tag_category",
    "claude_tag_user_id",
    "context_window",
    "deployment_id",
    "environment_id",
    "inference_geo",
    "model",
    "organization_id",
    "product",
    "rbac_group_id",
    "service_tier",
    "session_id",
    "slack_channel_id",
    "speed",
    "user_profile_id",
    "workspace_id",
)
COST_GROUPS = ("cost_type", "token_type")  # they count neither in the five nor in `limit`
_PARAMETERS = frozenset(
    {
        "starting_at",
        "ending_at",
        "time_bucket_width",
        "limit",
        "page",
        "order_by",
        "order",
        "group_by[]",
    }
)
_WIDTHS = {"1m": MINUTE, "1h": HOUR, "1d": DAY}
_FIRST_DAY = datetime(2026, 1, 1, tzinfo=UTC)
_MESSAGES = frozenset({"completions", "web_search"})


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a request wants to see."""

    start: datetime
    end: datetime
    width: timedelta
    group_by: tuple[str, ...]


# The rows of one group in one bucket: more than one where cost types are told apart.
_Group = list[dict[str, object]]


class Analytics:
    """Answers the two analytics reports; its cursors expire when its data is refreshed."""

    def __init__(self, ledger: Ledger, discount: Decimal) -> None:
        self._ledger = ledger
        self._discount = discount
        self._generation = 0

    def refresh(self) -> None:
        """Refresh the data: tokens of pages that were handed out before are gone (410)."""
        self._generation += 1

    def usage(self, request: Request, now: datetime) -> Mapping[str, object]:
        """Return a page of usage rows."""
        asked = _asked(request, now, GROUPS)
        buckets = self._ledger.rows(
            now,
            asked.start,
            asked.end,
            asked.width,
            asked.group_by,
            read=read,
            keep=lambda usage: usage.endpoint in _MESSAGES,
        )
        groups: list[_Group] = [
            [{**_when(bucket.start, bucket.end), "group": row.group, "usage": _usage(row)}]
            for bucket in buckets
            for row in bucket.rows
        ]
        return self._page(request, groups, now)

    def cost(self, request: Request, now: datetime) -> Mapping[str, object]:
        """Return a page of cost rows."""
        asked = _asked(request, now, (*GROUPS, *COST_GROUPS))
        found = list(billed(self._ledger.visible(now, asked.start, asked.end)))
        cut = spans(asked.start, asked.end, asked.width)
        inside = by_span(cut, found, lambda charge: charge.usage.at)
        groups = [
            group
            for (begin, stop), bucket in zip(cut, inside, strict=True)
            for group in self._cost_groups(begin, stop, bucket, asked.group_by)
        ]
        return self._page(request, groups, now)

    def _cost_groups(
        self, start: datetime, end: datetime, found: Sequence[Charge], group_by: Sequence[str]
    ) -> Iterator[_Group]:
        counted = [name for name in group_by if name not in COST_GROUPS]
        split = [name for name in group_by if name in COST_GROUPS]
        for outer, members in _grouped(found, lambda charge: _key(charge, counted)):
            rows: _Group = []
            for inner, charges in _grouped(members, lambda charge: _key(charge, split)):
                cost = sum((charge.cost_usd for charge in charges), Decimal(0))
                usages = {id(charge.usage): charge.usage for charge in charges}
                requests = sum(usage.requests for usage in usages.values())
                rows.append(
                    {
                        **_when(start, end),
                        "group": {
                            **dict(zip(counted, outer, strict=True)),
                            **dict(zip(split, inner, strict=True)),
                        },
                        "cost": {
                            "amount": cents(cost),
                            "list_amount": cents(self._list_price(cost)),
                            "currency": "USD",
                            "requests": None if split else requests,
                        },
                    }
                )
            yield rows

    def _list_price(self, cost: Decimal) -> Decimal:
        return (cost / (1 - self._discount)).quantize(SMALLEST)

    def _page(self, request: Request, groups: list[_Group], now: datetime) -> dict[str, object]:
        if one(request, "order", "asc") == "desc":
            groups = groups[::-1]
        limit = bounded(request, "limit", 20, 1000)
        generation, begin = self._generation, 0
        position = page_position(request)
        if position is not None:
            generation, begin = map(int, position.split(":"))
        if generation != self._generation:
            raise RefusalError(410, "page: cursor expired because the data was refreshed")
        stop = begin + limit
        more = page_token(request, f"{generation}:{stop}") if stop < len(groups) else None
        return {
            "data": [row for group in groups[begin:stop] for row in group],
            "has_more": more is not None,
            "next_page": more,
            "data_refreshed_at": written(snapped_down(now, HOUR)),
        }


def _asked(request: Request, now: datetime, groups: Sequence[str]) -> _Asked:
    allow_only(request, _PARAMETERS)
    group_by = array(request, "group_by", groups)
    if len([name for name in group_by if name not in COST_GROUPS]) > 5:
        raise RefusalError(400, "group_by: at most 5 dimensions")
    start = required_moment(request, "starting_at", now)
    if start < max(_FIRST_DAY, now - 365 * DAY):
        raise RefusalError(400, "starting_at: must be within 365 days and not before 2026-01-01")
    name = one(request, "time_bucket_width")
    end = moment(request, "ending_at", now)
    if end is None and name is not None:
        raise RefusalError(400, "ending_at: Field required with time_bucket_width")
    end = end or now
    check_order(start, end)
    most = DAY if name == "1m" else 31 * DAY
    if end - start > most:
        raise RefusalError(400, f"ending_at: the range must be at most {most / HOUR:.0f} hours")
    if name is None:
        return _Asked(start, end, _whole(start, end), group_by)
    if name not in _WIDTHS:
        raise RefusalError(400, "time_bucket_width: Input should be '1m', '1h', '1d'")
    width = _WIDTHS[name]
    return _Asked(snapped_down(start, width), snapped_up(end, width), width, group_by)


def _whole(start: datetime, end: datetime) -> timedelta:
    """Return a width that holds the whole range: wider than a day, it is not cut at midnight."""
    return max(end - start, DAY + MINUTE)


def _grouped(
    found: Sequence[Charge], key: Callable[[Charge], tuple[Value, ...]]
) -> list[tuple[tuple[Value, ...], list[Charge]]]:
    groups: dict[tuple[Value, ...], list[Charge]] = {}
    for charge in found:
        groups.setdefault(key(charge), []).append(charge)
    return sorted(groups.items(), key=lambda group: str(group[0]))


def _key(charge: Charge, names: Sequence[str]) -> tuple[Value, ...]:
    return tuple(read_charge(charge, name) for name in names)


def _when(start: datetime, end: datetime) -> dict[str, object]:
    return {"starting_at": written(start), "ending_at": written(end)}


def _usage(row: Row) -> dict[str, object]:
    total = row.input_tokens + row.output_tokens
    return {"requests": row.requests, "total_tokens": total, **tokens(row)}
