"""The HTTP server: /metrics, health, configuration; everything that writes needs the token."""

import hmac
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from html import escape
from typing import Annotated, Any, Protocol

import yaml
from fastapi import Depends, FastAPI, Header, HTTPException, Request, Response
from fastapi.responses import HTMLResponse, PlainTextResponse
from starlette.routing import Route

from exporter import __version__
from exporter.interfaces import PollResult
from exporter.settings import Settings
from exporter.sinks.exposition import OPENMETRICS, TEXT, Exposition
from exporter.web_gate import DESCRIPTION, PATH, Gated, GateRoute
from exporter.web_push import Receiving, routes

_GZIP = re.compile(r"\bgzip\b(?!\s*;\s*q=0(?:\.0*)?\s*(?:,|$))", re.IGNORECASE)


class ShownSource(Protocol):
    """What the landing page needs of a source."""

    @property
    def name(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def every(self) -> timedelta: ...
    @property
    def last(self) -> PollResult | None: ...


class Served(Receiving, Gated, Protocol):
    """What the server needs of the running exporter."""

    exposition: Exposition

    @property
    def settings(self) -> Settings: ...
    def sources(self) -> Sequence[ShownSource]:
        """Every configured source."""
        ...

    def reload(self) -> str | None:
        """Take over the configuration again; the reason if it was refused."""
        ...


def build(app: Served, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> FastAPI:
    """Make the web application."""
    web = FastAPI(title="ai-workflow-exporter", version=__version__, docs_url=None, redoc_url=None)

    def authorized(authorization: Annotated[str | None, Header()] = None) -> None:
        if app.settings.web.token is None:
            raise HTTPException(403, "writing over HTTP is off: set web.token in the configuration")
        may_push(authorization)

    def may_push(authorization: Annotated[str | None, Header()] = None) -> None:
        token = app.settings.web.token
        if token is None:
            return
        scheme, _, given = (authorization or "").partition(" ")
        expected = token.get_secret_value().encode()
        # Starlette reads header bytes as latin-1.
        if scheme.lower() != "bearer" or not hmac.compare_digest(given.encode("latin-1"), expected):
            raise HTTPException(
                401,
                "this needs the header Authorization: Bearer <web.token>",
                headers={"WWW-Authenticate": "Bearer"},
            )

    @web.head("/", response_class=HTMLResponse, include_in_schema=False)
    @web.get("/", response_class=HTMLResponse, include_in_schema=False)
    def landing() -> str:
        """Show every source and where to go on."""
        return _landing_page(app, clock())

    @web.head("/metrics", response_class=PlainTextResponse, include_in_schema=False)
    @web.get("/metrics", response_class=PlainTextResponse)
    def metrics(request: Request) -> Response:
        """Serve the newest values; gzip and OpenMetrics when asked for."""
        openmetrics = "application/openmetrics-text" in request.headers.get("accept", "")
        compress = bool(_GZIP.search(request.headers.get("accept-encoding", "")))
        body = app.exposition.serve(clock(), openmetrics=openmetrics, compress=compress)
        headers = {"vary": "Accept, Accept-Encoding"}
        if compress:
            headers["content-encoding"] = "gzip"
        return Response(body, media_type=OPENMETRICS if openmetrics else TEXT, headers=headers)

    @web.head("/-/healthy", response_class=PlainTextResponse, include_in_schema=False)
    @web.get("/-/healthy", response_class=PlainTextResponse)
    def healthy() -> str:
        """Answer while the process lives."""
        return "healthy\n"

    @web.head("/-/ready", response_class=PlainTextResponse, include_in_schema=False)
    @web.get("/-/ready", response_class=PlainTextResponse)
    def ready(response: Response) -> str:
        """Answer 200 once counters are restored from the database, 503 before."""
        if app.is_ready:
            return "ready\n"
        response.status_code = 503
        return "not ready: the database does not answer yet\n"

    @web.post("/-/reload", response_class=PlainTextResponse, dependencies=[Depends(authorized)])
    def reload(response: Response) -> str:
        """Take over the configuration file again; 400 with the reason keeps the old one."""
        refused = app.reload()
        response.status_code = 400 if refused else 200
        return f"{refused}\n" if refused else "reloaded\n"

    @web.head("/config", response_class=PlainTextResponse, include_in_schema=False)
    @web.get("/config", response_class=PlainTextResponse)
    def config() -> str:
        """Show the configuration that is in force, secrets hidden."""
        return yaml.safe_dump(app.settings.model_dump(mode="json", by_alias=True), sort_keys=False)

    web.include_router(routes(app, may_push))
    web.router.routes.insert(0, Route(PATH, GateRoute(app, clock)))

    @web.get("/docs", response_class=HTMLResponse, include_in_schema=False)
    def docs() -> str:
        """Show what can be called; the page needs nothing from elsewhere."""
        return _docs_page(web.openapi())

    web.openapi()["paths"][PATH] = DESCRIPTION
    return web


_STYLE = """
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2.5rem auto;padding:0 1rem;
color:#1f2430;background:#fbfbfd}
h1{font-size:1.5rem;margin-bottom:0}p.sub{color:#667;margin-top:.25rem}
table{border-collapse:collapse;width:100%;margin:1.5rem 0}
th{text-align:left;font-weight:600;color:#667;font-size:.85rem}
td,th{padding:.45rem .8rem .45rem 0;border-bottom:1px solid #e6e8ef;vertical-align:top}
.ok{color:#1a7f43}.bad{color:#b42318}.wait{color:#8a6100}a{color:#2451b8}
@media(prefers-color-scheme:dark){body{background:#15171e;color:#e6e8ef}
td,th{border-color:#2c303c}a{color:#8ab0ff}.ok{color:#5fd38d}.bad{color:#ff8a7a}.wait{color:#f2c14e}}
"""


def _landing_page(app: Served, now: datetime) -> str:
    rows = "".join(_source_row(source, now) for source in app.sources())
    table = (
        "<table><tr><th>Source</th><th>Kind</th><th>Last poll</th><th>Outcome</th>"
        f"<th>Records</th><th>Newest data</th></tr>{rows}</table>"
        if rows
        else '<p class="wait">No source is configured: set <code>N8N_DATABASE_URL</code>, or give '
        "a configuration file (see <code>config.example.yml</code>).</p>"
    )
    state = (
        '<span class="ok">ready</span>'
        if app.is_ready
        else '<span class="bad">waiting for the database</span>'
    )
    links = " · ".join(f'<a href="{path}">{path}</a>' for path in ("/metrics", "/config", "/docs"))
    body = f'<p class="sub">version {__version__}, {state}</p>{table}<p>{links}</p>'
    return _page(body, refresh='<meta http-equiv="refresh" content="15">')


def _page(body: str, refresh: str = "") -> str:
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8">{refresh}'
        '<meta name="viewport" content="width=device-width"><title>ai-workflow-exporter</title>'
        f"<style>{_STYLE}</style><h1>ai-workflow-exporter</h1>{body}</html>"
    )


def _docs_page(schema: Mapping[str, Any]) -> str:
    rows = "".join(
        f"<tr><td>{method.upper()}</td><td>{escape(path)}</td>"
        f"<td>{escape(operation.get('description', ''))}</td></tr>"
        for path, operations in schema["paths"].items()
        for method, operation in operations.items()
    )
    return _page(
        f"<table><tr><th>Method</th><th>Path</th><th>What it does</th></tr>{rows}</table>"
        '<p>As OpenAPI: <a href="/openapi.json">/openapi.json</a></p>'
    )


def _source_row(source: ShownSource, now: datetime) -> str:
    last = source.last
    if last is None:
        cells = ["not yet", '<span class="wait">–</span>', "", ""]
    else:
        tone = {"ok": "ok", "standby": "wait", "later": "wait"}.get(last.outcome, "bad")
        said = escape(last.outcome + (f": {last.detail}" if last.detail else ""))
        cells = [
            f"{_ago(last.started_at, now)}, took {last.duration_seconds:.2f} s",
            f'<span class="{tone}">{said}</span>',
            str(last.records),
            _ago(last.newest_at, now) if last.newest_at else "unknown",
        ]
    return (
        "<tr>"
        + "".join(f"<td>{cell}</td>" for cell in (escape(source.name), escape(source.kind), *cells))
        + "</tr>"
    )


def _ago(at: datetime, now: datetime) -> str:
    seconds = max((now - at).total_seconds(), 0)
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit} ago"
    return f"{seconds:.0f} s ago"
