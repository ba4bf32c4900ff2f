"""Spans of either encoding of OTLP in our words; what cannot be one is rejected with the reason.

Source: https://opentelemetry.io/docs/specs/otlp/ and opentelemetry/proto/trace/v1/trace.proto.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import msgspec

from exporter.records import Json, Span, SpanEvent

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EARLIEST_NANOS = 1_420_070_400 * 10**9  # 2015: nobody sends older spans
_FUTURE_NANOS = 24 * 3600 * 10**9
_LONGEST_NANOS = 366 * 24 * 3600 * 10**9
_KINDS = ("internal", "internal", "server", "client", "producer", "consumer")
_LONGEST_NAME = 300
_LONGEST_TEXT = 4_096
_LONGEST_CONTENT = 1_000_000
MOST_ATTRIBUTES = 256
MOST_EVENTS = 128
_DEEPEST = 8
_NO_ID = frozenset("0")
# What machines say of themselves, at length, and nobody asks of a workflow.
_LEFT_OUT_OF_RESOURCES = ("process.", "telemetry.", "os.", "host.", "container.", "k8s.", "cloud.")
# bits of Span.flags: whether it is known that the parent is remote, and whether it is
_KNOWS_PARENT, _PARENT_IS_REMOTE = 0x100, 0x200


class RejectedSpanError(ValueError):
    """One span that cannot be stored; the others of its request can."""


@dataclass(slots=True)
class Received:
    """What a request brought."""

    spans: list[Span] = field(default_factory=list)
    rejected: int = 0
    reasons: list[str] = field(default_factory=list)  # of the first few
    left_out: int = 0  # known from elsewhere

    def reject(self, reason: str) -> None:
        """Count a span that cannot be stored."""
        self.rejected += 1
        if len(self.reasons) < 5 and reason not in self.reasons:
            self.reasons.append(reason)

    def leave_out(self, is_known: Callable[[Span], bool]) -> None:
        """Drop spans of what is known from elsewhere, and count them."""
        kept = [span for span in self.spans if not is_known(span)]
        self.left_out += len(self.spans) - len(kept)
        self.spans = kept


def hexadecimal(value: str, digits: int, name: str) -> str:
    """Return an id, or raise RejectedSpanError."""
    value = value.lower()
    try:
        is_id = len(value) == digits and int(value, 16) > 0 and value.isalnum()
    except ValueError:
        is_id = False
    if not is_id:
        raise RejectedSpanError(f"{name} must be {digits} hexadecimal digits, not all 0")
    return value


def span_of(  # noqa: PLR0917
    source: str,
    trace_id: str,
    span_id: str,
    parent_span_id: str,
    flags: int,
    name: str,
    kind: int,
    start_nanos: int,
    end_nanos: int,
    latest_nanos: int,
    status_code: int,
    status_message: str,
    scope: str,
    resource: Mapping[str, Json],
    attributes: dict[str, Json],
    content: dict[str, str],
    events: tuple[SpanEvent, ...],
) -> Span:
    """Return the span, or raise RejectedSpanError."""
    if not _EARLIEST_NANOS <= start_nanos <= latest_nanos:
        raise RejectedSpanError(
            "startTimeUnixNano must lie between 2015 and a day from now; it counts nanoseconds"
        )
    # Not ended, or by a clock that was set back: how long it took is not known to be more.
    nanos = min(max(end_nanos - start_nanos, 0), _LONGEST_NANOS)
    return Span(
        source=source,
        trace_id=trace_id,
        span_id=span_id,
        parent_span_id=parent_span_id or None,
        is_parent_remote=bool(flags & _KNOWS_PARENT and flags & _PARENT_IS_REMOTE),
        name=name[:_LONGEST_NAME],
        kind=_KINDS[kind] if 0 <= kind < len(_KINDS) else "internal",
        started_at=_EPOCH + timedelta(microseconds=start_nanos // 1000),
        duration_seconds=nanos / 1e9,
        is_error=status_code == 2,
        status_message=status_message[:_LONGEST_TEXT] or None,
        scope=scope,
        service=str(resource.get("service.name", ""))[:_LONGEST_NAME],
        attributes=attributes,
        resource=resource,
        content=content,
        events=events,
    )


def latest_nanos(now: datetime) -> int:
    """Return the latest believable start of a span."""
    return int(now.timestamp()) * 10**9 + _FUTURE_NANOS


def event_of(  # noqa: PLR0917 - called once a line, for millions
    place: int,
    name: str,
    nanos: int,
    attributes: dict[str, Json],
    texts: dict[str, str],
    content: dict[str, str],
) -> SpanEvent | None:
    """Return an event; its texts go to its span's content. None: its time cannot be."""
    if not _EARLIEST_NANOS <= nanos <= 4 * 10**18:
        return None
    for key, text in texts.items():
        content[f"event.{place}.{name}.{key}"] = text
    at = _EPOCH + timedelta(microseconds=nanos // 1000)
    return SpanEvent(name=name[:_LONGEST_NAME], at=at, attributes=attributes)


def text_of(value: Json) -> str:
    """Return a value as people read it: a text as it is, anything else as JSON."""
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return text[:_LONGEST_CONTENT]


def shortened(value: Json) -> Json:
    """Cut texts that are no content to what is worth keeping."""
    if isinstance(value, str):
        return value[:_LONGEST_TEXT]
    if isinstance(value, list):
        return [shortened(item) for item in value[:MOST_ATTRIBUTES]]
    if isinstance(value, dict):
        return {
            key[:_LONGEST_NAME]: shortened(child)
            for key, child in list(value.items())[:MOST_ATTRIBUTES]
        }
    return value


def resource_of(attributes: Mapping[str, Json]) -> dict[str, Json]:
    """Return what is worth keeping of a resource."""
    return {
        key: value
        for key, value in attributes.items()
        if not key.startswith(_LEFT_OUT_OF_RESOURCES)
    }


def is_deep(depth: int) -> bool:
    """Whether a value lies deeper than attributes go."""
    return depth > _DEEPEST
