"""Run data of n8n, written by hand."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from exporter.demo import flatted
from exporter.records import Execution, ExecutionStatus
from exporter.sources.workflows.n8n.run_data import RunData

NOW = datetime(2026, 1, 3, 12, tzinfo=UTC)
LANGCHAIN = "@n8n/n8n-nodes-langchain."
EXECUTION = Execution(
    source="n8n",
    execution_id="7",
    created_at=NOW,
    workflow_id="w",
    workflow="invoices",
    status=ExecutionStatus.SUCCESS,
    started_at=NOW,
    finished_at=NOW + timedelta(seconds=30),
    trigger="trigger",
    customer="acme",
)
Task = dict[str, Any]


def milliseconds(at: datetime) -> int:
    return round(at.timestamp() * 1000)


def task(
    *outputs: Sequence[Task] | None,
    after: str | None = None,
    run: int = 0,
    output: int = 0,
    at: datetime = NOW,
    **fields: Any,
) -> Task:
    """One run of a node: the items of each of its outputs, and where its own came from."""
    source = (
        [{"previousNode": after, "previousNodeRun": run, "previousNodeOutput": output}]
        if after
        else []
    )
    return {
        "startTime": milliseconds(at),
        "executionTime": 250,
        "executionStatus": "success",
        "source": source,
        "data": {"main": list(outputs)},
    } | fields


def item(**values: Any) -> Task:
    return {"json": values}


def run_data(
    runs: dict[str, list[Task]] | None = None,
    *,
    nodes: Sequence[Task] = (),
    execution: Execution = EXECUTION,
    error: Task | None = None,
    settings: Task | None = None,
    **root: Any,
) -> RunData:
    result = {"runData": runs or {}} | ({"error": error} if error else {})
    snapshot = {"nodes": list(nodes)} | ({"settings": settings} if settings else {})
    text = flatted.encode({"resultData": result} | root)
    return RunData.decode(text, json.dumps(snapshot), execution)


def node(name: str, kind: str = "n8n-nodes-base.set", **fields: Any) -> Task:
    return {"name": name, "type": kind} | fields
