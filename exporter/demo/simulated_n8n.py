"""A simulated n8n: fills a PostgreSQL database as a real one would, and keeps working in it."""

import heapq
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from types import TracebackType
from typing import Any, Self

import psycopg

from exporter.demo.company import WORKFLOWS
from exporter.demo.n8n_nodes import WorkflowVersion, n8n_id
from exporter.demo.n8n_rows import Execution
from exporter.demo.n8n_statements import (
    advanced_row,
    entity_row,
    latest_data,
    outcome_row,
    schema,
    started_row,
    statements,
)
from exporter.demo.outages import Outages
from exporter.demo.simulation import ERROR_WORKFLOW, Simulation, all_versions
from exporter.demo.texts import compact_json
from exporter.demo.traffic import Story
from exporter.demo.truth import Meter, Truth, TruthKeeper

_RETRY_SUCCESS_COLUMN = 4
_SIZE_COLUMN = 12
_WORKFLOW_AGE = timedelta(days=30)  # before the first execution


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenHistory:
    """What `write_history` put into the database."""

    executions: int
    metadata: int
    data_bytes: int
    still_open: int  # running or waiting: `step` goes on with them


@dataclass(frozen=True, slots=True, kw_only=True)
class StepCounts:
    """What one `step` did."""

    started: int = 0
    waiting: int = 0
    resumed: int = 0
    succeeded: int = 0
    failed: int = 0
    canceled: int = 0
    crashed: int = 0


class SimulatedN8n:
    """The simulated company's n8n on one PostgreSQL database; not safe for threads."""

    def __init__(
        self, url: str, seed: int = 1, *, meter: Meter | None = None, outages: Outages | None = None
    ) -> None:
        self._url = url
        self._simulated = partial(Simulation, seed=seed, outages=outages)
        self._sql = statements()
        self._connection: psycopg.Connection[Any] | None = None
        self._simulation: Simulation | None = None
        self._keeper = TruthKeeper(meter)
        # (due, execution id, number of the state that comes next, execution)
        self._open: list[tuple[datetime, int, int, Execution]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; the next call opens a new one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    @property
    def story(self) -> Story:
        """Return what goes wrong and when; known once history is written or a step was made."""
        if self._simulation is None:
            msg = "the story is told once write_history() or step() has run"
            raise RuntimeError(msg)
        return self._simulation.story

    def truth(self) -> Truth:
        """Return the totals a reader must find, kept by the simulator and never read back."""
        return self._keeper.truth()

    def create(self) -> None:
        """Create the tables, workflows, projects and tags in an empty database."""
        with self._transaction() as cursor:
            cursor.execute(schema())
            for name in dict.fromkeys(workflow.project for workflow in WORKFLOWS):
                kind = "personal" if "@" in name else "team"
                project = {"id": n8n_id(f"project {name}"), "name": name, "type": kind}
                cursor.execute(self._sql["insert_project"], project)
            for name in dict.fromkeys(tag for workflow in WORKFLOWS for tag in workflow.tags):
                tag = {"id": n8n_id(f"tag {name}"), "name": name}
                cursor.execute(self._sql["insert_tag"], tag)
            for versions in all_versions().values():
                self._create_workflow(cursor, versions)

    def _create_workflow(
        self, cursor: psycopg.Cursor[Any], versions: Iterable[WorkflowVersion]
    ) -> None:
        is_new = True
        for version in versions:
            workflow = version.workflow
            row: dict[str, Any] = {
                "id": version.workflow_id,
                "name": workflow.name,
                "version_id": version.version_id,
                "nodes": compact_json(version.edited_nodes),
                "connections": compact_json(version.connections),
                "settings": compact_json(version.settings),
                "trigger_count": 0 if workflow is ERROR_WORKFLOW else 1,
                "project_id": n8n_id(f"project {workflow.project}"),
            }
            if is_new:
                cursor.execute(self._sql["insert_workflow"], row)
                cursor.execute(self._sql["share_workflow"], row)
                for tag in workflow.tags:
                    row["tag_id"] = n8n_id(f"tag {tag}")
                    cursor.execute(self._sql["tag_workflow"], row)
            cursor.execute(self._sql["insert_version"], row)
            cursor.execute(self._sql["publish_workflow"], row)
            is_new = False

    def write_history(self, now: datetime, days: int = 7) -> WrittenHistory:
        """Write `days` days of executions that end at `now`, in one transaction."""
        begin = now - timedelta(days=days)
        self._simulation = self._simulated(begin=begin, now=now)
        entities: dict[int, list[Any]] = {}
        data: list[tuple[Any, ...]] = []
        metadata: list[tuple[int, str, str]] = []
        outcomes: Counter[tuple[str, str, str, bool]] = Counter()
        for execution in self._simulation.due(now):
            seen = tuple(state for state in execution.states if state.visible_at <= now)
            self._keeper.wrote(execution, seen, None)
            if len(seen) < len(execution.states):
                self._await(execution, len(seen))
            else:
                outcomes[outcome_row(execution)] += 1
            text = latest_data(seen)
            entities[execution.execution_id] = entity_row(execution, seen[-1], text)
            snapshot, version_id = execution.version.snapshot, execution.version_id
            data.append((execution.execution_id, snapshot, text, version_id))
            custom = next((s.custom_data for s in reversed(seen) if s.custom_data), {})
            metadata += [(execution.execution_id, key, value) for key, value in custom.items()]
            original = entities.get(execution.retry_of or 0)
            if original is not None and seen[-1].status == "success":
                original[_RETRY_SUCCESS_COLUMN] = str(execution.execution_id)
        with self._transaction() as cursor:
            self._date_versions(cursor, begin, now)
            self._copy(cursor, "copy_executions", entities.values())
            self._copy(cursor, "copy_data", data)
            self._copy(cursor, "copy_metadata", metadata)
            if entities:
                cursor.execute(self._sql["move_sequence"], {"id": max(entities)})
            for outcome, count in outcomes.items():
                self._count_outcome(cursor, outcome, count, now)
        return WrittenHistory(
            executions=len(entities),
            metadata=len(metadata),
            data_bytes=sum(row[_SIZE_COLUMN] for row in entities.values()),
            still_open=len(self._open),
        )

    def _date_versions(self, cursor: psycopg.Cursor[Any], begin: datetime, now: datetime) -> None:
        """Let the workflows be older than their executions, and revisions as old as they are."""
        created_at = begin - _WORKFLOW_AGE
        for versions in all_versions().values():
            days = versions[0].workflow.revised_days_ago
            revised_at = created_at if days is None else now - timedelta(days=days)
            row: dict[str, Any] = {"id": versions[0].workflow_id, "created_at": created_at}
            cursor.execute(self._sql["date_workflow"], row | {"revised_at": revised_at})
            for version, at in zip(versions, (created_at, revised_at), strict=False):
                dated = {"version_id": version.version_id, "at": at}
                cursor.execute(self._sql["date_version"], dated)

    def resume(self, now: datetime) -> None:
        """Go on in a database that an earlier process filled, as n8n does after a restart.

        What was running is crashed; what was waiting stays so. The truth begins anew.

        Raises:
            ValueError: it holds an n8n that is not this simulation's.
        """
        with self._transaction() as cursor:
            found = cursor.execute(self._sql["is_simulated"]).fetchone()
            if found is None:
                msg = "the database holds an n8n that is not simulated; give an empty one"
                raise ValueError(msg)
            cursor.execute(self._sql["crash_running"], {"now": now})
            newest = cursor.execute(self._sql["newest_execution"]).fetchone()
        first_id = newest[0] if newest else 0
        self._simulation = self._simulated(begin=now, now=now, first_id=first_id)

    def is_filled(self) -> bool:
        """Whether the database holds an n8n already."""
        with self._transaction() as cursor:
            found = cursor.execute(self._sql["has_tables"]).fetchone()
        return bool(found and found[0])

    def step(self, now: datetime) -> StepCounts:
        """Start what starts and end what ends by `now`; call it every second or so."""
        if self._simulation is None:
            self._simulation = self._simulated(begin=now, now=now)
        counts: Counter[str] = Counter()
        for execution in self._simulation.due(now):
            self._start(execution)
            counts["started"] += 1
            self._await(execution, 1)
        while self._open and self._open[0][0] <= now:
            _, _, number, execution = self._open[0]
            counts[self._advance(execution, number)] += 1
            # Only now: if the database failed, the next step tries again.
            heapq.heappop(self._open)
            if number + 1 < len(execution.states):
                self._await(execution, number + 1)
        return StepCounts(**counts)

    def _await(self, execution: Execution, number: int) -> None:
        due = execution.states[number].visible_at
        heapq.heappush(self._open, (due, execution.execution_id, number, execution))

    def _start(self, execution: Execution) -> None:
        state = execution.states[0]
        row = started_row(execution, state.data)
        with self._transaction() as cursor:
            cursor.execute(self._sql["insert_execution"], row)
            cursor.execute(self._sql["insert_data"], row)
            cursor.execute(self._sql["move_sequence"], row)
        self._keeper.wrote(execution, (state,), None)

    def _advance(self, execution: Execution, number: int) -> str:
        """Write one more state as n8n does; return the name of its count."""
        state = execution.states[number]
        row = advanced_row(execution, state)
        is_end = number + 1 == len(execution.states)
        with self._transaction() as cursor:
            if row["data"] is not None:
                cursor.execute(self._sql["update_data"], row)
            cursor.execute(self._sql["update_execution"], row)
        # n8n writes metadata and statistics after the execution, each by itself.
        if state.custom_data:
            with self._transaction() as cursor:
                for key, value in state.custom_data.items():
                    pair = {"id": execution.execution_id, "key": key, "value": value}
                    cursor.execute(self._sql["upsert_metadata"], pair)
        if is_end:
            with self._transaction() as cursor:
                self._count_outcome(cursor, outcome_row(execution), 1, state.visible_at)
                if execution.retry_of is not None and state.status == "success":
                    retry = {"id": execution.retry_of, "retry_id": str(execution.execution_id)}
                    cursor.execute(self._sql["set_retry_success"], retry)
        self._keeper.wrote(execution, (state,), execution.states[number - 1].status)
        names = {"running": "resumed", "success": "succeeded", "error": "failed"}
        return names.get(state.status, state.status)

    def _count_outcome(
        self,
        cursor: psycopg.Cursor[Any],
        outcome: tuple[str, str, str, bool],
        count: int,
        at: datetime,
    ) -> None:
        workflow_id, workflow, name, is_root = outcome
        row = {"id": workflow_id, "workflow": workflow, "name": name, "at": at}
        row |= {"count": count, "root_count": count if is_root else 0}
        cursor.execute(self._sql["count_outcome"], row)

    def _copy(self, cursor: psycopg.Cursor[Any], name: str, rows: Iterable[Any]) -> None:
        with cursor.copy(self._sql[name]) as copy:
            for row in rows:
                copy.write_row(row)

    @contextmanager
    def _transaction(self) -> Iterator[psycopg.Cursor[Any]]:
        if self._connection is None or self._connection.closed:
            self._connection = psycopg.connect(self._url, autocommit=True)
        with self._connection.transaction(), self._connection.cursor() as cursor:
            yield cursor
