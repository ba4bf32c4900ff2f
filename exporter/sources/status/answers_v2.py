"""What /api/v2 answers: Statuspage invented it, others imitate it.

https://www.githubstatus.com/api
"""

import msgspec

from exporter.records import StatusLevel

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
    status: str
    name: str | None = None
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
