"""Which spans are model calls, and what is read from them in each dialect."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from exporter.records import (
    CostSource,
    ExecutionStatus,
    LlmCall,
    Operation,
    SpanEvent,
    StepKind,
)
from exporter.settings import TracesSettings
from tests.receivers.traces.made_spans import CHAT, at, calls_of, exception, made, steps_of

TOKENS = {**CHAT, "gen_ai.usage.input_tokens": 10, "gen_ai.usage.output_tokens": 5}


def call_of(said: dict[str, Any] | None = None, name: str = "call", **more: Any) -> LlmCall:
    """Return the one call of a workflow with one span below its root."""
    calls = calls_of(made("a", took=9), made("b", "a", name=name, said=said, **more))
    assert set(calls) == {"b"}
    return calls["b"]


# --- What a call is ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "operation"),
    [
        ({"gen_ai.operation.name": "chat"}, Operation.CHAT),
        ({"gen_ai.operation.name": "generate_content"}, Operation.CHAT),
        ({"gen_ai.operation.name": "text_completion"}, Operation.CHAT),
        ({"gen_ai.operation.name": "embeddings"}, Operation.EMBEDDINGS),
        ({"gen_ai.operation.name": "image_generation"}, Operation.IMAGE),
        ({"gen_ai.operation.name": "speech_to_text"}, Operation.AUDIO),
        ({"openinference.span.kind": "LLM"}, Operation.CHAT),
        ({"openinference.span.kind": "EMBEDDING"}, Operation.EMBEDDINGS),
        ({"llm.request.type": "completion"}, Operation.CHAT),
        ({"llm.request.type": "embedding"}, Operation.EMBEDDINGS),
        ({"ai.operationId": "ai.streamText.doStream"}, Operation.CHAT),
        ({"ai.operationId": "ai.embed.doEmbed"}, Operation.EMBEDDINGS),
        ({"gen_ai.system": "openai", "gen_ai.request.model": "gpt-4o"}, Operation.CHAT),
    ],
)
def test_an_inference_is_a_call_of_its_operation(
    said: dict[str, object], operation: Operation
) -> None:
    assert call_of(said).operation is operation


@pytest.mark.parametrize(
    "said",
    [
        {**TOKENS, "gen_ai.operation.name": "invoke_agent"},
        {**TOKENS, "gen_ai.operation.name": "execute_tool"},
        {**TOKENS, "gen_ai.operation.name": "retrieval"},
        {"openinference.span.kind": "CHAIN", "llm.token_count.prompt": 10},
        {"openinference.span.kind": "AGENT", "llm.token_count.prompt": 10},
        {"traceloop.span.kind": "task", "gen_ai.request.model": "gpt-4o", "gen_ai.system": "x"},
        {"ai.operationId": "ai.generateText", "ai.usage.promptTokens": 10},
        {"gen_ai.request.model": "gpt-4o"},
        {"http.request.method": "POST"},
        {"gen_ai.operation.name": 7},
    ],
)
def test_a_span_above_calls_or_beside_them_is_none(said: dict[str, object]) -> None:
    assert not calls_of(made("a", took=9), made("b", "a", said=said))


def test_an_image_is_told_from_a_chat_by_the_name_of_its_span() -> None:
    said = {
        "openinference.span.kind": "LLM",
        "llm.invocation_parameters": '{"model": "gpt-image-1", "prompt": "A ship"}',
        "output.value": '{"data": [], "usage": {"input_tokens": 4, "output_tokens": 1056}}',
    }
    call = call_of(said, name="ImagesResponse")

    assert (call.operation, call.model) == (Operation.IMAGE, "gpt-image-1")
    assert (call.input_tokens, call.output_tokens) == (4, 1056)


def test_only_the_innermost_of_nested_inferences_is_a_call() -> None:
    calls = calls_of(
        made("a", took=9, said={**TOKENS, "gen_ai.usage.input_tokens": 900}),
        made("b", "a", said={**TOKENS, "gen_ai.input.messages": "asked outside"}),
        made("c", "b", said={**CHAT, "gen_ai.usage.input_tokens": 10}),
    )

    assert set(calls) == {"c"}
    assert calls["c"].input_tokens == 10
    assert calls["c"].prompt == "asked outside", "what is left open is taken from around it"


def test_an_embedding_within_a_chat_is_a_call_beside_it() -> None:
    embedding = {**CHAT, "gen_ai.operation.name": "embeddings"}
    calls = calls_of(made("a", said=CHAT), made("b", "a", said=embedding))

    assert set(calls) == {"a", "b"}


def test_a_call_below_a_tool_does_not_take_the_place_of_the_call_that_asked_for_it() -> None:
    calls = calls_of(
        made("a", took=9, said=TOKENS),
        made("b", "a", said={"gen_ai.operation.name": "execute_tool"}),
        made("c", "b", said=TOKENS),
    )

    assert set(calls) == {"a", "c"}


def test_what_an_sdk_tells_beside_its_instrumentation_is_the_same_call() -> None:
    """OpenLLMetry makes no span current, so the SDK's lies beside, not below."""
    said = {**CHAT, "gen_ai.provider.name": "anthropic", "gen_ai.request.model": "claude-x"}
    wrapped = {**said, "gen_ai.usage.output_tokens": 22, "gen_ai.input.messages": "asked"}
    exact = {**said, "gen_ai.usage.output_tokens": 21}
    calls = calls_of(
        made("a", took=9),
        made("b", "a", begun=1, took=3, said=wrapped, scope="opentelemetry.instrumentation"),
        made("c", "a", begun=1.1, took=3, said=wrapped, scope="opentelemetry.instrumentation"),
        made("d", "a", begun=1.2, took=2, said=exact, scope="com.anthropic.sdk.python"),
        made("e", "a", begun=1.3, took=2, said=exact, scope="com.anthropic.sdk.python"),
        made("f", "a", begun=6, took=2, said=exact, scope="com.anthropic.sdk.python"),
    )

    assert set(calls) == {"d", "e", "f"}
    assert (calls["d"].output_tokens, calls["d"].prompt) == (21, "asked")
    assert calls["f"].prompt is None


def test_a_trace_that_is_one_call_is_a_run_with_one_call_and_no_step() -> None:
    root = made("a", name="chat gpt-4o-mini", said=TOKENS)

    assert calls_of(root)["a"].step_id is None
    assert not steps_of(root)


# --- Tokens --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "tokens"),
    [
        (
            {
                "gen_ai.usage.input_tokens": 100,
                "gen_ai.usage.output_tokens": 20,
                "gen_ai.usage.cache_read.input_tokens": 60,
                "gen_ai.usage.cache_creation.input_tokens": 30,
                "gen_ai.usage.reasoning.output_tokens": 8,
            },
            (100, 60, 30, 20, 8),
        ),
        (
            {
                "gen_ai.usage.input_tokens": 100,
                "gen_ai.usage.cache_write.input_tokens": 30,
                "gen_ai.usage.total_tokens": 120,
            },
            (100, None, 30, 20, None),
        ),
        (
            {"gen_ai.usage.prompt_tokens": 100, "gen_ai.usage.completion_tokens": 20},
            (100, None, None, 20, None),
        ),
        (
            {
                "gen_ai.usage.prompt_tokens": 100,
                "gen_ai.usage.completion_tokens": 20,
                "gen_ai.usage.cache_read_input_tokens": 60,
                "gen_ai.usage.cache_creation_input_tokens": 30,
                "gen_ai.usage.reasoning_tokens": 8,
            },
            (100, 60, 30, 20, 8),
        ),
        (
            {
                "llm.token_count.prompt": 100,
                "llm.token_count.completion": 20,
                "llm.token_count.prompt_details.cache_read": 60,
                "llm.token_count.prompt_details.cache_write": 30,
                "llm.token_count.completion_details.reasoning": 8,
            },
            (100, 60, 30, 20, 8),
        ),
        (
            {
                "ai.usage.inputTokens": 100,
                "ai.usage.outputTokens": 20,
                "ai.usage.cachedInputTokens": 60,
                "ai.usage.reasoningTokens": 8,
            },
            (100, 60, None, 20, 8),
        ),
        (
            {"gen_ai.usage.input_tokens": "100", "gen_ai.usage.output_tokens": 20.0},
            (100, None, None, 20, None),
        ),
        ({}, (None, None, None, None, None)),
        (
            {
                "gen_ai.usage.input_tokens": -1,
                "gen_ai.usage.output_tokens": True,
                "gen_ai.usage.reasoning_tokens": 1e30,
                "gen_ai.usage.cache_read.input_tokens": [5],
            },
            (None, None, None, None, None),
        ),
    ],
)
def test_tokens_are_read_in_every_dialect(
    said: dict[str, object], tokens: tuple[int | None, ...]
) -> None:
    call = call_of({**CHAT, **said})

    assert tokens == (
        call.input_tokens,
        call.cached_input_tokens,
        call.cache_write_tokens,
        call.output_tokens,
        call.reasoning_tokens,
    )


def test_input_that_leaves_cached_tokens_out_is_made_whole() -> None:
    said = {**TOKENS, "gen_ai.usage.cache_read.input_tokens": 1_700}

    assert call_of(said).input_tokens == 1_710, "the whole cannot be less than a part"
    more_fresh = {**said, "gen_ai.usage.input_tokens": 3_000}
    assert call_of(more_fresh).input_tokens == 3_000
    by_openlit = call_of(more_fresh, scope="openlit.instrumentation.anthropic")
    assert by_openlit.input_tokens == 4_700, "it sends Anthropic's count, which is without"


def test_an_embedding_has_no_output_to_be_unknown() -> None:
    said = {**CHAT, "gen_ai.operation.name": "embeddings", "gen_ai.usage.input_tokens": 9}

    assert call_of(said).output_tokens == 0


def test_tokens_that_an_instrumentation_counted_itself_are_estimates() -> None:
    streamed = {**TOKENS, "gen_ai.request.stream": True}
    told = {**streamed, "gen_ai.usage.cache_read.input_tokens": 0}
    scope = "openlit.instrumentation.openai"

    assert call_of(streamed, scope=scope).tokens_estimated
    assert not call_of(told, scope=scope).tokens_estimated
    assert not call_of(streamed, scope="openlit.instrumentation.groq").tokens_estimated


# --- Who, what, how ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "provider"),
    [
        ({"gen_ai.provider.name": "aws.bedrock"}, "aws"),
        ({"gen_ai.provider.name": "azure.ai.openai"}, "azure"),
        ({"gen_ai.provider.name": "gcp.vertex_ai"}, "google"),
        ({"gen_ai.provider.name": "mistral_ai"}, "mistral"),
        ({"gen_ai.provider.name": "x_ai"}, "x-ai"),
        ({"gen_ai.provider.name": "moonshot_ai"}, "moonshotai"),
        ({"gen_ai.system": "az.ai.openai"}, "azure"),
        ({"gen_ai.system": "Anthropic"}, "anthropic"),
        ({"llm.provider": "azure", "llm.system": "openai"}, "azure"),
        ({"llm.system": "mistralai"}, "mistral"),
        ({"ai.operationId": "x", "ai.model.provider": "openai.chat"}, "openai"),
        ({"gen_ai.system": "openai", "server.address": "api.deepseek.com"}, "deepseek"),
        ({"gen_ai.system": "openai", "server.address": "shop.openai.azure.com"}, "azure"),
        ({"gen_ai.system": "openai", "server.address": "llm.internal"}, "openai"),
        ({"gen_ai.request.model": "claude-haiku-4-5"}, "anthropic"),
        ({}, "unknown"),
    ],
)
def test_a_provider_has_one_name(said: dict[str, object], provider: str) -> None:
    assert call_of({"gen_ai.operation.name": "chat", **said}).provider == provider


def test_the_model_is_the_one_that_answered() -> None:
    asked = {**CHAT, "gen_ai.request.model": "gpt-4o"}
    served = call_of({**asked, "gen_ai.response.model": "gpt-4o-2024-08-06"})

    assert (served.model, served.requested_model) == ("gpt-4o-2024-08-06", "gpt-4o")
    assert call_of(asked).model == "gpt-4o"
    assert call_of({"openinference.span.kind": "LLM", "llm.model_name": "o3"}).model == "o3"


def test_a_failed_call_of_openinference_names_its_model_in_the_request() -> None:
    said = {"openinference.span.kind": "LLM", "llm.invocation_parameters": '{"model": "o3"}'}

    assert (call_of(said).model, call_of(said).provider) == ("o3", "openai")
    for parameters in ("[]", "{broken", '{"model": 7}'):
        broken = {**said, "llm.invocation_parameters": parameters}
        assert call_of(broken).model == "unknown"


def test_a_failed_call_of_openlit_names_all_in_its_span() -> None:
    call = call_of(
        name="chat claude-haiku-4-5",
        scope="openlit.instrumentation.anthropic",
        kind="client",
        is_error=True,
        events=(exception("anthropic.RateLimitError", "Error code: 429"),),
    )

    assert (call.provider, call.model) == ("anthropic", "claude-haiku-4-5")
    assert (call.status, call.error_type) == (ExecutionStatus.ERROR, "anthropic.RateLimitError")


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({"gen_ai.response.finish_reasons": ["length", "stop"]}, "length"),
        ({"gen_ai.response.finish_reasons": '["tool_calls"]'}, "tool_calls"),
        ({"gen_ai.response.finish_reason": "stop"}, "stop"),
        ({"gen_ai.completion.0.finish_reason": "stop"}, "stop"),
        ({"llm.finish_reason": "content_filter"}, "content_filter"),
        ({"anthropic.message.stop_reason": "refusal"}, "refusal"),
        ({"ai.response.finishReason": "tool-calls"}, "tool-calls"),
        ({"output.value": '{"choices": [{"finish_reason": "length"}]}'}, "length"),
        ({"output.value": '{"type": "message", "stop_reason": "end_turn"}'}, "end_turn"),
        ({"gen_ai.output.messages": '[{"role": "a", "finish_reason": "stop"}]'}, "stop"),
        ({"gen_ai.response.finish_reasons": []}, None),
        ({"gen_ai.response.finish_reasons": {"no": "list"}}, None),
        ({"output.value": '{"choices": "none"}'}, None),
        ({}, None),
    ],
)
def test_why_it_ended_is_read_in_every_dialect(said: dict[str, object], reason: str | None) -> None:
    assert call_of({**CHAT, **said}).finish_reason == reason


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ({"gen_ai.response.time_to_first_chunk": 0.4}, 0.4),
        ({"gen_ai.server.time_to_first_token": 0.4, "gen_ai.request.stream": True}, 0.4),
        ({"gen_ai.server.time_to_first_token": 0.4, "gen_ai.request.stream": False}, None),
        ({"ai.response.msToFirstChunk": 400}, 0.4),
        ({"gen_ai.response.time_to_first_chunk": 40}, None),
        ({"gen_ai.response.time_to_first_chunk": "soon"}, None),
    ],
)
def test_the_time_to_the_first_token_is_of_streams_and_in_seconds(
    said: dict[str, object], seconds: float | None
) -> None:
    assert call_of({**CHAT, **said}).time_to_first_token_seconds == seconds


def test_the_first_token_may_be_an_event() -> None:
    events = (
        SpanEvent(name="First Token Stream Event", at=at(2.25)),
        SpanEvent(name="First Token Stream Event", at=at(2.5)),
    )

    assert call_of(CHAT, begun=2, events=events).time_to_first_token_seconds == 0.25


@pytest.mark.parametrize(
    ("said", "cost_usd"),
    [
        ({"gen_ai.usage.cost": 0.00123}, Decimal("0.00123")),
        ({"llm.cost.total": "0.5"}, Decimal("0.5")),
        ({"gen_ai.usage.cost": 0}, None),
        ({"gen_ai.usage.cost": -1}, None),
        ({"gen_ai.usage.cost": float("nan")}, None),
        ({"gen_ai.usage.cost": "free"}, None),
        ({"gen_ai.usage.cost": True}, None),
    ],
)
def test_a_cost_that_is_told_is_kept_as_reported(
    said: dict[str, object], cost_usd: Decimal | None
) -> None:
    call = call_of({**TOKENS, **said})

    assert call.cost_usd == cost_usd
    assert call.cost_source is (None if cost_usd is None else CostSource.REPORTED)


@pytest.mark.parametrize(
    ("error", "message", "said", "expected"),
    [
        ("RateLimitError", "Error code: 429", {}, "RateLimitError"),
        ("openai.APIStatusError", "Error code: 529 - overloaded", {}, "529"),
        ("APIError", "", {"http.response.status_code": 503}, "503"),
        (
            "openai.BadRequestError",
            "Error code: 400 - {'error': {'code': 'context_length_exceeded'}}",
            {},
            "context_length_exceeded",
        ),
        (
            "BadRequestError",
            "This model's maximum context length is 128000 tokens.",
            {},
            "context_length_exceeded",
        ),
        ("invalid_request_error", "prompt is too long: 9 > 8", {}, "context_length_exceeded"),
        ("BadRequestError", "Error code: 400", {}, "BadRequestError"),
        ("InternalServerError", "Error code: 500", {}, "InternalServerError"),
        ("_OTHER", "", {}, "_OTHER"),
    ],
)
def test_an_error_is_named_as_exactly_as_it_is_told(
    error: str, message: str, said: dict[str, object], expected: str
) -> None:
    call = call_of(
        {**CHAT, **said, "error.type": error}, is_error=True, events=(exception("", message),)
    )

    assert (call.status, call.error_type) == (ExecutionStatus.ERROR, expected)


def test_a_call_belongs_to_the_customer_of_its_own_span_then_of_those_above() -> None:
    calls = calls_of(
        made("a", took=9, said={"aiwf.customer": "whole", "aiwf.team": "blue"}),
        made("b", "a", said={"aiwf.customer": "batch"}),
        made("c", "b", said={**CHAT, "customer.id": "own"}),
        made("d", "b", said=CHAT),
        made("e", "a", said=CHAT),
    )

    assert {call.customer: call.call_id for call in calls.values()} == {
        "own": "c",
        "batch": "d",
        "whole": "e",
    }
    assert {call.team for call in calls.values()} == {"blue"}


def test_a_call_is_a_step_of_the_model_and_carries_its_runs_workflow() -> None:
    spans = (made("a", took=9, said={"aiwf.workflow": "billing"}), made("b", "a", said=TOKENS))
    call = calls_of(*spans, settings=TracesSettings())["b"]

    assert steps_of(*spans)["b"].kind is StepKind.LLM
    assert (call.step_id, call.workflow, call.workflow_id) == ("b", "billing", "billing")
    assert (call.started_at, call.latency_seconds) == (
        datetime(2026, 11, 20, 9, 0, tzinfo=UTC),
        1,
    )
