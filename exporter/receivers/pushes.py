"""Receives executions and outcomes that programs tell of themselves."""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import UTC, datetime

from exporter.errors import BadRequestError, NotNowError
from exporter.interfaces import Batch, ExecutionStore, Position
from exporter.pushed.batch import batch_records
from exporter.pushed.reading import Told, read_executions, read_outcomes
from exporter.pushed.said import SaidExecution, SaidOutcome
from exporter.receivers.intake import Delivery, Intake, LongPoll, Receipt
from exporter.records import Execution
from exporter.settings import ExecutionsSettings

_JSON, _LINES = "application/json", "application/x-ndjson"
_LINE_TYPES = (_LINES, "application/jsonl", "application/jsonlines")
_IDLE_SECONDS = 0.5
_MOST_TOLD = 500  # executions of a batch
_Told = Told[SaidExecution] | Told[SaidOutcome]


@dataclass(frozen=True, slots=True)
class Route:
    """One of the two routes that lead to the same source."""

    read: Callable[..., _Told]
    intake: Intake[_Told]
    clock: Callable[[], datetime]

    def accept(self, body: bytes, content_type: str) -> "Future[Receipt]":
        """Take a request, unpacked; the future is done once it is stored.

        Raises:
            BadRequestError: it cannot be read; nothing of it is kept.
            NotNowError: it should come again.
        """
        if content_type != _JSON and content_type not in _LINE_TYPES:
            raise BadRequestError(
                f"Content-Type {content_type!r} is not known; send {_JSON} or {_LINES}", status=415
            )
        told = self.read(body, is_lines=content_type in _LINE_TYPES, now=self.clock())
        delivery = Delivery(told, max(told.count, 1))
        self.intake.offer(delivery)
        return delivery.answer


class PushesReceiver:
    """The source behind POST /v1/executions and /v1/outcomes."""

    kind = "pushed"

    def __init__(
        self,
        settings: ExecutionsSettings,
        store: ExecutionStore,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        poll_seconds: float,
    ) -> None:
        self._settings = settings
        self._store = store
        self._clock = clock
        self._long_poll = LongPoll(poll_seconds)
        self._idle_seconds = min(_IDLE_SECONDS, poll_seconds)
        self._intake: Intake[_Told] = Intake()
        self.executions = Route(read_executions, self._intake, clock)
        self.outcomes = Route(read_outcomes, self._intake, clock)

    @property
    def name(self) -> str:
        """The name in the configuration."""
        return self._settings.name

    def turn_away(self, reason: NotNowError) -> None:
        """Answer all that waits: it could not be stored."""
        self._intake.turn_away(reason)

    def end(self) -> None:
        """Take nothing more."""
        self._intake.close(NotNowError("the exporter ends or reloads; send it again"))

    def close(self) -> None:
        """Give back nothing: the store has its own connections."""

    def poll(self, position: Position, now: datetime) -> Iterator[Batch]:
        """Store what comes, for some seconds."""
        ends_at = self._long_poll.ends_at()
        if not position.caught_up:
            yield Batch(records=[], cursor={}, caught_up=True)
        while not self._intake.is_closed:
            taken = self._intake.take(_MOST_TOLD, self._idle_seconds)
            if taken:
                yield from self._store_all(taken)
            if time.monotonic() >= ends_at:
                return

    def _store_all(self, taken: Sequence[Delivery[_Told]]) -> Iterator[Batch]:
        """Store the requests in one transaction, in the order they came, and answer each."""
        with self._intake.storing(taken):
            now = self._clock()
            records = batch_records(
                [delivery.content for delivery in taken],
                source=self.name,
                now=now,
                store=self._store,
            )
            # A clock that is ahead must not look fresh for ever.
            newest_at = max(
                (
                    min(record.created_at, now)
                    for record in records
                    if isinstance(record, Execution)
                ),
                default=None,
            )
            yield Batch(records=records, cursor={}, caught_up=True, newest_at=newest_at)
        for delivery in taken:
            content = delivery.content
            delivery.stored(Receipt(accepted=content.count, notes=tuple(content.notes)))
