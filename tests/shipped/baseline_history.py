"""Five weeks of a workflow that doubles its cost today and loops, looked at an hour ago."""

from __future__ import annotations

from datetime import datetime, timedelta

from exporter.baseline_jobs import BaselineJobs
from exporter.settings import Settings
from exporter.sinks.exposition import Exposition
from exporter.sinks.prometheus import Bookkeeper, LabelCaps
from exporter.sinks.timescale import TimescaleSink
from tests.baseline_records import Weeks
from tests.spend_records import midnight, writer

DAY = timedelta(days=1)


def write_baseline_history(url: str, now: datetime) -> None:
    """Fill a database: 20 USD a day, then 45, and a run that calls without end."""
    now -= timedelta(hours=1)  # before the tests that ask for it began
    weeks = Weeks("Daily digest")
    for day in range(1, 36):
        weeks.run(midnight(now) - day * DAY, usd="20", calls=8)
    weeks.run(midnight(now), usd="45", calls=8)
    weeks.run(now - timedelta(minutes=2), calls=100)
    with writer(url, now) as into:
        into.write(weeks.source, weeks.records, "workflows")
    settings = Settings.model_validate(
        {"database": {"url": {"env": "URL"}}}, context={"environ": {"URL": url}}
    )
    caps = LabelCaps(100)
    sink = TimescaleSink(url)
    sink.open()
    jobs = BaselineJobs(settings, sink, Exposition(caps, Bookkeeper(caps), version="1"))
    jobs.look_at_days(now)
    jobs.look_for_loops(now)
    sink.close()
