"""An exporter that listens on a port of this machine."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import uvicorn

from exporter import web
from exporter.app import App
from tests.sources.by_hand import wait_until

TOKEN = "pushed-with-this-token"


@dataclass(frozen=True)
class Listening:
    """An exporter that is reached over HTTP, and its database."""

    url: str
    database_url: str

    @property
    def environ(self) -> dict[str, str]:
        """What the examples read of their environment."""
        return {"AIWF_URL": self.url, "AIWF_TOKEN": TOKEN}

    def post(
        self, route: str, sent: bytes, content_type: str = "application/json"
    ) -> httpx.Response:
        """Send a body with the token."""
        return httpx.post(
            f"{self.url}/v1/{route}",
            content=sent,
            headers={"Content-Type": content_type, "Authorization": f"Bearer {TOKEN}"},
            timeout=30,
        )


@pytest.fixture
def listening(tmp_path: Path, one_database_url: str) -> Iterator[Listening]:
    """An exporter without sources, started as `run` does."""
    config = tmp_path / "config.yml"
    config.write_text(
        "database: {url: {env: AIWF_DATABASE_URL}}\nweb: {token: {env: AIWF_TOKEN}}\n"
        "content: {capture: full}\n"
        "budgets: [{name: run, period: execution, limit_usd: 0.05, deny: true}]\n"
        "gate: {equivalents: {openai/gpt-4o: [openai/gpt-4o-mini]}}\n"
    )
    app = App(config, {"AIWF_DATABASE_URL": one_database_url, "AIWF_TOKEN": TOKEN})
    app.start()
    server = uvicorn.Server(uvicorn.Config(web.build(app), port=0, log_config=None))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        wait_until(lambda: server.started)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield Listening(f"http://127.0.0.1:{port}", one_database_url)
    finally:
        server.should_exit = True
        thread.join()
        app.stop()
