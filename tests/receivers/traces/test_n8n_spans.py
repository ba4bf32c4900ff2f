"""What n8n ≥ 2.19 sends, by its documentation and the attributes in its source.

https://docs.n8n.io/deploy/host-n8n/keep-n8n-running/trace-executions-with-opentelemetry/
"""

from collections.abc import Mapping
from datetime import timedelta

import pytest

from exporter.receivers.traces.otlp_protobuf import received
from exporter.records import ExecutionStatus, Span, StepKind
from tests.receivers.otlp_requests import BEGUN, Sent, as_protobuf, span_id
from tests.receivers.traces.made_spans import calls_of, execution_of, steps_of

RESOURCE = {
    "service.name": "n8n",
    "service.version": "2.41.0",
    "n8n.instance.id": "instance-1",
    "n8n.instance.role": "worker",
}
WORKFLOW: Mapping[str, object] = {
    "n8n.workflow.id": "wf-7",
    "n8n.workflow.name": "Answer tickets",
    "n8n.workflow.version_id": "3f2a",
    "n8n.workflow.node_count": 3,
    "n8n.execution.id": "1042",
    "n8n.project.id": "project-1",
    "n8n.workflow.custom.customer": "acme",
    "n8n.execution.mode": "webhook",
    "n8n.execution.status": "success",
    "n8n.execution.is_retry": False,
}


def node(number: int, name: str, node_type: str, **more: object) -> Sent:
    attributes = {
        "n8n.node.id": f"node-{number}",
        "n8n.node.name": name,
        "n8n.node.type": node_type,
        "n8n.node.type_version": 2,
        "n8n.node.items.input": 1,
        "n8n.node.items.output": number,
    }
    attributes.update(more.pop("attributes", {}))  # type: ignore[call-overload]
    return Sent(
        span_id=span_id(number),
        parent=span_id(1),
        name="node.execute",
        at_ms=number * 100,
        attributes=attributes,
        resource=RESOURCE,
        scope="n8n-workflow",
        **more,  # type: ignore[arg-type]
    )


def run_of(*nodes: Sent, error: str | None = None, **attributes: object) -> list[Span]:
    """Return the spans of an execution as they are decoded."""
    workflow = Sent(
        span_id=span_id(1),
        name="workflow.execute",
        took_ms=2_000,
        attributes={**WORKFLOW, **attributes},
        resource=RESOURCE,
        scope="n8n-workflow",
        error=error,
    )
    body = as_protobuf([workflow, *nodes])
    return received(body, "otel", BEGUN + timedelta(hours=1)).spans


def test_a_run_is_an_execution_of_its_workflow() -> None:
    execution = execution_of(*run_of())

    assert (execution.workflow, execution.workflow_id) == ("Answer tickets", "wf-7")
    assert (execution.workflow_version, execution.trigger) == ("3f2a", "webhook")
    assert (execution.project, execution.customer) == ("project-1", "acme")
    assert execution.status is ExecutionStatus.SUCCESS
    assert execution.attributes["n8n.execution.id"] == "1042"


def test_n8ns_own_version_is_not_the_workflows() -> None:
    unsaved = {"n8n.workflow.version_id": ""}

    assert execution_of(*run_of(**unsaved)).workflow_version is None


def test_nodes_are_steps_by_their_names_and_types() -> None:
    spans = run_of(
        node(2, "Webhook", "n8n-nodes-base.webhook"),
        node(3, "Look up", "n8n-nodes-base.postgres"),
        node(4, "Write answer", "@n8n/n8n-nodes-langchain.agent"),
    )
    steps = steps_of(*spans).values()

    assert [(step.name, step.kind) for step in steps] == [
        ("Webhook", StepKind.TRIGGER),
        ("Look up", StepKind.DATABASE),
        ("Write answer", StepKind.LLM),
    ]
    assert [(step.items_in, step.items_out) for step in steps] == [(1, 2), (1, 3), (1, 4)]


def test_a_failed_run_names_the_node_and_its_exception() -> None:
    failed = node(
        3,
        "Look up",
        "n8n-nodes-base.postgres",
        error="",
        events=(
            (
                "exception",
                350,
                {
                    "exception.type": "NodeOperationError",
                    "exception.message": "relation does not exist",
                    "exception.stacktrace": "NodeOperationError: …",
                },
            ),
        ),
    )
    status = {"n8n.execution.status": "error", "n8n.execution.error_type": "NodeOperationError"}
    spans = run_of(failed, error="", **status)
    [step] = steps_of(*spans).values()
    execution = execution_of(*spans)

    assert (step.error_type, step.error_message) == (
        "NodeOperationError",
        "relation does not exist",
    )
    assert execution.status is ExecutionStatus.ERROR
    assert (execution.error_type, execution.error_step) == ("NodeOperationError", "Look up")


@pytest.mark.parametrize("status", ["success", "error", "crashed", "canceled"])
def test_the_status_is_n8ns(status: str) -> None:
    """A canceled run has the span status OK."""
    assert execution_of(*run_of(**{"n8n.execution.status": status})).status == status


def test_a_run_that_waits_is_open_until_its_trace_falls_silent() -> None:
    """It goes on in another trace, which links to this one."""
    spans = run_of(**{"n8n.execution.status": "waiting"})

    assert execution_of(*spans).status is ExecutionStatus.WAITING
    assert execution_of(*spans).finished_at is None
    assert execution_of(*spans, is_over=True).status is ExecutionStatus.SUCCESS


def test_a_node_that_was_cut_off_is_canceled() -> None:
    reason = {"n8n.node.termination_reason": "workflow_cancelled"}
    spans = run_of(node(2, "Wait", "n8n-nodes-base.wait", error="", attributes=reason))
    [step] = steps_of(*spans).values()

    assert step.status is ExecutionStatus.CANCELED


def test_a_retry_names_the_run_it_repeats() -> None:
    again = {"n8n.execution.is_retry": True, "n8n.execution.retry_of": "1041"}

    assert execution_of(*run_of(**again)).retry_of == "1041"


def test_an_agents_calls_are_those_of_the_ai_sdk_below_it() -> None:
    agent = node(2, "Agent", "@n8n/n8n-nodes-langchain.agent")
    answer = Sent(
        span_id=span_id(3),
        parent=span_id(2),
        name="support-agent.generate",
        at_ms=210,
        took_ms=90,
        scope="@n8n/agents",
        attributes={
            "gen_ai.operation.name": "invoke_agent",
            "gen_ai.agent.name": "support-agent",
            "gen_ai.request.model": "openai/gpt-4o-mini",
            "gen_ai.prompt": "{}",
        },
    )
    whole = Sent(
        span_id=span_id(4),
        parent=span_id(3),
        name="ai.generateText",
        at_ms=211,
        took_ms=80,
        attributes={
            "ai.operationId": "ai.generateText",
            "ai.model.provider": "openai.chat",
            "ai.model.id": "gpt-4o-mini",
            "ai.usage.promptTokens": 12,
            "ai.usage.completionTokens": 5,
        },
    )
    call = Sent(
        span_id=span_id(5),
        parent=span_id(4),
        name="ai.generateText.doGenerate",
        at_ms=212,
        took_ms=70,
        attributes={
            "ai.operationId": "ai.generateText.doGenerate",
            "ai.model.provider": "openai.chat",
            "ai.model.id": "gpt-4o-mini",
            "ai.prompt.messages": '[{"role": "user", "content": "Look up customer 7"}]',
            "ai.response.text": "Customer 7 is new.",
            "ai.response.finishReason": "stop",
            "ai.usage.promptTokens": 12,
            "ai.usage.completionTokens": 5,
            "gen_ai.system": "openai.chat",
            "gen_ai.request.model": "gpt-4o-mini",
            "gen_ai.response.model": "gpt-4o-mini-2026-08-01",
            "gen_ai.usage.input_tokens": 12,
            "gen_ai.usage.output_tokens": 5,
        },
    )
    calls = calls_of(*run_of(agent, answer, whole, call))

    assert set(calls) == {span_id(5)}
    [found] = calls.values()
    assert (found.provider, found.model) == ("openai", "gpt-4o-mini-2026-08-01")
    assert (found.input_tokens, found.output_tokens) == (12, 5)
    assert (found.prompt, found.response) == ("user: Look up customer 7", "Customer 7 is new.")
    assert found.workflow == "Answer tickets"
