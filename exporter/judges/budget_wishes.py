"""What a reached threshold asks for, and why, in words."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal

from exporter.budget_settings import BudgetSettings
from exporter.records import ActionKind, ActionState, ActionWanted, BudgetEvent, BudgetPeriod


def wanted(
    budget: BudgetSettings,
    event: BudgetEvent,
    named: Sequence[str],
    workflows: Sequence[str],
    now: datetime,
) -> Iterator[ActionWanted]:
    """Yield what is to be done; `workflows` are those that a pause means, as source/workflow_id.

    An action that no longer helps, since its period has ended, is recorded as skipped.
    """
    reason = reason_of(event)
    percent = event.threshold_percent
    state = ActionState.DRY_RUN if budget.dry_run else ActionState.PENDING
    at_once = ActionState.DRY_RUN if budget.dry_run else ActionState.DONE
    if budget.alert:
        yield ActionWanted(action=ActionKind.ALERT, state=at_once, reason=reason)
    if budget.webhook is not None and budget.webhook.at in (None, percent):
        yield ActionWanted(
            action=ActionKind.WEBHOOK, state=state, reason=reason, target=budget.webhook.url
        )
    is_over = event.period_end is not None and event.period_end <= now
    if budget.deny and percent == 100:
        yield ActionWanted(
            action=ActionKind.DENY,
            state=ActionState.SKIPPED if is_over else at_once,
            reason=reason,
            detail="the period is over" if is_over else None,
        )
    if budget.pause is None or budget.pause.at != percent:
        return
    if event.period is BudgetPeriod.EXECUTION and not named:
        crossing = event.crossing
        workflows = [f"{crossing.source}/{crossing.workflow_id}"] if crossing.workflow_id else []
    if not workflows:
        missing = ", ".join(named) or "the workflow of the run"
        yield ActionWanted(
            action=ActionKind.PAUSE,
            state=ActionState.FAILED,
            reason=reason,
            detail=f"no workflow is known by this name: {missing}",
        )
    for workflow in workflows:
        yield ActionWanted(
            action=ActionKind.PAUSE,
            state=ActionState.SKIPPED if is_over else state,
            reason=reason,
            target=workflow,
            detail="the period was over when the spend was read" if is_over else None,
        )


def reason_of(event: BudgetEvent) -> str:
    """Say what happened, with the numbers."""
    whose = event.scope if not event.scope_value else f"{event.scope} {event.scope_value}"
    if event.period is BudgetPeriod.EXECUTION:
        whose = f"run {event.scope_value}"
    said = (
        f"{whose} has spent {in_usd(event.crossing.spent_usd)} of {in_usd(event.limit_usd)} "
        f"per {event.period}: {event.threshold_percent:f} % of budget {event.budget} is reached"
    )
    if event.crossing.execution_id is None or event.period is BudgetPeriod.EXECUTION:
        return said
    return f"{said} with run {event.crossing.source}/{event.crossing.execution_id}"


def in_usd(amount: Decimal) -> str:
    """Write an amount as people do: cents, and what is smaller with two digits."""
    if abs(amount) >= Decimal("0.1") or not amount:
        return f"{amount:.2f} USD"
    return f"{float(amount):.2g} USD"
