"""What instrumented programs say of themselves: spans, and where the reading of a trace stands."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from exporter.records.json import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class SpanEvent:
    """Something that happened within a span."""

    name: str
    at: datetime
    attributes: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A span as it was received, in every dialect. Key: source, trace_id, span_id.

    Kept until its trace has settled: what is concluded from a trace is concluded from all of its
    spans. Of two with one key, the one that ended later is kept.
    """

    source: str
    trace_id: str  # 32 hexadecimal digits
    span_id: str  # 16
    name: str
    started_at: datetime
    duration_seconds: float  # from the nanoseconds that were sent
    parent_span_id: str | None = None
    is_parent_remote: bool = False  # the parent is of another process, which may never tell us
    kind: str = "internal"  # internal | server | client | producer | consumer
    is_error: bool = False
    status_message: str | None = None
    scope: str = ""  # the instrumentation that made it
    service: str = ""  # service.name of its resource
    attributes: Mapping[str, Json] = field(default_factory=dict)
    resource: Mapping[str, Json] = field(default_factory=dict)
    content: Mapping[str, str] = field(default_factory=dict)  # attributes that hold prose
    events: tuple[SpanEvent, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceSeen:
    """Spans of a trace were received. Key: source, trace_id."""

    source: str
    trace_id: str
    received_at: datetime
    spans: int  # how many, repeated ones included
    look_at: datetime  # when to conclude from them; an earlier time that is stored stays


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceReading:
    """All spans of a trace that were received have been concluded from. Key: source, trace_id."""

    source: str
    trace_id: str
    created_at: datetime  # of the execution that was made of it
    look_at: datetime | None  # when to look again; None: it has settled, and its spans may go


@dataclass(frozen=True, slots=True, kw_only=True)
class WholeExecution:
    """A batch holds all that is known of this execution: other steps and calls of it go."""

    source: str
    execution_id: str
    created_at: datetime
    stored_created_at: datetime | None  # under which it is stored; None: it never was


@dataclass(frozen=True, slots=True, kw_only=True)
class Forwarding:
    """A body of spans that is still to be sent on. Key: source, target, forwarding_id."""

    source: str
    target: str
    forwarding_id: str
    received_at: datetime
    content_type: str
    body: bytes
