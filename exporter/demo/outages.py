"""What goes wrong at the company's model providers, and how late their status pages tell of it."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import IntEnum
from threading import Lock

FAILING_SHARE = 0.8
PUBLISHED_AFTER = timedelta(minutes=9)
RESOLVED_AFTER = timedelta(minutes=6)


class Impact(IntEnum):
    """How bad a page says it is; the names are the pages' own words."""

    MINOR = 1
    MAJOR = 2
    CRITICAL = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """A time in which a provider serves badly, and what its page makes of it."""

    provider: str
    title: str
    impact: Impact
    start: datetime
    end: datetime | None = None  # outside; None: it goes on
    failing_share: float = 0.0  # of the calls to the provider
    published_after: timedelta = PUBLISHED_AFTER  # the start
    resolved_after: timedelta = RESOLVED_AFTER  # the end

    def __contains__(self, at: datetime) -> bool:
        return self.start <= at and (self.end is None or at < self.end)

    @property
    def published_at(self) -> datetime:
        """When the page first tells of it."""
        return self.start + self.published_after

    @property
    def resolved_at(self) -> datetime | None:
        """When the page calls it resolved; None: nobody knows yet."""
        return None if self.end is None else self.end + self.resolved_after


class Outages:
    """Outages that are begun and ended from outside, at times of the past or the future.

    The simulated workflows and the status pages share one of these; safe for threads.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._troubles: tuple[Trouble, ...] = ()

    @property
    def troubles(self) -> tuple[Trouble, ...]:
        """Return all so far, oldest first."""
        return self._troubles

    def begin(
        self,
        provider: str,
        at: datetime,
        *,
        impact: Impact = Impact.MAJOR,
        failing_share: float = FAILING_SHARE,
        published_after: timedelta = PUBLISHED_AFTER,
        resolved_after: timedelta = RESOLVED_AFTER,
    ) -> None:
        """Let a provider's calls fail from `at` on.

        Raises:
            ValueError: an outage of the provider goes on at that time.
        """
        trouble = Trouble(
            provider=provider,
            title="Elevated error rates",
            impact=impact,
            start=at,
            failing_share=failing_share,
            published_after=published_after,
            resolved_after=resolved_after,
        )
        with self._lock:
            if any(one.provider == provider and at in one for one in self._troubles):
                raise ValueError(f"an outage of {provider} goes on already")
            self._troubles += (trouble,)

    def end(self, provider: str, at: datetime) -> None:
        """Let a provider's calls succeed again from `at` on.

        Raises:
            ValueError: no outage of the provider goes on.
        """
        with self._lock:
            going_on = [o for o in self._troubles if o.provider == provider and o.end is None]
            if not going_on:
                raise ValueError(f"no outage of {provider} goes on")
            self._troubles = tuple(
                replace(one, end=at) if one in going_on else one for one in self._troubles
            )
