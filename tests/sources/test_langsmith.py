"""LangSmith's runs: what we store is what LangSmith says at the end of the month."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from exporter.demo.providers.call_book import CallBook, LoggedCall
from exporter.demo.providers.langsmith_api import API_KEY, LangSmithApi
from exporter.demo.providers.server import ProviderServer
from exporter.demo.providers.simulated_calls import WORKFLOWS, simulated_calls
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
def clock() -> Clock:
    return at_the_beginning()


@pytest.fixture(params=["new", "old"])
def api(request: pytest.FixtureRequest) -> LangSmithApi:
    book = simulated_calls(11, END, DAYS)
    return LangSmithApi(book, WORKFLOWS, is_old=request.param == "old", most_rows=5)


@pytest.fixture
def server(api: LangSmithApi, clock: Clock) -> Iterator[ProviderServer]:
    with ProviderServer(api, clock) as server:
        yield server


def block(server: ProviderServer) -> dict[str, object]:
    return {
        "name": "langsmith",
        "kind": "langsmith",
        "api_key": {"env": "KEY"},
        "base_url": server.url,
        "allow_private": True,
        "every": "5s",
        "history": HISTORY,
    }


def told_by(api: LangSmithApi, call: LoggedCall) -> dict[str, object] | None:
    """What LangSmith tells otherwise: embeddings are no runs of models, a project has an id."""
    if call.is_embedding:
        return None
    written = call.cache_write_tokens or None
    failed = call.error is not None
    return {
        "workflow_id": api.projects[call.workflow],
        "error_type": call.error,
        "cache_write_tokens": written,
        "cost_usd": call.cost_usd,
        **({"cache_write_tokens": None} if failed else {}),
    }


def test_after_a_month_of_bad_days_each_call_is_as_langsmith_tells_it(
    tmp_path: Path, one_database_url: str, api: LangSmithApi, clock: Clock, server: ProviderServer
) -> None:
    with Month(tmp_path, one_database_url, block(server), ENVIRON, clock) as month:
        month.live_through(server, END + timedelta(days=3), fails_mid_page="runs/query")

        expected = truth(api.book, clock.now, lambda call: told_by(api, call))
        assert_same(expected, stored_calls(one_database_url))
        month.assert_at_rest()
