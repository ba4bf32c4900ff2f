"""Budgets on /metrics: there while they are known, and silent when they are not."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from exporter.errors import SinkError
from tests.faults.test_sink_down import unreachable
from tests.integration.test_budgets import paid
from tests.sources.by_hand import Exporter, exporter
from tests.sources.made_up import BEGUN, write

NOW = BEGUN + timedelta(hours=1)
BUDGETS = [
    {"name": "all", "period": "day", "limit_usd": 10},
    {"name": "quiet", "period": "day", "limit_usd": 10, "alert": False},
    {"name": "each", "period": "day", "limit_usd": 5, "scope": "customer"},
    {"name": "run", "period": "execution", "limit_usd": 3},
]


def shown(running: Exporter, name: str) -> dict[str, float]:
    """Return what /metrics shows of a metric, by its labels."""
    lines = running.app.exposition.serve(datetime.now(UTC)).decode().splitlines()
    found = (line.rpartition(" ") for line in lines if line.startswith(name))
    return {series.removeprefix(name): float(value) for series, _, value in found}


def test_every_budget_is_shown(tmp_path: Path, one_database_url: str) -> None:
    with exporter(tmp_path, one_database_url, budgets=BUDGETS) as running:
        write(one_database_url, [paid(1, "4", BEGUN, customer="acme"), paid(2, "2", BEGUN)])
        running.app._judging.look_at_budgets(NOW)
        assert shown(running, "aiwf_budget_spent_usd") == {
            '{budget="all",scope_value=""}': 6,
            '{budget="each",scope_value="acme"}': 4,
            '{budget="quiet",scope_value=""}': 6,
        }
        assert shown(running, "aiwf_budget_threshold_reached_percent") == {
            '{budget="all",scope_value=""}': 50,
            '{budget="each",scope_value="acme"}': 80,
        }


def test_of_a_budget_of_each_only_the_fullest_are_series(
    tmp_path: Path, one_database_url: str
) -> None:
    with exporter(tmp_path, one_database_url, budgets=BUDGETS) as running:
        write(
            one_database_url,
            [paid(n, str(n), BEGUN, customer=f"c{n:02}") for n in range(1, 31)],
        )
        running.app._judging.look_at_budgets(NOW)
        of_each = [one for one in shown(running, "aiwf_budget_spent_usd") if '"each"' in one]
        assert sorted(of_each)[0] == '{budget="each",scope_value="c11"}'
        assert len(of_each) == 20


def test_a_database_that_is_away_silences_them_after_five_minutes(
    tmp_path: Path, one_database_url: str, plain_server: str
) -> None:
    with exporter(tmp_path, one_database_url, budgets=BUDGETS) as running:
        running.app.sink._pool.timeout = 0.2
        running.app._judging.look_at_budgets(NOW)
        with unreachable(plain_server, one_database_url):
            for minutes, series in ((4, 2), (6, 0)):
                with pytest.raises(SinkError):
                    running.app._judging.look_at_budgets(NOW + timedelta(minutes=minutes))
                assert len(shown(running, "aiwf_budget_spent_usd")) == series
        assert shown(running, "aiwf_budgets_as_of_timestamp_seconds") == {"": NOW.timestamp()}
