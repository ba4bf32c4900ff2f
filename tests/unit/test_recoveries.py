"""Which call took the place of one that failed, in the shapes that programs and engines leave."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from exporter.records import (
    CallSignal,
    ExecutionStatus,
    LlmCall,
    Operation,
    Record,
    Step,
    StepKind,
    StepSignal,
)
from exporter.resilience import with_signals
from tests.sources.made_up import BEGUN, call, execution, step

RUN = execution(1)
FAILED = ExecutionStatus.ERROR
GPT, CLAUDE = "gpt-4o", "claude-sonnet-4-5"
RETRY, FALLBACK = CallSignal.RETRY, CallSignal.FALLBACK


def at(seconds: float) -> datetime:
    return BEGUN + timedelta(seconds=seconds)


def made(
    seconds: float, model: str = GPT, within: str | None = None, **fields: Any
) -> list[Record]:
    """A call that takes a second, in a step of its own below another."""
    name = f"{model} at {seconds}"
    told = {"started_at": at(seconds), "latency_seconds": 1.0, "model": model, **fields}
    status = told.get("status", ExecutionStatus.SUCCESS)
    return [
        step(RUN, name, name=f"chat {model}", parent_step_id=within, status=status),
        call(RUN, call_id=name, step_id=name, **told),
    ]


def failed(
    seconds: float, model: str = GPT, within: str | None = None, **fields: Any
) -> list[Record]:
    return made(
        seconds, model, within, **{"status": FAILED, "error_type": "RateLimitError", **fields}
    )


def found(*records: list[Record] | Record) -> dict[str, CallSignal]:
    """Call id → the recovery that it is."""
    flat = [each for one in records for each in (one if isinstance(one, list) else [one])]
    return {
        one.call_id: CallSignal(signal)
        for one in with_signals(flat)
        if isinstance(one, LlmCall)
        for signal in one.signals
        if signal in (RETRY, FALLBACK)
    }


# --- One after the other --------------------------------------------------------------------------


def test_a_model_in_a_step_of_its_own_is_replaced_by_the_one_in_the_next_step() -> None:
    item = step(RUN, "item")
    first = step(RUN, "ask gpt", parent_step_id="item", status=FAILED)
    second = step(RUN, "ask claude", parent_step_id="item")

    assert found(
        item, first, failed(0, GPT, "ask gpt"), failed(2, GPT, "ask gpt"), second,
        made(4, CLAUDE, "ask claude"),
    ) == {"gpt-4o at 2": RETRY, "claude-sonnet-4-5 at 4": FALLBACK}  # fmt: skip


def test_what_an_item_lost_is_not_made_good_by_the_next_item() -> None:
    items = [step(RUN, "1", name="item 1", status=FAILED), step(RUN, "2", name="item 2")]

    assert found(items[0], failed(0, GPT, "1"), items[1], made(2, CLAUDE, "2")) == {}
    assert found(items[0], failed(0, GPT, "1"), items[1], made(2, GPT, "2")) == {}


def test_a_later_step_of_the_same_model_is_no_retry_of_one_that_was_given_up() -> None:
    given_up = step(RUN, "summary", status=FAILED)
    later = step(RUN, "translation")

    assert found(given_up, failed(0, GPT, "summary"), later, made(2, GPT, "translation")) == {}


def test_another_prompt_is_another_task() -> None:
    assert found(failed(0, prompt="Write on tea."), made(2, prompt="Write on coffee.")) == {}


def test_a_prompt_that_was_to_blame_is_expected_to_change() -> None:
    too_long = failed(0, prompt="All of it.", error_type="context_length_exceeded")

    assert found(too_long, made(2, prompt="Half of it.")) == {"gpt-4o at 2": RETRY}


def test_the_same_model_at_another_provider_is_a_fallback() -> None:
    assert found(failed(0), made(2, provider="azure")) == {"gpt-4o at 2": FALLBACK}


def test_a_provider_that_is_not_known_may_be_the_same() -> None:
    assert found(failed(0, provider="unknown"), made(2)) == {"gpt-4o at 2": RETRY}


def test_a_model_that_is_not_known_is_neither() -> None:
    assert found(failed(0, "unknown"), made(2)) == {}
    assert found(failed(0), made(2, "unknown")) == {}


def test_a_failure_of_unknown_length_is_followed_by_what_began_later() -> None:
    unknown = {"latency_seconds": None}

    assert found(failed(0, **unknown), made(2)) == {"gpt-4o at 2": RETRY}
    assert found(failed(0, **unknown), made(0, CLAUDE)) == {}


def test_a_refusal_is_followed_only_by_the_same_prompt() -> None:
    refused = made(0, prompt="A", finish_reason="content_filter")

    assert found(refused, made(2, CLAUDE, prompt="A")) == {"claude-sonnet-4-5 at 2": FALLBACK}
    assert found(refused, made(2, CLAUDE, prompt="B")) == {}
    assert found(made(0, finish_reason="content_filter"), made(2, CLAUDE)) == {}


def test_an_embedding_does_not_take_the_place_of_an_answer() -> None:
    assert found(failed(0), made(2, operation=Operation.EMBEDDINGS)) == {}


def test_a_cost_of_the_whole_run_is_no_call() -> None:
    assert found(failed(0), made(2, calls=0)) == {}


def test_calls_of_a_gateway_stand_alone() -> None:
    """Each has its own time key; what a page of its log begins with would change at every look."""
    alone = [
        call(RUN, call_id=str(n), created_at=at(2 * n), started_at=at(2 * n), status=FAILED)
        for n in range(3)
    ]

    assert found(*alone) == {}


def test_steps_that_are_each_others_parent_do_not_hold_it_up() -> None:
    circle = [step(RUN, "a", parent_step_id="b"), step(RUN, "b", parent_step_id="a")]

    assert found(*circle, failed(0, GPT, "a"), made(2, GPT, "a")) == {"gpt-4o at 2": RETRY}


# --- Side by side ---------------------------------------------------------------------------------


def test_calls_side_by_side_in_one_step_cannot_be_told_apart_by_time() -> None:
    side_by_side = [failed(0), made(0.5, CLAUDE), made(2), made(2.5, CLAUDE)]

    assert found(*side_by_side) == {}


def test_calls_side_by_side_are_told_apart_by_their_prompts() -> None:
    side_by_side = [
        failed(0, prompt="tea"), failed(0.5, prompt="milk"),
        made(2, CLAUDE, prompt="milk"), made(2.5, prompt="tea"), made(3, prompt="water"),
    ]  # fmt: skip

    assert found(*side_by_side) == {"claude-sonnet-4-5 at 2": FALLBACK, "gpt-4o at 2.5": RETRY}


def test_what_one_item_lost_is_not_made_good_by_items_beside_it() -> None:
    batch = step(RUN, "batch")
    items = [
        step(RUN, "1", name="tea", parent_step_id="batch", status=FAILED),
        step(RUN, "2", name="milk", parent_step_id="batch"),
    ]

    assert (
        found(batch, *items, failed(0, GPT, "1"), made(0.5, GPT, "2"), made(2, CLAUDE, "2")) == {}
    )


# --- Breakers and caches --------------------------------------------------------------------------


def held_back(step_id: str, within: str | None, seconds: float, **fields: Any) -> Step:
    return step(
        RUN,
        step_id,
        parent_step_id=within,
        started_at=at(seconds),
        duration_seconds=0.001,
        **{"status": FAILED, "error_type": "circuitbreaker.CircuitBreakerError", **fields},
    )


def open_steps(*steps: Record) -> list[str]:
    return [
        one.step_id
        for one in with_signals(steps)
        if isinstance(one, Step) and StepSignal.CIRCUIT_OPEN in one.signals
    ]


def test_what_is_called_instead_of_a_model_that_a_breaker_holds_back_is_a_fallback() -> None:
    item = step(RUN, "item")
    answer = step(RUN, "ask claude", parent_step_id="item")

    assert found(item, held_back("ask gpt", "item", 0), answer, made(1, CLAUDE, "ask claude")) == {
        "claude-sonnet-4-5 at 1": FALLBACK
    }


def test_a_step_may_say_of_itself_that_its_breaker_was_open_and_another_model_answered() -> None:
    item = step(RUN, "item", attributes={"aiwf.circuit_breaker": "open"})

    assert found(item, made(1, CLAUDE, "item")) == {"claude-sonnet-4-5 at 1": FALLBACK}


def test_a_breakers_error_that_went_on_up_is_told_once() -> None:
    item = step(RUN, "item", status=FAILED, error_type="CircuitBreakerError")

    assert open_steps(item, held_back("ask gpt", "item", 0)) == ["ask gpt"]


@pytest.mark.parametrize(
    "said",
    [
        "Failures threshold reached, circuit breaker opened",
        "Trial call failed, circuit breaker opened",
    ],
)
def test_the_failure_that_opened_a_breaker_was_let_through(said: str) -> None:
    opened = held_back("ask", None, 0, error_type="pybreaker.CircuitBreakerError")

    assert open_steps(held_back("ask", None, 0, error_message=said)) == []
    assert open_steps(opened) == ["ask"]


@pytest.mark.parametrize(
    "said",
    [
        "Breaker is open",
        "Timeout not elapsed yet, circuit breaker still open",
        "circuit breaker is open",
        "CircuitBreaker 'gpt' is OPEN and does not permit further calls",
        "The circuit is now open and is not allowing calls.",
        'Circuit "gpt-4o" OPEN until 2026-03-01 12:05:00 (5 failures, 300 sec remaining)',
    ],
)
def test_a_breaker_is_known_by_its_words(said: str) -> None:
    assert open_steps(held_back("ask", None, 0, error_type="Error", error_message=said)) == ["ask"]


@pytest.mark.parametrize("error_type", ["ValueError", "OpenedStateTest", "RetryError", None])
def test_another_error_is_no_open_breaker(error_type: str | None) -> None:
    said = "the breaker room is closed, the door is open"

    assert open_steps(held_back("a", None, 0, error_type=error_type, error_message=said)) == []


@pytest.mark.parametrize(
    ("kind", "attributes", "is_cached"),
    [
        (StepKind.OTHER, {"gen_ai.cache.hit": True}, True),
        (StepKind.OTHER, {"gen_ai.cache.hit": False}, False),
        (StepKind.HTTP, {"http.response.header.cf-aig-cache-status": ["HIT"]}, True),
        (StepKind.HTTP, {"http.response.header.cf-aig-cache-status": ["MISS"]}, False),
        (StepKind.HTTP, {"http.response.header.x-portkey-cache-status": "SEMANTIC HIT"}, True),
        (StepKind.LLM, {"cache.hit": True}, True),
        (StepKind.DATABASE, {"cache.hit": True}, False),
        (StepKind.LLM, {"gen_ai.usage.cache_read.input_tokens": 1024}, False),
    ],
)
def test_an_answer_out_of_a_cache_is_known_by_what_gateways_and_programs_write(
    kind: StepKind, attributes: dict[str, Any], is_cached: bool
) -> None:
    (told,) = with_signals([step(RUN, kind=kind, attributes=attributes)])

    assert isinstance(told, Step)
    assert (told.signals == (StepSignal.CACHED_ANSWER,)) is is_cached
