"""What a span did, in the words of every dialect: OpenTelemetry's, OpenLLMetry's, OpenInference's …

Sources: https://github.com/open-telemetry/semantic-conventions-genai (and v1.36 before it),
https://github.com/Arize-ai/openinference/blob/main/spec/semantic_conventions.md,
opentelemetry-semantic-conventions-ai, openlit/semcov, the AI SDK's and n8n's telemetry.
"""

from exporter.n8n_node_kinds import step_kind
from exporter.receivers.traces.attribute_values import Attributes, text, text_of
from exporter.records import Json, Operation, Span, StepKind

_OPERATIONS = {
    "chat": Operation.CHAT,
    "completion": Operation.CHAT,
    "completions": Operation.CHAT,
    "generate_content": Operation.CHAT,
    "generate": Operation.CHAT,
    "responses": Operation.CHAT,
    "text_completion": Operation.CHAT,
    "embedding": Operation.EMBEDDINGS,
    "embeddings": Operation.EMBEDDINGS,
    "image": Operation.IMAGE,
    "image_generation": Operation.IMAGE,
    "generate_image": Operation.IMAGE,
    "images": Operation.IMAGE,
    "audio": Operation.AUDIO,
    "speech": Operation.AUDIO,
    "speech_to_text": Operation.AUDIO,
    "text_to_speech": Operation.AUDIO,
    "transcription": Operation.AUDIO,
    "translation": Operation.AUDIO,
    "moderation": Operation.MODERATION,
    "rerank": Operation.OTHER,
    "fine_tuning": Operation.OTHER,
}
_KINDS_OF_OPERATION = {
    "execute_tool": StepKind.TOOL,
    "invoke_agent": StepKind.WORKFLOW,
    "create_agent": StepKind.OTHER,
    "invoke_workflow": StepKind.WORKFLOW,
    "workflow": StepKind.WORKFLOW,
    "retrieval": StepKind.RETRIEVAL,
    "retrieve": StepKind.RETRIEVAL,
    "vectordb": StepKind.RETRIEVAL,
    "search_memory": StepKind.RETRIEVAL,
    "query_memory": StepKind.RETRIEVAL,
}
_OPENINFERENCE_KINDS = {
    "LLM": StepKind.LLM,
    "EMBEDDING": StepKind.LLM,
    "RERANKER": StepKind.RETRIEVAL,
    "RETRIEVER": StepKind.RETRIEVAL,
    "TOOL": StepKind.TOOL,
    "AGENT": StepKind.WORKFLOW,
    "CHAIN": StepKind.WORKFLOW,
    "GUARDRAIL": StepKind.CODE,
    "EVALUATOR": StepKind.CODE,
    "PROMPT": StepKind.CODE,
}
_OPENINFERENCE_OPERATIONS = {"LLM": Operation.CHAT, "EMBEDDING": Operation.EMBEDDINGS}
_OPENLLMETRY_KINDS = {
    "workflow": StepKind.WORKFLOW,
    "agent": StepKind.WORKFLOW,
    "task": StepKind.CODE,
    "tool": StepKind.TOOL,
}
_OTHER_THAN_CHAT = (
    ("image", Operation.IMAGE),
    ("speech", Operation.AUDIO),
    ("transcription", Operation.AUDIO),
    ("translation", Operation.AUDIO),
    ("moderation", Operation.MODERATION),
)
# The AI SDK repeats the tokens of these in a span above them.
_AI_SDK_OPERATIONS = {
    "ai.generateText.doGenerate": Operation.CHAT,
    "ai.streamText.doStream": Operation.CHAT,
    "ai.generateObject.doGenerate": Operation.CHAT,
    "ai.streamObject.doStream": Operation.CHAT,
    "ai.embed.doEmbed": Operation.EMBEDDINGS,
    "ai.embedMany.doEmbed": Operation.EMBEDDINGS,
}
_FUNCTION_SPANS = {"faas.trigger", "faas.invoked_name", "code.function", "code.function.name"}
_VECTOR_DATABASES = frozenset(
    {"astra", "chroma", "chromadb", "lancedb", "marqo", "milvus", "pinecone", "qdrant", "weaviate"}
)


def operation_of(span: Span) -> Operation | None:  # noqa: PLR0911 - one a dialect
    """Return what a model was asked to do by a span that is an inference; None: it is none."""
    said = span.attributes
    if (name := said.get("gen_ai.operation.name")) is not None:
        return _OPERATIONS.get(name.lower()) if isinstance(name, str) else None
    if (kind := said.get("openinference.span.kind")) is not None:
        return _openinference_operation(kind, span.name)
    if (name := said.get("llm.request.type")) is not None:
        return _OPERATIONS.get(name.lower()) if isinstance(name, str) else None
    if (name := said.get("ai.operationId")) is not None:
        return _AI_SDK_OPERATIONS.get(name) if isinstance(name, str) else None
    if "traceloop.span.kind" in said:
        return None
    if is_named_only(span):
        return _OPERATIONS.get(span.name.partition(" ")[0])
    if "gen_ai.request.model" not in said and "gen_ai.response.model" not in said:
        return None
    if "gen_ai.system" in said or "gen_ai.provider.name" in said:
        return _operation_by_name(span.name)
    return None


def _openinference_operation(kind: Json, name: str) -> Operation | None:
    operation = _OPENINFERENCE_OPERATIONS.get(kind.upper()) if isinstance(kind, str) else None
    if operation is Operation.CHAT:  # LLM is said of all that a model does
        for word, other in _OTHER_THAN_CHAT:
            if word in name.lower():
                return other
    return operation


def _operation_by_name(name: str) -> Operation:
    """Guess by `openai.embeddings` or `image_generation …`: what says nothing else is a chat."""
    words = name.lower().replace(".", " ").split()
    return next((_OPERATIONS[word] for word in words if word in _OPERATIONS), Operation.CHAT)


def is_named_only(span: Span) -> bool:
    """Whether a span's name is all that tells of a model call: `chat claude-sonnet-4-5`.

    OpenLIT 1.45 leaves the attributes out where a call of Anthropic's failed.
    """
    return (
        span.scope.startswith("openlit.instrumentation.")
        and span.kind == "client"
        and "gen_ai.operation.name" not in span.attributes
        and "gen_ai.request.model" not in span.attributes
    )


def kind_of(span: Span) -> StepKind:  # noqa: PLR0911 - one a dialect
    """Name the kind of a step."""
    if operation_of(span) is not None:
        return StepKind.LLM
    said = span.attributes
    for key, kinds in (
        ("gen_ai.operation.name", _KINDS_OF_OPERATION),
        ("openinference.span.kind", _OPENINFERENCE_KINDS),
        ("traceloop.span.kind", _OPENLLMETRY_KINDS),
    ):
        word = said.get(key)
        if isinstance(word, str) and (found := kinds.get(word) or kinds.get(word.lower())):
            return found
    if (node_type := text(said, "n8n.node.type")) is not None:
        return step_kind(node_type)
    if "gen_ai.tool.name" in said or "mcp.method.name" in said or "ai.toolCall.name" in said:
        return StepKind.TOOL
    if (database := said.get("db.system.name") or said.get("db.system")) is not None:
        is_index = isinstance(database, str) and database in _VECTOR_DATABASES
        return StepKind.RETRIEVAL if is_index else StepKind.DATABASE
    if "http.request.method" in said or "http.method" in said:
        return StepKind.TRIGGER if span.kind == "server" else StepKind.HTTP
    if span.kind in {"server", "consumer"}:
        return StepKind.TRIGGER
    if "airflow.task_id" in said or not _FUNCTION_SPANS.isdisjoint(said):
        return StepKind.CODE
    return StepKind.OTHER


def step_name(span: Span) -> str:
    """Name a step: as its engine does, else by its span."""
    return text(span.attributes, "n8n.node.name", "airflow.task_id") or span.name or "unnamed"


def declares_workflow(span: Span) -> bool:
    """Whether a span is said to be a workflow, not only to belong to one."""
    said = span.attributes
    return (
        said.get("gen_ai.operation.name") == "invoke_workflow"
        or said.get("traceloop.span.kind") == "workflow"
        or (span.name == "workflow.execute" and "n8n.workflow.id" in said)
        or "airflow.dag_run.state" in said
    )


def workflow_named(attributes: Attributes) -> str | None:
    """Return the workflow that a span names; children repeat it in some dialects."""
    for key in _WORKFLOW_NAMES:
        if key in attributes and (name := text_of(attributes[key])) is not None:
            return name
    return None


_WORKFLOW_NAMES = (
    "aiwf.workflow",
    "gen_ai.workflow.name",
    "traceloop.workflow.name",
    "n8n.workflow.name",
    "n8n.workflow.id",
    "airflow.dag_id",
    "airflow.dag_run.dag_id",
)
