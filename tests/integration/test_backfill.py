"""`backfill`: a range of the past, once, and on from where it broke off."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from exporter.app import App
from exporter.demo.providers.bad_days import Status
from exporter.demo.providers.openai_api import ADMIN_KEY, OpenAIApi
from exporter.demo.providers.server import ProviderServer
from exporter.demo.providers.simulated_month import simulated_month
from exporter.errors import ConfigurationError, TransientError
from tests.sources.by_hand import Exporter, counters, differences, exporter, stored
from tests.sources.simulated import SIMULATED

NOW = datetime.now(UTC)
MakeExporter = Callable[[str, str], AbstractContextManager[Exporter]]
TODAY = NOW.replace(hour=0, minute=0, second=0, microsecond=0)


@pytest.fixture
def server() -> Iterator[ProviderServer]:
    ledger = simulated_month(seed=3, until=TODAY, days=60)
    with ProviderServer(OpenAIApi(ledger), lambda: datetime.now(UTC)) as server:
        yield server


@pytest.fixture
def make_exporter(tmp_path: Path, server: ProviderServer) -> MakeExporter:
    def make(database_url: str, history: str) -> AbstractContextManager[Exporter]:
        block = {**SIMULATED["openai"].block("openai", server.url), "history": history}
        environ = {"OPENAI_ADMIN_KEY": ADMIN_KEY}
        return exporter(tmp_path, database_url, block, environ=environ)

    return make


def backfilled(app: App, days: int, told: list[float] | None = None) -> int:
    heard = told if told is not None else []
    return app.backfill(
        "openai", TODAY - timedelta(days=days), TODAY, lambda ratio, _: heard.append(ratio)
    )


def costs(database_url: str) -> list[dict[str, object]]:
    return stored(database_url)["cost_buckets"]


def test_a_backfill_reads_what_the_first_poll_left_out(
    one_database_url: str, make_exporter: MakeExporter
) -> None:
    with make_exporter(one_database_url, "3d") as ours:
        ours.poll_ok()
        oldest = min(row["bucket_start"] for row in costs(one_database_url))
        told: list[float] = []

        records = backfilled(ours.app, 50, told)

    assert records > 1000
    assert TODAY - timedelta(days=3) == oldest
    assert TODAY - timedelta(days=50) == min(row["bucket_start"] for row in costs(one_database_url))
    assert sorted(told) == told
    assert 1 == told[-1]
    assert {} == differences(one_database_url)


def test_a_backfill_moves_no_counter(one_database_url: str, make_exporter: MakeExporter) -> None:
    with make_exporter(one_database_url, "3d") as ours:
        ours.poll_ok()
        before = counters(one_database_url)

        backfilled(ours.app, 20)

    assert before == counters(one_database_url)


def test_a_backfill_that_broke_off_goes_on_where_it_stood(
    one_database_url: str, server: ProviderServer, make_exporter: MakeExporter
) -> None:
    with make_exporter(one_database_url, "3d") as ours:
        ours.poll_ok()
        server.bad_days.add(Status(500), path="costs", times=3)
        with pytest.raises(TransientError):
            backfilled(ours.app, 20)
        asked = len(server.requests)

        backfilled(ours.app, 20)

    paths = {request.path for request in server.requests[asked:]}
    assert {"/v1/organization/costs"} == paths


def test_a_backfill_may_be_run_again(one_database_url: str, make_exporter: MakeExporter) -> None:
    with make_exporter(one_database_url, "3d") as ours:
        ours.poll_ok()
        first = backfilled(ours.app, 20)
        before = stored(one_database_url)

        assert first == backfilled(ours.app, 20)

    assert before == stored(one_database_url)


def test_a_backfill_of_what_is_not_there_names_what_is(
    one_database_url: str, make_exporter: MakeExporter
) -> None:
    with (
        make_exporter(one_database_url, "3d") as ours,
        pytest.raises(ConfigurationError, match="no source is named 'opnai'; known: openai"),
    ):
        ours.app.backfill("opnai", TODAY, TODAY, lambda *_: None)


def test_a_workflow_engine_has_nothing_to_backfill(
    tmp_path: Path, one_database_url: str, n8n_url: str
) -> None:
    with (
        exporter(tmp_path, one_database_url, {"url": n8n_url}) as ours,
        pytest.raises(ConfigurationError, match="nothing to backfill"),
    ):
        ours.app.backfill("n8n", TODAY - timedelta(days=2), TODAY, lambda *_: None)
