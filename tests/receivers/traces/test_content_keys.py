"""Prose is told from other attributes by name, before anything is stored."""

import pytest

from exporter.receivers.traces.content_keys import is_content


@pytest.mark.parametrize(
    "key",
    [
        "gen_ai.input.messages",
        "gen_ai.prompt",
        "gen_ai.prompt.0.content",
        "gen_ai.completion.1.tool_calls.0.arguments",
        "gen_ai.tool.call.arguments",
        "gen_ai.tool.call.result",
        "gen_ai.system_instructions",
        "gen_ai.content.reasoning",
        "gen_ai.event.content",
        "llm.input_messages.0.message.content",
        "llm.output_messages.0.message.tool_calls.0.tool_call.function.arguments",
        "llm.invocation_parameters",
        "llm.prompt_template.variables",
        "input.value",
        "output.value",
        "output.images.0.image.url",
        "retrieval.documents.0.document.content",
        "embedding.embeddings.0.embedding.text",
        "traceloop.entity.input",
        "ai.prompt.messages",
        "ai.toolCall.result",
        "anthropic.tool_result.content",
        "content",
    ],
)
def test_what_people_and_models_wrote_is_content(key: str) -> None:
    assert is_content(key)


@pytest.mark.parametrize(
    "key",
    [
        "gen_ai.operation.name",
        "gen_ai.request.model",
        "gen_ai.usage.input_tokens",
        "gen_ai.completion.0.finish_reason",
        "gen_ai.completion.0.tool_calls.0.id",
        "gen_ai.prompt.name",
        "gen_ai.tool.name",
        "llm.model_name",
        "llm.token_count.prompt",
        "llm.token_count.prompt_details.cache_read",
        "llm.prompt_template.version",
        "reranker.model_name",
        "reranker.top_k",
        "input.mime_type",
        "traceloop.workflow.name",
        "traceloop.prompt.version",
        "ai.prompt.toolChoice",
        "ai.response.finishReason",
        "exception.message",
        "http.request.method",
        "aiwf.customer",
        "metadata",
        "",
    ],
)
def test_what_a_run_is_told_apart_by_is_not(key: str) -> None:
    assert not is_content(key)
