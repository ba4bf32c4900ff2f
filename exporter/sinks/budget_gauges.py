"""Where budgets stand, as gauges."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import groupby

from exporter.budget_settings import BudgetSettings
from exporter.judges.budgets import BudgetState
from exporter.records import BudgetPeriod

_MOST_VALUES = 20  # of a budget that each customer or model has: more are rows, not series
BUDGET_GAUGES = (
    "aiwf_budget_spent_usd",
    "aiwf_budget_limit_usd",
    "aiwf_budget_projected_usd",
    "aiwf_budget_threshold_reached_percent",
    "aiwf_budget_runs_over",
)
"""What is no longer known when the database is away; when it was last looked at stays."""
Labels = tuple[tuple[str, str], ...]


def budget_gauges(
    budgets: Sequence[BudgetSettings],
    states: Sequence[BudgetState],
    runs_over: Mapping[str, int],
    now: datetime,
) -> dict[str, dict[Labels, float]]:
    """Return metric → labels → value; a metric without values has none to show."""
    spent: dict[Labels, float] = {}
    limits: dict[Labels, float] = {}
    projected: dict[Labels, float] = {}
    reached: dict[Labels, float] = {}
    ordered = sorted(states, key=lambda state: state.settings.name)
    for name, of_budget in groupby(ordered, key=lambda state: state.settings.name):
        fullest = sorted(of_budget, key=lambda state: state.remaining_usd)[:_MOST_VALUES]
        for state in fullest:
            labels = (("budget", name), ("scope_value", state.scope_value))
            spent[labels] = float(state.spent_usd)
            limits[labels] = float(state.settings.limit_usd)
            if state.projected_usd is not None:
                projected[labels] = float(state.projected_usd)
            if state.settings.alert:
                reached[labels] = float(state.reached_percent)
    ceilings: dict[Labels, float] = {
        (("budget", budget.name),): float(runs_over.get(budget.name, 0))
        for budget in budgets
        if budget.period is BudgetPeriod.EXECUTION
    }
    return {
        **dict(zip(BUDGET_GAUGES, (spent, limits, projected, reached, ceilings), strict=True)),
        "aiwf_budgets_as_of_timestamp_seconds": {(): now.timestamp()},
    }
