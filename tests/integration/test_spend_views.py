"""Views of what is spent: the three costs side by side, summed by hand; unknown is never zero."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest

from exporter.records import Amounts
from tests.conftest import connect
from tests.spend_records import DAY, Reports, Writer, call, run, writer

NOW = datetime(2026, 11, 20, 15, 30, tzinfo=UTC)
TODAY = datetime(2026, 11, 20, tzinfo=UTC)
FIRST = TODAY - 30 * DAY
USAGE, COST = Amounts.USAGE, Amounts.COST
Row = dict[str, Any]


class Ours:
    """Our database: what is written into it, and what its views answer."""

    def __init__(self, connection: psycopg.Connection[Row], into: Writer) -> None:
        self._connection = connection
        self._into = into
        self.write = into.write
        self.names = into.names

    def rows(self, query: str, *parameters: object) -> list[Row]:
        return self._connection.execute(query.encode(), parameters).fetchall()

    def in_zone(self, zone: str) -> None:
        self._connection.execute("SELECT set_config('timezone', %s, false)", [zone])

    def ledger(self, day: datetime, provider: str = "openai") -> Row | None:
        """The row of a day, or None."""
        found = self.rows(
            "SELECT * FROM v_reconciliation(%s, %s) WHERE provider = %s", day, day + DAY, provider
        )
        assert len(found) <= 1
        return found[0] if found else None

    def spend(self, from_at: datetime, until_at: datetime, provider: str = "openai") -> list[Row]:
        return self.rows(
            "SELECT bucket_start, cost_kind, cost_usd FROM v_spend_daily(%s, %s) "
            "WHERE provider = %s ORDER BY 1",
            from_at,
            until_at,
            provider,
        )

    def spent(self, day: datetime, provider: str = "openai") -> tuple[str, Decimal] | None:
        found = self.spend(day, day + DAY, provider)
        assert len(found) <= 1
        return (found[0]["cost_kind"], found[0]["cost_usd"]) if found else None

    def month(self, at: datetime, provider: str = "openai") -> Row | None:
        found = self.rows("SELECT * FROM v_month_projection(%s) WHERE provider = %s", at, provider)
        return found[0] if found else None

    def dark(self, from_at: datetime, until_at: datetime, provider: str = "openai") -> Row | None:
        found = self.rows(
            "SELECT * FROM v_dark_spend(%s, %s) WHERE provider = %s", from_at, until_at, provider
        )
        return found[0] if found else None


@pytest.fixture
def ours(one_database_url: str) -> Iterator[Ours]:
    with connect(one_database_url) as connection, writer(one_database_url, NOW) as into:
        connection.execute("SET timezone = 'UTC'")
        yield Ours(connection, into)


def read_openai(
    ours: Ours,
    openai: Reports,
    *,
    from_at: datetime = FIRST,
    until_at: datetime = NOW,
    kinds: tuple[Amounts, ...] = (USAGE, COST),
) -> None:
    """Usage has settled until the full hour, costs until the day before yesterday has ended."""
    settled = {
        USAGE: until_at.replace(minute=0),
        COST: until_at.replace(hour=0, minute=0) - DAY,
    }
    ours.write(
        openai.source,
        [openai.read(kind, from_at, until_at, complete_until=settled[kind]) for kind in kinds],
    )


def days_ago(days: int, hour: int = 0) -> datetime:
    return TODAY - days * DAY + timedelta(hours=hour)


# The ledger of a day.


def test_the_costs_of_a_day_stand_side_by_side(ours: Ours) -> None:
    openai, day = Reports("openai", "openai"), days_ago(5)
    openai.billed(day, "9.50")
    openai.billed(day, "0.50", model=None)
    openai.billed(day + DAY, "100")
    openai.used(day, "5", model="gpt-5")
    openai.used(day + timedelta(hours=23), "3", model="gpt-5-mini")
    openai.used(day + DAY, "100")
    openai.used(day - timedelta(hours=1), "100")
    read_openai(ours, openai)
    ours.write("n8n", [call("n8n", day, "2"), call("n8n", days_ago(5, 23), "3.25")], "workflows")
    ours.write("litellm", [call("litellm", day, "5.5", reported=True)], "gateway")

    assert {
        "bucket_start": day,
        "provider": "openai",
        "is_billed_complete": True,
        "is_usage_complete": True,
        "is_complete": True,
        "billed_usd": Decimal(10),
        "usage_estimated_usd": Decimal(8),
        "calls_estimated_usd": Decimal("5.25"),
        "gateway_usd": Decimal("5.5"),
        "unpriced_tokens": 0,
        "unpriced_calls": 0,
        "gap_usd": Decimal(2),
        "gap_ratio": pytest.approx(0.2),
    } == ours.ledger(day)


def test_what_is_read_and_says_nothing_is_zero(ours: Ours) -> None:
    read_openai(ours, Reports("openai", "openai"))

    found = ours.ledger(days_ago(5))

    assert found is not None
    assert (0, 0) == (found["billed_usd"], found["usage_estimated_usd"])
    assert (0, None) == (found["gap_usd"], found["gap_ratio"])


def test_what_is_not_read_is_unknown(ours: Ours) -> None:
    openai = Reports("openai", "openai")
    openai.used(days_ago(5), "8")
    read_openai(ours, openai, kinds=(USAGE,))

    found = ours.ledger(days_ago(5))

    assert found is not None
    assert (None, 8, None, None) == (
        found["billed_usd"],
        found["usage_estimated_usd"],
        found["calls_estimated_usd"],
        found["gateway_usd"],
    )
    assert (None, None) == (found["gap_usd"], found["gap_ratio"])
    assert ours.ledger(FIRST - DAY) is None
    assert ours.ledger(TODAY + DAY) is None
    assert ours.ledger(days_ago(5), "anthropic") is None


def test_what_has_no_price_is_unknown_and_its_tokens_are_counted(ours: Ours) -> None:
    openai = Reports("openai", "openai")
    openai.used(days_ago(5), None, input_tokens=700, output_tokens=70)
    openai.used(days_ago(4), None, input_tokens=700, output_tokens=70)
    openai.used(days_ago(4), "2", model="gpt-5-mini")
    openai.used(days_ago(3), "0", model="a-free-model")
    read_openai(ours, openai)

    nothing, partly, free = (ours.ledger(days_ago(days)) for days in (5, 4, 3))

    assert nothing is not None
    assert partly is not None
    assert free is not None
    assert (None, 770) == (nothing["usage_estimated_usd"], nothing["unpriced_tokens"])
    assert (2, 770) == (partly["usage_estimated_usd"], partly["unpriced_tokens"])
    assert (0, 0) == (free["usage_estimated_usd"], free["unpriced_tokens"])


def test_a_bill_in_a_currency_without_a_rate_is_no_whole_bill(ours: Ours) -> None:
    openai = Reports("openai", "openai")
    for days in (5, 4):
        openai.billed(days_ago(days), "30", currency="EUR")
        openai.used(days_ago(days), "35")
    openai.billed(days_ago(4), "3", model="gpt-5-mini")
    read_openai(ours, openai)

    unknown, partly = ours.ledger(days_ago(5)), ours.ledger(days_ago(4))

    assert unknown is not None
    assert partly is not None
    assert (None, None, False) == (
        unknown["billed_usd"],
        unknown["gap_usd"],
        unknown["is_billed_complete"],
    )
    assert (3, None, False) == (
        partly["billed_usd"],
        partly["gap_usd"],
        partly["is_billed_complete"],
    )
    assert ("estimated from usage", 35) == ours.spent(days_ago(5)) == ours.spent(days_ago(4))


def test_calls_without_a_price_are_unknown(ours: Ours) -> None:
    ours.write(
        "n8n",
        [
            run("n8n", days_ago(9)),
            call("n8n", days_ago(5), None),
            call("n8n", days_ago(4), None, workflow="Other"),
            call("n8n", days_ago(4), "2"),
        ],
        "workflows",
    )
    read_openai(ours, Reports("openai", "openai"))

    unknown, partly, none = (ours.ledger(days_ago(days)) for days in (5, 4, 3))

    assert unknown is not None
    assert partly is not None
    assert none is not None
    assert (None, 1) == (unknown["calls_estimated_usd"], unknown["unpriced_calls"])
    assert (2, 1) == (partly["calls_estimated_usd"], partly["unpriced_calls"])
    assert (0, 0) == (none["calls_estimated_usd"], none["unpriced_calls"])


def test_a_workflow_that_costs_nothing_does_not_make_another_ones_cost_zero(ours: Ours) -> None:
    free = call("n8n", days_ago(5), "0", workflow="Free", model="free")
    ours.write("n8n", [free, call("n8n", days_ago(5), None)], "workflows")
    read_openai(ours, Reports("openai", "openai"))

    found = ours.ledger(days_ago(5))

    assert found is not None
    assert found["calls_estimated_usd"] is None


def test_a_gateway_that_names_no_cost_does_not_report_zero(ours: Ours) -> None:
    ours.write(
        "litellm",
        [
            call("litellm", days_ago(5), "3"),  # its cost is ours
            call("litellm", days_ago(4), None),
            call("litellm", days_ago(3), "0", reported=True),
            call("litellm", days_ago(2), "7", reported=True),
            call("litellm", days_ago(2), "1", model="gpt-5-mini"),
        ],
        "gateway",
    )
    read_openai(ours, Reports("openai", "openai"))

    found = [ours.ledger(days_ago(days)) for days in (5, 4, 3, 2)]

    assert [None, None, 0, 7] == [row and row["gateway_usd"] for row in found]
    assert all(row and row["calls_estimated_usd"] is None for row in found)


def test_reports_that_repeat_what_others_count_are_not_summed(ours: Ours) -> None:
    openai = Reports("openai", "openai")
    openai.used(days_ago(5), "8")
    openai.used(days_ago(5), "7", report="by_user")
    openai.buckets[-1] = replace(openai.buckets[-1], is_breakdown=True)
    read_openai(ours, openai)
    ours.write("openai", [openai.read(USAGE, FIRST, NOW, report="by_user")])

    found = ours.ledger(days_ago(5))

    assert found is not None
    assert found["usage_estimated_usd"] == 8


# Days.


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata"])
def test_days_are_utc_days_in_every_session(ours: Ours, zone: str) -> None:
    # Over the ends of summer time in Europe and in America.
    begun, until = datetime(2026, 10, 20, tzinfo=UTC), datetime(2026, 11, 6, 12, tzinfo=UTC)
    openai = Reports("openai", "openai")
    for day in range(17):
        openai.used(begun + day * DAY, str(day + 1))
        openai.used(begun + day * DAY + timedelta(hours=23), "0.5")
        openai.billed(begun + day * DAY, str(day + 2))
    read_openai(ours, openai, from_at=begun)
    calls = [call("n8n", begun + day * DAY + timedelta(hours=22), "0.25") for day in range(17)]
    ours.write("n8n", calls, "workflows")
    ours.in_zone(zone)

    found = ours.rows("SELECT * FROM v_reconciliation(%s, %s) ORDER BY 1", begun, until)

    days = [
        row["bucket_start"].astimezone(UTC) for row in found
    ]  # 2:00 may be an hour that repeats
    assert [begun + day * DAY for day in range(18)] == days
    for day, row in enumerate(found[:-1]):
        assert day + 2 == row["billed_usd"]
        assert Decimal(day) + Decimal("1.5") == row["usage_estimated_usd"]
        assert Decimal("0.25") == row["calls_estimated_usd"]
    projected = ours.month(datetime(2026, 11, 2, 12, tzinfo=UTC))
    assert projected is not None
    assert (14 + 15, 0) == (projected["month_to_date_usd"], projected["unknown_days"])


def test_a_range_is_read_as_whole_days(ours: Ours) -> None:
    openai = Reports("openai", "openai")
    calls = []
    for days in (6, 5, 4, 3):
        openai.billed(days_ago(days), "24")
        calls += [call("n8n", days_ago(days, hour), "1") for hour in range(24)]
    read_openai(ours, openai)
    ours.write("n8n", calls, "workflows")

    found = ours.rows(
        "SELECT bucket_start, billed_usd, calls_estimated_usd FROM v_reconciliation(%s, %s) "
        "ORDER BY 1",
        days_ago(5, 9),
        days_ago(4, 1),
    )

    assert [
        {"bucket_start": day, "billed_usd": 24, "calls_estimated_usd": 24}
        for day in (days_ago(5), days_ago(4))
    ] == found
    assert 1 == len(ours.spend(days_ago(5), days_ago(4)))
    assert [] == ours.spend(days_ago(4), days_ago(5))


# Two sources, and what is late.


def test_a_second_source_that_lags_makes_the_day_incomplete(ours: Ours) -> None:
    one, other = Reports("one", "openai"), Reports("other", "openai")
    one.billed(days_ago(3), "10")
    other.billed(days_ago(4), "5")
    read_openai(ours, one)
    read_openai(ours, other, until_at=days_ago(3, 16))  # for three days it is waited for

    lagging, whole = ours.ledger(days_ago(3) + DAY), ours.ledger(days_ago(5))

    assert lagging is not None
    assert whole is not None
    assert (False, False) == (lagging["is_billed_complete"], lagging["is_complete"])
    assert (True, True) == (whole["is_billed_complete"], whole["is_complete"])


def test_a_source_that_went_away_is_not_waited_for_and_keeps_its_past(ours: Ours) -> None:
    former, present = Reports("former", "openai"), Reports("present", "openai")
    former.billed(days_ago(20), "5")
    present.billed(days_ago(5), "10")
    read_openai(ours, former, until_at=days_ago(15))
    read_openai(ours, present, from_at=days_ago(10))

    past, between, now = (ours.ledger(days_ago(days)) for days in (20, 12, 5))

    assert past is not None
    assert now is not None
    assert (5, True) == (past["billed_usd"], past["is_billed_complete"])
    assert between is None
    assert (10, True) == (now["billed_usd"], now["is_billed_complete"])


def test_a_report_that_is_no_longer_told_does_not_hold_up_the_others(ours: Ours) -> None:
    openai = Reports("openai", "openai")
    openai.used(days_ago(5), "8")
    read_openai(ours, openai)
    ours.write("openai", [openai.read(USAGE, FIRST, days_ago(12), report="images")])

    found = ours.ledger(days_ago(5))

    assert found is not None
    assert (8, True) == (found["usage_estimated_usd"], found["is_usage_complete"])


def test_a_gap_is_told_when_both_have_settled(ours: Ours) -> None:
    openai = Reports("openai", "openai")
    for days in (2, 1, 0):
        openai.used(days_ago(days), "8")
    openai.billed(days_ago(2), "10")
    openai.billed(days_ago(1), "1")
    read_openai(ours, openai)

    found = [ours.ledger(days_ago(days)) for days in (2, 1, 0)]

    assert [2, None, None] == [row and row["gap_usd"] for row in found]
    assert [10, 1, 0] == [row and row["billed_usd"] for row in found]


def test_without_usage_the_gap_is_to_our_calls(ours: Ours) -> None:
    openai = Reports("openai", "openai")
    openai.billed(days_ago(5), "10")
    read_openai(ours, openai, kinds=(COST,))
    ours.write("n8n", [call("n8n", days_ago(5), "6")], "workflows")

    found = ours.ledger(days_ago(5))

    assert found is not None
    assert (4, True) == (found["gap_usd"], found["is_complete"])


# What is spent, once.


def test_a_settled_bill_counts_and_then_usage_and_then_calls(ours: Ours) -> None:
    openai = Reports("openai", "openai")
    openai.billed(days_ago(5), "10")
    openai.billed(days_ago(1), "1")
    for days in (5, 1, 0):
        openai.used(days_ago(days), "8")
    read_openai(ours, openai)
    ours.write("n8n", [call("n8n", days_ago(days), "9") for days in (5, 1, 40)], "workflows")
    ours.write("litellm", [call("litellm", days_ago(50), "4", reported=True)], "gateway")

    assert ("billed", 10) == ours.spent(days_ago(5))
    assert ("estimated from usage", 8) == ours.spent(days_ago(1))  # settled, its bill has not
    assert ("estimated from usage", 8) == ours.spent(TODAY)
    assert ("billed", 0) == ours.spent(days_ago(6))
    assert ("estimated from calls", 9) == ours.spent(days_ago(40))
    assert ours.spent(days_ago(50)) is None  # whom it pays, a tracing tool may guess


def test_a_gateway_counts_where_nobody_else_tells_anything(ours: Ours) -> None:
    ours.write("litellm", [call("litellm", days_ago(5), "4", reported=True)], "gateway")

    assert ("gateway", 4) == ours.spent(days_ago(5))
    assert ours.spent(days_ago(60)) is None


def test_a_day_that_has_not_settled_costs_at_least_what_anybody_knows(ours: Ours) -> None:
    openai = Reports("openai", "openai")
    openai.used(TODAY, "3")
    openai.billed(TODAY, "4")
    read_openai(ours, openai)

    assert ("billed so far", 4) == ours.spent(TODAY)

    ours.write("n8n", [call("n8n", TODAY, "5")], "workflows")

    assert ("estimated from calls", 5) == ours.spent(TODAY)


def test_a_bill_that_is_still_to_come_is_not_zero(ours: Ours) -> None:
    read_openai(ours, Reports("openai", "openai"), kinds=(COST,))
    ours.write("n8n", [run("n8n", days_ago(9))], "workflows")

    assert ("billed", 0) == ours.spent(days_ago(3))
    assert ours.spent(days_ago(1)) is None
    assert ours.spent(TODAY) is None


def test_an_outage_of_reports_is_no_day_without_cost(ours: Ours) -> None:
    openai = Reports("openai", "openai")
    openai.used(days_ago(3), "8")
    read_openai(ours, openai, until_at=days_ago(2, 1))
    ours.write("n8n", [run("n8n", days_ago(9)), call("n8n", TODAY, "2")], "workflows")

    assert ours.spent(days_ago(1)) is None
    assert ("estimated from calls", 2) == ours.spent(TODAY)


def test_each_provider_and_day_counts_once(ours: Ours) -> None:
    openai = Reports("openai", "openai")
    for days in range(20):
        openai.used(days_ago(days), "8")
        openai.billed(days_ago(days), "8")
    read_openai(ours, openai)
    ours.write("n8n", [call("n8n", days_ago(days), "8") for days in range(20)], "workflows")
    litellm = [call("litellm", days_ago(days), "8", reported=True) for days in range(20)]
    ours.write("litellm", litellm, "gateway")

    found = ours.spend(days_ago(19), NOW)

    assert [8] * 20 == [row["cost_usd"] for row in found]


# The month.


def test_a_month_is_what_was_spent_and_the_usual_day_for_the_rest(ours: Ours) -> None:
    openai = Reports("openai", "openai")
    for day in range(1, 20):
        at = datetime(2026, 11, day, 9, tzinfo=UTC)
        openai.used(at, "10" if day < 13 else "20")  # the last seven whole days: 20
    openai.used(TODAY, "4")
    read_openai(ours, openai, kinds=(USAGE,))

    assert {
        "provider": "openai",
        "month_to_date_usd": 12 * 10 + 7 * 20 + 4,
        "projected_usd": 12 * 10 + 7 * 20 + 20 + 10 * 20,
        "unknown_days": 0,
    } == ours.month(NOW)


def test_a_day_that_already_cost_more_than_usual_counts_as_it_is(ours: Ours) -> None:
    openai = Reports("openai", "openai")
    for days in range(1, 20):
        openai.used(days_ago(days), "10")
    openai.used(TODAY, "50")
    read_openai(ours, openai, kinds=(USAGE,))

    found = ours.month(NOW)

    assert found is not None
    assert found["projected_usd"] == 19 * 10 + 50 + 10 * 10


def test_days_without_calls_belong_to_the_mean_of_a_provider_that_reports_nothing(
    ours: Ours,
) -> None:
    # Mondays only: a week's mean is a seventh.
    calls = [call("n8n", days_ago(days), "7", provider="mistral") for days in (4, 11, 18)]
    ours.write("n8n", [run("n8n", FIRST), *calls], "workflows")

    found = ours.month(NOW, "mistral")

    assert found is not None
    assert (21, 0) == (found["month_to_date_usd"], found["unknown_days"])
    assert found["projected_usd"] == 21 + 1 + 10


def test_a_month_that_is_not_known_from_its_start_says_so(ours: Ours) -> None:
    openai = Reports("openai", "openai")
    for days in range(6):
        openai.used(days_ago(days), "10")
    read_openai(ours, openai, from_at=days_ago(5), kinds=(USAGE,))

    found = ours.month(NOW)

    assert found is not None
    assert (60, 14) == (found["month_to_date_usd"], found["unknown_days"])
    assert found["projected_usd"] == 60 + 10 * 10


def test_on_the_first_day_an_unknown_month_is_not_zero(ours: Ours) -> None:
    openai = Reports("openai", "openai")
    first = datetime(2026, 11, 1, tzinfo=UTC)
    for days in range(1, 8):
        openai.billed(first - days * DAY, "10")
    read_openai(ours, openai, until_at=first + DAY, kinds=(COST,))

    found = ours.month(first + timedelta(hours=2))

    assert found is not None
    assert found["month_to_date_usd"] is None
    # Of the days before, the last one's bill has not settled, and is what it is so far.
    assert found["projected_usd"] == 30 * 10


@pytest.mark.parametrize(
    ("at", "days_left"),
    [
        (datetime(2026, 12, 31, 23, 59, tzinfo=UTC), 0),
        (datetime(2027, 1, 31, tzinfo=UTC), 0),
        (datetime(2027, 2, 1, 5, tzinfo=UTC), 27),
        (datetime(2028, 2, 1, 5, tzinfo=UTC), 28),
        (datetime(2027, 3, 31, 12, tzinfo=UTC), 0),
        (datetime(2027, 10, 1, 0, 0, 1, tzinfo=UTC), 30),
    ],
)
def test_a_month_ends_where_it_ends_in_utc(ours: Ours, at: datetime, days_left: int) -> None:
    day = at.replace(hour=0, minute=0, second=0)
    openai = Reports("openai", "openai")
    for days in range(8):
        openai.used(day - days * DAY, "10")
    window = openai.read(USAGE, day - 40 * DAY, day + DAY)
    ours.write("openai", [window])

    for zone in ("UTC", "America/New_York", "Pacific/Auckland"):
        ours.in_zone(zone)
        found = ours.month(at)

        assert found is not None
        in_month = min(at.day, 8) * 10
        assert found["projected_usd"] == in_month + days_left * 10


# What is dark.


def test_dark_is_what_no_workflow_called_over_the_whole_range(ours: Ours) -> None:
    openai = Reports("openai", "openai")
    # What a day's calls cost beyond its bill, the next day's bill holds.
    for days, billed in ((6, "10"), (5, "12")):
        openai.billed(days_ago(days), billed)
    openai.used(TODAY, "8")
    read_openai(ours, openai)
    calls = [call("n8n", days_ago(6), "12"), call("n8n", days_ago(5), "4")]
    ours.write("n8n", [run("n8n", days_ago(8)), *calls], "workflows")

    assert {
        "provider": "openai",
        "days": 7,
        "cost_usd": 30,
        "attributed_usd": 16,
        "dark_usd": 14,
        "dark_ratio": pytest.approx(14 / 30),
        "unpriced_calls": 0,
    } == ours.dark(days_ago(6), NOW)


def test_calls_that_cost_more_than_the_bill_leave_nothing_dark(ours: Ours) -> None:
    openai = Reports("openai", "openai")
    openai.billed(days_ago(5), "10")
    read_openai(ours, openai)
    calls = [call("n8n", days_ago(5), "12"), call("n8n", days_ago(5, 3), None, model="new")]
    ours.write("n8n", [run("n8n", FIRST), *calls], "workflows")

    found = ours.dark(days_ago(5), days_ago(4))

    assert found is not None
    assert (10, 0, 0) == (found["attributed_usd"], found["dark_usd"], found["dark_ratio"])
    assert found["unpriced_calls"] == 1


def test_nothing_is_dark_before_our_own_calls_are_known(ours: Ours) -> None:
    openai = Reports("openai", "openai")
    for days in range(2, 20):
        openai.billed(days_ago(days), "10")
    read_openai(ours, openai)

    assert ours.dark(FIRST, NOW) is None

    ours.write("n8n", [run("n8n", days_ago(5, 9))], "workflows")

    # The day that we know the second half of is left out.
    found = ours.dark(FIRST, days_ago(2))
    assert found is not None
    assert (2, 20, 1) == (found["days"], found["dark_usd"], found["dark_ratio"])


def test_what_a_provider_costs_is_unknown_without_its_reports_and_so_is_the_dark_part(
    ours: Ours,
) -> None:
    ours.write("n8n", [run("n8n", FIRST), call("n8n", days_ago(5), "12")], "workflows")

    assert ours.dark(FIRST, NOW) is None


def test_a_gateways_calls_are_not_our_workflows(ours: Ours) -> None:
    openai = Reports("openai", "openai")
    openai.billed(days_ago(5), "10")
    read_openai(ours, openai)
    ours.write("n8n", [run("n8n", FIRST), call("n8n", days_ago(5), "3")], "workflows")
    ours.write("litellm", [call("litellm", days_ago(5), "10", reported=True)], "gateway")

    found = ours.dark(days_ago(5), days_ago(4))

    assert found is not None
    assert (3, 7) == (found["attributed_usd"], found["dark_usd"])


# Names and single calls.


def test_ids_have_the_names_that_their_own_source_gives_them(ours: Ours) -> None:
    for source, name in (("one", "Marketing"), ("other", "Sales")):
        openai = Reports(source, "openai")
        openai.used(days_ago(5), "2", project_id="p1", api_key_id="k1", user_id="u1")
        openai.used(days_ago(5), "1", project_id="p2")
        openai.used(days_ago(5), None, model="new")
        openai.billed(days_ago(5), "3", project_id="p1")
        read_openai(ours, openai)
        ours.names(source, "project_id", p1=name)
        ours.names(source, "api_key_id", p1="no project's", k1=f"{name}'s key")
        ours.names(source, "user_id", u1="ada@example.org")

    found = ours.rows(
        "SELECT project, api_key, user_name, known_cost(sum(estimated_usd), sum(unpriced_buckets)) "
        "AS estimated_usd, known_cost(sum(billed_usd), sum(unconverted_buckets)) AS billed_usd "
        "FROM v_cost_daily WHERE source = 'one' GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"
    )

    assert [
        ("Marketing", "Marketing's key", "ada@example.org", 2, None),
        ("Marketing", None, None, None, 3),
        ("p2", None, None, 1, None),
        (None, None, None, None, None),
    ] == [tuple(row.values()) for row in found]


def test_a_deleted_ids_name_stays_and_a_new_one_replaces_it(ours: Ours) -> None:
    openai = Reports("openai", "openai")
    openai.used(days_ago(5), "2", project_id="p1")
    read_openai(ours, openai)
    ours.names("openai", "project_id", p1="Marketing")
    ours.names("openai", "project_id", p2="Other")
    ours.names("openai", "project_id", p1="Growth")

    assert [{"project": "Growth"}] == ours.rows("SELECT project FROM v_cost_daily")


def test_caching_saves_the_difference_to_the_same_tokens_without_it(ours: Ours) -> None:
    openai = Reports("openai", "openai")
    openai.used(
        days_ago(5), "2", input_tokens=900, cached_input_tokens=600, without_cache_usd="3.5"
    )
    openai.used(days_ago(5), None, model="new", input_tokens=100)
    read_openai(ours, openai)

    assert [{"saved_usd": Decimal("1.5"), "cached_ratio": pytest.approx(0.6)}] == ours.rows(
        "SELECT sum(without_cache_usd - estimated_usd) AS saved_usd, "
        "(sum(cached_input_tokens) / sum(input_tokens))::float8 AS cached_ratio FROM v_cost_daily"
    )


def test_calls_are_told_by_day_and_by_whom_they_are_for(ours: Ours) -> None:
    calls = [
        call("n8n", days_ago(5), "2", customer="acme", team="growth"),
        call("n8n", days_ago(5, 23), "1", customer="acme", team="growth"),
        call("n8n", days_ago(5), "4", customer="globex"),
    ]
    ours.write("n8n", calls, "workflows")
    ours.write(
        "litellm", [call("litellm", days_ago(5), "3", workflow="", reported=True)], "gateway"
    )

    found = ours.rows(
        "SELECT bucket_start, workflow, customer, team, cost_kind, calls, cost_usd "
        "FROM v_call_cost_daily(%s, %s) ORDER BY cost_kind, customer",
        days_ago(5, 22),
        days_ago(5, 23),
    )

    day = days_ago(5)
    assert [
        (day, "Lead Sync", "acme", "growth", "estimated", 2, 3),
        (day, "Lead Sync", "globex", None, "estimated", 1, 4),
        (day, None, None, None, "gateway", 1, 3),
    ] == [tuple(row.values()) for row in found]


def test_the_dearest_calls_are_those_whose_cost_is_known(ours: Ours) -> None:
    execution = run("n8n", days_ago(5))
    dear = replace(
        call("n8n", days_ago(5), "2"),
        execution_id=execution.execution_id,
        created_at=execution.created_at,
    )
    ours.write(
        "n8n",
        [replace(execution, engine_url="https://n8n/1"), dear, call("n8n", days_ago(5), None)],
        "workflows",
    )
    ours.write(
        "litellm", [call("litellm", days_ago(5), "1", workflow="", reported=True)], "gateway"
    )

    found = ours.rows(
        "SELECT source, workflow, cost_usd, cost_source, url FROM v_costly_calls "
        "ORDER BY cost_usd DESC"
    )

    assert [
        ("n8n", "Lead Sync", 2, "priced", "https://n8n/1"),
        ("litellm", None, 1, "reported", None),
    ] == [tuple(row.values()) for row in found]
