"""Fixtures of the door to the web. Property tests here are not timed: the first example pays for
imports and compiled patterns.
"""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import settings
from urllib3.util.retry import Retry

from exporter import http_client
from exporter.errors import SourceError, TransientError
from exporter.http_client import HttpClient
from tests.hostile_web import FINE, Answer, HostileWeb, Row

settings.register_profile("unit", deadline=None, max_examples=60)
settings.load_profile("unit")


@pytest.fixture
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests of the web do not leave this machine the way the machine does."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for name in ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> Retry:
    """Tries follow each other at once; returns how the product spreads them."""
    real = http_client._BACK_OFF
    monkeypatch.setattr(http_client, "_BACK_OFF", real.new(backoff_factor=0, backoff_jitter=0))
    return real


@pytest.fixture
def serve() -> Iterator[Callable[..., HostileWeb]]:
    """Start a server that gives these answers; stopped at the end."""
    started: list[HostileWeb] = []

    def start(*answers: Answer, tls: bool = False) -> HostileWeb:
        started.append(HostileWeb(answers or [FINE], tls=tls))
        return started[-1]

    yield start
    for web in started:
        web.stop()


@pytest.fixture
def client(no_proxies: None, no_waiting: Retry) -> Iterator[Callable[..., HttpClient]]:
    """Make a client that may talk to this machine; closed at the end."""
    made: list[HttpClient] = []

    def make(web: HostileWeb | str, **options: Any) -> HttpClient:
        url = web if isinstance(web, str) else web.url
        made.append(HttpClient(url, **{"allow_private": True, "deadline_seconds": 3, **options}))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture
def ask(
    serve: Callable[..., HostileWeb], client: Callable[..., HttpClient]
) -> Callable[..., TransientError | SourceError]:
    """Ask a server of these answers and return the error."""

    def failing(*answers: Answer, **options: Any) -> TransientError | SourceError:
        asking = client(serve(*answers), **options)
        with pytest.raises((TransientError, SourceError)) as failed:
            asking.get("/usage", into=Row)
        return failed.value

    return failing
