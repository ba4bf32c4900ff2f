"""Which model of which provider a span called."""

import msgspec

from exporter.receivers.traces.attribute_values import text
from exporter.receivers.traces.dialects import is_named_only
from exporter.records import Span
from exporter.vendor_names import UNKNOWN, provider_named

# Whom a client of one provider's making really spoke to.
_HOSTS = (
    ("openai.azure.com", "azure"),
    ("services.ai.azure.com", "azure"),
    ("cognitiveservices.azure.com", "azure"),
    ("amazonaws.com", "aws"),
    ("googleapis.com", "google"),
    ("api.cerebras.ai", "cerebras"),
    ("api.cohere.com", "cohere"),
    ("api.deepseek.com", "deepseek"),
    ("api.fireworks.ai", "fireworks"),
    ("api.groq.com", "groq"),
    ("api.mistral.ai", "mistral"),
    ("api.moonshot.ai", "moonshotai"),
    ("api.perplexity.ai", "perplexity"),
    ("api.together.xyz", "together"),
    ("api.x.ai", "x-ai"),
    ("openrouter.ai", "openrouter"),
)
_PROVIDER = (
    "gen_ai.provider.name",
    "llm.provider",
    "gen_ai.system",
    "llm.system",
    "llm.vendor",
    "ai.model.provider",
)
_SERVED = ("gen_ai.response.model", "llm.response.model_name", "ai.response.model")
_REQUESTED = ("gen_ai.request.model", "llm.request.model_name", "ai.model.id")
_PARAMETERS = "llm.invocation_parameters"  # OpenInference: the request in JSON
_EITHER = ("llm.model_name", "embedding.model_name", "reranker.model_name", "gen_ai.model")


class _Parameters(msgspec.Struct):
    model: str | None = None


def provider_of(span: Span) -> str:
    """Return the provider; where its client spoke to another one, that."""
    host = text(span.attributes, "server.address", "net.peer.name", "gen_ai.openai.api_base")
    if host is not None:
        host = host.lower().removeprefix("https://").partition("/")[0]
        for ending, provider in _HOSTS:
            if host.endswith(ending):
                return provider
    named = text(span.attributes, *_PROVIDER)
    if named is None and is_named_only(span):
        named = span.scope.rpartition(".")[2]
    if named is not None and "ai.operationId" in span.attributes:
        named = named.partition(".")[0]  # openai.chat, amazon-bedrock, google.generative-ai
    return provider_named(named, model_of(span))


def model_of(span: Span) -> str:
    """Return the model that answered, else the one that was asked for."""
    return (
        text(span.attributes, *_SERVED, *_REQUESTED, *_EITHER) or _model_elsewhere(span) or UNKNOWN
    )


def requested_model_of(span: Span) -> str | None:
    """Return the model that was asked for."""
    return text(span.attributes, *_REQUESTED) or _model_elsewhere(span)


def _model_elsewhere(span: Span) -> str | None:
    """Find the model of a call that failed, or made an image, where it was asked for."""
    if is_named_only(span):
        return span.name.partition(" ")[2] or None
    parameters = span.content.get(_PARAMETERS)
    if parameters is None:
        return None
    try:
        return msgspec.json.decode(parameters, type=_Parameters).model
    except msgspec.DecodeError:  # also where the content setting cut it
        return None
