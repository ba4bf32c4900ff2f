"""Google Cloud's incidents, open and past, in one list; what is well is not on it.

https://status.cloud.google.com/incidents.schema.json
"""

import re
from collections.abc import Sequence
from datetime import datetime

import msgspec

from exporter.records import Incident, IncidentPhase, IncidentUpdate, StatusLevel, UnknownCause
from exporter.sources.status import stated
from exporter.sources.status.reading import Component, Page, PageContent, UnknownStatusError

_LEVELS = {
    "available": StatusLevel.OPERATIONAL,
    "service_information": StatusLevel.OPERATIONAL,
    "service_disruption": StatusLevel.DEGRADED,
    "service_outage": StatusLevel.MAJOR_OUTAGE,
}
_MARKDOWN = re.compile(r"[*#`]+")


class Named(msgspec.Struct):
    """A product or a place; titles change, ids do not."""

    id: str
    title: str


class Update(msgspec.Struct):
    """What was said at one time."""

    status: str | None = None
    text: str | None = None
    when: str | None = None
    created: str | None = None


class GcpIncident(msgspec.Struct):
    """An incident; without `end` it is open."""

    id: str
    begin: str
    status_impact: str | None
    end: str | None = None
    created: str | None = None
    modified: str | None = None
    external_desc: str | None = None
    service_name: str | None = None  # often "Multiple Products"
    severity: str | None = None
    uri: str | None = None
    affected_products: list[Named] | None = None
    currently_affected_locations: list[Named] | None = None
    previously_affected_locations: list[Named] | None = None
    most_recent_update: Update | None = None
    updates: list[Update] | None = None


def read(page: Page) -> PageContent:
    """Read the list; a product without an open incident in our regions is well."""
    told = page.json("incidents.json", list[GcpIncident])
    if not told:  # it would be all green, and was never seen
        raise UnknownStatusError(UnknownCause.UNPARSABLE, "a list without even a past incident")
    kept = [(one, _incident(one, page)) for one in told if _touches(one, page.regions)]
    return PageContent(
        level=StatusLevel.OPERATIONAL,
        raw="",
        components=_components(kept),
        incidents=tuple(incident for _, incident in kept),
        newest_at=stated.newest(stated.time(one.modified or one.begin) for one in told),
        lists_components=False,
    )


def _touches(told: GcpIncident, regions: Sequence[str]) -> bool:
    """Whether it is in one of the regions; one that names no place may be everywhere."""
    places = told.currently_affected_locations or told.previously_affected_locations
    if not regions or not places:
        return True
    return any(_is_in(one.id.lower(), region) for one in places for region in regions)


def _is_in(place: str, region: str) -> bool:
    """Whether a place is or may be in a region; one without a hyphen is wider than a region."""
    return "-" not in place or place == region or place.startswith(f"{region}-")


def _components(kept: Sequence[tuple[GcpIncident, Incident]]) -> tuple[Component, ...]:
    """List all products that were ever named, so that they can be chosen by id."""
    found: dict[tuple[str, str], tuple[StatusLevel, str]] = {}
    for told, incident in kept:
        is_open = incident.phase is IncidentPhase.OPEN
        says = (incident.level, incident.impact) if is_open else (StatusLevel.OPERATIONAL, "")
        for product in told.affected_products or []:
            key = (product.id, stated.title(product.title))
            found[key] = max(found.get(key, says), says)
    return tuple(
        Component(component_id=product_id, name=title, level=level, raw=raw)
        for (product_id, title), (level, raw) in found.items()
    )


def _incident(told: GcpIncident, page: Page) -> Incident:
    newest = told.most_recent_update or Update()
    ended_at = _ended(told, newest, page.now)
    description = _MARKDOWN.sub("", told.external_desc or "")
    impact = told.status_impact or ""
    level = max(_level(impact), _level(newest.status or impact))
    if level is StatusLevel.DEGRADED and told.severity == "high":
        level = StatusLevel.PARTIAL_OUTAGE
    return Incident(
        incident_id=told.id,
        title=stated.title(description) or stated.title(told.service_name),
        phase=IncidentPhase.OPEN if ended_at is None else IncidentPhase.RESOLVED,
        level=level,
        impact=impact,
        status=newest.status or "",
        started_at=stated.time(told.begin) or stated.time(told.created) or page.now,
        published_at=stated.time(told.created),
        updated_at=stated.time(told.modified) or stated.time(newest.when),
        resolved_at=ended_at,
        url=stated.link(f"{page.url.rstrip('/')}/{told.uri or ''}"),
        components=tuple(sorted({stated.title(p.title) for p in told.affected_products or []})),
        updates=tuple(
            IncidentUpdate(
                update_id=update.created or update.when or "",
                at=stated.time(update.when or update.created) or page.now,
                status=update.status or "",
                body=stated.body(update.text),
            )
            for update in told.updates or []
            if update.created or update.when
        ),
    )


def _ended(told: GcpIncident, newest: Update, now: datetime) -> datetime | None:
    """Return when it ended: its end, or else its last update says that all is well."""
    if (ended_at := stated.time(told.end)) and ended_at <= now:
        return ended_at
    if (newest.status or "").strip().upper() == "AVAILABLE":
        return stated.time(newest.when) or stated.time(told.modified) or now
    return None


def _level(word: str) -> StatusLevel:
    return _LEVELS.get(word.strip().lower(), StatusLevel.DEGRADED)
