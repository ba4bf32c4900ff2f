"""LangSmith's projects and runs, by its new API and the one before, told from a book of calls."""

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from uuid import NAMESPACE_URL, uuid5

import msgspec

from exporter.demo.providers.call_book import CallBook, LoggedCall, Shown
from exporter.demo.providers.wire import Answer, RefusalError, Request, allow_only, bounded

API_KEY = "lsv2_sk_simulated"
_NEW_BODY = frozenset(
    {"project_ids", "run_type", "min_start_time", "max_start_time", "selects", "page_size"}
    | {"cursor"}
)
_OLD_BODY = frozenset({"session", "run_type", "start_time", "filter", "select", "limit", "cursor"})


class LangSmithApi:
    """Answers as LangSmith does; every workflow of the book is a project.

    `is_old` knows no API v2, as a LangSmith before 0.16; `most_rows` is the largest page.
    """

    def __init__(
        self,
        book: CallBook,
        workflows: Sequence[str],
        *,
        is_old: bool = False,
        most_rows: int = 1000,
    ) -> None:
        self.book = book
        self.is_old = is_old
        self.most_rows = most_rows
        self.projects = {name: str(uuid5(NAMESPACE_URL, name)) for name in workflows}

    def answer(self, request: Request, now: datetime) -> Answer:
        """Answer a request at a moment."""
        try:
            return Answer(
                body=msgspec.json.Encoder(decimal_format="number").encode(self._body(request, now))
            )
        except RefusalError as refusal:
            return self.refuse(refusal.status, refusal.message)

    def refuse(self, status: int, message: str) -> Answer:
        """Return an error in LangSmith's words."""
        return Answer(status=status, body={"detail": message})

    def page_number(self, request: Request) -> int:
        """Return which page is asked for: the first, or one behind it."""
        is_run_query = request.path.endswith("/runs/query")
        return 2 if is_run_query and "cursor" in msgspec.json.decode(request.body) else 1

    def _body(self, request: Request, now: datetime) -> object:
        if request.headers.get("x-api-key") != API_KEY:
            raise RefusalError(401, "Invalid token")
        match request.method, request.path:
            case "GET", "/api/v1/sessions":
                allow_only(request, frozenset({"limit", "offset", "reference_free"}))
                limit = bounded(request, "limit", 100, 100)
                offset = bounded(request, "offset", 0, 1_000_000, least=0)
                return self._sessions()[offset : offset + limit]
            case "POST", "/api/v2/runs/query" if not self.is_old:
                return self._new(_decoded(request, _NEW_BODY), now)
            case "POST", "/api/v1/runs/query" if self.is_old:
                return self._old(_decoded(request, _OLD_BODY), now)
            case _:
                raise RefusalError(404, "Not Found")

    def _sessions(self) -> list[dict[str, object]]:
        return [
            {"id": project_id, "name": name, "tenant_id": "tenant-1", "reference_dataset_id": None}
            for name, project_id in self.projects.items()
        ]

    def _new(self, body: Mapping[str, object], now: datetime) -> Mapping[str, object]:
        _demand(body.get("run_type") == "LLM", "run_type: invalid enum value")
        size = body.get("page_size", 100)
        _demand(isinstance(size, int) and 1 <= size <= 1000, "page_size must be within 1 and 1000")
        start = datetime.fromisoformat(str(body.get("min_start_time")))
        end = datetime.fromisoformat(str(body.get("max_start_time")))
        found = self._found(body.get("project_ids"), start, end, now)
        rows = [
            {name.upper(): value for name, value in _row(shown, ids).items()}
            for shown, ids in found
        ]
        selects = _names(body.get("selects"))
        page, cursor = self._page(rows, body, int(str(size)))
        return {
            "items": [
                {name.lower(): row[name] for name in selects if row.get(name) is not None}
                for row in page
            ],
            "next_cursor": cursor,
        }

    def _old(self, body: Mapping[str, object], now: datetime) -> Mapping[str, object]:
        _demand(body.get("run_type") == "llm", "run_type: invalid enum value")
        limit = int(str(body.get("limit", 100)))
        _demand(1 <= limit <= 100, "limit must be within 1 and 100")
        start = datetime.fromisoformat(str(body.get("start_time")))
        _, _, ending = str(body.get("filter")).partition('lte(start_time, "')
        end = datetime.fromisoformat(ending.partition('"')[0])
        found = self._found(body.get("session"), start, end, now)
        rows = [_old_row(_row(shown, ids)) for shown, ids in found]
        page, cursor = self._page(rows, body, limit)
        select = _names(body.get("select"))
        return {
            "runs": [{name: row.get(name) for name in select} for row in page],
            "cursors": {"next": cursor, "prev": None},
        }

    def _found(
        self, project_ids: object, start: datetime, end: datetime, now: datetime
    ) -> list[tuple[Shown, str]]:
        _demand(isinstance(project_ids, list) and bool(project_ids), "no project is named")
        until = end + timedelta(microseconds=1)  # the bound belongs to it
        return [
            (shown, project_id)
            for shown in reversed(self.book.shown(now, start, until))
            if not shown.call.is_embedding  # runs of another type
            and (project_id := self.projects.get(shown.call.workflow)) in _names(project_ids)
            and project_id is not None
        ]

    def _page(
        self, rows: Sequence[Mapping[str, object]], body: Mapping[str, object], size: int
    ) -> tuple[Sequence[Mapping[str, object]], str | None]:
        size = min(size, self.most_rows)
        begin = int(str(body.get("cursor") or 0))
        _demand(begin < max(len(rows), 1), "cursor: invalid")
        end = begin + size
        return rows[begin:end], str(end) if end < len(rows) else None


def _row(shown: Shown, project_id: str) -> dict[str, object]:
    call, is_over = shown.call, not shown.is_open
    status = "PENDING" if shown.is_open else "ERROR" if call.error else "SUCCESS"
    counted = is_over and not call.error
    return {
        "id": call.call_id,
        "trace_id": call.trace_id,
        "project_id": project_id,
        "status": status,
        "start_time": _written(call.started_at),
        "end_time": _written(call.finished_at) if is_over else None,
        "first_token_time": _written(call.first_token_at) if call.first_token_at else None,
        "error_preview": f"{call.error}('You said: …')" if call.error and is_over else None,
        "metadata": _metadata(call),
        "tags": [],
        "prompt_tokens": call.input_tokens if counted else 0,
        "completion_tokens": call.output_tokens if counted else 0,
        "prompt_token_details": {
            "raw": {
                "cache_read": call.cached_input_tokens,
                "cache_creation": call.cache_write_tokens,
            }
        },
        "completion_token_details": {"raw": {"reasoning": call.reasoning_tokens}},
        "total_cost": call.cost_usd if counted else None,
        "price_model_id": "price-1" if counted and call.cost_usd is not None else None,
    }


def _metadata(call: LoggedCall) -> dict[str, str]:
    said = {
        "ls_provider": call.provider,
        "ls_model_name": call.model,
        "ls_model_type": "chat",
        "customer": call.customer,
        "project": call.project,
        "team": call.team,
    }
    return {name: value for name, value in said.items() if value is not None}


def _old_row(row: Mapping[str, object]) -> dict[str, object]:
    """Return a run as the old API writes it: times without a zone, details without `raw`."""
    told = dict(row)
    for name in ("start_time", "end_time", "first_token_time"):
        told[name] = str(row[name]).removesuffix("Z") if row[name] else None
    for name in ("prompt_token_details", "completion_token_details"):
        details = row[name]
        told[name] = details["raw"] if isinstance(details, dict) else None
    return told | {
        "session_id": row["project_id"],
        "status": str(row["status"]).lower(),
        "error": row["error_preview"],
        "extra": {"metadata": row["metadata"], "runtime": {"sdk": "langsmith-py"}},
    }


def _decoded(request: Request, known: Collection[str]) -> dict[str, object]:
    try:
        body = msgspec.json.decode(request.body, type=dict[str, object])
    except msgspec.MsgspecError:
        raise RefusalError(400, "invalid JSON") from None
    for name in body:
        _demand(name in known, f"{name}: extra inputs are not permitted")
    return body


def _names(listed: object) -> list[str]:
    return [str(name) for name in listed] if isinstance(listed, list) else ["id"]


def _demand(is_right: bool, message: str) -> None:
    if not is_right:
        raise RefusalError(422, message)


def _written(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
