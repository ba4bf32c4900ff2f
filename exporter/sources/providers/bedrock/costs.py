"""What AWS bills for Bedrock: by UTC day, service and usage type, from Cost Explorer.

Each answer of Cost Explorer costs 0.01 USD, so little is asked, and less after failures.
https://docs.aws.amazon.com/aws-cost-management/latest/APIReference/API_GetCostAndUsage.html
"""

import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from exporter.errors import SourceError, TransientError
from exporter.records import CostBucket
from exporter.sources.polling.paging import pages
from exporter.sources.polling.spans import DAY, HOUR, Rhythm, Span
from exporter.sources.polling.wire import dollars, floor, utc_day
from exporter.sources.providers.bedrock.door import Door

RHYTHM = Rhythm(
    bucket=DAY,
    reread=3 * DAY,
    reread_daily=35 * DAY,  # until the month's invoice is made, amounts are estimates
    at_most=92 * DAY,
    settled_after=timedelta(hours=24),
    reaches_back=365 * DAY,
    every=6 * HOUR,
)
_QUIET_SECONDS = 3600
_PATIENT_FAILURES = 3
_COST, _QUANTITY = "UnblendedCost", "UsageQuantity"
_NOT_ONE_UNIT = "N/A"


class Costs:
    """Reads the account's costs: usually eight answers a day, 2.50 USD a month."""

    def __init__(
        self, door: Door, source: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._door = door
        self._source = source
        self._clock = clock
        self._failure = ""
        self._failures = 0  # in a row
        self._quiet_until = 0.0

    def read(self, span: Span) -> list[CostBucket]:
        """Read the days of all services whose name tells of Bedrock.

        Models of others are billed as services of their own: "… (Amazon Bedrock Edition)".
        """
        if self._clock() < self._quiet_until:
            raise TransientError(f"not asked again within an hour: {self._failure}")
        try:
            found = self._read(span)
        except (TransientError, SourceError) as error:
            self._failure = str(error)
            self._failures += 1
            if self._failures >= _PATIENT_FAILURES:
                self._quiet_until = self._clock() + _QUIET_SECONDS
            raise
        self._failures = 0
        return found

    def _read(self, span: Span) -> list[CostBucket]:
        last = floor(span.until_at - timedelta(microseconds=1), DAY)
        period = {"Start": _day(span.from_at), "End": _day(last + DAY)}
        services = [
            value["Value"]
            for page in self._pages(
                "get_dimension_values",
                "DimensionValues",
                TimePeriod=period,
                Dimension="SERVICE",
                SearchString="Bedrock",
            )
            for value in page["DimensionValues"]
            if "bedrock" in value.get("Value", "").lower()
        ]
        if not services:
            return []
        return [
            self._bucket(day, group)
            for page in self._pages(
                "get_cost_and_usage",
                "ResultsByTime",
                TimePeriod=period,
                Granularity="DAILY",
                Metrics=[_COST, _QUANTITY],
                GroupBy=[
                    {"Type": "DIMENSION", "Key": "SERVICE"},
                    {"Type": "DIMENSION", "Key": "USAGE_TYPE"},
                ],
                Filter={"Dimensions": {"Key": "SERVICE", "Values": sorted(services)}},
            )
            for day in page["ResultsByTime"]
            for group in day.get("Groups", ())
        ]

    def _pages(self, operation: str, told: str, **parameters: object) -> Iterator[dict[str, Any]]:
        return pages(
            lambda token: self._door.ask(
                operation, told, **parameters, **({"NextPageToken": token} if token else {})
            ),
            lambda page: page.get("NextPageToken") or None,
        )

    def _bucket(self, day: dict[str, Any], group: dict[str, Any]) -> CostBucket:
        try:
            service, usage_type = group["Keys"]
            cost, used = group["Metrics"][_COST], group["Metrics"][_QUANTITY]
            amount, quantity = Decimal(cost["Amount"]), Decimal(used["Amount"])
            start, currency, unit = day["TimePeriod"]["Start"], cost["Unit"], used["Unit"]
        except (InvalidOperation, LookupError, TypeError, ValueError):
            raise SourceError(
                "Cost Explorer answered with a group that is not what we know",
                reason="answer_changed",
            ) from None
        is_counted = unit != _NOT_ONE_UNIT and quantity.is_finite()
        return CostBucket(
            source=self._source,
            provider="aws",
            report="costs",
            bucket_start=utc_day(start),
            bucket_seconds=86400,
            dimensions={"service": service},
            line_item=usage_type,
            amount=dollars(amount),
            currency=currency,
            quantity=quantity if is_counted else None,
            quantity_unit=unit if is_counted else None,
        )


def _day(at: Any) -> str:
    return f"{at:%Y-%m-%d}"
