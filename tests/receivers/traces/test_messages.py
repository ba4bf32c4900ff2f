"""Prompts and answers of every dialect as texts to read."""

import json

import pytest

from exporter.receivers.traces.messages import prompt, response
from tests.receivers.traces.made_spans import made

OTEL_ASKED = [
    {"role": "system", "parts": [{"type": "text", "content": "Be brief."}]},
    {"role": "user", "parts": [{"type": "text", "content": "Where is order 7?"}]},
    {
        "role": "assistant",
        "parts": [{"type": "tool_call", "name": "find", "arguments": {"id": 7}}],
    },
    {"role": "tool", "parts": [{"type": "tool_call_response", "response": "shipped"}]},
]
READ = (
    'system: Be brief.\n\nuser: Where is order 7?\n\nassistant: → find({"id":7})\n\ntool: shipped'
)


@pytest.mark.parametrize(
    "said",
    [
        {"gen_ai.input.messages": json.dumps(OTEL_ASKED)},
        {
            "gen_ai.input.messages": json.dumps(OTEL_ASKED[1:]),
            "gen_ai.system_instructions": '[{"type": "text", "content": "Be brief."}]',
        },
        {
            "ai.prompt.messages": json.dumps(
                [
                    {"role": "system", "content": "Be brief."},
                    {"role": "user", "content": [{"type": "text", "text": "Where is order 7?"}]},
                    {
                        "role": "assistant",
                        "content": [{"type": "tool-call", "toolName": "find", "input": {"id": 7}}],
                    },
                    {"role": "tool", "content": [{"type": "tool-result", "output": "shipped"}]},
                ]
            )
        },
        {
            "gen_ai.prompt.0.role": "system",
            "gen_ai.prompt.0.content": "Be brief.",
            "gen_ai.prompt.1.role": "user",
            "gen_ai.prompt.1.content": '[{"type": "text", "text": "Where is order 7?"}]',
            "gen_ai.prompt.2.role": "assistant",
            "gen_ai.prompt.2.tool_calls.0.name": "find",
            "gen_ai.prompt.2.tool_calls.0.arguments": '{"id":7}',
            "gen_ai.prompt.3.role": "tool",
            "gen_ai.prompt.3.content": "shipped",
        },
        {
            "llm.input_messages.0.message.role": "system",
            "llm.input_messages.0.message.content": "Be brief.",
            "llm.input_messages.1.message.role": "user",
            "llm.input_messages.1.message.contents.0.message_content.text": "Where is order 7?",
            "llm.input_messages.2.message.role": "assistant",
            "llm.input_messages.2.message.tool_calls.0.tool_call.function.name": "find",
            "llm.input_messages.2.message.tool_calls.0.tool_call.function.arguments": '{"id":7}',
            "llm.input_messages.3.message.role": "tool",
            "llm.input_messages.3.message.content": "shipped",
        },
    ],
)
def test_a_conversation_reads_the_same_in_every_dialect(said: dict[str, str]) -> None:
    assert prompt(made("a", said=said)) == READ


@pytest.mark.parametrize(
    ("content", "asked", "answered"),
    [
        (
            {
                "event.0.gen_ai.user.message.content": "Where?",
                "event.1.gen_ai.choice.content": "There.",
            },
            "user: Where?",
            "choice: There.",
        ),
        (
            {
                "event.0.gen_ai.content.prompt.gen_ai.prompt": "Where?",
                "event.1.gen_ai.content.completion.gen_ai.completion": "There.",
            },
            "Where?",
            "There.",
        ),
        ({"gen_ai.prompt": "Where?", "gen_ai.completion": "There."}, "Where?", "There."),
        ({"input.value": "Where?", "output.value": "There."}, "Where?", "There."),
        ({"ai.prompt": "Where?", "ai.response.text": "There."}, "Where?", "There."),
        (
            {"traceloop.entity.input": "Where?", "traceloop.entity.output": "There."},
            "Where?",
            "There.",
        ),
        ({}, None, None),
    ],
)
def test_single_texts_and_events_are_found(
    content: dict[str, str], asked: str | None, answered: str | None
) -> None:
    span = made("a")
    span.content.update(content)  # type: ignore[attr-defined]  # as the decoders fill it

    assert (prompt(span), response(span)) == (asked, answered)


@pytest.mark.parametrize(
    "text",
    [
        '[{"role": "user", "parts": [{"type": "te',  # cut
        '{"role": 1}',
        "[1, 2]",
        "[]",
        "{}",
        "[not json",
        '[{"role": "user"}]',
        '{"model": "o3", "input": "plain request"}',
    ],
)
def test_what_are_no_messages_is_kept_as_it_is(text: str) -> None:
    assert prompt(made("a", said={"gen_ai.input.messages": text})) == text


def test_parts_that_are_no_text_are_named() -> None:
    messages = [
        {
            "role": "user",
            "parts": [{"type": "blob", "mime": "x"}, {"type": "text", "content": "Look"}],
        }
    ]

    assert prompt(made("a", said={"gen_ai.input.messages": json.dumps(messages)})) == (
        "user: [blob] Look"
    )
