"""Prompts and responses: redacted first, then cut, or not kept at all."""

import time
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.content import CUT_MARK, ContentPolicy
from exporter.interfaces import Batch
from exporter.preparation import Preparation
from exporter.pricing import Pricing
from exporter.records import Execution, ExecutionStatus, LlmCall, Operation, Step, StepKind
from exporter.settings import ContentSettings

NOW = datetime(2026, 1, 3, tzinfo=UTC)
CARD = "4111 1111 1111 1111"
KEY = "sk-proj-abcdefgh12345678"


def call(prompt: str | None, response: str | None = None) -> LlmCall:
    return LlmCall(
        source="n8n",
        execution_id="1",
        created_at=NOW,
        call_id="m#0",
        provider="openai",
        model="gpt-5",
        operation=Operation.CHAT,
        status=ExecutionStatus.SUCCESS,
        workflow_id="w",
        workflow="invoices",
        started_at=NOW,
        input_tokens=10,
        prompt=prompt,
        response=response,
    )


def kept(text: str, **settings: object) -> str | None:
    policy = ContentPolicy(ContentSettings.model_validate(settings))
    return policy.applied(call(text)).prompt


def test_off_keeps_no_text_and_every_number() -> None:
    policy = ContentPolicy(ContentSettings(capture="off"))

    applied = policy.applied(call("a prompt", "a response"))

    assert (None, None, 10) == (applied.prompt, applied.response, applied.input_tokens)


def test_prompt_and_response_are_treated_alike() -> None:
    policy = ContentPolicy(ContentSettings(redact=("email",), max_chars=10))

    applied = policy.applied(call("to a@example.com, now", "to b@example.com, now"))

    assert applied.prompt == applied.response


def test_a_call_without_texts_is_passed_on_as_it_is() -> None:
    without = call(None)

    assert without is ContentPolicy(ContentSettings()).applied(without)


def test_full_keeps_every_character() -> None:
    assert "x" * 100_000 == kept("x" * 100_000, capture="full", max_chars=10)


def test_truncated_says_how_much_is_missing() -> None:
    assert "xxxxx… [15 more characters]" == kept("x" * 20, max_chars=5)


def test_a_text_of_exactly_the_limit_is_whole() -> None:
    assert "x" * 5 == kept("x" * 5, max_chars=5)


@given(text=st.text(), limit=st.integers(1, 50))
def test_a_truncated_text_begins_as_the_text_did(text: str, limit: int) -> None:
    found = kept(text, max_chars=limit, redact=[])

    assert found is not None
    assert text[:limit] == found[: min(limit, len(text))]


@pytest.mark.parametrize("before", range(1, 30))
@pytest.mark.parametrize(
    ("secret", "name"),
    [(KEY, "api_key"), (CARD, "card"), ("jane.doe@example.com", "email")],
)
def test_a_secret_across_the_limit_is_recognised_before_the_cut(
    secret: str, name: str, before: int
) -> None:
    found = kept(f"{'-' * before} {secret} and more", max_chars=30, redact=[name])

    assert found is not None
    assert secret[:8] not in found


@pytest.mark.parametrize(
    "text",
    [
        KEY,
        "sk-ant-api03-abcdefgh",
        "AIzaSyA1234567890abcdefghijklmnopqrstu",
        "ghp_abcdefghijklmnopqrst1234",
        "AKIAIOSFODNN7EXAMPLE",
        "xoxb-1234567890-abcdef",
        "Bearer eyJhbGciOiJIUzI1NiJ9.e30.abc",
    ],
)
def test_an_api_key_is_hidden_by_default(text: str) -> None:
    assert "use [api_key] here" == kept(f"use {text} here")


@pytest.mark.parametrize(
    "text", ["risk-assessment-of-the-week", "ask-me-anything-today", "task-force-2026", "Bearer of"]
)
def test_words_that_look_a_little_like_keys_survive(text: str) -> None:
    assert text == kept(text)


@pytest.mark.parametrize(
    "address", ["jane@example.com", "jane.doe+x@mail.example.co.uk", "JANE@EXAMPLE.COM"]
)
def test_an_address_is_hidden_if_asked(address: str) -> None:
    assert "to [email]!" == kept(f"to {address}!", redact=["email"])


@pytest.mark.parametrize(
    "number",
    [
        "4111111111111111",
        CARD,
        "4111-1111-1111-1111",
        "378282246310005",
        "5555 5555 5555 4444",
        "6011000990139424",
    ],
)
def test_a_card_number_is_hidden_if_asked(number: str) -> None:
    assert "card [card], thanks" == kept(f"card {number}, thanks", redact=["card"])


@pytest.mark.parametrize(
    "number",
    ["4111111111111112", "1234567890123", "2026-01-03 12:30:45", "order 1234 5678 9012 3456"],
)
def test_a_number_that_fails_luhn_survives(number: str) -> None:
    assert number == kept(number, redact=["card"])


def _luhn_digit(digits: str) -> int:
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if place % 2 == 0 else 1)
        total += value - 9 if value > 9 else value
    return -total % 10


@given(digits=st.text("0123456789", min_size=12, max_size=18), off_by=st.integers(1, 9))
def test_of_ten_last_digits_exactly_one_makes_a_card(digits: str, off_by: int) -> None:
    right = _luhn_digit(digits)

    assert "[card]" == kept(f"{digits}{right}", redact=["card"])
    wrong = f"{digits}{(right + off_by) % 10}"
    assert wrong == kept(wrong, redact=["card"])


def test_nothing_is_hidden_that_was_not_asked_for() -> None:
    text = f"{KEY} {CARD} jane@example.com"

    assert text == kept(text, redact=[])


@pytest.mark.parametrize("text", ["a" * 40_000, "a." * 20_000, "1 " * 20_000, "sk-" * 13_000])
def test_redaction_takes_time_in_proportion_to_the_text(text: str) -> None:
    """A prompt may hold megabytes of anything, and a poll must not hang on it."""
    begun = time.process_time()

    kept(text, redact=["email", "api_key", "card"])

    assert time.process_time() - begun < 0.5


# --- executions and steps ------------------------------------------------------------------


def step(**texts: Any) -> Step:
    return Step(
        source="n8n",
        execution_id="1",
        created_at=NOW,
        step_id="s#0",
        name="s",
        kind=StepKind.CODE,
        status=ExecutionStatus.ERROR,
        **texts,
    )


def test_off_keeps_nothing_of_what_a_step_received_and_gave_on() -> None:
    policy = ContentPolicy(ContentSettings(capture="off"))

    told = step(input="in", output="out", attributes={"parameters": "{}", "node_type": "code"})
    applied = policy.applied_to_run(told)

    assert (None, None) == (applied.input, applied.output)
    assert {"node_type": "code"} == applied.attributes


def test_inputs_and_outputs_are_cut_and_redacted_like_prompts() -> None:
    policy = ContentPolicy(ContentSettings(redact=("email",), max_chars=12))
    execution = Execution(
        source="n8n",
        execution_id="1",
        created_at=NOW,
        workflow_id="w",
        workflow="w",
        status=ExecutionStatus.SUCCESS,
        input="to a@example.com, now",
        output="x" * 20,
    )

    for record in (execution, step(input=execution.input, output=execution.output)):
        applied = policy.applied_to_run(record)
        assert applied.input == "to [email], … [3 more characters]"
        assert applied.output == "xxxxxxxxxxxx… [8 more characters]"


def test_an_error_is_kept_and_redacted_whatever_is_captured() -> None:
    policy = ContentPolicy(ContentSettings(capture="off"))

    told = step(error_message=f"used {KEY}", attributes={"error_stack": f"at {KEY}\nat x"})
    applied = policy.applied_to_run(told)

    assert "used [api_key]" == applied.error_message
    assert "at [api_key]\nat x" == applied.attributes["error_stack"]


def test_a_step_without_texts_is_passed_on_as_it_is() -> None:
    without = step(attributes={"node_type": "code"})

    assert without is ContentPolicy(ContentSettings()).applied_to_run(without)


def test_attributes_of_another_shape_are_passed_on_as_they_are() -> None:
    odd = {"error_stack": 5, "parameters": {"a": 1}}

    assert odd == ContentPolicy(ContentSettings()).applied_to_run(step(attributes=odd)).attributes


# --- applied twice -------------------------------------------------------------------------

PROSE = st.lists(
    st.sampled_from([KEY, CARD, "a@example.com", "4111111111111111", "12", " ", "-", "Bearer "])
    | st.text(max_size=5)
    | st.just(CUT_MARK)
    | st.integers(0, 99).map(lambda count: f"… [{count} more characters]"),
    max_size=12,
).map("".join)


@given(text=PROSE, limit=st.integers(1, 60))
def test_a_text_that_was_prepared_once_is_not_changed_again(text: str, limit: int) -> None:
    settings = {"max_chars": limit, "redact": ["email", "api_key", "card"]}
    once = kept(text, **settings)

    assert once is not None
    assert once == kept(once, **settings)


def test_a_cut_text_that_is_cut_shorter_still_counts_what_is_missing() -> None:
    once = kept("x" * 20, max_chars=10)

    assert once is not None
    assert "xxxxx… [15 more characters]" == kept(once, max_chars=5)


def test_where_nobody_knows_how_much_is_missing_no_number_is_told() -> None:
    assert f"xxxxx{CUT_MARK}" == kept("x" * 10 + CUT_MARK, max_chars=5)


def test_what_a_cut_leaves_of_a_long_number_is_no_card() -> None:
    assert "[card]… [9 more characters]" == kept(
        "4111111111111111" + "0" * 9, max_chars=16, redact=["card"]
    )


def test_what_is_written_of_runs_steps_and_calls_has_passed_the_setting() -> None:
    preparation = Preparation(Pricing(), ContentPolicy(ContentSettings(capture="off")))
    execution = Execution(
        source="n8n",
        execution_id="1",
        created_at=NOW,
        workflow_id="w",
        workflow="w",
        status=ExecutionStatus.SUCCESS,
        input="in",
        output="out",
    )
    told = [execution, step(input="in", output="out"), call("a prompt", "a response")]

    written = preparation.applied(Batch(records=told, cursor={})).records

    for record in written[:2]:
        assert isinstance(record, Execution | Step)
        assert (None, None) == (record.input, record.output)
    assert isinstance(written[2], LlmCall)
    assert (None, None) == (written[2].prompt, written[2].response)
