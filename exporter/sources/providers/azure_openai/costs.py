"""What Azure bills for its AI services: by UTC day, resource and meter, from Cost Management.

https://learn.microsoft.com/en-us/rest/api/cost-management/query/usage
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal

import msgspec

from exporter.errors import SourceError
from exporter.http_client import HttpClient
from exporter.records import CostBucket
from exporter.sources.polling.bearer import Bearer
from exporter.sources.polling.paging import pages
from exporter.sources.polling.spans import DAY, HOUR, Rhythm, Span
from exporter.sources.polling.wire import dollars, rfc3339, utc_day

RHYTHM = Rhythm(
    bucket=DAY,
    reread=3 * DAY,
    reread_daily=35 * DAY,  # a month's costs are open until some days after its end
    at_most=31 * DAY,
    settled_after=timedelta(hours=24),
    reaches_back=365 * DAY,
    every=4 * HOUR,  # the quota is the tenant's, shared with its people
)
# Azure names the service anew every other year.
_SERVICES = ["Cognitive Services", "Azure OpenAI", "Foundry Models"]


class _Column(msgspec.Struct):
    name: str


class _Table(msgspec.Struct, rename="camel"):
    columns: list[_Column]
    rows: list[list[msgspec.Raw]]
    next_link: str | None = None


class _Answer(msgspec.Struct):
    properties: _Table


class _Row(msgspec.Struct, rename="pascal"):
    cost: Decimal
    usage_date: int
    currency: str
    meter: str | None = None
    resource_id: str | None = None


class Costs:
    """Reads what a subscription or resource group is billed."""

    def __init__(self, http: HttpClient, bearer: Bearer, source: str, scope: str) -> None:
        self._http = http
        self._bearer = bearer
        self._source = source
        self._path = f"{scope}/providers/Microsoft.CostManagement/query?api-version=2025-03-01"

    def read(self, span: Span) -> list[CostBucket]:
        """Read the days of a span."""
        return [self._bucket(row) for table in self._tables(span) for row in _rows(table)]

    def _tables(self, span: Span) -> Iterator[_Table]:
        question = _question(span)

        def ask(link: str | None) -> _Table:
            return self._bearer.ask(
                lambda headers: self._http.post(
                    link or self._path, question, into=_Answer, headers=headers
                )
            ).properties

        return pages(ask, lambda table: table.next_link or None)

    def _bucket(self, row: _Row) -> CostBucket:
        return CostBucket(
            source=self._source,
            provider="azure",
            report="costs",
            bucket_start=_day(row.usage_date),
            bucket_seconds=86400,
            project_id=row.resource_id.lower() if row.resource_id else None,
            line_item=row.meter or None,
            amount=dollars(row.cost),
            currency=row.currency.upper(),
        )


def _question(span: Span) -> dict[str, object]:
    return {
        "type": "ActualCost",
        "timeframe": "Custom",
        # Both ends are in it.
        "timePeriod": {
            "from": rfc3339(span.from_at),
            "to": rfc3339(span.until_at - timedelta(seconds=1)),
        },
        "dataset": {
            "granularity": "Daily",
            "aggregation": {"totalCost": {"name": "Cost", "function": "Sum"}},
            "grouping": [
                {"type": "Dimension", "name": "Meter"},
                {"type": "Dimension", "name": "ResourceId"},
            ],
            "filter": {
                "dimensions": {"name": "ServiceName", "operator": "In", "values": _SERVICES}
            },
        },
    }


def _rows(table: _Table) -> Iterator[_Row]:
    """Give the cells their columns' names; their order is the answer's to choose."""
    names = [column.name for column in table.columns]
    for cells in table.rows:
        try:
            named = msgspec.json.encode(dict(zip(names, cells, strict=True)))
            yield msgspec.json.decode(named, type=_Row)
        except (ValueError, msgspec.DecodeError):
            raise SourceError(
                f"Cost Management answered with a row that does not fit {', '.join(names)}"[:200],
                reason="answer_changed",
            ) from None


def _day(number: int) -> datetime:
    text = str(number)
    return utc_day(f"{text[:4]}-{text[4:6]}-{text[6:]}")
