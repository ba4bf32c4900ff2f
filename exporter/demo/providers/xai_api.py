"""xAI's management API: credits and costs of a team, told from a ledger."""

from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import ROUND_DOWN, Decimal

import msgspec

from exporter.demo.providers.ledger import Ledger
from exporter.demo.providers.organizations import Key
from exporter.demo.providers.services import Service, services_month
from exporter.demo.providers.spans import DAY, EPOCH
from exporter.demo.providers.wire import Answer, RefusalError, Request

MANAGEMENT_KEY = "xai-management-simulated"
TEAM_ID = "3f1f7b52-0000-4000-8000-5f2e6a1d0c11"
PURCHASED_USD = Decimal(300)

_SERVICES = (
    Service(
        item="Chat grok-4.6",
        model="grok-4.6",
        quantity="tokens",
        most=90_000,
        usd_each=Decimal("0.00000431"),
        weight=4,
    ),
    Service(
        item="API grok-imagine-image-2.0",
        model="grok-imagine-image-2.0",
        quantity="images",
        most=6,
        usd_each=Decimal("0.07"),
    ),
    Service(
        item="File Storage",
        model=None,
        quantity="megabytes",
        most=500,
        usd_each=Decimal("0.0000083"),
    ),
)


def xai_month(seed: int, until: datetime, days: int = 30) -> Ledger:
    """Return the ledger of the simulated team."""
    keys = (Key(id="xai-1", name="production", project_id=None),)
    return services_month(seed, until, days, services=_SERVICES, keys=keys)


class _TimeRange(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    start_time: str
    end_time: str
    timezone: str


class _Value(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    aggregation: str


class _Analytics(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    time_range: _TimeRange
    time_unit: str
    values: list[_Value]
    group_by: list[str]
    filters: list[str]


class _Question(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    analytics_request: _Analytics


class XaiApi:
    """Answers as xAI does; `most_points` is how much an answer of costs may hold."""

    def __init__(
        self,
        ledger: Ledger,
        *,
        may_read_costs: bool = True,
        most_points: int = 10_000,
        management_key: str = MANAGEMENT_KEY,
    ) -> None:
        self.ledger = ledger
        self.may_read_costs = may_read_costs
        self.most_points = most_points
        self.management_key = management_key

    def answer(self, request: Request, now: datetime) -> Answer:
        """Answer a request at a moment."""
        try:
            return Answer(body=self._body(request, now))
        except RefusalError as refusal:
            return self.refuse(refusal.status, refusal.message)

    def refuse(self, status: int, message: str) -> Answer:
        """Return an error in xAI's words."""
        return Answer(status=status, body={"code": f"simulated {status}", "error": message})

    def _body(self, request: Request, now: datetime) -> Mapping[str, object]:
        if request.headers.get("authorization") != f"Bearer {self.management_key}":
            raise RefusalError(401, "Invalid management key")
        team = f"/v1/billing/teams/{TEAM_ID}"
        match request.method, request.path.removeprefix(team):
            case "GET", "/auth/management-keys/validation":
                return {"scope": "SCOPE_TEAM", "scopeId": TEAM_ID, "name": "exporter"}
            case "GET", "/prepaid/balance":
                return {"total": _credit(self._posted(now)), "changes": []}
            case "GET", "/postpaid/invoice/preview":
                return self._preview(now)
            case "POST", "/usage" if self.may_read_costs:
                return self._costs(request, now)
            case "POST", "/usage":
                raise RefusalError(403, "The key may not read usage")
            case _:
                raise RefusalError(404, "Not found")

    def _posted(self, now: datetime) -> Decimal:
        """Return what was bought less what was spent in months that are over."""
        return PURCHASED_USD - self._spent(EPOCH, _month(now), now)

    def _preview(self, now: datetime) -> Mapping[str, object]:
        spent = self._spent(_month(now), now + timedelta(microseconds=1), now)
        return {
            "coreInvoice": {
                "prepaidCredits": _credit(self._posted(now)),
                "prepaidCreditsUsed": _credit(spent),
                "totalWithCorr": {"val": str(-_in_cents(spent))},
            },
            "billingCycle": {"year": now.year, "month": now.month},
        }

    def _spent(self, start: datetime, end: datetime, now: datetime) -> Decimal:
        usages = self.ledger.visible(now, start, end)
        return sum((usage.cost_usd for usage in usages), Decimal(0))

    def _costs(self, request: Request, now: datetime) -> Mapping[str, object]:
        try:
            asked = msgspec.json.decode(request.body, type=_Question).analytics_request
        except msgspec.DecodeError as error:
            raise RefusalError(400, str(error)) from error
        start, end = _time(asked.time_range.start_time), _time(asked.time_range.end_time)
        told = (asked.time_unit, asked.group_by, [(v.name, v.aggregation) for v in asked.values])
        if told != ("TIME_UNIT_DAY", ["description"], [("usd", "AGGREGATION_SUM")]) or end > now:
            raise RefusalError(400, "Invalid request")
        last = end - (end - EPOCH) % DAY
        series: defaultdict[str, dict[datetime, Decimal]] = defaultdict(dict)
        days = self.ledger.rows(now, start, last + DAY, DAY, ("item",))
        for day in days:
            for row in day.rows:
                series[str(row.group["item"])][day.start] = row.cost_usd
        points = [
            (item, day.start, amounts.get(day.start, Decimal(0)))
            for item, amounts in sorted(series.items())
            for day in days
        ]
        return {
            "timeSeries": [
                {
                    "group": [item],
                    "groupLabels": [item],
                    "dataPoints": [
                        {"timestamp": f"{at:%Y-%m-%dT%H:%M:%SZ}", "values": [amount]}
                        for of, at, amount in points[: self.most_points]
                        if of == item
                    ],
                }
                for item in sorted(series)
            ],
            "limitReached": len(points) > self.most_points,
        }


def _month(now: datetime) -> datetime:
    return now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def _in_cents(amount: Decimal) -> int:
    """Return whole cents, negative: what is credit."""
    return -int((amount * 100).to_integral_value(ROUND_DOWN))


def _credit(amount: Decimal) -> Mapping[str, str]:
    return {"val": str(_in_cents(amount))}


def _time(text: str) -> datetime:
    try:
        return datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
    except ValueError as error:
        raise RefusalError(400, "A time is written YYYY-MM-DD HH:MM:SS") from error
