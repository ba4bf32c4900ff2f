"""A page that answers /api/v2 → what it says."""

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress

from exporter.records import (
    Incident,
    IncidentPhase,
    IncidentUpdate,
    StatusLevel,
    UnknownCause,
)
from exporter.sources.status import stated
from exporter.sources.status.answers_v2 import (
    COMPONENT_LEVELS,
    IMPACT_LEVELS,
    Components,
    ComponentV2,
    Incidents,
    IncidentV2,
    Summary,
    UpdateV2,
)
from exporter.sources.status.reading import Component, Page, PageContent, UnknownStatusError

_INCIDENT_PHASES = {
    "resolved": IncidentPhase.RESOLVED,
    "postmortem": IncidentPhase.RESOLVED,
}
_MAINTENANCE_PHASES = {
    "scheduled": IncidentPhase.SCHEDULED,
    "completed": IncidentPhase.RESOLVED,
}
_ULID = re.compile(r"[0-9A-HJKMNP-TV-Z]{26}")


def read_v2(page: Page, *, by_incidentio: bool) -> PageContent:
    """Read the summary, and where it is wanted the past.

    `by_incidentio`: the page has ULIDs for ids, a list of components that is longer than that of
    its summary, and incidents that name no component.

    Raises:
        UnknownStatusError: no answer, or one of the other make.
    """
    summary = page.json("api/v2/summary.json", Summary)
    listed = summary.components or []
    ids = [summary.page.id, *(one.id for one in listed)]
    if by_incidentio != any(map(_ULID.fullmatch, ids)):
        raise UnknownStatusError(
            UnknownCause.UNPARSABLE, "ids of Statuspage and of incident.io look otherwise"
        )
    if by_incidentio:
        apart = page.json("api/v2/components.json", Components).components or []
        listed = [*apart, *listed]
    components = _components(listed)
    present = {one.id for one in summary.incidents or []}
    told = [(one, False) for one in summary.incidents or []]
    told += [(one, False) for one in _past(page) if one.id not in present]
    told += [(one, True) for one in summary.scheduled_maintenances or []]
    labels = {one.component_id: one.label for one in components}
    indicator = summary.status.indicator
    groups = [one.status for one in listed if one.group]
    return PageContent(
        name=stated.title(summary.page.name),
        level=stated.together(
            [
                stated.level(IMPACT_LEVELS, indicator),
                *(stated.level(COMPONENT_LEVELS, one) for one in groups),
            ]
        ),
        raw=indicator,
        components=components,
        incidents=tuple(
            incident_v2(one, page, labels, is_maintenance=planned) for one, planned in told
        ),
        newest_at=stated.newest(map(stated.time, _times(summary, listed))),
        links_incidents=not by_incidentio,
    )


def _past(page: Page) -> Sequence[IncidentV2]:
    """Return the newest incidents, if they are wanted and to be had: the present does not wait."""
    with suppress(UnknownStatusError):
        if page.wants_history:
            return page.json("api/v2/incidents.json", Incidents).incidents or []
    return []


def _times(summary: Summary, listed: Sequence[ComponentV2]) -> list[str | None]:
    planned = [*(summary.incidents or []), *(summary.scheduled_maintenances or [])]
    return [
        summary.page.updated_at,
        *(one.updated_at for one in listed),
        *(one.updated_at or one.created_at for one in planned),
    ]


def _components(listed: Sequence[ComponentV2]) -> tuple[Component, ...]:
    groups = {one.id: stated.title(one.name) for one in listed if one.group}
    found = [
        Component(
            component_id=one.id,
            name=stated.title(one.name),
            group=groups.get(one.group_id or ""),
            level=stated.level(COMPONENT_LEVELS, one.status),
            raw=one.status,
        )
        for one in listed
        if not one.group
    ]
    return tuple(dict.fromkeys(found))


def incident_v2(
    told: IncidentV2, page: Page, labels: Mapping[str, str], *, is_maintenance: bool
) -> Incident:
    """Return an incident; `labels` are those of components, by id."""
    updates = told.incident_updates or []
    impact = told.impact or ("maintenance" if is_maintenance else "")
    phases = _MAINTENANCE_PHASES if is_maintenance else _INCIDENT_PHASES
    phase = phases.get(told.status.strip().lower(), IncidentPhase.OPEN)
    published_at = stated.time(told.created_at)
    begins = told.scheduled_for if is_maintenance else told.started_at
    started_at = stated.time(begins) or published_at or page.now
    changed_at = stated.time(told.updated_at)
    return Incident(
        incident_id=told.id,
        title=stated.title(told.name) or stated.title(updates[-1].body if updates else None),
        phase=phase,
        level=_level(impact, is_maintenance=is_maintenance),
        impact=impact,
        status=told.status,
        is_maintenance=is_maintenance,
        started_at=started_at,
        published_at=published_at,
        updated_at=changed_at,
        resolved_at=(stated.time(told.resolved_at) or changed_at or started_at)
        if phase is IncidentPhase.RESOLVED
        else None,
        url=stated.link(told.shortlink) or stated.link(page.url),
        components=_named(told, updates, labels),
        updates=tuple(
            IncidentUpdate(
                update_id=update.id,
                at=stated.time(update.display_at) or stated.time(update.created_at) or started_at,
                status=update.status or "",
                body=stated.body(update.body),
            )
            for update in updates
        ),
    )


def _named(
    told: IncidentV2, updates: Sequence[UpdateV2], labels: Mapping[str, str]
) -> tuple[str, ...]:
    """Return what an incident names: its last record may not any more, earlier updates still do."""
    affected = [one for update in updates for one in update.affected_components or []]
    named = {one.code: one.name for one in affected if one.code}
    named |= {one.id: one.name for one in told.components or []}
    found = {labels.get(one) or stated.title(name or one) for one, name in named.items()}
    return tuple(sorted(found))


def _level(impact: str, *, is_maintenance: bool) -> StatusLevel:
    """Return what an impact means; one in a word that we do not know is at least felt."""
    if is_maintenance:
        return StatusLevel.MAINTENANCE
    known = stated.level(IMPACT_LEVELS, impact)
    return StatusLevel.DEGRADED if known is None else known
