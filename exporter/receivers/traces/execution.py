"""A trace → its execution."""

from collections.abc import Iterator
from datetime import datetime

from exporter.receivers.traces.attribute_values import Attributes, count, text, text_of
from exporter.receivers.traces.dialects import step_name
from exporter.receivers.traces.execution_span import Found
from exporter.receivers.traces.failures import Failure, failure_of
from exporter.receivers.traces.messages import given, result
from exporter.receivers.traces.purpose import Purpose
from exporter.receivers.traces.steps import bounded, failed_last
from exporter.receivers.traces.tree import Tree, ended_at
from exporter.records import Execution, ExecutionStatus, Json, Span

_N8N_STATUS = {
    "success": ExecutionStatus.SUCCESS,
    "error": ExecutionStatus.ERROR,
    "crashed": ExecutionStatus.CRASHED,
    "canceled": ExecutionStatus.CANCELED,
}
_TRIGGERS = {"server": "http", "consumer": "queue"}
_VERSIONS = (
    "aiwf.workflow.version",
    "gen_ai.workflow.version",
    "gen_ai.agent.version",
    "n8n.workflow.version_id",
    "traceloop.entity.version",
)
_OF_RESOURCE = (
    "service.name",
    "service.version",
    "service.namespace",
    "deployment.environment.name",
    "deployment.environment",
    "n8n.instance.id",
)
_IN_COLUMNS = frozenset(
    {
        *_VERSIONS,
        "aiwf.workflow",
        "aiwf.workflow.id",
        "aiwf.customer",
        "aiwf.project",
        "aiwf.team",
        "aiwf.trigger",
        "aiwf.tags",
        "aiwf.items.total",
        "aiwf.items.failed",
        "aiwf.retry_of",
        "aiwf.parent_execution_id",
        "tag.tags",
        "n8n.workflow.id",
        "n8n.workflow.name",
        "n8n.execution.retry_of",
        "error.type",
    }
)
_MOST_TAGS = 32
_NO_ROOT = "its root span never came"


def execution_of(
    source: str,
    tree: Tree,
    found: Found,
    purpose: Purpose,
    created_at: datetime,
    *,
    is_over: bool,
) -> Execution:
    """Return the execution, as far as its spans tell."""
    span = found.span
    first = tree.spans[0]
    told: Attributes = span.attributes if span else {}
    resource = (span or first).resource
    failure = None if span is None else failure_of(span)
    status = _status(span, failure, is_over)
    workflow = found.workflow or _fallback_name(tree, span)
    failed = (
        failed_last(tree, span)
        if status in {ExecutionStatus.ERROR, ExecutionStatus.CRASHED}
        else None
    )
    return Execution(
        source=source,
        execution_id=first.trace_id,
        trace_id=first.trace_id,
        created_at=created_at,
        workflow_id=text(told, "aiwf.workflow.id", "n8n.workflow.id") or workflow,
        workflow=workflow,
        workflow_version=_version(told, resource),
        status=status,
        started_at=created_at,
        finished_at=ended_at(span) if span is not None and status.is_final else None,
        trigger=_trigger(tree, span),
        error_type=None if failure is None else failure.error_type,
        error_message=_error_message(status, failure),
        error_step=None if failed is None else step_name(failed),
        retry_of=text(told, "aiwf.retry_of", "n8n.execution.retry_of"),
        parent_execution_id=text(told, "aiwf.parent_execution_id"),
        customer=purpose.customer,
        project=purpose.project,
        team=purpose.team,
        tags=tuple(_tags(told)),
        attributes=_attributes(told, resource, failure),
        items_total=count(told, "aiwf.items.total"),
        items_failed=count(told, "aiwf.items.failed"),
        input=None if span is None else given(span),
        output=None if span is None else result(span),
    )


def _status(span: Span | None, failure: Failure | None, is_over: bool) -> ExecutionStatus:
    if span is None:
        return ExecutionStatus.PRUNED if is_over else ExecutionStatus.RUNNING
    state = span.attributes.get("n8n.execution.status")
    if isinstance(state, str) and state in _N8N_STATUS:
        return _N8N_STATUS[state]
    if state == "waiting":  # what comes after the pause is a trace of its own
        return ExecutionStatus.SUCCESS if is_over else ExecutionStatus.WAITING
    if failure is not None:
        return failure.status
    has_failed = span.attributes.get("airflow.dag_run.state") == "failed"
    return ExecutionStatus.ERROR if has_failed else ExecutionStatus.SUCCESS


def _fallback_name(tree: Tree, span: Span | None) -> str:
    """Name a workflow that no attribute names: by its agent or root, else by its service."""
    first = tree.spans[0]
    service = first.service if not first.service.startswith("unknown_service") else ""
    if span is None:
        return service or first.name or "unnamed"
    said = span.attributes
    agent = text(said, "gen_ai.agent.name", "agent.name")
    is_agent = said.get("gen_ai.operation.name") == "invoke_agent"
    is_agent = is_agent or said.get("openinference.span.kind") == "AGENT"
    return (agent if is_agent else None) or span.name or service or "unnamed"


def _version(told: Attributes, resource: Attributes) -> str | None:
    version = text(told, *_VERSIONS)
    if version is None and "n8n.workflow.id" not in told:  # there, the service is n8n itself
        version = text(resource, "service.version")
    return version


def _trigger(tree: Tree, span: Span | None) -> str | None:
    if span is None:
        return None
    told = text(span.attributes, "aiwf.trigger", "n8n.execution.mode")
    if told is not None:
        return told
    *_, top = (span, *tree.ancestors(span))
    return _TRIGGERS.get(top.kind)


def _error_message(status: ExecutionStatus, failure: Failure | None) -> str | None:
    if failure is not None:
        return failure.message
    return _NO_ROOT if status is ExecutionStatus.PRUNED else None


def _tags(told: Attributes) -> Iterator[str]:
    for key in ("aiwf.tags", "tag.tags"):
        value = told.get(key)
        if isinstance(value, str):
            value = list(value.strip("[]").split(","))
        for item in value[:_MOST_TAGS] if isinstance(value, list) else []:
            tag = text_of(item.strip(" \"'") if isinstance(item, str) else item)
            if tag is not None:
                yield tag


def _attributes(told: Attributes, resource: Attributes, failure: Failure | None) -> dict[str, Json]:
    kept: dict[str, Json] = bounded(
        {key: value for key, value in told.items() if key not in _IN_COLUMNS}
    )
    for key in _OF_RESOURCE:
        if key in resource:
            kept.setdefault(key, text(resource, key))
    if failure is not None and failure.stack:
        kept["error_stack"] = failure.stack
    return kept
