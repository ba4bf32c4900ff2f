"""Joins the parts; the only module that knows every room."""

import logging
import os
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from exporter import __version__, configuration
from exporter.backfill import backfill
from exporter.content import ContentPolicy
from exporter.errors import ConfigurationError, SinkError
from exporter.interfaces import PollResult, Source
from exporter.judges.gate import Gate
from exporter.judging import Judging
from exporter.log import redact
from exporter.poll import Poller
from exporter.preparation import Preparation
from exporter.pricing import Pricing
from exporter.receivers.forwarding import Forwarder
from exporter.receivers.intake import Budget
from exporter.receiving import POLL_EVERY, Accepting, Receivers
from exporter.schedule import Schedule, one_at_a_time, until_next_time
from exporter.settings import ReceiversSettings, Settings
from exporter.sinks import housekeeping
from exporter.sinks.exposition import Exposition
from exporter.sinks.migrations import migrate
from exporter.sinks.prometheus import Bookkeeper, LabelCaps
from exporter.sinks.timescale import TimescaleSink
from exporter.sources import KINDS

log = logging.getLogger(__name__)

_THREADS = 8
_HOUSEKEEPING_EVERY = timedelta(hours=6)
_RHYTHMS_EVERY = timedelta(minutes=5)
_RETRY_START = timedelta(seconds=10)
_MOST_RECEIVERS = 2
# How long a thread that reads a source keeps others waiting. With Python's 5 ms the gate's slowest
# answers in a hundred took 238 ms while a history was read, with this 15 ms.
_SWITCH_SECONDS = 0.0005
_FORWARD_EVERY = timedelta(seconds=2)
KIND_SETTINGS = {kind: entry.settings for kind, entry in KINDS.items()}


def load_settings(path: Path | None, environ: Mapping[str, str] = os.environ) -> Settings:
    """Read the configuration and teach the log its secrets."""
    loaded = configuration.load(path, KIND_SETTINGS, environ)
    redact.learn(loaded.secrets())
    return loaded


def _preparation(settings: Settings) -> Preparation:
    pricing = Pricing(settings.prices, settings.exchange_rates)
    return Preparation(pricing, ContentPolicy(settings.content))


@dataclass(frozen=True, slots=True)
class SourceState:
    """A source as the landing page shows it."""

    name: str
    kind: str
    every: timedelta
    last: PollResult | None


class App:
    """The running exporter."""

    def __init__(self, config_path: Path | None, environ: Mapping[str, str] = os.environ) -> None:
        self._config_path = config_path
        self._environ = environ
        self._reloading = threading.Lock()
        self._ready = False
        self.settings = load_settings(config_path, environ)
        caps = LabelCaps(self.settings.metrics.max_label_values)
        self._bookkeeper = Bookkeeper(caps)
        self.exposition = Exposition(caps, self._bookkeeper, version=__version__)
        self.sink = TimescaleSink(
            self.settings.database.url.get_secret_value(),
            sources=len(self.settings.sources) + _MOST_RECEIVERS,
        )
        self.budget = Budget(self.settings.receivers.max_waiting)
        self._schedule = Schedule(_THREADS)
        self.pollers: list[Poller] = self._build_pollers(self.settings)
        self._receivers = self._build_receivers(self.settings)
        self._forwarders = self._build_forwarders(self.settings)
        self._judging = Judging(self.settings, self.sink, self.exposition)
        # Before the database answers: a source that is not read must be seen not to be read.
        self._register_sources({})
        self._told_reload(datetime.now(UTC))

    def _build_pollers(self, built_from: Settings) -> list[Poller]:
        poller_of = self._poller_of(built_from)
        return [
            poller_of(KINDS[source.kind].source(source), source.every)
            for source in built_from.sources
        ]

    def _build_receivers(self, built_from: Settings) -> Receivers:
        return Receivers(built_from, self.sink, self._poller_of(built_from))

    def _build_forwarders(self, built_from: Settings) -> list[Forwarder]:
        targets = built_from.receivers.traces.forward
        return [Forwarder(target, self.sink, self.exposition.own) for target in targets]

    def _poller_of(self, built_from: Settings) -> Callable[[Source, timedelta], Poller]:
        preparation = _preparation(built_from)
        return lambda source, every: Poller(
            source,
            self.sink,
            accountant=self._bookkeeper,
            display=self.exposition,
            preparation=preparation,
            every=every,
        )

    @property
    def gate(self) -> Gate:
        """What answers whether a run or call may go on."""
        return self._judging.gate

    @property
    def is_ready(self) -> bool:
        """Whether counters are restored and sources are polled."""
        return self._ready

    def sources(self) -> list[SourceState]:
        """Every source and receiver, and how its last poll ended."""
        pollers = [*self.pollers, *self._receivers.pollers]
        last = {poller.source.name: poller.last_result for poller in pollers}
        return [
            SourceState(name, kind, every, last.get(name))
            for name, (kind, every) in self._told_kinds(self.settings).items()
        ]

    def _told_kinds(self, settings: Settings) -> dict[str, tuple[str, timedelta]]:
        """Name → kind and interval of whatever tells us something."""
        asked = {source.name: (source.kind, source.every) for source in settings.sources}
        return asked | {name: (kind, POLL_EVERY) for name, kind in self._receivers.kinds.items()}

    def receiving(self) -> ReceiversSettings:
        """The settings of what is pushed."""
        return self.settings.receivers

    def receiver(self, route: str) -> Accepting | None:
        """Return what takes the requests of a route; None: it is switched off."""
        return self._receivers.receiver(route)

    def prepare(self) -> list[str]:
        """Migrate the database and restore counters; nothing is served before.

        Raises:
            SinkError: the database does not answer yet.
            ConfigurationError: it is one we cannot work with.
        """
        done = migrate(self.settings.database)
        self.sink.open()
        self.exposition.restore(self.sink.counters())
        self._describe_sources()
        self._register_sources(self._caught_up())
        self._refresh_rhythms()
        self.exposition.own("aiwf_sink_up", 1)
        self._ready = True
        return done

    def backfill(
        self, name: str, from_at: datetime, until_at: datetime, tell: Callable[[float, int], None]
    ) -> int:
        """Read a range of a source's past and return how many records came.

        Raises:
            ConfigurationError: there is no such source, or nothing to backfill in it.
            TransientError, SourceError, SinkError: asked again, it goes on where it stood.
        """
        by_name = {poller.source.name: poller.source for poller in self.pollers}
        if name not in by_name:
            raise ConfigurationError(
                f"backfill: no source is named {name!r}; known: {', '.join(by_name) or 'none'}"
            )
        return backfill(
            by_name[name],
            self.sink,
            _preparation(self.settings),
            from_at=from_at,
            until_at=until_at,
            now=datetime.now(UTC),
            tell=tell,
        )

    def start(self) -> None:
        """Begin to poll, as soon as the database lets us."""
        sys.setswitchinterval(_SWITCH_SECONDS)
        self._schedule.start()
        self._start_jobs()

    def _start_jobs(self) -> None:
        if not self._ready:
            try:
                for line in self.prepare():
                    log.info("database.migrated", extra={"detail": line})
            except (SinkError, ConfigurationError) as error:
                self.exposition.own("aiwf_sink_up", 0)
                log.warning("database.unavailable", extra={"detail": str(error)})
                retry_at = datetime.now(UTC) + _RETRY_START
                self._schedule.every(
                    _RETRY_START, self._retry_start, name="start", first_at=retry_at
                )
                return
        self._schedule.clear()
        for poller, source in zip(self.pollers, self.settings.sources, strict=True):
            self._schedule.every(source.every, poller.poll, name=f"poll {source.name}")
        self._receivers.start()
        self._schedule.every(_RHYTHMS_EVERY, self._refresh_rhythms, name="rhythms")
        for forwarder in self._forwarders:
            name = f"forward {forwarder.target.name}"
            self._every_alone(_FORWARD_EVERY, forwarder.run, name=name)
        self._every_alone(_HOUSEKEEPING_EVERY, self.keep_house, name="housekeeping")
        for job in self._judging.jobs():
            if job.alone:
                self._every_alone(job.every, job.run, name=job.name)
            else:
                run = until_next_time(job.name, job.run)
                self._schedule.every(job.every, run, name=job.name)

    def _every_alone(self, interval: timedelta, job: Callable[[], object], *, name: str) -> None:
        """Run a job at its interval, in one exporter at a time."""
        self._schedule.every(interval, one_at_a_time(self.sink, name, job), name=name)

    def _retry_start(self) -> None:
        if not self._ready:
            self._start_jobs()

    def stop(self) -> None:
        """Finish what is under way and give everything back."""
        self._receivers.stop()
        for poller in self.pollers:
            poller.retire()
        self._schedule.stop()
        self.sink.close()

    def _refresh_rhythms(self) -> None:
        try:
            self.exposition.rhythms(self.sink.rhythms())
        except SinkError as error:
            log.warning("rhythms.unavailable", extra={"detail": str(error)})

    def keep_house(self) -> None:
        """Retention and compression."""
        with self.sink.connection() as connection:
            now = housekeeping.database_now(connection)
            deleted = housekeeping.retain(connection, self.settings.retention, now)
            compressed = housekeeping.compress(connection, now)
        log.info(
            "housekeeping.finished", extra={"deleted": deleted, "compressed_chunks": compressed}
        )

    def reload(self) -> str | None:
        """Take over the configuration again; on error keep the old one and return the reason."""
        with self._reloading:
            try:
                fresh = self._acceptable_settings()
                pollers = self._build_pollers(fresh)
                receivers = self._build_receivers(fresh)
                judging = Judging(fresh, self.sink, self.exposition)
                caught_up = self._caught_up() if self._ready else {}
            except (ConfigurationError, SinkError) as error:
                redact.learn(self.settings.secrets())
                self._told_reload(None)
                reason = redact.literally(str(error))
                log.warning("config.refused", extra={"detail": reason})
                return reason
            for poller in self.pollers:
                poller.retire()
            known_before = self._told_kinds(self.settings)
            self._receivers.stop()
            self._receivers, self._forwarders = receivers, self._build_forwarders(fresh)
            judging.gate.take_over(self._judging.gate)
            self._judging = judging
            self.budget = Budget(
                fresh.receivers.max_waiting
            )  # what waits gives back to the old one
            for name in known_before.keys() - self._told_kinds(fresh).keys():
                self.exposition.forget(name)
                self.sink.release(name)
            self.sink.make_room(len(fresh.sources) + _MOST_RECEIVERS)
            self.pollers, self.settings = pollers, fresh
            self._schedule.clear()
            if self._ready:
                self._register_sources(caught_up)
                self._describe_sources()
            self._start_jobs()
            self._told_reload(datetime.now(UTC))
            log.info("config.reloaded", extra={"sources": len(fresh.sources)})
            return None

    def _acceptable_settings(self) -> Settings:
        fresh = load_settings(self._config_path, self._environ)
        for name in ("database", "web", "metrics"):
            if getattr(fresh, name) != getattr(self.settings, name):
                raise ConfigurationError(
                    f"{name}: cannot change while running; restart the exporter"
                )
        return fresh

    def _caught_up(self) -> dict[str, bool]:
        return {row["source"]: row["caught_up"] for row in self.sink.sources()}

    def _describe_sources(self) -> None:
        for source in self.settings.sources:
            self.sink.describe_source(source.name, source.kind, KINDS[source.kind].role)
        for name, kind in self._receivers.kinds.items():
            self.sink.describe_source(name, kind, "workflows")

    def _register_sources(self, caught_up: Mapping[str, bool]) -> None:
        for name, (_, every) in self._told_kinds(self.settings).items():
            self.exposition.register(name, every, caught_up=caught_up.get(name, False))

    def _told_reload(self, accepted_at: datetime | None) -> None:
        self.exposition.own("aiwf_config_last_reload_successful", accepted_at is not None)
        if accepted_at is not None:
            self.exposition.own(
                "aiwf_config_last_reload_success_timestamp_seconds", accepted_at.timestamp()
            )
