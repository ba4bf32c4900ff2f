"""Helicone's log: what we store is what Helicone says at the end of the month."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from exporter.demo.providers.call_book import CallBook, LoggedCall
from exporter.demo.providers.helicone_api import API_KEY, HeliconeApi
from exporter.demo.providers.server import ProviderServer
from exporter.demo.providers.simulated_calls import simulated_calls
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

ENVIRON = {"KEY": API_KEY}


@pytest.fixture
def book() -> CallBook:
    return simulated_calls(11, END, DAYS)


@pytest.fixture
def clock() -> Clock:
    return at_the_beginning()


@pytest.fixture
def server(book: CallBook, clock: Clock) -> Iterator[ProviderServer]:
    with ProviderServer(HeliconeApi(book, with_old_versions=True), clock) as server:
        yield server


def block(server: ProviderServer) -> dict[str, object]:
    return {
        "name": "helicone",
        "kind": "helicone",
        "api_key": {"env": "KEY"},
        "base_url": server.url,
        "allow_private": True,
        "every": "5s",
        "history": HISTORY,
        "page_rows": 20,
    }


def told(call: LoggedCall) -> dict[str, object]:
    """What Helicone tells otherwise: the status instead of the error."""
    return {"error_type": "429" if call.error else None}


def test_after_a_month_of_bad_days_each_call_is_as_helicone_tells_it(
    tmp_path: Path, one_database_url: str, book: CallBook, clock: Clock, server: ProviderServer
) -> None:
    with Month(tmp_path, one_database_url, block(server), ENVIRON, clock) as month:
        month.live_through(server, END + timedelta(days=3), fails_mid_page="query-clickhouse")

        assert_same(truth(book, clock.now, told), stored_calls(one_database_url))
        month.assert_at_rest()
