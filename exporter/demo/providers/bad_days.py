"""Ways a provider misbehaves, and the script that says which requests meet them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from threading import Event, Lock

from exporter.demo.providers.wire import Request


@dataclass(frozen=True, slots=True)
class Status:
    """An answer with this status; without a body of its own, with the dialect's error body."""

    code: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None


@dataclass(frozen=True, slots=True)
class RateLimited:
    """429, with seconds or a date to wait for, or with neither."""

    retry_after: int | datetime | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Hang:
    """No answer until released, or until the server closes; then the connection drops."""

    reached: Event = field(default_factory=Event)
    released: Event = field(default_factory=Event)

    def release(self) -> None:
        """Let the requests that hang go on: to a dropped connection."""
        self.released.set()


@dataclass(frozen=True, slots=True)
class Garbage:
    """A cheerful 200 with something else in it."""

    content: bytes = b"<html><body>Bad gateway</body></html>"
    content_type: str = "text/html"


@dataclass(frozen=True, slots=True)
class DropConnection:
    """The connection breaks, at once or after some bytes of the true answer's body."""

    after_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class RepeatedPage:
    """The same page with the same token, for ever: a reader that only follows never ends."""


@dataclass(frozen=True, slots=True)
class EmptyPageWithMore:
    """An empty page that says there is more; its token leads to the page that was asked for."""


@dataclass(frozen=True, slots=True)
class Redirect:
    """Look elsewhere: a reader that follows may take its key along."""

    url: str
    code: int = 302


BadDay = (
    Status
    | RateLimited
    | Hang
    | Garbage
    | DropConnection
    | RepeatedPage
    | EmptyPageWithMore
    | Redirect
)


@dataclass(slots=True)
class _Planned:
    what: BadDay
    path: str
    page: int | None
    times: int | None


class BadDays:
    """The script: each entry waits for the requests that fit it, the oldest entry first."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._planned: list[_Planned] = []
        self._hangs: list[Hang] = []

    def add(
        self, what: BadDay, *, path: str = "", page: int | None = None, times: int | None = 1
    ) -> None:
        """Plan a misbehaviour for the next `times` requests that fit, None is for ever.

        A request fits when `path` is a part of its path and it asks for the `page`-th page.
        """
        with self._lock:
            self._planned.append(_Planned(what, path, page, times))
            if isinstance(what, Hang):
                self._hangs.append(what)

    def clear(self) -> None:
        """Let every request that hangs go, and forget the rest."""
        with self._lock:
            self._planned.clear()
            for hang in self._hangs:
                hang.release()
            self._hangs.clear()

    @property
    def pending(self) -> int:
        """Return how many entries still wait for a request."""
        with self._lock:
            return len(self._planned)

    def next_for(self, request: Request, page: int) -> BadDay | None:
        """Return what a request meets, and strike it off."""
        with self._lock:
            for planned in self._planned:
                if planned.path in request.path and planned.page in (None, page):
                    if planned.times is not None:
                        planned.times -= 1
                        if planned.times == 0:
                            self._planned.remove(planned)
                    return planned.what
        return None
