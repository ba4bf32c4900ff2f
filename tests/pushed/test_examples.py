"""The examples do what they say: against a running exporter, and against one that is away."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import connect
from tests.pushed.conftest import Listening
from tests.sources.by_hand import one, wait_until

EXAMPLES = Path(__file__).parents[2] / "examples"
NOWHERE = {"AIWF_URL": "http://127.0.0.1:9", "AIWF_TOKEN": "x"}
NODE = shutil.which("node")
needs_curl = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not on PATH")
needs_node = pytest.mark.skipif(NODE is None, reason="node is not on PATH")
PYTHON = [sys.executable, str(EXAMPLES / "push_execution.py")]
JAVASCRIPT = [NODE or "node", str(EXAMPLES / "push_execution.mjs")]
SHELL = ["sh", str(EXAMPLES / "push_execution.sh")]
# A program of somebody else's, which fails in its second step.
FAILING_PYTHON = """
from push_execution import Run
with Run("enrich", customer="acme") as run:
    with run.step("fetch"):
        pass
    with run.step("write") as step:
        step["input"] = {"topic": "tea"}
        raise TimeoutError("no answer")
"""
FAILING_JAVASCRIPT = """
import { run } from './push_execution.mjs';
await run('enrich', { customer: 'acme' }, async (told) => {
  await told.step('fetch', {}, () => 1);
  await told.step('write', { input: { topic: 'tea' } }, () => {
    throw new DOMException('no answer', 'TimeoutError');
  });
});
"""


def run(command: list[str], environ: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        env={"PATH": os.environ["PATH"], **environ},
        cwd=EXAMPLES,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def execution(listening: Listening) -> dict[str, Any]:
    return one(listening.database_url, "SELECT * FROM executions")


@pytest.mark.parametrize(
    "command", [PYTHON, pytest.param(JAVASCRIPT, marks=needs_node)], ids=["python", "javascript"]
)
def test_a_run_is_told_with_its_steps_call_and_outcome(
    listening: Listening, command: list[str]
) -> None:
    done = run(command, listening.environ)

    assert (0, "", "") == (done.returncode, done.stdout, done.stderr)
    told = execution(listening)
    assert ("content_generator", "success", "example", "acme") == (
        told["workflow"],
        told["status"],
        told["trigger"],
        told["customer"],
    )
    with connect(listening.database_url) as connection:
        steps = connection.execute("SELECT name, kind FROM steps ORDER BY step_id").fetchall()
    assert [("fetch topic", "database"), ("generate outline", "llm")] == [
        (step["name"], step["kind"]) for step in steps
    ]
    call = one(listening.database_url, "SELECT * FROM llm_calls")
    assert ("openai", "gpt-4o-mini", "2", 412, 96, "priced") == (
        call["provider"],
        call["model"],
        call["step_id"],
        call["input_tokens"],
        call["output_tokens"],
        call["cost_source"],
    )
    assert 1.2 == call["latency_seconds"]
    began = one(listening.database_url, "SELECT started_at FROM steps WHERE step_id = '2'")
    took = call["started_at"] - began["started_at"]
    assert timedelta(seconds=-1.2) <= took < timedelta(seconds=0), "it began its latency ago"
    assert "posts_generated" == one(listening.database_url, "SELECT name FROM outcomes")["name"]


@pytest.mark.parametrize(
    "command",
    [
        [sys.executable, "-c", FAILING_PYTHON],
        pytest.param(
            [NODE or "node", "--input-type=module", "-e", FAILING_JAVASCRIPT], marks=needs_node
        ),
    ],
    ids=["python", "javascript"],
)
def test_a_run_that_fails_is_told_with_its_error_and_fails_on(
    listening: Listening, command: list[str]
) -> None:
    done = run(command, listening.environ)

    assert 1 == done.returncode
    assert "no answer" in done.stderr, "the program still sees its own error"
    told = execution(listening)
    assert ("timeout", "TimeoutError", "no answer", "write") == (
        told["status"],
        told["error_type"],
        told["error_message"],
        told["error_step"],
    )
    assert "no answer" in told["attributes"]["error_stack"]
    text = one(listening.database_url, "SELECT input FROM step_content WHERE step_id = '2'")
    assert '{"topic": "tea"}' == text["input"]


@needs_curl
@pytest.mark.parametrize(
    ("script", "status", "code"),
    [
        ("exit 0", "success", 0),
        ("exit 3", "error", 3),
        ("timeout 0.01 sleep 5; exit $?", "timeout", 124),
        ("kill -9 $$", "crashed", 137),
    ],
)
def test_a_command_ends_as_it_would_alone_and_its_end_is_told(
    listening: Listening, script: str, status: str, code: int
) -> None:
    done = run([*SHELL, "nightly report", "sh", "-c", script], listening.environ)

    assert (code, "") == (done.returncode, done.stdout)
    told = execution(listening)
    assert ("nightly report", status, "script") == (
        told["workflow"],
        told["status"],
        told["trigger"],
    )
    assert told["duration_seconds"] is not None
    assert (None if code == 0 else f"exit {code}") == told["error_type"]


@needs_curl
def test_a_command_sees_its_arguments_and_standard_input_as_they_are(listening: Listening) -> None:
    done = run(
        [*SHELL, "w", "sh", "-c", 'printf "%s|" "$@"', "x", "a b", "", "$HOME", '"'],
        listening.environ,
    )

    assert 'a b||$HOME|"|' == done.stdout


@pytest.mark.parametrize("name", ['a"b', "a\\b", "a\nb", "$(x)"])
def test_a_name_that_json_would_have_to_escape_is_refused(name: str) -> None:
    done = run([*SHELL, name, "true"], NOWHERE)

    assert 64 == done.returncode
    assert "letters, digits" in done.stderr


def test_the_token_is_seen_by_nobody_who_lists_processes(tmp_path: Path) -> None:
    listing = tmp_path / "arguments"
    fake = tmp_path / "curl"
    fake.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" >> {listing}\ncat > /dev/null\n')
    fake.chmod(0o755)
    run(
        [*SHELL, "w", "true"],
        {"AIWF_TOKEN": "a-secret-token", "PATH": f"{tmp_path}:{os.environ['PATH']}"},
    )

    assert "--data-binary" in listing.read_text()
    assert "a-secret-token" not in listing.read_text()


@needs_curl
def test_a_command_runs_also_where_no_exporter_answers() -> None:
    done = run([*SHELL, "w", "sh", "-c", "echo worked; exit 5"], NOWHERE)

    assert (5, "worked\n") == (done.returncode, done.stdout)
    assert "the exporter was not told of w-" in done.stderr


@pytest.mark.parametrize(
    "command",
    [
        [
            sys.executable,
            "-c",
            "import push_execution as p; p.time.sleep = lambda s: None\n"
            "with p.Run('w'): print('worked')",
        ],
        pytest.param(
            [
                NODE or "node",
                "--input-type=module",
                "-e",
                "const { run, push } = await import('./push_execution.mjs');\n"
                "console.log(await push('executions', {}, 1)); await 0; console.log('worked')",
            ],
            marks=needs_node,
        ),
    ],
    ids=["python", "javascript"],
)
def test_a_program_goes_on_where_no_exporter_answers(command: list[str]) -> None:
    done = run(command, NOWHERE)

    assert 0 == done.returncode
    assert done.stdout.endswith("worked\n")
    assert "the exporter was not told" in done.stderr


ASKING_PYTHON = """
from gate import DeniedError, Gate
gate = Gate(execution_id="r1", workflow="enrich", timeout_seconds=5)
call = {"input_tokens": 100_000, "max_output_tokens": 1000}
for cheaper in (False, True):
    try:
        print(gate.model("openai", "gpt-4o", cheaper=cheaper, **call))
    except DeniedError as error:
        print(error)
"""


def test_the_gates_example_prints_what_the_gate_says(listening: Listening) -> None:
    answer = run([sys.executable, str(EXAMPLES / "gate.py")], listening.environ)
    assert json.loads(answer.stdout)["allow"] is True
    assert json.loads(answer.stdout)["input_tokens_estimated"] is True


def test_the_gates_example_takes_the_cheaper_model_or_tells_the_reason(
    listening: Listening,
) -> None:
    """The ceiling is 0.05 USD: 100,000 tokens of gpt-4o cost 0.26, of gpt-4o-mini 0.0156."""
    wait_until(lambda: listening.post("gate", b"{}").json()["as_of"])
    answer = run([sys.executable, "-c", ASKING_PYTHON], listening.environ)
    refused, cheaper = answer.stdout.splitlines()
    assert "0.05 USD of 0.05 USD remain" in refused
    assert cheaper == "gpt-4o-mini"


def test_the_gates_example_goes_on_where_nobody_answers() -> None:
    answer = run([sys.executable, str(EXAMPLES / "gate.py")], NOWHERE)
    assert json.loads(answer.stdout) == {"allow": True, "code": "silent", "cheaper_models": []}
