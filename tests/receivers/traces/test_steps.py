"""Spans below the execution's: kinds, failures, tries, and what went in and came out."""

import pytest

from exporter.records import ExecutionStatus, Span, SpanEvent, Step, StepKind
from tests.receivers.traces.made_spans import CHAT, at, exception, made, steps_of


def step_of(*spans: Span) -> Step:
    return steps_of(made("a", took=9), *spans)["b"]


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ({"gen_ai.operation.name": "chat"}, StepKind.LLM),
        ({"gen_ai.operation.name": "embeddings"}, StepKind.LLM),
        ({"gen_ai.operation.name": "execute_tool"}, StepKind.TOOL),
        ({"gen_ai.operation.name": "invoke_agent"}, StepKind.WORKFLOW),
        ({"gen_ai.operation.name": "retrieval"}, StepKind.RETRIEVAL),
        ({"openinference.span.kind": "TOOL"}, StepKind.TOOL),
        ({"openinference.span.kind": "RETRIEVER"}, StepKind.RETRIEVAL),
        ({"openinference.span.kind": "CHAIN"}, StepKind.WORKFLOW),
        ({"traceloop.span.kind": "task"}, StepKind.CODE),
        ({"traceloop.span.kind": "tool"}, StepKind.TOOL),
        ({"mcp.method.name": "tools/call"}, StepKind.TOOL),
        ({"http.request.method": "GET"}, StepKind.HTTP),
        ({"http.method": "GET"}, StepKind.HTTP),
        ({"db.system.name": "postgresql"}, StepKind.DATABASE),
        ({"db.system": "redis"}, StepKind.DATABASE),
        ({"db.system": "qdrant"}, StepKind.RETRIEVAL),
        ({"n8n.node.type": "n8n-nodes-base.httpRequest"}, StepKind.HTTP),
        ({"airflow.task_id": "load"}, StepKind.CODE),
        ({"openinference.span.kind": ["LLM"]}, StepKind.OTHER),
        ({}, StepKind.OTHER),
    ],
)
def test_the_kind_of_a_step_is_read_in_every_dialect(
    said: dict[str, object], kind: StepKind
) -> None:
    assert step_of(made("b", "a", said=said)).kind is kind


def test_what_a_server_or_a_consumer_took_in_is_a_trigger() -> None:
    served = made("b", "a", kind="server", said={"http.request.method": "POST"})

    assert step_of(served).kind is StepKind.TRIGGER
    assert step_of(made("b", "a", kind="consumer")).kind is StepKind.TRIGGER


def test_a_step_lies_below_its_parent_and_not_below_the_execution() -> None:
    steps = steps_of(made("a", took=9), made("b", "a"), made("c", "b"), made("d", "gone"))

    assert [steps[key].parent_step_id for key in "bcd"] == [None, "b", None]


def test_a_failed_step_tells_type_message_and_stack() -> None:
    span = made(
        "b",
        "a",
        is_error=True,
        status_message="unused",
        events=(exception("ValueError", "no number", "Traceback …"),),
    )
    step = step_of(span)

    assert step.status is ExecutionStatus.ERROR
    assert (step.error_type, step.error_message) == ("ValueError", "no number")
    assert step.attributes["error_stack"] == "Traceback …"
    without = step_of(made("b", "a", is_error=True, status_message="as the status says"))
    assert (without.error_type, without.error_message) == (None, "as the status says")


@pytest.mark.parametrize(
    ("said", "attempt"),
    [
        ({"aiwf.attempt": 3}, 3),
        ({"airflow.task_instance.try_number": 2}, 2),
        ({"http.request.resend_count": 2}, 3),
        ({"aiwf.attempt": 0}, 1),
        ({"aiwf.attempt": "many"}, 1),
        ({}, 1),
    ],
)
def test_tries_are_counted_from_one(said: dict[str, object], attempt: int) -> None:
    assert step_of(made("b", "a", said=said)).attempt == attempt


@pytest.mark.parametrize(
    ("said", "given", "result"),
    [
        (
            {"gen_ai.tool.call.arguments": '{"id": 7}', "gen_ai.tool.call.result": "shipped"},
            '{"id": 7}',
            "shipped",
        ),
        (
            {"traceloop.entity.input": '{"args": [7]}', "traceloop.entity.output": '"shipped"'},
            '{"args": [7]}',
            '"shipped"',
        ),
        ({"input.value": "7", "output.value": "shipped"}, "7", "shipped"),
        ({"ai.toolCall.args": "7", "ai.toolCall.result": "shipped"}, "7", "shipped"),
        (
            {
                "input.value": "where?",
                "retrieval.documents.1.document.content": "second",
                "retrieval.documents.0.document.content": "first",
            },
            "where?",
            "first\n\nsecond",
        ),
        ({}, None, None),
    ],
)
def test_what_went_in_and_came_out_is_read_in_every_dialect(
    said: dict[str, object], given: str | None, result: str | None
) -> None:
    step = step_of(made("b", "a", said=said))

    assert (step.input, step.output) == (given, result)
    assert not step.attributes


def test_prompts_and_answers_stay_with_the_call() -> None:
    said = {**CHAT, "gen_ai.input.messages": "asked", "gen_ai.output.messages": "answered"}
    step = step_of(made("b", "a", said=said))

    assert (step.input, step.output) == (None, None)
    assert step.attributes == CHAT


def test_events_of_note_are_kept_and_those_told_elsewhere_are_not() -> None:
    span = made(
        "b",
        "a",
        begun=1,
        events=(
            exception("E", "m"),
            SpanEvent(name="gen_ai.user.message", at=at(1)),
            SpanEvent(name="retry", at=at(1.5), attributes={"wait": 2, "name": "unused"}),
        ),
    )

    assert step_of(span).attributes["events"] == [
        {"name": "retry", "after_seconds": 0.5, "wait": 2}
    ]


def test_a_step_of_another_service_and_kind_says_so() -> None:
    span = made("b", "a", kind="client", service="mailer", resource={"service.name": "mailer"})

    assert step_of(span).attributes == {"span.kind": "client", "service.name": "mailer"}


def test_items_are_counted_where_they_are_told() -> None:
    said = {"aiwf.items.in": 10, "aiwf.items.out": 8, "aiwf.items.failed": 2}
    step = step_of(made("b", "a", said=said))

    assert (step.items_in, step.items_out, step.items_failed) == (10, 8, 2)


def test_a_step_without_a_name_has_one() -> None:
    assert step_of(made("b", "a", name="")).name == "unnamed"
