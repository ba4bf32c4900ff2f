"""Status.io, on its own host: the address of a page ends in the page's id.

https://kb.status.io/developers/public-status-api
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import chain

import msgspec

from exporter.records import Incident, IncidentPhase, IncidentUpdate, StatusLevel
from exporter.sources.status import stated
from exporter.sources.status.reading import Component, Page, PageContent

_LEVELS = {
    "100": StatusLevel.OPERATIONAL,
    "200": StatusLevel.MAINTENANCE,
    "300": StatusLevel.DEGRADED,
    "400": StatusLevel.PARTIAL_OUTAGE,
    "500": StatusLevel.MAJOR_OUTAGE,
    "600": StatusLevel.MAJOR_OUTAGE,
}
_STATES = {"100": "investigating", "200": "identified", "300": "monitoring", "400": "resolved"}
_OPEN = IncidentPhase.OPEN
_SCHEDULED = IncidentPhase.SCHEDULED


_Parts = Mapping[str, Sequence[Component]]
"""A component and its containers, by its id."""


class _Overall(msgspec.Struct):
    status_code: int | str
    status: str | None = None
    updated: str | None = None


class _Container(msgspec.Struct):
    id: str
    name: str
    status_code: int | str
    status: str | None = None


class _Part(_Container, kw_only=True):
    containers: list[_Container] | None
    updated: str | None = None


class _Affected(msgspec.Struct):
    id: str = msgspec.field(name="_id")


class _Message(msgspec.Struct):
    details: str | None = None
    datetime: str | None = None
    state: int | str | None = None
    status: int | str | None = None


class _Event(msgspec.Struct):
    name: str
    id: str = msgspec.field(name="_id")
    datetime_open: str | None = None
    datetime_planned_start: str | None = None
    messages: list[_Message] | None = None
    components_affected: list[_Affected] | None = None
    containers_affected: list[_Affected] | None = None


class _Maintenance(msgspec.Struct):
    active: list[_Event] | None
    upcoming: list[_Event] | None


class _Result(msgspec.Struct):
    status_overall: _Overall
    status: list[_Part] | None
    incidents: list[_Event] | None
    maintenance: _Maintenance | None


class _Answer(msgspec.Struct):
    result: _Result


def read(page: Page) -> PageContent:
    """Read the page; it tells what is open and what is planned, not what is over."""
    found = page.json("", _Answer).result
    overall = found.status_overall
    parts = {part.id: tuple(_components(part)) for part in found.status or []}
    planned = found.maintenance or _Maintenance([], [])
    events = [
        *(_incident(one, parts, page) for one in found.incidents or []),
        *(_maintenance(one, parts, page, _OPEN) for one in planned.active or []),
        *(_maintenance(one, parts, page, _SCHEDULED) for one in planned.upcoming or []),
    ]
    return PageContent(
        level=stated.level(_LEVELS, overall.status_code),
        raw=overall.status or str(overall.status_code),
        components=tuple(chain.from_iterable(map(_components, found.status or []))),
        incidents=tuple(events),
        newest_at=stated.newest(
            map(stated.time, [overall.updated, *(part.updated for part in found.status or [])])
        ),
    )


def _components(part: _Part) -> Iterator[Component]:
    """Yield a component, as bad as its worst container, and its containers if it has several."""
    containers = part.containers or []
    codes = [part.status_code, *(one.status_code for one in containers)]
    yield _component(part, stated.together(stated.level(_LEVELS, code) for code in codes))
    if len(containers) > 1:
        for one in containers:
            yield _component(one, stated.level(_LEVELS, one.status_code), stated.title(part.name))


def _component(told: _Container, level: StatusLevel | None, group: str | None = None) -> Component:
    return Component(
        component_id=told.id,
        name=stated.title(told.name),
        group=group,
        level=level,
        raw=told.status or str(told.status_code),
    )


def _incident(told: _Event, parts: _Parts, page: Page) -> Incident:
    """Return an incident: as bad as the worst that its messages state, over if the last says so."""
    messages = told.messages or []
    codes = [one.status for one in messages]
    level = stated.together(stated.level(_LEVELS, code) for code in codes)
    last = max(messages, key=lambda one: _at(one, page), default=_Message())
    phase = IncidentPhase.RESOLVED if _state(last) == "resolved" else _OPEN
    return Incident(
        incident_id=told.id,
        title=stated.title(told.name),
        phase=phase,
        level=StatusLevel.DEGRADED if level is None or not codes else level,
        impact=max((str(code) for code in codes if code is not None), default=""),
        status=_state(last),
        started_at=stated.time(told.datetime_open) or page.now,
        updated_at=stated.time(last.datetime),
        resolved_at=_at(last, page) if phase is IncidentPhase.RESOLVED else None,
        components=_named(told, parts),
        updates=tuple(_update(one, _state(one), page) for one in messages),
    )


def _maintenance(told: _Event, parts: _Parts, page: Page, phase: IncidentPhase) -> Incident:
    opened_at = stated.time(told.datetime_open)
    return Incident(
        incident_id=told.id,
        title=stated.title(told.name),
        phase=phase,
        level=StatusLevel.MAINTENANCE,
        impact="maintenance",
        status=phase,
        is_maintenance=True,
        started_at=stated.time(told.datetime_planned_start) or opened_at or page.now,
        published_at=opened_at,
        components=_named(told, parts),
        updates=tuple(_update(one, "", page) for one in told.messages or []),
    )


def _named(told: _Event, parts: _Parts) -> tuple[str, ...]:
    """Return which components an event names, and which of their containers."""
    within = {one.id for one in told.containers_affected or []}
    return tuple(
        component.label
        for affected in told.components_affected or []
        for component in parts.get(affected.id, ())
        if component.group is None or not within or component.component_id in within
    )


def _at(told: _Message, page: Page) -> datetime:
    return stated.time(told.datetime) or page.now


def _state(told: _Message) -> str:
    return _STATES.get(str(told.state), "")


def _update(told: _Message, status: str, page: Page) -> IncidentUpdate:
    at = _at(told, page)
    return IncidentUpdate(
        update_id=at.isoformat(), at=at, status=status, body=stated.body(told.details)
    )
