"""OTLP in protobuf → spans.

Source: opentelemetry/proto/collector/trace/v1/trace_service.proto.
"""

from collections.abc import Iterable
from datetime import datetime

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span as OtlpSpan

from exporter.errors import BadRequestError
from exporter.receivers.traces.content_keys import is_content
from exporter.receivers.traces.otlp_span import (
    MOST_ATTRIBUTES,
    MOST_EVENTS,
    Received,
    RejectedSpanError,
    event_of,
    is_deep,
    latest_nanos,
    resource_of,
    shortened,
    span_of,
    text_of,
)
from exporter.records import Json, Span, SpanEvent

_NO_TRACE, _NO_SPAN = bytes(16), bytes(8)


def received(body: bytes, source: str, now: datetime) -> Received:
    """Read a request.

    Raises:
        BadRequestError: it is no such request.
    """
    try:
        request = ExportTraceServiceRequest.FromString(body)
    except DecodeError as error:
        raise BadRequestError(f"the body is no OTLP trace request in protobuf: {error}") from None
    found = Received()
    latest = latest_nanos(now)
    for group in request.resource_spans:
        resource = resource_of(_attributes(group.resource.attributes, {}))
        for scoped in group.scope_spans:
            scope = scoped.scope.name
            for span in scoped.spans:
                try:
                    found.spans.append(_span(span, source, latest, scope, resource))
                except RejectedSpanError as error:
                    found.reject(str(error))
    return found


def _span(span: OtlpSpan, source: str, latest: int, scope: str, resource: dict[str, Json]) -> Span:
    trace_id, span_id = span.trace_id, span.span_id
    if len(trace_id) != 16 or trace_id == _NO_TRACE:
        raise RejectedSpanError("trace_id must be 16 bytes, not all 0")
    if len(span_id) != 8 or span_id == _NO_SPAN:
        raise RejectedSpanError("span_id must be 8 bytes, not all 0")
    content: dict[str, str] = {}
    attributes = _attributes(span.attributes, content)
    events = _events(span, content) if span.events else ()
    parent = span.parent_span_id
    return span_of(
        source,
        trace_id.hex(),
        span_id.hex(),
        parent.hex() if len(parent) == 8 and parent != _NO_SPAN else "",
        span.flags,
        span.name,
        span.kind,
        span.start_time_unix_nano,
        span.end_time_unix_nano,
        latest,
        span.status.code,
        span.status.message,
        scope,
        resource,
        attributes,
        content,
        events,
    )


def _attributes(pairs: Iterable[KeyValue], content: dict[str, str]) -> dict[str, Json]:
    found: dict[str, Json] = {}
    for pair in pairs:
        key = pair.key
        value = pair.value
        # Most values are short texts; which one it is need not be asked for those.
        told: Json = value.string_value or _value(value)
        if is_content(key):
            content[key] = text_of(told)
        elif len(found) < MOST_ATTRIBUTES:
            found[key] = told if type(told) is int else shortened(told)
    return found


def _value(value: AnyValue, depth: int = 0) -> Json:  # noqa: PLR0911 - one return per kind
    match value.WhichOneof("value"):
        case "string_value":
            return value.string_value
        case "int_value":
            return value.int_value
        case "bool_value":
            return value.bool_value
        case "double_value":
            return value.double_value
        case "bytes_value":
            return value.bytes_value.hex()
        case "array_value" if not is_deep(depth):
            return [_value(child, depth + 1) for child in value.array_value.values]
        case "kvlist_value" if not is_deep(depth):
            return {pair.key: _value(pair.value, depth + 1) for pair in value.kvlist_value.values}
        case _:
            return None


def _events(span: OtlpSpan, content: dict[str, str]) -> tuple[SpanEvent, ...]:
    events = []
    for place, event in enumerate(span.events[:MOST_EVENTS]):
        texts: dict[str, str] = {}
        attributes = _attributes(event.attributes, texts)
        found = event_of(place, event.name, event.time_unix_nano, attributes, texts, content)
        if found is not None:
            events.append(found)
    return tuple(events)
