"""What programs push over HTTP is in our tables when they are answered."""

import json
from decimal import Decimal
from typing import Any

import httpx
import pytest

from tests.conftest import connect
from tests.pushed.conftest import Listening
from tests.pushed.telling import body
from tests.sources.by_hand import counted, differences, one

GUIDE: dict[str, Any] = {
    "execution_id": "exec_123",
    "workflow": "content_generator",
    "status": "success",
    "duration_ms": 2340,
    "steps_completed": 5,
    "cost_usd": 0.023,
}
LINES = "application/x-ndjson"


def count(listening: Listening, table: str) -> int:
    return int(one(listening.database_url, f"SELECT count(*) AS rows FROM {table}")["rows"])


def test_the_line_of_the_guide_is_stored_when_it_is_answered(listening: Listening) -> None:
    answer = listening.post("executions", json.dumps(GUIDE).encode())

    assert (200, {"accepted": 1, "notes": []}) == (answer.status_code, answer.json())
    run = one(listening.database_url, "SELECT * FROM executions")
    assert ("pushed", "exec_123", "content_generator", "success", 2.34) == (
        run["source"],
        run["execution_id"],
        run["workflow"],
        run["status"],
        run["duration_seconds"],
    )
    assert {"steps_completed": 5} == run["attributes"]
    cost = one(
        listening.database_url, "SELECT sum(cost_usd) AS usd, sum(calls) AS calls FROM llm_calls"
    )
    assert (Decimal("0.023"), 0) == (cost["usd"], cost["calls"])


def test_a_push_that_is_sent_again_changes_nothing(listening: Listening) -> None:
    sent = json.dumps({**GUIDE, "outcomes": {"approved": 2}}).encode()
    for _ in range(3):
        assert listening.post("executions", sent).is_success

    assert 1 == count(listening, "executions")
    assert 1 == count(listening, "outcomes")
    sums = one(listening.database_url, "SELECT sum(runs)::int AS runs FROM executions_hourly")
    assert 1 == sums["runs"]
    assert 1 == counted(listening.database_url, "aiwf_executions_total", status="success")
    assert {} == differences(listening.database_url)


def test_a_run_ends_under_the_key_under_which_it_began(listening: Listening) -> None:
    began = {**GUIDE, "status": "running", "steps": [{"name": "a"}, {"name": "b"}]}
    del began["duration_ms"]
    listening.post("executions", json.dumps(began).encode())
    listening.post("executions", json.dumps({**GUIDE, "steps": [{"name": "a"}]}).encode())

    assert "success" == one(listening.database_url, "SELECT status FROM executions")["status"]
    assert "a" == one(listening.database_url, "SELECT name FROM steps")["name"]
    assert {} == differences(listening.database_url)


def test_many_runs_come_as_lines(listening: Listening) -> None:
    lines = body(*({**GUIDE, "execution_id": number} for number in range(500)))

    assert 500 == listening.post("executions", lines, LINES).json()["accepted"]
    assert 500 == count(listening, "executions")


def test_one_wrong_line_refuses_all_of_them(listening: Listening) -> None:
    answer = listening.post("executions", body(GUIDE, {**GUIDE, "status": "strange"}), LINES)

    assert 400 == answer.status_code
    assert answer.json()["detail"].startswith("line 2: status: 'strange' is no status")
    assert 0 == count(listening, "executions")


def test_an_outcome_of_another_source_is_stored_once(listening: Listening) -> None:
    sold = {"workflow": "shop", "outcome": "revenue", "value": 19.9, "source": "n8n", "id": "o-1"}
    for value in (19.9, 20.1):
        assert listening.post("outcomes", json.dumps({**sold, "value": value}).encode()).is_success

    row = one(listening.database_url, "SELECT source, value FROM outcomes")
    assert ("n8n", Decimal("20.1")) == (row["source"], row["value"])
    assert 20.1 == pytest.approx(
        counted(listening.database_url, "aiwf_outcome_value_total", workflow="shop")
    )


def test_texts_that_postgres_cannot_hold_are_stored_without_them(listening: Listening) -> None:
    told = {
        **GUIDE,
        "workflow": "con\0tent",
        "customer": "half \ud83d",
        "input": "in\0put",
        "attributes": {"a\0": ["\ud83d"]},
        "llm_calls": [{"model": "m\0", "prompt": "\ud83d", "call_id": "\0"}],
        "steps": [{"name": "\0", "output": "\0"}],
        "error": "boom\0",
    }
    answer = listening.post("executions", json.dumps(told).encode())

    assert 200 == answer.status_code, answer.text
    run = one(listening.database_url, "SELECT workflow, customer FROM executions")
    assert ("content", "half ?") == (run["workflow"], run["customer"])


@pytest.mark.parametrize(
    ("sent", "content_type", "status"),
    [
        (b"", "application/json", 400),
        (b"\x00\xff", "application/json", 400),
        (b"[" * 100_000, "application/json", 400),
        (b"{}" * 100_000, LINES, 400),
        (b"{}\n" * 100_000, LINES, 413),
        (json.dumps(GUIDE).encode(), "text/plain", 415),
        (b"x" * (5 * 1024 * 1024), "application/json", 413),
    ],
)
def test_what_cannot_be_read_is_refused_and_changes_nothing(
    listening: Listening, sent: bytes, content_type: str, status: int
) -> None:
    for route in ("executions", "outcomes"):
        assert status == listening.post(route, sent, content_type).status_code

    assert 0 == count(listening, "executions")
    assert 0 == count(listening, "outcomes")


def test_nobody_pushes_without_the_token(listening: Listening) -> None:
    answer = httpx.post(f"{listening.url}/v1/executions", json=GUIDE, timeout=30)

    assert 401 == answer.status_code
    assert 0 == count(listening, "executions")


def test_the_documentation_tells_the_shape(listening: Listening) -> None:
    api = httpx.get(f"{listening.url}/openapi.json", timeout=30).json()

    taken = api["paths"]["/v1/executions"]["post"]["requestBody"]["content"]["application/json"]
    assert {"execution_id", "status"} == set(taken["schema"]["anyOf"][0]["required"])


def test_prompts_and_inputs_stand_apart(listening: Listening) -> None:
    told = {
        **GUIDE,
        "input": {"topic": "tea"},
        "output": "a post",
        "steps": [{"name": "write", "input": "tea", "output": "leaves"}],
        "llm_calls": [{"model": "gpt-4o-mini", "prompt": "write", "response": "leaves"}],
    }
    listening.post("executions", json.dumps(told).encode())

    with connect(listening.database_url) as connection:
        texts = connection.execute(
            "SELECT step_id, input, output FROM step_content ORDER BY step_id"
        ).fetchall()
        prompt = connection.execute("SELECT prompt, response FROM llm_content").fetchall()
    assert [
        {"step_id": "", "input": '{"topic": "tea"}', "output": "a post"},
        {"step_id": "1", "input": "tea", "output": "leaves"},
    ] == texts
    assert [{"prompt": "write", "response": "leaves"}] == prompt
