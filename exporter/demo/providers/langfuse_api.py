"""Langfuse's observations API v2, told from a book of calls."""

import base64
import binascii
from collections.abc import Mapping
from datetime import UTC, datetime

import msgspec

from exporter.demo.providers.call_book import CallBook, LoggedCall, Shown
from exporter.demo.providers.wire import Answer, RefusalError, Request, allow_only, bounded, one

PATH = "/api/public/v2/observations"
PUBLIC_KEY = "pk-lf-simulated"
SECRET_KEY = "sk-lf-simulated"  # noqa: S105 - opens nothing
_GROUPS = frozenset(
    {"core", "basic", "time", "io", "metadata", "model", "usage", "prompt", "metrics"}
    | {"trace_context"}
)
_PARAMETERS = frozenset({"type", "fields", "fromStartTime", "toStartTime", "limit", "cursor"})


class LangfuseApi:
    """Answers as Langfuse 4 does; `most_rows` is the largest page, however much is asked for."""

    def __init__(
        self, book: CallBook, *, most_rows: int = 1000, with_old_versions: bool = False
    ) -> None:
        self.book = book
        self.most_rows = most_rows
        self.with_old_versions = with_old_versions  # as its store does before it merges them

    def answer(self, request: Request, now: datetime) -> Answer:
        """Answer a request at a moment."""
        try:
            return Answer(body=self._body(request, now))
        except RefusalError as refusal:
            return self.refuse(refusal.status, refusal.message)

    def refuse(self, status: int, message: str) -> Answer:
        """Return an error in Langfuse's words."""
        names = {401: "UnauthorizedError", 404: "LangfuseNotFoundError"}
        body = {"message": message, "error": names.get(status, "InvalidRequestError")}
        return Answer(status=status, body=body)

    def page_number(self, request: Request) -> int:
        """Return which page is asked for: the first, or one behind it."""
        return 2 if "cursor" in request.query else 1

    def _body(self, request: Request, now: datetime) -> Mapping[str, object]:
        expected = base64.b64encode(f"{PUBLIC_KEY}:{SECRET_KEY}".encode()).decode()
        if request.headers.get("authorization") != f"Basic {expected}":
            raise RefusalError(401, "Invalid credentials. Confirm that you've configured the host.")
        if request.method != "GET" or request.path != PATH:
            raise RefusalError(404, f"Cannot {request.method} {request.path}")
        allow_only(request, _PARAMETERS)
        groups = set((one(request, "fields") or "core,basic").split(","))
        if not groups <= _GROUPS:
            raise RefusalError(400, f"Invalid fields: {', '.join(sorted(groups - _GROUPS))}")
        limit = min(bounded(request, "limit", 50, 1000), self.most_rows)
        start, end = _time(request, "fromStartTime"), _time(request, "toStartTime")
        kind = one(request, "type")
        found = [
            shown
            for shown in self.book.shown(now, start, end)
            if kind in (None, "EMBEDDING" if shown.call.is_embedding else "GENERATION")
        ]
        rows = [row for shown in reversed(found) for row in self._rows(shown, groups)]
        after = _position(request)
        rows = rows if after is None else [row for row in rows if _key(row) < after]
        page = rows[:limit]
        meta = {"cursor": _cursor(_key(page[-1]))} if len(rows) > limit else {}
        return {"data": page, "meta": meta}

    def _rows(self, shown: Shown, groups: set[str]) -> list[dict[str, object]]:
        """Return the versions of an observation, the newest first."""
        newest = _observation(shown, groups)
        if not self.with_old_versions or shown.is_open:
            return [newest]
        return [newest, _observation(Shown(shown.call, shown.call.started_at, True), groups)]


def _observation(shown: Shown, groups: set[str]) -> dict[str, object]:
    call = shown.call
    row: dict[str, object] = {
        "id": call.call_id,
        "traceId": call.trace_id,
        "startTime": _written(call.started_at),
        "endTime": None if shown.is_open else _written(call.finished_at),
        "projectId": "project-1",
        "parentObservationId": f"span-{call.trace_id}",
        "type": "EMBEDDING" if call.is_embedding else "GENERATION",
        # These stand in every answer, empty where their group is not asked for.
        "modelId": None,
        "inputPrice": None,
        "outputPrice": None,
        "totalPrice": None,
    }
    told: dict[str, dict[str, object]] = {
        "basic": {
            "isRootObservation": False,
            "name": "llm-call",
            "level": "ERROR" if call.error and not shown.is_open else "DEFAULT",
            "statusMessage": None,
            "version": None,
            "environment": "default",
            "bookmarked": False,
            "public": False,
            "userId": None,
            "sessionId": None,
        },
        "time": {
            "completionStartTime": call.first_token_at and _written(call.first_token_at),
            "createdAt": _written(shown.changed_at),
            "updatedAt": _written(shown.changed_at),
        },
        "model": {"model": call.model, "internalModelId": None, "modelParameters": {}},
        "usage": _usage(call, is_open=shown.is_open),
        "metrics": {
            "latency": None if shown.is_open else call.latency.total_seconds(),
            "timeToFirstToken": (call.first_token_at - call.started_at).total_seconds()
            if call.first_token_at
            else None,
        },
        "trace_context": {
            "traceName": call.workflow,
            "release": None,
            "tags": _tags(call),
        },
    }
    for group in groups:
        row |= told.get(group, {})
    return row


def _usage(call: LoggedCall, *, is_open: bool) -> dict[str, object]:
    """Return usage and cost: kinds of usage exclude each other, and an unknown cost totals 0."""
    if is_open or call.error:
        return {"usageDetails": {}, "costDetails": {}, "totalCost": 0}
    usage = {
        "input": call.fresh_input_tokens,
        "input_cached_tokens": call.cached_input_tokens,
        "input_cache_creation": call.cache_write_tokens,
        "output": call.output_tokens - call.reasoning_tokens,
        "output_reasoning_tokens": call.reasoning_tokens,
        "total": call.input_tokens + call.output_tokens,
    }
    always = ("input", "output", "total")
    return {
        "usageDetails": {name: n for name, n in usage.items() if n or name in always},
        "costDetails": {} if call.cost_usd is None else {"total": call.cost_usd},
        "totalCost": call.cost_usd or 0,
        "usagePricingTierName": None,
    }


def _tags(call: LoggedCall) -> list[str]:
    said = {"customer": call.customer, "project": call.project, "team": call.team}
    return [f"{name}:{value}" for name, value in said.items() if value is not None]


def _key(row: Mapping[str, object]) -> tuple[str, str]:
    return str(row["startTime"]), str(row["id"])


def _cursor(key: tuple[str, str]) -> str:
    return base64.b64encode(msgspec.json.encode(key)).decode()


def _position(request: Request) -> tuple[str, str] | None:
    cursor = one(request, "cursor")
    if cursor is None:
        return None
    try:
        return msgspec.json.decode(base64.b64decode(cursor), type=tuple[str, str])
    except (binascii.Error, msgspec.MsgspecError):
        raise RefusalError(400, "Invalid cursor format") from None


def _time(request: Request, name: str) -> datetime:
    text = one(request, name)
    if text is None:
        raise RefusalError(400, f"{name} is missing")  # as a reader of ours never asks
    return datetime.fromisoformat(text)


def _written(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"
