"""Helicone's log: what we store is what Helicone says at the end of the month."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from exporter import configuration
from exporter.app import KIND_SETTINGS
from exporter.demo.providers.call_book import CallBook, LoggedCall
from exporter.demo.providers.helicone_api import API_KEY, HeliconeApi
from exporter.demo.providers.server import ProviderServer
from exporter.demo.providers.simulated_calls import simulated_calls
from exporter.demo.providers.wire import Answer, Request
from exporter.errors import SourceError, TransientError
from exporter.records import CostSource, ExecutionStatus, LlmCall, Operation
from exporter.sources.polling.call_log import CallLogSource
from tests.sources.by_hand import Clock
from tests.sources.call_logs import (
    DAYS,
    END,
    HISTORY,
    SINCE,
    assert_same,
    at_the_beginning,
    made,
    read,
    stored_calls,
    truth,
)
from tests.sources.provider_month import Month

ENVIRON = {"KEY": API_KEY}
DATABASE = {"AIWF_DATABASE_URL": "postgresql://ours@db/aiwf"}
MORNING = datetime(2026, 11, 3, 9, tzinfo=UTC)
NOON = datetime(2026, 11, 3, 12, tzinfo=UTC)


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


@dataclass
class Answers:
    """Gives one answer after the other, the last one for ever."""

    waiting: list[bytes]
    bodies: list[Any] = field(default_factory=list)

    def answer(self, request: Request, now: datetime) -> Answer:
        self.bodies.append(msgspec.json.decode(request.body))
        return Answer(body=self.waiting.pop(0) if len(self.waiting) > 1 else self.waiting[0])

    def refuse(self, status: int, message: str) -> Answer:
        return Answer(status=status, body={"data": None, "error": message})


@contextmanager
def asked(api: Any, **settings: object) -> Iterator[tuple[CallLogSource, ProviderServer]]:
    with ProviderServer(api, lambda: NOON) as server:
        yield (
            made(
                "helicone",
                ENVIRON,
                api_key={"env": "KEY"},
                base_url=server.url,
                allow_private=True,
                **settings,
            ),
            server,
        )


def recorded() -> Answers:
    return Answers([(Path(__file__).parent / "helicone" / "requests.json").read_bytes()])


def row(request_id: str, at: str = "2026-11-03 10:00:00.000", **said: object) -> dict[str, object]:
    return {
        "request_id": request_id,
        "request_created_at": at,
        "response_status": 200,
        "request_model": "gpt-5-mini",
        "provider": "OPENAI",
        **said,
    }


def page(*rows: dict[str, object]) -> bytes:
    return msgspec.json.encode({"data": rows, "error": None})


def one(**said: object) -> LlmCall:
    """The call of one row."""
    with asked(Answers([page(row("r", **said))])) as (source, _):
        (call,) = read(source, MORNING, NOON)
    return call


def test_an_answer_is_told_call_by_call() -> None:
    with asked(recorded()) as (source, _):
        unpriced, failed, streamed, cached = read(source, MORNING, NOON)

    assert streamed == LlmCall(
        source="helicone",
        execution_id="session-1",
        created_at=datetime(2026, 11, 3, 10, 0, 0, 250_000, tzinfo=UTC),
        call_id="req-streamed",
        provider="anthropic",
        model="claude-sonnet-4-5",
        operation=Operation.CHAT,
        status=ExecutionStatus.SUCCESS,
        workflow_id="support-triage",
        workflow="support-triage",
        started_at=datetime(2026, 11, 3, 10, 0, 0, 250_000, tzinfo=UTC),
        latency_seconds=4.5,
        time_to_first_token_seconds=0.75,
        input_tokens=18495,  # Helicone counts the cache apart
        cached_input_tokens=16399,
        cache_write_tokens=2089,
        output_tokens=445,  # and reasoning
        reasoning_tokens=45,
        cost_usd=Decimal("0.0194397"),
        cost_source=CostSource.REPORTED,
        team="care",
    )
    assert (ExecutionStatus.ERROR, "429", None) == (
        failed.status,
        failed.error_type,
        failed.cost_usd,
    )
    assert ("req-unpriced", "unknown") == (unpriced.call_id, unpriced.provider)
    assert (Operation.EMBEDDINGS, None) == (cached.operation, cached.input_tokens)


def test_a_cost_of_0_is_known_only_of_what_helicones_cache_answered() -> None:
    with asked(recorded()) as (source, _):
        found = {call.call_id: call for call in read(source, MORNING, NOON)}

    assert None is found["req-unpriced"].cost_usd
    assert (Decimal(0), CostSource.REPORTED) == (
        found["req-cached"].cost_usd,
        found["req-cached"].cost_source,
    )


@pytest.mark.parametrize("status", [None, 0, -2])
def test_a_request_whose_answer_is_awaited_is_no_call_yet(status: int | None) -> None:
    with asked(Answers([page(row("r", response_status=status))])) as (source, _):
        assert [] == read(source, MORNING, NOON)


def test_statuses_that_are_no_http_have_their_names() -> None:
    assert ExecutionStatus.TIMEOUT is one(response_status=-1).status
    assert ExecutionStatus.CANCELED is one(response_status=-3).status
    assert ExecutionStatus.SUCCESS is one(response_status="201").status


def test_the_user_may_be_named_as_the_customer() -> None:
    rows = Answers([page(row("r", request_user_id="user-7"))])
    with asked(rows, dimensions={"customer": ["customer", "Helicone-User-Id"]}) as (source, _):
        assert "user-7" == read(source, MORNING, NOON)[0].customer
    assert None is one(request_user_id="user-7").customer


def test_more_requests_at_one_moment_than_a_page_holds_are_all_told() -> None:
    moment = "2026-11-03 10:00:00.000"
    api = Answers(
        [
            page(row("a", "2026-11-03 09:30:00.000"), row("b", moment)),
            page(row("b", moment), row("c", moment)),
            page(row("d", moment), row("e", "2026-11-03 10:30:00.000")),
            page(row("e", "2026-11-03 10:30:00.000")),
        ]
    )
    with asked(api, page_rows=2) as (source, _):
        assert list("abcde") == sorted({call.call_id for call in read(source, MORNING, NOON)})

    began = [
        body["filter"]["left"]["request_response_rmt"]["request_created_at"]["gte"][11:16]
        for body in api.bodies
    ]
    assert ["09:00", "10:00", "10:00", "10:30"] == began
    assert [0, 0, 2, 0] == [body["offset"] for body in api.bodies]


def test_a_page_that_tells_nothing_new_ends_the_poll() -> None:
    api = Answers([page(row("a"), row("b"))])
    with asked(api, page_rows=2) as (source, _), pytest.raises(TransientError, match="paging"):
        read(source, MORNING, NOON)

    assert 3 == len(api.bodies)


def test_an_answer_without_order_is_refused_since_paging_would_skip() -> None:
    api = Answers([page(row("b", "2026-11-03 10:30:00.000"), row("a"))])
    with asked(api) as (source, _), pytest.raises(SourceError, match="order"):
        read(source, MORNING, NOON)


def test_a_time_with_a_zone_and_one_without_are_both_utc() -> None:
    expected = datetime(2026, 11, 3, 10, tzinfo=UTC)
    for written in ("2026-11-03 10:00:00", "2026-11-03T10:00:00.000Z", "2026-11-03T11:00:00+01:00"):
        with asked(Answers([page(row("r", written))])) as (source, _):
            assert expected == read(source, MORNING, NOON)[0].created_at


def test_a_count_that_is_none_is_an_answer_we_do_not_know() -> None:
    with pytest.raises(SourceError, match="prompt_tokens"):
        one(prompt_tokens="many")


def test_older_days_are_read_by_backfill_without_touching_what_polls_read(
    tmp_path: Path, one_database_url: str, book: CallBook, clock: Clock, server: ProviderServer
) -> None:
    clock.now = END + timedelta(days=2)
    with Month(tmp_path, one_database_url, block(server), ENVIRON, clock) as month:
        month.exporter().poll_ok()
        polled = stored_calls(one_database_url)
        done: list[float] = []
        month.exporter().app.backfill("helicone", SINCE, END, lambda ratio, _: done.append(ratio))

        assert_same(truth(book, clock.now, told), stored_calls(one_database_url))
        assert len(polled) < len(stored_calls(one_database_url))
        assert (1, sorted(done)) == (done[-1], done)
        month.assert_at_rest(polls=2)


def test_variables_are_enough() -> None:
    environ = {"HELICONE_API_KEY": "made-up"}
    (settings,) = configuration.load(None, KIND_SETTINGS, environ | DATABASE).sources

    assert "helicone" == settings.kind
    assert "https://api.helicone.ai" == settings.base_url  # type: ignore[attr-defined]
