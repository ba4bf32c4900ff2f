"""Budgets on a real database: whose calls they count, and actions that survive what goes wrong."""

import hmac
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from exporter.budget_settings import BudgetSettings, N8nApi
from exporter.judges.budget_actions import ABANDONED_AFTER, Actions
from exporter.judges.budgets import Budgets, BudgetState
from exporter.judges.n8n_workflows import N8nWorkflows
from exporter.records import ExecutionStatus, LlmCall, Workflow
from exporter.sinks.budgets import BudgetTables
from exporter.sinks.timescale import TimescaleSink
from tests.conftest import connect
from tests.n8n_api import KEY, N8nApiServer
from tests.sources.made_up import call, execution, sink, write

NOON = datetime(2026, 10, 15, 12, tzinfo=UTC)
INVOICES = Workflow(source="n8n", workflow_id="w1", workflow="Invoices", active=True)


def budget(**fields: Any) -> BudgetSettings:
    """A budget of ten US dollars a day."""
    told = {"name": "b", "period": "day", "limit_usd": 10, **fields}
    return BudgetSettings.model_validate(told, context={"environ": {"SECRET": "s3cret"}})


def paid(number: int, usd: str, at: datetime = NOON, **fields: Any) -> LlmCall:
    """A call of a run of its own."""
    of_run = {"workflow_id", "workflow", "source"} & fields.keys()
    run = execution(number, created_at=at, **{name: fields.pop(name) for name in of_run})
    return call(run, cost_usd=Decimal(usd), **{"started_at": at, **fields})


class Ours:
    """An exporter's budgets on a database, and an n8n that they may switch."""

    def __init__(self, url: str, opened: TimescaleSink, api: N8nApiServer) -> None:
        self.url, self.api = url, api
        self.tables = BudgetTables(opened)

    def tells(self, *records: Any, source: str = "n8n", role: str = "workflows") -> None:
        """Store what a source tells."""
        with connect(self.url) as connection:
            connection.execute(
                "INSERT INTO sources (source, kind, role) VALUES (%s, 'n8n', %s) "
                "ON CONFLICT DO NOTHING",
                (source, role),
            )
        write(self.url, records, source=source)

    def look(self, now: datetime, *budgets: BudgetSettings) -> list[BudgetState]:
        """Look once, as an exporter that has just begun."""
        return Budgets(budgets, self.tables).look(now)

    def act(self, now: datetime, *budgets: BudgetSettings, key: str = KEY) -> int:
        """Do what is due."""
        api = N8nApi.model_validate(
            {"url": self.api.url, "key": {"env": "KEY"}}, context={"environ": {"KEY": key}}
        )
        return Actions(budgets, {"n8n": N8nWorkflows(api)}, self.tables).take(now)

    def rows(self, statement: str) -> list[dict[str, Any]]:
        """Ask the database."""
        with connect(self.url) as connection:
            return connection.execute(statement.encode()).fetchall()

    def actions(self, *columns: str) -> list[tuple[Any, ...]]:
        """Return columns of the actions in the order they were wanted."""
        rows = self.rows("SELECT * FROM budget_actions ORDER BY action_id")
        return [tuple(row[column] for column in columns) for row in rows]


@pytest.fixture
def ours(one_database_url: str) -> Iterator[Ours]:
    """Budgets of an empty database."""
    api = N8nApiServer(active={"w1": True})
    try:
        with sink(one_database_url) as opened:
            yield Ours(one_database_url, opened, api)
    finally:
        api.stop()


# --- what is counted ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scope", "value", "usd"),
    [
        ("total", None, 7),
        ("provider", "openai", 4),
        ("source", "n8n", 7),
        ("workflow", "Invoices", 6),
        ("customer", "acme", 5),
        ("project", "p", 2),
        ("team", "t", 1),
        ("model", "gpt-4o", 4),
    ],
)
def test_a_scope_counts_its_calls_and_no_others(
    ours: Ours, scope: str, value: str | None, usd: int
) -> None:
    ours.tells(
        INVOICES,
        paid(1, "4", customer="acme"),
        paid(2, "2", provider="anthropic", model="opus", project="p"),
        paid(
            3, "1", provider="xai", model="grok", customer="acme", team="t",
            workflow_id="w2", workflow="Leads",
        ),
    )  # fmt: skip
    (state,) = ours.look(NOON + timedelta(hours=1), budget(scope=scope, value=value))
    assert state.spent_usd == usd


def test_a_scope_without_a_value_is_a_budget_of_each(ours: Ours) -> None:
    ours.tells(paid(1, "4", customer="acme"), paid(2, "2", customer="globex"), paid(3, "1"))
    states = ours.look(NOON + timedelta(hours=1), budget(scope="customer"))
    assert {state.scope_value: state.spent_usd for state in states} == {"acme": 4, "globex": 2}


def test_calls_that_a_gateway_tells_again_are_not_counted_twice(ours: Ours) -> None:
    ours.tells(paid(1, "4"))
    ours.tells(paid(2, "4", source="litellm"), source="litellm", role="gateway")
    (state,) = ours.look(NOON + timedelta(hours=1), budget())
    assert state.spent_usd == 4


def test_a_gateway_is_counted_where_its_source_is_named(ours: Ours) -> None:
    ours.tells(paid(2, "3", source="litellm"), source="litellm", role="gateway")
    (state,) = ours.look(NOON + timedelta(hours=1), budget(source="litellm"))
    assert state.spent_usd == 3


def test_a_day_begins_at_midnight_of_its_zone_also_within_an_hour_of_utc(ours: Ours) -> None:
    """In Kolkata October 15 begins at 18:30 UTC of the 14th."""
    midnight = datetime(2026, 10, 14, 18, 30, tzinfo=UTC)
    ours.tells(
        paid(1, "1", midnight - timedelta(seconds=1)),
        paid(2, "2", midnight),
        paid(3, "4", midnight + timedelta(hours=5)),
    )
    (state,) = ours.look(NOON, budget(zone="Asia/Kolkata"))
    assert (state.period_start, state.spent_usd) == (midnight, 6)


def test_calls_without_a_price_are_told_beside_what_was_spent(ours: Ours) -> None:
    ours.tells(paid(1, "4"), call(execution(2, created_at=NOON), started_at=NOON, cost_usd=None))
    (state,) = ours.look(NOON + timedelta(hours=1), budget())
    assert (state.spent_usd, state.unpriced_calls) == (4, 1)


def test_what_comes_late_is_counted_in_the_period_it_was_spent_in(ours: Ours) -> None:
    budgets = Budgets([budget(period="month")], ours.tables)
    ours.tells(paid(1, "1", NOON - timedelta(days=10)))
    budgets.look(NOON)
    ours.tells(paid(2, "2", NOON - timedelta(days=5)))
    (state,) = budgets.look(NOON + timedelta(minutes=11))
    assert state.spent_usd == 3


def test_the_day_of_more_hours_ends_after_25(ours: Ours) -> None:
    noon = datetime(2026, 10, 25, 12, tzinfo=UTC)
    (state,) = ours.look(noon, budget(zone="Europe/Berlin"))
    assert state.period_end - state.period_start == timedelta(hours=25)


def test_the_time_of_exhaustion_follows_from_the_pace(ours: Ours) -> None:
    """Half a dollar an hour since midnight, 24 hours over which the pace of a day is taken."""
    midnight = NOON.replace(hour=0)
    ours.tells(*(paid(n, "0.5", midnight + timedelta(hours=n - 12)) for n in range(24)))
    (state,) = ours.look(NOON, budget(limit_usd=8))
    assert state.pace_usd_per_hour == Decimal("0.5")
    assert state.projected_usd == 12
    assert state.exhausted_at == NOON + timedelta(hours=4)


def test_one_call_is_no_pace(ours: Ours) -> None:
    ours.tells(paid(1, "2.4", NOON - timedelta(minutes=5)))
    (state,) = ours.look(NOON, budget(period="month", limit_usd=1000))
    assert state.pace_usd_per_hour == Decimal("0.1"), "2.4 USD over 24 hours at least"


# --- what is recorded --------------------------------------------------------------------------


def test_one_call_that_crosses_all_thresholds_is_told_for_each(ours: Ours) -> None:
    ours.tells(paid(1, "1"), paid(2, "20", NOON + timedelta(minutes=1)))
    ours.look(NOON + timedelta(hours=1), budget())
    rows = ours.rows("SELECT * FROM budget_events ORDER BY threshold_percent")
    assert [(row["threshold_percent"], row["execution_id"]) for row in rows] == [
        (50, "2"),
        (80, "2"),
        (100, "2"),
    ]


def test_a_raised_limit_is_told_anew(ours: Ours) -> None:
    ours.tells(paid(1, "9"))
    ours.look(NOON + timedelta(hours=1), budget())
    ours.look(NOON + timedelta(hours=1), budget(limit_usd=16))
    rows = ours.rows("SELECT threshold_percent, limit_usd FROM budget_events ORDER BY event_id")
    assert [tuple(row.values()) for row in rows] == [(50, 10), (80, 10), (50, 16)]


def test_a_run_over_its_ceiling_is_flagged_while_it_runs(ours: Ours) -> None:
    run = execution(7, created_at=NOON, status=ExecutionStatus.RUNNING, finished_at=None)
    calls = [
        call(run, f"Model#{n}", started_at=NOON + timedelta(minutes=n), cost_usd=Decimal("0.2"))
        for n in range(3)
    ]
    ours.tells(run, *calls)
    ours.look(NOON + timedelta(minutes=5), budget(period="execution", limit_usd="0.5"))
    (row,) = ours.rows("SELECT * FROM budget_events WHERE threshold_percent = 100")
    assert (row["execution_id"], row["call_id"], row["was_open"]) == ("7", "Model#2", True)
    assert row["spent_usd"] == Decimal("0.6")
    assert ours.tables.runs_over(NOON) == {"b": 1}


def test_half_of_a_ceiling_is_no_news_unless_it_is_asked_for(ours: Ours) -> None:
    ours.tells(paid(1, "0.3"))
    ours.look(NOON + timedelta(minutes=5), budget(period="execution", limit_usd="0.5"))
    assert ours.rows("SELECT * FROM budget_events") == []
    asked = budget(period="execution", limit_usd="0.5", thresholds=[50, 100])
    ours.look(NOON + timedelta(minutes=5), asked)
    assert len(ours.rows("SELECT * FROM budget_events")) == 1


def test_runs_of_other_customers_have_no_ceiling_of_this_one(ours: Ours) -> None:
    ours.tells(paid(1, "1", customer="acme"), paid(2, "1", customer="globex"))
    ceiling = budget(period="execution", limit_usd="0.5", scope="customer", value="acme")
    ours.look(NOON + timedelta(minutes=5), ceiling)
    rows = ours.rows("SELECT DISTINCT execution_id FROM budget_events")
    assert [row["execution_id"] for row in rows] == ["1"]


def test_what_is_crossed_after_the_period_ended_pauses_nothing(ours: Ours) -> None:
    pausing = budget(pause={"workflows": ["Invoices"]})
    late = NOON.replace(hour=23, minute=59)
    ours.tells(INVOICES, paid(1, "20", late))
    morning = late + timedelta(minutes=2)
    ours.look(morning, pausing)
    ours.act(morning, pausing)
    assert ("pause", "skipped") in ours.actions("action", "state")
    assert ours.api.calls == []


# --- what is done ------------------------------------------------------------------------------


def test_a_dry_run_records_the_pause_and_calls_nobody(ours: Ours) -> None:
    pausing = budget(dry_run=True, pause={"workflows": ["Invoices"]})
    ours.tells(INVOICES, paid(1, "20"))
    ours.look(NOON + timedelta(hours=1), pausing)
    ours.act(NOON + timedelta(hours=1), pausing)
    assert ("pause", "dry_run", "n8n/w1") in ours.actions("action", "state", "target")
    assert ours.api.calls == []


def test_a_workflow_that_is_off_already_is_left_alone_and_not_resumed(ours: Ours) -> None:
    pausing = budget(pause={"workflows": ["Invoices"], "resume": True})
    ours.api.active["w1"] = False
    ours.tells(INVOICES, paid(1, "20"))
    ours.look(NOON + timedelta(hours=1), pausing)
    ours.act(NOON + timedelta(hours=1), pausing)
    ours.act(NOON + timedelta(days=2), pausing)
    assert ("pause", "skipped", "it was off already") in ours.actions("action", "state", "detail")
    assert ours.api.calls == []


def test_a_pause_that_died_after_its_call_is_finished_and_resumed(ours: Ours) -> None:
    pausing = budget(pause={"workflows": ["Invoices"], "resume": True})
    ours.tells(INVOICES, paid(1, "20"))
    noticed = NOON + timedelta(hours=1)
    ours.look(noticed, pausing)
    due = ours.tables.claim(noticed, ABANDONED_AFTER)
    assert due is not None
    ours.tables.remember(due, {"active": "true", "version_id": "v-w1"})
    ours.api.active["w1"] = False  # the call that was made before the exporter died
    assert ours.act(noticed + timedelta(minutes=1), pausing) == 0, "it may still be alive"
    ours.act(noticed + 2 * ABANDONED_AFTER, pausing)
    ours.act(NOON + timedelta(days=1), pausing)
    assert ours.api.calls == [("publish w1", {"versionId": "v-w1"})]


def test_an_n8n_of_before_2_is_switched_by_the_old_names(ours: Ours) -> None:
    pausing = budget(pause={"workflows": ["Invoices"], "resume": True})
    ours.api.version = 1
    ours.tells(INVOICES, paid(1, "20"))
    ours.look(NOON + timedelta(hours=1), pausing)
    ours.act(NOON + timedelta(hours=1), pausing)
    ours.act(NOON + timedelta(days=1), pausing)
    assert ours.api.calls == [("deactivate w1", {}), ("activate w1", {})]


def test_a_key_that_is_refused_is_tried_again_later_and_said(ours: Ours) -> None:
    pausing = budget(pause={"workflows": ["Invoices"]})
    ours.tells(INVOICES, paid(1, "20"))
    noticed = NOON + timedelta(hours=1)
    ours.look(noticed, pausing)
    ours.act(noticed, pausing, key="wrong")
    (said,) = [detail for action, detail in ours.actions("action", "detail") if action == "pause"]
    assert "401" in said
    ours.act(noticed + timedelta(hours=6), pausing)
    assert ours.api.calls == [("unpublish w1", {})]


def test_a_workflow_that_another_budget_holds_is_not_resumed_before_that_ends(
    ours: Ours,
) -> None:
    of_day = budget(name="day", pause={"workflows": ["Invoices"], "resume": True})
    of_month = budget(name="month", period="month", pause={"workflows": ["Invoices"]})
    ours.tells(INVOICES, paid(1, "20"))
    ours.look(NOON + timedelta(hours=1), of_day, of_month)
    ours.act(NOON + timedelta(hours=1), of_day, of_month)
    ours.act(NOON + timedelta(days=1), of_day, of_month)
    assert ours.api.active["w1"] is False
    ours.act(datetime(2026, 11, 1, 0, 1, tzinfo=UTC), of_day, of_month)
    assert ours.api.active["w1"] is True


def test_a_name_that_no_workflow_has_is_said(ours: Ours) -> None:
    ours.tells(INVOICES, paid(1, "20"))
    ours.look(NOON + timedelta(hours=1), budget(pause={"workflows": ["Invoizes"]}))
    assert (
        "pause", "failed", "no workflow is known by this name: Invoizes"
    ) in ours.actions("action", "state", "detail")  # fmt: skip


def test_a_webhook_is_signed_and_tells_the_numbers(ours: Ours) -> None:
    hook = {"url": f"{ours.api.url}/hook", "secret": {"env": "SECRET"}, "at": 100}
    telling = budget(webhook=hook, scope="customer", value="acme")
    ours.tells(paid(1, "20", customer="acme"))
    ours.look(NOON + timedelta(hours=1), telling)
    ours.api.fails = 1
    ours.act(NOON + timedelta(hours=1), telling)
    ((headers, body),) = ours.api.hooks
    signed = f"{headers['X-AIWF-Timestamp']}.".encode() + body
    digest = hmac.new(b"s3cret", signed, "sha256").hexdigest()
    assert headers["X-AIWF-Signature"] == f"sha256={digest}"
    told = json.loads(body)
    assert (told["budget"], told["scope_value"], told["execution_id"]) == ("b", "acme", "1")
    assert (float(told["spent_usd"]), float(told["limit_usd"])) == (20, 10)
    assert told["reason"] == (
        "customer acme has spent 20.00 USD of 10.00 USD per day: 100 % of budget b is reached "
        "with run n8n/1"
    )


def test_what_dashboards_see_is_replaced_and_past_periods_stay(ours: Ours) -> None:
    for day in (0, 1):
        ours.tells(paid(day, "3", NOON + timedelta(days=day)))
        now = NOON + timedelta(days=day, hours=1)
        ours.tables.show(ours.look(now, budget()), now)
    rows = ours.rows("SELECT period_start, spent_usd FROM budget_states ORDER BY 1")
    assert [row["spent_usd"] for row in rows] == [3, 3]
    ours.tables.show([], NOON + timedelta(days=1, hours=2))
    assert len(ours.rows("SELECT * FROM budget_states")) == 1
