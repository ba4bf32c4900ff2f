"""The words: what sources say and sinks understand.

Times are aware UTC and end in `_at`; durations are float seconds; money is `Decimal` USD.
`None` means unknown, never zero.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]
"""What JSON can say."""


class ExecutionStatus(StrEnum):
    """Where an execution stands; everything from `success` on is final."""

    QUEUED = "queued"
    RUNNING = "running"
    WAITING = "waiting"
    SUCCESS = "success"
    ERROR = "error"
    TIMEOUT = "timeout"
    CANCELED = "canceled"
    CRASHED = "crashed"
    PRUNED = "pruned"  # gone from its engine before we saw it end

    @property
    def is_final(self) -> bool:
        """Whether the engine is done with it (a newer state of the same row is still accepted)."""
        return self not in OPEN_STATUSES


OPEN_STATUSES = frozenset(
    {ExecutionStatus.QUEUED, ExecutionStatus.RUNNING, ExecutionStatus.WAITING}
)
FINAL_STATUSES = tuple(status for status in ExecutionStatus if status not in OPEN_STATUSES)


class StepKind(StrEnum):
    """What a step does."""

    LLM = "llm"
    TOOL = "tool"
    RETRIEVAL = "retrieval"
    HTTP = "http"
    DATABASE = "database"
    CODE = "code"
    TRIGGER = "trigger"
    WORKFLOW = "workflow"
    OTHER = "other"


class Operation(StrEnum):
    """What a model was asked to do."""

    CHAT = "chat"
    EMBEDDINGS = "embeddings"
    IMAGE = "image"
    AUDIO = "audio"
    MODERATION = "moderation"
    OTHER = "other"


class CostSource(StrEnum):
    """Who named the cost: the engine or gateway (reported), or we from tokens (priced)."""

    REPORTED = "reported"
    PRICED = "priced"


@dataclass(frozen=True, slots=True, kw_only=True)
class Workflow:
    """A workflow as its engine knows it now; known before its first run."""

    source: str
    workflow_id: str
    workflow: str  # its present name, unique within the source
    active: bool  # whether the engine starts it by itself
    version: str | None = None
    project: str | None = None
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """One run of a workflow. Key: source, execution_id, created_at."""

    source: str
    execution_id: str
    created_at: datetime  # immutable: the time key
    workflow_id: str
    workflow: str
    status: ExecutionStatus
    started_at: datetime | None = None
    finished_at: datetime | None = None  # None: not ended, or the engine does not say
    workflow_version: str | None = None
    trigger: str | None = None
    error_type: str | None = None
    error_message: str | None = None
    error_step: str | None = None
    retry_of: str | None = None
    parent_execution_id: str | None = None
    trace_id: str | None = None
    customer: str | None = None
    project: str | None = None
    team: str | None = None
    tags: tuple[str, ...] = ()
    attributes: Mapping[str, Json] = field(default_factory=dict)
    items_total: int | None = None
    items_failed: int | None = None
    engine_url: str | None = None  # where to look at it in its engine
    engine_state: str | None = None  # the engine's mark of this state; another mark, another read
    unknown_steps_reason: str | None = None  # why its steps and calls are unknown

    @property
    def duration_seconds(self) -> float | None:
        """From start to end; None while open, and where the engine's times contradict."""
        if self.started_at is None or self.finished_at is None:
            return None
        seconds = (self.finished_at - self.started_at).total_seconds()
        return seconds if seconds >= 0 else None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionGone:
    """An execution we saw open that its engine no longer has: closed as `pruned`."""

    source: str
    execution_id: str
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One run of one step. Key: its execution's key and step_id."""

    source: str
    execution_id: str
    created_at: datetime  # of the execution: the time key they share
    step_id: str
    name: str
    kind: StepKind
    status: ExecutionStatus
    parent_step_id: str | None = None  # the step on whose behalf this one ran
    started_at: datetime | None = None
    duration_seconds: float | None = None
    attempt: int = 1
    items_in: int | None = None
    items_out: int | None = None
    items_failed: int | None = None
    error_type: str | None = None
    error_message: str | None = None
    copied_from: str | None = None  # the execution that really ran it: a retry repeats its rows
    attributes: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class LlmCall:
    """One call of one model. Key: its execution's key and call_id.

    Workflow, customer, project and team are its execution's, repeated here so that cost
    can be summed by them without a join.
    """

    source: str
    execution_id: str
    created_at: datetime  # of the execution: the time key they share
    call_id: str
    provider: str
    model: str
    operation: Operation
    status: ExecutionStatus
    workflow_id: str
    workflow: str
    started_at: datetime
    step_id: str | None = None
    requested_model: str | None = None
    error_type: str | None = None
    finish_reason: str | None = None
    latency_seconds: float | None = None
    time_to_first_token_seconds: float | None = None
    input_tokens: int | None = None  # total: cached and cache-written included
    cached_input_tokens: int | None = None
    cache_write_tokens: int | None = None
    output_tokens: int | None = None  # total: reasoning included
    reasoning_tokens: int | None = None
    tokens_estimated: bool = False
    cost_usd: Decimal | None = None
    cost_source: CostSource | None = None
    customer: str | None = None
    project: str | None = None
    team: str | None = None
    prompt: str | None = None
    response: str | None = None


class Amounts(StrEnum):
    """What a provider's report counts: what was used, or what is billed for it."""

    USAGE = "usage"
    COST = "cost"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bucket:
    """Amounts of one time span and one combination of dimensions, as a provider reports them.

    A dimension is None where the provider does not name it.
    """

    source: str
    provider: str
    report: str  # which of the provider's reports says so
    bucket_start: datetime
    bucket_seconds: int
    model: str | None = None
    project_id: str | None = None
    api_key_id: str | None = None
    user_id: str | None = None
    service_tier: str | None = None
    dimensions: Mapping[str, str] = field(default_factory=dict)  # the rest of them
    is_breakdown: bool = False  # another view of what other reports count: never summed with them

    @property
    def dimensions_hash(self) -> str:
        """One word for all dimensions: a dimension that is None makes no second row of one."""
        return hashlib.sha256(json.dumps(self._named()).encode()).hexdigest()[:32]

    def _named(self) -> list[Json]:
        rest: list[Json] = [[name, value] for name, value in sorted(self.dimensions.items())]
        fixed = (self.model, self.project_id, self.api_key_id, self.user_id, self.service_tier)
        return [self.bucket_seconds, *fixed, rest]


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageBucket(_Bucket):
    """What was used. Key: source, report, bucket_start and the dimensions."""

    requests: int | None = None
    input_tokens: int | None = None  # total: cached and cache-written included
    cached_input_tokens: int | None = None
    cache_write_tokens: int | None = None
    output_tokens: int | None = None
    # What else is metered: cache_write_1h_tokens, input_audio_tokens, images, characters, seconds …
    quantities: Mapping[str, int] = field(default_factory=dict)
    cost_usd: Decimal | None = None  # our estimate, at list price
    cost_without_cache_usd: Decimal | None = None  # the same, had nothing been cached


@dataclass(frozen=True, slots=True, kw_only=True)
class CostBucket(_Bucket):
    """What is billed. Key: as of usage, and the line item."""

    amount: Decimal
    currency: str = "USD"
    line_item: str | None = None
    list_amount: Decimal | None = None  # before discount
    quantity: Decimal | None = None
    quantity_unit: str | None = None
    cost_usd: Decimal | None = None  # None: no rate of exchange is configured for the currency

    def _named(self) -> list[Json]:
        return [*_Bucket._named(self), self.line_item, self.currency]  # slots know no super()


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketWindow:
    """Everything that a report says of [from_at, until_at): what is not in it is gone."""

    source: str
    provider: str
    report: str
    amounts: Amounts
    from_at: datetime
    until_at: datetime
    complete_until: datetime  # what came before has settled, as far as the provider tells
    buckets: tuple[UsageBucket | CostBucket, ...]
    is_breakdown: bool = False  # all that the report says, other reports say too


@dataclass(frozen=True, slots=True, kw_only=True)
class DimensionName:
    """The name that people know an id by; kept when the provider has deleted it."""

    source: str
    dimension: str  # project_id, api_key_id, user_id
    id: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """What is left of a credit or quota."""

    source: str
    provider: str
    balance: str  # credits, characters, the key's label …
    unit: str  # USD, CNY, characters …
    observed_at: datetime
    remaining: Decimal | None = None
    used: Decimal | None = None
    limit_amount: Decimal | None = None  # None: there is none, or it is unknown


Record = (
    Workflow | Execution | ExecutionGone | Step | LlmCall | BucketWindow | DimensionName | Balance
)
"""Everything a source may say."""
