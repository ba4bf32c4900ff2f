"""What a reader of the simulated database must find, counted by the simulator itself."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from exporter.demo.n8n_rows import Execution
from exporter.demo.n8n_states import State
from exporter.demo.workflow_model import LlmCall


@dataclass(frozen=True, slots=True, kw_only=True)
class LlmTotals:
    """Calls and tokens of one model in one workflow.

    The plain token counts are what n8n has stored; `served_…` is what the providers would bill,
    with reasoning tokens, and with the calls of executions whose data was lost.
    """

    calls: int = 0
    failed_calls: int = 0
    estimated_calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    served_input_tokens: int = 0
    served_output_tokens: int = 0

    def with_call(self, call: LlmCall, *, is_stored: bool) -> "LlmTotals":
        """Return the totals with one more call."""
        served = replace(
            self,
            served_input_tokens=self.served_input_tokens + call.served_input_tokens,
            served_output_tokens=self.served_output_tokens + call.served_output_tokens,
        )
        if not is_stored:
            return served
        return replace(
            served,
            calls=self.calls + 1,
            failed_calls=self.failed_calls + call.failed,
            estimated_calls=self.estimated_calls + (call.estimated and not call.failed),
            input_tokens=self.input_tokens + call.input_tokens,
            output_tokens=self.output_tokens + call.output_tokens,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """What a reader of the database must find, as the simulator knows it."""

    executions: Mapping[tuple[str, str], int]  # by workflow and status
    llm: Mapping[tuple[str, str], LlmTotals]  # by workflow and model; each call once


Meter = Callable[[Execution, LlmCall], None]
"""Hears of every call that a provider served, once."""


class TruthKeeper:
    """Counts along while states are written."""

    def __init__(self, meter: Meter | None = None) -> None:
        self._meter = meter
        self._executions: Counter[tuple[str, str]] = Counter()
        self._llm: dict[tuple[str, str], LlmTotals] = {}

    def wrote(self, execution: Execution, states: tuple[State, ...], before: str | None) -> None:
        """Count states that follow on the status `before`; None is a new execution."""
        workflow = execution.version.workflow.name
        if before is not None:
            self._executions[workflow, before] -= 1
        self._executions[workflow, states[-1].status] += 1
        for state in states:
            for calls, is_stored in ((state.calls, True), (state.lost_calls, False)):
                for call in calls:
                    key = (workflow, call.model)
                    totals = self._llm.get(key, LlmTotals())
                    self._llm[key] = totals.with_call(call, is_stored=is_stored)
                    if self._meter is not None:
                        self._meter(execution, call)

    def truth(self) -> Truth:
        """Return the totals so far."""
        executions = {key: count for key, count in self._executions.items() if count}
        return Truth(executions=executions, llm=dict(self._llm))
