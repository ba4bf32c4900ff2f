"""The words in which the simulated company describes its workflows."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

Json = dict[str, Any]


class Kind(StrEnum):
    """What a step is; each kind is one n8n node type."""

    WEBHOOK = "webhook"
    SCHEDULE = "schedule"
    ERROR_TRIGGER = "error_trigger"
    EXECUTION_DATA = "execution_data"
    SET = "set"
    CODE = "code"
    HTTP = "http"
    CHAIN = "chain"
    AGENT = "agent"
    VENDOR = "vendor"
    WAIT = "wait"


class Fate(StrEnum):
    """What becomes of one execution, decided before it runs."""

    SUCCESS = "success"
    LLM_RATE_LIMITED = "llm_429"
    LLM_SERVER_ERROR = "llm_500"
    INVALID_JSON = "invalid_json"
    TIMEOUT = "timeout"
    CANCELED = "canceled"
    CRASH = "crash"


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A language model as its provider serves it."""

    name: str
    provider: str  # openai, anthropic, or self-hosted behind OpenAI's protocol
    base_url: str
    first_token_seconds: float
    tokens_per_second: float
    # Asked through OpenAI's Responses API: n8n then stores no usage, only its own estimate.
    responses_api: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """What a step asks a model."""

    model: Model
    node: str  # name of the model's own node; empty for a vendor node, which is its own model
    text: str  # `{field}` comes from the trigger's input, `{previous}` from the step before
    system: str = ""
    context_tokens: tuple[int, int] = (0, 0)  # reference material appended to the question
    output_tokens: tuple[int, int] = (50, 200)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One node of the main path."""

    name: str
    kind: Kind
    seconds: tuple[float, float] = (0.002, 0.03)  # own time, without the model's
    fields: tuple[str, ...] = ()  # what the step puts out, by name of field
    prompt: Prompt | None = None
    tools: tuple[str, ...] = ()  # names of an agent's tools
    batch: tuple[int, int] | None = None  # the step loads this many items
    item_failure_rate: float = 0.0
    continue_on_error: bool = False  # a failed item goes on as an item with an error
    retry_on_fail: bool = False
    parses_json: bool = False  # may meet invalid JSON
    url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """Fixed times, UTC."""

    hours: tuple[int, ...]
    minute: int = 0
    weekday: int | None = None  # 0 is Monday; None is every day


@dataclass(frozen=True, slots=True, kw_only=True)
class Workflow:
    """One workflow: what starts it, what it does, and how it goes wrong."""

    name: str
    team: str
    project: str
    steps: tuple[Step, ...]
    tags: tuple[str, ...] = ()
    path: str = ""  # of the webhook
    inputs: tuple[str, ...] = ()  # fields of the webhook's body
    runs_per_workday: float = 0.0
    hour_weights: tuple[float, ...] = ()  # 24 of them
    weekend_factor: float = 0.25
    schedule: Schedule | None = None
    failures: Mapping[Fate, float] = field(default_factory=dict)  # share of executions
    timeout_seconds: int | None = None
    reports_errors: bool = True  # failures start the error workflow
    revised_days_ago: int | None = None  # a new version was published then


@dataclass(frozen=True, slots=True, kw_only=True)
class LlmCall:
    """One call to a model, as the simulator knows it."""

    model: str
    failed: bool = False
    estimated: bool = False  # n8n stores an estimate, not the provider's count
    input_tokens: int = 0  # as n8n stores it
    output_tokens: int = 0
    served_input_tokens: int = 0  # as the provider bills it
    served_output_tokens: int = 0
