"""Every kind that is asked over the web, and the simulated provider that stands for it in tests."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from exporter.demo.providers import (
    anthropic_api,
    azure_api,
    bedrock_api,
    cloud_organizations,
    deepgram_api,
    deepseek_api,
    elevenlabs_api,
    helicone_api,
    langfuse_api,
    langsmith_api,
    openai_api,
    openrouter_api,
    vertex_api,
    xai_api,
)
from exporter.demo.providers.simulated_calls import WORKFLOWS, simulated_calls
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
    addresses: Mapping[str, str] = field(default_factory=dict)  # other settings → their paths
    paged: str | None = None  # a part of the path of a request that has a second page

    def block(self, kind: str, url: str) -> dict[str, object]:
        """The source's block of the configuration."""
        return {
            "name": kind,
            "kind": kind,
            "base_url": url + self.path,
            **{name: url + path for name, path in self.addresses.items()},
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
        paged="analytics/cost",
    ),
    "openrouter": Simulated(
        api=lambda: openrouter_api.OpenRouterApi(
            simulated_month(seed=7, until=END, days=8, provider="openrouter")
        ),
        settings={"management_key": {"env": "OPENROUTER_MANAGEMENT_KEY"}},
        environ={"OPENROUTER_MANAGEMENT_KEY": openrouter_api.MANAGEMENT_KEY},
        path="/api/v1",
    ),
    "bedrock": Simulated(
        api=lambda: bedrock_api.BedrockApi(
            simulated_month(seed=7, until=END, days=8, organization=cloud_organizations.AWS)
        ),
        settings={
            "regions": ["us-east-1", "eu-central-1"],
            "access_key_id": {"env": "AWS_KEY_ID"},
            "secret_access_key": {"env": "AWS_KEY"},
        },
        environ={
            "AWS_KEY_ID": bedrock_api.ACCESS_KEY_ID,
            "AWS_KEY": bedrock_api.SECRET_ACCESS_KEY,
        },
    ),
    "azure_openai": Simulated(
        api=lambda: azure_api.AzureApi(
            simulated_month(seed=7, until=END, days=8, organization=cloud_organizations.AZURE)
        ),
        settings={
            "tenant_id": azure_api.TENANT_ID,
            "client_id": azure_api.CLIENT_ID,
            "client_secret": {"env": "AZURE_CLIENT_SECRET"},
            "resources": [
                azure_api.resource_id(name) for name in cloud_organizations.AZURE.projects
            ],
            "cost_scope": azure_api.RESOURCE_GROUP,
        },
        environ={"AZURE_CLIENT_SECRET": azure_api.CLIENT_SECRET},
        addresses={"login_url": ""},
    ),
    "vertex": Simulated(
        api=lambda: vertex_api.VertexApi(
            simulated_month(seed=7, until=END, days=8, organization=cloud_organizations.GOOGLE)
        ),
        settings={
            "service_account": {"env": "VERTEX_KEY_FILE"},
            "projects": [*cloud_organizations.GOOGLE.projects],
        },
        environ={"VERTEX_KEY_FILE": vertex_api.key_file()},
        addresses={"token_url": vertex_api.TOKEN_PATH},
    ),
    "deepgram": Simulated(
        api=lambda: deepgram_api.DeepgramApi(deepgram_api.deepgram_month(7, END, days=8)),
        settings={"api_key": {"env": "DEEPGRAM_API_KEY"}},
        environ={"DEEPGRAM_API_KEY": deepgram_api.API_KEY},
        path="/v1",
    ),
    "deepseek": Simulated(
        api=lambda: deepseek_api.DeepSeekApi(
            simulated_month(seed=7, until=END, days=8, provider="openai")
        ),
        settings={"api_key": {"env": "DEEPSEEK_API_KEY"}},
        environ={"DEEPSEEK_API_KEY": deepseek_api.API_KEY},
    ),
    "elevenlabs": Simulated(
        api=lambda: elevenlabs_api.ElevenLabsApi(elevenlabs_api.elevenlabs_month(7, END, days=8)),
        settings={"api_key": {"env": "ELEVENLABS_API_KEY"}},
        environ={"ELEVENLABS_API_KEY": elevenlabs_api.API_KEY},
    ),
    "xai": Simulated(
        api=lambda: xai_api.XaiApi(xai_api.xai_month(7, END, days=8)),
        settings={"management_key": {"env": "XAI_MANAGEMENT_KEY"}},
        environ={"XAI_MANAGEMENT_KEY": xai_api.MANAGEMENT_KEY},
    ),
    "langfuse": Simulated(
        api=lambda: langfuse_api.LangfuseApi(simulated_calls(7, END, days=8)),
        settings={"public_key": {"env": "LANGFUSE_PUBLIC"}, "secret_key": {"env": "LANGFUSE"}},
        environ={
            "LANGFUSE_PUBLIC": langfuse_api.PUBLIC_KEY,
            "LANGFUSE": langfuse_api.SECRET_KEY,
        },
    ),
    "langsmith": Simulated(
        api=lambda: langsmith_api.LangSmithApi(simulated_calls(7, END, days=8), WORKFLOWS),
        settings={"api_key": {"env": "LANGSMITH"}},
        environ={"LANGSMITH": langsmith_api.API_KEY},
    ),
    "helicone": Simulated(
        api=lambda: helicone_api.HeliconeApi(simulated_calls(7, END, days=8)),
        settings={"api_key": {"env": "HELICONE"}},
        environ={"HELICONE": helicone_api.API_KEY},
    ),
}
START = END - timedelta(hours=11)
"""A time at which a simulated month has much to tell."""
