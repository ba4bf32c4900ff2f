"""Source and Sink: what a poll asks, and where what it learns goes."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Protocol, runtime_checkable

from exporter.records import BucketWindow, ExecutionStatus, Forwarding, Json, Record, Span

Cursor = Mapping[str, Json]
"""Where a source stands; only the source that wrote it understands it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenExecution:
    """An execution that had not ended when it was last read."""

    execution_id: str
    created_at: datetime
    engine_state: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """What is remembered of a source between polls."""

    cursor: Cursor = field(default_factory=dict)
    generation: int = 0  # rises with every committed batch; guards against a second writer
    caught_up: bool = False  # whether its first backlog has been read to the end
    newest_at: datetime | None = None  # the source's own time of the newest record ever read
    open_executions: Sequence[OpenExecution] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Records and the cursor that is true once they are written: one transaction."""

    records: Sequence[Record]
    cursor: Cursor
    caught_up: bool = False  # nothing older than this is left unread
    newest_at: datetime | None = None  # the source's own time of its newest record
    # Rows that became no record, and why ("not_saved": 2): partial success is said, never hidden.
    omissions: Mapping[str, int] = field(default_factory=dict)
    done_ratio: float | None = None  # how much of a long reading is done, where it is known

    @property
    def rows(self) -> int:
        """How much it tells: a window counts as many times as it has buckets."""
        return sum(
            len(record.buckets) if isinstance(record, BucketWindow) else 1
            for record in self.records
        )


@runtime_checkable
class Backfillable(Protocol):
    """A source that can be asked for a range of the past."""

    def backfill(
        self, position: Position, from_at: datetime, until_at: datetime, now: datetime
    ) -> Iterator[Batch]:
        """Yield the range, oldest first; `position` is of the backfill and says where it stands.

        Raises:
            TransientError, SourceError: as of a poll; asked again, it goes on where it stood.
        """


class Source(Protocol):
    """Something that is asked at intervals."""

    @property
    def name(self) -> str:
        """The name in the configuration: column and label `source`."""

    def poll(self, position: Position, now: datetime) -> Iterator[Batch]:
        """Yield what is new since `position`, oldest first, in batches of bounded size.

        Raises:
            TransientError: it may answer at the next interval.
            SourceError: it will not answer until somebody acts.
        """

    def close(self) -> None:
        """Give back connections; the source may be polled again afterwards."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionChange:
    """An execution that differs from what was stored under its key."""

    source: str
    workflow: str
    status: ExecutionStatus
    stored_status: ExecutionStatus | None  # None: it is new
    created_at: datetime
    finished_at: datetime | None
    duration_seconds: float | None
    error_type: str | None
    items_succeeded_added: int  # where it is known how many failed
    items_failed_added: int
    unknown_steps_reason: str | None = None
    stored_unknown_steps_reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LlmCallChange:
    """A model call that differs from what was stored under its key, and by how much."""

    source: str
    workflow: str
    provider: str
    model: str
    status: ExecutionStatus
    is_new: bool
    is_unpriced: bool  # it succeeded, and its cost is unknown
    is_estimated: bool = False  # its tokens, and so its cost, are an estimate
    latency_seconds: float | None
    time_to_first_token_seconds: float | None
    input_tokens_added: int
    output_tokens_added: int
    cost_usd_added: Decimal
    cost_source: str | None = None  # who named the cost; None: nobody knows it
    calls: int = 1  # 0: no call, but a cost that is told of the whole run
    context_used_ratio: float | None = None  # of the model's context window, by the input


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalChange:
    """Something remarkable of calls or steps that was not stored yet."""

    source: str
    workflow: str
    provider: str  # empty: of a step
    model: str
    signal: str
    events_added: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeChange:
    """A business result that differs from what was stored under its key, and by how much."""

    source: str
    workflow: str
    outcome: str
    is_new: bool
    value_added: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class SpendChange:
    """By how much a model's use or bill of one bucket differs from what was stored."""

    source: str
    provider: str
    model: str  # empty where the report names none
    cost_kind: str  # estimated | billed
    requests_added: int
    input_tokens_added: int
    output_tokens_added: int
    unpriced_tokens_added: int
    cost_usd_added: Decimal


Change = ExecutionChange | LlmCallChange | SpendChange | SignalChange | OutcomeChange


@dataclass(frozen=True, slots=True, kw_only=True)
class Increment:
    """By how much a persisted metric series moves; `keep_max` series only ever rise to `amount`."""

    metric: str
    labels: tuple[tuple[str, str], ...]  # sorted by name
    amount: float
    keep_max: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Counter:
    """A persisted series and its value."""

    metric: str
    labels: tuple[tuple[str, str], ...]  # sorted by name
    value: float


class Accountant(Protocol):
    """Turns what was newly written into movements of counters."""

    def increments(
        self, source: str, changes: Sequence[Change], omissions: Mapping[str, int]
    ) -> Sequence[Increment]:
        """Say by how much each counter moves; called inside the write transaction."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Present:
    """What of a source is true now, for gauges."""

    workflows: Mapping[str, bool] = field(default_factory=dict)  # → whether it starts by itself
    # (workflow, status) → how many
    open_executions: Mapping[tuple[str, str], int] = field(default_factory=dict)
    spend: Sequence["ProviderSpend"] = ()
    balances: Sequence["BalanceLeft"] = ()
    coverage: Sequence["ReportCoverage"] = ()
    pages: Sequence["PageNow"] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderSpend:
    """What a provider costs in a window of UTC days, by one kind of cost."""

    provider: str
    cost_kind: str  # estimated | billed
    cost_window: str  # today, yesterday, month_to_date, usual_day, three_complete_days
    as_of: datetime  # read until then
    cost_usd: Decimal | None  # None: not known


@dataclass(frozen=True, slots=True, kw_only=True)
class BalanceLeft:
    """The newest state of a credit or quota."""

    provider: str
    balance: str
    unit: str
    remaining: Decimal | None
    limit_amount: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportCoverage:
    """How far a provider's report is read and settled."""

    provider: str
    report: str
    amounts: str
    complete_until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PageNow:
    """What a status page says now."""

    page: str
    kind: str
    providers: Sequence[str]
    alert: str  # always | used | never
    level: int | None  # None: not known
    cause: str | None  # why it is not known
    open_incidents: int
    components: Mapping[str, int | None]  # those that are watched


@dataclass(frozen=True, slots=True, kw_only=True)
class PollResult:
    """How one poll ended."""

    source: str
    outcome: str  # ok | standby | later | refused | blocked | failed
    started_at: datetime
    duration_seconds: float
    records: int = 0
    newest_at: datetime | None = None
    reason: str | None = None  # a short word, when the source refused
    detail: str | None = None


class SinkSession(Protocol):
    """The sink under the lease of one source."""

    def position(self) -> Position:
        """Read back where the source stands."""

    def write(
        self, position: Position, batch: Batch, accountant: Accountant, now: datetime
    ) -> tuple[Position, Sequence[Increment]]:
        """Commit one batch: rows, sums, counters and cursor in one transaction.

        Returns the new position and the counters' movements. Writing the same batch twice
        changes nothing but the generation.

        Raises:
            SinkError: nothing was written.
        """

    def present(self, now: datetime) -> Present:
        """Say what of the source is true now."""

    def counters(self) -> Sequence[Counter]:
        """Read back the source's persisted counters."""


class Sink(Protocol):
    """Where history goes."""

    def session(self, source: str) -> AbstractContextManager[SinkSession | None]:
        """Lease a source; None while another exporter polls it."""

    def record_poll(self, result: PollResult) -> None:
        """Remember how a poll ended; a sink that is down forgets it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredTrace:
    """A trace whose time has come to be concluded from, with every span of it."""

    trace_id: str
    created_at: datetime | None  # of the execution it is stored as; None: it never was
    received_at: datetime  # of its newest span
    spans: Sequence[Span]


class TraceStore(Protocol):
    """What is stored of traces that have not settled; only the writer of their source asks."""

    def due_traces(self, source: str, now: datetime, most_spans: int) -> Sequence[StoredTrace]:
        """Return traces to look at, longest due first: one, and more while `most_spans` lasts.

        Raises:
            SinkError: the database does not answer.
        """

    def closed_traces(self, source: str, trace_ids: Sequence[str]) -> set[str]:
        """Return those of the traces that take no more spans: settled, or longer than is read."""


class ExecutionStore(Protocol):
    """What is stored of executions and outcomes that are told by their id alone."""

    def created_at_of(self, source: str, execution_ids: Sequence[str]) -> Mapping[str, datetime]:
        """Return the time keys of those that are stored.

        Raises:
            SinkError: the database does not answer.
        """

    def outcome_at_of(self, source: str, outcome_ids: Sequence[str]) -> Mapping[str, datetime]:
        """Return the time keys (`at`) of those that are stored.

        Raises:
            SinkError: the database does not answer.
        """


class ForwardingStore(Protocol):
    """What is still to be sent on."""

    def forwardings(self, target: str, most: int) -> Sequence[Forwarding]:
        """Return the oldest that wait for the target."""

    def forwarded(self, done: Sequence[Forwarding]) -> None:
        """Forget those that the target took, or never will."""
