"""The documented schemas say what is taken."""

from typing import Any

import pytest

from exporter.pushed.schema import executions_schema, outcomes_schema

jsonschema = pytest.importorskip("jsonschema", reason="install jsonschema (group dev)")

RUN: dict[str, Any] = {
    "execution_id": "exec_123",
    "workflow": "content_generator",
    "status": "success",
    "duration_ms": 2340,
    "steps_completed": 5,
    "cost_usd": 0.023,
    "error": "text",
    "steps": [{"name": "fetch"}],
    "llm_calls": [{"model": "m", "usage": {"input_tokens": 1}, "prompt": [{"role": "user"}]}],
    "outcomes": {"approved": True},
    "anything": "else",
}


@pytest.mark.parametrize("document", [RUN, [RUN, RUN]])
def test_an_execution_and_a_list_of_them_are_valid(document: object) -> None:
    jsonschema.validate(document, executions_schema())


@pytest.mark.parametrize(
    "change", [{"status": None}, {"duration_ms": -1}, {"llm_calls": [{}]}, {"started_at": {}}]
)
def test_what_would_be_refused_is_not_valid(change: dict[str, object]) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**RUN, **change}, executions_schema())


def test_an_outcome_is_valid_without_a_value() -> None:
    jsonschema.validate({"workflow": "w", "name": "approved"}, outcomes_schema())


@pytest.mark.parametrize("schema", [executions_schema(), outcomes_schema()])
def test_a_schema_refers_to_nothing_outside_itself(schema: dict[str, Any]) -> None:
    assert "$ref" not in str(schema)
    assert "$defs" not in str(schema)
