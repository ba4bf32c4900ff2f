"""n8n's node types in our words: what kind of step, which provider.

Source: node packages n8n-nodes-base and @n8n/n8n-nodes-langchain of n8n 2.41.
"""

from exporter.n8n_node_kinds import suffix_of
from exporter.records import Json, Operation

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


def is_model_node(node_type: str) -> bool:
    """Whether it is a chat or completion model that serves a chain or an agent."""
    return suffix_of(node_type).startswith(("lmchat", "lmopen", "lmollama", "lmcohere", "lmaws"))


def is_model_wrapper(node_type: str) -> bool:
    """Whether it hands calls on to another model node, which has runs of its own."""
    return suffix_of(node_type) == "modelselector"


def is_loop(node_type: str) -> bool:
    """Whether items pass it again and again, so that counting them would count twice."""
    return suffix_of(node_type) == "splitinbatches"


def provider(node_type: str) -> str:
    """Name the provider by the node type: `lmChatOpenAi` → `openai`."""
    suffix = suffix_of(node_type)
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
