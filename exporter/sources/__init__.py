"""Everything we ask: KINDS names each kind of source, once."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from exporter.interfaces import Source
from exporter.settings import SourceSettings
from exporter.sources.providers import deepseek
from exporter.sources.providers.anthropic import source as anthropic
from exporter.sources.providers.azure_openai import source as azure_openai
from exporter.sources.providers.bedrock import source as bedrock
from exporter.sources.providers.deepgram import source as deepgram
from exporter.sources.providers.elevenlabs import source as elevenlabs
from exporter.sources.providers.helicone import source as helicone
from exporter.sources.providers.langfuse import source as langfuse
from exporter.sources.providers.langsmith import source as langsmith
from exporter.sources.providers.litellm import source as litellm
from exporter.sources.providers.openai import source as openai
from exporter.sources.providers.openrouter import source as openrouter
from exporter.sources.providers.vertex import source as vertex
from exporter.sources.providers.xai import source as xai
from exporter.sources.status.settings import StatusPagesSettings
from exporter.sources.status.source import StatusPagesSource
from exporter.sources.workflows.jsonl.source import JsonlSettings, JsonlSource
from exporter.sources.workflows.n8n.source import N8nSettings, N8nSource


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of source: the settings it takes, and what it makes of them."""

    settings: type[SourceSettings]
    source: Callable[[Any], Source]
    role: Literal["workflows", "gateway", "provider", "status"] = "workflows"
    """What it tells; calls that a gateway tells may be those that a workflow engine tells too."""


KINDS: Mapping[str, Kind] = {
    "n8n": Kind(N8nSettings, N8nSource),
    "jsonl": Kind(JsonlSettings, JsonlSource),
    "openai": Kind(openai.OpenAiSettings, openai.source, role="provider"),
    "anthropic": Kind(anthropic.AnthropicSettings, anthropic.source, role="provider"),
    "openrouter": Kind(openrouter.OpenRouterSettings, openrouter.source, role="provider"),
    "bedrock": Kind(bedrock.BedrockSettings, bedrock.source, role="provider"),
    "azure_openai": Kind(azure_openai.AzureOpenAiSettings, azure_openai.source, role="provider"),
    "vertex": Kind(vertex.VertexSettings, vertex.source, role="provider"),
    "litellm": Kind(litellm.LiteLlmSettings, litellm.source, role="gateway"),
    "langfuse": Kind(langfuse.LangfuseSettings, langfuse.source, role="gateway"),
    "langsmith": Kind(langsmith.LangSmithSettings, langsmith.source, role="gateway"),
    "helicone": Kind(helicone.HeliconeSettings, helicone.source, role="gateway"),
    "deepgram": Kind(deepgram.DeepgramSettings, deepgram.source, role="provider"),
    "deepseek": Kind(deepseek.DeepSeekSettings, deepseek.source, role="provider"),
    "elevenlabs": Kind(elevenlabs.ElevenLabsSettings, elevenlabs.source, role="provider"),
    "status_pages": Kind(StatusPagesSettings, StatusPagesSource, role="status"),
    "xai": Kind(xai.XaiSettings, xai.source, role="provider"),
}
