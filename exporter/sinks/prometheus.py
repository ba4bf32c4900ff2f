"""Newest state → metric families: every metric name of ours is in METRICS."""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from exporter.interfaces import (
    Change,
    ExecutionChange,
    Increment,
    LlmCallChange,
    OutcomeChange,
    SignalChange,
    SpendChange,
)
from exporter.records import FINAL_STATUSES, ExecutionStatus

_EXECUTION_SECONDS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600)
_CALL_SECONDS = (0.25, 0.5, 1, 2, 4, 8, 15, 30, 60, 120, 300)
_FIRST_TOKEN_SECONDS = (0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30)
_CONTEXT_RATIOS = (0.1, 0.25, 0.5, 0.75, 0.9, 1)


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric family of ours."""

    kind: Literal["counter", "gauge", "histogram"]
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()
    per_source: bool = True  # its series go silent when their source is stale


def _self(kind: Literal["counter", "gauge"], text: str, *labels: str) -> Metric:
    return Metric(kind, text, labels, per_source=False)


METRICS: Mapping[str, Metric] = {
    # The exporter itself; these never go silent.
    "aiwf_build_info": _self("gauge", "Always 1; the version is a label.", "version"),
    "aiwf_config_last_reload_successful": _self("gauge", "Whether the last reload of the configuration was accepted."),
    "aiwf_config_last_reload_success_timestamp_seconds": _self("gauge", "When the running configuration was accepted."),
    "aiwf_sink_up": _self("gauge", "Whether our database took the last batch."),
    "aiwf_source_up": _self("gauge", "Whether the last poll of the source came to its end.", "source"),
    "aiwf_source_problem": _self("gauge", "1 while the source cannot be read until somebody acts, with the reason.", "source", "reason"),
    "aiwf_source_caught_up": _self("gauge", "Whether the first backlog was read; before, its counters are not shown.", "source"),
    "aiwf_forwarded_bodies_total": _self("counter", "Requests of spans that were sent on (sent), or dropped because the target refused them (refused) or they waited too long (expired).", "target", "outcome"),
    "aiwf_forwarding_lag_seconds": _self("gauge", "Age of the oldest request of spans that waits to be sent on; 0: none waits.", "target"),
    "aiwf_polls_total": _self("counter", "Polls by how they ended.", "source", "outcome"),
    "aiwf_poll_interval_seconds": _self("gauge", "How often the source is to be polled.", "source"),
    "aiwf_poll_duration_seconds": _self("gauge", "How long the last poll took.", "source"),
    "aiwf_last_success_timestamp_seconds": _self("gauge", "When the source was last read to its end.", "source"),
    "aiwf_source_lag_seconds": _self("gauge", "Age of the newest record at the last successful poll.", "source"),
    "aiwf_label_values_folded": _self("gauge", "Values of a label beyond its cap, counted under `other`.", "label"),
    # What the sources tell.
    "aiwf_source_omissions_total": Metric("counter", "What a source held and could not be taken over, by reason.", ("source", "reason")),
    "aiwf_executions_total": Metric("counter", "Executions that ended, by final status; one whose engine changes it later counts again.", ("source", "workflow", "status")),
    "aiwf_execution_duration_seconds": Metric("histogram", "From start to end of an execution, waits included.", ("source", "workflow"), _EXECUTION_SECONDS),
    "aiwf_executions_running": Metric("gauge", "Executions that have not ended, by status.", ("source", "workflow", "status")),
    "aiwf_last_execution_timestamp_seconds": Metric("gauge", "When an execution last ended with this status.", ("source", "workflow", "status")),
    "aiwf_execution_errors_total": Metric("counter", "Failed executions by type of error.", ("source", "workflow", "error_type")),
    "aiwf_items_total": Metric("counter", "Items of batches by result, where it is known.", ("source", "workflow", "result")),
    "aiwf_workflow_active": Metric("gauge", "Whether the engine starts the workflow by itself.", ("source", "workflow")),
    "aiwf_expected_interval_seconds": Metric("gauge", "Longest usual silence between runs of an active workflow, over four weeks.", ("source", "workflow")),
    "aiwf_llm_calls_total": Metric("counter", "Calls of language models.", ("source", "workflow", "provider", "model", "status")),
    "aiwf_llm_tokens_total": Metric("counter", "Tokens as the engine recorded them, estimates included; unknown ones are not in here.", ("source", "workflow", "provider", "model", "direction")),
    "aiwf_llm_cost_usd_total": Metric("counter", "Cost of calls, priced by us or reported by the source (never add the two); unpriced calls are not in here.", ("source", "workflow", "provider", "model", "cost_source")),
    "aiwf_llm_estimated_calls_total": Metric("counter", "Calls whose tokens, and so whose cost, are an estimate.", ("source", "provider", "model")),
    "aiwf_llm_unpriced_calls_total": Metric("counter", "Successful calls whose cost is unknown.", ("source", "provider", "model")),
    "aiwf_signals_total": Metric("counter", "What is remarkable of calls and steps: rate_limited, timed_out, overloaded, context_exceeded, refused, truncated, retry, fallback; circuit_open and cached_answer of steps, with an empty model.", ("source", "workflow", "provider", "model", "signal")),
    "aiwf_llm_context_used_ratio": Metric("histogram", "Input tokens of a call by the most that its model takes.", ("source", "provider", "model"), _CONTEXT_RATIOS),
    "aiwf_outcomes_total": Metric("counter", "Business results that were told.", ("source", "workflow", "outcome")),
    "aiwf_outcome_value_total": Metric("counter", "Their values; what lowers a result is not in here.", ("source", "workflow", "outcome")),
    "aiwf_llm_call_duration_seconds": Metric("histogram", "From request to the end of the answer.", ("source", "provider", "model"), _CALL_SECONDS),
    "aiwf_llm_time_to_first_token_seconds": Metric("histogram", "From request to the first token.", ("source", "provider", "model"), _FIRST_TOKEN_SECONDS),
    # What providers charge. Bills are dated back and revised: amounts of days are gauges.
    "aiwf_provider_cost_usd": Metric("gauge", "Cost of UTC days: estimated (usage at list price) or billed, never to be added; usual_day is the mean of the seven days before today.", ("source", "provider", "cost_kind", "window")),
    "aiwf_provider_cost_as_of_timestamp_seconds": Metric("gauge", "Until when the cost is read.", ("source", "provider", "cost_kind")),
    "aiwf_provider_balance": Metric("gauge", "What is left of a credit or quota, in its unit.", ("source", "provider", "balance", "unit")),
    "aiwf_provider_balance_limit": Metric("gauge", "What the credit or quota began with, where there is a limit.", ("source", "provider", "balance", "unit")),
    "aiwf_usage_complete_until_timestamp_seconds": Metric("gauge", "Until when a provider's report has settled, as far as the provider tells.", ("source", "provider", "report", "amounts")),
    "aiwf_usage_requests_observed_total": Metric("counter", "Requests that appeared in usage reports, when we saw them.", ("source", "provider", "model")),
    "aiwf_usage_tokens_observed_total": Metric("counter", "Tokens that appeared in usage reports, when we saw them.", ("source", "provider", "model", "direction")),
    "aiwf_usage_unpriced_tokens_observed_total": Metric("counter", "Tokens of usage reports whose model has no known price.", ("source", "provider", "model")),
    "aiwf_provider_cost_usd_observed_total": Metric("counter", "Cost that appeared in reports, when we saw it: is money moving now? What a day cost is aiwf_provider_cost_usd.", ("source", "provider", "cost_kind")),
    "aiwf_usage_revisions_negative_total": Metric("counter", "Buckets that a provider revised downwards.", ("source", "provider", "cost_kind")),
    # What providers say of themselves on their status pages.
    "aiwf_provider_status_level": Metric("gauge", "Level of a page (component empty) or of a watched component: 0 operational, 1 maintenance, 2 degraded, 3 partial outage, 4 major outage; one that is not known has no level.", ("source", "page", "component")),
    "aiwf_provider_status_known": Metric("gauge", "Whether the page's level is known.", ("source", "page")),
    "aiwf_provider_status_unknown": Metric("gauge", "1 while the page's level is not known, with the cause.", ("source", "page", "cause")),
    "aiwf_provider_incidents_open": Metric("gauge", "Open incidents of a page, maintenances left out.", ("source", "page")),
    "aiwf_provider_status_page_info": Metric("gauge", "Always 1: whose calls the page explains, how it is read, when it alerts.", ("source", "page", "provider", "kind", "alert")),
    # What may be spent. Of a budget that each value has for itself, only the fullest are shown.
    "aiwf_budget_spent_usd": _self("gauge", "Spent of a budget in its present period, by the cost of calls as it is known.", "budget", "scope_value"),
    "aiwf_budget_limit_usd": _self("gauge", "Its limit.", "budget", "scope_value"),
    "aiwf_budget_projected_usd": _self("gauge", "What will have been spent at the end of the period, at the present pace.", "budget", "scope_value"),
    "aiwf_budget_threshold_reached_percent": _self("gauge", "Highest threshold that is reached, of budgets that alert; 0: none.", "budget", "scope_value"),
    "aiwf_budget_runs_over": _self("gauge", "Runs of the last hour that cost more than the limit of one execution.", "budget"),
    "aiwf_budgets_as_of_timestamp_seconds": _self("gauge", "When budgets were last looked at."),
    # What is usual for workflows; days begin in the zone of `baselines`.
    "aiwf_workflow_cost_usd": Metric("gauge", "Cost of a workflow's model calls, today so far and yesterday, where it is known.", ("source", "workflow", "window")),
    "aiwf_cost_baseline_usd": Metric("gauge", "What such a day usually costs: the median of the same weekday in four weeks, else of the last days with runs.", ("source", "workflow", "window")),
    "aiwf_anomaly_ratio": Metric("gauge", "What is far from usual, as a multiple of it; infinite where usual is 0.", ("source", "workflow", "measure", "window")),
    "aiwf_runaway": Metric("gauge", "Whether the workflow loops, by calls_per_run, retries_per_run or runs_per_hour; shown from when it did until a day after.", ("source", "workflow", "measure")),
    "aiwf_runaway_observed": Metric("gauge", "While it loops: calls or retries of the worst run, or runs of the last hour.", ("source", "workflow", "measure")),
    "aiwf_runaway_usual": Metric("gauge", "While it loops: what would be usual.", ("source", "workflow", "measure")),
}  # fmt: skip

OTHER = "other"
_FAILED = (ExecutionStatus.ERROR, ExecutionStatus.TIMEOUT, ExecutionStatus.CRASHED)
# The rest come from closed sets.
_FREE_LABELS = ("outcome", "workflow", "model", "provider", "error_type", "balance", "component")
Labels = tuple[tuple[str, str], ...]


class LabelCaps:
    """Holds the number of values of each free label down; the excess is `other`."""

    def __init__(self, most_values: int) -> None:
        self._most = most_values
        self._seen: dict[str, set[str]] = defaultdict(set)
        self.folded: dict[str, set[str]] = defaultdict(set)

    def learn(self, labels: Labels) -> None:
        """Let in what was let in before a restart."""
        for name, value in labels:
            if name in _FREE_LABELS and value != OTHER:
                self._seen[name].add(value)

    def fit(self, name: str, value: str) -> str:
        """Return the value, or `other` if the label is full."""
        if name not in _FREE_LABELS or value in self._seen[name]:
            return value
        if len(self._seen[name]) >= self._most:
            # Bounded too: the set only feeds a number on a dashboard.
            if len(self.folded[name]) < 10 * self._most:
                self.folded[name].add(value)
            return OTHER
        self._seen[name].add(value)
        return value


class Bookkeeper:
    """Says by how much counters move; the sink persists it, the exposition shows it."""

    def __init__(self, caps: LabelCaps) -> None:
        self._caps = caps
        self._born: set[tuple[str, Labels]] = set()  # series that exist: a 0 says nothing new

    def labels(self, **values: str) -> Labels:
        """Order labels and fit them into their caps."""
        return tuple((name, self._caps.fit(name, value)) for name, value in sorted(values.items()))

    def increments(
        self, source: str, changes: Sequence[Change], omissions: Mapping[str, int]
    ) -> Sequence[Increment]:
        """Count executions when they end, calls when they first appear, amounts as they grow."""
        moved = _Moved(self._born)
        for reason, count in omissions.items():
            if not count:
                continue
            moved.add(
                "aiwf_source_omissions_total", self.labels(source=source, reason=reason), count
            )
        for change in changes:
            match change:
                case ExecutionChange():
                    self._execution(change, moved)
                case LlmCallChange():
                    self._llm_call(change, moved)
                case SpendChange():
                    self._spend(change, moved)
                case SignalChange():
                    self._signal(change, moved)
                case OutcomeChange():
                    self._outcome(change, moved)
        return moved.increments()

    def _execution(self, change: ExecutionChange, moved: "_Moved") -> None:
        of_workflow = {"source": change.source, "workflow": change.workflow}
        # Amounts never fall: a counter that does is taken for a restart.
        for result, added in (
            ("failed", change.items_failed_added),
            ("success", change.items_succeeded_added),
        ):
            moved.add("aiwf_items_total", self.labels(**of_workflow, result=result), max(added, 0))
        unknown = change.unknown_steps_reason
        if unknown is not None and unknown != change.stored_unknown_steps_reason:
            labels = self.labels(source=change.source, reason=unknown)
            moved.add("aiwf_source_omissions_total", labels, 1)
        if not change.status.is_final or change.status is change.stored_status:
            return
        with_status = self.labels(**of_workflow, status=change.status)
        moved.add("aiwf_executions_total", with_status, 1)
        ended_at = change.finished_at or change.created_at
        moved.highest("aiwf_last_execution_timestamp_seconds", with_status, ended_at.timestamp())
        if change.status in _FAILED:
            error_type = change.error_type or change.status
            labels = self.labels(**of_workflow, error_type=error_type)
            moved.add("aiwf_execution_errors_total", labels, 1)
        if change.duration_seconds is not None and not (
            change.stored_status is not None and change.stored_status.is_final
        ):
            moved.observe(
                "aiwf_execution_duration_seconds",
                self.labels(**of_workflow),
                change.duration_seconds,
            )

    def _llm_call(self, change: LlmCallChange, moved: "_Moved") -> None:
        of_model = {"source": change.source, "provider": change.provider, "model": change.model}
        of_call = {**of_model, "workflow": change.workflow}
        for direction, added in (
            ("input", change.input_tokens_added),
            ("output", change.output_tokens_added),
        ):
            moved.add(
                "aiwf_llm_tokens_total", self.labels(**of_call, direction=direction), max(added, 0)
            )
        if change.cost_source is not None:
            labels = self.labels(**of_call, cost_source=change.cost_source)
            moved.add("aiwf_llm_cost_usd_total", labels, max(float(change.cost_usd_added), 0))
        if not change.is_new:
            return
        moved.add(
            "aiwf_llm_calls_total", self.labels(**of_call, status=change.status), change.calls
        )
        moved.add("aiwf_llm_unpriced_calls_total", self.labels(**of_model), int(change.is_unpriced))
        moved.add(
            "aiwf_llm_estimated_calls_total", self.labels(**of_model), int(change.is_estimated)
        )
        if change.latency_seconds is not None:
            moved.observe(
                "aiwf_llm_call_duration_seconds", self.labels(**of_model), change.latency_seconds
            )
        if change.context_used_ratio is not None:
            moved.observe(
                "aiwf_llm_context_used_ratio", self.labels(**of_model), change.context_used_ratio
            )
        if change.time_to_first_token_seconds is not None:
            moved.observe(
                "aiwf_llm_time_to_first_token_seconds",
                self.labels(**of_model),
                change.time_to_first_token_seconds,
            )

    def _spend(self, change: SpendChange, moved: "_Moved") -> None:
        """Count what providers say more of; what they take back is counted apart."""
        of_provider = {"source": change.source, "provider": change.provider}
        of_model = {**of_provider, "model": change.model}
        of_kind = self.labels(**of_provider, cost_kind=change.cost_kind)
        cost_usd = float(change.cost_usd_added)
        moved.add("aiwf_provider_cost_usd_observed_total", of_kind, max(cost_usd, 0))
        if change.cost_kind == "estimated":
            tokens = change.input_tokens_added + change.output_tokens_added
            for direction, added in (
                ("input", change.input_tokens_added),
                ("output", change.output_tokens_added),
            ):
                labels = self.labels(**of_model, direction=direction)
                moved.add("aiwf_usage_tokens_observed_total", labels, max(added, 0))
            labels = self.labels(**of_model)
            moved.add("aiwf_usage_requests_observed_total", labels, max(change.requests_added, 0))
            unpriced = max(change.unpriced_tokens_added, 0)
            moved.add("aiwf_usage_unpriced_tokens_observed_total", labels, unpriced)
        else:
            tokens = 0
        is_negative = tokens < 0 or (tokens == 0 and cost_usd < 0)
        moved.add("aiwf_usage_revisions_negative_total", of_kind, int(is_negative))

    def _signal(self, change: SignalChange, moved: "_Moved") -> None:
        labels = self.labels(
            source=change.source,
            workflow=change.workflow,
            provider=change.provider,
            model=change.model,
            signal=change.signal,
        )
        moved.add("aiwf_signals_total", labels, max(change.events_added, 0))

    def _outcome(self, change: OutcomeChange, moved: "_Moved") -> None:
        labels = self.labels(source=change.source, workflow=change.workflow, outcome=change.outcome)
        moved.add("aiwf_outcomes_total", labels, int(change.is_new))
        moved.add("aiwf_outcome_value_total", labels, max(float(change.value_added), 0))

    def known_series(self, source: str, workflows: Iterable[str]) -> list[tuple[str, Labels]]:
        """Every workflow × final status: they exist at 0, or increase() misses the first failure."""
        return [
            ("aiwf_executions_total", self.labels(source=source, workflow=workflow, status=status))
            for workflow in workflows
            for status in FINAL_STATUSES
        ]


class _Moved:
    """Adds up the movements of one batch."""

    def __init__(self, born: set[tuple[str, Labels]]) -> None:
        self._born = born
        self._added: dict[tuple[str, Labels], float] = defaultdict(float)
        self._highest: dict[tuple[str, Labels], float] = {}

    def add(self, metric: str, labels: Labels, amount: float) -> None:
        self._added[metric, labels] += amount

    def highest(self, metric: str, labels: Labels, value: float) -> None:
        self._highest[metric, labels] = max(value, self._highest.get((metric, labels), value))

    def observe(self, metric: str, labels: Labels, value: float) -> None:
        for bound in (*METRICS[metric].buckets, math.inf):
            with_bound = tuple(sorted((*labels, ("le", f"{bound:g}".replace("inf", "+Inf")))))
            self.add(f"{metric}_bucket", with_bound, int(value <= bound))
        self.add(f"{metric}_sum", labels, value)
        self.add(f"{metric}_count", labels, 1)

    def increments(self) -> Sequence[Increment]:
        added = [
            Increment(metric=metric, labels=labels, amount=amount)
            for (metric, labels), amount in self._added.items()
            if amount or (metric, labels) not in self._born
        ]
        self._born |= self._added.keys()
        return added + [
            Increment(metric=metric, labels=labels, amount=value, keep_max=True)
            for (metric, labels), value in self._highest.items()
        ]
