"""Spans ↔ tables: kept as they came until their trace has settled."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Any

import msgspec
import psycopg

from exporter.interfaces import StoredTrace
from exporter.records import Forwarding, Span, SpanEvent, TraceReading, TraceSeen
from exporter.sql_files import named_statements

_STATEMENTS = named_statements("exporter.sinks.sql", "traces.sql")
_MOST_SPANS_OF_A_TRACE = 50_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder().decode
Row = dict[str, Any]
Connection = psycopg.Connection[Row]


def merge_spans(connection: Connection, spans: Sequence[Span]) -> None:
    """Store spans; of two with one key the one that ended later."""
    newest: dict[tuple[str, str, str], tuple[datetime, bytes]] = {}
    for span in spans:
        key = (span.source, span.trace_id, span.span_id)
        value = (span.started_at + timedelta(seconds=span.duration_seconds), _packed(span))
        if key not in newest or newest[key] < value:
            newest[key] = value
    connection.execute(_STATEMENTS["create_spans"].encode())
    with connection.cursor().copy("COPY staged_spans FROM STDIN (FORMAT BINARY)") as copy:
        copy.set_types(["text", "text", "text", "timestamptz", "bytea"])
        for key, value in newest.items():
            copy.write_row((*key, *value))
    connection.execute(_STATEMENTS["merge_spans"].encode())


def see_traces(connection: Connection, seen: Sequence[TraceSeen]) -> None:
    """Note that spans of traces came, and when to conclude from them."""
    connection.execute(
        _STATEMENTS["see_traces"].encode(),
        {
            "sources": [trace.source for trace in seen],
            "trace_ids": [trace.trace_id for trace in seen],
            "received": [trace.received_at for trace in seen],
            "spans": [trace.spans for trace in seen],
            "look": [trace.look_at for trace in seen],
        },
    )


def note_readings(connection: Connection, readings: Sequence[TraceReading]) -> None:
    """Note that traces have been concluded from; the spans of those that have settled go."""
    connection.execute(
        _STATEMENTS["note_readings"].encode(),
        {
            "sources": [reading.source for reading in readings],
            "trace_ids": [reading.trace_id for reading in readings],
            "created": [reading.created_at for reading in readings],
            "look": [reading.look_at for reading in readings],
        },
    )
    settled = [reading for reading in readings if reading.look_at is None]
    if settled:
        connection.execute(
            _STATEMENTS["forget_spans"].encode(),
            {
                "sources": [reading.source for reading in settled],
                "trace_ids": [reading.trace_id for reading in settled],
            },
        )


def due_traces(
    connection: Connection, source: str, now: datetime, most_spans: int
) -> list[StoredTrace]:
    """Read the traces to look at, with their spans."""
    rows = connection.execute(
        _STATEMENTS["due_traces"].encode(), {"source": source, "now": now, "most": most_spans}
    ).fetchall()
    return [
        _trace(source, list(found)) for _, found in groupby(rows, key=lambda row: row["trace_id"])
    ]


def _trace(source: str, rows: Sequence[Row]) -> StoredTrace:
    first = rows[0]
    return StoredTrace(
        trace_id=first["trace_id"],
        created_at=first["created_at"],
        received_at=first["received_at"],
        spans=[_unpacked(source, first["trace_id"], row["span"]) for row in rows],
    )


def closed_traces(connection: Connection, source: str, trace_ids: Sequence[str]) -> set[str]:
    """Return the traces that take no more spans: settled, or longer than anyone can read."""
    rows = connection.execute(
        _STATEMENTS["closed_traces"].encode(),
        {"source": source, "trace_ids": list(trace_ids), "most": _MOST_SPANS_OF_A_TRACE},
    ).fetchall()
    return {row["trace_id"] for row in rows}


def add_forwardings(connection: Connection, forwardings: Iterable[Forwarding]) -> None:
    """Keep bodies that are to be sent on."""
    with connection.cursor() as cursor:
        cursor.executemany(
            _STATEMENTS["add_forwarding"].encode(),
            [
                {name: getattr(one, name) for name in Forwarding.__dataclass_fields__}
                for one in forwardings
            ],
        )


def forwardings(connection: Connection, target: str, most: int) -> list[Forwarding]:
    """Read the oldest bodies that wait for a target."""
    rows = connection.execute(
        _STATEMENTS["forwardings"].encode(), {"target": target, "most": most}
    ).fetchall()
    return [Forwarding(**row) for row in rows]


def forget_forwardings(connection: Connection, done: Sequence[Forwarding]) -> None:
    """Forget bodies that need not be sent any more."""
    connection.execute(
        _STATEMENTS["forwarded"].encode(),
        {
            "sources": [one.source for one in done],
            "targets": [one.target for one in done],
            "ids": [one.forwarding_id for one in done],
        },
    )


def _packed(span: Span) -> bytes:
    return _encode(
        (
            span.span_id,
            span.name,
            (span.started_at - _EPOCH) // _MICROSECOND,
            span.duration_seconds,
            span.parent_span_id,
            span.is_parent_remote,
            span.kind,
            span.is_error,
            span.status_message,
            span.scope,
            span.service,
            span.attributes,
            span.resource,
            span.content,
            [
                (event.name, (event.at - _EPOCH) // _MICROSECOND, event.attributes)
                for event in span.events
            ],
        )
    )


def _unpacked(source: str, trace_id: str, packed: bytes) -> Span:
    (
        span_id,
        name,
        started,
        duration_seconds,
        parent_span_id,
        is_parent_remote,
        kind,
        is_error,
        status_message,
        scope,
        service,
        attributes,
        resource,
        content,
        events,
    ) = _decode(packed)
    return Span(
        source=source,
        trace_id=trace_id,
        span_id=span_id,
        name=name,
        started_at=_EPOCH + timedelta(microseconds=started),
        duration_seconds=duration_seconds,
        parent_span_id=parent_span_id,
        is_parent_remote=is_parent_remote,
        kind=kind,
        is_error=is_error,
        status_message=status_message,
        scope=scope,
        service=service,
        attributes=attributes,
        resource=resource,
        content=content,
        events=tuple(
            SpanEvent(name=event, at=_EPOCH + timedelta(microseconds=at), attributes=told)
            for event, at, told in events
        ),
    )
