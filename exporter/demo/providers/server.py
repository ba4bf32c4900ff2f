"""A local HTTP server that speaks a provider's dialect, and misbehaves on request."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import format_datetime
from threading import Lock, Thread
from types import TracebackType
from typing import Protocol, Self, runtime_checkable
from urllib.parse import parse_qsl, urlsplit

from exporter.demo.providers.bad_days import (
    BadDay,
    BadDays,
    EmptyPageWithMore,
    Garbage,
    RateLimited,
    Redirect,
    RepeatedPage,
    Status,
)
from exporter.demo.providers.web_server import WebServer
from exporter.demo.providers.wire import PAGE_PREFIX, Answer, Api, Request

PAGING_PARAMETERS = ("page", "after", "after_id")
_EMPTY_PREFIX = PAGE_PREFIX + "empty_"
_REPEATED = PAGE_PREFIX + "again"


@runtime_checkable
class PagedElsewhere(Protocol):
    """A dialect whose requests name a page by another parameter, or in their body."""

    def page_token(self, request: Request) -> str | None:
        """Return the token of the page that is wanted, None for the first."""


class ProviderServer:
    """Serves one dialect on a free port of this machine while it is entered."""

    def __init__(self, api: Api, clock: Callable[[], datetime]) -> None:
        self.bad_days = BadDays()
        self._api = api
        self._clock = clock
        self._lock = Lock()
        self._requests: list[Request] = []
        self._pages: dict[str, int] = {}  # which page a token that was handed out leads to
        self._server = WebServer(self)
        self._thread = Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def url(self) -> str:
        """Return the address, without a slash at its end."""
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def requests(self) -> list[Request]:
        """Return the requests so far, oldest first, those that met a bad day included."""
        with self._lock:
            return list(self._requests)

    def __enter__(self) -> Self:
        """Begin to serve."""
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop serving; requests that hang and connections that are kept open are dropped."""
        self.bad_days.clear()
        self._server.shutdown()
        self._server.server_close()
        self._server.drop_connections()
        self._thread.join()
        if error is None and self._server.failures:
            raise RuntimeError("the simulated provider failed") from self._server.failures[0]

    def received(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes
    ) -> Request:
        """Log a request."""
        parts = urlsplit(target)
        query: dict[str, tuple[str, ...]] = {}
        for name, value in parse_qsl(parts.query, keep_blank_values=True):
            query[name] = (*query.get(name, ()), value)
        request = Request(
            method=method,
            path=parts.path,
            query=query,
            headers={name.lower(): value for name, value in headers.items()},
            body=body,
            at=self._clock(),
        )
        with self._lock:
            self._requests.append(request)
        return request

    def meets(self, request: Request) -> BadDay | None:
        """Return what the script has for the request."""
        return self.bad_days.next_for(request, self._page_number(request))

    def answer(  # noqa: PLR0911 - one return per case
        self, request: Request, bad_day: BadDay | None
    ) -> Answer:
        """Return what the request gets, of its bad day or of the dialect."""
        match bad_day:
            case Status(code=code, headers=headers, body=body):
                content = (
                    self._api.refuse(code, f"Simulated {code}.").body if body is None else body
                )
                return Answer(status=code, headers=headers, body=content)
            case RateLimited(retry_after=retry_after):
                refusal = self._api.refuse(429, "Rate limit reached.")
                return Answer(status=429, headers=_retry_after(retry_after), body=refusal.body)
            case Garbage(content=content, content_type=content_type):
                return Answer(body=content, headers={"Content-Type": content_type})
            case Redirect(url=url, code=code):
                return Answer(status=code, headers={"Location": url})
            case RepeatedPage():
                return self._repeated(request)
            case EmptyPageWithMore():
                return self._empty(request)
            case _:
                return self._true_answer(request)

    def _true_answer(self, request: Request) -> Answer:
        page = self._page_number(request)
        answer = self._api.answer(_resumed(request), request.at)
        if isinstance(answer.body, Mapping):
            for name in ("next_page", "last_id"):
                token = answer.body.get(name)
                if isinstance(token, str):
                    with self._lock:
                        self._pages[token] = page + 1
        return answer

    def _page_number(self, request: Request) -> int:
        told = getattr(self._api, "page_number", None)  # of a dialect that pages in its own way
        if told is not None:
            return int(told(request))
        tokens = [request.query[name][0] for name in PAGING_PARAMETERS if name in request.query]
        if isinstance(self._api, PagedElsewhere) and (token := self._api.page_token(request)):
            tokens.append(token)
        if not tokens:
            return 1
        with self._lock:
            return self._pages.get(tokens[0], 2)

    def _repeated(self, request: Request) -> Answer:
        """Answer with the first page whatever page is asked for, and with the token it came by."""
        first = {k: v for k, v in request.query.items() if k not in PAGING_PARAMETERS}
        answer = self._api.answer(_with_query(request, first), request.at)
        if not isinstance(answer.body, Mapping) or "has_more" not in answer.body:
            return answer
        body = {**answer.body, "has_more": True}
        if "next_page" in body:
            body["next_page"] = request.query.get("page", (_REPEATED,))[0]
        return Answer(status=answer.status, headers=answer.headers, body=body)

    def _empty(self, request: Request) -> Answer:
        answer = self._api.answer(_resumed(request), request.at)
        if not isinstance(answer.body, Mapping) or "has_more" not in answer.body:
            return answer
        body = {**answer.body, "data": [], "has_more": True}
        if "next_page" in body:
            asked_for = request.query.get("page", ("",))[0].removeprefix(_EMPTY_PREFIX)
            body["next_page"] = token = _EMPTY_PREFIX + asked_for
            with self._lock:
                self._pages[token] = self._pages.get(asked_for, 1) + 1
        return Answer(status=answer.status, headers=answer.headers, body=body)


def _resumed(request: Request) -> Request:
    """Return the request an empty page's token stands for."""
    token = request.query.get("page", ("",))[0]
    if not token.startswith(_EMPTY_PREFIX):
        return request
    asked_for = token.removeprefix(_EMPTY_PREFIX)
    others = {name: values for name, values in request.query.items() if name != "page"}
    return _with_query(request, {**others, "page": (asked_for,)} if asked_for else others)


def _with_query(request: Request, query: Mapping[str, tuple[str, ...]]) -> Request:
    return Request(
        method=request.method,
        path=request.path,
        query=query,
        headers=request.headers,
        body=request.body,
        at=request.at,
    )


def _retry_after(value: int | datetime | None) -> dict[str, str]:
    if value is None:
        return {}
    if isinstance(value, datetime):
        return {"Retry-After": format_datetime(value.astimezone(UTC), usegmt=True)}
    return {"Retry-After": str(value)}
