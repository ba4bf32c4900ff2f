"""What the gate remembers: costs it let pass, and how much each customer began within a minute."""

from collections import OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Protocol

from exporter.budget_settings import RateSettings

_MINUTE = timedelta(minutes=1)
_MOST_PLACES = 100_000  # runs and customers that are remembered at once
Place = tuple[str, str]


class Asking(Protocol):
    """What a rate is judged by."""

    @property
    def customer(self) -> str | None: ...
    @property
    def execution_id(self) -> str | None: ...
    @property
    def model(self) -> str | None: ...


class Holds:
    """Costs that were let pass and may not be read from their source yet."""

    def __init__(self, hold: timedelta) -> None:
        self._hold = hold
        self._held: OrderedDict[Place, tuple[deque[tuple[datetime, Decimal]], Decimal]] = (
            OrderedDict()
        )

    def add(self, place: Place, cost_usd: Decimal, now: datetime) -> None:
        """Hold a cost."""
        held, total = self._held.pop(place, (deque(), Decimal(0)))
        held.append((now + self._hold, cost_usd))
        self._held[place] = held, total + cost_usd
        if len(self._held) > _MOST_PLACES:
            self._held.popitem(last=False)

    def take_over(self, before: "Holds") -> None:
        """Hold what another holds; for as long as that one would have."""
        self._held = before._held

    def sum(self, place: Place, now: datetime) -> Decimal:
        """Return what is held; what has been held for long enough is let go."""
        if place not in self._held:
            return Decimal(0)
        held, total = self._held[place]
        while held and held[0][0] <= now:
            total -= held.popleft()[1]
        if not held:
            del self._held[place]
            return Decimal(0)
        self._held[place] = held, total
        return total


@dataclass(slots=True)
class _Window:
    """A sliding minute, in seconds."""

    seconds: deque[tuple[datetime, int, int]] = field(default_factory=deque)
    tokens: int = 0
    runs: int = 0

    def add(self, tokens: int, runs: int, now: datetime) -> None:
        second = now.replace(microsecond=0)
        if self.seconds and self.seconds[-1][0] == second:
            _, before_tokens, before_runs = self.seconds.pop()
            self.seconds.append((second, before_tokens + tokens, before_runs + runs))
        else:
            self.seconds.append((second, tokens, runs))
        self.tokens += tokens
        self.runs += runs

    def forget(self, now: datetime) -> None:
        while self.seconds and self.seconds[0][0] <= now - _MINUTE:
            _, tokens, runs = self.seconds.popleft()
            self.tokens -= tokens
            self.runs -= runs

    def retry_after(self, now: datetime) -> int:
        """Seconds until the oldest second leaves the window."""
        oldest = self.seconds[0][0] if self.seconds else now
        return max(int((oldest + _MINUTE - now).total_seconds()) + 1, 1)


class Rates:
    """Tokens and runs a minute of each customer."""

    def __init__(self, rates: Sequence[RateSettings]) -> None:
        self._of = {rate.customer: rate for rate in rates if rate.customer is not None}
        self._of_others = next((rate for rate in rates if rate.customer is None), None)
        self._windows: OrderedDict[str, _Window] = OrderedDict()
        self._runs: OrderedDict[Place, datetime] = OrderedDict()

    def take_over(self, before: "Rates") -> None:
        """Go on with the minute and the runs of another."""
        self._windows, self._runs = before._windows, before._runs

    def exceeded(
        self, asking: Asking, input_tokens: int | None, output_tokens: int | None, now: datetime
    ) -> tuple[str, int] | None:
        """Return why a question is too much for now, and in how many seconds to ask again."""
        rate = self._rate(asking)
        if rate is None:
            return None
        window = self._window(asking, now)
        tokens = (input_tokens or 0) + (output_tokens or 0)
        whose = f"customer {asking.customer}" if asking.customer else "nobody in particular"
        most = rate.runs_per_minute
        if most is not None and window.runs + self._begins(asking) > most:
            return (
                f"{whose} began {window.runs} runs within a minute; {most} are allowed",
                window.retry_after(now),
            )
        if (most := rate.tokens_per_minute) is not None and window.tokens + tokens > most:
            return (
                f"{whose} used {window.tokens} tokens within a minute and asks for {tokens} more; "
                f"{most} are allowed",
                window.retry_after(now),
            )
        return None

    def count(
        self, asking: Asking, input_tokens: int | None, output_tokens: int | None, now: datetime
    ) -> None:
        """Remember what was let pass."""
        if self._rate(asking) is None:
            return
        runs = int(self._begins(asking))
        if asking.execution_id is not None:
            self._runs[asking.customer or "", asking.execution_id] = now
            if len(self._runs) > _MOST_PLACES:
                self._runs.popitem(last=False)
        tokens = (input_tokens or 0) + (output_tokens or 0)
        self._window(asking, now).add(tokens, runs, now)

    def _rate(self, asking: Asking) -> RateSettings | None:
        return self._of.get(asking.customer or "", self._of_others)

    def _begins(self, asking: Asking) -> bool:
        """Whether a run begins: the first question of its id, or one that names no model."""
        if asking.execution_id is None:
            return asking.model is None
        return (asking.customer or "", asking.execution_id) not in self._runs

    def _window(self, asking: Asking, now: datetime) -> _Window:
        window = self._windows.get(asking.customer or "")
        if window is None:
            window = self._windows[asking.customer or ""] = _Window()
            if len(self._windows) > _MOST_PLACES:
                self._windows.popitem(last=False)
        window.forget(now)
        return window
