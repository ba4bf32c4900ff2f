"""Holds what was sent to us until it is stored: bounded, and answered only after the commit."""

import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, InvalidStateError
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from threading import Condition
from typing import Generic, TypeVar

from exporter.errors import NotNowError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a sender is told once its request is stored."""

    accepted: int
    rejected: int = 0
    notes: tuple[str, ...] = ()  # why some were rejected, or what became of them


@dataclass(frozen=True, slots=True, eq=False)
class Delivery(Generic[T]):
    """A request that waits to be stored."""

    content: T
    weight: int  # how much of a batch it takes: spans, executions
    answer: "Future[Receipt]" = field(default_factory=Future)

    def stored(self, receipt: Receipt) -> None:
        """Tell the sender that it is stored; one that no longer waits is told nothing."""
        with suppress(InvalidStateError):
            self.answer.set_result(receipt)

    def to_come_again(self, reason: NotNowError) -> None:
        """Tell the sender that it is not stored."""
        with suppress(InvalidStateError):
            self.answer.set_exception(reason)


class Budget:
    """The bytes of requests that may be in memory at one time, over all receivers."""

    def __init__(self, most_bytes: int) -> None:
        self._most = most_bytes
        self._taken = 0
        self._lock = Condition()

    def take(self, count: int) -> None:
        """Take bytes, or raise NotNowError(429)."""
        with self._lock:
            if self._taken + count > self._most:
                raise NotNowError(
                    f"more than {self._most} bytes wait to be stored (receivers.max_waiting); "
                    "send again later",
                    status=429,
                )
            self._taken += count

    def give_back(self, count: int) -> None:
        """Give bytes back."""
        with self._lock:
            self._taken -= count


class LongPoll:
    """How long a poll of a receiver waits; the first one shortly, so that it soon shows as up."""

    _FIRST_SECONDS = 1.0

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._is_first = True

    def ends_at(self) -> float:
        """Return when a poll that begins now should end, by the monotonic clock."""
        seconds = min(self._FIRST_SECONDS, self._seconds) if self._is_first else self._seconds
        self._is_first = False
        return time.monotonic() + seconds


class Intake(Generic[T]):
    """A queue between the requests and the one writer of their source."""

    def __init__(self) -> None:
        self._waiting: deque[Delivery[T]] = deque()
        self._changed = Condition()
        self._closed: NotNowError | None = None

    def offer(self, delivery: Delivery[T]) -> None:
        """Add a request; raise NotNowError once the intake is closed."""
        with self._changed:
            if self._closed is not None:
                raise self._closed
            self._waiting.append(delivery)
            self._changed.notify_all()

    def take(self, most_weight: int, wait_seconds: float) -> list[Delivery[T]]:
        """Return what waits, oldest first: one request, and more while they fit into the weight."""
        with self._changed:
            if not self._waiting and self._closed is None:
                self._changed.wait(wait_seconds)
            taken: list[Delivery[T]] = []
            weight = 0
            while self._waiting and (not taken or weight + self._waiting[0].weight <= most_weight):
                taken.append(self._waiting.popleft())
                weight += taken[-1].weight
            return taken

    @property
    def is_closed(self) -> bool:
        """Whether nothing more comes."""
        return self._closed is not None

    def close(self, reason: NotNowError) -> None:
        """Take nothing more; what waits is answered with the reason."""
        with self._changed:
            self._closed = reason
            self._changed.notify_all()
        self.turn_away(reason)

    def turn_away(self, reason: NotNowError) -> None:
        """Answer everything that waits with the reason."""
        with self._changed:
            waiting = list(self._waiting)
            self._waiting.clear()
        _fail(waiting, reason)

    @contextmanager
    def storing(self, taken: Sequence[Delivery[T]]) -> Iterator[None]:
        """Answer the taken requests: as stored when the block ends, else to come again.

        The block of a generator that yields its batch within ends when the generator is resumed,
        which is after the commit; a generator that is thrown away ends it by GeneratorExit.
        """
        try:
            yield
        except BaseException:
            _fail(taken, NotNowError("it could not be stored; send it again"))
            raise


def _fail(deliveries: Sequence[Delivery[T]], reason: NotNowError) -> None:
    for delivery in deliveries:
        delivery.to_come_again(reason)
