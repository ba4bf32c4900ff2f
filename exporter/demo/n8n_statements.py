"""The simulated n8n's SQL by name, and executions as rows for it."""

from importlib import resources
from typing import Any

from exporter.demo.n8n_rows import Execution
from exporter.demo.n8n_states import State

_VERSION_ID_BYTES = 36
_NAME_MARK = "-- name: "


def schema() -> str:
    """Return the statements that create n8n's tables."""
    return _file("n8n_schema.sql")


def statements() -> dict[str, str]:
    """Return the statements of n8n_statements.sql by their names."""
    blocks = _file("n8n_statements.sql").split(_NAME_MARK)[1:]
    pairs = (block.split("\n", 1) for block in blocks)
    return {name.strip(): statement.strip() for name, statement in pairs}


def _file(name: str) -> str:
    return resources.files("exporter.demo").joinpath(name).read_text("utf-8")


def size_bytes(execution: Execution, data: str) -> int:
    """Return execution_entity.jsonSizeBytes as n8n counts it."""
    size = len(data.encode()) + len(execution.version.snapshot.encode())
    return size + (_VERSION_ID_BYTES if execution.version_id else 0)


def latest_data(states: tuple[State, ...]) -> str:
    """Return execution_data.data after these states; a resumed row keeps what it had."""
    return next(state.data for state in reversed(states) if state.content is not None)


def entity_row(execution: Execution, state: State, data: str) -> list[Any]:
    """Return the columns of copy_executions, in their order."""
    return [
        execution.execution_id,
        state.status == "success",
        execution.mode,
        optional_text(execution.retry_of),
        None,  # retrySuccessId: known only when a later retry succeeds
        execution.started_at,
        state.stopped_at,
        state.wait_till,
        state.status,
        execution.version.workflow_id,
        execution.created_at,
        execution.deduplication_key,
        size_bytes(execution, data),
        execution.version_id,
    ]


def started_row(execution: Execution, data: str) -> dict[str, Any]:
    """Return the parameters of insert_execution and insert_data."""
    return {
        "id": execution.execution_id,
        "mode": execution.mode,
        "retry_of": optional_text(execution.retry_of),
        "started_at": execution.started_at,
        "created_at": execution.created_at,
        "workflow_id": execution.version.workflow_id,
        "deduplication_key": execution.deduplication_key,
        "version_id": execution.version_id,
        "snapshot": execution.version.snapshot,
        "data": data,
        "size": size_bytes(execution, data),
    }


def advanced_row(execution: Execution, state: State) -> dict[str, Any]:
    """Return the parameters of update_execution and update_data."""
    data = None if state.content is None else state.data
    return {
        "id": execution.execution_id,
        "status": state.status,
        "finished": state.status == "success",
        "stopped_at": state.stopped_at,
        "wait_till": state.wait_till,
        "data": data,
        "size": None if data is None else size_bytes(execution, data),
    }


def outcome_row(execution: Execution) -> tuple[str, str, str, bool]:
    """Return workflow id, workflow, name of the statistic, and whether the run counts as a root."""
    name = "production_success" if execution.end.status == "success" else "production_error"
    version = execution.version
    return version.workflow_id, version.workflow.name, name, execution.mode != "error"


def optional_text(number: int | None) -> str | None:
    """Return an id as n8n stores it in retryOf."""
    return None if number is None else str(number)
