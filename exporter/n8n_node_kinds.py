"""The kind of step that a node of n8n is, by its type: the same from its database and its spans.

Source: node packages n8n-nodes-base and @n8n/n8n-nodes-langchain of n8n 2.41.
"""

from exporter.records import StepKind

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


def suffix_of(node_type: str) -> str:
    """Return a type without its package, in lower case."""
    return node_type.rpartition(".")[2].lower()


def is_vendor_node(node_type: str) -> bool:
    """Whether it calls a provider's API itself, without a model sub-node."""
    return "langchain" in node_type and suffix_of(node_type) in _VENDOR_NODES


def step_kind(node_type: str) -> StepKind:
    """Name the kind of a node by its type."""
    suffix = suffix_of(node_type)
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
