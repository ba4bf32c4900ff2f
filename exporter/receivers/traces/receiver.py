"""Receives spans: stored first and acknowledged, concluded from once their trace has a pause."""

import time
from collections import Counter
from collections.abc import Callable, Collection, Generator, Iterator, Sequence
from concurrent.futures import Future
from datetime import UTC, datetime, timedelta

from exporter.errors import BadRequestError, NotNowError
from exporter.interfaces import Batch, Position, StoredTrace, TraceStore
from exporter.receivers.forwarding import forwardings_of
from exporter.receivers.intake import Delivery, Intake, LongPoll, Receipt
from exporter.receivers.traces import otlp_json, otlp_protobuf
from exporter.receivers.traces.conclusion import concluded
from exporter.receivers.traces.otlp_reply import JSON, PROTOBUF
from exporter.receivers.traces.otlp_span import Received
from exporter.records import Execution, Forwarding, Record, Span, TraceReading, TraceSeen
from exporter.settings import TracesSettings

_DECODERS = {PROTOBUF: otlp_protobuf.received, JSON: otlp_json.received}
_POLL_SECONDS = 10.0
_IDLE_SECONDS = 0.5
_PAUSE = timedelta(seconds=1)  # spans of one export come together
_MOST_SPANS = 2_000  # of a batch


class _Body:
    """The spans of a request, and what is to be sent on of it."""

    def __init__(self, received: Received, forwardings: Sequence[Forwarding]) -> None:
        self.received = received
        self.forwardings = forwardings


class TracesReceiver:
    """The source behind POST /v1/traces."""

    kind = "otlp"

    def __init__(
        self,
        settings: TracesSettings,
        store: TraceStore,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        poll_seconds: float = _POLL_SECONDS,
        is_n8n_read: bool = False,
    ) -> None:
        """Prepare; with `is_n8n_read` spans of an n8n are left out, as `settings.n8n` says."""
        self._leaves_out_n8n = is_n8n_read and settings.n8n == "auto"
        self._settings = settings
        self._store = store
        self._clock = clock
        self._long_poll = LongPoll(poll_seconds)
        self._idle_seconds = min(_IDLE_SECONDS, poll_seconds)
        self._intake: Intake[_Body] = Intake()

    @property
    def name(self) -> str:
        """The name in the configuration."""
        return self._settings.name

    def accept(self, body: bytes, content_type: str) -> "Future[Receipt]":
        """Take a request, unpacked; the future is done once it is stored.

        Raises:
            BadRequestError: it cannot be read; nothing of it is kept.
            NotNowError: it should come again.
        """
        decoder = _DECODERS.get(content_type)
        if decoder is None:
            raise BadRequestError(
                f"Content-Type {content_type!r} is not known; send {PROTOBUF} or {JSON}",
                status=415,
            )
        now = self._clock()
        received = decoder(body, self.name, now)
        if self._leaves_out_n8n:
            received.leave_out(_is_of_n8n)
        forwardings = forwardings_of(self._settings.forward, self.name, body, content_type, now)
        delivery = Delivery(_Body(received, forwardings), max(len(received.spans), 1))
        self._intake.offer(delivery)
        return delivery.answer

    def turn_away(self, reason: NotNowError) -> None:
        """Answer all that waits: it could not be stored."""
        self._intake.turn_away(reason)

    def end(self) -> None:
        """Take nothing more."""
        self._intake.close(NotNowError("the exporter ends or reloads; send it again"))

    def close(self) -> None:
        """Give back nothing: the store has its own connections."""

    def poll(self, position: Position, now: datetime) -> Iterator[Batch]:
        """Store what comes, and conclude from traces whose time has come, for some seconds."""
        ends_at = self._long_poll.ends_at()
        if not position.caught_up:
            yield Batch(records=[], cursor={}, caught_up=True)
        look_at = self._clock()
        while not self._intake.is_closed:
            taken = self._intake.take(_MOST_SPANS, self._idle_seconds)
            if taken:
                yield from self._store_all(taken)
                look_at = min(look_at, self._clock() + _PAUSE)
            if self._clock() >= look_at:
                is_done = yield from self._conclude()
                look_at = self._clock() + _PAUSE if is_done else self._clock()
            if time.monotonic() >= ends_at:
                return

    def _store_all(self, taken: Sequence[Delivery[_Body]]) -> Iterator[Batch]:
        """Store the requests in one transaction, and answer each of them."""
        with self._intake.storing(taken):
            now = self._clock()
            spans = [span for delivery in taken for span in delivery.content.received.spans]
            counts = Counter(span.trace_id for span in spans)
            closed = self._store.closed_traces(self.name, list(counts))
            kept = [span for span in spans if span.trace_id not in closed]
            rejected = sum(delivery.content.received.rejected for delivery in taken)
            records: list[Record] = [
                *kept,
                *(
                    TraceSeen(
                        source=self.name,
                        trace_id=trace_id,
                        received_at=now,
                        spans=count,
                        look_at=now + _PAUSE,
                    )
                    for trace_id, count in counts.items()
                    if trace_id not in closed
                ),
                *(one for delivery in taken for one in delivery.content.forwardings),
            ]
            yield Batch(
                records=records,
                cursor={},
                caught_up=True,
                newest_at=max((_ended_at(span) for span in kept), default=None),
                omissions={
                    "late_span": len(spans) - len(kept),
                    "rejected_span": rejected,
                    "read_from_database": sum(
                        delivery.content.received.left_out for delivery in taken
                    ),
                },
            )
        for delivery in taken:
            delivery.stored(_receipt(delivery.content.received, closed))

    def _conclude(self) -> Generator[Batch, None, bool]:
        """Conclude from traces whose time has come; return whether none is left."""
        now = self._clock()
        due = self._store.due_traces(self.name, now, _MOST_SPANS)
        if due:
            records = [record for trace in due for record in self._concluded(trace, now)]
            yield Batch(records=records, cursor={}, caught_up=True)
        return not due

    def _concluded(self, trace: StoredTrace, now: datetime) -> Sequence[Record]:
        silence = self._settings.silence
        quiet = now - trace.received_at
        keep = max(self._settings.late, silence)
        records = concluded(
            self.name,
            trace.spans,
            self._settings,
            stored_created_at=trace.created_at,
            is_over=quiet >= silence,
        )
        execution = next(record for record in records if isinstance(record, Execution))
        wait = keep if execution.status.is_final else silence
        reading = TraceReading(
            source=self.name,
            trace_id=trace.trace_id,
            created_at=execution.created_at,
            look_at=None if quiet >= keep else trace.received_at + wait,
        )
        return [*records, reading]


def _is_of_n8n(span: Span) -> bool:
    return "n8n.instance.id" in span.resource or any(
        key.startswith("n8n.") for key in span.attributes
    )


def _ended_at(span: Span) -> datetime:
    return span.started_at + timedelta(seconds=span.duration_seconds)


def _receipt(received: Received, closed: Collection[str]) -> Receipt:
    late = sum(span.trace_id in closed for span in received.spans)
    notes = list(received.reasons)
    if late:
        notes.append(
            "the trace has settled (receivers.traces.late), or has more spans than are read"
        )
    return Receipt(
        accepted=len(received.spans) + received.left_out - late,
        rejected=received.rejected + late,
        notes=tuple(notes),
    )
