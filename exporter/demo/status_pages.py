"""The status pages of the company's model providers, served on this machine."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from exporter.demo.incident_io import IncidentIo
from exporter.demo.providers.server import ProviderServer
from exporter.demo.providers.wire import Answer, Request, tagged
from exporter.demo.published_status import PublishedStatus, published_status
from exporter.demo.statuspage import Statuspage
from exporter.demo.traffic import Story
from exporter.demo.workflow_model import Json


class Platform(Protocol):
    """What a page runs on: its JSON, by what is asked for."""

    def summary(self, status: PublishedStatus) -> Json:
        """Return components, and incidents that are not resolved."""

    def components(self, status: PublishedStatus) -> Json:
        """Return components."""

    def incidents(self, status: PublishedStatus) -> Json:
        """Return incidents, those that are resolved included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusPage:
    """A provider's page."""

    platform: Platform
    components: Mapping[str, bool]  # by name: whether the provider's troubles concern it


STATUS_PAGES = {
    "openai": StatusPage(
        platform=IncidentIo(
            name="OpenAI",
            url="https://status.openai.example",
            founded_at=datetime(2025, 2, 18, 9, 0, tzinfo=UTC),
        ),
        components={
            "Chat Completions": True,
            "Responses": True,
            "Embeddings": False,
            "Batch": False,
            "Images": False,
            "Conversations": False,
            "Login": False,
        },
    ),
    "anthropic": StatusPage(
        platform=Statuspage(name="Claude", url="https://status.anthropic.example"),
        components={
            "claude.ai": False,
            "Claude Console": False,
            "Claude API (api.anthropic.com)": True,
            "Claude Code": False,
        },
    ),
}


class StatusPageApi:
    """A provider's status page, as a server's dialect."""

    def __init__(self, provider: str, story: Story) -> None:
        self._provider = provider
        self._page = STATUS_PAGES[provider]
        self._story = story
        platform = self._page.platform
        self._documents = {
            "/api/v2/summary.json": platform.summary,
            "/api/v2/components.json": platform.components,
            "/api/v2/incidents.json": platform.incidents,
        }

    def answer(self, request: Request, now: datetime) -> Answer:
        """Answer with what the page says at a moment; 304 to a reader who has that already."""
        document = self._documents.get(request.path)
        if request.method != "GET" or document is None:
            return self.refuse(404, "Not found")
        status = published_status(self._provider, self._page.components, self._story, now)
        return tagged(request, Answer(body=document(status)))

    def refuse(self, status: int, message: str) -> Answer:
        """Return an error."""
        return Answer(status=status, body={"error": message})


@contextmanager
def served_status_pages(story: Story, clock: Callable[[], datetime]) -> Iterator[Mapping[str, str]]:
    """Serve the pages; yield their addresses by provider."""
    with ExitStack() as stack:
        yield {
            provider: stack.enter_context(ProviderServer(StatusPageApi(provider, story), clock)).url
            for provider in STATUS_PAGES
        }
