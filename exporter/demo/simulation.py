"""The simulated company at work: which executions start when, in the order of their ids."""

import heapq
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random

from exporter.demo.company import WORKFLOWS
from exporter.demo.n8n_nodes import WorkflowVersion, n8n_id, workflow_version
from exporter.demo.n8n_rows import Execution, retry_execution, run_execution
from exporter.demo.outages import Outages
from exporter.demo.traffic import SLOT, Story, choose_fate, slot_start, starts_in_slot
from exporter.demo.workflow_model import Fate, Workflow

ERROR_WORKFLOW = WORKFLOWS[0]
RETRIED_SHARE = 0.25  # of failed executions, by somebody who looks at the list
SKIPPED_ID_SHARE = 0.003  # sequences have gaps


@dataclass(order=True, frozen=True, slots=True)
class _Start:
    """An execution that will start."""

    at: datetime
    number: int  # breaks ties, so that equal times keep their order
    workflow: Workflow = field(compare=False)
    mode: str = field(compare=False)
    failed: Execution | None = field(compare=False, default=None)
    retried: Execution | None = field(compare=False, default=None)


class Simulation:
    """Produces the executions of the company one after the other; the same ones for one seed."""

    def __init__(
        self,
        *,
        seed: int,
        begin: datetime,
        now: datetime,
        first_id: int = 0,
        outages: Outages | None = None,
    ) -> None:
        self.story = Story.told_at(now, outages)
        self._seed = seed
        self._next_slot = slot_start(begin)
        self._begin = begin
        self._told_at = now
        self._starts: list[_Start] = []
        self._numbers = 0
        self._last_id = first_id
        self._versions = all_versions()

    def due(self, now: datetime) -> Iterator[Execution]:
        """Yield the executions that have started by `now`, in the order of their ids."""
        while True:
            while self._next_slot <= now:
                for at, workflow in starts_in_slot(self.story, self._seed, self._next_slot):
                    if at >= self._begin:
                        mode = "trigger" if workflow.schedule else "webhook"
                        self._plan(at, workflow, mode)
                self._next_slot += SLOT
            if not self._starts or self._starts[0].at > now:
                return
            yield self._run(heapq.heappop(self._starts))

    def _plan(
        self,
        at: datetime,
        workflow: Workflow,
        mode: str,
        failed: Execution | None = None,
        retried: Execution | None = None,
    ) -> None:
        self._numbers += 1
        heapq.heappush(self._starts, _Start(at, self._numbers, workflow, mode, failed, retried))

    def _run(self, start: _Start) -> Execution:
        rng = Random(f"{self._seed} execution {self._last_id}")  # noqa: S311 - simulated chance
        self._last_id += 2 if rng.random() < SKIPPED_ID_SHARE else 1
        if start.retried is not None:
            execution = retry_execution(
                start.retried, execution_id=self._last_id, created_at=start.at, rng=rng
            )
        else:
            is_report = start.failed is not None
            execution = run_execution(
                version=self._version(start.workflow, start.at),
                execution_id=self._last_id,
                mode=start.mode,
                created_at=start.at,
                fate=Fate.SUCCESS
                if is_report
                else choose_fate(self.story, start.workflow, start.at, rng),
                story=self.story,
                rng=rng,
                failed=start.failed,
            )
        self._follow_up(execution, rng)
        return execution

    def _follow_up(self, execution: Execution, rng: Random) -> None:
        """Plan the error workflow's run, and perhaps a retry."""
        end = execution.end
        if end.status not in {"error", "crashed"}:
            return
        if execution.version.workflow.reports_errors:
            at = end.visible_at + timedelta(milliseconds=rng.randint(5, 40))
            self._plan(at, ERROR_WORKFLOW, "error", failed=execution)
        is_first_try = execution.retry_of is None
        if end.status == "error" and is_first_try and rng.random() < RETRIED_SHARE:
            at = end.visible_at + timedelta(seconds=rng.uniform(60, 1_500))
            self._plan(at, execution.version.workflow, "retry", retried=execution)

    def _version(self, workflow: Workflow, at: datetime) -> WorkflowVersion:
        first, *later = self._versions[workflow.name]
        if workflow.revised_days_ago is None:
            return first
        is_old = at < self._told_at - timedelta(days=workflow.revised_days_ago)
        return first if is_old else later[-1]


def all_versions() -> dict[str, tuple[WorkflowVersion, ...]]:
    """Return every version of every workflow, oldest first, by the workflow's name."""
    error_workflow_id = n8n_id(ERROR_WORKFLOW.name)
    return {
        workflow.name: tuple(
            workflow_version(workflow, number, error_workflow_id)
            for number in range(1, 2 if workflow.revised_days_ago is None else 3)
        )
        for workflow in WORKFLOWS
    }
