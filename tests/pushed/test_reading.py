"""Bodies are understood, or refused with every wrong place and its remedy."""

import json

import pytest

from exporter.errors import BadRequestError
from exporter.pushed.reading import read_executions, read_outcomes
from tests.pushed.telling import NOW, RUN, body, notes, refused

GUIDE = b"""{
  "execution_id": "exec_123",
  "workflow": "content_generator",
  "status": "success",
  "duration_ms": 2340,
  "steps_completed": 5,
  "cost_usd": 0.023
}"""
TWO = [{**RUN, "execution_id": "a"}, {**RUN, "execution_id": "b"}]


@pytest.mark.parametrize(
    ("written", "is_lines"),
    [
        (json.dumps(TWO).encode(), False),
        (body(*TWO), True),
        (body(*TWO), False),
        (b"\xef\xbb\xbf" + body(*TWO) + b"\r\n\n", True),
    ],
    ids=["a list", "lines", "lines that do not say so", "lines of Windows"],
)
def test_several_executions_come_as_a_list_or_as_lines(written: bytes, is_lines: bool) -> None:
    told = read_executions(written, is_lines=is_lines, now=NOW)

    assert ["a", "b"] == [said.execution_id for said in told.said]
    assert 2 == told.count


def test_the_example_of_the_guide_is_understood_without_a_note() -> None:
    told = read_executions(GUIDE, is_lines=False, now=NOW)

    assert ["exec_123"] == [said.execution_id for said in told.said]
    assert [] == told.notes


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        (b"", "the body is no JSON: expecting value at column 1"),
        (b"[]", "the body is empty; send one JSON object, a list, or lines"),
        (b"\xff", "the body is not UTF-8 at byte 0"),
        (b"3", "must be an object"),
        (b'{"execution_id": NaN}', "the body is no JSON: NaN is no number in JSON; write null"),
        (b"[" * 5000, "the body is JSON nested too deep"),
        (b'{"a": 1e9999999999999999999}', "the body is no JSON: a number is too large"),
        (b'{\n"a": 1,,\n}', "the body is no JSON: "),
    ],
)
def test_a_body_that_is_no_json_is_refused_with_the_place(written: bytes, reason: str) -> None:
    assert refused(written).startswith(reason)


def test_every_wrong_line_is_named_and_nothing_is_kept() -> None:
    wrong = [
        RUN,
        {**RUN, "llm_calls": [{"model": "m", "input_tokens": -1}]},
        {"execution_id": "x", "status": "success"},
        {**RUN, "status": "strange"},
    ]

    assert (
        "line 2: llm_calls[0].input_tokens: must be a whole number ≥ 0\n"
        "line 3: workflow is missing\n"
        "line 4: status: 'strange' is no status that is known; known: queued, running, waiting, "
        "success, error, timeout, canceled, crashed" == refused(body(*wrong), is_lines=True)
    )


def test_at_most_twenty_wrong_lines_are_named_and_the_others_counted() -> None:
    lines = refused(body(*[{}] * 27), is_lines=True).splitlines()

    assert 21 == len(lines)
    assert "and 7 more are wrong" == lines[-1]


def test_wrong_places_in_a_list_are_numbered_from_its_beginning() -> None:
    assert refused(json.dumps([RUN, {**RUN, "tags": 1.5, "url": "ftp://x"}]).encode()) == (
        "[1]: url: must be an address that begins with https:// or http://"
    )


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"execution_id": ""}, "execution_id: must not be empty"),
        ({"execution_id": "a\0b"}, "execution_id: must not hold NUL or half of a surrogate pair"),
        ({"execution_id": "\ud83d"}, "execution_id: must not hold NUL or half of a surrogate pair"),
        ({"execution_id": "é" * 128}, "execution_id: must be at most 255 bytes long"),
        ({"execution_id": ["a"]}, "execution_id: must be text"),
        ({"status": 200}, "status: it is no status that is known; known: "),
        ({"duration_ms": -1}, "duration_ms: must be a number of milliseconds ≥ 0"),
        ({"duration_ms": "2,340"}, "duration_ms: must be a number of milliseconds ≥ 0"),
        ({"duration_seconds": 10**9}, "duration_seconds: is more than ten years; must be"),
        ({"duration_ms": 1, "duration_seconds": 1}, "duration_ms and duration_seconds say diff"),
        ({"cost_usd": -0.5}, "cost_usd: must be US dollars ≥ 0, such as 0.023"),
        ({"cost_usd": 10**15}, "cost_usd: must be less than 1,000,000,000,000,000"),
        ({"cost_usd": "1e-60"}, "cost_usd: must have at most 50 digits after the point"),
        ({"items_total": 2**63}, "items_total: must be less than 1,000,000,000,000,000"),
        ({"items_total": 1.5}, "items_total: must be a whole number ≥ 0"),
        ({"items_total": True}, "items_total: must be a whole number ≥ 0"),
        ({"items_total": 1, "items_failed": 2}, "items_failed must not be more than items_total"),
        ({"started_at": "yesterday"}, "started_at: is no time; write ISO 8601 with its zone"),
        ({"started_at": "2026-06-01T12:00:00"}, "started_at: has no zone; end it with Z (UTC)"),
        ({"started_at": "0001-01-01T00:00:00+23:59"}, "started_at: is no time"),
        ({"finished_at": "2026-06-02T12:00:01Z"}, "finished_at: is 2026-06-02 12:00 UTC, more"),
        ({"created_at": "2014-12-31T23:59:59Z"}, "created_at: is 2014-12-31 23:59 UTC, before"),
        ({"timestamp": 1780315200 * 10**13}, "timestamp: is no time"),
        ({"steps": 5}, "steps: must be a list of objects"),
        ({"steps": [{"kind": "llm"}, 3]}, "steps[1]: must be an object"),
        ({"steps": [{"id": "a"}, {"id": "a"}]}, "steps: the id 'a' stands twice"),
        ({"steps": [{"id": "2"}, {}]}, "steps: the id '2' stands twice"),
        ({"llm_calls": [{"provider": "openai"}]}, "llm_calls[0].model: is missing"),
        ({"llm_calls": [{"model": "m", "usage": 3}]}, "llm_calls[0].usage: must be an object"),
        (
            {"llm_calls": [{"model": "m", "input_tokens": 5, "cached_tokens": 6}]},
            "llm_calls[0]: input_tokens must include cached_input_tokens and cache_write_tokens",
        ),
        (
            {"llm_calls": [{"model": "m", "output_tokens": 5, "reasoning_tokens": 6}]},
            "llm_calls[0]: output_tokens must include reasoning_tokens",
        ),
        ({"outcomes": {"approved": "yes"}}, "outcomes[0].value: must be a number, or true or"),
        ({"outcomes": 3}, "outcomes: must be {name: value, …} or a list of"),
        ({"error": 3}, "error: must be an object"),
        ({"url": "javascript:alert(1)"}, "url: must be an address that begins with https://"),
        ({"attributes": []}, "attributes: must be an object"),
        ({"attributes": {"a": {"\ud83d": 1}}, "\ud83d": 1}, "a key holds half of a surrogate"),
    ],
)
def test_a_wrong_value_is_refused_with_its_place_and_remedy(
    fields: dict[str, object], reason: str
) -> None:
    assert refused({**RUN, **fields}).startswith(reason)


def test_a_key_that_looks_like_one_that_is_missing_is_named() -> None:
    assert "status: is missing; unknown key 'statuss' (did you mean 'status'?)" == refused(
        {"execution_id": 1, "workflow": "w", "statuss": "ok"}
    )


def test_keys_that_are_not_known_are_told_back_once_with_how_often_they_came() -> None:
    told = read_executions(
        body(*({**RUN, "execution_id": number, "teem": "x"} for number in range(3))),
        is_lines=True,
        now=NOW,
    )

    hint = "(did you mean 'team'?)"
    assert f"line 1 and 2 more: unknown key 'teem' was kept in attributes {hint}" in told.notes


@pytest.mark.parametrize(
    ("fields", "note"),
    [
        ({"foo": 1}, "unknown key 'foo' was kept in attributes"),
        ({"error": {"message": "m", "kode": 1}}, "error: unknown key 'kode' was left out"),
        ({"steps": [{"name": "s", "foo": 1}]}, "steps: unknown key 'foo' was kept in attributes"),
        ({"steps": [{"name": "s", "kind": "agent"}]}, "steps: kind 'agent' became other; known: "),
        ({"steps": [{"name": "s", "parent_step_id": "x"}]}, "steps: parent_step_id 'x' is no step"),
        ({"steps": [{"error": {"foo": 1}}]}, "steps: error: unknown key 'foo' was left out"),
        ({"llm_calls": [{"model": "m", "foo": 1}]}, "llm_calls: unknown key 'foo' was left out"),
        ({"llm_calls": [{"model": "m", "operation": "sing"}]}, "llm_calls: operation 'sing' bec"),
        ({"llm_calls": [{"model": "m", "error": {"foo": 1}}]}, "llm_calls: error: unknown key"),
        (
            {"steps": [{"name": "s"}], "llm_calls": [{"model": "m", "step": "t"}]},
            "llm_calls: step_id 't' is no step of this run",
        ),
        ({"outcomes": [{"name": "n", "foo": 1}]}, "outcomes: unknown key 'foo' was kept in"),
        ({"status": "running", "duration_ms": 1}, "it is running: finished_at and its duration"),
        (
            {"started_at": "2026-06-01T11:00:00Z", "finished_at": "2026-06-01T10:59:59Z"},
            "finished_at is before started_at: its duration is unknown",
        ),
        (
            {
                "started_at": "2026-06-01T11:00:00Z",
                "finished_at": "2026-06-01T11:00:10Z",
                "duration_ms": 3000,
            },
            "its duration is another than from started_at to finished_at, which counts",
        ),
        ({"started_at": "2026-06-01T11:00:00Z"}, "neither duration_ms nor finished_at is told"),
        ({"attributes": {"a": "x" * 5000}}, "attributes: more than 4,096 characters of a text"),
    ],
)
def test_what_was_not_taken_as_it_was_meant_is_told_back(
    fields: dict[str, object], note: str
) -> None:
    assert any(each.startswith(note) for each in notes(**fields)), notes(**fields)


def test_an_outcome_that_nothing_identifies_is_told_that_it_counts_each_time() -> None:
    bare = read_outcomes(body({"workflow": "w", "outcome": "sold"}), is_lines=False, now=NOW)
    known = read_outcomes(
        body({"workflow": "w", "outcome": "sold", "execution_id": "1"}), is_lines=False, now=NOW
    )

    assert ["without id, execution_id or at it counts again if it is sent again"] == bare.notes
    assert [] == known.notes


@pytest.mark.parametrize(
    "written",
    [
        b"[" + b"{}," * 100_001 + b"{}]",
        b"\n".join([b"{}"] * 10_001),
    ],
    ids=["too many objects", "too many lines"],
)
def test_more_than_a_request_may_hold_is_refused_before_it_takes_memory(written: bytes) -> None:
    with pytest.raises(BadRequestError, match="send less at a time") as error:
        read_executions(written, is_lines=True, now=NOW)
    assert 413 == error.value.status


def test_braces_within_texts_are_no_objects() -> None:
    told = read_executions(body({**RUN, "input": "{[" * 100_000}), is_lines=False, now=NOW)

    assert 1 == told.count
