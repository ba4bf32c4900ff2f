"""Joins baselines with their tables: what is usual, what is far from it, and what is shown."""

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from exporter.judges.baselines import anomalous_days, limits_of
from exporter.judges.runaway import limit_of, runaways
from exporter.records import RUNAWAY_MEASURES, Measure
from exporter.settings import Settings
from exporter.sinks.baseline_gauges import anomaly_gauges, cost_gauges
from exporter.sinks.baselines import BaselineTables
from exporter.sinks.exposition import Exposition
from exporter.sinks.timescale import TimescaleSink

_DAY = timedelta(days=1)
_REFRESH_EVERY = timedelta(hours=1)


class BaselineJobs:
    """What is done of baselines at intervals; each method is told the time."""

    def __init__(self, settings: Settings, sink: TimescaleSink, exposition: Exposition) -> None:
        self._zone = ZoneInfo(settings.baselines.zone)
        self._limits = limits_of(settings.baselines, settings.workflows)
        overrides = [one.baselines.runaway for one in settings.workflows]
        loops = [settings.baselines.runaway, *filter(None, overrides)]
        # The least that is a loop anywhere: fewer need not be looked at.
        self._least = {
            measure: min(limit_of(measure, each).least for each in loops)
            for measure in RUNAWAY_MEASURES
        }
        self._tables = BaselineTables(sink, settings.baselines.zone)
        self._exposition = exposition
        self._refreshed: tuple[object, datetime] | None = None  # of what, and when

    def look_at_days(self, now: datetime) -> None:
        """Flag days that are far from usual: yesterday as a whole, today for its cost so far.

        What is usual is concluded each hour, when a day begins, and when a history was read.

        Raises:
            SinkError: the database does not answer.
        """
        today = now.astimezone(self._zone).date()
        of = (today, self._tables.caught_up())
        refreshed = self._refreshed
        if refreshed is None or refreshed[0] != of or now - refreshed[1] >= _REFRESH_EVERY:
            self._tables.refresh([today - _DAY, today], now)
            self._refreshed = (of, now)
        whole_or_cost = [
            one
            for one in self._tables.days(today)
            if one.day < today or one.measure is Measure.COST_PER_DAY
        ]
        self._tables.flag(anomalous_days(whole_or_cost, self._limits), now)

    def look_for_loops(self, now: datetime) -> None:
        """Flag runs and workflows of the last 60 minutes that are far beyond usual.

        Raises:
            SinkError: the database does not answer.
        """
        today = now.astimezone(self._zone).date()
        tables, least = self._tables, self._least
        seen = tables.runs_per_hour(now, today, least[Measure.RUNS_PER_HOUR])
        for measure in (Measure.CALLS_PER_RUN, Measure.RETRIES_PER_RUN):
            seen += tables.of_runs(measure, now, today, least[measure])
        tables.flag(runaways(seen, self._limits), now)

    def show(self, now: datetime) -> None:
        """Show what is in the tables, whoever wrote it.

        Raises:
            SinkError: the database does not answer.
        """
        local = now.astimezone(self._zone)
        today = local.date()
        began_at = datetime.combine(today, time(), self._zone)
        costs = [
            one
            for one in self._tables.days(today)
            if self._limits(one.source, one.workflow).enabled
        ]
        labels = self._exposition.labels
        gauges = cost_gauges(costs, today, labels)
        anomalies = self._tables.seen_since(now - _DAY)
        gauges |= anomaly_gauges(anomalies, today, began_at, now, labels)
        for metric, values in gauges.items():
            self._exposition.own_all(metric, values)
