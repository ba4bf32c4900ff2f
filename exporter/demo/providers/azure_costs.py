"""Cost Management's table of a scope, told from a ledger: rows by position, page after page."""

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec

from exporter.demo.providers.charges import charges
from exporter.demo.providers.ledger import Ledger
from exporter.demo.providers.wire import RefusalError, Request, one

_COLUMNS = (
    ("Cost", "Number"),
    ("UsageDate", "Number"),
    ("Meter", "String"),
    ("ResourceId", "String"),
    ("Currency", "String"),
)


@dataclass(frozen=True, slots=True)
class RowPage:
    """How the table is told."""

    currency: str
    rows: int
    resource_id: Callable[[str], str]


def cost_page(
    ledger: Ledger, request: Request, now: datetime, page: RowPage
) -> Mapping[str, object]:
    """Return the rows that the request asks for."""
    if not request.body:
        raise RefusalError(400, "The request body is required.", code="BadRequest")
    question: dict[str, Any] = msgspec.json.decode(request.body)
    period = question["timePeriod"]
    start, last = (datetime.fromisoformat(period[name]) for name in ("from", "to"))
    if question["timeframe"] != "Custom" or last > now:
        raise RefusalError(400, "Invalid time period.", code="BadRequest")
    dataset = question["dataset"]
    grouping = [one["name"] for one in dataset["grouping"]]
    if dataset["granularity"] != "Daily" or grouping != ["Meter", "ResourceId"]:
        raise RefusalError(400, "The simulation groups by day, meter and resource.")
    rows = _rows(ledger, now, start, last, page)
    first = int(one(request, "$skiptoken", "0") or 0)
    after = first + page.rows
    link = None
    if after < len(rows):
        place = f"http://{request.headers['host']}{request.path}"
        link = f"{place}?api-version={one(request, 'api-version')}&$skiptoken={after}"
    return {
        "id": "subscriptions/simulated/providers/Microsoft.CostManagement/query/1",
        "name": "1",
        "type": "Microsoft.CostManagement/query",
        "properties": {
            "nextLink": link,
            "columns": [{"name": name, "type": kind} for name, kind in _COLUMNS],
            "rows": rows[first:after],
        },
    }


def _rows(
    ledger: Ledger, now: datetime, start: datetime, last: datetime, page: RowPage
) -> list[list[object]]:
    sums: defaultdict[tuple[int, str, str], Decimal] = defaultdict(Decimal)
    for usage in ledger.visible(now, start, last):
        account = page.resource_id(usage.project_id or "nobody").lower()
        for charge in charges(usage):
            meter = f"{usage.model} {charge.part} Tokens"
            sums[int(f"{usage.at:%Y%m%d}"), meter, account] += charge.cost_usd
    return [
        [cost, day, meter, account, page.currency]
        for (day, meter, account), cost in sorted(sums.items())
    ]
