"""Records → tables: what differs is told, the hourly sums are moved by it, the rows replaced."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import psycopg

from exporter.interfaces import Change, ExecutionChange, LlmCallChange
from exporter.records import (
    Balance,
    BucketWindow,
    DimensionName,
    Execution,
    ExecutionGone,
    ExecutionStatus,
    LlmCall,
    Record,
    Step,
    Workflow,
)
from exporter.sinks import buckets, staging
from exporter.sql_files import named_statements

_EXECUTIONS = named_statements("exporter.sinks.sql", "executions.sql")
_LLM_CALLS = named_statements("exporter.sinks.sql", "llm_calls.sql")

Row = dict[str, Any]


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
        sorted_out = _sort(records)
        if sorted_out.workflows:
            self._merge_workflows(sorted_out.workflows)
        changes: list[Change] = []
        if sorted_out.executions or sorted_out.gone:
            changes += self._merge_executions(sorted_out.executions, sorted_out.gone)
        if sorted_out.steps:
            bounds = staging.stage(self._connection, staging.STEPS, sorted_out.steps)
            staging.replace_stored(self._connection, staging.STEPS, bounds)
        if sorted_out.calls:
            changes += self._merge_llm_calls(sorted_out.calls)
        if sorted_out.windows:
            changes += buckets.merge_windows(self._connection, sorted_out.windows)
        if sorted_out.names:
            buckets.merge_names(self._connection, sorted_out.names)
        if sorted_out.balances:
            buckets.merge_balances(self._connection, sorted_out.balances)
        return changes

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
            self._connection.execute(_EXECUTIONS["roll_up"].encode(), bounds)
            self._connection.execute(_EXECUTIONS["roll_up_durations"].encode(), bounds)
            self._connection.execute(_EXECUTIONS["name_workflows"].encode())
            staging.replace_stored(self._connection, staging.EXECUTIONS, bounds)
        return list(changes)

    def _merge_llm_calls(self, calls: Sequence[LlmCall]) -> list[Change]:
        bounds = staging.stage(self._connection, staging.LLM_CALLS, calls)
        changes = [
            LlmCallChange(**row | {"status": ExecutionStatus(row["status"])})
            for row in self._rows(_LLM_CALLS["changes"], bounds)
        ]
        if changes:
            self._connection.execute(_LLM_CALLS["roll_up"].encode(), bounds)
            self._connection.execute(_LLM_CALLS["roll_up_latencies"].encode(), bounds)
            staging.replace_stored(self._connection, staging.LLM_CALLS, bounds)
        with_text = [call for call in calls if call.prompt is not None or call.response is not None]
        if with_text:
            bounds = staging.stage(self._connection, staging.LLM_CONTENT, with_text)
            staging.replace_stored(self._connection, staging.LLM_CONTENT, bounds)
        return list(changes)


class _Sorted(NamedTuple):
    workflows: list[Workflow]
    executions: list[Execution]
    gone: list[ExecutionGone]
    steps: list[Step]
    calls: list[LlmCall]
    windows: list[BucketWindow]
    names: list[DimensionName]
    balances: list[Balance]


def _sort(records: Sequence[Record]) -> _Sorted:
    result = _Sorted([], [], [], [], [], [], [], [])
    for record in records:
        match record:
            case Workflow():
                result.workflows.append(record)
            case Execution():
                result.executions.append(record)
            case ExecutionGone():
                result.gone.append(record)
            case Step():
                result.steps.append(record)
            case LlmCall():
                result.calls.append(record)
            case BucketWindow():
                result.windows.append(record)
            case DimensionName():
                result.names.append(record)
            case Balance():
                result.balances.append(record)
    return result
