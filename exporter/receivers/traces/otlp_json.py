"""OTLP in JSON → spans: ids in hexadecimal, 64-bit numbers as text.

Source: https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding
"""

import math
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

import msgspec

from exporter.errors import BadRequestError
from exporter.nesting import is_nested_too_deep
from exporter.receivers.traces.content_keys import is_content
from exporter.receivers.traces.otlp_span import (
    MOST_ATTRIBUTES,
    MOST_EVENTS,
    Received,
    RejectedSpanError,
    event_of,
    hexadecimal,
    is_deep,
    latest_nanos,
    resource_of,
    shortened,
    span_of,
    text_of,
)
from exporter.records import Json, Span, SpanEvent

_Number = Annotated[str, msgspec.Meta(max_length=40)] | int


class _Values(msgspec.Struct):
    values: list["_AnyValue"] = []


class _Pairs(msgspec.Struct):
    values: list["_KeyValue"] = []


class _AnyValue(msgspec.Struct, rename="camel"):
    string_value: str | None = None
    bool_value: bool | None = None
    int_value: _Number | None = None
    double_value: float | str | None = None
    array_value: _Values | None = None
    kvlist_value: _Pairs | None = None
    bytes_value: str | None = None


class _KeyValue(msgspec.Struct):
    key: str = ""
    value: _AnyValue | None = None


class _Event(msgspec.Struct, rename="camel"):
    time_unix_nano: _Number = 0
    name: str = ""
    attributes: list[_KeyValue] | None = None


class _Status(msgspec.Struct):
    code: int | None = None
    message: str | None = None


class _Span(msgspec.Struct, rename="camel"):
    trace_id: str = ""
    span_id: str = ""
    parent_span_id: str | None = None
    flags: int | None = None
    name: str = ""
    kind: int | None = None
    start_time_unix_nano: _Number = 0
    end_time_unix_nano: _Number | None = None
    attributes: list[_KeyValue] | None = None
    events: list[_Event] | None = None
    status: _Status | None = None


class _Scope(msgspec.Struct):
    name: str | None = None


class _ScopeSpans(msgspec.Struct):
    scope: _Scope | None = None
    spans: list[_Span] | None = None


class _Resource(msgspec.Struct):
    attributes: list[_KeyValue] | None = None


class _ResourceSpans(msgspec.Struct, rename="camel"):
    resource: _Resource | None = None
    scope_spans: list[_ScopeSpans] | None = None


class _Request(msgspec.Struct, rename="camel"):
    resource_spans: list[_ResourceSpans]


_DECODER = msgspec.json.Decoder(_Request)


def received(body: bytes, source: str, now: datetime) -> Received:
    """Read a request.

    Raises:
        BadRequestError: it is no such request.
    """
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise BadRequestError(f"the body is not UTF-8 at byte {error.start}") from None
    if is_nested_too_deep(text):
        raise BadRequestError("the body is JSON nested too deep")
    try:
        request = _DECODER.decode(text)
    except msgspec.DecodeError as error:
        raise BadRequestError(f"the body is no OTLP trace request in JSON: {error}") from None
    found = Received()
    latest = latest_nanos(now)
    for group in request.resource_spans:
        resource = resource_of(
            _attributes(group.resource.attributes if group.resource else None, {})
        )
        for scoped in group.scope_spans or ():
            scope = scoped.scope.name if scoped.scope else None
            for span in scoped.spans or ():
                try:
                    found.spans.append(_span(span, source, latest, scope or "", resource))
                except RejectedSpanError as error:
                    found.reject(str(error))
    return found


def _span(span: _Span, source: str, latest: int, scope: str, resource: dict[str, Json]) -> Span:
    content: dict[str, str] = {}
    attributes = _attributes(span.attributes, content)
    events = _events(span.events, content) if span.events else ()
    parent = span.parent_span_id or ""
    status = span.status or _Status()
    return span_of(
        source,
        hexadecimal(span.trace_id, 32, "traceId"),
        hexadecimal(span.span_id, 16, "spanId"),
        hexadecimal(parent, 16, "parentSpanId") if parent.strip("0") else "",
        span.flags or 0,
        span.name,
        span.kind or 0,
        _whole(span.start_time_unix_nano, "startTimeUnixNano"),
        _whole(span.end_time_unix_nano or 0, "endTimeUnixNano"),
        latest,
        status.code or 0,
        status.message or "",
        scope,
        resource,
        attributes,
        content,
        events,
    )


def _whole(value: str | int, name: str) -> int:
    try:
        return int(value)
    except ValueError:
        raise RejectedSpanError(f"{name} must be a whole number of nanoseconds") from None


def _attributes(pairs: Sequence[_KeyValue] | None, content: dict[str, str]) -> dict[str, Json]:
    found: dict[str, Json] = {}
    for pair in pairs or ():
        told = _value(pair.value)
        if is_content(pair.key):
            content[pair.key] = text_of(told)
        elif len(found) < MOST_ATTRIBUTES:
            found[pair.key] = shortened(told)
    return found


def _value(value: _AnyValue | None, depth: int = 0) -> Json:  # noqa: PLR0911 - one return per kind
    if value is None or is_deep(depth):
        return None
    if value.string_value is not None:
        return value.string_value
    if value.bool_value is not None:
        return value.bool_value
    if value.int_value is not None:
        return _integer(value.int_value)
    if value.double_value is not None:
        return _double(value.double_value)
    if value.array_value is not None:
        return [_value(child, depth + 1) for child in value.array_value.values]
    if value.kvlist_value is not None:
        return {pair.key: _value(pair.value, depth + 1) for pair in value.kvlist_value.values}
    return value.bytes_value


def _integer(value: str | int) -> int | None:
    try:
        number = int(value)
    except ValueError:
        return None
    return number if -(2**63) <= number < 2**63 else None


def _double(value: float | str) -> float | None:
    try:
        number = float(value)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _events(events: Sequence[_Event], content: dict[str, str]) -> tuple[SpanEvent, ...]:
    found = []
    for place, told in enumerate(events[:MOST_EVENTS]):
        texts: dict[str, str] = {}
        attributes = _attributes(told.attributes, texts)
        nanos = _integer(told.time_unix_nano) or 0
        event = event_of(place, told.name, nanos, attributes, texts, content)
        if event is not None:
            found.append(event)
    return tuple(found)
