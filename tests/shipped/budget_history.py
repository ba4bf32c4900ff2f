"""Budgets that were looked at and acted on, over what the full database holds."""

from __future__ import annotations

from datetime import datetime, timedelta

from exporter.budget_settings import BudgetSettings
from exporter.judges.budget_actions import Actions
from exporter.judges.budgets import Budgets
from exporter.sinks.budgets import BudgetTables
from tests.conftest import connect
from tests.sources.made_up import sink


class Willing:
    """An n8n that does what it is asked."""

    def active_version(self, _workflow_id: str) -> dict[str, str] | None:
        """It is on."""
        return {"active": "true"}

    def pause(self, _workflow_id: str) -> None:
        """Switch it off."""

    def resume(self, _workflow_id: str, _remembered: dict[str, str]) -> None:
        """Switch it on."""


def write_budget_history(url: str, now: datetime) -> None:
    """Look at budgets that were used up a while ago, and pause the workflow that spent most."""
    now -= timedelta(minutes=30)
    with connect(url) as connection:
        (dearest,) = connection.execute(
            "SELECT w.workflow, w.source FROM llm_calls_hourly h JOIN workflows w "
            "USING (source, workflow_id) GROUP BY 1, 2 ORDER BY sum(h.cost_usd) DESC LIMIT 1"
        ).fetchall()
    pause = {"workflows": [dearest["workflow"]], "source": dearest["source"]}
    budgets = [
        BudgetSettings.model_validate(told)
        for told in (
            {"name": "all", "period": "month", "limit_usd": "0.001", "pause": pause, "deny": True},
            {"name": "models", "period": "month", "limit_usd": 1000, "scope": "model"},
            {"name": "run", "period": "execution", "limit_usd": "0.0001"},
        )
    ]
    with sink(url) as opened:
        tables = BudgetTables(opened)
        tables.show(Budgets(budgets, tables).look(now), now)
        Actions(budgets, {dearest["source"]: Willing()}, tables).take(now)
