"""Node runs of n8n → steps, and how many items they worked on."""

from collections.abc import Iterator

from exporter.n8n_node_kinds import step_kind
from exporter.records import Execution, ExecutionStatus, Json, Step, StepKind
from exporter.sources.workflows.n8n import nodes
from exporter.sources.workflows.n8n.content import RunContent, failure_attributes
from exporter.sources.workflows.n8n.run_data import NodeRun, RunData

_STATUS = {
    "success": ExecutionStatus.SUCCESS,
    "error": ExecutionStatus.ERROR,
    "crashed": ExecutionStatus.CRASHED,
    "canceled": ExecutionStatus.CANCELED,
    "waiting": ExecutionStatus.WAITING,
    "running": ExecutionStatus.RUNNING,
}


def steps(data: RunData, execution: Execution, content: RunContent | None = None) -> Iterator[Step]:
    """Yield a step per node run; what copied runs of a retry received is told by the original."""
    content = content or RunContent(data)
    for run in data.node_runs:
        error = data.document.mapping(run.task, "error")
        status = _STATUS.get(data.document.text(run.task, "executionStatus") or "")
        is_sub_node = _is_sub_node(data, run)
        previous = _previous(data, run)
        yield Step(
            source=execution.source,
            execution_id=execution.execution_id,
            created_at=execution.created_at,
            step_id=run.step_id,
            parent_step_id=previous if is_sub_node else None,
            name=run.node,
            kind=step_kind(run.node_type) if run.node_type else StepKind.OTHER,
            status=status or (ExecutionStatus.ERROR if error else ExecutionStatus.SUCCESS),
            started_at=run.started_at,
            duration_seconds=run.duration_seconds,
            items_in=None if is_sub_node else _items_in(data, run),
            items_out=None if is_sub_node else _items_out(data, run),
            items_failed=_failed_items(data, run),
            error_type=data.error_type(error),
            error_message=data.document.text(error, "message") if error else None,
            copied_from=data.retry_of if run.copied else None,
            attributes=_step_attributes(data, run, previous if not is_sub_node else None),
            input=None if run.copied else content.input_of(run),
            output=None if run.copied else content.output_of(run),
        )


def _step_attributes(data: RunData, run: NodeRun, previous: str | None) -> dict[str, Json]:
    attributes: dict[str, Json] = {"node_type": run.node_type} if run.node_type else {}
    order = data.document.number(run.task, "executionIndex")
    if order is not None:
        attributes["execution_index"] = int(order)
    if previous:
        attributes["previous_step"] = previous
    child = data.document.text(run.task, "metadata", "subExecution", "executionId")
    if child:
        attributes["child_execution_id"] = child
    return attributes | failure_attributes(data, run)


def _is_sub_node(data: RunData, run: NodeRun) -> bool:
    outputs = data.document.mapping(run.task, "data")
    return (
        nodes.is_model_node(run.node_type)
        or bool(outputs and "main" not in outputs)
        or bool(not outputs and data.document.get(run.task, "inputOverride"))
    )


def _previous(data: RunData, run: NodeRun) -> str | None:
    source = data.document.mapping(run.task, "source", 0)
    name = data.document.text(source, "previousNode")
    if name is None:
        return None
    return f"{name}#{int(data.document.number(source, 'previousNodeRun') or 0)}"


def _outputs(data: RunData, run: NodeRun) -> list[list[Json]]:
    """Items of each main output, still as indexes."""
    outputs = data.document.items(run.task, "data", "main")
    return [output if isinstance(output, list) else [] for output in outputs]


def _items_out(data: RunData, run: NodeRun) -> int:
    return sum(map(len, _outputs(data, run)))


def _items_in(data: RunData, run: NodeRun) -> int:
    total = 0
    for source in data.document.items(run.task, "source"):
        name = data.document.text(source, "previousNode")
        if name is None:
            continue
        run_index = int(data.document.number(source, "previousNodeRun") or 0)
        output = int(data.document.number(source, "previousNodeOutput") or 0)
        items = data.document.get(
            data.document.root, "resultData", "runData", name, run_index, "data", "main", output
        )
        total += len(items) if isinstance(items, list) else 0
    return total


def _failed_items(data: RunData, run: NodeRun) -> int | None:
    """Count items that failed in a node that goes on after errors."""
    if run.tolerates_errors is None or _is_sub_node(data, run):
        return None
    outputs = _outputs(data, run)
    if run.tolerates_errors == "continueErrorOutput":
        return len(outputs[-1]) if len(outputs) > 1 else 0
    if run.tolerates_errors != "continueRegularOutput":
        return None
    return sum(
        "error" in data.document.mapping(item) or "error" in data.document.mapping(item, "json")
        for output in data.document.items(run.task, "data", "main")
        for item in data.document.items(output)
    )


def items(data: RunData) -> tuple[int, int]:
    """Return how many items the execution worked on, and how many failed without ending it.

    The first is the most that any one node took in (or, of a trigger, gave out); the second
    the sum over nodes that are set to go on after an error.
    """
    taken: dict[str, int] = {}
    failed = 0
    for run in data.node_runs:
        if _is_sub_node(data, run) or nodes.is_loop(run.node_type):
            continue
        taken[run.node] = taken.get(run.node, 0) + (_items_in(data, run) or _items_out(data, run))
        failed += _failed_items(data, run) or 0
    return max(taken.values(), default=0), failed
