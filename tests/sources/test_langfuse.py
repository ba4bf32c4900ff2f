"""Langfuse's observations: what we store is what Langfuse says at the end of the month."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from exporter import configuration
from exporter.app import KIND_SETTINGS
from exporter.demo.providers.call_book import CallBook, LoggedCall
from exporter.demo.providers.langfuse_api import PUBLIC_KEY, SECRET_KEY, LangfuseApi
from exporter.demo.providers.server import ProviderServer
from exporter.demo.providers.simulated_calls import simulated_calls
from exporter.demo.providers.wire import Answer, Request
from exporter.errors import SourceError, TransientError
from exporter.records import CostSource, ExecutionStatus, LlmCall, Operation
from exporter.sources.polling.call_log import CallLogSource
from exporter.vendor_names import provider_named
from tests.sources.by_hand import Clock, one
from tests.sources.call_logs import (
    DAYS,
    END,
    HISTORY,
    assert_same,
    at_the_beginning,
    made,
    read,
    stored_calls,
    truth,
)
from tests.sources.provider_month import Month

ENVIRON = {"PUBLIC": PUBLIC_KEY, "SECRET": SECRET_KEY}
DATABASE = {"AIWF_DATABASE_URL": "postgresql://ours@db/aiwf"}
MORNING = datetime(2026, 11, 3, 9, tzinfo=UTC)
NOON = datetime(2026, 11, 3, 12, tzinfo=UTC)
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


@dataclass(frozen=True)
class ByType:
    """Answers each type of observation with a file, or with anything else."""

    generations: bytes
    embeddings: bytes = b'{"data": [], "meta": {}}'

    def answer(self, request: Request, now: datetime) -> Answer:
        kinds = {"GENERATION": self.generations, "EMBEDDING": self.embeddings}
        return Answer(body=kinds[request.query["type"][0]])

    def refuse(self, status: int, message: str) -> Answer:
        return Answer(status=status, body={"message": message, "error": "LangfuseNotFoundError"})


def recorded(name: str) -> bytes:
    return (Path(__file__).parent / "langfuse" / name).read_bytes()


@contextmanager
def asked(api: Any) -> Iterator[tuple[CallLogSource, ProviderServer]]:
    with ProviderServer(api, lambda: NOON) as server:
        source = made("langfuse", ENVIRON, base_url=server.url, allow_private=True, **KEYS)
        yield source, server


def test_an_answer_is_told_call_by_call() -> None:
    with asked(ByType(recorded("generations.json"), recorded("embeddings.json"))) as (source, _):
        streamed, failed, unpriced, embedding = read(source, MORNING, NOON)

    assert streamed == LlmCall(
        source="langfuse",
        execution_id="trace-1",
        created_at=datetime(2026, 11, 3, 10, 0, 0, 250_000, tzinfo=UTC),
        call_id="obs-streamed",
        provider="anthropic",
        model="claude-sonnet-4-5",
        operation=Operation.CHAT,
        status=ExecutionStatus.SUCCESS,
        workflow_id="support-triage",
        workflow="support-triage",
        started_at=datetime(2026, 11, 3, 10, 0, 0, 250_000, tzinfo=UTC),
        latency_seconds=4.5,
        time_to_first_token_seconds=0.75,
        input_tokens=18495,  # kinds of usage exclude each other: all of them together
        cached_input_tokens=16399,
        cache_write_tokens=2089,
        output_tokens=445,
        reasoning_tokens=45,
        cost_usd=Decimal("0.0194397"),
        cost_source=CostSource.REPORTED,
        customer="acme",
        team="care",
    )
    assert (ExecutionStatus.ERROR, None, None) == (
        failed.status,
        failed.input_tokens,
        failed.cost_usd,
    )
    assert ("obs-embedding", Operation.EMBEDDINGS, 500, None) == (
        embedding.call_id,
        embedding.operation,
        embedding.input_tokens,
        embedding.output_tokens,
    )
    assert "obs-unpriced" == unpriced.call_id


def test_a_total_of_0_without_details_is_no_price() -> None:
    with asked(ByType(recorded("generations.json"))) as (source, _):
        (unpriced,) = [c for c in read(source, MORNING, NOON) if c.call_id == "obs-unpriced"]

    assert (None, None) == (unpriced.cost_usd, unpriced.cost_source)
    assert ("unknown", "obs-unpriced", "") == (
        unpriced.provider,
        unpriced.execution_id,
        unpriced.workflow,
    )


def test_what_is_not_over_is_no_call_yet() -> None:
    with asked(ByType(recorded("generations.json"))) as (source, _):
        assert "obs-open" not in {call.call_id for call in read(source, MORNING, NOON)}


def test_a_call_that_never_says_its_end_counts_once_its_use_is_known() -> None:
    row = b"""{"data": [{"id": "o", "traceId": "t", "startTime": "2026-11-03T10:00:00Z",
        "endTime": null, "usageDetails": {"input": 5, "output": 2}, "costDetails": {}}],
        "meta": {}}"""
    with asked(ByType(row)) as (source, _):
        (call,) = read(source, MORNING, NOON)

    assert (5, 2, None) == (call.input_tokens, call.output_tokens, call.latency_seconds)


def test_neither_prompts_nor_metadata_are_asked_for() -> None:
    with asked(ByType(recorded("generations.json"))) as (source, server):
        read(source, MORNING, NOON)

    for request in server.requests:
        groups = request.query["fields"][0].split(",")
        assert not {"io", "metadata", "prompt"} & set(groups)
        assert ("2026-11-03T09:00:00Z",) == request.query["fromStartTime"]
        assert ("2026-11-03T12:00:00Z",) == request.query["toStartTime"]


def test_of_two_versions_of_a_call_the_newer_counts_whatever_their_order() -> None:
    rows = [
        b"""{"id": "o", "traceId": "t", "startTime": "2026-11-03T10:00:00Z",
        "endTime": "2026-11-03T10:00:01Z", "updatedAt": "2026-11-03T10:00:%s",
        "usageDetails": {"input": %s}}"""
        % version
        for version in ((b"09Z", b"50"), (b"02Z", b"4"))
    ]
    for order in (rows, rows[::-1]):
        with asked(ByType(b'{"data": [%s], "meta": {}}' % b",".join(order))) as (source, _):
            (call,) = read(source, MORNING, NOON)
        assert 50 == call.input_tokens


def test_a_langfuse_without_the_api_is_told_of_with_the_remedy() -> None:
    class Before4:
        def answer(self, request: Request, now: datetime) -> Answer:
            return self.refuse(404, "only available in a Langfuse v4 write mode")

        def refuse(self, status: int, message: str) -> Answer:
            return ByType(b"").refuse(status, message)

    with asked(Before4()) as (source, _), pytest.raises(SourceError, match="v4 write mode"):
        read(source, MORNING, NOON)


def test_a_cursor_that_comes_twice_ends_the_poll() -> None:
    page = b'{"data": [], "meta": {"cursor": "again"}}'
    with asked(ByType(page)) as (source, _), pytest.raises(TransientError, match="paging"):
        read(source, MORNING, NOON)


def test_a_call_that_outlasts_the_overlap_is_found_by_the_look_back_of_the_next_day(
    tmp_path: Path, one_database_url: str, clock: Clock
) -> None:
    book = CallBook()
    clock.now = datetime(2026, 11, 3, 10, tzinfo=UTC)
    book.add(
        LoggedCall(
            call_id="long",
            trace_id="t",
            workflow="nightly-report",
            started_at=clock.now - timedelta(minutes=1),
            finished_at=clock.now + timedelta(hours=3),
            cost_usd=Decimal(1),
        )
    )
    with (
        ProviderServer(LangfuseApi(book), clock) as server,
        Month(tmp_path, one_database_url, block(server), ENVIRON, clock) as month,
    ):
        for hours in (0.5, 3.5, 10):  # it lasts, it lasts, it is over and too old to be looked for
            month.exporter().poll_ok()
            assert {} == stored_calls(one_database_url)
            clock.advance(hours=hours)
        month.exporter().poll_ok()

    assert ["long"] == list(stored_calls(one_database_url))


def test_kills_in_the_middle_of_paging_lose_and_invent_nothing(
    tmp_path: Path, one_database_url: str, book: CallBook, clock: Clock, server: ProviderServer
) -> None:
    clock.now = END
    with Month(tmp_path, one_database_url, block(server), ENVIRON, clock) as month:
        for exchange in (3, 8, 14, 23, 37):
            month.die_in_a_poll(exchange)
        month.exporter().poll_ok()

        recent = {
            call_id: row
            for call_id, row in truth(book, clock.now, told).items()
            if row["created_at"] >= END - timedelta(days=7)
        }
        assert_same(recent, stored_calls(one_database_url))
        month.assert_at_rest(polls=2)


def test_a_correction_moves_the_hourly_sums_by_the_difference(
    tmp_path: Path, one_database_url: str, clock: Clock
) -> None:
    book = CallBook()
    book.add(
        LoggedCall(
            call_id="one",
            trace_id="t",
            workflow="w",
            started_at=clock.now - timedelta(minutes=5),
            finished_at=clock.now - timedelta(minutes=4),
            cost_usd=Decimal("0.5"),
        )
    )
    book.revise("one", at=clock.now + timedelta(minutes=4), cost_usd=Decimal("0.2"))
    sums = []
    with (
        ProviderServer(LangfuseApi(book), clock) as server,
        Month(tmp_path, one_database_url, block(server), ENVIRON, clock) as month,
    ):
        for _ in range(2):
            month.exporter().poll_ok()
            sums.append(one(one_database_url, "SELECT sum(cost_usd) AS usd FROM llm_calls_hourly"))
            clock.advance(minutes=5)

    assert [{"usd": Decimal("0.5")}, {"usd": Decimal("0.2")}] == sums


def test_variables_are_enough() -> None:
    environ = {
        "LANGFUSE_PUBLIC_KEY": "pk-made-up",
        "LANGFUSE_SECRET_KEY": "sk-made-up",
        "LANGFUSE_HOST": "https://langfuse.example.com",
    }
    (settings,) = configuration.load(None, KIND_SETTINGS, environ | DATABASE).sources

    assert "langfuse" == settings.kind
    assert "https://langfuse.example.com" == settings.base_url  # type: ignore[attr-defined]
