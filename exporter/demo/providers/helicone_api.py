"""Helicone's log of requests, told from a book of calls."""

from datetime import UTC, datetime
from decimal import Decimal

import msgspec

from exporter.demo.providers.call_book import CallBook, LoggedCall, Shown
from exporter.demo.providers.wire import Answer, RefusalError, Request

PATH = "/v1/request/query-clickhouse"
API_KEY = "sk-helicone-simulated"
_BODY = frozenset({"filter", "offset", "limit", "sort", "includeInputs", "isCached"})
_NOT_CACHED = "00000000-0000-0000-0000-000000000000"


class HeliconeApi:
    """Answers as Helicone does."""

    def __init__(self, book: CallBook, *, with_old_versions: bool = False) -> None:
        self.book = book
        self.with_old_versions = with_old_versions  # as its store does before it merges them

    def answer(self, request: Request, now: datetime) -> Answer:
        """Answer a request at a moment."""
        try:
            return Answer(body={"data": self._data(request, now), "error": None})
        except RefusalError as refusal:
            return self.refuse(refusal.status, refusal.message)

    def refuse(self, status: int, message: str) -> Answer:
        """Return an error in Helicone's words."""
        return Answer(status=status, body={"data": None, "error": message})

    def page_number(self, request: Request) -> int:
        """Return which page is asked for: one that begins within a minute goes on from another."""
        body = msgspec.json.decode(request.body, type=dict[str, object])
        start, _ = _bounds(body.get("filter"))
        return 1 if not body.get("offset") and start.second == start.microsecond == 0 else 2

    def _data(self, request: Request, now: datetime) -> list[dict[str, object]]:
        if request.headers.get("authorization") != f"Bearer {API_KEY}":
            raise RefusalError(401, "Unauthorized")
        if (request.method, request.path) != ("POST", PATH):
            raise RefusalError(404, "Not Found")
        body = msgspec.json.decode(request.body, type=dict[str, object])
        if not body.keys() <= _BODY or body.get("sort") != {"created_at": "asc"}:
            raise RefusalError(422, "Validation Failed")
        offset, limit = int(str(body.get("offset", 0))), int(str(body.get("limit", 10)))
        if not 0 < limit <= 1000:
            raise RefusalError(500, "invalid limit")
        start, end = _bounds(body.get("filter"))
        rows = [row for shown in self.book.shown(now, start, end) for row in self._rows(shown)]
        return rows[offset : offset + limit]

    def _rows(self, shown: Shown) -> list[dict[str, object]]:
        """Return the versions of a request, in no order."""
        if not self.with_old_versions or shown.is_open:
            return [_request(shown)]
        return [_request(shown), _request(Shown(shown.call, shown.call.started_at, True))]


def _request(shown: Shown) -> dict[str, object]:
    call = shown.call
    counted = not shown.is_open and not call.error
    return {
        "request_id": call.call_id,
        "request_created_at": _written(call.started_at),
        "request_model": call.model,
        "request_user_id": "",
        "request_properties": _properties(call),
        "provider": call.provider.upper(),
        "target_url": "https://api.example.com/v1/"
        + ("embeddings" if call.is_embedding else "chat/completions"),
        "response_status": 0 if shown.is_open else 429 if call.error else 200,
        "response_created_at": _written(shown.changed_at),
        "updated_at": _written(shown.changed_at),
        "delay_ms": None if shown.is_open else round(call.latency.total_seconds() * 1000),
        "time_to_first_token": round((call.first_token_at - call.started_at).total_seconds() * 1000)
        if call.first_token_at
        else None,
        # Wide integers are text, as ClickHouse writes them.
        "prompt_tokens": str(call.fresh_input_tokens if counted else 0),
        "prompt_cache_read_tokens": str(call.cached_input_tokens if counted else 0),
        "prompt_cache_write_tokens": str(call.cache_write_tokens if counted else 0),
        "completion_tokens": str(call.output_tokens - call.reasoning_tokens if counted else 0),
        "reasoning_tokens": str(call.reasoning_tokens if counted else 0),
        "total_tokens": str(call.input_tokens + call.output_tokens if counted else 0),
        # What it has no price of costs 0.
        "cost": call.cost_usd if counted and call.cost_usd is not None else Decimal(0),
        "cache_reference_id": _NOT_CACHED,
        "request_body": {"helicone_message": "fetching body from signed_url…"},
        "response_body": {"helicone_message": "fetching body from signed_url…"},
    }


def _properties(call: LoggedCall) -> dict[str, str]:
    said = {
        "Helicone-Session-Id": call.trace_id,
        "Helicone-Session-Name": call.workflow,
        "Customer": call.customer,
        "Project": call.project,
        "Team": call.team,
    }
    return {name: value for name, value in said.items() if value is not None}


def _bounds(node: object) -> tuple[datetime, datetime]:
    match node:
        case {
            "left": {"request_response_rmt": {"request_created_at": {"gte": str(start)}}},
            "operator": "and",
            "right": {"request_response_rmt": {"request_created_at": {"lt": str(end)}}},
        }:
            return datetime.fromisoformat(start), datetime.fromisoformat(end)
        case _:
            raise RefusalError(422, "Validation Failed")


def _written(at: datetime) -> str:
    """Write a time as ClickHouse does: UTC, and no zone."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.") + f"{at.microsecond // 1000:03d}"
