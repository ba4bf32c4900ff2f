"""Which call took the place of one that failed: a retry, or a fallback to another model.

Only what is called again in the same place counts. A place is the step on whose behalf a call is
made; where its failure went on up, the step that lived with it. Calls that run side by side in
one place cannot be told apart by time: there, only one with the same prompt counts.
"""

import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from itertools import accumulate

from exporter.records import CallSignal, Execution, ExecutionStatus, LlmCall, Operation, Step
from exporter.vendor_names import UNKNOWN

FAILED = (ExecutionStatus.ERROR, ExecutionStatus.TIMEOUT, ExecutionStatus.CRASHED)
_CLOCK = timedelta(milliseconds=1)  # times and durations are rounded
# Of these, another prompt is what one would try again with.
_PROMPT_TO_BLAME = {CallSignal.REFUSED, CallSignal.CONTEXT_EXCEEDED}
_HIGHEST = 64  # steps above a call that are asked
_NUMBERED = re.compile(r"[\s#:(\[-]\d+\W*$")  # item 7, row[7]: one of many


@dataclass(slots=True)
class Told:
    """What a batch tells of an execution."""

    calls: list[LlmCall] = field(default_factory=list)
    steps: dict[str, Step] = field(default_factory=dict)
    execution: Execution | None = None


@dataclass(frozen=True, slots=True)
class _Unanswered:
    """A call that failed or was refused, or that a circuit breaker held back."""

    name: str  # of its own step
    above: tuple[str, ...]  # the steps it is in, the nearest first
    ended_at: datetime
    operation: Operation | None = None  # None: any
    models: frozenset[str] = frozenset()  # none: not known
    provider: str = UNKNOWN
    prompt: str | None = None
    needs_same_prompt: bool = False  # it did answer: what follows need not be for its sake
    may_change_prompt: bool = False


def recoveries(
    told: Told, own_signals: Mapping[str, Collection[CallSignal]], held_back: Collection[str]
) -> dict[str, CallSignal]:
    """Return which calls are a retry or a fallback, by call id.

    `own_signals`: how each call failed or ended; `held_back`: steps that a breaker stopped.
    """
    if not held_back and not any(
        call.status in FAILED or CallSignal.REFUSED in own_signals[call.call_id]
        for call in told.calls
    ):
        return {}
    calls = _Calls(told)
    found: dict[str, CallSignal] = {}
    waiting = [*_failed(calls, told, own_signals), *_held_back(calls, told, held_back, found)]
    for one in sorted(waiting, key=lambda each: (each.ended_at, each.above, each.name)):
        answer = calls.answer(one, found)
        if answer is not None:
            found[answer[0].call_id] = answer[1]
    return found


def _failed(
    calls: "_Calls", told: Told, own_signals: Mapping[str, Collection[CallSignal]]
) -> Iterator[_Unanswered]:
    for call in told.calls:
        own = own_signals[call.call_id]
        if call.calls and (call.status in FAILED or CallSignal.REFUSED in own):
            yield _Unanswered(
                name=calls.name(call.step_id),
                above=calls.above(call.step_id),
                ended_at=_ended_at(call),
                operation=call.operation,
                models=_models(call),
                provider=call.provider,
                prompt=call.prompt,
                needs_same_prompt=call.status not in FAILED,
                may_change_prompt=not _PROMPT_TO_BLAME.isdisjoint(own),
            )


def _held_back(
    calls: "_Calls", told: Told, held_back: Collection[str], found: dict[str, CallSignal]
) -> Iterator[_Unanswered]:
    for step_id in sorted(held_back):
        step = told.steps[step_id]
        inside = calls.inside[step_id, None].calls
        if inside:  # it says so of the whole: the breaker, and what was called instead
            if all(call.status not in FAILED for call in inside):
                found[inside[0].call_id] = CallSignal.FALLBACK
        elif step.started_at is not None and step.duration_seconds is not None:
            model = step.attributes.get("gen_ai.request.model")
            yield _Unanswered(
                name=step.name,
                above=calls.above(step_id),
                ended_at=step.started_at + timedelta(seconds=step.duration_seconds),
                models=frozenset([model]) if isinstance(model, str) else frozenset(),
            )


class _Sequence:
    """Calls in the order they began."""

    def __init__(self) -> None:
        self.calls: list[LlmCall] = []

    @cached_property
    def _begun(self) -> list[datetime]:
        return [call.started_at for call in self.calls]

    @cached_property
    def is_parallel(self) -> bool:
        """Whether any two of them ran side by side."""
        return any(
            later.started_at < until - _CLOCK
            for until, later in zip(
                accumulate(map(_ended_at, self.calls), max), self.calls[1:], strict=False
            )
        )

    def after(self, at: datetime, taken: Collection[str]) -> LlmCall | None:
        """Return the first that began after a moment and is not taken."""
        first = bisect_left(self._begun, at - _CLOCK)
        return next((call for call in self.calls[first:] if call.call_id not in taken), None)


class _Calls:
    """The calls of an execution by the steps they are in; the execution itself is None."""

    def __init__(self, told: Told) -> None:
        self._steps = told.steps
        self._above: dict[str | None, tuple[str, ...]] = {}
        # By what they are in, their operation and prompt; None: any.
        self.inside: dict[tuple[str | None, Operation | None], _Sequence] = defaultdict(_Sequence)
        self._directly: dict[tuple[str | None, Operation | None, str | None], _Sequence] = (
            defaultdict(_Sequence)
        )
        for call in sorted(told.calls, key=lambda one: (one.started_at, one.call_id)):
            if not call.calls:
                continue
            above = self.above(call.step_id)
            for operation in (call.operation, None):
                for place in (*above, None):
                    self.inside[place, operation].calls.append(call)
                for prompt in {call.prompt, None}:
                    self._directly[_nearest(above), operation, prompt].calls.append(call)

    def name(self, step_id: str | None) -> str:
        """Return what a step is called."""
        step = self._steps.get(step_id or "")
        return step.name if step else ""

    def above(self, step_id: str | None) -> tuple[str, ...]:
        """Return the steps that a step is in, the nearest first."""
        if step_id not in self._above:
            path: list[str] = []
            step = self._steps.get(step_id or "")
            while step is not None and (parent := step.parent_step_id) is not None:
                if parent in path or parent == step_id or len(path) == _HIGHEST:
                    break  # nothing above is certain
                path.append(parent)
                step = self._steps.get(parent)
            self._above[step_id] = tuple(path)
        return self._above[step_id]

    def answer(
        self, failed: _Unanswered, taken: Collection[str]
    ) -> tuple[LlmCall, CallSignal] | None:
        """Return the call that took its place, and as what."""
        place = _nearest(failed.above)
        for prompt in filter(None, [failed.prompt]):
            same = self._directly[place, failed.operation, prompt].after(failed.ended_at, taken)
            if same is not None and (signal := _signal(failed, same)):
                return same, signal
        beside = self._directly[place, failed.operation, None]
        following = None if beside.is_parallel else beside.after(failed.ended_at, taken)
        if following is not None and (signal := _signal(failed, following)):
            return following, signal
        return self._answer_elsewhere(failed, taken)

    def _answer_elsewhere(
        self, failed: _Unanswered, taken: Collection[str]
    ) -> tuple[LlmCall, CallSignal] | None:
        """Look below its place, and above as far as the failure went up."""
        branch = failed.name
        for place in (*failed.above, None):
            sequence = self.inside[place, failed.operation]
            following = None if sequence.is_parallel else sequence.after(failed.ended_at, taken)
            if following is not None:
                signal = _signal(failed, following)
                is_same = failed.prompt is not None and following.prompt == failed.prompt
                is_other = _kind(self._branch(following, place)) != _kind(branch)
                if signal and (is_same or (signal is CallSignal.FALLBACK and is_other)):
                    return following, signal
            step = self._steps.get(place or "")
            if step is None or step.status not in FAILED:
                return None
            branch = step.name
        return None

    def _branch(self, call: LlmCall, place: str | None) -> str:
        """Return the name of the step right below a place that a call is in."""
        path = (call.step_id, *self.above(call.step_id), None)
        return self.name(path[path.index(place) - 1])


def _signal(failed: _Unanswered, call: LlmCall) -> CallSignal | None:
    """Return as what a call follows; None: it does not."""
    is_known = failed.prompt is not None and call.prompt is not None
    if failed.needs_same_prompt and not (is_known and failed.prompt == call.prompt):
        return None
    if not failed.models:
        return CallSignal.FALLBACK if failed.operation is None else None
    models = _models(call)
    if not models:
        return None
    if models.isdisjoint(failed.models) or (
        UNKNOWN not in (failed.provider, call.provider) and failed.provider != call.provider
    ):
        return CallSignal.FALLBACK
    if failed.operation is None:
        return None
    is_another_task = is_known and failed.prompt != call.prompt and not failed.may_change_prompt
    return None if is_another_task else CallSignal.RETRY


def _nearest(above: tuple[str, ...]) -> str | None:
    return above[0] if above else None


def _kind(name: str) -> str:
    return _NUMBERED.sub("", name)


def _ended_at(call: LlmCall) -> datetime:
    if call.latency_seconds is None:
        return call.started_at + 2 * _CLOCK  # what began with it did not follow it
    return call.started_at + timedelta(seconds=call.latency_seconds)


def _models(call: LlmCall) -> frozenset[str]:
    names = (call.model, call.requested_model)
    return frozenset(name.lower() for name in names if name and name != UNKNOWN)
