"""The simulated inference APIs answer as OpenAI and Anthropic do, and log what they served."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import httpx
import pytest

from exporter.demo.providers.anthropic_inference import AnthropicInference
from exporter.demo.providers.inference import Failure, Refusal
from exporter.demo.providers.openai_inference import API_KEY, OpenAiInference
from exporter.demo.providers.server import ProviderServer
from exporter.records import Operation

NOW = datetime(2026, 11, 20, 12, 30, tzinfo=UTC)
QUESTION = [{"role": "user", "content": "Where is order 7?"}]
LONG = [{"role": "user", "content": "Our style guide. " * 400}]
TOOL = {"type": "function", "function": {"name": "find_order", "parameters": {}}}
CACHED = [
    {"type": "text", "text": "Our style guide. " * 400, "cache_control": {"type": "ephemeral"}}
]


@pytest.fixture
def openai() -> OpenAiInference:
    return OpenAiInference()


@pytest.fixture
def anthropic() -> AnthropicInference:
    return AnthropicInference()


@pytest.fixture
def ask_openai(openai: OpenAiInference) -> Iterator[Any]:
    headers = {"Authorization": f"Bearer {API_KEY}"}
    with (
        ProviderServer(openai, lambda: NOW) as server,
        httpx.Client(base_url=server.url, headers=headers) as client,
    ):
        yield lambda path, **body: client.post(path, json={"model": "gpt-4o-mini", **body})


@pytest.fixture
def ask_anthropic(anthropic: AnthropicInference) -> Iterator[Any]:
    headers = {"x-api-key": API_KEY}
    with (
        ProviderServer(anthropic, lambda: NOW) as server,
        httpx.Client(base_url=server.url, headers=headers) as client,
    ):
        yield lambda **body: client.post(
            "/v1/messages",
            json={"model": "claude-haiku-4-5", "max_tokens": 99, "messages": QUESTION, **body},
        )


def events(response: httpx.Response) -> list[Any]:
    """Return the objects of a stream, in order."""
    assert response.headers["content-type"] == "text/event-stream"
    lines = [line.removeprefix("data: ") for line in response.text.splitlines() if "data: " in line]
    return [json.loads(line) for line in lines if line != "[DONE]"]


def test_an_answer_tells_the_tokens_that_are_logged(
    openai: OpenAiInference, ask_openai: Any
) -> None:
    usage = ask_openai("/v1/chat/completions", messages=QUESTION).json()["usage"]
    [call] = openai.book.calls

    assert (usage["prompt_tokens"], usage["completion_tokens"]) == (
        call.input_tokens,
        call.output_tokens,
    )
    assert (call.operation, call.finish_reason, call.error) == (Operation.CHAT, "stop", None)
    assert (
        call.cost_usd
        == (call.input_tokens * Decimal("0.15") + call.output_tokens * Decimal("0.6")) / 1_000_000
    )


def test_the_same_question_gets_the_same_answer(ask_openai: Any) -> None:
    first, second = (
        ask_openai("/v1/chat/completions", messages=QUESTION).json()["choices"] for _ in range(2)
    )

    assert first == second


def test_a_stream_tells_its_usage_only_on_request(openai: OpenAiInference, ask_openai: Any) -> None:
    silent = events(ask_openai("/v1/chat/completions", messages=QUESTION, stream=True))
    told = events(
        ask_openai(
            "/v1/chat/completions",
            messages=QUESTION,
            stream=True,
            stream_options={"include_usage": True},
        )
    )

    assert all(not chunk.get("usage") for chunk in silent)
    assert told[-1]["usage"]["prompt_tokens"] == openai.book.calls[1].input_tokens
    assert [call.is_usage_told for call in openai.book.calls] == [False, True]
    plain = ask_openai("/v1/chat/completions", messages=QUESTION).json()
    streamed = "".join(
        choice["delta"].get("content") or "" for chunk in silent for choice in chunk["choices"]
    )
    assert streamed == plain["choices"][0]["message"]["content"]


def test_a_long_prompt_comes_from_the_cache_the_second_time(
    openai: OpenAiInference, ask_openai: Any
) -> None:
    for _ in range(2):
        ask_openai("/v1/chat/completions", messages=LONG)

    assert [call.cached_input_tokens for call in openai.book.calls] == [0, 1_024]


def test_a_tool_is_called_until_its_result_is_there(ask_openai: Any) -> None:
    asked = ask_openai("/v1/chat/completions", messages=QUESTION, tools=[TOOL]).json()["choices"][0]
    result = {"role": "tool", "tool_call_id": "call_1", "content": "shipped"}
    answered = ask_openai(
        "/v1/chat/completions", messages=[*QUESTION, asked["message"], result], tools=[TOOL]
    ).json()["choices"][0]

    assert asked["finish_reason"] == "tool_calls"
    assert asked["message"]["tool_calls"][0]["function"]["name"] == "find_order"
    assert answered["finish_reason"] == "stop"


def test_an_answer_ends_at_its_limit(ask_openai: Any, ask_anthropic: Any) -> None:
    cut = ask_openai("/v1/chat/completions", messages=QUESTION, max_completion_tokens=2).json()

    assert cut["choices"][0]["finish_reason"] == "length"
    assert cut["usage"]["completion_tokens"] == 2
    assert ask_anthropic(max_tokens=2).json()["stop_reason"] == "max_tokens"


def test_planned_mishaps_meet_the_calls_of_their_model(
    openai: OpenAiInference, ask_openai: Any
) -> None:
    openai.book.plan(
        Failure(status=429, error="rate_limit_exceeded", retry_after=3), Refusal(), model="gpt-4.1"
    )
    other = ask_openai("/v1/chat/completions", messages=QUESTION)
    refused, filtered, well = (
        ask_openai("/v1/chat/completions", model="gpt-4.1", messages=QUESTION) for _ in range(3)
    )

    assert other.status_code == 200
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "3")
    assert refused.json()["error"]["code"] == "rate_limit_exceeded"
    assert filtered.json()["choices"][0]["finish_reason"] == "content_filter"
    assert well.json()["choices"][0]["finish_reason"] == "stop"
    assert [call.error for call in openai.book.calls] == [None, "rate_limit_exceeded", None, None]


def test_embeddings_and_images_are_served_and_logged(
    openai: OpenAiInference, ask_openai: Any
) -> None:
    embedded = ask_openai("/v1/embeddings", model="text-embedding-3-small", input=["a", "bb"])
    drawn = ask_openai("/v1/images/generations", model="gpt-image-1", prompt="A ship", n=2)
    untold = ask_openai("/v1/images/generations", model="dall-e-3", prompt="A ship")

    assert len(embedded.json()["data"]) == 2
    assert (len(drawn.json()["data"]), drawn.json()["usage"]["output_tokens"]) == (2, 2_112)
    assert "usage" not in untold.json()
    assert [call.is_usage_told for call in openai.book.calls] == [True, True, False]


def test_anthropic_counts_cached_tokens_apart(
    anthropic: AnthropicInference, ask_anthropic: Any
) -> None:
    wrote, read = (ask_anthropic(system=CACHED).json()["usage"] for _ in range(2))

    assert wrote["cache_creation_input_tokens"] == read["cache_read_input_tokens"] == 1_700
    assert wrote["input_tokens"] == read["input_tokens"] < 10
    assert [call.input_tokens for call in anthropic.book.calls] == [
        1_700 + read["input_tokens"]
    ] * 2


def test_a_stream_of_anthropics_ends_with_its_usage(
    anthropic: AnthropicInference, ask_anthropic: Any
) -> None:
    told = events(ask_anthropic(stream=True))
    [call] = anthropic.book.calls

    assert [event["type"] for event in told[:2]] == ["message_start", "content_block_start"]
    assert told[-2]["usage"]["output_tokens"] == call.output_tokens
    assert told[-1] == {"type": "message_stop"}


def test_anthropic_fails_in_its_own_words(
    anthropic: AnthropicInference, ask_anthropic: Any
) -> None:
    anthropic.book.plan(Failure(status=529, error="overloaded_error"), Refusal())
    overloaded, refused = ask_anthropic(), ask_anthropic()

    assert (overloaded.status_code, overloaded.json()["error"]["type"]) == (529, "overloaded_error")
    assert refused.json()["stop_reason"] == "refusal"


def test_a_wrong_key_and_a_wrong_path_are_refused(ask_openai: Any, openai: OpenAiInference) -> None:
    assert ask_openai("/v1/nothing").status_code == 404
    openai.api_key = "another"
    assert ask_openai("/v1/chat/completions", messages=QUESTION).status_code == 401
    assert not openai.book.calls
