"""The simulated organizations: who calls which models at a provider, and how."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from exporter.demo.providers.ledger import Ledger


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """How one model is used."""

    model: str
    weight: float  # share of the organization's calls
    input_tokens: int  # of a usual call
    output_tokens: int
    cached_share: float = 0.0  # of calls whose prompt is mostly in the cache
    written_share: float = 0.0  # of calls that put their prompt into the cache
    batch_share: float = 0.0
    long_share: float = 0.0  # of calls with a prompt above 200 000 tokens
    reasoning_share: float = 0.0  # of output tokens
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """An API key and whose it is."""

    id: str
    name: str
    project_id: str | None
    user_id: str | None = None
    is_hidden: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Extra:
    """Usage that is not counted in tokens, with its price."""

    endpoint: str
    model: str
    quantity: str
    most: int
    usd_each: Decimal
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Organization:
    """A provider's customer."""

    provider: str  # as the price catalogue calls it
    models: tuple[Traffic, ...]
    unlisted: Traffic  # a model the price catalogue does not know
    projects: Mapping[str, str]
    keys: tuple[Key, ...]
    users: Mapping[str, str]
    extras: tuple[Extra, ...] = ()
    service_tier: str | None = None

    def introduce_to(self, ledger: Ledger) -> None:
        """Give the ledger the names of everything."""
        for project_id, name in self.projects.items():
            ledger.add_name("project", project_id, name)
        for key in self.keys:
            ledger.add_name(
                "api_key", key.id, key.name, project_id=key.project_id, is_hidden=key.is_hidden
            )
        for user_id, name in self.users.items():
            ledger.add_name("user", user_id, name)


_USERS = {"user_ada": "Ada Berg", "user_ben": "Ben Costa", "user_cleo": "Cleo Diaz"}

OPENAI = Organization(
    provider="openai",
    models=(
        Traffic(
            model="gpt-5-mini-2025-08-07",
            weight=5,
            input_tokens=2_400,
            output_tokens=700,
            cached_share=0.4,
            reasoning_share=0.4,
        ),
        Traffic(
            model="gpt-4.1-2025-04-14",
            weight=2,
            input_tokens=5_200,
            output_tokens=900,
            cached_share=0.3,
            batch_share=0.15,
        ),
        Traffic(
            model="gpt-4o-mini-2024-07-18",
            weight=3,
            input_tokens=1_100,
            output_tokens=250,
            batch_share=0.1,
        ),
    ),
    unlisted=Traffic(
        model="enterprise-preview-2026", weight=0.6, input_tokens=3_000, output_tokens=800
    ),
    projects={"proj_web": "Website", "proj_support": "Support", "proj_lab": "Lab"},
    keys=(
        Key(id="key_web", name="website", project_id="proj_web", user_id="user_ada"),
        Key(id="key_blog", name="blog writer", project_id="proj_web", user_id="user_ben"),
        Key(id="key_tickets", name="ticket triage", project_id="proj_support", user_id="user_ben"),
        Key(id="key_mail", name="mail", project_id="proj_support", is_hidden=True),
        Key(id="key_lab", name="experiments", project_id="proj_lab", user_id="user_cleo"),
    ),
    users=_USERS,
    service_tier="default",
    extras=(
        Extra(
            endpoint="images",
            model="gpt-image-1",
            quantity="images",
            most=6,
            usd_each=Decimal("0.042"),
            labels={"size": "1024x1024", "source": "image.generation"},
        ),
        Extra(
            endpoint="audio_speeches",
            model="tts-1",
            quantity="characters",
            most=4_000,
            usd_each=Decimal("0.000015"),
        ),
        Extra(
            endpoint="audio_transcriptions",
            model="whisper-1",
            quantity="seconds",
            most=900,
            usd_each=Decimal("0.0001"),
        ),
        Extra(
            endpoint="code_interpreter_sessions",
            model="code-interpreter",
            quantity="num_sessions",
            most=3,
            usd_each=Decimal("0.03"),
        ),
        Extra(
            endpoint="web_search_calls",
            model="gpt-4.1-2025-04-14",
            quantity="num_requests",
            most=5,
            usd_each=Decimal("0.01"),
            labels={"context_level": "medium"},
        ),
    ),
)

ANTHROPIC = Organization(
    provider="anthropic",
    models=(
        Traffic(
            model="claude-sonnet-4-5-20250929",
            weight=5,
            input_tokens=6_500,
            output_tokens=1_100,
            cached_share=0.5,
            written_share=0.2,
            long_share=0.03,
            batch_share=0.05,
        ),
        Traffic(
            model="claude-haiku-4-5-20251001",
            weight=4,
            input_tokens=2_000,
            output_tokens=400,
            batch_share=0.2,
        ),
        Traffic(
            model="claude-opus-4-5-20251101",
            weight=1,
            input_tokens=9_000,
            output_tokens=1_800,
            cached_share=0.6,
            written_share=0.25,
            labels={"terminal_type": "vscode"},
        ),
    ),
    unlisted=Traffic(
        model="research-preview-2026", weight=0.6, input_tokens=3_000, output_tokens=800
    ),
    projects={
        "wrkspc_web": "Website",
        "wrkspc_support": "Support",
        "wrkspc_lab": "Lab",
    },
    keys=(
        Key(id="apikey_web", name="website", project_id="wrkspc_web"),
        Key(id="apikey_blog", name="blog writer", project_id="wrkspc_web", user_id="user_ada"),
        Key(id="apikey_tickets", name="ticket triage", project_id="wrkspc_support"),
        Key(id="apikey_lab", name="experiments", project_id="wrkspc_lab", user_id="user_cleo"),
        Key(id="apikey_old", name="first steps", project_id=None, user_id="user_ben"),
    ),
    users=_USERS,
    service_tier="standard",
    extras=(
        Extra(
            endpoint="web_search",
            model="claude-sonnet-4-5-20250929",
            quantity="web_search_requests",
            most=5,
            usd_each=Decimal("0.01"),
        ),
        Extra(
            endpoint="code_execution",
            model="code-execution",
            quantity="minutes",
            most=20,
            usd_each=Decimal("0.0008"),
        ),
    ),
)

OPENROUTER = Organization(
    provider="openrouter",
    models=(
        Traffic(
            model="openai/gpt-5-mini",
            weight=4,
            input_tokens=2_200,
            output_tokens=600,
            cached_share=0.3,
            reasoning_share=0.4,
        ),
        Traffic(
            model="anthropic/claude-sonnet-4.5",
            weight=3,
            input_tokens=5_000,
            output_tokens=900,
            labels={"provider_name": "Anthropic"},
        ),
        Traffic(
            model="google/gemini-2.5-flash",
            weight=3,
            input_tokens=3_000,
            output_tokens=500,
            labels={"provider_name": "Google"},
        ),
    ),
    unlisted=Traffic(
        model="stealth/preview-2026",
        weight=0.6,
        input_tokens=3_000,
        output_tokens=800,
        labels={"provider_name": "Stealth"},
    ),
    projects={"ws_support": "Support", "ws_lab": "Lab", "ws_web": "Website"},
    keys=(
        Key(id="hash_web", name="website", project_id=None),
        Key(id="hash_blog", name="blog writer", project_id="ws_web"),
        Key(id="hash_tickets", name="ticket triage", project_id="ws_support"),
        Key(id="hash_mail", name="mail", project_id="ws_support", user_id="user_ben"),
        Key(id="hash_lab", name="experiments", project_id="ws_lab", user_id="user_cleo"),
    ),
    users=_USERS,
)
