"""What is remarkable of model calls and steps: how they failed, ended and recovered."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from exporter.records import (
    CallSignal,
    ExecutionStatus,
    LlmCall,
    Operation,
    Record,
    Step,
    StepSignal,
)

_FAILED = (ExecutionStatus.ERROR, ExecutionStatus.TIMEOUT, ExecutionStatus.CRASHED)
# How engines, SDKs and providers name it, and HTTP does; the first that fits counts.
_FAILURES: Mapping[CallSignal, re.Pattern[str]] = {
    CallSignal.CONTEXT_EXCEEDED: re.compile(
        r"context.?(?:length|window)|contextwindowexceeded|maximum context|prompt is too long"
        r"|input is too long|too many (?:input )?tokens|model_max_prompt_tokens|string_above_max"
        r"|exceeds the (?:maximum|model).{0,40}tokens",
        re.IGNORECASE,
    ),
    CallSignal.RATE_LIMITED: re.compile(
        r"rate.?limit|too.?many.?requests|throttl|resource.?exhausted|quota|(?<!\d)429(?!\d)",
        re.IGNORECASE,
    ),
    CallSignal.OVERLOADED: re.compile(
        r"overloaded|service.?unavailable|internal.?server|bad.?gateway|server_error|api_error"
        r"|model.?not.?ready|no capacity|modelerrorexception|(?<!\d)5(?:00|02|03|29)(?!\d)",
        re.IGNORECASE,
    ),
    CallSignal.TIMED_OUT: re.compile(
        r"time.?d?.?out|deadline.?exceeded|etimedout|econnaborted|(?<!\d)(?:408|504)(?!\d)",
        re.IGNORECASE,
    ),
    CallSignal.REFUSED: re.compile(
        r"content.?(?:filter|policy|management)|responsibleai|safety|moderation_blocked"
        r"|prompt.?blocked|blocked.?by.?guardrail|guardrail.?intervened",
        re.IGNORECASE,
    ),
}
_TRUNCATED = frozenset(
    {"length", "max_tokens", "max_output_tokens", "model_length", "token_limit", "incomplete"}
    | {"model_context_window_exceeded"}
)
_REFUSED = frozenset(
    {"content_filter", "content_filtered", "refusal", "safety", "recitation", "blocklist"}
    | {"prohibited_content", "spii", "image_safety", "guardrail_intervened", "error_toxic"}
)
_OPEN_BREAKER = re.compile(
    r"circuit.?breaker.?(?:error|open)|openedstate|callnotpermitted|brokencircuit|breaker is open"
    r"|circuit.?(?:is )?open",
    re.IGNORECASE,
)
_CACHE_ATTRIBUTES = (
    "aiwf.cached_answer",
    "gen_ai.response.cache_hit",
    "gen_ai.cache.hit",
    "llm.cache_hit",
    "cache.hit",
    "cache_hit",
)


def with_signals(records: Sequence[Record]) -> list[Record]:
    """Return the records with the signals of calls and steps filled in.

    Retries and fallbacks show only between calls of one execution that come in one batch.
    """
    steps = {_place(one, one.step_id): one for one in records if isinstance(one, Step)}
    recoveries = _recoveries([one for one in records if isinstance(one, LlmCall)], steps)
    found: list[Record] = []
    for record in records:
        match record:
            case LlmCall():
                step = steps.get(_place(record, record.step_id))
                signals = (*call_signals(record, step), *recoveries.get(id(record), ()))
                found.append(replace(record, signals=signals) if signals else record)
            case Step():
                of_step = step_signals(record)
                found.append(replace(record, signals=of_step) if of_step else record)
            case _:
                found.append(record)
    return found


Place = tuple[str, str, datetime, str | None]


def _place(record: LlmCall | Step, name: str | None) -> Place:
    return (record.source, record.execution_id, record.created_at, name)


def call_signals(call: LlmCall, step: Step | None = None) -> tuple[CallSignal, ...]:
    """Return how a call failed or ended, as far as that is remarkable."""
    if call.status in _FAILED:
        said = [call.error_type, step.error_type if step else None]
        # A type says it better than a sentence, which may quote anything.
        said.append(step.error_message if step else None)
        for words in said:
            for signal, pattern in _FAILURES.items():
                if words and pattern.search(words):
                    return (signal,)
        return (CallSignal.TIMED_OUT,) if call.status is ExecutionStatus.TIMEOUT else ()
    ended = (call.finish_reason or "").lower()
    if ended in _TRUNCATED:
        return (CallSignal.TRUNCATED,)
    return (CallSignal.REFUSED,) if ended in _REFUSED else ()


def step_signals(step: Step) -> tuple[StepSignal, ...]:
    """Return whether a circuit breaker stopped the step, or a cache answered it."""
    told = step.attributes
    if told.get("aiwf.circuit_breaker") == "open" or (
        step.status in _FAILED
        and _OPEN_BREAKER.search(f"{step.error_type or ''} {step.error_message or ''}")
    ):
        return (StepSignal.CIRCUIT_OPEN,)
    if any(told.get(name) in (True, "true", "hit") for name in _CACHE_ATTRIBUTES):
        return (StepSignal.CACHED_ANSWER,)
    return ()


def _recoveries(
    calls: Iterable[LlmCall], steps: Mapping[Place, Step]
) -> dict[int, tuple[CallSignal, ...]]:
    """Tell for each call whether it followed a failed one in its place: by the same model?"""
    places: dict[tuple[Place, Operation], list[LlmCall]] = defaultdict(list)
    for call in calls:
        if call.calls:
            places[_parent_of(call, steps), call.operation].append(call)
    found: dict[int, tuple[CallSignal, ...]] = {}
    for together in places.values():
        unanswered: list[LlmCall] = []  # failed calls that nothing has followed yet
        for call in sorted(together, key=lambda one: (one.started_at, one.call_id)):
            failed = _followed(call, unanswered)
            if failed is not None:
                unanswered.remove(failed)
                is_same = not _models(call).isdisjoint(_models(failed))
                found[id(call)] = (CallSignal.RETRY if is_same else CallSignal.FALLBACK,)
            if call.status in _FAILED:
                unanswered.append(call)
    return found


def _parent_of(call: LlmCall, steps: Mapping[Place, Step]) -> Place:
    """Return the step on whose behalf it was made: parallel items have one each."""
    step = steps.get(_place(call, call.step_id))
    return _place(call, step.parent_step_id if step else None)


def _followed(call: LlmCall, unanswered: Sequence[LlmCall]) -> LlmCall | None:
    """Return the failed call that this one follows: of the same model, else the last to end."""
    ended = [one for one in unanswered if _ended_at(one) <= call.started_at]
    same = [one for one in ended if not _models(one).isdisjoint(_models(call))]
    return max(same or ended, key=_ended_at, default=None)


def _ended_at(call: LlmCall) -> datetime:
    return call.started_at + timedelta(seconds=call.latency_seconds or 0)


def _models(call: LlmCall) -> set[str]:
    return {name for name in (call.model, call.requested_model) if name and name != "unknown"}
