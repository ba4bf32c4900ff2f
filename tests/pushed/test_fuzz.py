"""Whatever is sent, it becomes records or a refusal."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exporter.errors import BadRequestError
from exporter.pushed.reading import Told, read_executions, read_outcomes
from exporter.pushed.said import SaidCall, SaidExecution, SaidOutcome, SaidStep
from tests.pushed.telling import NOW, RUN, Stored

TEXTS = st.text(st.characters(), max_size=20) | st.sampled_from(
    ["\0", "\ud83d", "1e5", "NaN", "2026-06-01T11:00:00Z", "0001-01-01T00:00:00+23:59", "-0"]
)
NUMBERS = (
    st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from([2**63, 10**400, -0.0, 1780311600, 1780311600000, 5e-324])
)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda child: (
        st.lists(child, max_size=4)
        | st.dictionaries(TEXTS, child, max_size=4)
        | st.dictionaries(st.sampled_from(["prompt_tokens_details", "message"]), child)
    ),
    max_leaves=8,
)


def names_of(*models: Any) -> list[str]:
    return sorted({name for model in models for name in model.model_fields} | {"@timestamp", "id"})


def documents(required: dict[str, object], *models: Any) -> st.SearchStrategy[dict[str, Any]]:
    fields = st.dictionaries(st.sampled_from(names_of(*models)) | TEXTS, JSON, max_size=6)
    return fields.map(lambda found: {**required, **found})


def nested(steps: list[Any], calls: list[Any], fields: dict[str, Any]) -> dict[str, Any]:
    return {**fields, "steps": steps, "llm_calls": calls}


RUNS = documents(dict(RUN), SaidExecution) | st.builds(
    nested,
    st.lists(documents({}, SaidStep), max_size=2),
    st.lists(documents({"model": "m"}, SaidCall), max_size=2),
    st.just(dict(RUN)),
)
OUTCOMES = documents({"workflow": "w", "name": "n"}, SaidOutcome)


def understood(read: Any, sent: bytes, *, is_lines: bool = False) -> Told[Any] | None:
    """What a body tells, or None where it is refused in words that can be answered with."""
    try:
        return read(sent, is_lines=is_lines, now=NOW)  # type: ignore[no-any-return]
    except BadRequestError as error:
        refusal = error
    assert str(refusal).encode()
    assert refusal.status in (400, 413)
    return None


@given(st.binary() | JSON.map(lambda value: json.dumps(value).encode()), st.booleans())
@settings(deadline=None, max_examples=300)
def test_any_bytes_are_refused_or_become_records(sent: bytes, is_lines: bool) -> None:
    for read in (read_executions, read_outcomes):
        told = understood(read, sent, is_lines=is_lines)
        assert told is None or Stored().told(told)


@pytest.mark.parametrize("read", [read_executions, read_outcomes])
@given(data=st.data())
@settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.too_slow])
def test_known_names_with_any_values_are_refused_or_become_records(
    read: Any, data: st.DataObject
) -> None:
    document = data.draw(RUNS if read is read_executions else OUTCOMES)
    told = understood(read, json.dumps(document).encode())
    if told is not None:
        json.dumps(told.notes, ensure_ascii=False).encode()
        assert Stored().told(told)
