"""The monitoring branch is one that n8n understands, and what n8n sends from it we understand."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.pushed.conftest import Listening
from tests.sources.by_hand import one

ROOT = Path(__file__).parents[2]
RECORDED = Path(__file__).parent / "n8n"
TEMPLATE: dict[str, Any] = json.loads((ROOT / "examples/n8n_monitoring_branch.json").read_text())
NODES: dict[str, Any] = {node["name"]: node for node in TEMPLATE["nodes"]}
KNOWN: dict[str, Any] = json.loads((RECORDED / "nodes.json").read_text())
SENT: list[dict[str, Any]] = [
    json.loads(line) for line in (RECORDED / "sent.jsonl").read_text().splitlines()
]


def targets(name: str) -> list[str]:
    outputs = TEMPLATE["connections"].get(name, {}).get("main", [])
    return [target["node"] for output in outputs for target in output]


def is_shown(described: dict[str, Any], node: dict[str, Any]) -> bool:
    """Whether n8n shows, and so uses, a parameter beside the node's others."""
    values = {**node["parameters"], "@version": node["typeVersion"]}
    rules = described.get("shown", {})
    return all(values.get(key) in allowed for key, allowed in rules.get("show", {}).items()) and (
        not any(values.get(key) in banned for key, banned in rules.get("hide", {}).items())
    )


@pytest.mark.parametrize("name", NODES)
def test_every_node_is_of_a_version_and_with_parameters_that_n8n_has(name: str) -> None:
    node = NODES[name]
    known = KNOWN[node["type"]]
    assert node["typeVersion"] in known["versions"]

    # What is left out has n8n's default: Set's mode is manual.
    complete = {**node, "parameters": {"mode": "manual", **node["parameters"]}}
    for parameter, value in node["parameters"].items():
        fitting = [each for each in known["parameters"][parameter] if is_shown(each, complete)]
        assert fitting, parameter
        assert any("values" not in each or value in each["values"] for each in fitting), parameter
        for option in value if parameter == "options" else ():
            assert any(option in each.get("names", ()) for each in fitting), option


def test_every_node_is_connected_and_no_connection_leads_nowhere() -> None:
    reached = {target for name in NODES for target in targets(name)}
    begins = {
        name for name, node in NODES.items() if node["type"].endswith(("Trigger", "stickyNote"))
    }

    assert set(NODES) == reached | begins
    assert set(TEMPLATE["connections"]) <= set(NODES)
    assert len(NODES) == len({node["id"] for node in NODES.values()})


def requests_of_template() -> dict[str, dict[str, Any]]:
    return {
        name: node for name, node in NODES.items() if node["type"] == "n8n-nodes-base.httpRequest"
    }


def test_a_run_does_not_fail_because_the_exporter_does_not_answer() -> None:
    for node in requests_of_template().values():
        assert "continueRegularOutput" == node["onError"]
        assert node["retryOnFail"]
        assert "httpHeaderAuth" == node["parameters"]["genericAuthType"]
        assert {"httpHeaderAuth"} == set(node["credentials"])


def test_what_was_recorded_is_what_the_template_sends_today() -> None:
    """A field that is added to the template needs another recording."""
    sent = {each["node"]: each for each in SENT}
    assert set(requests_of_template()) == set(sent)
    for name, node in requests_of_template().items():
        (before,) = (each for each in NODES if name in targets(each))
        fields = NODES[before]["parameters"]["assignments"]["assignments"]
        assert [field["name"] for field in fields] == list(sent[name]["body"])
        assert node["parameters"]["url"].endswith(sent[name]["path"])


def test_what_n8n_sent_is_stored_without_a_note(listening: Listening) -> None:
    for each in SENT:
        route = each["path"].removeprefix("/v1/")
        answer = listening.post(route, json.dumps(each["body"]).encode())
        assert 200 == answer.status_code, answer.text
        assert [] == answer.json()["notes"]

    success, failure = (
        one(listening.database_url, "SELECT * FROM executions WHERE execution_id = %s", [number])
        for number in ("2", "3")
    )
    assert ("success", 0.386) == (success["status"], success["duration_seconds"])
    assert ("error", "NodeOperationError", "no invoice number", "Check", "webhook") == tuple(
        failure[column]
        for column in ("status", "error_type", "error_message", "error_step", "trigger")
    )
    result = one(listening.database_url, "SELECT * FROM outcomes")
    assert ("n8n-production", "posts_approved", 1, "posts", "2") == tuple(
        result[column] for column in ("source", "name", "value", "unit", "execution_id")
    )
