"""The simulated n8n writes what a real n8n writes, and knows what it wrote."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from psycopg.rows import dict_row

from exporter.demo.flatted import encode
from exporter.demo.simulated_n8n import SimulatedN8n

NOW = datetime(2026, 3, 12, 16, 20, tzinfo=UTC)  # a Thursday


def decode(text: str) -> Any:
    """Read flatted text, written apart from the encoder; references are resolved one by one."""
    elements = json.loads(text)
    made: dict[int, Any] = {}
    unfilled = [0]
    while unfilled:
        index = unfilled.pop()
        if index not in made:
            element = elements[index]
            made[index] = type(element)() if isinstance(element, dict | list) else element
            children = element.values() if isinstance(element, dict) else element
            if isinstance(element, dict | list):
                unfilled += [int(child) for child in children if isinstance(child, str)]
    for index, container in made.items():
        element = elements[index]
        if isinstance(element, dict):
            for key, child in element.items():
                container[key] = made[int(child)] if isinstance(child, str) else child
        elif isinstance(element, list):
            container += [
                made[int(child)] if isinstance(child, str) else child for child in element
            ]
    return made[0]


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


@settings(max_examples=60, deadline=None)
@given(JSON_VALUES)
def test_what_is_encoded_reads_back_equal(value: Any) -> None:
    """Any JSON value survives, numeric strings and empty containers included."""
    assert value == decode(encode(value))


def test_encoded_text_is_the_one_the_javascript_library_writes() -> None:
    """Breadth first, each string once, no blanks, no escaped letters."""
    text = encode({"a": "x", "b": ["x", 1, {"c": "é"}], "d": None})

    assert text == '[{"a":"1","b":"2","d":null},"x",["1",1,"3"],{"c":"4"},"é"]'


def test_shared_and_cyclic_references_stay_what_they_are() -> None:
    """One object in two places is one object again, and a loop closes."""
    shared: dict[str, Any] = {"n": 1}
    root: dict[str, Any] = {"left": shared, "right": [shared]}
    root["self"] = root

    result = decode(encode(root))

    assert result["left"] is result["right"][0]
    assert result["self"] is result


def test_equal_but_separate_objects_are_not_joined() -> None:
    """Sharing goes by identity, as in JavaScript."""
    result = decode(encode([{"n": 1}, {"n": 1}]))

    assert result[0] is not result[1]


@pytest.fixture
def n8n(plain_database_url: str) -> Iterator[SimulatedN8n]:
    """Give a simulated n8n with one day of history."""
    with SimulatedN8n(plain_database_url) as simulated:
        simulated.create()
        simulated.write_history(NOW, days=1)
        yield simulated


def executions(url: str, status: str = "%") -> list[dict[str, Any]]:
    """Read the executions of a status with their workflow and decoded data."""
    with psycopg.connect(url, row_factory=dict_row) as connection:
        rows = connection.execute(
            'SELECT e.*, w.name AS workflow, d."workflowData", d.data, w.settings,'
            ' octet_length(d.data) + octet_length(d."workflowData"::text) AS octets'
            " FROM execution_entity e"
            ' JOIN execution_data d ON d."executionId" = e.id'
            ' JOIN workflow_entity w ON w.id = e."workflowId"'
            " WHERE e.status LIKE %s ORDER BY e.id",
            [status],
        ).fetchall()
    for row in rows:
        row["content"] = decode(row["data"])
        row["result"] = row["content"]["resultData"]
    return rows


def stored_calls(row: dict[str, Any]) -> Iterator[tuple[str, bool, int, int]]:
    """Yield model, failure, input and output tokens of every call one execution made itself."""
    models = {
        node["name"]: node["parameters"].get("modelId", {}).get("value")
        for node in row["workflowData"]["nodes"]
    }
    started_ms = row["startedAt"].timestamp() * 1000
    for node, runs in row["result"]["runData"].items():
        for run in runs:
            if row["mode"] == "retry" and run["startTime"] < started_ms:
                continue  # copied from the execution that failed
            usage = run.get("metadata", {}).get("tokenUsage")
            if usage is not None:
                yield models[node], False, usage["inputTokens"], usage["outputTokens"]
            if "ai_languageModel" not in run.get("data", {}):
                continue
            asked = run["inputOverride"]["ai_languageModel"][0][0]["json"]
            answer = run["data"]["ai_languageModel"][0][0]["json"]
            tokens = answer.get("tokenUsage") or answer.get("tokenUsageEstimate") or {}
            counts = (tokens.get("promptTokens", 0), tokens.get("completionTokens", 0))
            yield asked["options"]["model"], "response" not in answer, *counts


def assert_truth(simulated: SimulatedN8n, rows: list[dict[str, Any]]) -> None:
    """Compare what the simulator says with what the rows say."""
    calls: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    for row in rows:
        for model, is_failed, input_tokens, output_tokens in stored_calls(row):
            totals = calls[row["workflow"], model]
            for position, amount in enumerate((1, is_failed, input_tokens, output_tokens)):
                totals[position] += amount
    truth = simulated.truth()
    known = {
        key: [t.calls, t.failed_calls, t.input_tokens, t.output_tokens]
        for key, t in truth.llm.items()
        if t.calls
    }

    assert Counter((row["workflow"], row["status"]) for row in rows) == truth.executions
    assert calls == known


def test_history_is_what_the_simulator_says_it_is(
    n8n: SimulatedN8n, plain_database_url: str
) -> None:
    """Executions by status and tokens by model agree with the rows."""
    rows = executions(plain_database_url)

    assert len(rows) > 300
    assert_truth(n8n, rows)


def test_the_live_part_keeps_the_truth(n8n: SimulatedN8n, plain_database_url: str) -> None:
    """Four simulated hours later rows and truth still agree, and things have ended and begun."""
    counts: Counter[str] = Counter()
    for seconds in range(0, 4 * 3600, 60):
        step = n8n.step(NOW + timedelta(seconds=seconds))
        counts += Counter({name: getattr(step, name) for name in step.__slots__})

    assert counts["started"] > 200
    assert min(counts[name] for name in ("succeeded", "failed", "waiting", "resumed")) > 0
    assert_truth(n8n, executions(plain_database_url))


def test_a_started_execution_is_running_with_nothing_run_yet(
    n8n: SimulatedN8n, plain_database_url: str
) -> None:
    """While it runs the data holds only the trigger's item, and there is no end."""
    # At most ten minutes: something starts every minute or so.
    started = next(
        seconds for seconds in range(1, 600) if n8n.step(NOW + timedelta(seconds=seconds)).started
    )
    row = executions(plain_database_url, "running")[-1]

    assert started
    assert row["stoppedAt"] is None
    assert row["result"] == {"runData": {}}
    assert len(row["content"]["executionData"]["nodeExecutionStack"]) == 1


def test_a_waiting_execution_goes_on_under_its_own_id(
    n8n: SimulatedN8n, plain_database_url: str
) -> None:
    """Its start stays, its waitTill goes, and its last node runs after the approval."""
    n8n.step(NOW)
    waiting = {row["id"]: row for row in executions(plain_database_url, "waiting")}
    n8n.step(NOW + timedelta(hours=4))
    later = {row["id"]: row for row in executions(plain_database_url, "success")}
    resumed = [(row, later[number]) for number, row in waiting.items() if number in later]

    assert resumed
    for before, after in resumed:
        assert before["waitTill"] > before["stoppedAt"] > before["startedAt"]
        assert after["startedAt"] == before["startedAt"]
        assert after["waitTill"] is None
        assert after["stoppedAt"] > before["stoppedAt"]


def test_rows_have_the_columns_as_n8n_fills_them(
    n8n: SimulatedN8n, plain_database_url: str
) -> None:
    """Ids follow the start, ends do not follow ids, sizes and versions are n8n's."""
    rows = executions(plain_database_url)
    ends = [row["stoppedAt"] for row in rows if row["stoppedAt"]]

    assert n8n.truth().executions
    assert [r["createdAt"] for r in rows] == sorted(row["createdAt"] for row in rows)
    assert ends != sorted(ends)
    for row in rows:
        is_retry = row["mode"] == "retry"
        assert row["finished"] == (row["status"] == "success")
        assert row["createdAt"] < row["startedAt"]
        assert (row["workflowVersionId"] is None) == is_retry == (row["retryOf"] is not None)
        assert row["jsonSizeBytes"] == row["octets"] + (0 if is_retry else 36)
        assert (row["deduplicationKey"] is not None) == (row["mode"] == "trigger")
        assert set(row["workflowData"]) == {
            "id",
            "name",
            "nodes",
            "connections",
            "settings",
            "nodeGroups",
        }


def test_every_way_to_end_looks_like_n8n(plain_database_url: str) -> None:
    """Timeouts carry no error, cancellations do, and crashes lose their data."""
    with SimulatedN8n(plain_database_url, seed=3) as simulated:
        simulated.create()
        simulated.write_history(NOW, days=4)
    ends: Counter[str] = Counter()
    for row in executions(plain_database_url):
        error = row["result"].get("error")
        name = error["name"] if error else None
        ends[f"{row['status']} {name}"] += 1
        if row["status"] == "canceled" and name is None:
            limit = row["settings"]["executionTimeout"]
            assert (row["stoppedAt"] - row["startedAt"]).total_seconds() >= limit
        if row["status"] == "crashed":
            assert not list(stored_calls(row))
            run = row["result"]["runData"][row["result"]["lastNodeExecuted"]][0]
            assert run["executionStatus"] == "crashed"
        if row["status"] == "error":
            assert row["result"]["runData"][row["result"]["lastNodeExecuted"]][-1]["error"]
        if row["mode"] == "error":
            parent = row["content"]["parentExecution"]["executionId"]
            assert int(parent) < row["id"]

    assert set(ends) >= {
        "success None",
        "canceled None",
        "canceled ManualExecutionCancelledError",
        "crashed WorkflowCrashedError",
        "error NodeOperationError",
        "error NodeApiError",
        "error WrappedExecutionError",
    }


def test_a_batch_goes_on_although_items_fail(n8n: SimulatedN8n, plain_database_url: str) -> None:
    """The execution succeeds; the failed items carry an error, the failed calls too."""
    batches = [
        row
        for row in executions(plain_database_url)
        if row["workflow"] == "Lead Enrichment" and row["status"] == "success"
    ]
    failed_items = 0
    for row in batches:
        items = row["result"]["runData"]["Enrich Company"][0]["data"]["main"][0]
        failed_items += sum("error" in item["json"] for item in items)
        assert 50 <= len(items) <= 100
        assert len(row["result"]["runData"]["OpenAI Chat Model"]) == len(items)

    assert n8n.truth().llm["Lead Enrichment", "gpt-4o-mini"].failed_calls > 0
    assert failed_items > 0


def test_an_agent_calls_its_model_once_more_than_its_tools(
    n8n: SimulatedN8n, plain_database_url: str
) -> None:
    """n8n keeps every call and tool run, but only the agent's last pass."""
    agents = [
        row["result"]["runData"]
        for row in executions(plain_database_url)
        if row["workflow"] == "Customer Onboarding Agent"
        and row["status"] == "success"
        and row["mode"] != "retry"  # it keeps the calls of the run that failed, too
    ]
    calls = Counter(len(runs["Claude Sonnet"]) for runs in agents)

    assert n8n.truth().executions
    assert set(calls) == {2, 3}
    for runs in agents:
        tools = len(runs["Look Up Account"]) + len(runs.get("Calculator", []))
        agent = runs["Onboarding Agent"]
        assert len(runs["Claude Sonnet"]) == tools + 1
        assert len(agent) == 1
        assert agent[0]["metadata"]["nodeWasResumed"]
        assert agent[0]["executionIndex"] > runs["Look Up Account"][0]["executionIndex"]


def test_customers_and_teams_are_execution_metadata(
    n8n: SimulatedN8n, plain_database_url: str
) -> None:
    """Every finished execution of a customer's workflow names customer, project and team."""
    assert n8n.truth().executions
    with psycopg.connect(plain_database_url) as connection:
        missing = connection.execute(
            "SELECT count(*) FROM execution_entity e"
            " WHERE e.mode = 'webhook' AND e.status = 'success' AND 3 <> (SELECT count(*)"
            ' FROM execution_metadata m WHERE m."executionId" = e.id'
            " AND m.key IN ('customer', 'project', 'team'))"
        ).fetchone()

    assert missing == (0,)
