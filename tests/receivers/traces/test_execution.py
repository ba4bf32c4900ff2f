"""Which span is the execution's, whether it has come, and what it says of the run."""

from datetime import timedelta

import pytest

from exporter.receivers.traces.conclusion import concluded
from exporter.records import ExecutionStatus, Span, WholeExecution
from exporter.settings import TracesSettings
from tests.receivers.traces.made_spans import (
    CHAT,
    TRACE,
    at,
    conclude,
    exception,
    execution_of,
    made,
    steps_of,
)

NAMED = {"aiwf.workflow": "billing"}


def test_a_root_that_has_come_is_the_execution() -> None:
    execution = execution_of(made("a", name="nightly", took=3), made("b", "a", begun=1))

    assert (execution.execution_id, execution.trace_id) == (TRACE, TRACE)
    assert (execution.workflow, execution.workflow_id) == ("nightly", "nightly")
    assert execution.status is ExecutionStatus.SUCCESS
    assert (execution.started_at, execution.finished_at) == (at(0), at(3))


def test_the_top_most_span_that_names_a_workflow_is_the_execution() -> None:
    spans = (
        made("a", name="POST /runs", kind="server", took=9),
        made("b", "a", begun=1, took=5, said=NAMED),
        made("c", "b", begun=2, said=NAMED),
    )
    execution = execution_of(*spans)
    steps = steps_of(*spans)

    assert (execution.workflow, execution.created_at) == ("billing", at(1))
    assert execution.finished_at == at(6)
    assert execution.trigger == "http"
    assert {step_id: step.parent_step_id for step_id, step in steps.items()} == {
        "a": None,
        "c": None,
    }


def test_of_several_workflows_the_root_is_the_execution() -> None:
    execution = execution_of(
        made("a", name="cron", took=9),
        made("b", "a", said={"aiwf.workflow": "one"}),
        made("c", "a", said={"aiwf.workflow": "two"}),
    )

    assert (execution.workflow, execution.created_at) == ("cron", at(0))


def test_a_name_that_baggage_copied_onto_every_child_names_the_run() -> None:
    execution = execution_of(
        made("a", name="POST /runs", took=9),
        made("b", "a", said=NAMED),
        made("c", "a", begun=2, said=NAMED),
    )

    assert (execution.workflow, execution.finished_at) == ("billing", at(9))


def test_a_single_model_call_that_names_the_workflow_is_not_the_run() -> None:
    execution = execution_of(made("a", took=9), made("b", "a", took=2, said={**CHAT, **NAMED}))

    assert (execution.workflow, execution.finished_at) == ("billing", at(9))


@pytest.mark.parametrize(
    ("said", "workflow"),
    [
        ({"aiwf.workflow": "a", "gen_ai.workflow.name": "b"}, "a"),
        ({"gen_ai.operation.name": "invoke_workflow", "gen_ai.workflow.name": "b"}, "b"),
        ({"traceloop.span.kind": "workflow", "traceloop.workflow.name": "c"}, "c"),
        ({"n8n.workflow.name": "d", "n8n.workflow.id": "77"}, "d"),
        ({"airflow.dag_id": "e"}, "e"),
        ({"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "f"}, "f"),
        ({"openinference.span.kind": "AGENT", "agent.name": "g"}, "g"),
        ({"aiwf.workflow": ["no", "name"]}, "root"),
        ({"aiwf.workflow": ""}, "root"),
        ({}, "root"),
    ],
)
def test_a_workflow_is_named_in_every_dialect(said: dict[str, object], workflow: str) -> None:
    assert execution_of(made("a", name="root", said=said)).workflow == workflow


# --- What has not come yet -----------------------------------------------------------------------


def test_a_run_whose_root_has_not_come_is_running() -> None:
    execution = execution_of(made("b", "a", begun=2), made("c", "a", begun=1))

    assert execution.status is ExecutionStatus.RUNNING
    assert (execution.created_at, execution.finished_at) == (at(1), None)
    assert execution.workflow == "writer", "of its service, until its own name has come"


def test_a_child_with_the_workflows_name_does_not_end_the_run() -> None:
    """OpenLLMetry writes the name on every span, and the innermost end first."""
    child = made("c", "b", said={"traceloop.workflow.name": "joke", "traceloop.span.kind": "task"})
    execution = execution_of(child)

    assert (execution.status, execution.workflow) == (ExecutionStatus.RUNNING, "joke")


def test_a_root_that_never_came_leaves_the_run_pruned() -> None:
    execution = execution_of(made("b", "a"), is_over=True)

    assert execution.status is ExecutionStatus.PRUNED
    assert execution.error_message == "its root span never came"
    assert (execution.error_type, execution.finished_at) == (None, None)


def test_a_workflow_whose_parent_never_came_ends_by_itself_after_the_silence() -> None:
    workflow = made("b", "a", said=NAMED, took=4)
    below = made("c", "b")

    assert execution_of(workflow, below).status is ExecutionStatus.RUNNING
    over = execution_of(workflow, below, is_over=True)
    assert (over.status, over.workflow, over.finished_at) == (
        ExecutionStatus.SUCCESS,
        "billing",
        at(4),
    )


@pytest.mark.parametrize(
    "more", [{"is_parent_remote": True}, {"kind": "server"}, {"kind": "consumer"}]
)
def test_a_span_that_was_called_from_elsewhere_is_a_root(more: dict[str, object]) -> None:
    execution = execution_of(made("b", "a", name="handle", **more))

    assert (execution.status, execution.workflow) == (ExecutionStatus.SUCCESS, "handle")


def test_while_a_caller_of_ours_has_not_come_what_it_called_is_no_root() -> None:
    called = made("c", "b", kind="server")
    sibling = made("d", "a")  # of the caller's process

    assert execution_of(called, sibling).status is ExecutionStatus.RUNNING
    assert execution_of(called, sibling, is_over=True).status is ExecutionStatus.SUCCESS
    with_root = (made("a", name="caller", took=9), made("b", "a"), called, sibling)
    assert execution_of(*with_root).workflow == "caller"


def test_of_several_roots_the_earliest_is_the_execution() -> None:
    execution = execution_of(made("b", name="late", begun=1), made("a", name="early"))

    assert execution.workflow == "early"


def test_the_time_key_moves_when_the_root_comes() -> None:
    [whole, *_] = concluded(
        "otel",
        [made("a", took=5), made("b", "a", begun=1)],
        TracesSettings(),
        stored_created_at=at(1),
        is_over=False,
    )

    assert isinstance(whole, WholeExecution)
    assert (whole.created_at, whole.stored_created_at) == (at(0), at(1))


def test_spans_below_themselves_are_read_all_the_same() -> None:
    spans = (
        made("a", "c", begun=0),
        made("b", "a", begun=1),
        made("c", "b", begun=2),
        made("d", "d", begun=3),
    )

    assert execution_of(*spans).created_at == at(0)
    assert set(steps_of(*spans)) == {"b", "c", "d"}


def test_of_two_spans_with_one_id_the_one_that_ended_later_counts() -> None:
    short, long = made("a", name="short", took=1), made("a", name="long", took=2)

    assert execution_of(short, long) == execution_of(long, short)
    assert execution_of(short, long).workflow == "long"


# --- How it ended --------------------------------------------------------------------------------


def test_a_failed_run_tells_type_message_stack_and_step() -> None:
    spans = (
        made(
            "a",
            took=9,
            is_error=True,
            status_message="sections failed",
            events=(exception("KeyError", "no such section", "Traceback …"),),
        ),
        made("b", "a", name="first try", is_error=True, took=1),
        made("c", "a", name="outer", is_error=True, begun=2, took=3),
        made("d", "c", name="last try", is_error=True, begun=2, took=2),
    )
    execution = execution_of(*spans)

    assert execution.status is ExecutionStatus.ERROR
    assert (execution.error_type, execution.error_message) == ("KeyError", "no such section")
    assert execution.error_step == "last try"
    assert execution.attributes["error_stack"] == "Traceback …"


def test_a_failure_that_was_handled_is_no_failure_of_the_run() -> None:
    execution = execution_of(made("a", took=9), made("b", "a", is_error=True))

    assert (execution.status, execution.error_step) == (ExecutionStatus.SUCCESS, None)


def test_an_exception_that_was_recorded_and_handled_is_no_error() -> None:
    span = made("a", events=(exception("ValueError", "tried once more"),))

    assert execution_of(span).status is ExecutionStatus.SUCCESS


@pytest.mark.parametrize(
    "kind", ["asyncio.exceptions.CancelledError", "System.OperationCanceledException", "AbortError"]
)
def test_a_cancellation_is_no_error(kind: str) -> None:
    span = made("a", is_error=True, events=(exception(kind, ""),))

    assert execution_of(span).status is ExecutionStatus.CANCELED


def test_a_long_stack_keeps_its_two_ends() -> None:
    stack = "first line\n" + "x" * 20_000 + "\nlast line"
    span = made("a", is_error=True, events=(exception("E", "m", stack),))
    kept = execution_of(span).attributes["error_stack"]

    assert isinstance(kept, str)
    assert len(kept) <= 8_000
    assert (kept.startswith("first line"), kept.endswith("last line")) == (True, True)


# --- What it was for -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "said",
    [
        {"aiwf.customer": "acme"},
        {"customer.id": "acme"},
        {"customer_id": "acme"},
        {"tenant.id": "acme"},
        {"traceloop.association.properties.customer_id": "acme"},
        {"metadata": '{"customer": "acme", "other": [1]}'},
        {"ai.telemetry.metadata.customer_id": "acme"},
        {"n8n.workflow.custom.customer": "acme"},
    ],
)
def test_a_customer_is_named_in_every_dialect(said: dict[str, object]) -> None:
    assert execution_of(made("a", said=said)).customer == "acme"


def test_own_names_of_dimensions_come_first() -> None:
    settings = TracesSettings(customer=("shop",), project=("stack",), team=("squad",))
    span = made(
        "a",
        said={"shop": 17, "aiwf.customer": "no", "stack": "web", "squad": "blue", "team": "no"},
    )
    execution = execution_of(span, settings=settings)

    assert (execution.customer, execution.project, execution.team) == ("17", "web", "blue")


def test_what_the_execution_leaves_open_other_spans_and_the_resource_tell() -> None:
    resource = {"service.name": "writer", "service.namespace": "shop", "aiwf.team": "blue"}
    execution = execution_of(
        made("a", took=9, resource=resource),
        made("c", "a", begun=2, said={"aiwf.customer": "later"}),
        made("b", "a", begun=1, said={"aiwf.customer": "earlier"}),
    )

    assert execution.customer == "earlier"
    assert (execution.project, execution.team) == ("shop", "blue")


def test_metadata_that_is_no_object_names_nobody() -> None:
    for metadata in ("[1, 2]", "{broken", 7, None, '"text"'):
        assert execution_of(made("a", said={"metadata": metadata})).customer is None


def test_attributes_of_ours_fill_their_columns() -> None:
    span = made(
        "a",
        said={
            "aiwf.workflow": "billing",
            "aiwf.workflow.id": "wf-7",
            "aiwf.workflow.version": 4,
            "aiwf.trigger": "schedule",
            "aiwf.tags": ["nightly", "eu"],
            "aiwf.items.total": 120,
            "aiwf.items.failed": 3,
            "aiwf.retry_of": "r-1",
            "aiwf.parent_execution_id": "p-1",
            "input.value": "all open invoices",
            "output.value": '{"sent": 117}',
            "region": "eu-west",
        },
    )
    execution = execution_of(span)

    assert (execution.workflow_id, execution.workflow_version) == ("wf-7", "4")
    assert (execution.trigger, execution.tags) == ("schedule", ("nightly", "eu"))
    assert (execution.items_total, execution.items_failed) == (120, 3)
    assert (execution.retry_of, execution.parent_execution_id) == ("r-1", "p-1")
    assert (execution.input, execution.output) == ("all open invoices", '{"sent": 117}')
    assert execution.attributes == {"region": "eu-west", "service.name": "writer"}


def test_the_version_is_the_services_where_the_workflow_names_none() -> None:
    resource = {"service.version": "2.1", "deployment.environment.name": "production"}
    execution = execution_of(made("a", resource=resource))

    assert execution.workflow_version == "2.1"
    assert execution.attributes["deployment.environment.name"] == "production"


def test_attributes_are_kept_within_bounds() -> None:
    said = {f"key {number}": "x" * 5_000 for number in range(500)}
    execution = execution_of(made("a", said=said))

    assert len(execution.attributes) < 100
    assert all(len(str(value)) <= 1_000 for value in execution.attributes.values())


def test_a_deep_trace_is_read_in_time_that_grows_with_it() -> None:
    chain = [made("0", took=1, said=NAMED)]
    chain += [
        made(str(number), str(number - 1), begun=number * 1e-4, said=CHAT)
        for number in range(1, 5_000)
    ]
    records = conclude(*chain)

    assert len(records) == 1 + 1 + 4_999 + 1, "the whole, the execution, steps, the innermost call"


def test_a_wide_trace_of_orphans_is_read() -> None:
    spans: list[Span] = [made(f"s{number}", f"p{number}") for number in range(2_000)]

    assert execution_of(*spans).status is ExecutionStatus.RUNNING
    assert execution_of(*spans).created_at == at(0)


def test_a_trace_has_the_duration_of_its_execution() -> None:
    execution = execution_of(made("a", took=0.0455))

    assert execution.finished_at == at(0) + timedelta(milliseconds=45.5)
