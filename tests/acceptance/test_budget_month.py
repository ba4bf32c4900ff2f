"""A month of runs whose every cost is known: what budgets say of it, and what they do."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from exporter.budget_settings import BudgetSettings, N8nApi
from exporter.judges.budget_actions import Actions
from exporter.judges.budgets import Budgets, BudgetState
from exporter.judges.n8n_workflows import N8nWorkflows
from exporter.records import LlmCall, Workflow
from exporter.sinks.budgets import BudgetTables
from exporter.sinks.timescale import TimescaleSink
from tests import databases
from tests.conftest import connect
from tests.n8n_api import KEY, N8nApiServer
from tests.sources.made_up import call, execution, sink, write

# October 2026 in Berlin, whose 25th day has 25 hours: it begins at 22:00 UTC of September 30.
ZONE = ZoneInfo("Europe/Berlin")
BEGUN = datetime(2026, 10, 1, tzinfo=ZONE).astimezone(UTC)
ENDED = datetime(2026, 11, 1, tzinfo=ZONE).astimezone(UTC)
STEP = timedelta(hours=3)


def settings(**fields: Any) -> BudgetSettings:
    """A budget as it is configured."""
    return BudgetSettings.model_validate(
        {"zone": "Europe/Berlin", **fields}, context={"environ": {"SECRET": "s3cret"}}
    )


MONTH = settings(
    name="month",
    period="month",
    limit_usd=100,
    pause={"workflows": ["Invoices"], "resume": True},
)
ACME_DAY = settings(name="acme", scope="customer", value="acme", period="day", limit_usd="2.5")
EACH_MODEL = settings(name="models", scope="model", period="month", limit_usd=60, thresholds=[100])
BUDGETS = (MONTH, ACME_DAY, EACH_MODEL)


def month_of_calls() -> list[LlmCall]:
    """A run about every 20 minutes, steady, two calls each: some 150 USD."""
    chance = Random(20261001)
    calls: list[LlmCall] = []
    at, number = BEGUN - timedelta(days=9), 0
    while at < ENDED + timedelta(hours=2):
        run = execution(number, created_at=at, customer=chance.choice(("acme", "globex")))
        calls += [
            call(
                run,
                f"Model#{place}",
                started_at=at + timedelta(seconds=40 * place),
                model=model,
                cost_usd=Decimal(chance.randrange(20_000, 45_000)) / 1_000_000,
            )
            for place, model in enumerate(("gpt-4o", "gpt-4o-mini"))
        ]
        number += 1
        at += timedelta(seconds=chance.randrange(1000, 1400))
    return calls


def crossings(calls: list[LlmCall], budget: BudgetSettings, value: str | None) -> dict[Any, str]:
    """Add up by hand: (value, local day or month, percent) → the run that reaches it."""
    sums: dict[object, Decimal] = {}
    found: dict[Any, str] = {}
    for one in sorted(calls, key=lambda one: (one.started_at, one.execution_id, one.call_id)):
        of = {"total": "", "customer": one.customer, "model": one.model}[budget.scope]
        if one.started_at < BEGUN or one.started_at >= ENDED or value not in (None, of):
            continue
        local = one.started_at.astimezone(ZONE)
        period = local.date() if budget.period == "day" else (local.year, local.month)
        assert one.cost_usd is not None
        before = sums.get((of, period), Decimal(0))
        after = sums[of, period] = before + one.cost_usd
        for percent in budget.thresholds:
            if before < budget.limit_usd * percent / 100 <= after:
                found[of, period, percent] = one.execution_id
    return found


class Exporters:
    """Two exporters on one database; each may be started anew."""

    def __init__(self, database_url: str, api: N8nApiServer) -> None:
        self._url = database_url
        self._engine = N8nApi.model_validate(
            {"url": api.url, "key": {"env": "KEY"}}, context={"environ": {"KEY": KEY}}
        )
        self._stack = ExitStack()
        self._pool = self._stack.enter_context(ThreadPoolExecutor(2))
        self._looking: list[tuple[Budgets, Actions, BudgetTables]] = []

    def restart(self) -> None:
        """Begin anew, with nothing in memory."""
        self._looking = [self._new(self._stack.enter_context(sink(self._url))) for _ in range(2)]

    def _new(self, opened: TimescaleSink) -> tuple[Budgets, Actions, BudgetTables]:
        tables = BudgetTables(opened)
        engines = {"n8n": N8nWorkflows(self._engine)}
        return Budgets(BUDGETS, tables), Actions(BUDGETS, engines, tables), tables

    def look(self, now: datetime) -> list[BudgetState]:
        """Let both look and act at once."""
        states, _ = self._pool.map(lambda one: self._look(one, now), self._looking)
        return states

    @staticmethod
    def _look(one: tuple[Budgets, Actions, BudgetTables], now: datetime) -> list[BudgetState]:
        budgets, actions, tables = one
        states = budgets.look(now)
        tables.show(states, now)
        actions.take(now)
        return states

    def stop(self) -> None:
        """Close everything."""
        self._stack.close()


class Month:
    """What came of the month."""

    def __init__(self, database_url: str) -> None:
        self.calls = month_of_calls()
        self.total_usd = sum(
            one.cost_usd or Decimal(0) for one in self.calls if BEGUN <= one.started_at < ENDED
        )
        self.projected: list[tuple[datetime, Decimal | None]] = []
        self.api = N8nApiServer(active={"w1": True})
        exporters = Exporters(database_url, self.api)
        listed = Workflow(source="n8n", workflow_id="w1", workflow="Invoices", active=True)
        try:
            now, told = BEGUN - timedelta(days=9), 0
            step = 0
            while now < ENDED + timedelta(hours=1):
                now += STEP
                waiting = [one for one in self.calls[told:] if one.started_at < now]
                write(database_url, [listed, *waiting])
                told += len(waiting)
                if now < BEGUN:
                    continue
                if step % 25 == 0:
                    exporters.restart()
                step += 1
                states = exporters.look(now)
                self.projected += [
                    (now, state.projected_usd)
                    for state in states
                    if state.settings is MONTH and state.period_start == BEGUN
                ]
        finally:
            exporters.stop()
            self.api.stop()
        with connect(database_url) as connection:
            self.events = connection.execute(
                "SELECT * FROM budget_events WHERE period_start >= %s AND period_start < %s",
                (BEGUN, ENDED),
            ).fetchall()
            self.actions = connection.execute(
                "SELECT a.*, e.execution_id FROM budget_actions a JOIN budget_events e "
                "USING (event_id) ORDER BY action_id"
            ).fetchall()

    def seen(self, budget: BudgetSettings) -> list[tuple[Any, str]]:
        """What was recorded of a budget, as `crossings` tells it."""
        found = []
        for event in self.events:
            if event["budget"] == budget.name:
                local = event["period_start"].astimezone(ZONE)
                period = local.date() if budget.period == "day" else (local.year, local.month)
                key = (event["scope_value"], period, event["threshold_percent"])
                found.append((key, event["execution_id"]))
        return found


@pytest.fixture(scope="module")
def month(plain_server: str, migrated: Any) -> Iterator[Month]:
    """The month, lived through once."""
    with databases.new_database(plain_server, template=migrated(plain_server)) as url:
        yield Month(url)


@pytest.mark.parametrize(
    ("budget", "value"),
    [(MONTH, None), (ACME_DAY, "acme"), (EACH_MODEL, None)],
    ids=["month", "acme", "models"],
)
def test_each_threshold_is_crossed_once_and_by_the_very_run(
    month: Month, budget: BudgetSettings, value: str | None
) -> None:
    truth = crossings(month.calls, budget, value)
    assert len(truth) > 1, "the month must cross something"
    assert sorted(month.seen(budget)) == sorted(truth.items())


def test_the_workflow_is_paused_once_and_resumed_once_in_its_version(month: Month) -> None:
    assert month.api.calls == [
        ("unpublish w1", {}),
        ("publish w1", {"versionId": "v-w1"}),
    ]


def test_the_pause_tells_the_run_and_both_amounts(month: Month) -> None:
    (pause,) = [action for action in month.actions if action["action"] == "pause"]
    truth = crossings(month.calls, MONTH, None)
    assert pause["state"] == "done"
    assert f"run n8n/{truth['', (2026, 10), 100]}" in pause["reason"]
    assert "of 100.00 USD per month" in pause["reason"]


def test_projections_of_steady_spend_are_within_five_percent(month: Month) -> None:
    assert len(month.projected) > 200
    off = {
        now: projected / month.total_usd - 1 if projected is not None else None
        for now, projected in month.projected
    }
    wrong = {now: by for now, by in off.items() if by is None or abs(by) > Decimal("0.05")}
    assert not wrong
