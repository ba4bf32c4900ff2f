"""The guide's marketing workflow: its numbers are told by programs, and read off our views.

In 24 hours 1,247 posts, 98.2 % of them a success, cost 12.34 USD: Twitter 500 posts for 4.20 USD,
LinkedIn 400 for 6.10, Instagram 347 for 2.04.
"""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from tests.conftest import connect
from tests.pushed.conftest import Listening, listening

__all__ = ["listening"]

# Workflow → posts, cost of all in hundredths of a cent, failed. 22 of 1,247 failed: 1,225 did not,
# which is 98.236 %.
POSTS = {
    "Twitter": (500, 42_000, 9),
    "LinkedIn": (400, 61_000, 7),
    "Instagram": (347, 20_400, 6),
}
NOW = datetime.now(UTC)
RANGE = (NOW - timedelta(hours=24), NOW + timedelta(minutes=1))


def runs(workflow: str) -> Iterator[dict[str, object]]:
    """A run a post; its cost in whole hundredths of a cent, so that they add up exactly."""
    posts, hundredths, failed = POSTS[workflow]
    for number in range(posts):
        cost = hundredths * (number + 1) // posts - hundredths * number // posts
        began = NOW - timedelta(hours=23) + timedelta(hours=22) * number / posts
        is_failed = number % (posts // failed) == 0 and number // (posts // failed) < failed
        yield {
            "execution_id": f"{workflow}-{number}",
            "workflow": workflow,
            "status": "failed" if is_failed else "success",
            "started_at": began.isoformat(),
            "duration_ms": 2340,
            "items_total": 1,
            "items_failed": int(is_failed),
            "llm_calls": [
                {
                    "provider": "openai",
                    "model": "gpt-4o",
                    "started_at": began.isoformat(),
                    "input_tokens": 700,
                    "output_tokens": 250,
                    "cost_usd": float(Decimal(cost) / 10_000),
                }
            ],
            "outcomes": {"posts_generated": 1} if is_failed else {
                "posts_generated": 1,
                "posts_published": 1,
            },
        }  # fmt: skip


@pytest.fixture
def told(listening: Listening) -> str:
    """The address of our database, once everything was pushed."""
    for workflow in POSTS:
        lines = "\n".join(map(json.dumps, runs(workflow))).encode()
        answer = listening.post("executions", lines, "application/x-ndjson")
        assert answer.status_code == 200, answer.text
        assert answer.json()["accepted"] == POSTS[workflow][0]
    return listening.database_url


def test_the_top_row_is_1247_posts_98_2_percent_and_12_34_usd(told: str) -> None:
    with connect(told) as connection:
        (runs_,) = connection.execute("SELECT * FROM v_execution_summary(%s, %s)", RANGE).fetchall()
        (spend,) = connection.execute("SELECT * FROM v_llm_summary(%s, %s)", RANGE).fetchall()
    assert runs_["runs"] == 1247
    assert round(100 * float(str(runs_["success_ratio"])), 1) == 98.2
    assert spend["cost_usd"] == Decimal("12.34")


def test_the_middle_row_adds_up_over_its_hours(told: str) -> None:
    with connect(told) as connection:
        hours = connection.execute(
            "SELECT bucket_start, sum(runs) AS runs FROM v_executions_hourly "
            "WHERE bucket_start >= %s GROUP BY 1",
            [NOW - timedelta(hours=24)],
        ).fetchall()
    assert 22 <= len(hours) <= 24
    assert sum(int(str(hour["runs"])) for hour in hours) == 1247


def test_the_bottom_row_tells_posts_and_cost_of_each_workflow(told: str) -> None:
    with connect(told) as connection:
        rows = connection.execute(
            "SELECT workflow, items_total, items_failed, cost_usd FROM v_workflow_summary(%s, %s)",
            RANGE,
        ).fetchall()
    assert {row["workflow"]: tuple(row.values())[1:] for row in rows} == {
        "Twitter": (500, 9, Decimal("4.20")),
        "LinkedIn": (400, 7, Decimal("6.10")),
        "Instagram": (347, 6, Decimal("2.04")),
    }
