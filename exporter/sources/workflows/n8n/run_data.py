"""n8n's run data of one execution: its node runs, its error, its origin."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property

from exporter.records import Execution, Json
from exporter.sources.workflows.n8n.flatted import (
    FlattedDocument,
    UnreadableRunDataError,
    decode_json,
)

_EARLIEST_MILLISECONDS = 1e11  # March 1973; seconds stay below it until the year 5138
_LONGEST_MILLISECONDS = 1e12  # 31 years; beyond is damage
_HTTP_CODE = re.compile(r"\b([45]\d\d)\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeRun:
    """One run of one node, still in n8n's words."""

    node: str
    index: int
    task: dict[str, Json]
    node_type: str
    parameters: Json
    tolerates_errors: str | None  # continueRegularOutput, continueErrorOutput
    copied: bool  # a retry repeats the rows of what it did not run again

    @property
    def step_id(self) -> str:
        """Unique within the execution."""
        return f"{self.node}#{self.index}"

    @property
    def started_at(self) -> datetime | None:
        """Its start, UTC."""
        start = self.task.get("startTime")
        if not isinstance(start, int | float):
            return None
        return from_epoch_milliseconds(start * 1000 if self.is_rebuilt else start)

    @property
    def is_rebuilt(self) -> bool:
        """Whether n8n rebuilt it after a crash, from its event log: times then are in seconds."""
        start = self.task.get("startTime")
        return isinstance(start, int | float) and start < _EARLIEST_MILLISECONDS

    @property
    def duration_seconds(self) -> float | None:
        """Its run time; all tries of `retryOnFail` included, as n8n keeps no trace of them."""
        run_time = self.task.get("executionTime")
        if self.is_rebuilt:
            return None  # n8n writes 0 where it does not know
        is_time = isinstance(run_time, int | float) and 0 <= run_time < _LONGEST_MILLISECONDS
        return run_time / 1000 if is_time else None  # type: ignore[operator]  # narrowed by is_time


def from_epoch_milliseconds(value: float) -> datetime:
    """Turn n8n's milliseconds into UTC."""
    try:
        return datetime.fromtimestamp(value / 1000, UTC)
    except (OverflowError, ValueError, OSError) as error:
        raise UnreadableRunDataError(f"{value} is no time in milliseconds") from error


@dataclass(frozen=True, kw_only=True)
class RunData:
    """The run data of one execution, read by path."""

    document: FlattedDocument
    workflow: dict[str, Json]  # the snapshot of the workflow that ran
    retry_of: str | None = None
    execution_started_at: datetime | None = None

    @classmethod
    def decode(cls, data: str, workflow_data: str, execution: Execution) -> "RunData":
        """Read the two texts of an `execution_data` row.

        Raises:
            UnreadableRunDataError: one of them is not what n8n writes.
        """
        workflow = decode_json((workflow_data or "{}").encode(errors="surrogatepass"))
        return cls(
            document=FlattedDocument(data),
            workflow=workflow if isinstance(workflow, dict) else {},
            retry_of=execution.retry_of if execution.trigger == "retry" else None,
            execution_started_at=execution.started_at,
        )

    @cached_property
    def _nodes(self) -> dict[str, dict[str, Json]]:
        listed = self.workflow.get("nodes")
        found = listed if isinstance(listed, list) else []
        return {str(node.get("name")): node for node in found if isinstance(node, dict)}

    @cached_property
    def node_runs(self) -> tuple[NodeRun, ...]:
        """Every node run, in the order n8n lists them."""
        return tuple(self._walk())

    def _walk(self) -> Iterator[NodeRun]:
        run_data = self.document.mapping(self.document.root, "resultData", "runData")
        for name in run_data:
            node = self._nodes.get(name, {})
            tolerates = node.get("onError")
            if node.get("continueOnFail") is True:
                tolerates = "continueRegularOutput"
            for index, task in enumerate(self.document.items(run_data, name)):
                if not isinstance(task, dict):
                    continue
                run = NodeRun(
                    node=name,
                    index=index,
                    task=task,
                    node_type=str(node.get("type", "")),
                    parameters=node.get("parameters"),
                    tolerates_errors=tolerates if isinstance(tolerates, str) else None,
                    copied=False,
                )
                yield self._marked_if_copied(run)

    def _marked_if_copied(self, run: NodeRun) -> NodeRun:
        # Waiting executions resume under their own id, so only a retry can hold older runs.
        if self.retry_of is None or self.execution_started_at is None or run.started_at is None:
            return run
        if run.started_at >= self.execution_started_at:
            return run
        return replace(run, copied=True)

    @property
    def error(self) -> dict[str, Json]:
        """The error that ended the execution; empty if none did."""
        return self.document.mapping(self.document.root, "resultData", "error")

    def error_type(self, error: dict[str, Json]) -> str | None:
        """Name an error by its class and HTTP status: messages are texts, and vary."""
        if not error:
            return None
        name = self.document.text(error, "name") or "Error"
        code = self._http_code(error)
        return f"{name} {code}" if code else name

    def _http_code(self, error: dict[str, Json]) -> str | None:
        direct = self.document.get(error, "httpCode")
        if direct is not None and _HTTP_CODE.fullmatch(str(direct)):
            return str(direct)
        # Model nodes keep the status only at the start of the provider's own message.
        texts = (
            self.document.text(error, "messages", 0),
            self.document.text(error, "cause", "message"),
            self.document.text(error, "message"),
        )
        for text in texts:
            match = _HTTP_CODE.match(text) if text else None
            if match:
                return match[1]
        return None

    @property
    def last_node(self) -> str | None:
        """The node that ran last, which on failure is the one that failed."""
        return self.document.text(self.document.root, "resultData", "lastNodeExecuted")

    @property
    def parent_execution_id(self) -> str | None:
        """The execution that called this one, as sub-workflow or error workflow."""
        return self.document.text(self.document.root, "parentExecution", "executionId")

    @property
    def trigger_node_type(self) -> str | None:
        """The type of the node that started it."""
        return self.document.text(
            self.document.root, "executionData", "runtimeData", "triggerNode", "type"
        )

    def ran_into_time_limit(self, execution: Execution) -> bool:
        """Whether a canceled execution was ended by its time limit, where n8n lets one tell.

        n8n stores a timeout as `canceled`. A person's stop leaves an error in the run data, and so
        does a timeout in some versions; without one, it is a timeout if the workflow's own limit
        was reached, or if the run data is of the version that always names a person's stop.
        """
        if self.error:
            return "timeout" in (self.document.text(self.error, "name") or "").lower()
        settings = self.workflow.get("settings")
        limit = settings.get("executionTimeout") if isinstance(settings, dict) else None
        if (
            isinstance(limit, int | float)
            and limit > 0
            and execution.started_at
            and execution.finished_at
        ):
            return (execution.finished_at - execution.started_at).total_seconds() >= limit
        return self.document.get(self.document.root, "version") is not None
