"""What n8n's node runs received and gave on, as text: whole where it is short, bounded always."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.content import CUT_MARK
from exporter.demo import flatted
from exporter.records import Json, Step
from exporter.sources.workflows.n8n.content import (
    LONGEST_PARAMETERS,
    LONGEST_STACK,
    LONGEST_TEXT,
    RunContent,
)
from exporter.sources.workflows.n8n.flatted import FlattedDocument
from exporter.sources.workflows.n8n.json_writer import JsonWriter
from exporter.sources.workflows.n8n.run_data import RunData
from exporter.sources.workflows.n8n.steps import steps
from tests.unit.n8n_run_data import EXECUTION, LANGCHAIN, NOW, Task, item, node, run_data, task

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=6),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from("abcd"), inner, max_size=4)
    ),
    max_leaves=25,
)


def content(data: RunData) -> dict[str, Step]:
    return {step.step_id: step for step in steps(data, EXECUTION)}


def written(root: Any, most: int = 100_000) -> JsonWriter:
    document = FlattedDocument(flatted.encode(root))
    writer = JsonWriter(document, most)
    writer.value(document.root)
    return writer


# --- what steps give on --------------------------------------------------------------------


def test_a_step_gave_the_data_of_its_items() -> None:
    found = content(run_data({"Read": [task([item(name="Ada", tags=["a", 1, None])])]}))

    assert '[{"name":"Ada","tags":["a",1,null]}]' == found["Read#0"].output


def test_a_step_that_gave_nothing_says_so() -> None:
    assert "[]" == content(run_data({"Read": [task([])]}))["Read#0"].output


def test_a_step_that_came_to_nothing_has_no_output() -> None:
    failed = task(error={"name": "Error", "message": "no"}, data={})

    assert content(run_data({"Read": [failed]}))["Read#0"].output is None


def test_what_went_which_way_is_told_apart() -> None:
    found = content(run_data({"If": [task([item(a=1)], None, [item(a=2), item(a=3)])]}))

    assert '{"0":[{"a":1}],"1":[],"2":[{"a":2},{"a":3}]}' == found["If#0"].output


def test_a_file_is_told_by_name_and_size_and_never_by_its_bytes() -> None:
    file = {"mimeType": "image/png", "fileName": "cat.png", "data": "aGVsbG8=" * 1000}
    found = content(run_data({"Draw": [task([item(a=1) | {"binary": {"data": file}}])]}))

    assert (
        '[{"json":{"a":1},"binary":{"data":{"mimeType":"image/png","fileName":"cat.png"}}}]'
        == found["Draw#0"].output
    )


def test_an_item_that_failed_shows_its_error_beside_its_data() -> None:
    found = content(run_data({"Send": [task([item(a=1) | {"error": {"message": "no"}}])]}))

    assert '[{"json":{"a":1},"error":{"message":"no"}}]' == found["Send#0"].output


def test_what_an_item_was_made_from_is_left_out() -> None:
    found = content(run_data({"Read": [task([item(a=1) | {"pairedItem": {"item": 0}}])]}))

    assert '[{"a":1}]' == found["Read#0"].output


@pytest.mark.parametrize("name", ["authorization", "Cookie", "X-API-Key", "password"])
def test_a_secret_that_a_webhook_received_is_never_written(name: str) -> None:
    sent = task([item(headers={name: "Basic aGVsbG86d29ybGQ=", "host": "example.com"})])

    found = content(run_data({"Webhook": [sent]}))

    expected = f'[{{"headers":{{"{name}":"[hidden]","host":"example.com"}}}}]'
    assert expected == found["Webhook#0"].output


# --- what steps receive --------------------------------------------------------------------


def test_a_step_with_one_step_before_it_received_what_that_gave_on() -> None:
    found = content(run_data({"Read": [task([item(a=1)])], "Send": [task([], after="Read")]}))

    assert found["Send#0"].input is None
    assert "Read#0" == found["Send#0"].attributes["previous_step"]


def test_a_step_behind_one_way_of_many_received_what_went_that_way() -> None:
    split = task([item(a=1)], [item(a=2)])

    found = content(run_data({"If": [split], "Send": [task([], after="If", output=1)]}))

    assert '{"If":[{"a":2}]}' == found["Send#0"].input


def test_a_step_that_joins_others_received_what_each_gave_on() -> None:
    joined = task([]) | {
        "source": [{"previousNode": "Left"}, None, {"previousNode": "Right", "previousNodeRun": 1}]
    }
    runs = {
        "Left": [task([item(a=1)])],
        "Right": [task([item(b=1)]), task([item(b=2)])],
        "Merge": [joined],
    }

    assert '{"Left":[{"a":1}],"Right":[{"b":2}]}' == content(run_data(runs))["Merge#0"].input


def test_a_tool_received_what_its_agent_asked_and_gave_its_answer() -> None:
    tool = task(
        after="Agent",
        data={"ai_tool": [[item(response="4165")]]},
        inputOverride={"ai_tool": [[item(input="85*49")]]},
    )

    found = content(run_data({"Calculator": [tool]}))["Calculator#0"]

    assert ('[{"input":"85*49"}]', '[{"response":"4165"}]') == (found.input, found.output)


def test_a_models_prompt_and_answer_are_left_to_its_call() -> None:
    model = task(
        after="Agent",
        data={"ai_languageModel": [[item(response={"generations": []})]]},
        inputOverride={"ai_languageModel": [[item(messages=["hello"])]]},
    )

    found = content(run_data({"Model": [model]}))["Model#0"]

    assert (None, None) == (found.input, found.output)


def test_the_numbers_of_an_embedding_are_not_kept_but_its_text_is() -> None:
    embedding = task(
        data={"ai_embedding": [[item(response=[0.1] * 1536)]]},
        inputOverride={"ai_embedding": [[item(query="cats")]]},
    )

    found = content(run_data({"Embed": [embedding]}))["Embed#0"]

    assert ('[{"query":"cats"}]', None) == (found.input, found.output)


def test_what_a_retry_copied_is_left_to_the_original() -> None:
    retry = replace(EXECUTION, retry_of="6", trigger="retry")
    data = run_data(
        {"Read": [task([item(a=1)], at=NOW - timedelta(minutes=5))], "Send": [task([item(a=2)])]},
        execution=retry,
    )

    found = {step.step_id: step for step in steps(data, retry)}

    assert (None, '[{"a":2}]') == (found["Read#0"].output, found["Send#0"].output)


# --- executions ----------------------------------------------------------------------------


def test_an_execution_without_runs_began_with_nothing_known() -> None:
    assert (None, None) == RunContent(run_data()).of_execution()


def test_an_execution_ends_with_the_newest_run_of_the_node_that_ran_last() -> None:
    text = flatted.encode(
        {
            "resultData": {
                "runData": {
                    "Webhook": [task([item(a=1)])],
                    "Work": [task([item(a=2)], after="Webhook"), task([item(a=3)], after="Work")],
                },
                "lastNodeExecuted": "Work",
            }
        }
    )

    data = RunData.decode(text, "{}", EXECUTION)

    assert ('[{"a":1}]', '[{"a":3}]') == RunContent(data).of_execution()


# --- what failed ---------------------------------------------------------------------------


def test_a_step_that_failed_keeps_its_stack_and_its_parameters() -> None:
    failed = task(error={"name": "Error", "message": "no", "stack": "Error: no\n    at x.ts:1"})
    sender = node("Send", parameters={"url": "https://example.com", "retries": 3})

    found = content(run_data({"Send": [failed]}, nodes=[sender]))["Send#0"].attributes

    assert "Error: no\n    at x.ts:1" == found["error_stack"]
    assert '{"url": "https://example.com", "retries": 3}' == found["parameters"]


def test_a_step_that_succeeded_keeps_neither() -> None:
    sender = node("Send", parameters={"url": "https://example.com"})

    found = content(run_data({"Send": [task([])]}, nodes=[sender]))["Send#0"].attributes

    assert {"node_type"} == set(found)


def test_secrets_among_parameters_are_hidden() -> None:
    parameters = {
        "password": "p",
        "headers": {"parameters": [{"name": "Authorization", "value": "Basic x"}, {"name": "a"}]},
    }
    failed = task(error={"message": "no"})

    found = content(run_data({"Send": [failed]}, nodes=[node("Send", parameters=parameters)]))

    assert (
        '{"password": "[hidden]", "headers": {"parameters":'
        ' [{"name": "Authorization", "value": "[hidden]"}, {"name": "a"}]}}'
        == found["Send#0"].attributes["parameters"]
    )


def test_long_stacks_and_parameters_are_cut() -> None:
    failed = task(error={"message": "no", "stack": "x" * 100_000})
    sender = node("Send", parameters={"code": "y" * 100_000})

    found = content(run_data({"Send": [failed]}, nodes=[sender]))["Send#0"].attributes

    assert "x" * LONGEST_STACK == found["error_stack"]
    assert LONGEST_PARAMETERS + len(CUT_MARK) == len(str(found["parameters"]))


# --- bounds --------------------------------------------------------------------------------


def test_a_long_text_is_cut_and_says_so() -> None:
    found = content(run_data({"Read": [task([item(a="x" * 100_000)])]}))["Read#0"].output

    assert f'[{{"a":"{"x" * (LONGEST_TEXT - 7)}{CUT_MARK}' == found


def test_texts_that_repeat_one_another_are_written_short_in_the_end() -> None:
    rows = [item(a="x" * 20_000)]
    data = run_data({f"Step {place}": [task(rows)] for place in range(200)})

    lengths = [len(step.output or "") for step in content(data).values()]

    assert sum(lengths) < 8 * data.document.characters + 1_000_000
    assert min(lengths) > 1_000
    assert lengths[0] > 20_000


def test_data_that_holds_itself_comes_to_an_end() -> None:
    row: Task = {"name": "loop"}
    row["self"] = row

    found = content(run_data({"Read": [task([{"json": row}])]}))["Read#0"].output

    assert found is not None
    assert found.startswith('[{"name":"loop","self":{"name":"loop","self":{')
    assert LONGEST_TEXT + len(CUT_MARK) == len(found)


@given(root=st.dictionaries(st.sampled_from("abcd"), JSON, max_size=5))
def test_what_fits_is_written_as_it_is(root: dict[str, Json]) -> None:
    root = json.loads(json.dumps(root))
    writer = written(root)

    assert root == json.loads(writer.text())
    assert not writer.is_cut


@given(root=st.dictionaries(st.sampled_from("abcd"), JSON, max_size=5), most=st.integers(1, 30))
def test_what_does_not_fit_is_the_beginning_of_it(root: dict[str, Json], most: int) -> None:
    whole = written(root).text()

    writer = written(root, most)

    assert whole[:most] == writer.text()
    assert writer.is_cut is (len(whole) > most)


def test_a_text_that_javascript_cut_within_a_character_is_written_too() -> None:
    text = '[{"resultData":"1"},{"runData":"2"},{"Read":"3"},["4"],{"data":"5"},{"main":"6"},["7"],'
    text += '["8"],{"json":"9"},{"a":"10"},"half \\ud83d"]'

    found = content(RunData.decode(text, "{}", EXECUTION))["Read#0"].output

    assert '[{"a":"half \\ud83d"}]' == found


def test_a_vendors_node_gave_on_its_answer_like_any_other() -> None:
    vendor = task([item(message={"content": "hi"})], metadata={"tokenUsage": {"inputTokens": 3}})

    found = content(run_data({"Ask": [vendor]}, nodes=[node("Ask", LANGCHAIN + "openAi")]))

    assert '[{"message":{"content":"hi"}}]' == found["Ask#0"].output
