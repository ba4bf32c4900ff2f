"""OTLP requests as senders make them, in either encoding."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList

PROTOBUF, JSON = "application/x-protobuf", "application/json"
BEGUN = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
BEGUN_NANOS = int(BEGUN.timestamp()) * 10**9
TRACE = "5b8efff798038103d269b633813fc60c"


@dataclass(frozen=True, kw_only=True)
class Sent:
    """A span as a program sends it; times are milliseconds after BEGUN."""

    span_id: str
    name: str = "step"
    trace_id: str = TRACE
    parent: str = ""
    at_ms: float = 0
    took_ms: float = 100
    kind: int = 1
    flags: int = 0
    error: str | None = None
    attributes: Mapping[str, object] = field(default_factory=dict)
    events: tuple[tuple[str, float, Mapping[str, object]], ...] = ()
    scope: str = "made.by.hand"
    resource: Mapping[str, object] = field(default_factory=lambda: {"service.name": "writer"})


def span_id(number: int) -> str:
    """Return the id of a numbered span."""
    return f"{number:016x}"


def value_of(value: object) -> AnyValue:  # noqa: PLR0911 - one return per kind
    """Return a value as OTLP has it."""
    match value:
        case bool():
            return AnyValue(bool_value=value)
        case int():
            return AnyValue(int_value=value)
        case float():
            return AnyValue(double_value=value)
        case bytes():
            return AnyValue(bytes_value=value)
        case list() | tuple():
            return AnyValue(array_value=ArrayValue(values=[value_of(item) for item in value]))
        case Mapping():
            return AnyValue(kvlist_value=KeyValueList(values=_pairs(value)))
        case None:
            return AnyValue()
        case _:
            return AnyValue(string_value=str(value))


def _pairs(attributes: Mapping[str, object]) -> list[KeyValue]:
    return [KeyValue(key=key, value=value_of(value)) for key, value in attributes.items()]


def request_of(spans: Iterable[Sent]) -> ExportTraceServiceRequest:
    """Return a request of the spans, each under its own resource and scope."""
    request = ExportTraceServiceRequest()
    for sent in spans:
        group = request.resource_spans.add()
        group.resource.attributes.extend(_pairs(sent.resource))
        scoped = group.scope_spans.add()
        scoped.scope.name = sent.scope
        span = scoped.spans.add()
        span.trace_id = bytes.fromhex(sent.trace_id)
        span.span_id = bytes.fromhex(sent.span_id)
        span.parent_span_id = bytes.fromhex(sent.parent)
        span.name = sent.name
        span.kind = sent.kind  # type: ignore[assignment]  # an enum's number
        span.flags = sent.flags
        span.start_time_unix_nano = BEGUN_NANOS + round(sent.at_ms * 1e6)
        span.end_time_unix_nano = span.start_time_unix_nano + round(sent.took_ms * 1e6)
        span.attributes.extend(_pairs(sent.attributes))
        if sent.error is not None:
            span.status.code = 2  # type: ignore[assignment]
            span.status.message = sent.error
        for name, at_ms, attributes in sent.events:
            event = span.events.add()
            event.name = name
            event.time_unix_nano = BEGUN_NANOS + round(at_ms * 1e6)
            event.attributes.extend(_pairs(attributes))
    return request


def as_protobuf(spans: Iterable[Sent]) -> bytes:
    """Return the body in protobuf."""
    return request_of(spans).SerializeToString()


def as_json(spans: Iterable[Sent]) -> bytes:
    """Return the body in OTLP's JSON, in which ids are hexadecimal."""
    document = MessageToDict(request_of(spans), use_integers_for_enums=True)
    listed = list(spans)
    for sent, group in zip(listed, document.get("resourceSpans", []), strict=True):
        span = group["scopeSpans"][0]["spans"][0]
        span["traceId"], span["spanId"] = sent.trace_id, sent.span_id
        if sent.parent:
            span["parentSpanId"] = sent.parent
    return json.dumps(document).encode()


GUIDE = (
    Sent(
        span_id=span_id(1),
        name="content_generator",
        took_ms=7565,
        attributes={"aiwf.workflow": "content_generator"},
    ),
    Sent(
        span_id=span_id(2),
        parent=span_id(1),
        name="Fetch topic from database",
        took_ms=45,
        attributes={"db.system.name": "postgresql"},
    ),
    Sent(
        span_id=span_id(3),
        parent=span_id(1),
        name="Generate outline with GPT-4",
        at_ms=45,
        took_ms=1200,
        attributes={
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "openai",
            "gen_ai.request.model": "gpt-4",
            "gen_ai.usage.input_tokens": 900,
            "gen_ai.usage.output_tokens": 300,
        },
    ),
    Sent(
        span_id=span_id(4),
        parent=span_id(1),
        name="Expand each section with Claude",
        at_ms=1245,
        took_ms=2400,
        attributes={
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "anthropic",
            "gen_ai.request.model": "claude-sonnet-4-5",
            "gen_ai.usage.input_tokens": 1500,
            "gen_ai.usage.output_tokens": 2100,
        },
    ),
    Sent(
        span_id=span_id(5),
        parent=span_id(1),
        name="Generate image with DALL-E",
        at_ms=3645,
        took_ms=3800,
        attributes={
            "gen_ai.operation.name": "image_generation",
            "gen_ai.provider.name": "openai",
            "gen_ai.request.model": "dall-e-3",
        },
    ),
    Sent(
        span_id=span_id(6),
        parent=span_id(1),
        name="Save to CMS",
        at_ms=7445,
        took_ms=120,
        kind=3,
        attributes={"http.request.method": "POST"},
    ),
)
"""The trace of the guide: five steps, image generation half of the time."""
