"""Receives executions and outcomes that programs tell of themselves."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from exporter.errors import BadRequestError, NotNowError
from exporter.interfaces import Batch, ExecutionStore, Position
from exporter.receivers.intake import Delivery, Intake, Receipt
from exporter.records import Execution, Record
from exporter.settings import ExecutionsSettings

_JSON, _LINES = "application/json", "application/x-ndjson"
_LINE_TYPES = (_LINES, "application/jsonl", "application/jsonlines")
_IDLE_SECONDS = 0.5
_MOST_TOLD = 500  # executions of a batch


class Told(Protocol):
    """A request that was understood."""

    @property
    def count(self) -> int:
        """How many executions or outcomes it tells."""

    @property
    def execution_ids(self) -> Sequence[str]:
        """The executions that it tells."""

    @property
    def notes(self) -> Sequence[str]:
        """What its sender should know: a key that is not known …"""

    def records(
        self, source: str, now: datetime, stored: Mapping[str, datetime]
    ) -> Sequence[Record]:
        """Return its records; `stored` is the time key of each execution that is known."""


Read = Callable[[bytes, bool], Told]
"""Reads a body, by whether it holds lines; BadRequestError where it cannot be."""


@dataclass(frozen=True, slots=True)
class Route:
    """One of the two routes that lead to the same source."""

    read: Read
    intake: Intake[Told]

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
        told = self.read(body, content_type in _LINE_TYPES)
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
        read_executions: Read,
        read_outcomes: Read,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        poll_seconds: float,
    ) -> None:
        self._settings = settings
        self._store = store
        self._clock = clock
        self._poll_seconds = poll_seconds
        self._intake: Intake[Told] = Intake()
        self.executions = Route(read_executions, self._intake)
        self.outcomes = Route(read_outcomes, self._intake)

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
        ends = time.monotonic() + self._poll_seconds
        if not position.caught_up:
            yield Batch(records=[], cursor={}, caught_up=True)
        while not self._intake.is_closed and time.monotonic() < ends:
            taken = self._intake.take(_MOST_TOLD, _IDLE_SECONDS)
            if taken:
                yield from self._store_all(taken)

    def _store_all(self, taken: Sequence[Delivery[Told]]) -> Iterator[Batch]:
        """Store the requests in one transaction, in the order they came, and answer each."""
        with self._intake.storing(taken):
            now = self._clock()
            ids = sorted({name for delivery in taken for name in delivery.content.execution_ids})
            stored = dict(self._store.created_at_of(self.name, ids)) if ids else {}
            records: list[Record] = []
            for delivery in taken:
                told = delivery.content.records(self.name, now, stored)
                records += told
                # The next request may tell of the same executions again.
                stored |= {
                    record.execution_id: record.created_at
                    for record in told
                    if isinstance(record, Execution)
                }
            newest_at = max(
                (record.created_at for record in records if isinstance(record, Execution)),
                default=None,
            )
            yield Batch(records=records, cursor={}, caught_up=True, newest_at=newest_at)
        for delivery in taken:
            content = delivery.content
            delivery.stored(Receipt(accepted=content.count, notes=tuple(content.notes)))
