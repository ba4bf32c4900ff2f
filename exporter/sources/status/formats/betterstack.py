"""Better Stack (Better Uptime): index.json of a page, in the manner of JSON:API.

https://betterstack.com/docs/uptime/status-pages/subscribing-to-status-updates/subscribing-to-api
"""

from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

from exporter.records import Incident, IncidentPhase, IncidentUpdate, StatusLevel
from exporter.sources.status import stated
from exporter.sources.status.reading import Component, Page, PageContent

_LEVELS = {
    "operational": StatusLevel.OPERATIONAL,
    "maintenance": StatusLevel.MAINTENANCE,
    "under_maintenance": StatusLevel.MAINTENANCE,
    "degraded": StatusLevel.DEGRADED,
    "downtime": StatusLevel.MAJOR_OUTAGE,
}
_NO_STATEMENT = "not_monitored"


class _Affected(msgspec.Struct):
    status_page_resource_id: int | str
    status: str | None = None


class _Attributes(msgspec.Struct):
    """Those of all types together: a section's, a resource's, a report's, an update's."""

    name: str | None = None
    public_name: str | None = None
    status: str | None = None
    status_page_section_id: int | str | None = None
    title: str | None = None
    report_type: str | None = None
    starts_at: str | None = None
    ends_at: str | None = None
    aggregate_state: str | None = None
    affected_resources: list[_Affected] | None = None
    message: str | None = None
    published_at: str | None = None
    status_report_id: int | str | None = None


class _Item(msgspec.Struct):
    type: str
    id: str
    attributes: _Attributes


class _PageAttributes(msgspec.Struct):
    aggregate_state: str
    company_name: str | None = None
    updated_at: str | None = None


class _Page(msgspec.Struct):
    type: Literal["status_page"]
    attributes: _PageAttributes


class _Index(msgspec.Struct):
    data: _Page
    included: list[_Item] | None


def read(page: Page) -> PageContent:
    """Read the page: one answer holds the components, and the incidents of the past too."""
    index = page.json("index.json", _Index)
    items = index.included or []
    components = _components(items)
    labels = {one.component_id: one.label for one in components}
    updates: dict[str, list[IncidentUpdate]] = {}
    for one in items:
        if one.type == "status_update":
            of = str(one.attributes.status_report_id)
            updates.setdefault(of, []).append(_update(one, page))
    about = index.data.attributes
    level = stated.level(_LEVELS, about.aggregate_state)
    incidents = [
        _incident(one, updates.get(one.id, []), labels, page)
        for one in items
        if one.type == "status_report"
    ]
    times = [stated.time(about.updated_at), *(one.updated_at for one in incidents)]
    return PageContent(
        name=stated.title(about.company_name),
        level=level and min(level, StatusLevel.PARTIAL_OUTAGE),  # how much is down, its parts say
        raw=about.aggregate_state,
        components=tuple(one for one in components if one.raw != _NO_STATEMENT),
        incidents=tuple(incidents),
        newest_at=stated.newest(times),
        is_sum_of_parts=True,
    )


def _components(items: Sequence[_Item]) -> list[Component]:
    sections = {
        one.id: stated.title(one.attributes.name)
        for one in items
        if one.type == "status_page_section"
    }
    return [
        Component(
            component_id=one.id,
            name=stated.title(one.attributes.public_name),
            group=sections.get(str(one.attributes.status_page_section_id)),
            level=stated.level(_LEVELS, one.attributes.status),
            raw=one.attributes.status or "",
        )
        for one in items
        if one.type == "status_page_resource"
    ]


def _incident(
    report: _Item, updates: Sequence[IncidentUpdate], labels: Mapping[str, str], page: Page
) -> Incident:
    told = report.attributes
    state = told.aggregate_state or ""
    is_maintenance = told.report_type == "maintenance"
    started_at = stated.time(told.starts_at) or page.now
    changed_at = stated.newest(one.at for one in updates)
    affected = {str(one.status_page_resource_id) for one in told.affected_resources or []}
    phase = IncidentPhase.OPEN
    if state == "resolved":
        phase = IncidentPhase.RESOLVED
    elif is_maintenance and started_at > page.now:
        phase = IncidentPhase.SCHEDULED
    return Incident(
        incident_id=report.id,
        title=stated.title(told.title),
        phase=phase,
        level=StatusLevel.MAINTENANCE if is_maintenance else _level(told, len(labels)),
        impact=state,
        status=state,
        is_maintenance=is_maintenance,
        started_at=started_at,
        updated_at=changed_at,
        # Whether it is over, `ends_at` does not tell: it is null on most reports that are.
        resolved_at=(stated.time(told.ends_at) or changed_at or started_at)
        if phase is IncidentPhase.RESOLVED
        else None,
        url=stated.link(page.url),
        components=tuple(sorted(labels[one] for one in affected & labels.keys())),
        updates=tuple(updates),
    )


def _level(told: _Attributes, total: int) -> StatusLevel:
    """Return what a report means for the whole: more than half of it down is a major outage."""
    own = stated.level(_LEVELS, told.aggregate_state)
    parts = {
        str(one.status_page_resource_id): stated.level(_LEVELS, one.status)
        for one in told.affected_resources or []
    }
    worst = stated.worst([StatusLevel.DEGRADED if own is None else own, *parts.values()])
    is_major = 2 * list(parts.values()).count(StatusLevel.MAJOR_OUTAGE) > total
    return worst if is_major else min(worst, StatusLevel.PARTIAL_OUTAGE)


def _update(told: _Item, page: Page) -> IncidentUpdate:
    return IncidentUpdate(
        update_id=told.id,
        at=stated.time(told.attributes.published_at) or page.now,
        status="",
        body=stated.body(told.attributes.message),
    )
