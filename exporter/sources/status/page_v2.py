"""The answers of /api/v2, which Statuspage invented and others imitate."""

from dataclasses import dataclass
from datetime import datetime

import msgspec

from exporter.records import Incident, IncidentPhase, IncidentUpdate, StatusLevel
from exporter.sources.status import stated
from exporter.sources.status.reading import Component, Page

COMPONENT_LEVELS = {
    "operational": StatusLevel.OPERATIONAL,
    "under_maintenance": StatusLevel.MAINTENANCE,
    "degraded_performance": StatusLevel.DEGRADED,
    "partial_outage": StatusLevel.PARTIAL_OUTAGE,
    "major_outage": StatusLevel.MAJOR_OUTAGE,
    "full_outage": StatusLevel.MAJOR_OUTAGE,
}
IMPACT_LEVELS = {
    "none": StatusLevel.OPERATIONAL,
    "maintenance": StatusLevel.MAINTENANCE,
    "minor": StatusLevel.DEGRADED,
    "major": StatusLevel.PARTIAL_OUTAGE,
    "critical": StatusLevel.MAJOR_OUTAGE,
}
_PHASES = {
    "scheduled": IncidentPhase.SCHEDULED,
    "resolved": IncidentPhase.RESOLVED,
    "postmortem": IncidentPhase.RESOLVED,
    "completed": IncidentPhase.RESOLVED,
}


class Head(msgspec.Struct):
    """`page`."""

    id: str
    name: str = ""
    updated_at: str | None = None


class Headline(msgspec.Struct):
    """`status`."""

    indicator: str


class ComponentV2(msgspec.Struct):
    """A component, or a group of them."""

    id: str
    name: str
    status: str
    group: bool | None = None
    group_id: str | None = None
    updated_at: str | None = None


class Affected(msgspec.Struct):
    """A component as an update names it."""

    name: str | None = None
    code: str | None = None


class UpdateV2(msgspec.Struct):
    """An update of an incident."""

    id: str
    status: str | None = None
    body: str | None = None
    created_at: str | None = None
    display_at: str | None = None
    affected_components: list[Affected] | None = None


class Linked(msgspec.Struct):
    """A component as an incident names it."""

    id: str
    name: str = ""


class IncidentV2(msgspec.Struct):
    """An incident or a scheduled maintenance."""

    id: str
    name: str
    status: str
    impact: str | None = None
    created_at: str | None = None
    started_at: str | None = None
    updated_at: str | None = None
    resolved_at: str | None = None
    scheduled_for: str | None = None
    shortlink: str | None = None
    components: list[Linked] | None = None
    incident_updates: list[UpdateV2] | None = None


class Components(msgspec.Struct):
    """components.json."""

    components: list[ComponentV2] | None


class Incidents(msgspec.Struct):
    """incidents.json: the newest fifty."""

    incidents: list[IncidentV2] | None


class Summary(msgspec.Struct):
    """summary.json."""

    page: Head
    status: Headline
    components: list[ComponentV2] | None
    incidents: list[IncidentV2] | None
    scheduled_maintenances: list[IncidentV2] | None = None


@dataclass(frozen=True, slots=True)
class PageV2:
    """What the kinds of /api/v2 have in common, read."""

    summary: Summary
    components: tuple[Component, ...]
    incidents: tuple[Incident, ...]

    @property
    def newest_at(self) -> datetime | None:
        """The newest time that anything on the page is of."""
        times = [self.summary.page.updated_at]
        times += [one.updated_at for one in self.summary.components or []]
        incidents = [one.updated_at or one.started_at for one in self.incidents]
        return stated.newest([*map(stated.time, times), *incidents])


def read_v2(page: Page, *, components_apart: bool) -> PageV2:
    """Read the summary, and where it is wanted the history; `components_apart`: their own list."""
    summary = page.json("api/v2/summary.json", Summary)
    listed = summary.components or []
    if components_apart:
        listed = page.json("api/v2/components.json", Components).components or []
    components = _components(listed)
    labels = {one.component_id: one.label for one in components}
    told = [(one, False) for one in summary.incidents or []]
    if page.wants_history:
        known = {one.id for one, _ in told}
        past = page.json("api/v2/incidents.json", Incidents).incidents or []
        told += [(one, False) for one in past if one.id not in known]
    told += [(one, True) for one in summary.scheduled_maintenances or []]
    return PageV2(
        summary,
        components,
        tuple(_incident(one, page, labels, is_maintenance=planned) for one, planned in told),
    )


def _components(listed: list[ComponentV2]) -> tuple[Component, ...]:
    groups = {one.id: stated.title(one.name) for one in listed if one.group}
    return tuple(
        Component(
            component_id=one.id,
            name=stated.title(one.name),
            group=groups.get(one.group_id or ""),
            level=stated.level(COMPONENT_LEVELS, one.status),
            raw=one.status,
        )
        for one in listed
        if not one.group
    )


def _incident(
    told: IncidentV2, page: Page, labels: dict[str, str], *, is_maintenance: bool
) -> Incident:
    updates = told.incident_updates or []
    # The last record of an incident may name no component any more; earlier updates still do.
    linked = {one.id: one.name for one in told.components or []} | {
        one.code: one.name or ""
        for update in updates
        for one in update.affected_components or []
        if one.code
    }
    impact = told.impact or ("maintenance" if is_maintenance else "")
    phase = _PHASES.get(told.status, IncidentPhase.OPEN)
    published_at = stated.time(told.created_at)
    begins = told.scheduled_for if is_maintenance else told.started_at
    changed_at = stated.time(told.updated_at)
    return Incident(
        incident_id=told.id,
        title=stated.title(told.name),
        phase=phase,
        level=_level(impact, is_maintenance=is_maintenance),
        impact=impact,
        status=told.status,
        is_maintenance=is_maintenance,
        started_at=stated.time(begins) or published_at or page.now,
        published_at=published_at,
        updated_at=changed_at,
        resolved_at=(stated.time(told.resolved_at) or changed_at or page.now)
        if phase is IncidentPhase.RESOLVED
        else None,
        url=stated.link(told.shortlink) or stated.link(page.url),
        components=tuple(
            sorted({labels.get(one, stated.title(name) or one) for one, name in linked.items()})
        ),
        updates=tuple(
            IncidentUpdate(
                update_id=update.id,
                at=stated.time(update.display_at) or stated.time(update.created_at) or page.now,
                status=update.status or "",
                body=stated.body(update.body),
            )
            for update in updates
        ),
    )


def _level(impact: str, *, is_maintenance: bool) -> StatusLevel:
    """Return what an impact means; one in a word that we do not know is at least felt."""
    if is_maintenance:
        return StatusLevel.MAINTENANCE
    known = stated.level(IMPACT_LEVELS, impact)
    return StatusLevel.DEGRADED if known is None else known
