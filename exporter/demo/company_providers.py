"""What the company's providers meter: its workflows' calls, and what nobody wrote down."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from exporter.demo import company_models
from exporter.demo.n8n_rows import Execution
from exporter.demo.providers.anthropic_api import ADMIN_KEY as ANTHROPIC_KEY
from exporter.demo.providers.anthropic_api import AnthropicApi
from exporter.demo.providers.ledger import Usage
from exporter.demo.providers.openai_api import ADMIN_KEY as OPENAI_KEY
from exporter.demo.providers.openai_api import OpenAIApi
from exporter.demo.providers.server import ProviderServer
from exporter.demo.providers.simulated_month import DISCOUNT, SMALLEST, list_price, simulated_month
from exporter.demo.status_pages import served_status_pages
from exporter.demo.traffic import Story
from exporter.demo.workflow_model import LlmCall, Model

# Developers, experiments, other products: their use is on the bill, and in no workflow.
_DARK_SEED = 20
_DARK_DAYS = 38
_DARK_AHEAD = timedelta(days=3)  # prepared, and shown as time goes on
# What the provider's reports call the models that the workflows ask for.
_SNAPSHOTS = {
    "gpt-4o": "gpt-4o-2024-11-20",
    "gpt-4o-mini": "gpt-4o-mini-2024-07-18",
    "gpt-4.1": "gpt-4.1-2025-04-14",
    "gpt-5-mini": "gpt-5-mini-2025-08-07",
    "claude-sonnet-4-5": "claude-sonnet-4-5-20250929",
    "claude-haiku-4-5": "claude-haiku-4-5-20251001",
}
MODEL_PROVIDERS = {
    model.name: model.provider
    for model in vars(company_models).values()
    if isinstance(model, Model)
}
_METERED_WITHIN = timedelta(minutes=4)


class CompanyProviders:
    """The ledgers of the providers that the company pays."""

    def __init__(self, now: datetime) -> None:
        self.ledgers = {
            provider: simulated_month(
                _DARK_SEED, now + _DARK_AHEAD, _DARK_DAYS, provider=provider, most_requests=1
            )
            for provider in ("openai", "anthropic")
        }

    def meter(self, execution: Execution, call: LlmCall) -> None:
        """Put a workflow's call on its provider's bill; what it serves itself nobody bills."""
        ledger = self.ledgers.get(MODEL_PROVIDERS[call.model])
        if ledger is None or not call.served_input_tokens:
            return
        workflow = execution.version.workflow
        key_id = f"key_{workflow.team}".lower().replace(" ", "_")
        project_id = f"proj_{workflow.project}".lower().replace(" ", "_")
        ledger.add_name("project", project_id, workflow.project)
        ledger.add_name("api_key", key_id, f"n8n {workflow.team}", project_id=project_id)
        usage = Usage(
            at=execution.started_at.astimezone(UTC),
            model=_SNAPSHOTS[call.model],
            project_id=project_id,
            api_key_id=key_id,
            service_tier="default" if MODEL_PROVIDERS[call.model] == "openai" else "standard",
            context_window="0-200k",
            input_tokens=call.served_input_tokens,
            output_tokens=call.served_output_tokens,
            visible_at=execution.started_at + _METERED_WITHIN,
        )
        cost_usd = list_price(MODEL_PROVIDERS[call.model], usage) * (Decimal(1) - DISCOUNT)
        ledger.add(replace(usage, cost_usd=cost_usd.quantize(SMALLEST)))

    @contextmanager
    def served(
        self, story: Story, clock: Callable[[], datetime]
    ) -> Iterator[tuple[list[dict[str, object]], dict[str, str]]]:
        """Serve the providers' APIs and status pages; yield the sources of them, and their keys."""
        with ExitStack() as stack:
            openai = stack.enter_context(ProviderServer(OpenAIApi(self.ledgers["openai"]), clock))
            anthropic = stack.enter_context(
                ProviderServer(AnthropicApi(self.ledgers["anthropic"]), clock)
            )
            keys = {"OPENAI_ADMIN_KEY": OPENAI_KEY, "ANTHROPIC_ADMIN_KEY": ANTHROPIC_KEY}
            sources: list[dict[str, object]] = [
                {
                    "name": kind,
                    "kind": kind,
                    "admin_key": {"env": variable},
                    "base_url": base_url,
                    "allow_private": True,
                    "every": "1m",
                }
                for kind, variable, base_url in (
                    ("openai", "OPENAI_ADMIN_KEY", f"{openai.url}/v1"),
                    ("anthropic", "ANTHROPIC_ADMIN_KEY", anthropic.url),
                )
            ]
            pages = stack.enter_context(served_status_pages(story, clock))
            sources.append(_status_source(pages))
            yield sources, keys


def _status_source(pages: Mapping[str, str]) -> dict[str, object]:
    return {
        "name": "status",
        "kind": "status_pages",
        "every": "15s",
        "allow_private": True,
        "pages": [{"page": provider, "url": url} for provider, url in pages.items()],
    }
