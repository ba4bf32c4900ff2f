"""Run data of one n8n execution → steps, items, error and origin."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from exporter.records import Execution, ExecutionStatus, LlmCall, Operation, Step, StepKind
from exporter.sources.workflows.n8n.flatted import UnreadableRunDataError
from exporter.sources.workflows.n8n.llm_calls import llm_calls
from exporter.sources.workflows.n8n.run_data import RunData
from exporter.sources.workflows.n8n.steps import items, steps
from tests.unit.n8n_run_data import EXECUTION, LANGCHAIN, NOW, Task, item, node, run_data, task


def step(data: RunData, step_id: str, execution: Execution = EXECUTION) -> Step:
    return next(found for found in steps(data, execution) if found.step_id == step_id)


def calls(data: RunData, execution: Execution = EXECUTION) -> list[LlmCall]:
    return list(llm_calls(data, execution))


# --- errors --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        ({"name": "NodeApiError", "httpCode": "429"}, "NodeApiError 429"),
        ({"name": "NodeApiError", "httpCode": 503}, "NodeApiError 503"),
        ({"name": "NodeApiError", "httpCode": None}, "NodeApiError"),
        ({"name": "NodeApiError", "httpCode": "ECONNREFUSED"}, "NodeApiError"),
        ({"name": "NodeApiError", "httpCode": "200"}, "NodeApiError"),
        ({"name": "NodeApiError", "httpCode": {"odd": 1}}, "NodeApiError"),
        (
            {"name": "NodeApiError", "messages": ["401 Incorrect API key provided"]},
            "NodeApiError 401",
        ),
        (
            {"name": "NodeOperationError", "cause": {"message": "404 model not found"}},
            "NodeOperationError 404",
        ),
        ({"name": "Error", "message": "500 Internal Server Error"}, "Error 500"),
        ({"name": "Error", "message": "took 500 ms"}, "Error"),
        ({"name": "Error", "message": "order 4042 is unknown"}, "Error"),
        ({"name": "Error", "message": "4042 orders are unknown"}, "Error"),
        ({"name": "NodeOperationError", "message": "no"}, "NodeOperationError"),
        ({"message": "without a name"}, "Error"),
    ],
)
def test_an_error_is_named_by_class_and_http_code(error: Task, expected: str) -> None:
    data = run_data(error=error)

    assert expected == data.error_type(data.error)


def test_a_message_never_becomes_part_of_the_type() -> None:
    """Messages vary; each would be a series of its own."""
    data = run_data(
        error={"name": "NodeApiError", "message": "429 for customer 4711, retry in 3 s"}
    )

    assert "NodeApiError 429" == data.error_type(data.error)


def test_no_error_has_no_type() -> None:
    data = run_data()

    assert data.error_type(data.error) is None


def test_a_failed_step_keeps_its_type_and_message() -> None:
    data = run_data(
        {
            "HTTP": [
                task(
                    executionStatus="error",
                    error={"name": "NodeApiError", "httpCode": "429", "message": "slow down"},
                )
            ]
        }
    )

    found = step(data, "HTTP#0")

    assert (ExecutionStatus.ERROR, "NodeApiError 429", "slow down") == (
        found.status,
        found.error_type,
        found.error_message,
    )


def test_a_step_without_status_is_judged_by_its_error() -> None:
    failed = task(error={"name": "Error"})
    del failed["executionStatus"]
    fine = task([])
    del fine["executionStatus"]
    data = run_data({"A": [failed], "B": [fine]})

    assert ExecutionStatus.ERROR is step(data, "A#0").status
    assert ExecutionStatus.SUCCESS is step(data, "B#0").status


# --- time limits ---------------------------------------------------------------------------

CANCELED = replace(EXECUTION, status=ExecutionStatus.CANCELED)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("TimeoutExecutionCancelledError", True),
        ("ManualExecutionCancelledError", False),
        ("ExecutionCancelledError", False),
    ],
)
def test_a_cancellation_is_told_by_its_error(name: str, expected: bool) -> None:
    assert expected is run_data(error={"name": name}).ran_into_time_limit(CANCELED)


@pytest.mark.parametrize(("limit", "expected"), [(29, True), (30, True), (31, False)])
def test_without_an_error_the_workflows_own_limit_tells(limit: int, expected: bool) -> None:
    data = run_data(settings={"executionTimeout": limit})

    assert expected is data.ran_into_time_limit(CANCELED)


@pytest.mark.parametrize("limit", [-1, 0, None, "30", [30]])
def test_a_limit_that_is_none_tells_nothing(limit: object) -> None:
    data = run_data(settings={"executionTimeout": limit})

    assert not data.ran_into_time_limit(CANCELED)


def test_run_data_that_always_names_a_stop_by_hand_tells_a_timeout() -> None:
    assert run_data(version=1).ran_into_time_limit(CANCELED)
    assert not run_data().ran_into_time_limit(CANCELED)


def test_an_execution_without_times_reached_no_limit() -> None:
    data = run_data(settings={"executionTimeout": 1})

    assert not data.ran_into_time_limit(replace(CANCELED, finished_at=None))


# --- items ---------------------------------------------------------------------------------


def batch(size: int) -> list[Task]:
    return [item(n=number) for number in range(size)]


def test_items_are_the_most_that_one_node_took_in() -> None:
    data = run_data(
        {
            "Trigger": [task(batch(1))],
            "Split": [task(batch(10), after="Trigger")],
            "Send": [task(batch(10), after="Split")],
        }
    )

    assert (10, 0) == items(data)


def test_a_trigger_counts_what_it_gives_out() -> None:
    assert (7, 0) == items(run_data({"Trigger": [task(batch(7))]}))


def test_a_loop_counts_its_items_once() -> None:
    """Ten items pass a loop in four rounds; the loop node itself sees them twice over."""
    rounds = [3, 3, 3, 1]
    data = run_data(
        {
            "Read": [task(batch(10))],
            "Loop": [
                task([], batch(size), after="Read" if number == 0 else "Work", run=number)
                for number, size in enumerate(rounds)
            ],
            "Work": [
                task(batch(size), after="Loop", run=number, output=1)
                for number, size in enumerate(rounds)
            ],
        },
        nodes=[node("Loop", "n8n-nodes-base.splitInBatches")],
    )

    assert (10, 0) == items(data)


def test_items_of_the_output_that_was_taken_are_counted() -> None:
    data = run_data(
        {
            "If": [task(batch(2), batch(5))],
            "Yes": [task(batch(2), after="If", output=0)],
            "No": [task(batch(5), after="If", output=1)],
        }
    )

    assert (2, 5) == (step(data, "Yes#0").items_in, step(data, "No#0").items_in)


def test_items_that_failed_in_a_node_that_goes_on_are_counted() -> None:
    outputs = [item(ok=1), {"json": {"error": "429"}}, {"json": {}, "error": {"name": "Error"}}]
    data = run_data(
        {"Read": [task(batch(3))], "Send": [task(outputs, after="Read")]},
        nodes=[node("Send", onError="continueRegularOutput")],
    )

    assert (3, 2) == items(data)
    assert 2 == step(data, "Send#0").items_failed


def test_the_error_output_of_a_node_holds_its_failed_items() -> None:
    data = run_data(
        {"Read": [task(batch(5))], "Send": [task(batch(3), batch(2), after="Read")]},
        nodes=[node("Send", onError="continueErrorOutput")],
    )

    assert (5, 2) == items(data)


def test_an_old_node_that_continues_on_fail_counts_its_failed_items() -> None:
    data = run_data({"Send": [task([item(error="no")])]}, nodes=[node("Send", continueOnFail=True)])

    assert 1 == step(data, "Send#0").items_failed


def test_an_error_field_in_a_node_that_stops_on_errors_is_just_data() -> None:
    data = run_data({"Read": [task([item(error="a word in a row")])]}, nodes=[node("Read")])

    assert (1, 0) == items(data)
    assert step(data, "Read#0").items_failed is None


def test_an_output_that_gave_nothing_is_empty() -> None:
    data = run_data({"If": [task(None, batch(2))]})

    assert 2 == step(data, "If#0").items_out


def test_an_execution_without_runs_has_no_items() -> None:
    assert (0, 0) == items(run_data())


def test_items_of_model_sub_nodes_are_not_items_of_the_batch() -> None:
    model = task(after="Agent", data={"ai_languageModel": [[item(response={})] * 50]})
    data = run_data({"Agent": [task(batch(1))], "Model": [model]})

    assert (1, 0) == items(data)
    assert (None, None) == (step(data, "Model#0").items_in, step(data, "Model#0").items_out)


# --- steps ---------------------------------------------------------------------------------


def test_every_run_of_a_node_is_a_step_of_its_own() -> None:
    data = run_data({"Work": [task(batch(1)), task(batch(1))], "End": [task(batch(1))]})

    assert ["Work#0", "Work#1", "End#0"] == [found.step_id for found in steps(data, EXECUTION)]


def test_a_step_knows_its_time_kind_and_predecessor() -> None:
    data = run_data(
        {"Read": [task(batch(1))], "Call": [task(batch(1), after="Read", executionIndex=3)]},
        nodes=[node("Call", "n8n-nodes-base.httpRequest")],
    )

    found = step(data, "Call#0")

    assert (NOW, 0.25, StepKind.HTTP) == (found.started_at, found.duration_seconds, found.kind)
    assert {
        "node_type": "n8n-nodes-base.httpRequest",
        "execution_index": 3,
        "previous_step": "Read#0",
    } == found.attributes


def test_a_sub_node_belongs_to_the_node_it_served() -> None:
    model = task(after="Agent", run=1, data={"ai_languageModel": [[item(response={})]]})

    found = step(run_data({"Model": [model]}), "Model#0")

    assert "Agent#1" == found.parent_step_id
    assert "previous_step" not in found.attributes


def test_a_sub_node_that_failed_before_it_answered_belongs_to_its_parent_too() -> None:
    failed = task(after="Agent", inputOverride={"ai_tool": []}, executionStatus="error")
    del failed["data"]

    assert "Agent#0" == step(run_data({"Tool": [failed]}), "Tool#0").parent_step_id


def test_a_step_that_called_another_workflow_names_its_execution() -> None:
    called = task(batch(1), metadata={"subExecution": {"executionId": "99", "workflowId": "x"}})

    assert "99" == step(run_data({"Call": [called]}), "Call#0").attributes["child_execution_id"]


def test_a_node_that_is_not_in_the_snapshot_is_a_step_of_other_kind() -> None:
    assert StepKind.OTHER is step(run_data({"Gone": [task(batch(1))]}), "Gone#0").kind


def test_a_run_that_n8n_rebuilt_after_a_crash_has_seconds_and_no_duration() -> None:
    rebuilt = task(batch(1), startTime=round(NOW.timestamp()), executionTime=0)

    found = step(run_data({"Work": [rebuilt]}), "Work#0")

    assert (NOW, None) == (found.started_at, found.duration_seconds)


@pytest.mark.parametrize("start", [None, "x", [], {}])
def test_a_run_without_a_start_is_a_step_without_one(start: object) -> None:
    assert step(run_data({"Work": [task(batch(1), startTime=start)]}), "Work#0").started_at is None


@pytest.mark.parametrize("start", [1e20, -1e20, 10**18])
def test_a_start_that_is_no_time_is_unreadable(start: float) -> None:
    with pytest.raises(UnreadableRunDataError):
        list(steps(run_data({"Work": [task(batch(1), startTime=start)]}), EXECUTION))


# --- retries -------------------------------------------------------------------------------

RETRY = replace(EXECUTION, retry_of="6", trigger="retry")
EARLIER = NOW - timedelta(minutes=5)


def test_runs_that_a_retry_copied_name_the_execution_that_ran_them() -> None:
    data = run_data(
        {"Read": [task(batch(1), at=EARLIER)], "Send": [task(batch(1), after="Read")]},
        execution=RETRY,
    )

    assert "6" == step(data, "Read#0", RETRY).copied_from
    assert step(data, "Send#0", RETRY).copied_from is None


def test_calls_of_copied_runs_are_not_paid_twice() -> None:
    model = task(
        at=EARLIER,
        data={"ai_languageModel": [[item(response={}, tokenUsage={"promptTokens": 5})]]},
    )
    data = run_data({"Model": [model]}, execution=RETRY)

    assert [] == calls(data, RETRY)


def test_a_resumed_execution_copied_nothing_although_runs_began_before_it() -> None:
    waited = replace(EXECUTION, retry_of="6", trigger="webhook")
    data = run_data({"Read": [task(batch(1), at=EARLIER)]}, execution=waited)

    assert step(data, "Read#0", waited).copied_from is None


# --- model calls ---------------------------------------------------------------------------


def model_task(answer: Task, options: Task | None = None, **fields: Any) -> Task:
    asked = {"messages": ["Human: hello", "System: be kind"], "options": options or {}}
    return task(
        after="Agent",
        data={"ai_languageModel": [[{"json": answer}]]},
        inputOverride={"ai_languageModel": [[{"json": asked}]]},
        **fields,
    )


ANSWER = {
    "response": {
        "generations": [
            [
                {
                    "text": "hi",
                    "generationInfo": {"model_name": "gpt-5-2025-08-07", "finish_reason": "stop"},
                }
            ]
        ]
    },
    "tokenUsage": {"promptTokens": 12, "completionTokens": 3, "totalTokens": 15},
}
MODEL = node("Model", LANGCHAIN + "lmChatOpenAi", parameters={"model": {"value": "gpt-5"}})


def test_a_call_of_a_model_node_is_read_whole() -> None:
    (found,) = calls(run_data({"Model": [model_task(ANSWER)]}, nodes=[MODEL]))

    assert ("openai", "gpt-5-2025-08-07", "gpt-5", "stop", 12, 3, False) == (
        found.provider,
        found.model,
        found.requested_model,
        found.finish_reason,
        found.input_tokens,
        found.output_tokens,
        found.tokens_estimated,
    )
    assert ("Human: hello\n\nSystem: be kind", "hi") == (found.prompt, found.response)
    assert (0.25, "Model#0", "acme") == (found.latency_seconds, found.step_id, found.customer)


def test_estimated_tokens_are_marked() -> None:
    answer = {"response": {}, "tokenUsageEstimate": {"promptTokens": 9, "completionTokens": 2}}

    (found,) = calls(run_data({"Model": [model_task(answer)]}, nodes=[MODEL]))

    assert (9, 2, True) == (found.input_tokens, found.output_tokens, found.tokens_estimated)


def test_an_estimate_of_nothing_is_unknown() -> None:
    answer = {"response": {}, "tokenUsageEstimate": {"promptTokens": 0, "completionTokens": 0}}

    (found,) = calls(run_data({"Model": [model_task(answer)]}, nodes=[MODEL]))

    assert (None, None, False) == (found.input_tokens, found.output_tokens, found.tokens_estimated)


def test_a_call_that_failed_has_an_error_and_no_tokens() -> None:
    failed = model_task(
        {"messages": ["Human: hello"]},
        {"model": "gpt-5"},
        executionStatus="error",
        error={"name": "NodeApiError", "messages": ["429 rate limit"]},
    )

    (found,) = calls(run_data({"Model": [failed]}, nodes=[MODEL]))

    assert (ExecutionStatus.ERROR, "NodeApiError 429", None, "gpt-5") == (
        found.status,
        found.error_type,
        found.input_tokens,
        found.model,
    )


def test_each_run_of_a_model_is_a_call_of_its_own() -> None:
    found = calls(run_data({"Model": [model_task(ANSWER), model_task(ANSWER)]}, nodes=[MODEL]))

    assert ["Model#0", "Model#1"] == [each.call_id for each in found]


def test_what_a_chain_repeats_of_its_model_is_not_counted_again() -> None:
    agent = task([item(output="hi")], metadata={"tracing": {"llm.tokens.total": 15}})

    found = calls(run_data({"Agent": [agent], "Model": [model_task(ANSWER)]}, nodes=[MODEL]))

    assert ["Model#0"] == [each.call_id for each in found]


def test_a_model_selector_is_no_call_of_its_own() -> None:
    selector = node("Selector", LANGCHAIN + "modelSelector")
    runs = {"Selector": [model_task(ANSWER)], "Model": [model_task(ANSWER)]}

    found = calls(run_data(runs, nodes=[MODEL, selector]))

    assert ["Model#0"] == [each.call_id for each in found]


def test_a_vendor_node_is_one_call_with_the_tokens_of_all_its_rounds() -> None:
    vendor = task(
        [item(model="gpt-5-mini", output=[{"content": [{"text": "hello"}]}])],
        metadata={"tokenUsage": {"inputTokens": 30, "outputTokens": 4}},
    )

    (found,) = calls(run_data({"Ask": [vendor]}, nodes=[node("Ask", LANGCHAIN + "openAi")]))

    assert ("openai", "gpt-5-mini", 30, 4, "hello", Operation.CHAT) == (
        found.provider,
        found.model,
        found.input_tokens,
        found.output_tokens,
        found.response,
        found.operation,
    )


def test_an_embedding_is_a_call_without_prompt() -> None:
    embedding = task(data={"ai_embedding": [[item(response=[0.1])]]})

    (found,) = calls(
        run_data({"E": [embedding]}, nodes=[node("E", LANGCHAIN + "embeddingsOpenAi")])
    )

    assert (Operation.EMBEDDINGS, "openai", None) == (found.operation, found.provider, found.prompt)


def test_a_model_that_nobody_names_is_unknown() -> None:
    (found,) = calls(run_data({"Model": [model_task({"response": {}})]}))

    assert "unknown" == found.model


@pytest.mark.parametrize("count", [-5, 1e13, "12", None, True])
def test_a_count_that_cannot_be_is_unknown(count: object) -> None:
    answer = {"response": {}, "tokenUsage": {"promptTokens": count, "completionTokens": 3}}

    (found,) = calls(run_data({"Model": [model_task(answer)]}, nodes=[MODEL]))

    assert (None, 3) == (found.input_tokens, found.output_tokens)


# --- origin --------------------------------------------------------------------------------


def test_an_execution_names_its_parent_and_its_trigger() -> None:
    data = run_data(
        parentExecution={"executionId": "5", "workflowId": "x"},
        executionData={"runtimeData": {"triggerNode": {"type": "n8n-nodes-base.webhook"}}},
    )

    assert ("5", "n8n-nodes-base.webhook") == (data.parent_execution_id, data.trigger_node_type)


def test_an_execution_that_started_by_itself_has_no_parent() -> None:
    assert (None, None) == (run_data().parent_execution_id, run_data().trigger_node_type)
