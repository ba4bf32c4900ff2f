"""What a budget holds: whose spend it counts, what was spent, what was crossed, what was done."""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum


class BudgetScope(StrEnum):
    """By what spend is told apart."""

    TOTAL = "total"
    PROVIDER = "provider"
    SOURCE = "source"
    WORKFLOW = "workflow"
    CUSTOMER = "customer"
    PROJECT = "project"
    TEAM = "team"
    MODEL = "model"


class BudgetPeriod(StrEnum):
    """After what a budget begins anew."""

    EXECUTION = "execution"
    DAY = "day"
    MONTH = "month"


class ActionKind(StrEnum):
    """What a budget does at a threshold."""

    ALERT = "alert"
    WEBHOOK = "webhook"
    PAUSE = "pause"
    RESUME = "resume"
    DENY = "deny"


class ActionState(StrEnum):
    """Where an action stands."""

    PENDING = "pending"
    BEGUN = "begun"
    DONE = "done"
    FAILED = "failed"  # and will not be tried again
    SKIPPED = "skipped"  # there was nothing to do, or it was too late for it
    DRY_RUN = "dry_run"  # it would have been taken


@dataclass(frozen=True, slots=True, kw_only=True)
class SpendOf:
    """Whose calls are counted."""

    scope: BudgetScope
    value: str | None = None  # None: each value by itself
    source: str | None = None  # None: of every source that is no gateway


@dataclass(frozen=True, slots=True, kw_only=True)
class Spend:
    """What calls cost in a range of time."""

    cost_usd: Decimal = Decimal(0)
    unpriced_calls: int = 0  # that succeeded and whose cost is unknown: it was at least cost_usd
    first_at: datetime | None = None  # hour of the first of it

    def __add__(self, other: "Spend") -> "Spend":
        """Return both together."""
        known = [at for at in (self.first_at, other.first_at) if at is not None]
        return Spend(
            cost_usd=self.cost_usd + other.cost_usd,
            unpriced_calls=self.unpriced_calls + other.unpriced_calls,
            first_at=min(known, default=None),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSpend:
    """What one run cost so far."""

    source: str
    execution_id: str
    created_at: datetime
    workflow_id: str
    is_open: bool
    cost_usd: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Crossing:
    """The call with which an amount was reached; None: raw rows of then are no longer kept."""

    crossed_at: datetime  # start of the call, or of the hour
    spent_usd: Decimal  # with it
    source: str | None = None
    workflow_id: str | None = None
    workflow: str | None = None
    execution_id: str | None = None
    created_at: datetime | None = None  # of the execution
    call_id: str | None = None
    is_open: bool = False  # the run was not over


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetEvent:
    """A threshold that was reached; there is one of each key, for ever.

    Key: budget, scope_value, period_start, threshold_percent, limit_usd.
    """

    budget: str
    scope: BudgetScope
    scope_value: str  # of a budget of one execution: source/execution_id
    period: BudgetPeriod
    period_start: datetime
    period_end: datetime | None  # None: of one execution
    threshold_percent: Decimal
    limit_usd: Decimal
    crossing: Crossing

    @property
    def key(self) -> tuple[str, str, datetime, Decimal, Decimal]:
        """What it is known by."""
        return (
            self.budget,
            self.scope_value,
            self.period_start,
            self.threshold_percent,
            self.limit_usd,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionWanted:
    """What is to be done because of an event."""

    action: ActionKind
    state: ActionState
    reason: str  # in words, with the numbers
    target: str = ""  # of a pause: source/workflow_id; of a webhook: its address
    detail: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionDue:
    """An action that this exporter has claimed."""

    action_id: int
    action: ActionKind
    target: str
    reason: str
    attempts: int  # this one included
    due_at: datetime
    remembered: dict[str, str] = field(default_factory=dict)  # what a resume needs of its pause
    event_id: int
    event: BudgetEvent
