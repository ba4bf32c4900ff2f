"""ElevenLabs' API: the subscription, and the workspace's costs by day, told from a ledger."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

import msgspec

from exporter.demo.providers.ledger import Ledger, Row, Usage, Value, dimension
from exporter.demo.providers.organizations import Key
from exporter.demo.providers.services import Service, services_month
from exporter.demo.providers.spans import DAY, EPOCH
from exporter.demo.providers.wire import Answer, RefusalError, Request

API_KEY = "elevenlabs-simulated"
PERMISSIONS = frozenset({"user_read", "workspace_analytics_full_read"})
CHARACTER_LIMIT = 2_000_000

_WHOSE = frozenset({"user_id", "hashed_xi_api_key", "region", "product_type"})
_ALWAYS = frozenset({"model", "request_source", "fiat_charge_type", "fiat_currency"})
_MILLISECOND = timedelta(milliseconds=1)
_SERVICES = (
    Service(
        item="TTS",
        model="eleven_multilingual_v2",
        quantity="characters",
        most=5000,
        usd_each=Decimal("0.00022"),
        weight=4,
    ),
    Service(
        item="TTS",
        model="eleven_flash_v2_5",
        quantity="characters",
        most=3000,
        usd_each=Decimal("0.00011"),
        weight=3,
    ),
    Service(
        item="Speech to Text",
        model="scribe_v1",
        quantity="characters",
        most=900,
        usd_each=Decimal("0.000111"),
    ),
    Service(
        item="Dubbing",
        model=None,
        quantity="characters",
        most=2000,
        usd_each=Decimal("0.0005"),
    ),
)


def elevenlabs_month(seed: int, until: datetime, days: int = 30) -> Ledger:
    """Return the ledger of the simulated workspace."""
    keys = (Key(id="xi-1", name="production", project_id=None),)
    return services_month(seed, until, days, services=_SERVICES, keys=keys)


class _Question(msgspec.Struct, forbid_unknown_fields=True):
    start_time: int
    end_time: int
    interval_seconds: int
    group_by: list[str] = []


class ElevenLabsApi:
    """Answers as ElevenLabs does a workspace that is billed by cost, or in credits."""

    def __init__(
        self,
        ledger: Ledger,
        *,
        permissions: Collection[str] = PERMISSIONS,
        is_billed_by_cost: bool = True,
        currency: str = "usd",
        api_key: str = API_KEY,
    ) -> None:
        self.ledger = ledger
        self.permissions = permissions
        self.is_billed_by_cost = is_billed_by_cost
        self.currency = currency
        self.api_key = api_key

    def answer(self, request: Request, now: datetime) -> Answer:
        """Answer a request at a moment."""
        try:
            return Answer(body=self._body(request, now))
        except RefusalError as refusal:
            return self.refuse(refusal.status, refusal.message)

    def refuse(self, status: int, message: str) -> Answer:
        """Return an error in ElevenLabs' words."""
        return Answer(
            status=status, body={"detail": {"status": f"simulated_{status}", "message": message}}
        )

    def _body(self, request: Request, now: datetime) -> Mapping[str, object]:
        if request.headers.get("xi-api-key") != self.api_key:
            raise RefusalError(401, "Invalid API key")
        match request.method, request.path:
            case "GET", "/v1/user/subscription":
                self._demand("user_read")
                return self._subscription(now)
            case "POST", "/v1/workspace/analytics/usage":
                self._demand("workspace_analytics_full_read")
                return self._costs(request, now)
            case _:
                raise RefusalError(404, "Not Found")

    def _demand(self, permission: str) -> None:
        if permission not in self.permissions:
            raise RefusalError(401, f"The API key is missing the permission {permission}.")

    def _subscription(self, now: datetime) -> Mapping[str, object]:
        month = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        usages = self.ledger.visible(now, month, now + _MILLISECOND)
        return {
            "tier": "scale",
            "character_count": sum(usage.quantities["characters"] for usage in usages),
            "character_limit": CHARACTER_LIMIT,
            "max_credit_limit_extension": "unlimited",
            "can_extend_character_limit": True,
            "currency": self.currency,
            "status": "active",
            "voice_limit": 660,
        }

    def _costs(self, request: Request, now: datetime) -> Mapping[str, object]:
        try:
            question = msgspec.json.decode(request.body, type=_Question)
        except msgspec.DecodeError as error:
            raise RefusalError(422, str(error)) from error
        whose = _WHOSE.intersection(question.group_by)
        if len(whose) > 1 or not _ALWAYS.union(whose).issuperset(question.group_by):
            raise RefusalError(422, "Invalid group_by")
        if not self.is_billed_by_cost:
            raise RefusalError(400, "Use usage-by-product-over-time for workspaces with credits")
        start, end = (EPOCH + ms * _MILLISECOND for ms in (question.start_time, question.end_time))
        if question.interval_seconds != 86400 or end > now:
            raise RefusalError(422, "Invalid interval or range")
        return self._table(start, end, question.group_by, now)

    def _table(
        self, start: datetime, end: datetime, group_by: Sequence[str], now: datetime
    ) -> Mapping[str, object]:
        # Whole days, that of the end among them even where the end is its first moment.
        last = end - (end - EPOCH) % DAY
        buckets = self.ledger.rows(now, start, last + DAY, DAY, group_by, read=self._read)
        return {
            "columns": [*group_by, "timestamp", "total_cost", "total_charge_count"],
            "column_types": ["String"] * len(group_by) + ["DateTime", "Float", "Float"],
            "column_units": [None] * (len(group_by) + 1) + [self.currency, None],
            "rows": [
                [*row.group.values(), f"{bucket.start:%Y-%m-%dT%H:%M:%SZ}", *_amounts(row)]
                for bucket in buckets
                for row in bucket.rows
            ],
        }

    def _read(self, usage: Usage, name: str) -> Value:
        match name:
            case "product_type":
                return usage.labels["item"]
            case "fiat_currency":
                return self.currency
            case "model":
                return usage.model or None
            case _:
                return dimension(usage, name)


def _amounts(row: Row) -> tuple[Decimal, int]:
    return row.cost_usd, row.quantities["characters"]
