"""n8n's flatted text: read by path, and whatever is wrong with it is one error."""

import contextlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from exporter.demo import flatted
from exporter.records import Execution, ExecutionStatus
from exporter.sources.workflows.n8n.content import RunContent
from exporter.sources.workflows.n8n.flatted import FlattedDocument, UnreadableRunDataError
from exporter.sources.workflows.n8n.llm_calls import llm_calls
from exporter.sources.workflows.n8n.run_data import RunData
from exporter.sources.workflows.n8n.steps import items, steps

NOW = datetime(2026, 1, 3, tzinfo=UTC)
EXECUTION = Execution(
    source="n8n",
    execution_id="7",
    created_at=NOW,
    workflow_id="w",
    workflow="invoices",
    status=ExecutionStatus.CANCELED,
    started_at=NOW,
    finished_at=NOW,
    retry_of="6",
    trigger="retry",
)
NAMES = """
    resultData runData error lastNodeExecuted executionData Node startTime executionTime data main
    ai_languageModel source previousNode previousNodeRun previousNodeOutput json name message
    messages httpCode cause metadata tokenUsage promptTokens inputTokens subExecution executionId
    executionIndex inputOverride response generations version executionStatus
"""
KEYS = st.sampled_from(NAMES.split())
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=6)
)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=25,
)
INDEXES = st.integers(-2, 12).map(str) | st.sampled_from(
    ["", "x", "1.0", "٣", "9" * 30, "9" * 5000, " 1", "0x1"]
)
# Elements as n8n writes them, except that indexes point anywhere, at themselves as well.
ELEMENTS = st.lists(
    INDEXES
    | st.integers()
    | st.lists(INDEXES | st.integers() | st.none(), max_size=4)
    | st.dictionaries(KEYS, INDEXES | st.floats(allow_nan=False) | st.booleans(), max_size=6),
    max_size=13,
)


def read_all(text: str) -> None:
    """Read everything that a poll reads of an execution's run data."""
    data = RunData.decode(
        text, '{"nodes": [{"name": "Node", "onError": "continueErrorOutput"}]}', EXECUTION
    )
    data.ran_into_time_limit(EXECUTION)
    items(data)
    list(steps(data, EXECUTION))
    RunContent(data).of_execution()
    list(llm_calls(data, EXECUTION))
    for name in ("last_node", "parent_execution_id", "trigger_node_type"):
        getattr(data, name)
    data.error_type(data.error)


@contextlib.contextmanager
def nothing_but_unreadable() -> Iterator[None]:
    with contextlib.suppress(UnreadableRunDataError):
        yield


def document(root: Any) -> FlattedDocument:
    return FlattedDocument(flatted.encode(root))


def unfolded(found: FlattedDocument, value: Any) -> Any:
    """Build the whole tree, as flatted's own parse does."""
    match value:
        case dict():
            return {key: unfolded(found, found.get(value, key)) for key in value}
        case list():
            return [unfolded(found, found.get(value, place)) for place in range(len(value))]
        case _:
            return value


# --- what is right is read -----------------------------------------------------------------


@given(root=st.dictionaries(KEYS, JSON, max_size=6))
def test_a_document_is_read_back_as_it_was_written(root: dict[str, Any]) -> None:
    root = json.loads(json.dumps(root))
    with contextlib.suppress(UnreadableRunDataError):  # numbers beyond 64 bits
        found = document(root)
        assert root == unfolded(found, found.root)


def test_a_path_leads_through_objects_and_arrays() -> None:
    found = document({"a": [{"b": "deep"}]})

    assert "deep" == found.get(found.root, "a", 0, "b")


@pytest.mark.parametrize("path", [("x",), ("a", 5), ("a", "b"), ("a", 0, 0), ("n", "x")])
def test_a_path_that_ends_early_is_none(path: tuple[str | int, ...]) -> None:
    found = document({"a": [{"b": "deep"}], "n": 5})

    assert found.get(found.root, *path) is None


def test_an_array_that_holds_nothing_has_an_empty_root() -> None:
    assert {} == FlattedDocument("[]").root


@pytest.mark.parametrize("text", ["[1]", "[[]]", "[null]", '["text"]', "[true]"])
def test_a_root_that_is_no_object_reads_as_empty(text: str) -> None:
    assert {} == FlattedDocument(text).root


def test_a_text_that_looks_like_an_index_is_a_text() -> None:
    found = document({"order": "1", "amount": 1})

    assert ("1", 1) == (found.get(found.root, "order"), found.get(found.root, "amount"))


def test_an_object_that_holds_itself_is_read_as_far_as_asked() -> None:
    root: dict[str, Any] = {"name": "loop"}
    root["self"] = root
    found = document(root)

    assert "loop" == found.text(found.root, *["self"] * 1000, "name")


@pytest.mark.parametrize("text", [1, [], {}, None, True])
def test_text_is_only_text(text: object) -> None:
    found = document({"a": text})

    assert found.text(found.root, "a") is None


@pytest.mark.parametrize("value", ["5", True, -1, None, [], {}])
def test_a_number_is_only_a_number_that_is_not_negative(value: object) -> None:
    found = document({"a": value})

    assert found.number(found.root, "a") is None


# --- what is wrong is one error ------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "{}",
        "null",
        "1",
        '"x"',
        "[",
        "[1,",
        '{"a": 1}',
        "[1] x",
        "<html>",
        "\0",
    ],
)
def test_what_is_no_array_is_unreadable(text: str) -> None:
    with pytest.raises(UnreadableRunDataError):
        FlattedDocument(text)


@pytest.mark.parametrize("index", ["5", "-1", "x", "", "1.0", " 1", "٣", "9" * 30, "9" * 5000])
def test_an_index_that_leads_nowhere_is_unreadable(index: str) -> None:
    found = FlattedDocument(json.dumps([{"a": index}]))

    with pytest.raises(UnreadableRunDataError):
        found.get(found.root, "a")


@pytest.mark.parametrize("depth", [1_000, 100_000])
@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_deep_nesting_is_unreadable_and_never_a_recursion_error(depth: int, opening: str) -> None:
    closing = {"[": "]", '{"a":': "}"}[opening]

    with nothing_but_unreadable():
        read_all(f"[{opening * depth}1{closing * depth}]")
    with nothing_but_unreadable():
        read_all(opening * depth)


def test_a_long_chain_of_references_is_read_without_recursion() -> None:
    chain = json.dumps([{"resultData": str(step + 1)} for step in range(5_000)] + [1])

    with nothing_but_unreadable():
        read_all(chain)


def test_a_cycle_of_run_data_ends() -> None:
    with nothing_but_unreadable():
        read_all(
            '[{"resultData":"1","error":"0"},{"runData":"1","Node":"2","error":"1"},["1","2"]]'
        )


@given(elements=ELEMENTS)
@example(elements=[{"resultData": "0", "runData": "0", "Node": "1"}, ["0"]])
@example(
    elements=[{"resultData": "1"}, {"runData": "2"}, {"Node": "3"}, ["4"], {"startTime": 1e300}]
)
def test_hostile_elements_are_read_or_unreadable(elements: list[Any]) -> None:
    with nothing_but_unreadable():
        read_all(json.dumps(elements))


TASKS = st.fixed_dictionaries(
    {},
    optional={
        "startTime": SCALARS,
        "executionTime": SCALARS,
        "executionStatus": SCALARS,
        "executionIndex": SCALARS,
        "error": JSON,
        "data": st.dictionaries(st.sampled_from(["main", "ai_languageModel", "ai_tool"]), JSON),
        "source": JSON
        | st.lists(
            st.fixed_dictionaries(
                {"previousNode": st.just("Node")},
                optional={"previousNodeRun": SCALARS, "previousNodeOutput": SCALARS},
            ),
            max_size=2,
        ),
        "metadata": JSON,
        "inputOverride": JSON,
    },
)


@given(tasks=st.lists(TASKS, max_size=3), error=JSON, workflow=JSON)
def test_any_shape_of_run_data_is_read_or_unreadable(
    tasks: list[Any], error: Any, workflow: Any
) -> None:
    text = flatted.encode({"resultData": {"runData": {"Node": tasks}, "error": error}})

    with nothing_but_unreadable():
        read_all(text)
    with nothing_but_unreadable():
        RunData.decode(text, json.dumps(workflow), EXECUTION).ran_into_time_limit(EXECUTION)


@given(text=st.text(max_size=40))
def test_any_text_is_read_or_unreadable(text: str) -> None:
    with nothing_but_unreadable():
        read_all(text)


@pytest.mark.parametrize("workflow", ["", "{", "[]", "null", "1", '{"nodes": 5}', '{"nodes": [5]}'])
def test_any_workflow_snapshot_is_read_or_unreadable(workflow: str) -> None:
    with nothing_but_unreadable():
        assert () == RunData.decode("[{}]", workflow, EXECUTION).node_runs


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000])
def test_a_deeply_nested_workflow_snapshot_is_unreadable(text: str) -> None:
    with pytest.raises(UnreadableRunDataError):
        RunData.decode("[{}]", text, EXECUTION)
