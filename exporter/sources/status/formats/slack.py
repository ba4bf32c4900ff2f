"""Slack's own status, API v2.0.0.

https://slack-status.com/api/v2.0.0/current, told in Slack's "Slack Status API"
"""

from collections.abc import Sequence
from contextlib import suppress

import msgspec

from exporter.records import Incident, IncidentPhase, IncidentUpdate, StatusLevel
from exporter.sources.status import stated
from exporter.sources.status.reading import Component, Page, PageContent, UnknownStatusError

_LEVELS = {
    "notice": StatusLevel.OPERATIONAL,  # for information
    "maintenance": StatusLevel.MAINTENANCE,
    "incident": StatusLevel.DEGRADED,
    "outage": StatusLevel.MAJOR_OUTAGE,
}
_PHASES = {
    "scheduled": IncidentPhase.SCHEDULED,
    "resolved": IncidentPhase.RESOLVED,
    "completed": IncidentPhase.RESOLVED,
    "cancelled": IncidentPhase.RESOLVED,
}


class Note(msgspec.Struct):
    """What was said at one time."""

    date_created: str
    body: str | None = None


class SlackIncident(msgspec.Struct):
    """An incident, a notice or a maintenance; all times bear the offset of Slack's own zone."""

    id: int | str
    status: str
    type: str
    title: str | None = None
    url: str | None = None
    date_created: str | None = None
    date_updated: str | None = None
    services: list[str] | None = None
    notes: list[Note] | None = None


class Current(msgspec.Struct):
    """current."""

    status: str
    active_incidents: list[SlackIncident] | None
    date_updated: str | None = None


def read(page: Page) -> PageContent:
    """Read what is going on, and where it is wanted the past; what is well is not on the page."""
    current = page.json("api/v2.0.0/current", Current)
    active = current.active_incidents or []
    incidents = [_incident(one, page) for one in [*active, *_past(page)]]
    word = current.status.strip().lower()
    is_understood = word == "ok" or (word == "active" and bool(active))
    return PageContent(
        level=StatusLevel.OPERATIONAL if is_understood else None,
        raw=current.status,
        components=tuple(
            Component(component_id=name, name=name, level=incident.level, raw=incident.impact)
            for incident in incidents
            if incident.phase is IncidentPhase.OPEN
            for name in incident.components
        ),
        incidents=tuple(incidents),
        newest_at=stated.newest(
            stated.time(at) for at in (current.date_updated, *(one.date_updated for one in active))
        ),
        lists_components=False,
    )


def _past(page: Page) -> Sequence[SlackIncident]:
    """Return past incidents, if they are wanted and to be had: the present does not wait."""
    with suppress(UnknownStatusError):
        if page.wants_history:
            return page.json("api/v2.0.0/history", list[SlackIncident])
    return []


def _incident(told: SlackIncident, page: Page) -> Incident:
    services = tuple(sorted({stated.title(one) for one in told.services or []} - {""}))
    level = stated.level(_LEVELS, told.type)
    if level is None:
        level = StatusLevel.DEGRADED
    elif level is StatusLevel.DEGRADED and len(services) > 1:
        level = StatusLevel.PARTIAL_OUTAGE
    phase = _PHASES.get(told.status.strip().lower(), IncidentPhase.OPEN)
    created_at, updated_at = stated.time(told.date_created), stated.time(told.date_updated)
    return Incident(
        incident_id=str(told.id),
        title=stated.title(told.title),
        phase=phase,
        level=level,
        impact=told.type,
        status=told.status,
        is_maintenance=told.type.strip().lower() == "maintenance",
        started_at=created_at or page.now,
        published_at=created_at,
        updated_at=updated_at,
        resolved_at=(updated_at or page.now) if phase is IncidentPhase.RESOLVED else None,
        url=stated.link(told.url) or stated.link(page.url),
        components=services,
        updates=tuple(
            IncidentUpdate(
                update_id=note.date_created,
                at=stated.time(note.date_created) or page.now,
                status="",
                body=stated.body(note.body),
            )
            for note in told.notes or []
        ),
    )
