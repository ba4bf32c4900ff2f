"""The gate's template is one that n8n understands, and asks what the gate understands."""

import json
import shutil
import subprocess
from typing import Any

import pytest

from tests.pushed.conftest import Listening
from tests.pushed.test_n8n_template import KNOWN, ROOT, is_shown

TEMPLATE: dict[str, Any] = json.loads((ROOT / "examples/n8n_gate.json").read_text())
NODES: dict[str, Any] = {node["name"]: node for node in TEMPLATE["nodes"]}
NODE = shutil.which("node")
needs_node = pytest.mark.skipif(NODE is None, reason="node is not on PATH")


def evaluated(expression: str, item: dict[str, object]) -> str:
    """What an expression of n8n, which is JavaScript, makes of an item."""
    inner = expression.removeprefix("={{").removesuffix("}}")
    script = (
        "const $workflow = {name: 'Posts'}, $execution = {id: '7'}, "
        f"$json = {json.dumps(item)}; console.log({inner})"
    )
    done = subprocess.run([str(NODE), "-e", script], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.mark.parametrize("name", NODES)
def test_every_node_is_of_a_version_and_with_parameters_that_n8n_has(name: str) -> None:
    node = NODES[name]
    known = KNOWN[node["type"]]
    assert node["typeVersion"] in known["versions"]
    for parameter, value in node["parameters"].items():
        fitting = [each for each in known["parameters"][parameter] if is_shown(each, node)]
        assert fitting, parameter
        assert any("values" not in each or value in each["values"] for each in fitting), parameter


def test_a_gate_that_does_not_answer_stops_nobody() -> None:
    assert NODES["Ask the gate"]["onError"] == "continueRegularOutput"
    assert NODES["Ask the gate"]["parameters"]["options"]["timeout"] <= 1000


@needs_node
def test_what_n8n_asks_is_understood(listening: Listening) -> None:
    body = evaluated(
        NODES["Ask the gate"]["parameters"]["jsonBody"], {"customer": "acme", "prompt": "tea"}
    )
    told = listening.post("gate", body.encode()).json()
    assert told["allow"] is True
    assert told["estimated_cost_usd"] > 0


@needs_node
def test_an_item_without_a_customer_is_understood_too(listening: Listening) -> None:
    body = evaluated(NODES["Ask the gate"]["parameters"]["jsonBody"], {"prompt": "tea"})
    assert listening.post("gate", body.encode()).status_code == 200


@needs_node
@pytest.mark.parametrize(
    ("answer", "goes_on"),
    [({"allow": True}, "true"), ({"allow": False}, "false"), ({"error": "timeout"}, "true")],
)
def test_only_a_no_stops_the_run(answer: dict[str, object], goes_on: str) -> None:
    (condition,) = NODES["May it go on?"]["parameters"]["conditions"]["conditions"]
    assert evaluated(condition["leftValue"], answer) == goes_on
