"""Everything we ask: KINDS names each kind of source, once."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from exporter.interfaces import Source
from exporter.settings import SourceSettings
from exporter.sources.providers.openai import source as openai
from exporter.sources.workflows.n8n.source import N8nSettings, N8nSource


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of source: the settings it takes, and what it makes of them."""

    settings: type[SourceSettings]
    source: Callable[[Any], Source]
    role: Literal["workflows", "gateway", "provider"] = "workflows"
    """Whose view of model calls it has: calls of a gateway may be those a workflow engine tells."""


KINDS: Mapping[str, Kind] = {
    "n8n": Kind(N8nSettings, N8nSource),
    "openai": Kind(openai.OpenAiSettings, openai.source, role="provider"),
}
