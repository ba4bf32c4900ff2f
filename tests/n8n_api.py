"""An n8n's public API for tests: workflows that are switched, and what it was asked to do."""

import json
import re
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any

KEY = "n8n-api-key-of-a-test"
_VERBS = {"deactivate": False, "activate": True, "unpublish": False, "publish": True}
_OLD = ("deactivate", "activate")
_PATH = re.compile(r"/api/v1/workflows/([^/]+)(?:/(\w+))?")


@dataclass
class N8nApiServer:
    """Listens on a loopback port, and takes webhooks at /hook too."""

    version: int = 2  # n8n 1 knows neither /publish nor /unpublish
    active: dict[str, bool] = field(default_factory=dict)  # workflow id → whether it is on
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)  # what was switched
    hooks: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    fails: int = 0  # so many requests are answered with 503 first
    lock: Lock = field(default_factory=Lock)

    def __post_init__(self) -> None:
        """Begin to listen."""
        handler = type("Handler", (_Handler,), {"api": self})
        self._server = _Server(("127.0.0.1", 0), handler)
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def stop(self) -> None:
        """Stop, and wait for it."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, path: str, key: str | None, body: bytes) -> tuple[int, dict[str, Any]]:
        """Do what a request of the API asks for."""
        if key != KEY:
            return 401, {"message": "unauthorized"}
        found = _PATH.fullmatch(path)
        verbs = _VERBS if self.version > 1 else {name: _VERBS[name] for name in _OLD}
        if not found or found[1] not in self.active or found[2] not in (None, *verbs):
            return 404, {"message": "not found"}
        workflow_id, verb = found[1], found[2]
        if verb:
            self.active[workflow_id] = verbs[verb]
            self.calls.append((f"{verb} {workflow_id}", json.loads(body or b"{}")))
        is_on = self.active[workflow_id]
        told: dict[str, Any] = {"id": workflow_id, "active": is_on}
        if self.version > 1:
            told["activeVersionId"] = f"v-{workflow_id}" if is_on else None
        return 200, told


class _Server(ThreadingHTTPServer):
    daemon_threads = True


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    api: N8nApiServer

    def do_GET(self) -> None:
        self._handle(b"")

    def do_POST(self) -> None:
        self._handle(self.rfile.read(int(self.headers.get("Content-Length", 0))))

    def _handle(self, body: bytes) -> None:
        with self.api.lock:
            if self.api.fails:
                self.api.fails -= 1
                status, told = 503, dict[str, Any]()
            elif self.path == "/hook":
                self.api.hooks.append((dict(self.headers.items()), body))
                status, told = 200, {}
            else:
                status, told = self.api.answer(self.path, self.headers.get("X-N8N-API-KEY"), body)
        encoded = json.dumps(told).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(encoded)))
        self.end_headers()
        self.wfile.write(encoded)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Say nothing."""
