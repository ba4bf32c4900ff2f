"""Baselines in our database: what is usual, what is compared with it, what was far from it."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from psycopg.types.json import Jsonb

from exporter.records import Anomaly, Comparison, Measure
from exporter.sinks.timescale import TimescaleSink
from exporter.sql_files import named_statements

_STATEMENTS = named_statements("exporter.sinks.sql", "baselines.sql")
_OF_RUNS = {
    Measure.CALLS_PER_RUN: ("calls_per_run", "calls_of_run"),
    Measure.RETRIES_PER_RUN: ("retries_per_run", "retries_of_run"),
}
_WEEK, _HOUR = timedelta(days=7), timedelta(hours=1)
Row = dict[str, Any]


class BaselineTables:
    """What baselines read and write."""

    def __init__(self, sink: TimescaleSink, zone: str) -> None:
        """Prepare; days are days of the zone."""
        self._sink = sink
        self._zone = zone

    def caught_up(self) -> frozenset[str]:
        """Return the sources whose history has been read."""
        return frozenset(row["source"] for row in self._rows("caught_up", {}))

    def refresh(self, days: Sequence[date], now: datetime) -> None:
        """Conclude what is usual for each of the days from the four weeks before it."""
        with self._sink.connection() as connection:
            for day in days:
                parameters = {"day": day, "zone": self._zone, "now": now}
                connection.execute(_STATEMENTS["refresh"].encode(), parameters)
                connection.execute(_STATEMENTS["forget_refuted"].encode(), parameters)
            connection.execute(_STATEMENTS["forget_old"].encode(), {"day": max(days)})

    def days(self, today: date) -> list[Comparison]:
        """Return the numbers of yesterday, and of today so far, with what is usual."""
        return _comparisons(self._rows("days", {"day": today, "zone": self._zone}))

    def runs_per_hour(self, now: datetime, today: date, least: int) -> list[Comparison]:
        """Return the workflows with at least so many runs in the last 60 minutes."""
        hour = now.replace(minute=0, second=0, microsecond=0)
        hours = [
            hour - weeks * _WEEK + hours * _HOUR
            for weeks in range(1, 5)
            for hours in (-2, -1, 0, 1)
        ]
        rows = self._rows("runs_per_hour", {"now": now, "least": least, "hours": hours})
        return _comparisons(rows, measure=Measure.RUNS_PER_HOUR, day=today)

    def of_runs(self, measure: Measure, now: datetime, today: date, least: int) -> list[Comparison]:
        """Return the runs of the last hour with at least so many calls or retries."""
        amounts, of_run = (_STATEMENTS[name] for name in _OF_RUNS[measure])
        statement = _STATEMENTS["against_usual_runs"]
        statement = statement.replace("{amounts}", amounts).replace("{of_run}", of_run)
        with self._sink.connection() as connection:
            rows = connection.execute(
                statement.encode(), {"now": now, "least": least, "measure": measure}
            ).fetchall()
        return _comparisons(rows, measure=measure, day=today)

    def flag(self, found: Sequence[Comparison], now: datetime) -> None:
        """Write what is far from usual: once each, and again how bad it became."""
        if not found:
            return
        rows = [
            {
                "source": one.source,
                "workflow_id": one.workflow_id,
                "measure": one.measure,
                "day": one.day.isoformat(),
                "execution_id": one.execution_id,
                "created_at": one.created_at.isoformat() if one.created_at else None,
                "baseline_value": str(one.baseline_value),
                "observed_value": str(one.observed_value),
            }
            for one in found
        ]
        with self._sink.connection() as connection:
            parameters = {"found": Jsonb(rows), "now": now}
            connection.execute(_STATEMENTS["flag"].encode(), parameters)

    def seen_since(self, since: datetime) -> list[Anomaly]:
        """Return what was far from usual at that time or later, the worst last."""
        return [
            Anomaly(**{**row, "measure": Measure(row["measure"])})
            for row in self._rows("seen_since", {"since": since})
        ]

    def _rows(self, name: str, parameters: Mapping[str, object]) -> list[Row]:
        with self._sink.connection() as connection:
            return connection.execute(_STATEMENTS[name].encode(), parameters).fetchall()


def _comparisons(rows: Sequence[Row], **common: object) -> list[Comparison]:
    told = [{**row, **common} for row in rows]
    return [Comparison(**{**row, "measure": Measure(row["measure"])}) for row in told]
