"""An exporter that is polled by hand under a clock that the test moves, and what it stored."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from exporter.app import App
from exporter.interfaces import PollResult
from exporter.sinks.audit import audit
from tests.conftest import connect

Row = dict[str, Any]
# Table → what a row of it is known by. Cursors and polls differ between ways of getting there.
TABLES = {
    "workflows": "source, workflow_id",
    "executions": "source, execution_id, created_at",
    "steps": "source, execution_id, created_at, step_id",
    "llm_calls": "source, execution_id, created_at, call_id",
    "llm_content": "source, execution_id, created_at, call_id",
    "step_content": "source, execution_id, created_at, step_id",
    "outcomes": "source, outcome_id, at",
    "outcomes_hourly": "bucket_start, source, workflow, name, unit, customer, project, team",
    "signals_hourly": "bucket_start, source, workflow_id, provider, model, signal",
    "executions_hourly": "bucket_start, source, workflow_id, status",
    "execution_durations_hourly": "bucket_start, source, workflow_id, status, duration_bucket",
    "llm_calls_hourly": "bucket_start, source, workflow_id, provider, model, status, "
    "customer, project, team",
    "llm_latencies_hourly": "bucket_start, source, workflow_id, provider, model, latency_bucket",
    "usage_buckets": "source, report, bucket_start, dimensions_hash",
    "cost_buckets": "source, report, bucket_start, dimensions_hash",
    "cost_daily": "bucket_start, source, provider, cost_kind, model, project_id, api_key_id, "
    "user_id",
    "dimension_names": "source, dimension, id",
    "balances": "source, balance, unit, observed_at",
}
_OWN_COLUMNS = ("first_seen_at",)  # the exporter's clock, not the engine's
_AMOUNTS = {
    "executions_hourly": "runs",
    "execution_durations_hourly": "runs",
    "llm_calls_hourly": "calls",
    "llm_latencies_hourly": "calls",
    "signals_hourly": "events",
    "outcomes_hourly": "outcomes",
}


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **by: float) -> None:
        """Move on by `minutes=6`, for example."""
        self.now += timedelta(**by)


@dataclass(frozen=True)
class Exporter:
    """An exporter whose sources are polled when the test says so."""

    app: App
    clock: Clock

    def poll(self, number: int = 0) -> PollResult:
        """Poll one source, a second after the last time."""
        self.clock.advance(seconds=1)
        result = self.app.pollers[number].poll()
        assert result is not None, "the source rests after a refusal"
        return result

    def poll_ok(self, number: int = 0) -> PollResult:
        """Poll one source and demand that it came to its end."""
        result = self.poll(number)
        assert result.outcome == "ok", result.detail
        return result


@contextmanager
def exporter(
    folder: Path,
    database_url: str,
    *sources: Mapping[str, object],
    clock: Clock | None = None,
    environ: Mapping[str, str] | None = None,
    **sections: object,
) -> Iterator[Exporter]:
    """Yield an exporter of these sources; n8n's `url` is written as it is, `sections` too."""
    environ = {"AIWF_DATABASE_URL": database_url, **(environ or {})}
    listed: list[dict[str, object]] = []
    for number, source in enumerate(sources):
        variable = f"SOURCE_{number}_URL"
        listed.append({"name": "n8n", "kind": "n8n", **source})
        if "url" in source:
            environ[variable] = str(source["url"])
            listed[-1]["url"] = {"env": variable}
    config = folder / f"config-{len(list(folder.glob('config-*')))}.yml"
    config.write_text(  # JSON is YAML
        json.dumps(
            {"database": {"url": {"env": "AIWF_DATABASE_URL"}}, "sources": listed, **sections}
        )
    )
    app = App(config, environ)
    try:
        app.prepare()
        clock = clock or Clock()
        for poller in app.pollers:
            poller._clock = clock
        yield Exporter(app, clock)
    finally:
        app.stop()


def wait_until(condition: Callable[[], object], seconds: float = 20) -> None:
    """Ask again and again until it is true; fail after the deadline."""
    deadline = monotonic() + seconds
    while not condition():
        if monotonic() > deadline:
            pytest.fail(f"not true after {seconds} s")


def stored(database_url: str) -> dict[str, list[Row]]:
    """Everything that polls wrote, in an order that says nothing of how it came there."""
    found: dict[str, list[Row]] = {}
    with connect(database_url) as connection:
        for table, key in TABLES.items():
            # A sum that went back to zero says what no row says.
            kept = f"WHERE {_AMOUNTS[table]} <> 0" if table in _AMOUNTS else ""
            rows = connection.execute(f"SELECT * FROM {table} {kept} ORDER BY {key}").fetchall()
            found[table] = [
                {name: value for name, value in row.items() if name not in _OWN_COLUMNS}
                for row in rows
            ]
    return found


def counters(database_url: str) -> dict[str, float]:
    """Every persisted counter that has counted something."""
    with connect(database_url) as connection:
        rows: list[Row] = connection.execute(
            "SELECT metric, labels, value FROM counters WHERE value <> 0"
        ).fetchall()
    return {
        f"{row['metric']} {json.dumps(row['labels'], sort_keys=True)}": row["value"] for row in rows
    }


def counted(database_url: str, metric: str, **labels: str) -> float:
    """The sum of a persisted counter over the series that have these labels."""
    with connect(database_url) as connection:
        row = connection.execute(
            "SELECT coalesce(sum(value), 0) AS value FROM counters "
            "WHERE metric = %s AND labels @> %s::jsonb",
            [metric, json.dumps(labels)],
        ).fetchone()
    assert row is not None
    return float(row["value"])  # type: ignore[arg-type]


def differences(database_url: str) -> dict[str, list[Row]]:
    """What the audit finds, by table; empty is right."""
    with connect(database_url) as connection:
        connection.autocommit = False
        return {table: rows for table, rows in audit(connection).items() if rows}


def assert_same(expected_url: str, found_url: str) -> None:
    """Demand that two databases of ours hold the same rows, sums and counters."""
    expected, found = stored(expected_url), stored(found_url)
    for table in TABLES:
        assert len(expected[table]) == len(found[table]), table
        for wanted, row in zip(expected[table], found[table], strict=True):
            assert wanted == row, table
    assert pytest.approx(counters(expected_url), rel=1e-9) == counters(found_url)


def one(database_url: str, query: str, parameters: object = None) -> Row:
    """The only row of a query."""
    with connect(database_url) as connection:
        rows = connection.execute(query, parameters).fetchall()
    assert len(rows) == 1, rows
    return rows[0]


def execution(database_url: str, execution_id: int) -> Row:
    """The only row of an execution."""
    return one(
        database_url, "SELECT * FROM executions WHERE execution_id = %s", [str(execution_id)]
    )


def runs(database_url: str) -> dict[str, int]:
    """Hourly sums of runs, by status, over all hours."""
    with connect(database_url) as connection:
        rows: list[Row] = connection.execute(
            "SELECT status, sum(runs)::int AS runs FROM executions_hourly "
            "GROUP BY status HAVING sum(runs) <> 0"
        ).fetchall()
    return {row["status"]: row["runs"] for row in rows}
