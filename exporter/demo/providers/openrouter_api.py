"""OpenRouter's API: credits, keys and the activity of completed days, told from a ledger."""

from collections.abc import Callable, Collection, Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import partial

from exporter.demo.providers.ledger import Ledger, Named, Row, Usage, Value, dimension
from exporter.demo.providers.spans import DAY, EPOCH
from exporter.demo.providers.wire import Answer, RefusalError, Request, allow_only, bounded, one

ROOT = "/api/v1"
MANAGEMENT_KEY = "sk-or-v1-management-simulated"
ACTIVITY_DAYS = 30
KEYS_PER_PAGE = 100

_GROUPS = ("model", "model_permaslug", "endpoint_id", "provider_name", "byok")
_NO_LIMIT: Mapping[str, object] = {"limit": None, "limit_remaining": None, "limit_reset": None}


class OpenRouterApi:
    """Answers as OpenRouter does; `inference_keys` maps a secret to the id of its key."""

    def __init__(
        self,
        ledger: Ledger,
        *,
        total_credits: Decimal = Decimal(1000),
        management_keys: Collection[str] = (MANAGEMENT_KEY,),
        inference_keys: Mapping[str, str] | None = None,
    ) -> None:
        self.ledger = ledger
        self.total_credits = total_credits
        self.management_keys = management_keys
        self.inference_keys = inference_keys or {}

    def answer(self, request: Request, now: datetime) -> Answer:
        """Answer a request at a moment."""
        try:
            return Answer(body={"data": self._data(request, now)})
        except RefusalError as refusal:
            return self.refuse(refusal.status, refusal.message)

    def refuse(self, status: int, message: str) -> Answer:
        """Return an error in OpenRouter's words."""
        error = {"code": status, "message": message, "metadata": {}}
        return Answer(status=status, body={"error": error, "user_id": None})

    def _data(self, request: Request, now: datetime) -> object:
        scheme, _, secret = request.headers.get("authorization", "").partition(" ")
        is_management = secret in self.management_keys
        if scheme != "Bearer" or not (is_management or secret in self.inference_keys):
            raise RefusalError(401, "No auth credentials found")
        if request.method != "GET":
            raise RefusalError(405, "Method not allowed")
        path = request.path.removeprefix(ROOT)
        if path == "/key":
            return self._key(self.inference_keys.get(secret), now)
        reports: dict[str, Callable[[Request, datetime], object]] = {
            "/credits": self._credits,
            "/keys": self._keys,
            "/workspaces": self._workspaces,
            "/activity": self._activity,
        }
        if path not in reports:
            raise RefusalError(404, "Not Found")
        if not is_management:
            raise RefusalError(403, "Only management keys can perform this operation")
        return reports[path](request, now)

    def _credits(self, request: Request, now: datetime) -> object:
        allow_only(request, frozenset())
        return {
            "total_credits": self.total_credits,
            "total_usage": self._spent(now, EPOCH, lambda usage: not _is_byok(usage)),
        }

    def _key(self, key_id: str | None, now: datetime) -> dict[str, object]:
        """Return what the key in use is and has spent; a management key has spent nothing."""
        return {
            "label": "sk-or-v1-sim…ted",
            **_NO_LIMIT,
            **self._spending(key_id, now),
            "include_byok_in_limit": False,
            "is_free_tier": False,
            "is_management_key": key_id is None,
            "is_provisioning_key": key_id is None,
            "creator_user_id": None,
            "organization_id": None,
            "workspace_id": None,
            "expires_at": None,
            "free_model_daily_requests": None,
            "budgets": [],
            "effective_budget": None,
            "rate_limit": {"requests": -1, "interval": "10s", "note": "legacy"},
        }

    def _keys(self, request: Request, now: datetime) -> object:
        parameters = {"offset", "include_disabled", "include_expired", "workspace_id"}
        allow_only(request, frozenset(parameters))
        offset = bounded(request, "offset", 0, 1_000_000, least=0)
        with_disabled = one(request, "include_disabled") == "true"
        workspace_id = one(request, "workspace_id")
        keys = [
            self._listed_key(item, now)
            for item in self.ledger.named("api_key")
            if item.created_at <= now
            and item.project_id == workspace_id
            and (with_disabled or not _is_gone(item, now))
        ]
        return keys[offset : offset + KEYS_PER_PAGE]

    def _listed_key(self, item: Named, now: datetime) -> dict[str, object]:
        return {
            "hash": item.id,
            "name": item.name,
            "label": f"sk-or-v1-…{item.id[-3:]}",
            "disabled": _is_gone(item, now),
            **_NO_LIMIT,
            **self._spending(item.id, now),
            "created_at": item.created_at.isoformat(),
            "last_used_at": None,
            "workspace_id": item.project_id,
        }

    def _spending(self, key_id: str | None, now: datetime) -> dict[str, object]:
        today = _midnight(now)
        since = {
            "": EPOCH,
            "_daily": today,
            "_weekly": today - today.weekday() * DAY,
            "_monthly": today.replace(day=1),
        }
        return {
            name + ending: self._spent(now, start, partial(_is_spent, key_id, is_byok))
            for name, is_byok in (("usage", False), ("byok_usage", True))
            for ending, start in since.items()
        }

    def _spent(self, now: datetime, start: datetime, keep: Callable[[Usage], bool]) -> Decimal:
        usages = self.ledger.visible(now, start, now + timedelta(microseconds=1))
        return sum((usage.cost_usd for usage in usages if keep(usage)), Decimal(0))

    def _workspaces(self, request: Request, now: datetime) -> object:
        allow_only(request, frozenset({"offset", "limit"}))
        offset = bounded(request, "offset", 0, 1_000_000, least=0)
        limit = bounded(request, "limit", 50, 100)
        known = [
            {"id": item.id, "name": item.name, "created_at": item.created_at.isoformat()}
            for item in self.ledger.named("project")
            if item.created_at <= now and not _is_gone(item, now)
        ]
        return known[offset : offset + limit]

    def _activity(self, request: Request, now: datetime) -> object:
        parameters = {"date", "api_key_hash", "user_id", "workspace_id", "group_by"}
        allow_only(request, frozenset(parameters))
        end = _midnight(now)
        start = end - ACTIVITY_DAYS * DAY
        day = one(request, "date")
        if day is not None:
            chosen = _day(day)
            if not start <= chosen < end:
                raise RefusalError(400, "Date must be within the last 30 (completed) UTC days")
            start, end = chosen, chosen + DAY
        groups: tuple[str, ...] = _GROUPS
        if (group_by := one(request, "group_by")) is not None:
            if group_by != "workspace":
                raise RefusalError(400, "group_by must be 'workspace'")
            groups = (*_GROUPS, "workspace_id")
        wanted = {
            "api_key_id": one(request, "api_key_hash"),
            "user_id": one(request, "user_id"),
            "project_id": one(request, "workspace_id"),
        }
        buckets = self.ledger.rows(
            now,
            start,
            end,
            DAY,
            groups,
            read=_read,
            keep=lambda usage: all(
                value in (None, dimension(usage, name)) for name, value in wanted.items()
            ),
        )
        return [
            _item(bucket.start, row)
            for bucket in reversed(buckets)  # the newest day first
            for row in bucket.rows
        ]


def _item(day: datetime, row: Row) -> dict[str, object]:
    group = dict(row.group)
    is_byok = group.pop("byok") == "true"
    return {
        "date": day.date().isoformat(),
        **group,
        "usage": Decimal(0) if is_byok else row.cost_usd,
        "byok_usage_inference": row.cost_usd if is_byok else Decimal(0),
        "requests": row.requests,
        "prompt_tokens": row.input_tokens,
        "completion_tokens": row.output_tokens,
        "reasoning_tokens": row.reasoning_tokens,
        "cached_tokens": row.cached_input_tokens,
    }


def _read(usage: Usage, name: str) -> Value:
    if name == "workspace_id":
        return usage.project_id
    value = dimension(usage, name)
    if value is not None:
        return value
    # One endpoint per model where the ledger does not tell endpoints apart.
    return {
        "model_permaslug": usage.model,
        "endpoint_id": f"endpoint-{usage.model}",
        "provider_name": "OpenAI",
    }.get(name)


def _is_spent(key_id: str | None, is_byok: bool, usage: Usage) -> bool:
    return key_id is not None and usage.api_key_id == key_id and _is_byok(usage) == is_byok


def _is_byok(usage: Usage) -> bool:
    return usage.labels.get("byok") == "true"


def _is_gone(item: Named, now: datetime) -> bool:
    return item.archived_at is not None and item.archived_at <= now


def _midnight(at: datetime) -> datetime:
    return datetime.combine(at.astimezone(UTC).date(), time(), UTC)


def _day(text: str) -> datetime:
    try:
        return datetime.combine(date.fromisoformat(text), time(), UTC)
    except ValueError as error:
        raise RefusalError(400, "Date must be formatted as YYYY-MM-DD") from error
