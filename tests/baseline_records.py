"""Weeks of a workflow, made up day by day, and written as a poll writes them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import count

from exporter.records import Execution, ExecutionStatus, LlmCall, Record
from tests import run_records

_NUMBERS = count(1)


@dataclass
class Weeks:
    """What one workflow did."""

    workflow: str = "Weekly report"
    source: str = "code"
    records: list[Record] = field(default_factory=list)

    def run(
        self,
        at: datetime,
        *,
        calls: int = 1,
        usd: str | Decimal | None = "0",
        seconds: float | None = 5,
        status: ExecutionStatus = ExecutionStatus.SUCCESS,
        tokens: int = 1000,
        retried: int = 0,
    ) -> Execution:
        """One run; its cost lies on its first call, and None is a call without a price."""
        run = run_records.execution(
            at,
            f"run {next(_NUMBERS)}",
            source=self.source,
            workflow_id=self.workflow,
            workflow=self.workflow,
            status=status,
            finished_at=None if seconds is None else at + timedelta(seconds=seconds),
            input=None,
            output=None,
            customer=None,
        )
        self.records.append(run)
        self.records += self._calls(run, calls, usd, tokens, retried)
        return run

    def tried(self, run: Execution, name: str, attempts: Iterable[int]) -> None:
        """A step of a run, and which of its tries are told."""
        for attempt in attempts:
            step_id = f"{name} {attempt}"
            self.records.append(run_records.step(run, step_id, name=name, attempt=attempt))

    def _calls(
        self, run: Execution, calls: int, usd: str | Decimal | None, tokens: int, retried: int
    ) -> Iterator[LlmCall]:
        for place in range(calls):
            cost = (None if usd is None else Decimal(usd)) if place == 0 else Decimal(0)
            yield run_records.call(
                run,
                f"call {place}",
                started_at=run.created_at + timedelta(seconds=place),
                input_tokens=tokens,
                output_tokens=0,
                cost_usd=cost,
                cost_source=None if cost is None else "priced",
                signals=("retry",) if 0 < place <= retried else (),
            )

    def day(self, at: datetime, usd: str | Decimal | None, *, runs: int = 1) -> None:
        """A day's runs, an hour after each other, and its cost."""
        for place in range(runs):
            self.run(at + timedelta(minutes=place), usd=usd if place == 0 else "0")
