"""Status pages as a source: all of them at each poll, side by side, each by itself."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from datetime import datetime, timedelta

from exporter.errors import TransientError
from exporter.interfaces import Batch, Position
from exporter.records import PageReading, UnknownCause
from exporter.sources.status.page import StatusPage
from exporter.sources.status.settings import StatusPagesSettings

_AT_ONCE = 8
_SHORTEST_BELIEF = timedelta(minutes=10)


class StatusPagesSource:
    """Reads status pages."""

    def __init__(self, settings: StatusPagesSettings) -> None:
        self.name = settings.name
        self._believed_for = max(5 * settings.every, _SHORTEST_BELIEF)
        self._pages = [
            StatusPage(
                settings.name,
                page,
                believed_for=self._believed_for,
                frozen_after=settings.frozen_after,
                allow_private=settings.allow_private,
            )
            for page in settings.pages
        ]

    def poll(self, position: Position, now: datetime) -> Iterator[Batch]:
        """Yield a batch for each page as soon as it is read; what cannot be read is unknown.

        Raises:
            TransientError: no page at all could be reached.
        """
        executor = ThreadPoolExecutor(min(_AT_ONCE, len(self._pages)), "status-page")
        broken: BaseException | None = None
        readings: list[PageReading] = []
        try:
            asked = [executor.submit(page.read, now) for page in self._pages]
            for answer in as_completed(asked):
                broken = answer.exception() or broken
                if answer.exception() is None:
                    readings.append(answer.result()[0])
                    yield _batch(answer)
        finally:
            executor.shutdown(cancel_futures=True)
        if broken is not None:
            raise broken
        yield Batch(records=[], cursor={}, caught_up=True, newest_at=now)
        if all(_is_out_of_reach(reading) for reading in readings):
            reason = readings[0].statuses[0].raw
            raise TransientError(f"none of {len(readings)} pages can be reached: {reason}")

    def close(self) -> None:
        """Close all connections."""
        for page in self._pages:
            page.close()


def _batch(answer: Future[tuple[PageReading, int]]) -> Batch:
    reading, unmapped = answer.result()
    return Batch(
        records=[reading],
        cursor={},
        omissions={"unmapped_status": unmapped} if unmapped else {},
    )


def _is_out_of_reach(reading: PageReading) -> bool:
    return reading.statuses[0].cause is UnknownCause.UNREACHABLE
