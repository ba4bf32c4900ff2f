"""The jobs that conclude from what is stored, at their intervals, one exporter at a time."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache

from exporter.baseline_jobs import BaselineJobs
from exporter.errors import SinkError
from exporter.judges.budget_actions import Actions
from exporter.judges.budgets import Budgets, BudgetState
from exporter.judges.gate import Gate, Known
from exporter.judges.n8n_workflows import N8nWorkflows
from exporter.pricing import Pricing
from exporter.records import BudgetPeriod, BudgetScope, SpendOf
from exporter.settings import Settings
from exporter.sinks.budget_gauges import BUDGET_GAUGES, Labels, budget_gauges
from exporter.sinks.budgets import BudgetTables
from exporter.sinks.exposition import Exposition
from exporter.sinks.timescale import TimescaleSink
from exporter.sources.workflows.n8n.source import N8nSettings

_DAYS_EVERY = timedelta(minutes=2)
_LOOPS_EVERY = timedelta(minutes=1)
_BUDGETS_EVERY = timedelta(seconds=15)
_SILENT_AFTER = timedelta(minutes=5)  # what was not looked at for so long is not known
_MODELS_EVERY = timedelta(minutes=10)
_MODELS_OF = timedelta(days=7)
_RUNS_OF = timedelta(minutes=15)  # of those that go on, the cost so far is known to the gate
_ALL = SpendOf(scope=BudgetScope.TOTAL)


@dataclass(frozen=True, slots=True)
class Job:
    """Something that is done at intervals."""

    name: str  # also of its lease
    every: timedelta
    run: Callable[[], object]  # may raise SinkError: it is tried again at its next interval
    alone: bool = True  # in one exporter at a time; else in each of them


class Judging:
    """Joins judges with what they read and write."""

    def __init__(self, settings: Settings, sink: TimescaleSink, exposition: Exposition) -> None:
        """Prepare; nothing is read yet.

        Raises:
            ConfigurationError: the address of an API cannot be.
        """
        self._settings = settings
        self._exposition = exposition
        self._budget_tables = BudgetTables(sink)
        self._budgets = Budgets(settings.budgets, self._budget_tables)
        engines = {
            source.name: N8nWorkflows(source.api)
            for source in settings.sources
            if isinstance(source, N8nSettings) and source.api is not None
        }
        self._actions = Actions(settings.budgets, engines, self._budget_tables)
        self.gate = Gate(settings.gate, settings.budgets, _price(settings))
        self._baselines = BaselineJobs(settings, sink, exposition)
        self._models: list[tuple[str, str]] = []
        self._models_at: datetime | None = None
        self._looked_at: datetime | None = None

    def jobs(self) -> Iterator[Job]:
        """Yield every job of the configuration in force."""
        # Each exporter looks, to show it and to answer at its gate; what is recorded and done is
        # so once, by the database.
        yield Job("budgets", _BUDGETS_EVERY, self.look_at_budgets, alone=False)
        yield Job("baselines", _DAYS_EVERY, _at_present(self._baselines.look_at_days))
        yield Job("loops", _LOOPS_EVERY, _at_present(self._baselines.look_for_loops))
        yield Job("show baselines", _LOOPS_EVERY, _at_present(self._baselines.show), alone=False)

    def look_at_budgets(self, now: datetime | None = None) -> list[BudgetState]:
        """See where budgets stand, show it, and do what is due.

        Raises:
            SinkError: the database does not answer.
        """
        now = now or datetime.now(UTC)
        try:
            states = self._budgets.look(now)
            self._teach_gate(states, now)
            self._budget_tables.show(states, now)
            runs_over = self._budget_tables.runs_over(now - timedelta(hours=1))
        except SinkError:
            if self._looked_at is None or now - self._looked_at > _SILENT_AFTER:
                self._show({metric: {} for metric in BUDGET_GAUGES})
            raise
        self._looked_at = now
        self._show(budget_gauges(self._settings.budgets, states, runs_over, now))
        self._actions.take(now)
        return states

    def _show(self, gauges: Mapping[str, Mapping[Labels, float]]) -> None:
        for metric, values in gauges.items():
            self._exposition.own_all(metric, values)

    def _teach_gate(self, states: list[BudgetState], now: datetime) -> None:
        if self._models_at is None or now - self._models_at > _MODELS_EVERY:
            self._models = self._budget_tables.models(now - _MODELS_OF)
            self._models_at = now
        has_ceilings = any(
            budget.period is BudgetPeriod.EXECUTION for budget in self._settings.budgets
        )
        runs = self._budget_tables.runs(_ALL, now - _RUNS_OF, Decimal(0)) if has_ceilings else []
        self.gate.learn(
            Known(
                as_of=now,
                states={(state.settings.name, state.scope_value): state for state in states},
                runs_usd={run.execution_id: run.cost_usd for run in runs},
                models=self._models,
            )
        )


def _at_present(run: Callable[[datetime], object]) -> Callable[[], object]:
    return lambda: run(datetime.now(UTC))


def _price(settings: Settings) -> Callable[[str, str, int, int, datetime], Decimal | None]:
    """Return what a call costs; the catalogue is asked once of the same call on the same day."""
    pricing = Pricing(settings.prices, settings.exchange_rates)

    @lru_cache(maxsize=50_000)
    def of_day(
        provider: str, model: str, input_tokens: int, output_tokens: int, day: datetime
    ) -> Decimal | None:
        return pricing.estimated(provider, model, input_tokens, output_tokens, day)

    return lambda provider, model, input_tokens, output_tokens, at: of_day(
        provider,
        model,
        input_tokens,
        output_tokens,
        at.replace(hour=0, minute=0, second=0, microsecond=0),
    )
