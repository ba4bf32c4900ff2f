"""Which attributes hold what people or models wrote: told apart by name before they are stored.

Names of OpenTelemetry's GenAI conventions now and before, OpenLLMetry, OpenInference, OpenLIT, and
of frameworks with spans of their own (Vercel AI SDK, Pydantic AI, Google ADK, MLflow, Langfuse).
"""

_KEYS = frozenset(
    {
        # OpenTelemetry
        "gen_ai.completion",
        "gen_ai.evaluation.explanation",
        "gen_ai.event.content",
        "gen_ai.input.messages",
        "gen_ai.output.messages",
        "gen_ai.prompt",
        "gen_ai.retrieval.documents",
        "gen_ai.retrieval.query.text",
        "gen_ai.system.instructions",
        "gen_ai.system_instructions",
        "gen_ai.tool.call.arguments",
        "gen_ai.tool.call.result",
        "gen_ai.tool.definitions",
        "gen_ai.tool.message",
        # attributes of its per-message events
        "completion",
        "content",
        "prompt",
        # OpenLLMetry
        "traceloop.entity.input",
        "traceloop.entity.output",
        "traceloop.prompt.template",
        "traceloop.prompt.template_variables",
        # OpenInference
        "input.value",
        "output.value",
        "embedding.text",
        "exception.input",
        "llm.function_call",
        "llm.invocation_parameters",  # of an image, its prompt, too
        "tool.description",
        "tool.json_schema",
        "tool.parameters",
        # OpenLIT
        "gen_ai.agent.actual_output",
        "gen_ai.agent.context",
        "gen_ai.agent.expected_output",
        "gen_ai.agent.goal",
        "gen_ai.agent.human_input",
        "gen_ai.agent.instructions",
        "gen_ai.agent.task",
        "gen_ai.agent.tool_results",
        "gen_ai.request.speech.prompt",
        "gen_ai.response.image",
        "gen_ai.response.tool_calls",
        "gen_ai.tool.args",
        "gen_ai.tool.input",
        "gen_ai.tool.output",
        "gen_ai.tool.result",
        # Vercel AI SDK
        "ai.prompt",
        "ai.value",
        "ai.values",
        "ai.embedding",
        "ai.embeddings",
        # Pydantic AI and Logfire
        "all_messages_events",
        "events",
        "final_result",
        "request_data",
        "response_data",
        "tool_arguments",
        "tool_response",
        # others
        "anthropic.tool_result.content",
        "gcp.vertex.agent.data",
        "gcp.vertex.agent.llm_request",
        "gcp.vertex.agent.llm_response",
        "gcp.vertex.agent.tool_call_args",
        "gcp.vertex.agent.tool_response",
        "haystack.component.input",
        "haystack.component.output",
        "mlflow.spanInputs",
        "mlflow.spanOutputs",
    }
)
_PREFIXES = (
    "gen_ai.prompt.",  # also gen_ai.prompt.0.content; its roles and tool calls go with it
    "gen_ai.completion.",
    "gen_ai.content.",
    "gen_ai.framework.pipeline.",
    "input.images",
    "output.images",
    "llm.prompts",
    "llm.completions",
    "llm.input_messages",
    "llm.output_messages",
    "llm.prompt_template",
    "llm.choices",
    "llm.tools",
    "llm.request.functions",
    "embedding.embeddings",
    "retrieval.documents",
    "reranker.",
    "ai.prompt.",
    "ai.response.object",
    "ai.response.reasoning",
    "ai.response.text",
    "ai.response.toolCalls",
    "ai.toolCall.args",
    "ai.toolCall.result",
    "langfuse.observation.input",
    "langfuse.observation.output",
    "langfuse.trace.input",
    "langfuse.trace.output",
    "pydantic_ai.all_messages",
)
# How an answer ended and by whom a prompt is managed, not what was said.
_NOT_CONTENT = (".finish_reason", ".id", ".model_name", ".top_k", ".version", ".key")
_NAMES = frozenset({"gen_ai.prompt.name", "ai.prompt.format", "ai.prompt.toolChoice"})
_INITIALS = frozenset(prefix[:3] for prefix in _PREFIXES)


def is_content(key: str) -> bool:
    """Whether an attribute of this name, of a span or of an event, holds prose."""
    if key in _KEYS:
        return True
    return (
        key[:3] in _INITIALS
        and key.startswith(_PREFIXES)
        and not key.endswith(_NOT_CONTENT)
        and key not in _NAMES
    )
