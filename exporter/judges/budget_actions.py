"""Does what budgets want done: once each, claimed before it is done, recorded after."""

import hmac
import logging
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol

import msgspec

from exporter.budget_settings import BudgetSettings
from exporter.errors import ExporterError, SourceError, TransientError
from exporter.http_client import HttpClient
from exporter.records import ActionDue, ActionKind, ActionState, BudgetEvent

log = logging.getLogger(__name__)

ABANDONED_AFTER = timedelta(minutes=5)
"""An action that has not ended by then belonged to an exporter that died."""
_AGAIN_AFTER = timedelta(minutes=1)
_LONGEST_AGAIN_AFTER = timedelta(hours=1)
_MOST_ATTEMPTS = 30  # which is about a day


class ActionStore(Protocol):
    """Where actions wait; each method may raise SinkError."""

    def claim(self, now: datetime, abandoned_after: timedelta) -> ActionDue | None: ...
    def remember(self, due: ActionDue, remembered: Mapping[str, str]) -> None: ...
    def end(self, due: ActionDue, state: ActionState, detail: str, now: datetime) -> None: ...
    def defer(self, due: ActionDue, detail: str, due_at: datetime) -> None: ...
    def want_resume(
        self, pause: ActionDue, reason: str, due_at: datetime, remembered: Mapping[str, str]
    ) -> None: ...
    def paused_by_another(self, due: ActionDue, now: datetime) -> tuple[str, datetime] | None: ...


class Switching(Protocol):
    """What switches workflows off and on; TransientError, SourceError: it did not."""

    def active_version(self, workflow_id: str) -> dict[str, str] | None: ...
    def pause(self, workflow_id: str) -> None: ...
    def resume(self, workflow_id: str, remembered: dict[str, str]) -> None: ...


class Actions:
    """Takes actions that are due."""

    def __init__(
        self,
        budgets: Sequence[BudgetSettings],
        engines: Mapping[str, Switching],
        store: ActionStore,
    ) -> None:
        self._budgets = {budget.name: budget for budget in budgets}
        self._engines = engines
        self._store = store

    def take(self, now: datetime) -> int:
        """Take every action that is due, and return how many were begun.

        Raises:
            SinkError: the database does not answer; what was begun is taken up again later.
        """
        taken = 0
        while (due := self._store.claim(now, ABANDONED_AFTER)) is not None:
            taken += 1
            try:
                self._do(due, now)
            except (TransientError, SourceError) as error:
                self._fail(due, error, now)
        return taken

    def _do(self, due: ActionDue, now: datetime) -> None:
        match due.action:
            case ActionKind.WEBHOOK:
                self._send(due, now)
            case ActionKind.PAUSE:
                self._pause(due, now)
            case ActionKind.RESUME:
                self._resume(due, now)
            case _:
                self._store.end(due, ActionState.DONE, "", now)

    def _fail(self, due: ActionDue, error: ExporterError, now: datetime) -> None:
        log.warning("budget.action_failed", extra={"action": due.action, "detail": str(error)})
        if due.attempts >= _MOST_ATTEMPTS:
            self._store.end(due, ActionState.FAILED, f"given up: {error}", now)
            return
        asked = getattr(error, "rest", None) or timedelta(0)
        again = min(_AGAIN_AFTER * 2 ** min(due.attempts - 1, 6), _LONGEST_AGAIN_AFTER)
        self._store.defer(due, str(error), now + max(asked, again))

    # --- n8n -------------------------------------------------------------------------------

    def _pause(self, due: ActionDue, now: datetime) -> None:
        period_end = due.event.period_end
        if period_end is not None and period_end <= now:
            self._store.end(due, ActionState.SKIPPED, "the period is over", now)
            return
        engine, workflow_id = self._engine(due)
        remembered = engine.active_version(workflow_id)
        if remembered is not None:
            self._store.remember(due, remembered)  # or who takes it up could not tell who did it
            engine.pause(workflow_id)
        elif due.remembered:
            remembered = due.remembered  # by an exporter that died before it could say so
        else:
            self._store.end(due, ActionState.SKIPPED, "it was off already", now)
            return
        budget = self._budgets.get(due.event.budget)
        if budget and budget.pause and budget.pause.resume and period_end is not None:
            reason = f"the period in which {budget.name} was used up has ended"
            self._store.want_resume(due, reason, period_end, remembered)
        self._store.end(due, ActionState.DONE, "switched off", now)
        log.warning("budget.paused", extra={"workflow": due.target, "detail": due.reason})

    def _resume(self, due: ActionDue, now: datetime) -> None:
        if (holder := self._store.paused_by_another(due, now)) is not None:
            name, until = holder
            self._store.defer(due, f"budget {name} holds it", until)
            return
        engine, workflow_id = self._engine(due)
        if engine.active_version(workflow_id) is not None:
            self._store.end(due, ActionState.SKIPPED, "it was on already", now)
            return
        engine.resume(workflow_id, due.remembered)
        self._store.end(due, ActionState.DONE, "switched on", now)
        log.warning("budget.resumed", extra={"workflow": due.target, "detail": due.reason})

    def _engine(self, due: ActionDue) -> tuple[Switching, str]:
        source, _, workflow_id = due.target.partition("/")
        engine = self._engines.get(source)
        if engine is None:
            raise SourceError(
                f"source {source}: it has no `api` in the configuration, by which its workflows "
                "could be switched",
                reason="no_api",
            )
        return engine, workflow_id

    # --- webhooks --------------------------------------------------------------------------

    def _send(self, due: ActionDue, now: datetime) -> None:
        budget = self._budgets.get(due.event.budget)
        if budget is None or budget.webhook is None or budget.webhook.url != due.target:
            self._store.end(due, ActionState.SKIPPED, "it is no longer configured", now)
            return
        body = msgspec.json.encode(told(due), enc_hook=str)
        stamp = str(int(now.timestamp()))
        client = HttpClient(
            due.target,
            headers=signed(body, stamp, budget.webhook.secret.get_secret_value())
            | {"X-AIWF-Event": str(due.action_id)},
            allow_private=True,
            deadline_seconds=15,
        )
        try:
            reply = client.send("", body, content_type="application/json")
        finally:
            client.close()
        self._store.end(due, ActionState.DONE, f"answered {reply.status}", now)


def signed(body: bytes, timestamp: str, secret: str) -> dict[str, str]:
    """Return the headers by which a receiver knows that a request is ours and is new."""
    digest = hmac.new(secret.encode(), f"{timestamp}.".encode() + body, "sha256").hexdigest()
    return {"X-AIWF-Timestamp": timestamp, "X-AIWF-Signature": f"sha256={digest}"}


def told(due: ActionDue) -> dict[str, object]:
    """Return what a webhook tells; the id is the same when it is told again."""
    event: BudgetEvent = due.event
    crossing = event.crossing
    return {
        "id": due.action_id,
        "kind": "budget_threshold",
        "budget": event.budget,
        "scope": event.scope,
        "scope_value": event.scope_value,
        "period": event.period,
        "period_start": event.period_start,
        "period_end": event.period_end,
        "threshold_percent": float(event.threshold_percent),
        "limit_usd": event.limit_usd,
        "spent_usd": crossing.spent_usd,
        "crossed_at": crossing.crossed_at,
        "source": crossing.source,
        "workflow": crossing.workflow,
        "execution_id": crossing.execution_id,
        "reason": due.reason,
    }
