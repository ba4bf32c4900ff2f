"""What a simulated gateway or tracing tool knows: single calls, and what it shows of them when."""

import dataclasses
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from threading import RLock

_LIKE_FINISHED = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedCall:
    """One call of a model; its times are whole milliseconds."""

    call_id: str
    trace_id: str
    workflow: str
    started_at: datetime
    finished_at: datetime
    first_token_at: datetime | None = None
    provider: str = "openai"
    model: str = "gpt-5-mini"
    is_embedding: bool = False
    error: str | None = None  # the class of what went wrong
    input_tokens: int = 0  # in total: those from the cache and into the cache included
    cached_input_tokens: int = 0
    cache_write_tokens: int = 0
    output_tokens: int = 0  # in total: reasoning included
    reasoning_tokens: int = 0
    cost_usd: Decimal | None = None  # None: the tool knows no price
    customer: str | None = None
    project: str | None = None
    team: str | None = None
    visible_at: datetime = _LIKE_FINISHED  # when it is shown as over; by default when it is

    def __post_init__(self) -> None:
        """Show the call when it is over unless it is said to be late."""
        if self.visible_at is _LIKE_FINISHED:
            object.__setattr__(self, "visible_at", self.finished_at)

    @property
    def latency(self) -> timedelta:
        """Return how long it took."""
        return self.finished_at - self.started_at

    @property
    def fresh_input_tokens(self) -> int:
        """Return the input tokens that neither came from the cache nor went into it."""
        return self.input_tokens - self.cached_input_tokens - self.cache_write_tokens


@dataclass(frozen=True, slots=True)
class Shown:
    """A call as the tool shows it at a moment."""

    call: LoggedCall
    changed_at: datetime  # since when it is shown so
    is_open: bool  # begun, and not known to be over


class CallBook:
    """Every call of a tool, with what was corrected of it later."""

    def __init__(self) -> None:
        self._lock = RLock()
        self._versions: dict[str, list[tuple[datetime, LoggedCall]]] = {}

    def add(self, call: LoggedCall) -> None:
        """Log a call."""
        with self._lock:
            if call.call_id in self._versions:
                raise ValueError(f"call {call.call_id} is logged already")
            self._versions[call.call_id] = [(call.visible_at, call)]

    def revise(self, call_id: str, *, at: datetime, **changes: object) -> None:
        """Correct a call; the tool shows the correction from `at`."""
        with self._lock:
            versions = self._versions[call_id]
            if at < versions[-1][0]:
                raise ValueError(f"call {call_id} has a later version already")
            # mypy cannot check the names of fields that come as keywords.
            versions.append((at, dataclasses.replace(versions[-1][1], **changes)))  # type: ignore[arg-type]

    def shown(self, now: datetime, start: datetime, end: datetime) -> list[Shown]:
        """Return the calls that began in [start, end) as they are shown, oldest first."""
        with self._lock:
            found = [
                shown
                for versions in self._versions.values()
                if start <= versions[0][1].started_at < end
                and (shown := _shown(versions, now)) is not None
            ]
        return sorted(found, key=lambda one: (one.call.started_at, one.call.call_id))

    def over(self, now: datetime, start: datetime, end: datetime) -> list[LoggedCall]:
        """Return those of them that are over."""
        return [one.call for one in self.shown(now, start, end) if not one.is_open]


def _shown(versions: list[tuple[datetime, LoggedCall]], now: datetime) -> Shown | None:
    visible = [version for version in versions if version[0] <= now]
    if visible:
        return Shown(visible[-1][1], visible[-1][0], is_open=False)
    first = versions[0][1]
    if first.started_at <= now:
        return Shown(first, first.started_at, is_open=True)
    return None
