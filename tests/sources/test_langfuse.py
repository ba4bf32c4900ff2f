"""Langfuse's observations: what we store is what Langfuse says at the end of the month."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from exporter.demo.providers.call_book import CallBook, LoggedCall
from exporter.demo.providers.langfuse_api import PUBLIC_KEY, SECRET_KEY, LangfuseApi
from exporter.demo.providers.server import ProviderServer
from exporter.demo.providers.simulated_calls import simulated_calls
from exporter.sources.providers.vendor_names import provider_named
from tests.sources.by_hand import Clock
from tests.sources.call_logs import (
    DAYS,
    END,
    HISTORY,
    assert_same,
    at_the_beginning,
    stored_calls,
    truth,
)
from tests.sources.provider_month import Month

ENVIRON = {"PUBLIC": PUBLIC_KEY, "SECRET": SECRET_KEY}
KEYS = {"public_key": {"env": "PUBLIC"}, "secret_key": {"env": "SECRET"}}


@pytest.fixture
def book() -> CallBook:
    return simulated_calls(11, END, DAYS)


@pytest.fixture
def clock() -> Clock:
    return at_the_beginning()


@pytest.fixture
def server(book: CallBook, clock: Clock) -> Iterator[ProviderServer]:
    api = LangfuseApi(book, most_rows=25, with_old_versions=True)
    with ProviderServer(api, clock) as server:
        yield server


def block(server: ProviderServer) -> dict[str, object]:
    return {
        "name": "langfuse",
        "kind": "langfuse",
        "base_url": server.url,
        "allow_private": True,
        "every": "5s",
        "history": HISTORY,
        **KEYS,
    }


def told(call: LoggedCall) -> dict[str, object]:
    """What Langfuse tells otherwise: no provider, and no kind of usage that is 0."""
    amounts = ("cached_input_tokens", "cache_write_tokens", "reasoning_tokens")
    counted = call.error is None
    row: dict[str, object] = {name: getattr(call, name) or None for name in amounts}
    if counted and call.cache_write_tokens and not call.cached_input_tokens:
        row["cached_input_tokens"] = 0  # there is a cache among its kinds of usage
    return {**row, "provider": provider_named(None, call.model)}


def test_after_a_month_of_bad_days_each_call_is_as_langfuse_tells_it(
    tmp_path: Path, one_database_url: str, book: CallBook, clock: Clock, server: ProviderServer
) -> None:
    with Month(tmp_path, one_database_url, block(server), ENVIRON, clock) as month:
        month.live_through(server, END + timedelta(days=3), fails_mid_page="observations")

        assert_same(truth(book, clock.now, told), stored_calls(one_database_url))
        month.assert_at_rest()
