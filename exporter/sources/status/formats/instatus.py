"""Instatus: the page's level and what is open, and a list of components.

https://instatus.com/help/api
"""

from collections.abc import Iterator, Sequence
from typing import cast

import msgspec

from exporter.records import Incident, IncidentPhase, StatusLevel, UnknownCause
from exporter.sources.status import stated
from exporter.sources.status.reading import Component, Page, PageContent, UnknownStatusError

_PAGE_LEVELS = {
    "up": StatusLevel.OPERATIONAL,
    "undermaintenance": StatusLevel.MAINTENANCE,
    "hasissues": StatusLevel.DEGRADED,
}
_LEVELS = {
    "operational": StatusLevel.OPERATIONAL,
    "undermaintenance": StatusLevel.MAINTENANCE,
    "degradedperformance": StatusLevel.DEGRADED,
    "partialoutage": StatusLevel.PARTIAL_OUTAGE,
    "minoroutage": StatusLevel.PARTIAL_OUTAGE,
    "majoroutage": StatusLevel.MAJOR_OUTAGE,
}
_INCIDENT_PHASES = {"resolved": IncidentPhase.RESOLVED}
_MAINTENANCE_PHASES = {
    "notstartedyet": IncidentPhase.SCHEDULED,
    "completed": IncidentPhase.RESOLVED,
}


class _Head(msgspec.Struct):
    status: str
    name: str = ""


class _Event(msgspec.Struct, rename="camel"):
    id: str
    name: str
    status: str
    impact: str | None = None
    started: str | None = None
    start: str | None = None
    url: str | None = None
    updated_at: str | None = None


class _Summary(msgspec.Struct, rename="camel"):
    page: _Head
    active_incidents: list[_Event] | None = None  # left out when empty
    active_maintenances: list[_Event] | None = None  # left out when empty


class _Row(msgspec.Struct):
    id: str
    name: str
    status: str
    group: object = None
    children: "list[_Row] | None" = None


class _Listed(msgspec.Struct):
    components: list[_Row] | None


_EITHER = cast("type[_Listed | list[_Row]]", _Listed | list[_Row])


def read(page: Page) -> PageContent:
    """Read the page; its incidents name no components, and what is over is gone."""
    summary, rows = _answers(page)
    found = list(_flat(rows))
    groups = [stated.level(_LEVELS, row.status) for row, _ in found if row.children]
    events = [(one, False) for one in summary.active_incidents or []]
    events += [(one, True) for one in summary.active_maintenances or []]
    return PageContent(
        name=stated.title(summary.page.name),
        level=stated.together([stated.level(_PAGE_LEVELS, summary.page.status), *groups]),
        raw=summary.page.status,
        components=tuple(_component(row, group) for row, group in found if not row.children),
        incidents=tuple(_incident(one, page, is_maintenance=planned) for one, planned in events),
        links_incidents=False,
    )


def _answers(page: Page) -> tuple[_Summary, Sequence[_Row]]:
    """Return the summary and the list of components, which older pages have not."""
    try:
        summary = page.json("v3/summary.json", _Summary)
    except UnknownStatusError as error:
        if error.cause is not UnknownCause.MOVED:
            raise
        return page.json("summary.json", _Summary), ()
    listed = page.json("v3/components.json", _EITHER)
    return summary, listed if isinstance(listed, list) else listed.components or []


def _flat(rows: Sequence[_Row], group: str | None = None) -> Iterator[tuple[_Row, str | None]]:
    """Yield each row, and those that a group holds, with the name of the group."""
    for row in rows:
        yield row, group
        yield from _flat(row.children or [], stated.title(row.name))


def _component(row: _Row, group: str | None) -> Component:
    match row.group:
        case str(name) | {"name": str(name)}:
            group = group or stated.title(name)
        case _:
            pass
    return Component(
        component_id=row.id,
        name=stated.title(row.name),
        group=group,
        level=stated.level(_LEVELS, row.status),
        raw=row.status,
    )


def _incident(told: _Event, page: Page, *, is_maintenance: bool) -> Incident:
    phases = _MAINTENANCE_PHASES if is_maintenance else _INCIDENT_PHASES
    phase = phases.get(told.status.strip().lower(), IncidentPhase.OPEN)
    impact = told.impact or ("maintenance" if is_maintenance else "")
    started_at = stated.time(told.start if is_maintenance else told.started) or page.now
    changed_at = stated.time(told.updated_at)
    return Incident(
        incident_id=told.id,
        title=stated.title(told.name),
        phase=phase,
        level=_level(impact, is_maintenance=is_maintenance),
        impact=impact,
        status=told.status,
        is_maintenance=is_maintenance,
        started_at=started_at,
        updated_at=changed_at,
        resolved_at=(changed_at or started_at) if phase is IncidentPhase.RESOLVED else None,
        url=stated.link(told.url) or stated.link(page.url),
    )


def _level(impact: str, *, is_maintenance: bool) -> StatusLevel:
    """Return what an impact means; one in a word that we do not know is at least felt."""
    if is_maintenance:
        return StatusLevel.MAINTENANCE
    known = stated.level(_LEVELS, impact)
    return StatusLevel.DEGRADED if known is None else known
