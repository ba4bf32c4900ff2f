"""Records → tables: what differs is told, the hourly sums are moved by it, the rows replaced."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import psycopg

from exporter.interfaces import Change, ExecutionChange, LlmCallChange, OutcomeChange
from exporter.records import (
    Balance,
    BucketWindow,
    DimensionName,
    Execution,
    ExecutionGone,
    ExecutionStatus,
    Forwarding,
    LlmCall,
    Outcome,
    PageReading,
    Record,
    Span,
    Step,
    TraceReading,
    TraceSeen,
    WholeExecution,
    Workflow,
)
from exporter.sinks import buckets, signals, staging, statuses, traces, whole
from exporter.sql_files import named_statements

_EXECUTIONS = named_statements("exporter.sinks.sql", "executions.sql")
_LLM_CALLS = named_statements("exporter.sinks.sql", "llm_calls.sql")
_OUTCOMES = named_statements("exporter.sinks.sql", "outcomes.sql")

Row = dict[str, Any]
T = TypeVar("T")


class Merge:
    """Writes records of one source inside the transaction of its connection."""

    def __init__(self, connection: psycopg.Connection[Row], source: str) -> None:
        self._connection = connection
        self._source = source
        self.expired_executions = 0  # older than retention keeps: neither stored nor counted

    def _rows(self, statement: str, parameters: Mapping[str, object]) -> list[Row]:
        return self._connection.execute(statement.encode(), parameters).fetchall()

    def apply(self, records: Sequence[Record]) -> Sequence[Change]:
        """Merge the records and return what differs from what was stored."""
        for source in sorted({record.source for record in records}):
            staging.lock(self._connection, source)
        if workflows := _only(records, Workflow):
            self._merge_workflows(workflows)
        changes: list[Change] = self._merge_runs(records)
        if windows := _only(records, BucketWindow):
            changes += buckets.merge_windows(self._connection, windows)
        if names := _only(records, DimensionName):
            buckets.merge_names(self._connection, names)
        if balances := _only(records, Balance):
            buckets.merge_balances(self._connection, balances)
        statuses.merge_readings(self._connection, _only(records, PageReading))
        if told := _only(records, Outcome):
            changes += self._merge_outcomes(told)
        self._merge_traces(records)
        return changes

    def _merge_runs(self, records: Sequence[Record]) -> list[Change]:
        changes: list[Change] = []
        wholes = [
            one for one in _only(records, WholeExecution) if one.stored_created_at is not None
        ]
        if wholes:
            whole.begin(self._connection, wholes)
        executions, gone = _only(records, Execution), _only(records, ExecutionGone)
        if executions or gone:
            changes += self._merge_executions(executions, gone)
        if steps := _only(records, Step):
            bounds = staging.stage(self._connection, staging.STEPS, steps)
            changes += signals.merge_step_signals(self._connection, bounds)
            staging.replace_stored(self._connection, staging.STEPS, bounds)
        if calls := _only(records, LlmCall):
            changes += self._merge_llm_calls(calls)
        self._merge_texts(executions, steps, calls)
        if wholes:
            whole.end(self._connection, wholes, executions, steps, calls)
        return changes

    def _merge_texts(
        self, executions: Sequence[Execution], steps: Sequence[Step], calls: Sequence[LlmCall]
    ) -> None:
        of_calls = [call for call in calls if call.prompt is not None or call.response is not None]
        told: list[tuple[Execution | Step, str]] = [(run, "") for run in executions]
        told += [(step, step.step_id) for step in steps]
        of_steps = [
            staging.StepText(
                one.source, one.execution_id, one.created_at, step_id, one.input, one.output
            )
            for one, step_id in told
            if one.input is not None or one.output is not None
        ]
        for table, texts in ((staging.LLM_CONTENT, of_calls), (staging.STEP_CONTENT, of_steps)):
            if texts:
                bounds = staging.stage(self._connection, table, texts)
                staging.replace_stored(self._connection, table, bounds)

    def _merge_outcomes(self, told: Sequence[Outcome]) -> list[Change]:
        bounds = staging.stage(self._connection, staging.OUTCOMES, told)
        changes = [OutcomeChange(**row) for row in self._rows(_OUTCOMES["changes"], bounds)]
        if changes:
            self._connection.execute(_OUTCOMES["roll_up"].encode())
            staging.replace_stored(self._connection, staging.OUTCOMES, bounds)
        return list(changes)

    def _merge_traces(self, records: Sequence[Record]) -> None:
        if spans := _only(records, Span):
            traces.merge_spans(self._connection, spans)
        if seen := _only(records, TraceSeen):
            traces.see_traces(self._connection, seen)
        if readings := _only(records, TraceReading):
            traces.note_readings(self._connection, readings)
        if forwardings := _only(records, Forwarding):
            traces.add_forwardings(self._connection, forwardings)

    def _merge_workflows(self, workflows: Sequence[Workflow]) -> None:
        statement = _EXECUTIONS["merge_workflow"].encode()
        with self._connection.cursor() as cursor:
            cursor.executemany(
                statement,
                [
                    {
                        "source": listed.source,
                        "workflow_id": staging.fitted(listed.workflow_id),
                        "workflow": staging.fitted(listed.workflow),
                        "active": listed.active,
                        "version": listed.version,
                        "project": listed.project,
                        "tags": list(listed.tags),
                    }
                    for listed in sorted(workflows, key=lambda listed: listed.workflow_id)
                ],
            )
        self._connection.execute(
            _EXECUTIONS["retire_workflows"].encode(),
            {
                "source": self._source,
                "listed": [staging.fitted(listed.workflow_id) for listed in workflows],
            },
        )

    def _merge_executions(
        self, executions: Sequence[Execution], gone: Sequence[ExecutionGone]
    ) -> list[Change]:
        bounds = staging.stage(self._connection, staging.EXECUTIONS, executions)
        self.expired_executions = bounds["expired"]
        if gone:
            parameters = {
                "source": self._source,
                "ids": [seen.execution_id for seen in gone],
                "created": [seen.created_at for seen in gone],
            }
            self._connection.execute(_EXECUTIONS["stage_gone"].encode(), parameters)
            self._connection.execute(_EXECUTIONS["close_gone"].encode(), parameters)
            bounds = staging.prune(self._connection, staging.EXECUTIONS)
        changes = [
            ExecutionChange(
                **row
                | {
                    "status": ExecutionStatus(row["status"]),
                    "stored_status": row["stored_status"] and ExecutionStatus(row["stored_status"]),
                }
            )
            for row in self._rows(_EXECUTIONS["changes"], bounds)
        ]
        if changes:
            for name in ("roll_up", "roll_up_durations"):
                statement = _with_differences(_EXECUTIONS, name)
                self._connection.execute(statement, bounds)
            self._connection.execute(_EXECUTIONS["name_workflows"].encode())
            staging.replace_stored(self._connection, staging.EXECUTIONS, bounds)
        return list(changes)

    def _merge_llm_calls(self, calls: Sequence[LlmCall]) -> list[Change]:
        bounds = staging.stage(self._connection, staging.LLM_CALLS, calls)
        changes = [
            LlmCallChange(**row | {"status": ExecutionStatus(row["status"])})
            for row in self._rows(_LLM_CALLS["changes"], bounds)
        ]
        if not changes:
            return []
        for name in ("roll_up", "roll_up_latencies"):
            self._connection.execute(_with_differences(_LLM_CALLS, name), bounds)
        signalled = signals.merge_call_signals(self._connection, bounds)
        staging.replace_stored(self._connection, staging.LLM_CALLS, bounds)
        return [*changes, *signalled]


def _with_differences(statements: Mapping[str, str], name: str) -> bytes:
    return statements[name].replace("{differences}", statements["staged_differences"]).encode()


def _only(records: Sequence[Record], kind: type[T]) -> list[T]:
    return [record for record in records if isinstance(record, kind)]
