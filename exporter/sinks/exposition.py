"""Holds the newest value of every series and serves them as bytes, rendered once per change."""

import gzip
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Lock

from exporter.interfaces import Counter, Increment, PollResult, Present
from exporter.sinks.gauges import Series, gauges_of
from exporter.sinks.prometheus import METRICS, Bookkeeper, LabelCaps, Labels

TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
# A new series is shown at 0 for this long after it was first served, so that increase() sees
# its first event; two servers that scrape every 15 s both see the 0.
_SHOWN_AT_ZERO = timedelta(seconds=15)


@dataclass
class _SourceState:
    every: timedelta
    caught_up: bool = False
    last_success_at: datetime | None = None
    gauges: dict[Series, float] = field(default_factory=dict)

    def is_stale(self, now: datetime) -> bool:
        """Whether its values are too old to be shown as present."""
        if self.last_success_at is None:
            return True
        return now - self.last_success_at > max(5 * self.every, timedelta(minutes=5))


class Exposition:
    """The state behind /metrics; every method may be called from any thread."""

    def __init__(self, caps: LabelCaps, bookkeeper: Bookkeeper, *, version: str) -> None:
        self._lock = Lock()
        self._caps = caps
        self._bookkeeper = bookkeeper
        self._counters: dict[Series, float] = {}
        self._newborn: dict[Series, datetime | None] = {}  # → when it was first served
        self._visible_newborn: set[Series] = set()
        self._own: dict[Series, float] = {("aiwf_build_info", (("version", version),)): 1}
        self._sources: dict[str, _SourceState] = {}
        self._rhythms: dict[Series, float] = {}
        self._prefixes: dict[Series, str] = {}
        self._generation = 0
        self._rendered: dict[tuple[bool, bool], tuple[object, bytes]] = {}

    # --- what is told to it --------------------------------------------------------------

    def restore(self, counters: Iterable[Counter]) -> None:
        """Take over persisted counters: they are the truth after a restart or a doubtful commit."""
        with self._lock:
            for counter in counters:
                self._caps.learn(counter.labels)
                self._counters[counter.metric, counter.labels] = counter.value
            self._generation += 1

    def register(self, source: str, every: timedelta, *, caught_up: bool) -> None:
        """Announce a source; its self-metrics exist from now on."""
        with self._lock:
            state = self._sources.setdefault(source, _SourceState(every))
            state.every = every
            state.caught_up = state.caught_up or caught_up
            for outcome in ("ok", "standby", "later", "refused", "blocked", "failed"):
                labels = (("outcome", outcome), ("source", source))
                self._own.setdefault(("aiwf_polls_total", labels), 0)
            self._own.setdefault(("aiwf_source_up", (("source", source),)), 0)
            self._own["aiwf_poll_interval_seconds", (("source", source),)] = every.total_seconds()
            self._own["aiwf_source_caught_up", (("source", source),)] = state.caught_up
            self._generation += 1

    def forget(self, source: str) -> None:
        """Remove a source that is no longer configured; its history stays in the database."""
        with self._lock:
            self._sources.pop(source, None)
            label = ("source", source)
            self._own = {
                series: value for series, value in self._own.items() if label not in series[1]
            }
            self._generation += 1

    def labels(self, **values: str) -> Labels:
        """Order labels and fit them into their caps."""
        with self._lock:
            return self._bookkeeper.labels(**values)

    def own(self, metric: str, value: float, **labels: str) -> None:
        """Set a metric of the exporter itself."""
        with self._lock:
            self._own[metric, tuple(sorted(labels.items()))] = value
            self._generation += 1

    def own_all(self, metric: str, values: Mapping[tuple[tuple[str, str], ...], float]) -> None:
        """Set every series of a metric of the exporter itself; one that is not named is gone."""
        with self._lock:
            kept = {series: value for series, value in self._own.items() if series[0] != metric}
            self._own = kept | {
                (metric, tuple(sorted(labels))): value for labels, value in values.items()
            }
            self._generation += 1

    def counted(self, source: str, increments: Sequence[Increment], *, caught_up: bool) -> None:
        """Show what was committed; history that is still being imported stays hidden."""
        with self._lock:
            state = self._sources.get(source) or _SourceState(timedelta(0))
            for moved in increments:
                series = (moved.metric, moved.labels)
                if moved.keep_max:
                    self._counters[series] = max(
                        moved.amount, self._counters.get(series, moved.amount)
                    )
                    continue
                self._ensure(series, state)
                self._counters[series] += moved.amount
            state.caught_up = state.caught_up or caught_up
            if source in self._sources:
                self._own["aiwf_source_caught_up", (("source", source),)] = state.caught_up
            self._generation += 1

    def _ensure(self, series: Series, state: _SourceState) -> None:
        if series not in self._counters:
            self._counters[series] = 0
            if state.caught_up:
                self._newborn[series] = None

    def present(self, source: str, present: Present) -> None:
        """Replace the gauges of a source."""
        with self._lock:
            state = self._sources.get(source)
            if state is None:  # forgotten by a reload while it was polled
                return
            for series in self._bookkeeper.known_series(source, present.workflows):
                self._ensure(series, state)
            state.gauges = gauges_of(source, present, self._bookkeeper)
            self._generation += 1

    def rhythms(self, rhythms: Mapping[tuple[str, str], float]) -> None:
        """Replace the expected intervals of every source."""
        with self._lock:
            self._rhythms = {
                (
                    "aiwf_expected_interval_seconds",
                    self._bookkeeper.labels(source=source, workflow=workflow),
                ): seconds
                for (source, workflow), seconds in rhythms.items()
            }
            self._generation += 1

    def polled(self, result: PollResult) -> None:
        """Take note of how a poll ended."""
        with self._lock:
            if result.source not in self._sources:
                return
            source = ("source", result.source)
            outcome = ("aiwf_polls_total", (("outcome", result.outcome), source))
            self._own[outcome] = self._own.get(outcome, 0) + 1
            self._own["aiwf_poll_duration_seconds", (source,)] = result.duration_seconds
            for series in [
                key for key in self._own if key[0] == "aiwf_source_problem" and source in key[1]
            ]:
                del self._own[series]
            if result.reason:
                self._own["aiwf_source_problem", (("reason", result.reason), source)] = 1
            if result.outcome == "standby":
                # The other exporter says it, and shows the source's values.
                self._own.pop(("aiwf_source_up", (source,)), None)
                self._sources[result.source].last_success_at = None
            else:
                self._own["aiwf_source_up", (source,)] = result.outcome == "ok"
            if result.outcome == "ok":
                ended_at = result.started_at + timedelta(seconds=result.duration_seconds)
                self._own["aiwf_last_success_timestamp_seconds", (source,)] = ended_at.timestamp()
                if result.newest_at is not None:
                    lag = (ended_at - result.newest_at).total_seconds()
                    self._own["aiwf_source_lag_seconds", (source,)] = max(lag, 0)
                self._sources[result.source].last_success_at = ended_at
            self._generation += 1

    # --- what is served ------------------------------------------------------------------

    def serve(self, now: datetime, *, openmetrics: bool = False, compress: bool = False) -> bytes:
        """Return the exposition; a call costs nothing while nothing changed."""
        with self._lock:
            self._age_newborn(now)
            stale = frozenset(name for name, state in self._sources.items() if state.is_stale(now))
            state = (self._generation, stale)
            kept = self._rendered.get((openmetrics, compress))
            if kept is None or kept[0] != state:
                plain = self._rendered.get((openmetrics, False))
                body = (
                    plain[1]
                    if plain is not None and plain[0] == state
                    else self._render(stale, openmetrics=openmetrics)
                )
                self._rendered[openmetrics, False] = (state, body)
                kept = (state, gzip.compress(body, 1, mtime=0) if compress else body)
                self._rendered[openmetrics, compress] = kept
            for series in self._visible_newborn & set(self._newborn):
                self._newborn[series] = self._newborn[series] or now
            return kept[1]

    def _age_newborn(self, now: datetime) -> None:
        grown = [
            series
            for series, served_at in self._newborn.items()
            if served_at is not None and now - served_at >= _SHOWN_AT_ZERO
        ]
        for series in grown:
            del self._newborn[series]
        if grown:
            self._generation += 1

    def _visible(self, stale: frozenset[str]) -> dict[str, dict[Series, float]]:
        """Every series to be shown, by family."""
        silent = stale | {name for name, state in self._sources.items() if not state.caught_up}
        families: dict[str, dict[Series, float]] = defaultdict(dict)
        shown: dict[Series, float] = dict(self._own)
        for label, values in self._caps.folded.items():
            shown["aiwf_label_values_folded", (("label", label),)] = len(values)
        for state in self._sources.values():
            shown |= state.gauges
        shown |= self._rhythms
        shown |= self._counters
        shown |= dict.fromkeys(self._newborn, 0)
        for series, value in shown.items():
            metric, labels = series
            family = family_of(metric)
            source = dict(labels).get("source")
            if METRICS[family].per_source and (source in silent or source not in self._sources):
                continue
            families[family][series] = value
        self._visible_newborn = {
            series for series in self._newborn if series in families.get(family_of(series[0]), ())
        }
        return families

    def _render(self, stale: frozenset[str], *, openmetrics: bool) -> bytes:
        families = self._visible(stale)
        lines: list[str] = []
        for name, metric in METRICS.items():
            if name not in families:
                continue
            shown_name = name.removesuffix("_total") if openmetrics else name
            lines.append(f"# HELP {shown_name} {metric.help}\n# TYPE {shown_name} {metric.kind}\n")
            series = families[name]
            lines += [
                f"{self._prefix(key)}{number(series[key])}\n" for key in sorted(series, key=_order)
            ]
        if openmetrics:
            lines.append("# EOF\n")
        return "".join(lines).encode()

    def _prefix(self, series: Series) -> str:
        if series not in self._prefixes:
            metric, labels = series
            inner = ",".join(f'{name}="{_escaped(value)}"' for name, value in labels)
            self._prefixes[series] = f"{metric}{{{inner}}} " if inner else f"{metric} "
        return self._prefixes[series]


def family_of(metric: str) -> str:
    """Name the family of a sample: a histogram has three kinds of them."""
    if metric in METRICS:
        return metric
    for suffix in ("_bucket", "_sum", "_count"):
        if metric.endswith(suffix) and metric.removesuffix(suffix) in METRICS:
            return metric.removesuffix(suffix)
    raise KeyError(metric)


def _order(series: Series) -> tuple[object, ...]:
    """Sort by labels, a histogram's samples together and its buckets by their bound."""
    metric, labels = series
    bound = next((float(value) for name, value in labels if name == "le"), math.inf)
    others = tuple(label for label in labels if label[0] != "le")
    kind = next(
        (place for place, end in enumerate(("_bucket", "_count", "_sum")) if metric.endswith(end)),
        0,
    )
    return (others, kind, bound)


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def number(value: float) -> str:
    """Write a number as Prometheus reads it."""
    value = float(value)
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return f"{value:.0f}" if value.is_integer() and abs(value) < 1e15 else repr(value)
