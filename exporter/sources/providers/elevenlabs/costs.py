"""ElevenLabs' costs by UTC day, product and model, in the currency of the workspace.

https://elevenlabs.io/docs/api-reference/workspace/analytics/usage
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal

import msgspec

from exporter.errors import RefusedRequestError, SourceError
from exporter.http_client import HttpClient
from exporter.records import CostBucket
from exporter.sources.polling.spans import DAY, Rhythm, Span
from exporter.sources.polling.wire import dollars, from_unix, start_of_day
from exporter.sources.providers.elevenlabs.subscription import demand_good_key

RHYTHM = Rhythm(
    bucket=DAY, reread=3 * DAY, reread_daily=35 * DAY, at_most=7 * DAY, settled_after=DAY
)
# Of product, user, key and region only one may be grouped by.
_GROUPS = ("product_type", "model", "fiat_currency")
_THE_DAY = "day"  # its column has a documented type, and no documented name


class _Table(msgspec.Struct):
    columns: list[str]
    column_types: list[str]
    column_units: list[str | None]
    rows: list[list[msgspec.Raw]]  # not Any: a float would not be exact


class _Cost(msgspec.Struct):
    day: str | int
    total_cost: Decimal
    total_charge_count: Decimal | None
    product_type: str | None
    model: str | None
    fiat_currency: str | None


def read_costs(http: HttpClient, source: str, span: Span) -> list[CostBucket]:
    """Read costs; the answer may hold one day more than was asked for.

    Raises:
        RefusedRequestError: 403 where only costs are refused: ElevenLabs says 401 of a key that
            lacks one permission, and 422 of a question that does not suit.
    """
    question = {
        "start_time": int(span.from_at.timestamp()) * 1000,
        "end_time": int(span.until_at.timestamp()) * 1000,
        "interval_seconds": 86400,
        "group_by": _GROUPS,
    }
    try:
        table = http.post("v1/workspace/analytics/usage", question, into=_Table)
    except RefusedRequestError as error:
        if error.status not in (401, 422):
            raise
        demand_good_key(http)
        raise RefusedRequestError(str(error), reason=error.reason, status=403) from None
    units = dict(zip(table.columns, table.column_units, strict=False))
    found = [_bucket(source, cost, units) for cost in _costs(table)]
    return [bucket for bucket in found if bucket.bucket_start != span.until_at]


def _costs(table: _Table) -> Iterator[_Cost]:
    names = [
        _THE_DAY if kind == "DateTime" else name
        for name, kind in zip(table.columns, table.column_types, strict=False)
    ]
    if names.count(_THE_DAY) != 1:
        raise _changed("costs have more than one time, or none")
    try:
        for row in table.rows:
            named = dict(zip(names, row, strict=True))
            yield msgspec.json.decode(msgspec.json.encode(named), type=_Cost)
    except ValueError as misfit:
        raise _changed(f"a row of costs does not fit: {str(misfit)[:100]}") from None


def _bucket(source: str, cost: _Cost, units: Mapping[str, str | None]) -> CostBucket:
    currency = cost.fiat_currency or units.get("total_cost")
    if not currency:
        raise _changed("a cost has no currency")
    return CostBucket(
        source=source,
        provider="elevenlabs",
        report="costs",
        bucket_start=_day(cost.day),
        bucket_seconds=86400,
        model=cost.model or None,
        line_item=cost.product_type or None,
        amount=dollars(cost.total_cost),
        currency=currency.upper(),
        quantity=cost.total_charge_count,
        quantity_unit=units.get("total_charge_count"),
    )


def _day(at: str | int) -> datetime:
    """Return the UTC day of a row, told as a text or as milliseconds."""
    if isinstance(at, int):
        return start_of_day(from_unix(at // 1000))
    try:
        day = datetime.fromisoformat(at)
    except ValueError:
        raise _changed(f"{at[:40]!r} is no time") from None
    return start_of_day(day if day.tzinfo else day.replace(tzinfo=UTC))


def _changed(message: str) -> SourceError:
    return SourceError(
        f"ElevenLabs' answer is not what we know: {message}", reason="answer_changed"
    )
