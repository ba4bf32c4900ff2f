"""OTLP in protobuf and in JSON gives the same spans; what is no span is rejected by itself."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.errors import BadRequestError
from exporter.receivers.traces import otlp_json, otlp_protobuf
from exporter.receivers.traces.otlp_span import Received
from exporter.records import Span
from tests.receivers.otlp_requests import (
    BEGUN,
    BEGUN_NANOS,
    GUIDE,
    TRACE,
    Sent,
    as_json,
    as_protobuf,
    request_of,
    span_id,
)

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def from_protobuf(*spans: Sent) -> Received:
    return otlp_protobuf.received(as_protobuf(spans), "otel", NOW)


def from_json(*spans: Sent) -> Received:
    return otlp_json.received(as_json(spans), "otel", NOW)


both = pytest.mark.parametrize("decode", [from_protobuf, from_json])
Decode = Callable[..., Received]


def one(decode: Decode, **fields: object) -> Span:
    fields.setdefault("span_id", span_id(1))
    found = decode(Sent(**fields))
    assert found.rejected == 0, found.reasons
    return found.spans[0]


@both
def test_a_span_keeps_ids_times_and_service(decode: Decode) -> None:
    span = one(decode, parent=span_id(7), name="Save", at_ms=1.5, took_ms=120.25, kind=3)

    assert (span.trace_id, span.span_id, span.parent_span_id) == (TRACE, span_id(1), span_id(7))
    assert span.started_at == BEGUN + timedelta(milliseconds=1.5)
    assert span.duration_seconds == 0.12025
    assert (span.name, span.kind, span.service, span.scope) == (
        "Save",
        "client",
        "writer",
        "made.by.hand",
    )


@both
def test_values_of_every_type_keep_it(decode: Decode) -> None:
    told = {
        "text": "a",
        "empty": "",
        "whole": 0,
        "large": 2**62,
        "part": 0.5,
        "no": False,
        "list": ["a", 1, [True]],
        "map": {"inner": {"x": 1}},
        "nothing": None,
    }

    assert one(decode, attributes=told).attributes == told


def test_both_encodings_give_the_same_spans() -> None:
    assert from_protobuf(*GUIDE).spans == from_json(*GUIDE).spans


@both
def test_an_error_keeps_its_message(decode: Decode) -> None:
    span = one(decode, error="rate limited")

    assert (span.is_error, span.status_message) == (True, "rate limited")


@both
def test_a_parent_in_another_process_is_told_apart(decode: Decode) -> None:
    assert one(decode, parent=span_id(9), flags=0x300).is_parent_remote
    assert not one(decode, parent=span_id(9), flags=0x100).is_parent_remote
    assert not one(decode, parent=span_id(9), flags=0x001).is_parent_remote


@both
def test_what_people_and_models_wrote_is_kept_apart_from_attributes(decode: Decode) -> None:
    span = one(
        decode,
        attributes={"gen_ai.input.messages": "a secret plan", "gen_ai.request.model": "gpt-4"},
    )

    assert span.attributes == {"gen_ai.request.model": "gpt-4"}
    assert span.content == {"gen_ai.input.messages": "a secret plan"}


@both
def test_texts_within_events_go_to_the_content_of_their_span(decode: Decode) -> None:
    event = ("gen_ai.choice", 5, {"gen_ai.output.messages": "the plan", "index": 0})
    span = one(decode, events=(event,))

    assert span.events[0].attributes == {"index": 0}
    assert list(span.content.values()) == ["the plan"]


@both
def test_what_a_machine_says_of_itself_is_left_out_of_the_resource(decode: Decode) -> None:
    told = {"service.name": "writer", "process.command_args": ["--key"], "team": "growth"}

    assert one(decode, resource=told).resource == {"service.name": "writer", "team": "growth"}


@both
def test_long_texts_and_many_attributes_are_cut(decode: Decode) -> None:
    told = {"long": "x" * 100_000} | {f"a{number}": number for number in range(1000)}

    attributes = one(decode, attributes=told).attributes

    assert len(attributes) == 256
    assert len(str(attributes["long"])) == 4096


@both
def test_deep_values_end_where_nobody_reads_on(decode: Decode) -> None:
    deep: object = "bottom"
    for _ in range(30):
        deep = [deep]

    assert "bottom" not in json.dumps(one(decode, attributes={"deep": deep}).attributes)


@both
@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"trace_id": "0" * 32}, "not all 0"),
        ({"span_id": "0" * 16}, "not all 0"),
        ({"trace_id": "ab"}, "trace"),
        ({"at_ms": -500_000_000_000}, "between 2015"),
        ({"at_ms": 3 * 86_400_000}, "between 2015"),
    ],
)
def test_a_span_that_cannot_be_is_rejected_and_the_others_stay(
    decode: Decode, fields: dict[str, object], reason: str
) -> None:
    wrong = Sent(**({"span_id": span_id(1)} | fields))

    found = decode(wrong, Sent(span_id=span_id(2)))

    assert [span.span_id for span in found.spans] == [span_id(2)]
    assert found.rejected == 1
    assert reason in found.reasons[0]


@both
def test_a_span_that_ends_before_it_begins_took_no_time(decode: Decode) -> None:
    assert one(decode, took_ms=-50).duration_seconds == 0


def test_json_takes_numbers_as_text_and_as_numbers_and_ids_in_capitals() -> None:
    document = {
        "resourceSpans": [
            {
                "scopeSpans": [
                    {
                        "spans": [
                            {
                                "traceId": TRACE.upper(),
                                "spanId": "EEE19B7EC3C1B174",
                                "parentSpanId": "",
                                "name": "n",
                                "startTimeUnixNano": BEGUN_NANOS,
                                "endTimeUnixNano": str(BEGUN_NANOS + 10**9),
                                "attributes": [
                                    {"key": "n", "value": {"intValue": 5}},
                                    {"key": "m", "value": {"intValue": "6"}},
                                    {"key": "nan", "value": {"doubleValue": "NaN"}},
                                ],
                                "unheardOf": {"a": 1},
                            }
                        ]
                    }
                ]
            }
        ]
    }

    span = otlp_json.received(json.dumps(document).encode(), "otel", NOW).spans[0]

    assert (span.trace_id, span.span_id, span.parent_span_id) == (TRACE, "eee19b7ec3c1b174", None)
    assert span.duration_seconds == 1
    assert span.attributes == {"n": 5, "m": 6, "nan": None}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"null",
        b"[]",
        b"{",
        b"\xff\xfe",
        b'{"resourceSpans": {}}',
        b'{"resourceSpans": [{"scopeSpans": [{"spans": [{"name": 5}]}]}]}',
        b'{"resourceSpans": ' + b"[" * 5_000 + b"]" * 5_000 + b"}",
    ],
)
def test_json_that_is_no_request_is_refused_with_a_reason(body: bytes) -> None:
    with pytest.raises(BadRequestError, match="body is"):
        otlp_json.received(body, "otel", NOW)


def test_bytes_that_are_no_protobuf_are_refused() -> None:
    with pytest.raises(BadRequestError, match="protobuf"):
        otlp_protobuf.received(b"\xff" * 40, "otel", NOW)


def test_a_request_without_spans_is_no_mistake() -> None:
    assert otlp_protobuf.received(b"", "otel", NOW).spans == []
    assert otlp_json.received(b'{"resourceSpans": []}', "otel", NOW).spans == []


@given(st.binary(max_size=400))
def test_any_bytes_are_spans_or_a_refusal(body: bytes) -> None:
    for decoder in (otlp_protobuf.received, otlp_json.received):
        try:
            decoder(body, "otel", NOW)
        except BadRequestError:
            continue


_REQUEST = request_of(GUIDE).SerializeToString()


@given(st.integers(0, len(_REQUEST) - 1), st.integers(0, 255), st.integers(0, len(_REQUEST)))
def test_a_damaged_request_is_spans_or_a_refusal(place: int, byte: int, end: int) -> None:
    body = bytearray(_REQUEST)
    body[place] = byte
    try:
        otlp_protobuf.received(bytes(body[:end]), "otel", NOW)
    except BadRequestError:
        return
