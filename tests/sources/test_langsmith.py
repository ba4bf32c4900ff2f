"""LangSmith's runs: what we store is what LangSmith says at the end of the month."""

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
from exporter.demo.providers.call_book import LoggedCall
from exporter.demo.providers.langsmith_api import API_KEY, LangSmithApi
from exporter.demo.providers.server import ProviderServer
from exporter.demo.providers.simulated_calls import WORKFLOWS, simulated_calls
from exporter.demo.providers.wire import Answer, Request
from exporter.errors import RefusedRequestError, TransientError
from exporter.records import CostSource, ExecutionStatus, LlmCall, Operation
from exporter.sources.polling.call_log import CallLogSource
from tests.sources.by_hand import Clock
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

ENVIRON = {"KEY": API_KEY}
SUPPORT = "0f3c7a52-3df1-4c1b-9a3c-6b6f1d0a0001"
REPORTS = "0f3c7a52-3df1-4c1b-9a3c-6b6f1d0a0002"
DATABASE = {"AIWF_DATABASE_URL": "postgresql://ours@db/aiwf"}
MORNING = datetime(2026, 11, 3, 9, tzinfo=UTC)
NOON = datetime(2026, 11, 3, 12, tzinfo=UTC)


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


@dataclass
class Paths:
    """Answers each path with its next answer, the last one for ever; 404 elsewhere."""

    answers: dict[str, list[bytes | int]]
    bodies: list[Any] = field(default_factory=list)

    def answer(self, request: Request, now: datetime) -> Answer:
        if request.method == "POST":
            self.bodies.append(msgspec.json.decode(request.body))
        waiting = self.answers.get(request.path, [404])
        body = waiting.pop(0) if len(waiting) > 1 else waiting[0]
        return self.refuse(body, "no") if isinstance(body, int) else Answer(body=body)

    def refuse(self, status: int, message: str) -> Answer:
        return Answer(status=status, body={"detail": message})


SESSIONS, NEW, OLD = "/api/v1/sessions", "/api/v2/runs/query", "/api/v1/runs/query"


def recorded(name: str) -> bytes:
    return (Path(__file__).parent / "langsmith" / name).read_bytes()


@contextmanager
def asked(
    api: Paths, *, path: str = "", **settings: object
) -> Iterator[tuple[CallLogSource, ProviderServer]]:
    with ProviderServer(api, lambda: NOON) as server:
        yield (
            made(
                "langsmith",
                ENVIRON,
                api_key={"env": "KEY"},
                base_url=server.url + path,
                allow_private=True,
                **settings,
            ),
            server,
        )


def of_new(*pages: bytes | int) -> Paths:
    return Paths({SESSIONS: [recorded("sessions.json")], NEW: list(pages)})


@pytest.mark.parametrize(
    "answers", [{NEW: "runs_new.json"}, {OLD: "runs_old.json"}], ids=["new", "old"]
)
def test_an_answer_of_either_api_is_told_call_by_call(answers: dict[str, str]) -> None:
    runs = {path: [recorded(name)] for path, name in answers.items()}
    with asked(Paths({SESSIONS: [recorded("sessions.json")], **runs})) as (source, _):
        streamed, failed, unpriced = read(source, MORNING, NOON)

    assert streamed == LlmCall(
        source="langsmith",
        execution_id="trace-1",
        created_at=datetime(2026, 11, 3, 10, 0, 0, 250_000, tzinfo=UTC),
        call_id="run-streamed",
        provider="anthropic",
        model="claude-sonnet-4-5",
        operation=Operation.CHAT,
        status=ExecutionStatus.SUCCESS,
        workflow_id=SUPPORT,
        workflow="support-bot",
        started_at=datetime(2026, 11, 3, 10, 0, 0, 250_000, tzinfo=UTC),
        latency_seconds=4.5,
        time_to_first_token_seconds=0.75,
        input_tokens=18495,
        cached_input_tokens=16399,
        cache_write_tokens=2089,
        output_tokens=445,
        reasoning_tokens=45,
        cost_usd=Decimal("0.0194397"),
        cost_source=CostSource.REPORTED,
        customer="acme",
        team="care",
    )
    # Of an error only its class: its text may quote what was said to the model.
    assert ("run-failed", ExecutionStatus.ERROR, "RateLimitError", None, None) == (
        failed.call_id,
        failed.status,
        failed.error_type,
        failed.input_tokens,
        failed.cost_usd,
    )
    assert ("run-unpriced", "weekly-report", "unknown", "unknown") == (
        unpriced.call_id,
        unpriced.workflow,
        unpriced.model,
        unpriced.provider,
    )


def test_a_cost_of_0_that_no_price_stands_behind_is_unknown() -> None:
    with asked(of_new(recorded("runs_new.json"))) as (source, _):
        (unpriced,) = [c for c in read(source, MORNING, NOON) if c.call_id == "run-unpriced"]

    assert (None, None, 12) == (unpriced.cost_usd, unpriced.cost_source, unpriced.input_tokens)


def test_a_pending_run_is_no_call_yet() -> None:
    with asked(of_new(recorded("runs_new.json"))) as (source, _):
        assert "run-pending" not in {call.call_id for call in read(source, MORNING, NOON)}


def test_only_models_are_asked_for_and_neither_inputs_nor_outputs() -> None:
    api = of_new(404)
    api.answers[OLD] = [recorded("runs_old.json")]
    with asked(api) as (source, _):
        read(source, MORNING, NOON)

    new, old = api.bodies
    assert ("LLM", [SUPPORT, REPORTS]) == (new["run_type"], new["project_ids"])
    assert ("llm", [SUPPORT, REPORTS]) == (old["run_type"], old["session"])
    assert new["min_start_time"] < "2026-11-03T09:00:00"
    assert new["max_start_time"] > "2026-11-03T12"
    assert 'gte(start_time, "2026-11-03T08:59:59' in old["filter"]
    asked_for = {name.lower() for name in (*new["selects"], *old["select"])}
    assert not asked_for & {"inputs", "outputs", "inputs_preview", "outputs_preview", "events"}


def test_a_langsmith_before_the_new_api_is_asked_by_the_old_one_from_then_on() -> None:
    api = of_new(404)
    api.answers[OLD] = [recorded("runs_old.json")]
    with asked(api) as (source, server):
        read(source, MORNING, NOON)
        read(source, MORNING, NOON)

    paths = [request.path for request in server.requests]
    assert [SESSIONS, NEW, OLD, SESSIONS, OLD] == paths


def test_an_address_where_neither_api_is_does_not_end_in_the_old_one() -> None:
    api = of_new(404, recorded("runs_new.json"))
    with asked(api) as (source, _):
        with pytest.raises(RefusedRequestError, match="v2/runs/query answered with 404"):
            read(source, MORNING, NOON)
        assert 3 == len(read(source, MORNING, NOON))


def test_a_refusal_for_another_reason_is_not_asked_of_the_old_api() -> None:
    with asked(of_new(403)) as (source, server):
        with pytest.raises(RefusedRequestError):
            read(source, MORNING, NOON)
        assert OLD not in {request.path for request in server.requests}


def test_projects_are_told_by_the_newer_api_once_the_older_is_gone() -> None:
    page = b'{"items": [{"id": "%s", "name": "support-bot", "type": "PROJECT"}], "next_cursor": ""}'
    api = Paths(
        {
            SESSIONS: [410],
            "/api/v2/sessions": [page % SUPPORT.encode()],
            NEW: [recorded("runs_new.json")],
        }
    )
    with asked(api) as (source, _):
        assert "support-bot" == read(source, MORNING, NOON)[0].workflow


def test_projects_are_read_page_by_page() -> None:
    def page(first: int, count: int) -> bytes:
        return msgspec.json.encode([{"id": f"p{n}", "name": f"{n}"} for n in range(first, count)])

    empty = b'{"items": [], "next_cursor": null}'
    api = Paths({SESSIONS: [page(0, 100), page(100, 130)], NEW: [empty]})
    with asked(api) as (source, server):
        read(source, MORNING, NOON)

    assert [("0",), ("100",)] == [request.query["offset"] for request in server.requests[:2]]
    assert [100, 30] == [len(body["project_ids"]) for body in api.bodies]


def test_only_named_projects_are_read_where_some_are_named() -> None:
    api = of_new(recorded("runs_new.json"))
    with asked(api, projects=["reports"]) as (source, _):
        read(source, MORNING, NOON)

    assert [[REPORTS]] == [body["project_ids"] for body in api.bodies]


def test_a_workspace_without_projects_is_not_asked_for_runs() -> None:
    with asked(Paths({SESSIONS: [b"[]"]})) as (source, server):
        assert [] == read(source, MORNING, NOON)
        assert 1 == len(server.requests)


def test_an_address_as_langsmiths_own_sdk_takes_it_will_do() -> None:
    api = of_new(recorded("runs_new.json"))
    with asked(api, path="/api/v1/", workspace_id="w-1") as (source, server):
        assert 3 == len(read(source, MORNING, NOON))
        assert {"w-1"} == {request.headers["x-tenant-id"] for request in server.requests}


def test_a_cursor_that_comes_twice_ends_the_poll() -> None:
    page = b'{"items": [], "next_cursor": "again"}'
    with asked(of_new(page)) as (source, _), pytest.raises(TransientError, match="paging"):
        read(source, MORNING, NOON)


def test_variables_are_enough() -> None:
    environ = {
        "LANGSMITH_API_KEY": "made-up",
        "LANGSMITH_ENDPOINT": "https://eu.api.smith.langchain.com",
    }
    (settings,) = configuration.load(None, KIND_SETTINGS, environ | DATABASE).sources

    assert "langsmith" == settings.kind
    assert "https://eu.api.smith.langchain.com" == settings.base_url  # type: ignore[attr-defined]
