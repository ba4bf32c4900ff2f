"""Budgets: what is spent and left, where it is heading, which thresholds were reached by whom."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Protocol

from exporter.budget_settings import BudgetSettings
from exporter.judges.budget_periods import period_of
from exporter.judges.budget_wishes import wanted
from exporter.records import (
    ActionWanted,
    BudgetEvent,
    BudgetPeriod,
    Crossing,
    RunSpend,
    Spend,
    SpendOf,
)

_PACE_OVER = {BudgetPeriod.MONTH: timedelta(days=7), BudgetPeriod.DAY: timedelta(hours=24)}
_LEAST_PACE_OVER = {BudgetPeriod.MONTH: timedelta(hours=24), BudgetPeriod.DAY: timedelta(hours=3)}
# What is older hardly changes; it is summed again now and then for what comes late.
_SETTLED_AFTER = timedelta(hours=26)
_SETTLED_AGAIN_AFTER = timedelta(minutes=10)
# Costs of a period may be read after it has ended.
_LATE = timedelta(hours=24)
_RUNS_SEEN_SINCE = timedelta(hours=2)
_RUNS_SEEN_AT_FIRST_SINCE = timedelta(hours=48)
Key = tuple[str, str, datetime, Decimal, Decimal]


class BudgetStore(Protocol):
    """What is stored of spend, and of what budgets concluded from it."""

    def spend(self, of: SpendOf, start: datetime, until: datetime) -> Mapping[str, Spend]:
        """Sum calls that began in a range, by the value of the scope.

        Raises:
            SinkError: the database does not answer; so do all of these.
        """

    def crossing(
        self, of: SpendOf, value: str, start: datetime, until: datetime, amount_usd: Decimal
    ) -> Crossing | None:
        """Find the call with which the amount was reached, counted from the start."""

    def runs(self, of: SpendOf, since: datetime, least_usd: Decimal) -> Sequence[RunSpend]:
        """Return the runs with calls since then that cost at least so much."""

    def run_crossing(self, run: RunSpend, amount_usd: Decimal) -> Crossing | None:
        """Find the call of a run with which the amount was reached."""

    def recorded(self, budget: str, since: datetime) -> set[Key]:
        """Return the keys of the events of periods that began since then."""

    def record(self, event: BudgetEvent, actions: Sequence[ActionWanted], now: datetime) -> bool:
        """Write an event and what is to be done; False: it is written already."""

    def workflows_named(self, names: Sequence[str], source: str | None) -> Sequence[str]:
        """Return source/workflow_id of the workflows of these names."""

    def show(self, states: Sequence["BudgetState"], now: datetime) -> None:
        """Replace what dashboards see of the budgets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetState:
    """Where a budget stands."""

    settings: BudgetSettings
    scope_value: str
    period_start: datetime
    period_end: datetime
    spent_usd: Decimal
    unpriced_calls: int
    pace_usd_per_hour: Decimal | None  # None: too little is known
    as_of: datetime

    @property
    def remaining_usd(self) -> Decimal:
        """What is left of the limit; below 0 once it is exceeded."""
        return self.settings.limit_usd - self.spent_usd

    @property
    def projected_usd(self) -> Decimal | None:
        """What will have been spent at the end of the period, at the present pace."""
        if self.pace_usd_per_hour is None:
            return None
        return self.spent_usd + self.pace_usd_per_hour * _hours(self.period_end - self.as_of)

    @property
    def exhausted_at(self) -> datetime | None:
        """When nothing is left at the present pace; None: not in this period, or unknown."""
        if self.remaining_usd <= 0:
            return self.as_of
        if not self.pace_usd_per_hour:
            return None
        hours_left = self.remaining_usd / self.pace_usd_per_hour
        if hours_left >= _hours(self.period_end - self.as_of):
            return None
        return self.as_of + timedelta(hours=float(hours_left))

    @property
    def reached_percent(self) -> Decimal:
        """The highest threshold that is reached; 0: none."""
        limit = self.settings.limit_usd
        reached = (
            percent
            for percent in self.settings.thresholds
            if self.spent_usd >= limit * percent / 100
        )
        return max(reached, default=Decimal(0))


class Budgets:
    """Looks at what was spent and records what was crossed; any number may look at once."""

    def __init__(self, budgets: Sequence[BudgetSettings], store: BudgetStore) -> None:
        self._budgets = budgets
        self._store = store
        self._settled: dict[tuple[SpendOf, datetime, datetime], Mapping[str, Spend]] = {}
        self._settled_at: datetime | None = None
        self._recorded: set[Key] = set()
        self._has_looked = False

    def look(self, now: datetime) -> list[BudgetState]:
        """Return where every budget of a day or month stands, after what was crossed is recorded.

        Raises:
            SinkError: the database does not answer; what is recorded stays so.
        """
        if self._settled_at is None or now - self._settled_at > _SETTLED_AGAIN_AFTER:
            self._settled.clear()
            self._settled_at = now
        states: list[BudgetState] = []
        for budget in self._budgets:
            if budget.period is BudgetPeriod.EXECUTION:
                self._look_at_runs(budget, now)
                continue
            current = self._states(budget, now)
            states += current
            for state in current:
                self._record_reached(state, now)
            last = now - _LATE
            if period_of(budget.period, budget.zone, last)[1] <= now:
                for state in self._states(budget, last, as_of=now):
                    self._record_reached(state, now)
        self._has_looked = True
        return states

    def _states(
        self, budget: BudgetSettings, at: datetime, as_of: datetime | None = None
    ) -> list[BudgetState]:
        as_of = as_of or at
        start, end = period_of(budget.period, budget.zone, at)
        of = spend_of(budget)
        spent = self._sums(of, start, min(as_of, end))
        pace_from = _hour(as_of - _PACE_OVER[budget.period])
        recent = self._sums(of, pace_from, as_of)
        values = spent.keys() | recent.keys() | ({budget.value or ""} if _is_one(budget) else set())
        return [
            BudgetState(
                settings=budget,
                scope_value=value,
                period_start=start,
                period_end=end,
                spent_usd=(of_value := spent.get(value, Spend())).cost_usd,
                unpriced_calls=of_value.unpriced_calls,
                pace_usd_per_hour=_pace(
                    budget.period, recent.get(value, Spend()), pace_from, as_of
                ),
                as_of=as_of,
            )
            for value in sorted(values)
        ]

    def _sums(self, of: SpendOf, start: datetime, until: datetime) -> dict[str, Spend]:
        cut = max(start, _hour(until - _SETTLED_AFTER))
        key = (of, start, cut)
        if start < cut and key not in self._settled:
            self._settled[key] = self._store.spend(of, start, cut)
        older: Mapping[str, Spend] = self._settled.get(key, {})
        newer = self._store.spend(of, cut, until)
        return {
            value: older.get(value, Spend()) + newer.get(value, Spend())
            for value in older.keys() | newer.keys()
        }

    def _record_reached(self, state: BudgetState, now: datetime) -> None:
        budget = state.settings
        for percent in budget.thresholds:
            amount = budget.limit_usd * percent / 100
            key = (budget.name, state.scope_value, state.period_start, percent, budget.limit_usd)
            if state.spent_usd < amount or self._is_recorded(budget, key, state.period_start):
                continue
            until = min(state.as_of, state.period_end)
            found = self._store.crossing(
                spend_of(budget), state.scope_value, state.period_start, until, amount
            )
            if found is None:
                continue  # what was summed has been taken back since
            event = BudgetEvent(
                budget=budget.name,
                scope=budget.scope,
                scope_value=state.scope_value,
                period=budget.period,
                period_start=state.period_start,
                period_end=state.period_end,
                threshold_percent=percent,
                limit_usd=budget.limit_usd,
                crossing=found,
            )
            self._record(budget, event, now)

    def _look_at_runs(self, budget: BudgetSettings, now: datetime) -> None:
        since = now - (_RUNS_SEEN_SINCE if self._has_looked else _RUNS_SEEN_AT_FIRST_SINCE)
        least = budget.limit_usd * budget.thresholds[0] / 100
        for run in self._store.runs(spend_of(budget), since, least):
            name = f"{run.source}/{run.execution_id}"
            for percent in budget.thresholds:
                amount = budget.limit_usd * percent / 100
                key = (budget.name, name, run.created_at, percent, budget.limit_usd)
                if run.cost_usd < amount or self._is_recorded(budget, key, run.created_at):
                    continue
                found = self._store.run_crossing(run, amount)
                if found is None:
                    continue
                event = BudgetEvent(
                    budget=budget.name,
                    scope=budget.scope,
                    scope_value=name,
                    period=budget.period,
                    period_start=run.created_at,
                    period_end=None,
                    threshold_percent=percent,
                    limit_usd=budget.limit_usd,
                    crossing=found,
                )
                self._record(budget, event, now)

    def _is_recorded(self, budget: BudgetSettings, key: Key, since: datetime) -> bool:
        if key not in self._recorded:
            self._recorded |= self._store.recorded(budget.name, since)
        return key in self._recorded

    def _record(self, budget: BudgetSettings, event: BudgetEvent, now: datetime) -> None:
        named = budget.pause.workflows if budget.pause else ()
        if budget.pause and not named and budget.period is not BudgetPeriod.EXECUTION:
            named = (event.scope_value,)
        targets = (
            self._store.workflows_named(named, budget.pause.source or budget.source)
            if budget.pause and named
            else ()
        )
        self._store.record(event, list(wanted(budget, event, named, targets, now)), now)
        self._recorded.add(event.key)


def spend_of(budget: BudgetSettings) -> SpendOf:
    """Return whose calls a budget counts."""
    return SpendOf(scope=budget.scope, value=budget.value, source=budget.source)


def _is_one(budget: BudgetSettings) -> bool:
    """Whether it is of one value, which exists even where nothing was spent."""
    return budget.value is not None or budget.scope == "total"


def _pace(
    period: BudgetPeriod, recent: Spend, pace_from: datetime, as_of: datetime
) -> Decimal | None:
    """Return US dollars an hour over a week, or a day for a budget of a day.

    What began within that time is averaged since then, over a day or three hours at least: one
    call is no pace.
    """
    if recent.first_at is None:
        return Decimal(0)
    since = max(pace_from, min(recent.first_at, as_of - _LEAST_PACE_OVER[period]))
    return recent.cost_usd / _hours(as_of - since)


def _hours(span: timedelta) -> Decimal:
    return Decimal(max(span, timedelta(0)) // timedelta(microseconds=1)) / 3_600_000_000


def _hour(at: datetime) -> datetime:
    return at.replace(minute=0, second=0, microsecond=0)
