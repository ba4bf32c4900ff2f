"""n8n's node types in our words: what kind of step, which provider.

Source: node packages n8n-nodes-base and @n8n/n8n-nodes-langchain of n8n 2.41.
"""

from exporter.records import Json, Operation, StepKind

_PROVIDERS = {
    "openai": "openai",
    "anthropic": "anthropic",
    "googlegemini": "google",
    "googlevertex": "google",
    "awsbedrock": "aws",
    "azureopenai": "azure",
    "mistralcloud": "mistral",
    "xaigrok": "x-ai",
    "alibabacloud": "alibaba",
}
_VENDOR_NODES = frozenset(
    {"openai", "anthropic", "googlegemini", "ollama", "alibabacloud", "moonshot", "minimax"}
)
_KINDS = {
    "httprequest": StepKind.HTTP,
    "code": StepKind.CODE,
    "function": StepKind.CODE,
    "functionitem": StepKind.CODE,
    "executeworkflow": StepKind.WORKFLOW,
    "start": StepKind.TRIGGER,
    "webhook": StepKind.TRIGGER,
    "postgres": StepKind.DATABASE,
    "mysql": StepKind.DATABASE,
    "mongodb": StepKind.DATABASE,
    "microsoftsql": StepKind.DATABASE,
    "redis": StepKind.DATABASE,
    "supabase": StepKind.DATABASE,
    "datatable": StepKind.DATABASE,
    "agent": StepKind.LLM,
}


def _suffix(node_type: str) -> str:
    return node_type.rpartition(".")[2].lower()


def is_vendor_node(node_type: str) -> bool:
    """Whether it calls a provider's API itself, without a model sub-node."""
    return "langchain" in node_type and _suffix(node_type) in _VENDOR_NODES


def is_model_node(node_type: str) -> bool:
    """Whether it is a chat or completion model that serves a chain or an agent."""
    return _suffix(node_type).startswith(("lmchat", "lmopen", "lmollama", "lmcohere", "lmaws"))


def is_model_wrapper(node_type: str) -> bool:
    """Whether it hands calls on to another model node, which has runs of its own."""
    return _suffix(node_type) == "modelselector"


def is_loop(node_type: str) -> bool:
    """Whether items pass it again and again, so that counting them would count twice."""
    return _suffix(node_type) == "splitinbatches"


def step_kind(node_type: str) -> StepKind:
    """Name the kind of a node by its type."""
    suffix = _suffix(node_type)
    if suffix in _KINDS:
        return _KINDS[suffix]
    if suffix.endswith("trigger"):
        return StepKind.TRIGGER
    if suffix.startswith(("vectorstore", "retriever", "embeddings")):
        return StepKind.RETRIEVAL
    if suffix.startswith(("tool", "mcpclient")):
        return StepKind.TOOL
    if suffix.startswith(("lm", "chain")) or is_vendor_node(node_type):
        return StepKind.LLM
    return StepKind.OTHER


def provider(node_type: str) -> str:
    """Name the provider by the node type: `lmChatOpenAi` → `openai`."""
    suffix = _suffix(node_type)
    for prefix in ("lmchat", "embeddings", "lm"):
        suffix = suffix.removeprefix(prefix)
    return _PROVIDERS.get(suffix, suffix or "unknown")


def parameter_model(parameters: Json) -> str | None:
    """Find the model in a node's parameters; an expression names none."""
    if not isinstance(parameters, dict):
        return None
    for key in ("model", "modelId", "modelName", "deploymentName"):
        found = parameters.get(key)
        if isinstance(found, dict):
            found = found.get("value")
        if isinstance(found, str) and found and not found.startswith("="):
            return found
    return None


def vendor_operation(parameters: Json) -> Operation:
    """What a vendor node was asked to do, by its `resource` parameter."""
    resource = parameters.get("resource") if isinstance(parameters, dict) else None
    match resource:
        case None | "text" | "assistant" | "message" | "chat":
            return Operation.CHAT
        case "image" | "video":
            return Operation.IMAGE
        case "audio":
            return Operation.AUDIO
        case _:
            return Operation.OTHER
