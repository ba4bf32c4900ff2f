"""Records → the same with the signals of their calls and steps."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from exporter.records import (
    CallSignal,
    Execution,
    ExecutionStatus,
    LlmCall,
    Record,
    Step,
    StepSignal,
)
from exporter.resilience.failures import ending_signal, failure_signal
from exporter.resilience.recoveries import FAILED, Told, recoveries
from exporter.resilience.steps import circuit_open, is_cached_answer

Key = tuple[str, str, datetime]


def with_signals(records: Sequence[Record]) -> list[Record]:
    """Return the records with the signals of calls and steps filled in.

    What a record says already stays. Retries and fallbacks show only between calls of one
    execution that come together: a gateway's calls have none around them.
    """
    executions: dict[Key, Told] = defaultdict(Told)
    for record in records:
        match record:
            case LlmCall():
                executions[_key(record)].calls.append(record)
            case Step():
                executions[_key(record)].steps[record.step_id] = record
            case Execution():
                executions[_key(record)].execution = record
            case _:
                pass
    found = {key: _Found(told) for key, told in executions.items()}
    return [
        found[_key(record)].filled(record) if isinstance(record, LlmCall | Step) else record
        for record in records
    ]


def _key(record: Execution | LlmCall | Step) -> Key:
    return (record.source, record.execution_id, record.created_at)


class _Found:
    """What is remarkable in one execution."""

    def __init__(self, told: Told) -> None:
        self._told = told
        self._open = circuit_open(told.steps.values())
        self._own = {call.call_id: self._own_signals(call) for call in told.calls}
        self._recoveries = recoveries(told, self._own, self._open)

    def filled(self, record: LlmCall | Step) -> Record:
        """Return the record with its signals."""
        if isinstance(record, LlmCall):
            recovery = self._recoveries.get(record.call_id)
            signals = {*self._own[record.call_id], recovery}
            return _replaced(record, [signal for signal in CallSignal if signal in signals])
        of_step = [StepSignal.CIRCUIT_OPEN] if record.step_id in self._open else []
        if is_cached_answer(record):
            of_step.append(StepSignal.CACHED_ANSWER)
        return _replaced(record, of_step)

    def _own_signals(self, call: LlmCall) -> set[CallSignal]:
        """Return how a call failed or ended."""
        if not call.calls:
            return set()
        ended = ending_signal(call.finish_reason)
        signals = {ended} if ended else set()
        if call.status in FAILED:
            around: Step | Execution | None = self._told.steps.get(call.step_id or "")
            if around is None and len(self._told.calls) == 1:
                around = self._told.execution  # a trace of one span
            said = (around.error_type, around.error_message) if around else ()
            failed = failure_signal(call.error_type, *said)
            if failed is None and call.status is ExecutionStatus.TIMEOUT:
                failed = CallSignal.TIMED_OUT
            signals |= {failed} if failed else set()
        return signals


def _replaced(record: LlmCall | Step, found: Iterable[str]) -> Record:
    signals = tuple(dict.fromkeys((*found, *record.signals)))
    return record if signals == record.signals else replace(record, signals=signals)
