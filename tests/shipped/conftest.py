"""What dashboards and alerts are tried on: the full database, runs, and what status pages said."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tests.run_records import write_run_history
from tests.shipped.baseline_history import write_baseline_history
from tests.shipped.budget_history import write_budget_history
from tests.shipped.status_history import write_status_history


@pytest.fixture(scope="session")
def full_database_url(full_database_url: str) -> str:
    """Our full database, in which two status pages were read too, runs of code were told, and
    budgets and baselines were looked at."""
    write_status_history(full_database_url, datetime.now(UTC))
    write_run_history(full_database_url, datetime.now(UTC))
    write_budget_history(full_database_url, datetime.now(UTC))
    write_baseline_history(full_database_url, datetime.now(UTC))
    return full_database_url
