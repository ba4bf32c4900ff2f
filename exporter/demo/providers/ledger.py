"""A simulated provider's truth: every metered call, and what its reports show at a moment."""

import dataclasses
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from threading import RLock

from exporter.demo.providers.spans import DAY, EPOCH, HOUR, by_span, spans

_LIKE_AT = datetime.min.replace(tzinfo=UTC)

Value = str | bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """One metered call, or a batch of equal ones."""

    at: datetime
    model: str
    requests: int = 1
    project_id: str | None = None
    api_key_id: str | None = None
    user_id: str | None = None
    service_tier: str | None = None
    batch: bool = False
    context_window: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)  # api_source, inference_geo, size …
    input_tokens: int = 0  # in total: those from the cache and into the cache included
    cached_input_tokens: int = 0
    cache_write_5m_tokens: int = 0
    cache_write_1h_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    cost_usd: Decimal = Decimal(0)  # what the provider bills for it
    endpoint: str = "completions"
    quantities: Mapping[str, int] = field(default_factory=dict)  # images, characters, seconds …
    visible_at: datetime = _LIKE_AT  # when the reports begin to show it; by default at once

    def __post_init__(self) -> None:
        """Show the call at once unless it is said to be late."""
        if self.visible_at is _LIKE_AT:
            object.__setattr__(self, "visible_at", self.at)

    @property
    def uncached_input_tokens(self) -> int:
        """Return the input tokens that neither came from the cache nor went into it."""
        written = self.cache_write_5m_tokens + self.cache_write_1h_tokens
        return self.input_tokens - self.cached_input_tokens - written


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """The sums over one group of calls in one bucket of time."""

    group: Mapping[str, Value]
    requests: int
    input_tokens: int
    cached_input_tokens: int
    cache_write_5m_tokens: int
    cache_write_1h_tokens: int
    uncached_input_tokens: int
    output_tokens: int
    reasoning_tokens: int
    cost_usd: Decimal
    quantities: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Bucket:
    """A span of time, its end outside, and its rows: none where nothing happened."""

    start: datetime
    end: datetime
    rows: Sequence[Row]


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """A project, an API key or a user, as the provider's lists show it."""

    id: str
    name: str
    created_at: datetime
    project_id: str | None = None  # of an API key
    is_hidden: bool = False  # an API key that is listed only on special request
    archived_at: datetime | None = None


def dimension(usage: Usage, name: str) -> Value:
    """Return what a call says about one dimension: a field of its own or one of its labels."""
    if name in _OWN_DIMENSIONS:
        value: Value = getattr(usage, name)
        return value
    return usage.labels.get(name)


_OWN_DIMENSIONS = frozenset(
    {
        "model",
        "project_id",
        "api_key_id",
        "user_id",
        "service_tier",
        "batch",
        "context_window",
        "endpoint",
    }
)


class Ledger:
    """What a provider has metered and billed, with every correction it made later."""

    def __init__(self) -> None:
        self._lock = RLock()
        # Versions of a call, oldest first: visible from when, and None where it was removed.
        self._versions: list[list[tuple[datetime, Usage | None]]] = []
        self._by_hour: defaultdict[int, set[int]] = defaultdict(set)
        self._named: dict[str, dict[str, Named]] = {"project": {}, "api_key": {}, "user": {}}

    def add(self, usage: Usage) -> int:
        """Meter a call; return its id."""
        with self._lock:
            self._versions.append([(usage.visible_at, usage)])
            usage_id = len(self._versions) - 1
            self._by_hour[_hour(usage.at)].add(usage_id)
            return usage_id

    def revise(self, usage_id: int, *, at: datetime, **changes: object) -> None:
        """Correct a call; the reports show the correction from `at`."""
        with self._lock:
            latest = self._versions[usage_id][-1][1]
            if latest is None:
                raise ValueError(f"call {usage_id} was removed")
            # mypy cannot check the names of fields that come as keywords.
            revised: Usage = dataclasses.replace(latest, **changes)  # type: ignore[arg-type]
            self._append(usage_id, at, revised)
            self._by_hour[_hour(revised.at)].add(usage_id)

    def remove(self, usage_id: int, *, at: datetime) -> None:
        """Take a call back; the reports show it no more from `at`."""
        with self._lock:
            self._append(usage_id, at, None)

    def _append(self, usage_id: int, at: datetime, version: Usage | None) -> None:
        versions = self._versions[usage_id]
        if at < versions[-1][0]:
            raise ValueError(f"call {usage_id} has a later version already")
        versions.append((at, version))

    def visible(
        self, now: datetime, start: datetime, end: datetime, endpoint: str | None = None
    ) -> list[Usage]:
        """Return the calls of [start, end) that the reports show at `now`, oldest first."""
        with self._lock:
            hours = range(_hour(start), _hour(end) + 1)
            if len(hours) > len(self._by_hour):
                ids = set().union(*self._by_hour.values())
            else:
                ids = set().union(*(self._by_hour.get(hour, ()) for hour in hours))
            versions = [self._version(usage_id, now) for usage_id in sorted(ids)]
        found = [
            usage
            for usage in versions
            if usage is not None
            and start <= usage.at < end
            and (endpoint is None or usage.endpoint == endpoint)
        ]
        return sorted(found, key=lambda usage: usage.at)

    def _version(self, usage_id: int, now: datetime) -> Usage | None:
        shown = [usage for since, usage in self._versions[usage_id] if since <= now]
        return shown[-1] if shown else None

    def rows(
        self,
        now: datetime,
        start: datetime,
        end: datetime,
        width: timedelta,
        group_by: Sequence[str] = (),
        *,
        endpoint: str | None = None,
        read: Callable[[Usage, str], Value] = dimension,
        keep: Callable[[Usage], bool] = lambda _: True,
    ) -> list[Bucket]:
        """Return the sums per bucket and group as the reports show them at `now`."""
        usages = [usage for usage in self.visible(now, start, end, endpoint) if keep(usage)]
        cut = spans(start, end, width)
        grouped = by_span(cut, usages, lambda usage: usage.at)
        return [
            Bucket(span[0], span[1], _rows(inside, group_by, read))
            for span, inside in zip(cut, grouped, strict=True)
        ]

    @property
    def names(self) -> Mapping[str, Mapping[str, str]]:
        """Return the names by kind ("project", "api_key", "user") and id, archived ones too."""
        with self._lock:
            return {
                kind: {item.id: item.name for item in items.values()}
                for kind, items in self._named.items()
            }

    def add_name(
        self,
        kind: str,
        item_id: str,
        name: str,
        *,
        project_id: str | None = None,
        is_hidden: bool = False,
        created_at: datetime = EPOCH + 20_454 * DAY,  # the first day of 2026
    ) -> None:
        """Name a project, an API key or a user; again to rename it."""
        item = Named(
            id=item_id, name=name, created_at=created_at, project_id=project_id, is_hidden=is_hidden
        )
        with self._lock:
            self._named[kind][item_id] = item

    def remove_name(self, kind: str, item_id: str, *, at: datetime) -> None:
        """Archive a project, or delete an API key or a user, from `at`."""
        with self._lock:
            archived = dataclasses.replace(self._named[kind][item_id], archived_at=at)
            self._named[kind][item_id] = archived

    def named(self, kind: str) -> list[Named]:
        """Return everything of a kind that ever had a name, in the order it got one."""
        with self._lock:
            return list(self._named[kind].values())


def _rows(
    usages: Sequence[Usage], group_by: Sequence[str], read: Callable[[Usage, str], Value]
) -> list[Row]:
    groups: defaultdict[tuple[Value, ...], list[Usage]] = defaultdict(list)
    for usage in usages:
        groups[tuple(read(usage, name) for name in group_by)].append(usage)
    return [
        _row(dict(zip(group_by, key, strict=True)), members)
        for key, members in sorted(groups.items(), key=lambda group: [str(v) for v in group[0]])
    ]


def _row(group: Mapping[str, Value], usages: Sequence[Usage]) -> Row:
    quantities: Counter[str] = Counter()
    for usage in usages:
        quantities.update(usage.quantities)
    return Row(
        group=group,
        requests=sum(usage.requests for usage in usages),
        input_tokens=sum(usage.input_tokens for usage in usages),
        cached_input_tokens=sum(usage.cached_input_tokens for usage in usages),
        cache_write_5m_tokens=sum(usage.cache_write_5m_tokens for usage in usages),
        cache_write_1h_tokens=sum(usage.cache_write_1h_tokens for usage in usages),
        uncached_input_tokens=sum(usage.uncached_input_tokens for usage in usages),
        output_tokens=sum(usage.output_tokens for usage in usages),
        reasoning_tokens=sum(usage.reasoning_tokens for usage in usages),
        cost_usd=sum((usage.cost_usd for usage in usages), Decimal(0)),
        quantities=dict(quantities),
    )


def _hour(at: datetime) -> int:
    return (at - EPOCH) // HOUR
