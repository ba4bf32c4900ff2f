"""What is remarkable of calls and steps, in the words of those who say it."""

from datetime import datetime, timedelta
from random import Random
from typing import Any

import pytest

from exporter.records import (
    CallSignal,
    Execution,
    ExecutionStatus,
    LlmCall,
    Record,
    Step,
    StepSignal,
)
from exporter.resilience import with_signals
from tests.sources.made_up import BEGUN, call, execution, step

RUN = execution(1)
FAILED = ExecutionStatus.ERROR


def signals(*records: Record) -> list[tuple[str, ...]]:
    return [one.signals for one in with_signals(records) if isinstance(one, LlmCall | Step)]


def at(seconds: float) -> datetime:
    return BEGUN + timedelta(seconds=seconds)


def tried(seconds: float, model: str = "gpt-4o", *, fails: bool = False, **fields: Any) -> LlmCall:
    """A call that takes one second."""
    made: dict[str, Any] = {
        "call_id": f"{model} at {seconds}",
        "started_at": at(seconds),
        "latency_seconds": 1.0,
        "model": model,
    }
    failed = {"status": FAILED, "error_type": "RateLimitError"} if fails else {}
    return call(RUN, **made | failed | fields)


@pytest.mark.parametrize(
    ("error_type", "signal"),
    [
        ("RateLimitError", CallSignal.RATE_LIMITED),
        ("openai.RateLimitError", CallSignal.RATE_LIMITED),
        ("rate_limit_exceeded", CallSignal.RATE_LIMITED),
        ("429", CallSignal.RATE_LIMITED),
        ("TooManyRequests", CallSignal.RATE_LIMITED),
        ("ThrottlingException", CallSignal.RATE_LIMITED),
        ("RESOURCE_EXHAUSTED", CallSignal.RATE_LIMITED),
        ("insufficient_quota", CallSignal.RATE_LIMITED),
        ("overloaded_error", CallSignal.OVERLOADED),
        ("OverloadedError", CallSignal.OVERLOADED),
        ("InternalServerError", CallSignal.OVERLOADED),
        ("529", CallSignal.OVERLOADED),
        ("503", CallSignal.OVERLOADED),
        ("ServiceUnavailableException", CallSignal.OVERLOADED),
        ("APITimeoutError", CallSignal.TIMED_OUT),
        ("ETIMEDOUT", CallSignal.TIMED_OUT),
        ("DEADLINE_EXCEEDED", CallSignal.TIMED_OUT),
        ("408", CallSignal.TIMED_OUT),
        ("context_length_exceeded", CallSignal.CONTEXT_EXCEEDED),
        ("ContextWindowExceededError", CallSignal.CONTEXT_EXCEEDED),
        ("content_policy_violation", CallSignal.REFUSED),
        ("ContentPolicyViolationError", CallSignal.REFUSED),
        ("content_filter", CallSignal.REFUSED),
    ],
)
def test_an_error_is_known_by_its_type(error_type: str, signal: CallSignal) -> None:
    assert signals(call(RUN, status=FAILED, error_type=error_type)) == [(signal,)]


@pytest.mark.parametrize(
    ("said", "signal"),
    [
        ("Error code: 529 - {'type': 'error'}", CallSignal.OVERLOADED),
        ("503 UNAVAILABLE. {'error': {'code': 503}}", CallSignal.OVERLOADED),
        ("HTTP/1.1 502", CallSignal.OVERLOADED),
        ("Request failed with status code 504", CallSignal.TIMED_OUT),
        ("context deadline exceeded", CallSignal.TIMED_OUT),
        ("timeout of 300000ms exceeded", CallSignal.TIMED_OUT),
        ("The service is receiving too many requests from you", CallSignal.RATE_LIMITED),
        ("Resource has been exhausted (e.g. check quota).", CallSignal.RATE_LIMITED),
        ("Too many tokens, please wait before trying again.", CallSignal.RATE_LIMITED),
        ("Request too large for gpt-4o on tokens per min (TPM)", CallSignal.RATE_LIMITED),
        ("Service tier capacity exceeded for this model.", CallSignal.OVERLOADED),
        ("The model is overloaded. Please try again later.", CallSignal.OVERLOADED),
        ("prompt is too long: 208310 tokens > 200000 maximum", CallSignal.CONTEXT_EXCEEDED),
        ("Input is too long for requested model.", CallSignal.CONTEXT_EXCEEDED),
        (
            "The input token count (1100000) exceeds the maximum number of tokens allowed",
            CallSignal.CONTEXT_EXCEEDED,
        ),
        (
            "The response was filtered due to the prompt triggering Azure OpenAI's content "
            "management policy.",
            CallSignal.REFUSED,
        ),
        ("Output blocked by content filtering policy", CallSignal.REFUSED),
        ("Your request was rejected as a result of our safety system.", CallSignal.REFUSED),
        ("Could not parse response content as the length limit was reached", None),
        ("Invalid value: expected at most 500 images, got 503", None),
        ("max_tokens is too large: 100000. This model supports at most 16384", None),
        ("Connection error.", None),
    ],
)
def test_an_error_of_any_class_is_known_by_what_is_said(
    said: str, signal: CallSignal | None
) -> None:
    of_step = step(RUN, "s", status=FAILED, error_message=said)
    found = signals(call(RUN, status=FAILED, error_type="BadRequestError", step_id="s"), of_step)

    assert found[0] == ((signal,) if signal else ())


def test_a_run_that_is_nothing_but_a_call_says_of_itself_why_it_failed() -> None:
    run = execution(1, status=FAILED, error_message="prompt is too long: 208310 tokens")
    alone = call(run, status=FAILED, error_type="BadRequestError")

    assert signals(run, alone) == [(CallSignal.CONTEXT_EXCEEDED,)]
    assert signals(run, alone, call(run, "another"))[0] == ()


def test_an_answer_that_the_sdk_could_not_parse_for_its_length_is_truncated() -> None:
    assert signals(call(RUN, status=FAILED, error_type="LengthFinishReasonError")) == [
        (CallSignal.TRUNCATED,)
    ]


@pytest.mark.parametrize("error_type", ["AuthenticationError", "401", "14290", "ValueError", None])
def test_other_errors_are_nothing_of_the_kind(error_type: str | None) -> None:
    assert signals(call(RUN, status=FAILED, error_type=error_type)) == [()]


def test_a_type_that_says_nothing_leaves_it_to_the_message_of_the_step() -> None:
    of_step = step(RUN, "s", status=FAILED, error_message="429: Rate limit reached for gpt-4o")
    failed = call(RUN, status=FAILED, error_type="NodeApiError", step_id="s")

    assert signals(failed, of_step)[0] == (CallSignal.RATE_LIMITED,)


def test_a_prompt_that_is_too_long_is_no_rate_limit_though_it_speaks_of_tokens() -> None:
    said = "This model's maximum context length is 128000 tokens. You requested 429000 tokens"
    of_step = step(RUN, "s", status=FAILED, error_message=said)

    found = signals(call(RUN, status=FAILED, error_type="BadRequestError", step_id="s"), of_step)

    assert found[0] == (CallSignal.CONTEXT_EXCEEDED,)


def test_a_success_is_not_remarkable_for_the_words_of_its_error() -> None:
    assert signals(call(RUN, error_type="RateLimitError")) == [()]


@pytest.mark.parametrize("reason", ["length", "max_tokens", "MAX_TOKENS", "max_output_tokens"])
def test_an_answer_that_ended_at_its_limit_is_truncated(reason: str) -> None:
    assert signals(call(RUN, finish_reason=reason)) == [(CallSignal.TRUNCATED,)]


@pytest.mark.parametrize("reason", ["content_filter", "refusal", "SAFETY", "guardrail_intervened"])
def test_an_answer_that_was_refused_is_told(reason: str) -> None:
    assert signals(call(RUN, finish_reason=reason)) == [(CallSignal.REFUSED,)]


@pytest.mark.parametrize("reason", ["stop", "end_turn", "tool_calls", None])
def test_an_answer_that_came_to_its_end_is_not_remarkable(reason: str | None) -> None:
    assert signals(call(RUN, finish_reason=reason)) == [()]


def test_the_same_model_after_a_failure_is_a_retry_and_another_a_fallback() -> None:
    first, second, third = tried(0, fails=True), tried(2, fails=True), tried(6, "claude-sonnet-4-5")

    assert signals(first, second, third) == [
        (CallSignal.RATE_LIMITED,),
        (CallSignal.RATE_LIMITED, CallSignal.RETRY),
        (CallSignal.FALLBACK,),
    ]


def test_a_call_after_a_success_is_neither() -> None:
    assert signals(tried(0), tried(2), tried(4, "claude-sonnet-4-5")) == [(), (), ()]


def test_a_failure_is_followed_once() -> None:
    assert signals(tried(0, fails=True), tried(2), tried(4))[1:] == [(CallSignal.RETRY,), ()]


def test_a_call_that_began_before_the_failure_was_known_does_not_follow_it() -> None:
    assert signals(tried(0, fails=True), tried(0.5))[1] == ()


def test_a_dated_model_is_the_one_that_was_asked_for() -> None:
    first = tried(0, "gpt-4o", fails=True)
    second = tried(2, "gpt-4o-2024-08-06", requested_model="gpt-4o")

    assert signals(first, second)[1] == (CallSignal.RETRY,)


def test_calls_of_another_execution_or_operation_do_not_follow() -> None:
    other = execution(2)
    elsewhere = call(other, started_at=at(5))

    assert signals(tried(0, fails=True), elsewhere)[1] == ()


def items(seed: int) -> list[Record]:
    """Ten items side by side: each fails, is tried again, and ends by another model."""
    records: list[Record] = []
    chance = Random(seed)
    for number in range(10):
        parent = step(RUN, f"item {number}")
        records.append(parent)
        begins = chance.uniform(0, 3)
        for place, (model, fails) in enumerate(
            [("gpt-4o", True), ("gpt-4o", True), ("claude-sonnet-4-5", False)]
        ):
            name = f"{number}.{place}"
            records.append(step(RUN, name, parent_step_id=parent.step_id))
            records.append(
                tried(begins + 2 * place, model, fails=fails, call_id=name, step_id=name)
            )
    chance.shuffle(records)
    return records


@pytest.mark.parametrize("seed", range(5))
def test_parallel_items_are_not_taken_for_each_others_retries(seed: int) -> None:
    found = [
        signal
        for one in with_signals(items(seed))
        if isinstance(one, LlmCall)
        for signal in one.signals
    ]

    assert found.count(CallSignal.RETRY) == 10
    assert found.count(CallSignal.FALLBACK) == 10


@pytest.mark.parametrize(
    "error_type",
    [
        "pybreaker.CircuitBreakerError",
        "CircuitBreakerError",
        "purgatory.domain.model.OpenedState",
        "CallNotPermittedException",
        "BrokenCircuitException",
        "CircuitBreakerOpenException",
    ],
)
def test_a_step_that_an_open_breaker_stopped_is_told(error_type: str) -> None:
    stopped = step(RUN, status=FAILED, error_type=error_type)

    assert signals(stopped) == [(StepSignal.CIRCUIT_OPEN,)]


def test_a_breaker_in_a_node_program_is_known_by_its_message() -> None:
    stopped = step(RUN, status=FAILED, error_type="Error", error_message="Breaker is open")

    assert signals(stopped) == [(StepSignal.CIRCUIT_OPEN,)]


def test_a_step_says_itself_that_a_breaker_or_a_cache_was_at_work() -> None:
    stopped = step(RUN, "a", attributes={"aiwf.circuit_breaker": "open"})
    answered = step(RUN, "b", attributes={"aiwf.cached_answer": True})
    closed = step(RUN, "c", attributes={"aiwf.circuit_breaker": "closed"})

    assert signals(stopped, answered, closed) == [
        (StepSignal.CIRCUIT_OPEN,),
        (StepSignal.CACHED_ANSWER,),
        (),
    ]


def test_a_second_look_finds_the_same() -> None:
    once = with_signals(items(1))

    assert with_signals(once) == once


def test_other_records_pass_as_they_are() -> None:
    run: Execution = RUN

    assert with_signals([run]) == [run]
