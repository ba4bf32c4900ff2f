"""Deepgram's management API: usage and bills by day of each project, told from a ledger."""

from collections.abc import Callable, Collection, Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

from exporter.demo.providers.ledger import Ledger, Row, Value
from exporter.demo.providers.organizations import Key
from exporter.demo.providers.services import Service, services_month
from exporter.demo.providers.spans import DAY, EPOCH
from exporter.demo.providers.wire import Answer, RefusalError, Request, allow_only, one

ROOT = "/v1"
API_KEY = "deepgram-simulated"
PROJECTS = {"8b6f0c1e": "Support line", "c27d9a40": "Podcasts"}
SCOPES = frozenset({"usage:read", "billing:read", "keys:read"})
PURCHASED_USD = Decimal(500)

_SERVICES = (
    Service(
        item="streaming::nova-3",
        model="nova-3",
        quantity="seconds",
        most=3600,
        usd_each=Decimal("0.000128"),
        weight=4,
    ),
    Service(
        item="prerecorded::nova-3",
        model="nova-3",
        quantity="seconds",
        most=7200,
        usd_each=Decimal("0.0000717"),
        weight=2,
    ),
    Service(
        item="tts::aura-2",
        model="aura-2",
        quantity="characters",
        most=4000,
        usd_each=Decimal("0.00003"),
        weight=2,
    ),
    Service(
        item="agent::standard",
        model="voice-agent",
        quantity="agent_seconds",
        most=900,
        usd_each=Decimal("0.00133"),
    ),
)
_KEYS = tuple(
    Key(id=f"{project}-key-{name}", name=name, project_id=project)
    for project in PROJECTS
    for name in ("production", "staging")
)


def deepgram_month(seed: int, until: datetime, days: int = 30) -> Ledger:
    """Return the ledger of the simulated projects."""
    ledger = services_month(seed, until, days, services=_SERVICES, keys=_KEYS)
    for project_id, name in PROJECTS.items():
        ledger.add_name("project", project_id, name)
    return ledger


class DeepgramApi:
    """Answers as Deepgram does; whether `end` is a day of the answer, it does not say."""

    def __init__(
        self,
        ledger: Ledger,
        *,
        scopes: Collection[str] = SCOPES,
        tells_end: bool = True,
        api_key: str = API_KEY,
    ) -> None:
        self.ledger = ledger
        self.scopes = scopes
        self.tells_end = tells_end
        self.api_key = api_key

    def answer(self, request: Request, now: datetime) -> Answer:
        """Answer a request at a moment."""
        try:
            return Answer(body=self._body(request, now))
        except RefusalError as refusal:
            return self.refuse(refusal.status, refusal.message)

    def refuse(self, status: int, message: str) -> Answer:
        """Return an error in Deepgram's words."""
        body = {"err_code": f"SIMULATED_{status}", "err_msg": message, "request_id": "0"}
        return Answer(status=status, body=body)

    def _body(self, request: Request, now: datetime) -> Mapping[str, object]:
        if request.headers.get("authorization") != f"Token {self.api_key}":
            raise RefusalError(401, "Invalid credentials.")
        if request.method != "GET":
            raise RefusalError(405, "Method not allowed.")
        projects = self.ledger.names["project"]
        match request.path.removeprefix(ROOT).strip("/").split("/"):
            case ["projects"]:
                listed = [{"project_id": id_, "name": name} for id_, name in projects.items()]
                return {"projects": listed}
            case ["projects", project_id, *_] if project_id not in projects:
                raise RefusalError(404, "Project not found.")
            case ["projects", project_id, "usage", "breakdown"]:
                self._demand("usage:read")
                return self._breakdown(request, project_id, now, {"models": ("model",)}, _used)
            case ["projects", project_id, "billing", "breakdown"]:
                self._demand("billing:read")
                groups = {"line_item": ("item",), "accessor": ("api_key_id",)}
                return self._breakdown(request, project_id, now, groups, _billed)
            case ["projects", project_id, "balances"]:
                self._demand("billing:read")
                return {"balances": [self._balance(project_id, now)]}
            case ["projects", project_id, "keys"]:
                self._demand("keys:read")
                return {"api_keys": self._keys(project_id)}
            case _:
                raise RefusalError(404, "Not found.")

    def _demand(self, scope: str) -> None:
        if scope not in self.scopes:
            raise RefusalError(403, f"The key lacks the scope {scope}.")

    def _balance(self, project_id: str, now: datetime) -> Mapping[str, object]:
        usages = self.ledger.visible(now, EPOCH, now + timedelta(microseconds=1))
        spent = sum((u.cost_usd for u in usages if u.project_id == project_id), Decimal(0))
        return {
            "balance_id": f"{project_id}-1",
            "amount": PURCHASED_USD - spent,
            "units": "usd",
            "purchase_order_id": "online",
        }

    def _keys(self, project_id: str) -> list[Mapping[str, object]]:
        return [
            {
                "member": {"member_id": "m-1", "email": "ops@example.com"},
                "api_key": {"api_key_id": key.id, "comment": key.name, "scopes": ["member"]},
            }
            for key in self.ledger.named("api_key")
            if key.project_id == project_id
        ]

    def _breakdown(
        self,
        request: Request,
        project_id: str,
        now: datetime,
        groups: Mapping[str, tuple[str, ...]],
        result: Callable[[Row], Mapping[str, object]],
    ) -> Mapping[str, object]:
        allow_only(request, frozenset({"start", "end", "grouping"}))
        wanted = request.query.get("grouping", ())
        if not set(wanted) <= set(groups):
            raise RefusalError(400, f"Invalid grouping: {', '.join(wanted)}.")
        start, end = _day(one(request, "start")), _day(one(request, "end"))
        if start >= end or end > now:
            raise RefusalError(400, "Invalid range of days.")
        buckets = self.ledger.rows(
            now,
            start,
            end + (DAY if self.tells_end else timedelta(0)),
            DAY,
            tuple(name for group in wanted for name in groups[group]),
            keep=lambda usage: usage.project_id == project_id,
        )
        return {
            "start": f"{start:%Y-%m-%d}",
            "end": f"{end:%Y-%m-%d}",
            "resolution": {"units": "day", "amount": 1},
            "results": [
                {**result(row), "grouping": _grouping(bucket.start, row.group)}
                for bucket in buckets
                for row in bucket.rows
            ],
        }


def _grouping(day: datetime, group: Mapping[str, Value]) -> Mapping[str, object]:
    return {
        "start": f"{day:%Y-%m-%d}",
        "end": f"{day:%Y-%m-%d}",
        "accessor": group.get("api_key_id"),
        "line_item": group.get("item"),
        "models": [group["model"]] if "model" in group else None,
        "deployment": None,
        "tags": None,
    }


def _used(row: Row) -> Mapping[str, object]:
    hours = {name: Decimal(amount) / 3600 for name, amount in row.quantities.items()}
    audio = hours.get("seconds", Decimal(0))
    return {
        "hours": audio,
        "total_hours": audio,
        "agent_hours": hours.get("agent_seconds", Decimal(0)),
        "tokens_in": 0,
        "tokens_out": 0,
        "tts_characters": row.quantities.get("characters", 0),
        "requests": row.requests,
    }


def _billed(row: Row) -> Mapping[str, object]:
    return {"dollars": row.cost_usd}


def _day(text: str | None) -> datetime:
    try:
        return datetime.combine(date.fromisoformat(text or ""), time(), UTC)
    except ValueError as error:
        raise RefusalError(400, "A date is written YYYY-MM-DD.") from error
