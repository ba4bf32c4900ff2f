"""Every kind that is asked over the web, and the simulated provider that stands for it in tests."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from exporter.demo.providers import anthropic_api, openai_api, openrouter_api
from exporter.demo.providers.simulated_month import simulated_month
from exporter.demo.providers.wire import Api

END = datetime(2026, 11, 20, tzinfo=UTC)


@dataclass(frozen=True)
class Simulated:
    """How to serve a kind, and how to configure it."""

    api: Callable[[], Api]
    settings: Mapping[str, object] = field(default_factory=dict)
    environ: Mapping[str, str] = field(default_factory=dict)
    path: str = ""  # of base_url, after the server's address
    paged: str | None = None  # a part of the path of a request that has a second page

    def block(self, kind: str, url: str) -> dict[str, object]:
        """The source's block of the configuration."""
        return {
            "name": kind,
            "kind": kind,
            "base_url": url + self.path,
            "allow_private": True,
            "every": "5s",
            **self.settings,
        }


SIMULATED: Mapping[str, Simulated] = {
    "openai": Simulated(
        api=lambda: openai_api.OpenAIApi(
            simulated_month(seed=7, until=END, days=8, provider="openai")
        ),
        settings={"admin_key": {"env": "OPENAI_ADMIN_KEY"}},
        environ={"OPENAI_ADMIN_KEY": openai_api.ADMIN_KEY},
        path="/v1",
        paged="usage/completions",
    ),
    "anthropic": Simulated(
        api=lambda: anthropic_api.AnthropicApi(
            simulated_month(seed=7, until=END, days=8, provider="anthropic")
        ),
        settings={"admin_key": {"env": "ANTHROPIC_ADMIN_KEY"}},
        environ={"ANTHROPIC_ADMIN_KEY": anthropic_api.ADMIN_KEY},
    ),
    "openrouter": Simulated(
        api=lambda: openrouter_api.OpenRouterApi(
            simulated_month(seed=7, until=END, days=8, provider="openrouter")
        ),
        settings={"management_key": {"env": "OPENROUTER_MANAGEMENT_KEY"}},
        environ={"OPENROUTER_MANAGEMENT_KEY": openrouter_api.MANAGEMENT_KEY},
        path="/api/v1",
    ),
}
START = END - timedelta(hours=11)
"""A time at which a simulated month has much to tell."""
