"""Rows of n8n's tables → records: one execution with its steps and model calls."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

import msgspec

from exporter.errors import SourceError
from exporter.records import Execution, ExecutionStatus, Json, Record, Workflow
from exporter.sources.engine_database import Row
from exporter.sources.workflows.n8n.content import RunContent
from exporter.sources.workflows.n8n.flatted import UnreadableRunDataError
from exporter.sources.workflows.n8n.llm_calls import llm_calls
from exporter.sources.workflows.n8n.run_data import RunData
from exporter.sources.workflows.n8n.steps import items, steps
from exporter.sources.workflows.n8n.tables import N8nTables, time_of

_STATUS = {
    "new": ExecutionStatus.QUEUED,
    "running": ExecutionStatus.RUNNING,
    "waiting": ExecutionStatus.WAITING,
    "success": ExecutionStatus.SUCCESS,
    "error": ExecutionStatus.ERROR,
    "failed": ExecutionStatus.ERROR,  # n8n before 1.0
    "canceled": ExecutionStatus.CANCELED,
    "crashed": ExecutionStatus.CRASHED,
}
# Agent and chat nodes write their texts into the execution's metadata by themselves; they are
# content, which has its own switch and its own retention, and stand in llm_content already.
_TEXT_KEYS = re.compile(r"(response|input)_")
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-")


OWN_ATTRIBUTES = "n8n"
"""The attribute that holds what n8n itself says, apart from the users' custom data."""
FETCH_BYTES = 8 * 1024 * 1024
"""Run data held in memory at once; an execution may be larger, then it is fetched alone."""


def engine_state(row: Row) -> str:
    """What tells one state of a row from another."""
    times = (time_of(row["stoppedAt"]), time_of(row["waitTill"]))
    return "|".join([row["status"] or "", *(at.isoformat() if at else "" for at in times)])


@dataclass(frozen=True, kw_only=True)
class ExecutionReader:
    """Turns rows into records, and says which rows become none."""

    source: str
    tables: N8nTables
    workflows: Mapping[str, Workflow]
    dimensions: Mapping[str, Sequence[str]]  # customer, project, team → metadata keys
    public_url: str | None
    max_data_bytes: int
    metadata_ids: set[int] = field(default_factory=set)  # rows of metadata read so far
    data_sizes: dict[int, int | None] = field(default_factory=dict)  # None: there is no run data

    def pages(self, rows: Sequence[Row], budget_bytes: int) -> Iterator[Sequence[Row]]:
        """Split rows so that the run data of each part fits the budget; a row is never split."""
        sizes = self._data_sizes(rows)
        page: list[Row] = []
        total = 0
        for row in rows:
            size_bytes = min(sizes.get(row["id"], 0), self.max_data_bytes)
            if page and total + size_bytes > budget_bytes:
                yield page
                page, total = [], 0
            page.append(row)
            total += size_bytes
        if page:
            yield page

    def records(self, rows: Sequence[Row]) -> Iterator[Record]:
        """Yield each row's execution, then its steps and calls."""
        metadata = self._metadata([row["id"] for row in rows if not self.is_unsaved(row)])
        for page in self.pages(rows, FETCH_BYTES):
            run_data = self._run_data(page)
            for row in page:
                if self.is_unsaved(row):
                    continue  # one that was seen open is closed by what is left of the open set
                execution = self._execution(row, metadata.get(row["id"], {}))
                if execution is not None:
                    yield from self._with_run_data(
                        execution, row, run_data.get(row["id"], "no_run_data")
                    )

    @staticmethod
    def is_unsaved(row: Row) -> bool:
        """Whether it ended, and its engine was told to keep nothing of it."""
        # n8n told not to save: the row stays "running" and is marked deleted at its end.
        return row["deletedAt"] is not None and not _status(row).is_final

    def left_out(self, rows: Sequence[Row]) -> Counter[str]:
        """Count the rows that become no record, by reason."""
        return +Counter(
            not_saved=sum(map(self.is_unsaved, rows)),
            no_time=sum(created_at_of(row) is None for row in rows),
        )

    @staticmethod
    def _has_run_data(row: Row) -> bool:
        is_read = _status(row).is_final or _status(row) is ExecutionStatus.WAITING
        return is_read and (row["storedAt"] or "db") == "db"

    def _metadata(self, ids: Sequence[int]) -> dict[int, dict[str, str]]:
        found: dict[int, dict[str, str]] = {}
        if self.tables.has_metadata:
            for row in self.tables.by_ids("metadata_of", ids):
                found.setdefault(row["executionId"], {})[row["key"]] = row["value"]
                self.metadata_ids.add(row["id"])
        return found

    def _data_sizes(self, rows: Sequence[Row]) -> dict[int, int]:
        """Return id → size of what there is; each row's size is asked for once."""
        # n8n's own count includes the workflow's snapshot, which may hold pinned data.
        counted = {
            row["id"]: int(row["jsonSizeBytes"] or 0) for row in rows if self._has_run_data(row)
        }
        unasked = [key for key in counted if key not in self.data_sizes]
        self.data_sizes.update(dict.fromkeys(unasked))
        for row in self.tables.by_ids("data_sizes", unasked):
            self.data_sizes[row["executionId"]] = max(row["bytes"], counted[row["executionId"]])
        sizes = {key: self.data_sizes[key] for key in counted}
        return {key: size_bytes for key, size_bytes in sizes.items() if size_bytes is not None}

    def _run_data(self, rows: Sequence[Row]) -> dict[int, Row | str]:
        """Return id → run data, or the reason why there is none."""
        sizes = self._data_sizes(rows)
        ids = [key for key, size_bytes in sizes.items() if size_bytes <= self.max_data_bytes]
        found: dict[int, Row | str] = dict.fromkeys(set(sizes) - set(ids), "too_large")
        return found | {row["executionId"]: row for row in self.tables.by_ids("data_of", ids)}

    def _execution(self, row: Row, metadata: Mapping[str, str]) -> Execution | None:
        status = _status(row)
        started_at, stopped_at = time_of(row["startedAt"]), time_of(row["stoppedAt"])
        created_at = created_at_of(row)
        if created_at is None:
            return None
        workflow_id = str(row["workflowId"])
        workflow = self.workflows.get(workflow_id)
        attributes: dict[str, Json] = {
            key: value for key, value in metadata.items() if not _TEXT_KEYS.match(key)
        }
        if status is ExecutionStatus.WAITING:
            wait_till = time_of(row["waitTill"])
            attributes[OWN_ATTRIBUTES] = {
                "waiting_since": stopped_at.isoformat() if stopped_at else None,
                "waiting_until": wait_till.isoformat() if wait_till else None,
            }
        engine_url = (
            f"{self.public_url.rstrip('/')}/workflow/{workflow_id}/executions/{row['id']}"
            if self.public_url
            else None
        )
        return Execution(
            source=self.source,
            execution_id=str(row["id"]),
            created_at=created_at,
            workflow_id=workflow_id,
            workflow=workflow.workflow if workflow else workflow_id,
            status=status,
            started_at=started_at,
            finished_at=stopped_at if status.is_final else None,
            workflow_version=row["workflowVersionId"],
            trigger=row["mode"],
            retry_of=row["retryOf"],
            trace_id=_trace_id(row["tracingContext"]),
            customer=self._dimension("customer", metadata),
            project=self._dimension("project", metadata)
            or (workflow.project if workflow else None),
            team=self._dimension("team", metadata),
            tags=workflow.tags if workflow else (),
            attributes=attributes,
            engine_url=engine_url,
            engine_state=engine_state(row),
        )

    def _dimension(self, name: str, metadata: Mapping[str, str]) -> str | None:
        return next((metadata[key] for key in self.dimensions[name] if metadata.get(key)), None)

    def _with_run_data(
        self, execution: Execution, row: Row, run_data: Row | str
    ) -> Iterator[Record]:
        if not self._has_run_data(row):
            is_elsewhere = execution.status.is_final or execution.status is ExecutionStatus.WAITING
            reason = "stored_elsewhere" if is_elsewhere else None
            yield replace(execution, unknown_steps_reason=reason)
            return
        if isinstance(run_data, str):
            yield replace(execution, unknown_steps_reason=run_data)
            return
        try:
            # All of it or nothing: half of an execution's calls would look like all of them.
            records = list(_decoded(execution, run_data))
        except UnreadableRunDataError:
            records = [replace(execution, unknown_steps_reason="unreadable")]
        yield from records


def key_of(row: Row) -> tuple[str, datetime | None]:
    """What an execution is known by: an id may come again after a restore from a backup."""
    return str(row["id"]), created_at_of(row)


def created_at_of(row: Row) -> datetime | None:
    """When it was created; older versions of n8n know only when it started."""
    return time_of(row["createdAt"]) or time_of(row["startedAt"]) or time_of(row["stoppedAt"])


def _decoded(execution: Execution, row: Row) -> Iterator[Record]:
    data = RunData.decode(row["data"], row["workflowData"], execution)
    if execution.status is ExecutionStatus.CANCELED and data.ran_into_time_limit(execution):
        execution = replace(execution, status=ExecutionStatus.TIMEOUT)
    items_total, items_failed = items(data)
    is_success = execution.status is ExecutionStatus.SUCCESS
    attributes = dict(execution.attributes)
    if data.trigger_node_type:
        own = attributes.get(OWN_ATTRIBUTES)
        own = own if isinstance(own, dict) else {}
        attributes[OWN_ATTRIBUTES] = {**own, "trigger_node_type": data.trigger_node_type}
    content = RunContent(data)
    received, gave = content.of_execution()
    yield replace(
        execution,
        workflow_version=execution.workflow_version or row["workflowVersionId"],
        error_type=data.error_type(data.error),
        error_message=data.document.text(data.error, "message"),
        error_step=None if is_success else data.last_node,
        parent_execution_id=data.parent_execution_id,
        items_total=items_total or None,
        # An execution that failed left some items untouched: how many, nobody knows.
        items_failed=items_failed if is_success and items_total else None,
        attributes=attributes,
        input=received,
        output=gave,
    )
    yield from steps(data, execution, content)
    yield from llm_calls(data, execution)


def _status(row: Row) -> ExecutionStatus:
    status = row["status"]
    if status in _STATUS:
        return _STATUS[status]
    if status in (None, "unknown"):  # rows from before n8n kept a status
        if row["finished"]:
            return ExecutionStatus.SUCCESS
        return ExecutionStatus.ERROR if row["stoppedAt"] else ExecutionStatus.RUNNING
    raise SourceError(
        f"execution {row['id']} has status {status!r}, which we do not know", reason="schema"
    )


def _trace_id(context: object) -> str | None:
    if isinstance(context, str):
        try:
            context = msgspec.json.decode(context)
        except msgspec.DecodeError:
            return None
    parent = context.get("traceparent") if isinstance(context, dict) else None
    match = _TRACEPARENT.match(parent) if isinstance(parent, str) else None
    return match[1] if match else None


def newest_time(rows: Sequence[Row], clock: datetime) -> datetime | None:
    """The newest time in the rows; one in the future would look fresh for ever."""
    times = [time_of(row["stoppedAt"]) or time_of(row["startedAt"]) for row in rows]
    return max((min(at, clock) for at in times if at is not None), default=None)
