"""What a program should know of what it told: a typo, or what was not taken as it was meant."""

from collections.abc import Collection, Iterator, Mapping
from datetime import timedelta
from difflib import get_close_matches
from functools import cache, lru_cache
from typing import Any

from pydantic import AliasChoices

from exporter.pushed.parts import Said
from exporter.pushed.said import SaidAchievement, SaidExecution, SaidOutcome
from exporter.pushed.values import json_of, shortened
from exporter.pushed.words import KNOWN_KINDS, KNOWN_OPERATIONS, kind_named, operation_named

_TOLERANCE = timedelta(seconds=1)


def notes_of(said: SaidExecution | SaidOutcome) -> Iterator[str]:
    """Yield what is worth a word; the same matter in the same words, so that it can be counted."""
    if isinstance(said, SaidOutcome):
        yield from _achievement_notes(said, "")
        if said.id is None and said.execution_id is None and said.at is None:
            yield "without id, execution_id or at it counts again if it is sent again"
        return
    yield from _unknown(said, "", "was kept in attributes")
    yield from _cut(said.attributes, "attributes")
    yield from _time_notes(said)
    if said.error is not None:
        yield from _unknown(said.error, "error: ", "was left out")
    yield from _step_notes(said)
    yield from _call_notes(said)
    for achievement in said.outcomes:
        yield from _achievement_notes(achievement, "outcomes: ")


def _achievement_notes(said: SaidAchievement, place: str) -> Iterator[str]:
    yield from _unknown(said, place, "was kept in attributes")
    yield from _cut(said.attributes, f"{place}attributes")


def _time_notes(said: SaidExecution) -> Iterator[str]:
    if not said.status.is_final:
        if said.finished_at is not None or said.duration is not None:
            yield f"it is {said.status}: finished_at and its duration were left out"
    elif said.finished_at is None and said.timestamp is None and said.duration is None:
        yield "neither duration_ms nor finished_at is told: its duration is unknown"
    elif said.started_at is not None and said.finished_at is not None:
        took = said.finished_at - said.started_at
        if took < timedelta(0):
            yield "finished_at is before started_at: its duration is unknown"
        elif said.duration is not None and abs(took - said.duration) > _TOLERANCE:
            yield "its duration is another than from started_at to finished_at, which counts"


def _step_notes(said: SaidExecution) -> Iterator[str]:
    ids = set(said.step_ids)
    for step in said.steps:
        yield from _unknown(step, "steps: ", "was kept in attributes")
        yield from _cut(step.attributes, "steps: attributes")
        if step.error is not None:
            yield from _unknown(step.error, "steps: error: ", "was left out")
        if step.kind is not None and kind_named(step.kind) is None:
            yield f"steps: kind {step.kind[:40]!r} became other; known: {KNOWN_KINDS}"
        if step.parent_step_id is not None and step.parent_step_id not in ids:
            yield f"steps: parent_step_id {step.parent_step_id[:40]!r} is no step of this run"


def _call_notes(said: SaidExecution) -> Iterator[str]:
    steps = {*said.step_ids, *(step.name for step in said.steps)}
    for call in said.llm_calls:
        yield from _unknown(call, "llm_calls: ", "was left out")
        if call.error is not None:
            yield from _unknown(call.error, "llm_calls: error: ", "was left out")
        if call.operation is not None and operation_named(call.operation) is None:
            known = f"known: {KNOWN_OPERATIONS}"
            yield f"llm_calls: operation {call.operation[:40]!r} became other; {known}"
        if said.steps and call.step_id is not None and call.step_id not in steps:
            yield f"llm_calls: step_id {call.step_id[:40]!r} is no step of this run"


def typos_in(document: object, model: type[Said]) -> Iterator[str]:
    """Yield the keys of a document that look like one that is known."""
    if isinstance(document, dict):
        for key in document:
            if key not in _known(model) and (hint := _hint(model, key[:40])):
                yield f"unknown key {key[:40]!r}{hint}"


def _unknown(said: Said, place: str, fate: str) -> Iterator[str]:
    for key in said.model_extra or ():
        yield f"{place}unknown key {key[:40]!r} {fate}{_hint(type(said), key[:40])}"


@lru_cache(maxsize=1024)
def _hint(model: type[Said], key: str) -> str:
    close = get_close_matches(key, _known(model), 1, 0.75)
    return f" (did you mean {close[0]!r}?)" if close else ""


@cache
def _known(model: type[Said]) -> Collection[str]:
    names: set[str] = set()
    for name, field in model.model_fields.items():
        alias = field.validation_alias
        names |= set(map(str, alias.choices)) if isinstance(alias, AliasChoices) else {name}
    return sorted(names)


def _cut(attributes: Mapping[str, Any], place: str) -> Iterator[str]:
    if attributes and (whole := json_of(attributes)) != shortened(whole):
        yield f"{place}: more than 4,096 characters of a text, or 256 of a list, were left out"
