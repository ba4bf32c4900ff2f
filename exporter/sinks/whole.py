"""Executions of which a batch holds all there is: what is stored of them otherwise goes."""

from collections.abc import Sequence
from typing import Any

import psycopg

from exporter.records import Execution, LlmCall, Step, WholeExecution
from exporter.sinks import signals
from exporter.sinks.staging import (
    EXECUTIONS,
    LLM_CALLS,
    LLM_CONTENT,
    STEP_CONTENT,
    STEPS,
    columns_of,
    fitted,
)
from exporter.sql_files import named_statements

_STATEMENTS = named_statements("exporter.sinks.sql", "whole.sql")
_EXECUTIONS = named_statements("exporter.sinks.sql", "executions.sql")
_LLM_CALLS = named_statements("exporter.sinks.sql", "llm_calls.sql")
_MOVED = (EXECUTIONS, STEPS, LLM_CALLS, LLM_CONTENT, STEP_CONTENT)
Row = dict[str, Any]
Connection = psycopg.Connection[Row]


def begin(connection: Connection, wholes: Sequence[WholeExecution]) -> None:
    """Note the executions, and move those that are stored under another time key.

    To be called before their records are merged: what is merged then meets what is stored.
    """
    connection.execute(_STATEMENTS["create_wholes"].encode())
    connection.execute(_STATEMENTS["create_told"].encode())
    connection.execute(
        _STATEMENTS["add_wholes"].encode(),
        {
            "sources": [whole.source for whole in wholes],
            "ids": [fitted(whole.execution_id) for whole in wholes],
            "created": [whole.created_at for whole in wholes],
            "stored": [whole.stored_created_at for whole in wholes],
        },
    )
    if any(whole.stored_created_at != whole.created_at for whole in wholes):
        _move(connection)


def _move(connection: Connection) -> None:
    for name in ("roll_up", "roll_up_durations"):
        statement = _EXECUTIONS[name].replace("{differences}", _STATEMENTS["moved_executions"])
        connection.execute(statement.encode())
    signals.roll_up(connection, _STATEMENTS["moved_steps"])
    for table in reversed(_MOVED):
        columns = columns_of(connection, table)
        statement = (
            _STATEMENTS["move"]
            .replace("{table}", table.name)
            .replace("{columns}", ", ".join(columns))
            .replace("{moved_columns}", ", ".join(columns).replace("created_at", "moved_to"))
        )
        connection.execute(statement.encode())


def end(
    connection: Connection,
    wholes: Sequence[WholeExecution],
    executions: Sequence[Execution],
    steps: Sequence[Step],
    calls: Sequence[LlmCall],
) -> None:
    """Retract what is stored of the noted executions and is not among these.

    To be called after their records were merged.
    """
    runs: list[tuple[Execution | Step, str]] = [(run, "") for run in executions]
    runs += [(step, step.step_id) for step in steps]
    in_prose = [call for call in calls if call.prompt is not None or call.response is not None]
    told: dict[str, Sequence[tuple[Execution | Step | LlmCall, str]]] = {
        "steps": [(step, step.step_id) for step in steps],
        "step_content": [
            (one, step_id)
            for one, step_id in runs
            if one.input is not None or one.output is not None
        ],
        "llm_calls": [(call, call.call_id) for call in calls],
        "llm_content": [(call, call.call_id) for call in in_prose],
    }
    for table, records in told.items():
        connection.execute(
            _STATEMENTS["add_told"].encode(),
            {
                "kind": table,
                "sources": [record.source for record, _ in records],
                "executions": [fitted(record.execution_id) for record, _ in records],
                "ids": [fitted(name) for _, name in records],
            },
        )
    retracted_calls = _STATEMENTS["retracted_calls"]
    for name in ("roll_up", "roll_up_latencies"):
        statement = _LLM_CALLS[name].replace("{differences}", retracted_calls)
        connection.execute(statement.encode())
    signals.roll_up(
        connection,
        _STATEMENTS["retracted_call_signals"].replace("{retracted_calls}", retracted_calls),
    )
    signals.roll_up(connection, _STATEMENTS["retracted_step_signals"])
    for table in told:
        key = "step_id" if table.startswith("step") else "call_id"
        statement = _STATEMENTS["retract"].replace("{table}", table).replace("{id}", key)
        connection.execute(statement.encode())
    sources = sorted({whole.source for whole in wholes})
    connection.execute(_STATEMENTS["forget_workflows"].encode(), {"sources": sources})
