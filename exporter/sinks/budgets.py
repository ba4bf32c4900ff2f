"""Budgets in our database: sums of spend, what was crossed, actions that one exporter claims."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from psycopg.types.json import Jsonb

from exporter.judges.budgets import BudgetState, Key
from exporter.records import (
    ActionDue,
    ActionKind,
    ActionState,
    ActionWanted,
    BudgetEvent,
    BudgetPeriod,
    BudgetScope,
    Crossing,
    RunSpend,
    Spend,
    SpendOf,
)
from exporter.sinks.timescale import TimescaleSink
from exporter.sql_files import named_statements

_BUDGETS = named_statements("exporter.sinks.sql", "budgets.sql")
_HOUR = timedelta(hours=1)
_CROSSING = tuple(Crossing.__dataclass_fields__)
Row = dict[str, Any]


def _statement(name: str) -> bytes:
    text = _BUDGETS[name]
    for part in ("calls_by_hour", "calls"):
        text = text.replace(f"{{{part}}}", _BUDGETS[part])
    return text.encode()


class BudgetTables:
    """What budgets read and write."""

    def __init__(self, sink: TimescaleSink) -> None:
        self._sink = sink

    def _rows(self, name: str, parameters: Mapping[str, object]) -> list[Row]:
        with self._sink.connection() as connection:
            return connection.execute(_statement(name), parameters).fetchall()

    def _do(self, name: str, parameters: Mapping[str, object]) -> int:
        with self._sink.connection() as connection:
            return connection.execute(_statement(name), parameters).rowcount

    def spend(self, of: SpendOf, start: datetime, until: datetime) -> Mapping[str, Spend]:
        """Sum calls that began in a range, by the value of the scope."""
        rows = self._rows("spend", {**_whose(of), **_range(start, until)})
        return {row.pop("scope_value"): Spend(**row) for row in rows}

    def crossing(
        self, of: SpendOf, value: str, start: datetime, until: datetime, amount_usd: Decimal
    ) -> Crossing | None:
        """Find the call with which the amount was reached, counted from the start."""
        whose = {**_whose(of), "value": value, "amount_usd": amount_usd}
        hours = self._rows("crossing_hour", {**whose, **_range(start, until)})
        if not hours:
            return None
        hour, spent_usd = hours[0]["hour"], hours[0]["spent_usd"]
        end = min(hour.replace(minute=0, second=0, microsecond=0) + _HOUR, until)
        within = {"start": hour, "end": end, "before_usd": spent_usd - hours[0]["cost_usd"]}
        calls = self._rows("crossing_call", {**whose, **within})
        return _crossing(calls[0]) if calls else Crossing(crossed_at=hour, spent_usd=spent_usd)

    def runs(self, of: SpendOf, since: datetime, least_usd: Decimal) -> Sequence[RunSpend]:
        """Return the runs with calls since then that cost at least so much."""
        within = {"start": since, "end": "infinity", "least_usd": least_usd}
        return [RunSpend(**row) for row in self._rows("runs", {**_whose(of), **within})]

    def run_crossing(self, run: RunSpend, amount_usd: Decimal) -> Crossing | None:
        """Find the call of a run with which the amount was reached."""
        parameters = {
            "source": run.source,
            "execution_id": run.execution_id,
            "created_at": run.created_at,
            "amount_usd": amount_usd,
        }
        return next(map(_crossing, self._rows("run_crossing", parameters)), None)

    def recorded(self, budget: str, since: datetime) -> set[Key]:
        """Return the keys of the events of periods that began since then."""
        rows = self._rows("recorded", {"budget": budget, "since": since})
        return {
            (
                row["budget"],
                row["scope_value"],
                row["period_start"],
                row["threshold_percent"],
                row["limit_usd"],
            )
            for row in rows
        }

    def record(self, event: BudgetEvent, actions: Sequence[ActionWanted], now: datetime) -> bool:
        """Write an event and what is to be done in one transaction; False: it is there already."""
        crossing = {name: getattr(event.crossing, name) for name in _CROSSING}
        told = {
            "budget": event.budget,
            "scope": event.scope,
            "scope_value": event.scope_value,
            "period": event.period,
            "period_start": event.period_start,
            "period_end": event.period_end,
            "threshold_percent": event.threshold_percent,
            "limit_usd": event.limit_usd,
            "now": now,
        }
        with self._sink.connection() as connection:
            row = connection.execute(_statement("record_event"), {**crossing, **told}).fetchone()
            if row is None:
                return False
            for wanted in actions:
                connection.execute(
                    _statement("record_action"),
                    {
                        "event_id": row["event_id"],
                        "action": wanted.action,
                        "target": wanted.target,
                        "state": wanted.state,
                        "reason": wanted.reason,
                        "detail": wanted.detail,
                        "now": now,
                    },
                )
        return True

    def workflows_named(self, names: Sequence[str], source: str | None) -> Sequence[str]:
        """Return source/workflow_id of the workflows of these names."""
        rows = self._rows("workflows_named", {"names": list(names), "source": source})
        return [f"{row['source']}/{row['workflow_id']}" for row in rows]

    def show(self, states: Sequence[BudgetState], now: datetime) -> None:
        """Replace what dashboards see of the budgets."""
        with self._sink.connection() as connection:
            with connection.cursor() as cursor:
                cursor.executemany(
                    _statement("show_states"), [_shown(state, now) for state in states]
                )
            connection.execute(_statement("retire_states"), {"now": now})

    def runs_over(self, since: datetime) -> dict[str, int]:
        """Return by budget how many runs were noticed to have reached its limit."""
        return {row["budget"]: row["runs"] for row in self._rows("runs_over", {"since": since})}

    def models(self, since: datetime) -> list[tuple[str, str]]:
        """Return provider and model of what was called since then and answered in words."""
        return [(row["provider"], row["model"]) for row in self._rows("models", {"since": since})]

    # --- actions ---------------------------------------------------------------------------

    def claim(self, now: datetime, abandoned_after: timedelta) -> ActionDue | None:
        """Take the oldest action that is due; no other exporter then does."""
        rows = self._rows("claim_action", {"now": now, "abandoned_before": now - abandoned_after})
        return _due(rows[0]) if rows else None

    def remember(self, due: ActionDue, remembered: Mapping[str, str]) -> None:
        """Write what whoever takes the action up again must know, before it is done."""
        self._do(
            "remember",
            {
                "action_id": due.action_id,
                "attempts": due.attempts,
                "remembered": Jsonb(dict(remembered)),
            },
        )

    def end(self, due: ActionDue, state: ActionState, detail: str, now: datetime) -> None:
        """Write what came of an action."""
        self._do(
            "end_action",
            {
                "action_id": due.action_id,
                "attempts": due.attempts,
                "state": state,
                "detail": detail,
                "now": now,
            },
        )

    def defer(self, due: ActionDue, detail: str, due_at: datetime) -> None:
        """Give an action back until later."""
        self._do(
            "defer_action",
            {
                "action_id": due.action_id,
                "attempts": due.attempts,
                "detail": detail,
                "due_at": due_at,
            },
        )

    def want_resume(
        self, pause: ActionDue, reason: str, due_at: datetime, remembered: Mapping[str, str]
    ) -> None:
        """Write that what is paused is to be resumed then."""
        self._do(
            "want_resume",
            {
                "event_id": pause.event_id,
                "target": pause.target,
                "reason": reason,
                "due_at": due_at,
                "remembered": Jsonb(dict(remembered)),
            },
        )

    def paused_by_another(self, due: ActionDue, now: datetime) -> tuple[str, datetime] | None:
        """Return the budget that also holds the workflow, and until when."""
        rows = self._rows(
            "paused_by_another",
            {"target": due.target, "budget": due.event.budget, "now": now},
        )
        return (rows[0]["budget"], rows[0]["period_end"]) if rows else None


def _whose(of: SpendOf) -> dict[str, object]:
    return {"scope": of.scope, "value": of.value, "source": of.source}


def _range(start: datetime, until: datetime) -> dict[str, object]:
    """Return the range as whole hours, and the part of an hour before them."""
    hour = start.replace(minute=0, second=0, microsecond=0)
    first_hour = hour if hour == start else hour + _HOUR
    return {
        "start": start,
        "first_hour": first_hour,
        "until": until,
        "end": min(first_hour, until),
    }


def _crossing(row: Row) -> Crossing:
    return Crossing(**row)


def _shown(state: BudgetState, now: datetime) -> Row:
    budget = state.settings
    return {
        "budget": budget.name,
        "scope": budget.scope,
        "scope_value": state.scope_value,
        "period": budget.period,
        "period_start": state.period_start,
        "period_end": state.period_end,
        "zone": budget.zone,
        "limit_usd": budget.limit_usd,
        "spent_usd": state.spent_usd,
        "unpriced_calls": state.unpriced_calls,
        "pace_usd_per_hour": state.pace_usd_per_hour,
        "projected_usd": state.projected_usd,
        "exhausted_at": state.exhausted_at,
        "is_dry_run": budget.dry_run,
        "now": now,
    }


def _due(row: Row) -> ActionDue:
    event = BudgetEvent(
        budget=row["budget"],
        scope=BudgetScope(row["scope"]),
        scope_value=row["scope_value"],
        period=BudgetPeriod(row["period"]),
        period_start=row["period_start"],
        period_end=row["period_end"],
        threshold_percent=row["threshold_percent"],
        limit_usd=row["limit_usd"],
        crossing=Crossing(
            **{name: row[name] for name in _CROSSING if name != "is_open"}, is_open=row["was_open"]
        ),
    )
    return ActionDue(
        action_id=row["action_id"],
        action=ActionKind(row["action"]),
        target=row["target"],
        reason=row["reason"],
        attempts=row["attempts"],
        due_at=row["due_at"],
        remembered=row["remembered"],
        event_id=row["event_id"],
        event=event,
    )
