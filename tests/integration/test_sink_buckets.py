"""Windows of reports in our database: what they replace, what they leave, what they move."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from exporter.interfaces import Batch, Increment, Present
from exporter.records import (
    Amounts,
    Balance,
    BucketWindow,
    CostBucket,
    CostSource,
    DimensionName,
    ExecutionStatus,
    LlmCall,
    Operation,
    Record,
    UsageBucket,
)
from exporter.sinks.audit import audit
from exporter.sinks.prometheus import Bookkeeper, LabelCaps
from exporter.sinks.timescale import TimescaleSink
from tests.conftest import connect

DAY = datetime(2026, 11, 18, tzinfo=UTC)
NOW = DAY + timedelta(days=2, hours=3)
USAGE = UsageBucket(
    source="openai",
    provider="openai",
    report="completions",
    bucket_start=DAY,
    bucket_seconds=3600,
    model="gpt-5",
    project_id="p",
    input_tokens=100,
    output_tokens=10,
    cost_usd=Decimal("0.5"),
)
COST = CostBucket(
    source="openai",
    provider="openai",
    report="costs",
    bucket_start=DAY,
    bucket_seconds=86400,
    model="gpt-5",
    line_item="gpt-5, input",
    amount=Decimal("0.6"),
    cost_usd=Decimal("0.6"),
)


def window(
    *buckets: UsageBucket | CostBucket, from_at: datetime = DAY, days: float = 1
) -> BucketWindow:
    is_cost = bool(buckets) and isinstance(buckets[0], CostBucket)
    until_at = from_at + timedelta(days=days)
    return BucketWindow(
        source="openai",
        provider="openai",
        report="costs" if is_cost else "completions",
        amounts=Amounts.COST if is_cost else Amounts.USAGE,
        from_at=from_at,
        until_at=until_at,
        complete_until=until_at,
        buckets=buckets,
    )


class Database:
    """Our database under the lease of one source."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.sink = TimescaleSink(url)
        self.sink.open()
        self.bookkeeper = Bookkeeper(LabelCaps(100))

    def write(self, *records: Record, name: str = "openai") -> Sequence[Increment]:
        with self.sink.session(name) as session:
            assert session is not None
            batch = Batch(records=records, cursor={}, caught_up=True)
            _, increments = session.write(session.position(), batch, self.bookkeeper, NOW)
        return increments

    def present(self) -> Present:
        with self.sink.session("openai") as session:
            assert session is not None
            return session.present(NOW)

    def rows(self, query: str) -> list[dict[str, Any]]:
        with connect(self.url) as connection:
            return connection.execute(query).fetchall()

    def spend(self, cost_kind: str) -> dict[str, Decimal | None]:
        return {
            one.cost_window: one.cost_usd
            for one in self.present().spend
            if one.cost_kind == cost_kind
        }


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    database = Database(database_url)
    yield database
    with connect(database_url) as connection:
        connection.autocommit = False
        assert {} == {table: rows for table, rows in audit(connection).items() if rows}
    database.sink.close()


def moved(increments: Sequence[Increment]) -> dict[str, float]:
    found: dict[str, float] = {}
    for one in increments:
        found[one.metric] = found.get(one.metric, 0) + one.amount
    return {metric: amount for metric, amount in found.items() if amount}


def test_a_window_written_twice_is_there_once_and_moves_nothing(database: Database) -> None:
    database.write(window(USAGE))

    assert {} == moved(database.write(window(USAGE)))
    assert 1 == len(database.rows("SELECT * FROM usage_buckets"))


def test_buckets_that_differ_in_an_unknown_dimension_are_two(database: Database) -> None:
    database.write(window(USAGE, replace(USAGE, project_id=None)))

    assert 2 == len(database.rows("SELECT * FROM usage_buckets"))


def test_an_unknown_dimension_makes_no_second_row(database: Database) -> None:
    bucket = replace(USAGE, project_id=None, model=None)
    database.write(window(bucket))
    database.write(window(replace(bucket, input_tokens=200)))

    assert [200] == [r["input_tokens"] for r in database.rows("SELECT * FROM usage_buckets")]


def test_what_a_window_no_longer_says_is_gone(database: Database) -> None:
    database.write(window(USAGE, replace(USAGE, project_id="q")))
    database.write(window(USAGE))

    assert ["p"] == [r["project_id"] for r in database.rows("SELECT * FROM usage_buckets")]


def test_an_empty_window_empties_its_days_sum(database: Database) -> None:
    database.write(window(USAGE))
    database.write(window())

    assert [] == database.rows("SELECT * FROM usage_buckets")
    assert [] == database.rows("SELECT * FROM cost_daily")


def test_a_window_leaves_what_lies_outside_of_it(database: Database) -> None:
    later = replace(USAGE, bucket_start=DAY + timedelta(hours=5))
    database.write(window(USAGE, later))
    database.write(window(from_at=DAY, days=1 / 24))

    assert [later.bucket_start] == [
        r["bucket_start"] for r in database.rows("SELECT * FROM usage_buckets")
    ]


def test_a_window_leaves_other_reports_and_sources(database: Database) -> None:
    database.write(window(USAGE), window(COST))
    database.write(replace(window(replace(USAGE, report="images")), report="images"))
    database.write(replace(window(replace(USAGE, source="second")), source="second"), name="second")
    database.write(window())

    assert {("openai", "images"), ("second", "completions")} == {
        (r["source"], r["report"]) for r in database.rows("SELECT * FROM usage_buckets")
    }
    assert 1 == len(database.rows("SELECT * FROM cost_buckets"))


def test_the_sum_of_a_day_is_of_its_hours(database: Database) -> None:
    database.write(
        window(
            USAGE,
            replace(USAGE, bucket_start=DAY + timedelta(hours=23), cost_usd=None),
            replace(USAGE, bucket_start=DAY + timedelta(hours=4), service_tier="batch"),
        )
    )

    (day,) = database.rows("SELECT * FROM cost_daily")
    assert (DAY, 300, 30) == (day["bucket_start"], day["input_tokens"], day["output_tokens"])
    assert (Decimal("1.0"), 3, 1, 110) == (
        day["cost_usd"],
        day["buckets"],
        day["unpriced_buckets"],
        day["unpriced_tokens"],
    )


def test_a_breakdown_is_kept_and_never_summed(database: Database) -> None:
    increments = database.write(window(USAGE, replace(USAGE, user_id="u", is_breakdown=True)))

    assert 2 == len(database.rows("SELECT * FROM usage_buckets"))
    assert [100] == [r["input_tokens"] for r in database.rows("SELECT * FROM cost_daily")]
    assert 110 == moved(increments)["aiwf_usage_tokens_observed_total"]


def test_a_revision_upwards_is_counted_and_one_downwards_is_counted_apart(
    database: Database,
) -> None:
    database.write(window(USAGE))

    more = moved(database.write(window(replace(USAGE, input_tokens=150, cost_usd=Decimal("0.7")))))
    less = moved(database.write(window(replace(USAGE, input_tokens=120, cost_usd=Decimal("0.6")))))

    assert 50 == more["aiwf_usage_tokens_observed_total"]
    assert pytest.approx(0.2) == more["aiwf_provider_cost_usd_observed_total"]
    assert "aiwf_usage_revisions_negative_total" not in more
    assert {"aiwf_usage_revisions_negative_total": 1} == less


def test_what_moves_from_one_project_to_another_is_no_new_use(database: Database) -> None:
    database.write(window(USAGE))

    assert {} == moved(database.write(window(replace(USAGE, project_id="q"))))
    assert ["q"] == [r["project_id"] for r in database.rows("SELECT * FROM cost_daily")]


def test_use_without_a_price_is_counted_as_such(database: Database) -> None:
    increments = moved(database.write(window(replace(USAGE, cost_usd=None))))

    assert 110 == increments["aiwf_usage_unpriced_tokens_observed_total"]
    assert "aiwf_provider_cost_usd_observed_total" not in increments


# --- what is true now ------------------------------------------------------------------------


def read_until(until_at: datetime) -> BucketWindow:
    """Everything from 40 days ago is read, and there is nothing."""
    from_at = DAY - timedelta(days=40)
    return replace(window(from_at=from_at), until_at=until_at, complete_until=until_at)


def test_days_that_are_read_and_say_nothing_cost_nothing(database: Database) -> None:
    database.write(read_until(NOW))

    spend = database.spend("estimated")

    assert {"today", "yesterday", "month_to_date", "usual_day"} <= set(spend)
    assert 0 == spend["today"] == spend["yesterday"] == spend["month_to_date"]


def test_a_day_that_is_not_read_is_unknown(database: Database) -> None:
    database.write(read_until(DAY + timedelta(days=1)))

    spend = database.spend("estimated")

    assert (None, None) == (spend["today"], spend["yesterday"])
    assert 0 == spend["month_to_date"]


def test_a_month_whose_beginning_is_not_read_is_unknown(database: Database) -> None:
    database.write(window(USAGE, days=2.2))

    assert "month_to_date" not in database.spend("estimated")


def test_the_windows_hold_their_days(database: Database) -> None:
    database.write(read_until(NOW))
    days = {0: "1", 1: "2", 2: "4"}  # the 18th, 19th and 20th, which is today
    for number, cost_usd in days.items():
        at = DAY + timedelta(days=number)
        bucket = replace(USAGE, bucket_start=at, cost_usd=Decimal(cost_usd))
        database.write(window(bucket, from_at=at, days=min(1, (NOW - at) / timedelta(days=1))))

    spend = database.spend("estimated")

    assert (4, 2, 7) == (spend["today"], spend["yesterday"], spend["month_to_date"])
    assert pytest.approx(3 / 7) == float(spend["usual_day"] or 0)


def test_a_day_of_which_nothing_has_a_price_is_unknown(database: Database) -> None:
    database.write(read_until(NOW))
    at = NOW.replace(hour=0)
    bucket = replace(USAGE, bucket_start=at, cost_usd=None)
    database.write(window(bucket, from_at=at, days=3 / 24))

    assert database.spend("estimated")["today"] is None


def test_three_days_are_compared_when_both_kinds_have_settled(database: Database) -> None:
    database.write(read_until(NOW))
    assert "three_complete_days" not in database.spend("estimated")

    bill = replace(read_until(DAY + timedelta(days=1)), amounts=Amounts.COST, report="costs")
    database.write(bill)
    database.write(window(USAGE), window(COST))

    assert Decimal("0.5") == database.spend("estimated")["three_complete_days"]
    assert Decimal("0.6") == database.spend("billed")["three_complete_days"]


def stretches(database: Database) -> list[tuple[datetime, datetime]]:
    return [
        (row["read_from"], row["read_until"])
        for row in database.rows("SELECT * FROM report_coverage ORDER BY read_from")
    ]


def test_what_lies_between_two_readings_was_not_read(database: Database) -> None:
    january = DAY - timedelta(days=300)
    database.write(window(USAGE))
    database.write(window(from_at=january))

    assert [(january, january + timedelta(days=1)), (DAY, DAY + timedelta(days=1))] == stretches(
        database
    )
    june = database.rows(f"SELECT * FROM v_reconciliation('{DAY - timedelta(days=150)}', '{DAY}')")
    assert [] == june


def test_readings_that_touch_are_one(database: Database) -> None:
    for days in (0, 2, 1):
        database.write(window(from_at=DAY + timedelta(days=days)))

    assert [(DAY, DAY + timedelta(days=3))] == stretches(database)


# --- names and balances ----------------------------------------------------------------------


def test_a_name_that_is_no_longer_told_stays_and_a_new_one_replaces_it(
    database: Database,
) -> None:
    named = DimensionName(source="openai", dimension="project_id", id="p", name="old")
    database.write(window(USAGE), named)
    database.write(replace(named, name="new"))
    database.write(window(USAGE))

    assert ["new"] == [r["project"] for r in database.rows("SELECT project FROM v_cost_daily")]


def test_a_balance_has_a_row_for_each_time_it_moved(database: Database) -> None:
    balance = Balance(
        source="openai",
        provider="openai",
        balance="credits",
        unit="USD",
        observed_at=NOW,
        remaining=Decimal("7.5"),
    )
    for minutes, remaining in ((0, "7.5"), (5, "7.50"), (10, "6"), (15, "7.5")):
        at = NOW + timedelta(minutes=minutes)
        database.write(replace(balance, observed_at=at, remaining=Decimal(remaining)))

    assert 3 == len(database.rows("SELECT * FROM balances"))
    (left,) = database.present().balances
    assert (Decimal("7.5"), None) == (left.remaining, left.limit_amount)


def test_a_balance_that_is_told_no_more_is_gone(database: Database) -> None:
    balance = Balance(
        source="openai",
        provider="openai",
        balance="key old",
        unit="USD",
        observed_at=NOW,
        remaining=Decimal(0),
    )
    database.write(balance, replace(balance, balance="credits"))
    database.write(replace(balance, balance="credits", observed_at=NOW + timedelta(minutes=5)))

    assert ["credits"] == [left.balance for left in database.present().balances]


# --- two at once -----------------------------------------------------------------------------


def test_a_poll_and_a_backfill_that_meet_in_a_day_leave_it_once(
    database: Database, database_url: str, migrated: Callable[[str], str]
) -> None:
    buckets = [
        replace(USAGE, bucket_start=DAY + timedelta(hours=hour), project_id=f"p{number}")
        for hour in range(24)
        for number in range(10)
    ]

    def write_often(name: str) -> None:
        for round_ in range(10):
            database.write(window(*buckets[round_:]), name=name)

    with ExitStack() as stack, ThreadPoolExecutor(2) as threads:
        stack.callback(database.write, window(*buckets))
        list(threads.map(write_often, ("openai", "openai backfill")))

    assert 231 <= len(database.rows("SELECT * FROM usage_buckets")) <= 240


def test_a_poll_and_a_backfill_that_bring_the_same_calls_count_them_once(
    database: Database,
) -> None:
    calls = [
        LlmCall(
            source="litellm",
            execution_id=str(number),
            created_at=DAY,
            call_id=str(number),
            provider="openai",
            model="gpt-5",
            operation=Operation.CHAT,
            status=ExecutionStatus.SUCCESS,
            workflow_id="",
            workflow="",
            started_at=DAY,
            input_tokens=1,
            cost_usd=Decimal(1),
            cost_source=CostSource.REPORTED,
        )
        for number in range(500)
    ]

    with ThreadPoolExecutor(2) as threads:
        list(
            threads.map(
                lambda name: database.write(*calls, name=name), ("litellm", "litellm backfill")
            )
        )

    sums = database.rows("SELECT sum(calls)::int AS calls FROM llm_calls_hourly")
    assert [{"calls": 500}] == sums
