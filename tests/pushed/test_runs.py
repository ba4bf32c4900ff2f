"""What a program tells of a run becomes an execution, its steps, its calls and their cost."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from exporter.pushed.reading import read_executions
from exporter.records import (
    CostSource,
    ExecutionStatus,
    LlmCall,
    Operation,
    StepKind,
    WholeExecution,
)
from tests.pushed.telling import (
    NOW,
    RUN,
    Stored,
    calls,
    execution,
    one_execution,
    outcomes,
    steps,
)

BEGAN = "2026-06-01T11:00:00Z"
BEGAN_AT = datetime(2026, 6, 1, 11, tzinfo=UTC)


def test_everything_that_an_execution_holds_can_be_told() -> None:
    found = one_execution(
        execution(
            workflow_id="w-7",
            version=3,
            trigger="cron",
            status="Timed Out",
            started_at=BEGAN,
            duration_ms=1500,
            error={"type": "TimeLimit", "message": "too slow", "step": "draft", "stack": "at x"},
            customer=42,
            project="p",
            team="t",
            tags=["a", "b"],
            attributes={"region": "eu", "share": 0.5},
            items_total=10,
            items_failed="1",
            input={"topic": "tea", "price": 1.10},
            output="text",
            retry_of="run-0",
            parent_execution_id="run-p",
            trace_id="0af7651916cd43dd8448eb211c80319c",
            url="https://example.com/runs/1",
            steps_completed=5,
        )
    )

    assert ("run-1", "w-7", "content") == (found.execution_id, found.workflow_id, found.workflow)
    assert ("3", "cron", ExecutionStatus.TIMEOUT) == (
        found.workflow_version,
        found.trigger,
        found.status,
    )
    assert ("TimeLimit", "too slow", "draft") == (
        found.error_type,
        found.error_message,
        found.error_step,
    )
    assert ("42", "p", "t", ("a", "b")) == (
        found.customer,
        found.project,
        found.team,
        found.tags,
    )
    assert {
        "region": "eu",
        "share": 0.5,
        "steps_completed": 5,
        "error_stack": "at x",
    } == found.attributes
    assert (10, 1) == (found.items_total, found.items_failed)
    assert ('{"topic": "tea", "price": 1.1}', "text") == (found.input, found.output)
    assert ("run-0", "run-p") == (found.retry_of, found.parent_execution_id)
    assert "0af7651916cd43dd8448eb211c80319c" == found.trace_id
    assert "https://example.com/runs/1" == found.engine_url


def test_null_and_empty_text_say_nothing() -> None:
    bare = execution()
    empty = dict.fromkeys(
        ("workflow_id", "customer", "error", "duration_ms", "started_at", "cost_usd", "url"), ""
    )

    assert bare == execution(**empty)
    assert bare == execution(
        **dict.fromkeys([*empty, "tags", "steps", "llm_calls", "outcomes", "attributes"])
    )


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("ok", ExecutionStatus.SUCCESS),
        ("Completed", ExecutionStatus.SUCCESS),
        ("succeeded", ExecutionStatus.SUCCESS),
        ("FAILED", ExecutionStatus.ERROR),
        ("failure", ExecutionStatus.ERROR),
        ("cancelled", ExecutionStatus.CANCELED),
        ("timed_out", ExecutionStatus.TIMEOUT),
        ("timed-out", ExecutionStatus.TIMEOUT),
        ("started", ExecutionStatus.RUNNING),
        ("in progress", ExecutionStatus.RUNNING),
        ("pending", ExecutionStatus.QUEUED),
        ("paused", ExecutionStatus.WAITING),
        ("crashed", ExecutionStatus.CRASHED),
    ],
)
def test_the_words_of_the_field_are_known(word: str, status: ExecutionStatus) -> None:
    assert status == one_execution(execution(status=word)).status


def test_an_error_may_be_a_text_and_its_step_is_the_first_that_failed() -> None:
    found = one_execution(
        execution(
            status="failed",
            error="no answer",
            steps=[{"name": "fetch"}, {"name": "write", "error": "x"}, {"name": "c", "error": "y"}],
        )
    )

    assert (None, "no answer", "write") == (
        found.error_type,
        found.error_message,
        found.error_step,
    )


def test_an_error_may_be_told_by_the_names_of_our_columns() -> None:
    found = one_execution(
        execution(status="error", error_type="E", error_message="m", error_step="s")
    )

    assert ("E", "m", "s") == (found.error_type, found.error_message, found.error_step)


def test_steps_have_their_place_as_id_and_the_times_that_follow() -> None:
    first, second = steps(
        execution(
            steps=[
                {
                    "name": "fetch",
                    "kind": "HTTP",
                    "started_at": BEGAN,
                    "finished_at": "2026-06-01T11:00:00.250Z",
                    "items_in": 1,
                    "items_out": 2,
                    "items_failed": 0,
                    "attempt": 2,
                    "input": ["a"],
                    "output": {"b": None},
                    "host": "example.com",
                },
                {
                    "id": "w",
                    "parent_step_id": "1",
                    "kind": "agent",
                    "finished_at": BEGAN,
                    "duration_seconds": 2,
                    "error": {"type": "E", "message": "m", "stack": "s"},
                },
            ]
        )
    )

    assert ("1", "fetch", StepKind.HTTP, ExecutionStatus.SUCCESS, None) == (
        first.step_id,
        first.name,
        first.kind,
        first.status,
        first.parent_step_id,
    )
    assert (BEGAN_AT, 0.25, 2) == (first.started_at, first.duration_seconds, first.attempt)
    assert (1, 2, 0) == (first.items_in, first.items_out, first.items_failed)
    assert ('["a"]', '{"b": null}', {"host": "example.com"}) == (
        first.input,
        first.output,
        first.attributes,
    )
    assert ("w", "w", StepKind.OTHER, ExecutionStatus.ERROR, "1") == (
        second.step_id,
        second.name,
        second.kind,
        second.status,
        second.parent_step_id,
    )
    assert (BEGAN_AT - timedelta(seconds=2), 2) == (second.started_at, second.duration_seconds)
    assert ("E", "m", {"kind": "agent", "error_stack": "s"}) == (
        second.error_type,
        second.error_message,
        second.attributes,
    )


def test_everything_that_a_call_holds_can_be_told() -> None:
    records = execution(
        started_at=BEGAN,
        duration_ms=10,
        customer="acme",
        steps=[{"id": "s-1", "name": "draft", "started_at": "2026-06-01T11:00:05Z"}],
        llm_calls=[
            {
                "step": "draft",
                "provider": "Mistral-AI",
                "model": "mistral-large-2411",
                "requested_model": "mistral-large",
                "operation": "completion",
                "latency_ms": 1200.5,
                "time_to_first_token_ms": 300,
                "input_tokens": 100,
                "cached_input_tokens": 40,
                "cache_write_tokens": 10,
                "output_tokens": 50.0,
                "reasoning_tokens": 20,
                "tokens_estimated": True,
                "cost_usd": "0.30",
                "finish_reason": "stop",
                "prompt": [{"role": "user", "content": "é"}],
                "response": "yes",
            }
        ],
    )

    assert [
        LlmCall(
            source="pushed",
            execution_id="run-1",
            created_at=BEGAN_AT,
            call_id="1",
            step_id="s-1",
            provider="mistral",
            model="mistral-large-2411",
            requested_model="mistral-large",
            operation=Operation.CHAT,
            status=ExecutionStatus.SUCCESS,
            workflow_id="content",
            workflow="content",
            customer="acme",
            started_at=BEGAN_AT + timedelta(seconds=5),
            finish_reason="stop",
            latency_seconds=1.2005,
            time_to_first_token_seconds=0.3,
            input_tokens=100,
            cached_input_tokens=40,
            cache_write_tokens=10,
            output_tokens=50,
            reasoning_tokens=20,
            tokens_estimated=True,
            cost_usd=Decimal("0.30"),
            cost_source=CostSource.REPORTED,
            prompt='[{"role": "user", "content": "é"}]',
            response="yes",
        )
    ] == calls(records)


def test_of_a_call_its_model_is_enough() -> None:
    (call,) = calls(execution(started_at=BEGAN, duration_ms=1, llm_calls=[{"model": "gpt-4o"}]))

    assert ("openai", Operation.CHAT, ExecutionStatus.SUCCESS) == (
        call.provider,
        call.operation,
        call.status,
    )
    assert (BEGAN_AT, None, None, None) == (
        call.started_at,
        call.input_tokens,
        call.cost_usd,
        call.cost_source,
    )


@pytest.mark.parametrize(
    ("error", "error_type", "response"),
    [
        ("RateLimitError", "RateLimitError", "RateLimitError"),
        ("You are sending too fast", "error", "You are sending too fast"),
        ({"type": "rate_limit", "message": "too fast"}, "rate_limit", "too fast"),
    ],
)
def test_a_call_with_an_error_failed_and_its_type_is_a_word(
    error: object, error_type: str, response: str
) -> None:
    (call,) = calls(execution(llm_calls=[{"model": "m", "error": error}]))

    assert (ExecutionStatus.ERROR, error_type, response) == (
        call.status,
        call.error_type,
        call.response,
    )


@pytest.mark.parametrize(
    ("usage", "tokens"),
    [
        (
            {
                "prompt_tokens": 100,
                "completion_tokens": 20,
                "total_tokens": 120,
                "prompt_tokens_details": {"cached_tokens": 30, "audio_tokens": 0},
                "completion_tokens_details": {"reasoning_tokens": 5},
            },
            (100, 30, None, 20, 5),
        ),
        (
            {
                "input_tokens": 100,
                "input_tokens_details": {"cached_tokens": 30},
                "output_tokens": 20,
                "output_tokens_details": {"reasoning_tokens": 5},
            },
            (100, 30, None, 20, 5),
        ),
        (
            {
                "input_tokens": 10,
                "cache_read_input_tokens": 80,
                "cache_creation_input_tokens": 5,
                "output_tokens": 20,
            },
            (95, 80, 5, 20, None),
        ),
        (
            {
                "promptTokenCount": 100,
                "cachedContentTokenCount": 30,
                "candidatesTokenCount": 20,
                "thoughtsTokenCount": 7,
            },
            (100, 30, None, 27, 7),
        ),
        ({"prompt_tokens": 3, "prompt_tokens_details": None}, (3, None, None, None, None)),
        ({}, (None, None, None, None, None)),
    ],
    ids=["OpenAI chat", "OpenAI responses", "Anthropic", "Gemini", "without details", "nothing"],
)
def test_the_usage_of_an_answer_is_read_in_every_dialect(
    usage: dict[str, object], tokens: tuple[int | None, ...]
) -> None:
    (call,) = calls(execution(llm_calls=[{"model": "m", "usage": usage}]))

    assert tokens == (
        call.input_tokens,
        call.cached_input_tokens,
        call.cache_write_tokens,
        call.output_tokens,
        call.reasoning_tokens,
    )


def test_tokens_told_one_by_one_count_before_those_of_usage() -> None:
    (call,) = calls(
        execution(
            llm_calls=[
                {"model": "m", "input_tokens": 7, "usage": {"input_tokens": 5, "output_tokens": 2}}
            ]
        )
    )

    assert (7, 2) == (call.input_tokens, call.output_tokens)


def test_the_cost_of_a_run_without_calls_is_a_call_of_none() -> None:
    records = execution(cost_usd=0.023, started_at=BEGAN, duration_ms=2340, status="failed")

    (call,) = calls(records)
    assert ("run", 0, "unknown", "unknown", Decimal("0.023"), CostSource.REPORTED) == (
        call.call_id,
        call.calls,
        call.provider,
        call.model,
        call.cost_usd,
        call.cost_source,
    )
    assert ExecutionStatus.SUCCESS == call.status, "no call failed: what it cost was served"


def test_tokens_of_a_run_without_calls_are_kept_with_its_model() -> None:
    (call,) = calls(execution(model="gpt-4o", input_tokens=10, output_tokens=2))

    assert ("openai", "gpt-4o", 0, 10, 2, None) == (
        call.provider,
        call.model,
        call.calls,
        call.input_tokens,
        call.output_tokens,
        call.cost_source,
    )


def test_a_prompt_is_content_also_where_no_call_is_told() -> None:
    """Attributes are kept whatever is captured of prompts: none may be there."""
    alone = execution(prompt=["write"], response="leaves")
    beside = execution(prompt="write", response="leaves", llm_calls=[{"model": "m"}])

    assert [('["write"]', "leaves", 0)] == [
        (call.prompt, call.response, call.calls) for call in calls(alone)
    ]
    assert ("write", "leaves") == (one_execution(beside).input, one_execution(beside).output)
    assert {} == one_execution(alone).attributes == one_execution(beside).attributes


def test_of_a_long_stack_both_ends_are_kept() -> None:
    stack = "Traceback\n" + "  line\n" * 2000 + "ValueError: boom"
    found = one_execution(execution(status="failed", error={"message": "boom", "stack": stack}))

    kept = found.attributes["error_stack"]
    assert isinstance(kept, str)
    assert len(kept) <= 4096
    assert kept.startswith("Traceback\n")
    assert kept.endswith("ValueError: boom")


def test_the_cost_of_a_run_is_never_added_to_that_of_its_calls() -> None:
    records = execution(
        cost_usd=0.5, model="m", llm_calls=[{"model": "m", "cost_usd": 0.1}, {"model": "m"}]
    )

    assert [Decimal("0.1"), None] == [call.cost_usd for call in calls(records)]
    assert {"reported_cost_usd": 0.5, "reported_model": "m"} == (one_execution(records).attributes)


def test_money_is_exact() -> None:
    records = execution(
        llm_calls=[
            {"model": "m", "cost_usd": 0.1},
            {"model": "m", "cost_usd": 0.2},
            {"model": "m", "cost_usd": "0.00000000000000000000000001"},
        ]
    )

    total = sum((call.cost_usd or Decimal(0) for call in calls(records)), Decimal(0))
    assert Decimal("0.30000000000000000000000001") == total


def test_numbers_among_attributes_lose_no_digit() -> None:
    numbers = b'"a": 0.1, "b": 1.10, "c": 1e400, "d": 0.1234567890123456789012'
    rest = b', "e": 12345678901234567890, "status": "ok"}'
    written = b'{"execution_id": 1, "workflow": "w", ' + numbers + rest

    found = one_execution(Stored().told(read_executions(written, is_lines=False, now=NOW)))
    assert {
        "a": 0.1,
        "b": 1.1,
        "c": "1E+400",
        "d": "0.1234567890123456789012",
        "e": 12345678901234567890,
    } == found.attributes


def test_keys_that_are_not_known_are_kept_and_an_attribute_of_that_name_wins() -> None:
    found = one_execution(execution(region="eu", colour="red", attributes={"colour": "blue"}))

    assert {"region": "eu", "colour": "blue"} == found.attributes


def test_texts_that_no_database_holds_do_not_refuse_a_run() -> None:
    found = one_execution(execution(customer="a\0b", output="half \ud83d", tags=["\ud83d"]))

    assert ("a\0b", "half \ud83d", ("\ud83d",)) == (found.customer, found.output, found.tags)


def test_a_run_told_again_is_told_as_a_whole() -> None:
    stored = Stored()
    stored.push({**RUN, "started_at": BEGAN, "steps": [{"name": "a"}, {"name": "b"}]})
    records = stored.push({**RUN, "started_at": BEGAN, "steps": [{"name": "a"}]})

    assert [WholeExecution] == [type(each) for each in records if isinstance(each, WholeExecution)]
    assert ["a"] == [step.name for step in steps(list(stored.rows.values()))]


def test_outcomes_of_a_run_belong_to_it() -> None:
    found = outcomes(
        execution(
            started_at=BEGAN,
            duration_ms=1,
            customer="acme",
            outcomes={"approved": True, "revenue_eur": -12.5},
        )
    )

    assert [("approved", Decimal(1)), ("revenue_eur", Decimal("-12.5"))] == [
        (each.name, each.value) for each in found
    ]
    assert {("pushed", "content", "run-1", "acme", BEGAN_AT)} == {
        (each.source, each.workflow, each.execution_id, each.customer, each.at) for each in found
    }
