"""Exporters that look at what is usual, each as if it was just started, and what they find."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import psycopg

from exporter.baseline_jobs import BaselineJobs
from exporter.interfaces import PollResult
from exporter.settings import Settings
from exporter.sinks.exposition import Exposition
from exporter.sinks.prometheus import Bookkeeper, LabelCaps
from exporter.sinks.timescale import TimescaleSink
from tests.baseline_records import Weeks
from tests.conftest import connect
from tests.spend_records import Writer, writer

TODAY = datetime(2026, 11, 24, tzinfo=UTC)  # a Tuesday
NOW = TODAY + timedelta(hours=15, minutes=30)
DAY, WEEK = timedelta(days=1), timedelta(days=7)
Row = dict[str, Any]


class Ours:
    """Our database, and exporters that look at it."""

    def __init__(self, url: str, connection: psycopg.Connection[Row], into: Writer) -> None:
        self._url = url
        self._connection = connection
        self._into = into
        self._sinks: list[TimescaleSink] = []

    def write(self, *weeks: Weeks) -> None:
        for each in weeks:
            self._into.write(each.source, each.records, "workflows")

    def exporter(self, **settings: object) -> tuple[BaselineJobs, Exposition]:
        sink = TimescaleSink(self._url)
        sink.open()
        self._sinks.append(sink)
        caps = LabelCaps(100)
        exposition = Exposition(caps, Bookkeeper(caps), version="1")
        exposition.register("code", timedelta(minutes=1), caught_up=True)
        told = Settings.model_validate(
            {"database": {"url": {"env": "URL"}}, **settings},
            context={"environ": {"URL": self._url}},
        )
        return BaselineJobs(told, sink, exposition), exposition

    def look(self, now: datetime = NOW, **settings: object) -> None:
        """Look at days and for loops, as an exporter that was just started."""
        jobs, _ = self.exporter(**settings)
        jobs.look_at_days(now)
        jobs.look_for_loops(now)

    def baseline(
        self,
        measure: str = "cost_per_day",
        day: date | None = None,
        workflow: str = "Weekly report",
    ) -> tuple[Decimal, str, int] | None:
        found = self._connection.execute(
            "SELECT baseline_value, basis, sample_days FROM v_baselines"
            " WHERE measure = %s AND as_of_day = %s AND workflow = %s",
            [measure, day or TODAY.date(), workflow],
        ).fetchall()
        assert len(found) <= 1
        return tuple(found[0].values()) if found else None  # type: ignore[return-value]

    def anomalies(self, *columns: str) -> list[tuple[Any, ...]]:
        chosen = ", ".join(columns or ("measure", "day", "baseline_value", "observed_value"))
        query = f"SELECT {chosen} FROM v_anomalies ORDER BY measure, day, execution_id"
        return [tuple(row.values()) for row in self._connection.execute(query.encode())]

    def execute(self, query: str) -> list[Row]:
        return self._connection.execute(query.encode()).fetchall()

    def close(self) -> None:
        for sink in self._sinks:
            sink.close()


@contextmanager
def looking(url: str) -> Iterator[Ours]:
    """Yield what writes into our database and looks at it."""
    with connect(url) as connection, writer(url, NOW) as into:
        found = Ours(url, connection, into)
        yield found
        found.close()


def shown(exposition: Exposition, now: datetime, metric: str) -> dict[str, float]:
    lines = exposition.serve(now).decode().splitlines()
    found = [line.rsplit(" ", 1) for line in lines if line.startswith(metric + "{")]
    return {labels.removeprefix(metric): float(value) for labels, value in found}


def polled(exposition: Exposition, now: datetime = NOW) -> None:
    exposition.polled(
        PollResult(
            source="code",
            started_at=now,
            outcome="ok",
            detail=None,
            records=0,
            duration_seconds=0,
            newest_at=None,
        )
    )
