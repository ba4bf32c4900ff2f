"""n8n's node types in our words."""

import pytest

from exporter.n8n_node_kinds import is_vendor_node, step_kind
from exporter.records import Json, Operation, StepKind
from exporter.sources.workflows.n8n import nodes

LANGCHAIN = "@n8n/n8n-nodes-langchain."
BASE = "n8n-nodes-base."


@pytest.mark.parametrize(
    ("node_type", "kind"),
    [
        (BASE + "httpRequest", StepKind.HTTP),
        (BASE + "code", StepKind.CODE),
        (BASE + "function", StepKind.CODE),
        (BASE + "executeWorkflow", StepKind.WORKFLOW),
        (BASE + "webhook", StepKind.TRIGGER),
        (BASE + "scheduleTrigger", StepKind.TRIGGER),
        (BASE + "manualTrigger", StepKind.TRIGGER),
        (BASE + "executeWorkflowTrigger", StepKind.TRIGGER),
        (BASE + "postgres", StepKind.DATABASE),
        (BASE + "postgresTrigger", StepKind.TRIGGER),
        (BASE + "set", StepKind.OTHER),
        (BASE + "slack", StepKind.OTHER),
        (LANGCHAIN + "chatTrigger", StepKind.TRIGGER),
        (LANGCHAIN + "agent", StepKind.LLM),
        (LANGCHAIN + "chainLlm", StepKind.LLM),
        (LANGCHAIN + "lmChatOpenAi", StepKind.LLM),
        (LANGCHAIN + "openAi", StepKind.LLM),
        (LANGCHAIN + "embeddingsOpenAi", StepKind.RETRIEVAL),
        (LANGCHAIN + "vectorStoreQdrant", StepKind.RETRIEVAL),
        (LANGCHAIN + "retrieverVectorStore", StepKind.RETRIEVAL),
        (LANGCHAIN + "toolHttpRequest", StepKind.TOOL),
        (LANGCHAIN + "toolWorkflow", StepKind.TOOL),
        (LANGCHAIN + "mcpClientTool", StepKind.TOOL),
        ("n8n-nodes-acme.acmeTrigger", StepKind.TRIGGER),
        ("n8n-nodes-acme.acme", StepKind.OTHER),
        ("", StepKind.OTHER),
    ],
)
def test_a_step_kind_is_told_by_the_node_type(node_type: str, kind: StepKind) -> None:
    assert kind is step_kind(node_type)


@pytest.mark.parametrize(
    ("suffix", "provider"),
    [
        ("lmChatOpenAi", "openai"),
        ("lmOpenAi", "openai"),
        ("openAi", "openai"),
        ("embeddingsOpenAi", "openai"),
        ("lmChatAnthropic", "anthropic"),
        ("lmChatGoogleGemini", "google"),
        ("lmChatGoogleVertex", "google"),
        ("embeddingsGoogleGemini", "google"),
        ("lmChatAwsBedrock", "aws"),
        ("embeddingsAwsBedrock", "aws"),
        ("lmChatAzureOpenAi", "azure"),
        ("embeddingsAzureOpenAi", "azure"),
        ("lmChatMistralCloud", "mistral"),
        ("lmChatXAiGrok", "x-ai"),
        ("lmChatGroq", "groq"),
        ("lmChatDeepSeek", "deepseek"),
        ("lmChatOpenRouter", "openrouter"),
        ("lmChatOllama", "ollama"),
        ("lmOllama", "ollama"),
        ("lmCohere", "cohere"),
        ("", "unknown"),
    ],
)
def test_a_provider_is_told_by_the_node_type(suffix: str, provider: str) -> None:
    assert provider == nodes.provider(LANGCHAIN + suffix if suffix else "")


@pytest.mark.parametrize(
    "suffix", ["lmChatOpenAi", "lmOpenAi", "lmOllama", "lmCohere", "lmChatAwsBedrock"]
)
def test_a_model_node_is_known_without_its_data(suffix: str) -> None:
    assert nodes.is_model_node(LANGCHAIN + suffix)


@pytest.mark.parametrize("suffix", ["agent", "chainLlm", "openAi", "embeddingsOpenAi"])
def test_what_uses_a_model_is_no_model_node(suffix: str) -> None:
    assert not nodes.is_model_node(LANGCHAIN + suffix)


def test_a_vendor_node_calls_its_provider_itself() -> None:
    assert is_vendor_node(LANGCHAIN + "openAi")
    assert is_vendor_node(LANGCHAIN + "anthropic")


def test_the_old_openai_node_without_langchain_is_no_vendor_node() -> None:
    assert not is_vendor_node(BASE + "openAi")


def test_a_model_selector_only_hands_calls_on() -> None:
    assert nodes.is_model_wrapper(LANGCHAIN + "modelSelector")
    assert not nodes.is_model_wrapper(LANGCHAIN + "lmChatOpenAi")


def test_a_loop_is_told_by_its_type() -> None:
    assert nodes.is_loop(BASE + "splitInBatches")
    assert not nodes.is_loop(BASE + "splitOut")


@pytest.mark.parametrize(
    ("parameters", "model"),
    [
        ({"model": "gpt-5"}, "gpt-5"),
        ({"model": {"__rl": True, "mode": "list", "value": "gpt-5"}}, "gpt-5"),
        ({"modelId": {"value": "claude-sonnet-4-5"}}, "claude-sonnet-4-5"),
        ({"modelName": "models/gemini-2.5-pro"}, "models/gemini-2.5-pro"),
        ({"deploymentName": "ours"}, "ours"),
        ({"model": "", "modelId": "gpt-5"}, "gpt-5"),
        ({"model": "={{ $json.model }}"}, None),
        ({"model": 5}, None),
        ({"model": {"value": ["x"]}}, None),
        ({}, None),
        (None, None),
        ([], None),
        ("gpt-5", None),
    ],
)
def test_a_model_is_found_in_the_parameters(parameters: Json, model: str | None) -> None:
    assert model == nodes.parameter_model(parameters)


@pytest.mark.parametrize(
    ("parameters", "operation"),
    [
        ({}, Operation.CHAT),
        (None, Operation.CHAT),
        ({"resource": "text"}, Operation.CHAT),
        ({"resource": "assistant"}, Operation.CHAT),
        ({"resource": "image"}, Operation.IMAGE),
        ({"resource": "video"}, Operation.IMAGE),
        ({"resource": "audio"}, Operation.AUDIO),
        ({"resource": "file"}, Operation.OTHER),
        ({"resource": ["odd"]}, Operation.OTHER),
    ],
)
def test_an_operation_is_told_by_the_resource(parameters: Json, operation: Operation) -> None:
    assert operation is nodes.vendor_operation(parameters)
