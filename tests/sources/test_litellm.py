"""LiteLLM's spend logs in a real database: what we store is what LiteLLM wrote."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from exporter.demo.providers.call_book import CallBook, LoggedCall
from exporter.demo.providers.litellm_database import LiteLlmDatabase
from exporter.demo.providers.simulated_calls import simulated_calls
from exporter.sources.providers.vendor_names import provider_named
from tests import databases
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


class WritingClock(Clock):
    """Whenever the time is asked for, LiteLLM has written until then."""

    def __init__(self, database: LiteLlmDatabase) -> None:
        self.now = at_the_beginning().now
        self._database = database

    def __call__(self):  # noqa: ANN204
        self._database.write(self.now)
        return self.now


@pytest.fixture
def book() -> CallBook:
    return simulated_calls(11, END, DAYS)


@pytest.fixture
def litellm_url(plain_server: str) -> Iterator[str]:
    with databases.new_database(plain_server) as url:
        yield url


def block(url: str) -> dict[str, object]:
    return {
        "name": "litellm",
        "kind": "litellm",
        "url": url,
        "every": "5s",
        "history": HISTORY,
        "page_rows": 20,
    }


def told(call: LoggedCall) -> dict[str, object]:
    return {
        "requested_model": f"group-{call.model}",
        "error_type": call.error,
        "project": "care-backend",
        "team": "care",
    }


def told_by_old(call: LoggedCall) -> dict[str, object]:
    return {
        "execution_id": call.call_id,
        "provider": provider_named(None, call.model),
        "time_to_first_token_seconds": None,
        "error_type": call.error,
        "project": "care-backend",
        "team": None,
    }


@pytest.mark.parametrize("is_old", [False, True], ids=["new", "old"])
def test_after_a_month_of_bad_days_each_call_is_as_litellm_wrote_it(
    tmp_path: Path, one_database_url: str, book: CallBook, litellm_url: str, is_old: bool
) -> None:
    database = LiteLlmDatabase(litellm_url, book, is_old=is_old)
    database.create()
    clock = WritingClock(database)
    with Month(tmp_path, one_database_url, block(litellm_url), {}, clock) as month:
        month.live_through(None, END + timedelta(days=3), fails_mid_page=None)

        expected = truth(book, clock.now, told_by_old if is_old else told)
        assert_same(expected, stored_calls(one_database_url))
        month.assert_at_rest()
