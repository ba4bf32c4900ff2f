"""What workflows do: executions, their steps and their model calls."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from exporter.records.json import Json


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


class CallSignal(StrEnum):
    """What is remarkable of a call: how it failed, how it ended, what it recovered from."""

    RATE_LIMITED = "rate_limited"
    TIMED_OUT = "timed_out"
    OVERLOADED = "overloaded"  # the provider's own failure, or no capacity
    CONTEXT_EXCEEDED = "context_exceeded"  # the input did not fit the model
    REFUSED = "refused"  # the model or a content filter would not answer
    TRUNCATED = "truncated"  # the answer ended at its token limit
    RETRY = "retry"  # the same model again after a failure
    FALLBACK = "fallback"  # another model after a failure


class StepSignal(StrEnum):
    """What is remarkable of a step beside model calls."""

    CIRCUIT_OPEN = "circuit_open"  # a circuit breaker did not let it through
    CACHED_ANSWER = "cached_answer"  # answered from a cache instead of a model


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
    input: str | None = None  # what it was started with, as text
    output: str | None = None  # what came of it
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
    input: str | None = None  # what it received, as text
    output: str | None = None  # what it gave on
    signals: tuple[str, ...] = ()  # StepSignal


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
    calls: int = 1  # 0: no call, but a cost that is told of the whole run
    context_window_tokens: int | None = None  # the most input that the model takes
    signals: tuple[str, ...] = ()  # CallSignal
