"""What status pages say, made up."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from exporter.records import (
    ComponentStatus,
    Incident,
    IncidentPhase,
    PageReading,
    StatusLevel,
    UnknownCause,
)

SOURCE = "status_pages"
Said = StatusLevel | UnknownCause


def reading(
    at: datetime,
    said: Said = StatusLevel.OPERATIONAL,
    components: Mapping[str, Said] | None = None,
    *,
    believed_for: timedelta = timedelta(minutes=10),
    **facts: Any,
) -> PageReading:
    """What a page says; one that is not known says nothing of its components and incidents."""
    told = {"": said, **(components or {})}
    return PageReading(
        **{
            "source": SOURCE,
            "page": "openai",
            "title": "OpenAI",
            "url": "https://status.openai.com",
            "kind": "incidentio",
            "providers": ("openai",),
            "alert": "used",
            "is_selective": True,
            "observed_at": at,
            "believed_until": at + believed_for,
            "statuses": tuple(_status(component, one) for component, one in told.items()),
            "is_complete": isinstance(said, StatusLevel),
            **facts,
        }
    )


def _status(component: str, said: Said) -> ComponentStatus:
    if isinstance(said, UnknownCause):
        return ComponentStatus(component=component, level=None, raw=said, cause=said)
    return ComponentStatus(component=component, level=said, raw=said.name)


def incident(started_at: datetime, **facts: Any) -> Incident:
    """An incident that is open, if nothing else is said."""
    return Incident(
        **{
            "incident_id": "i1",
            "title": "Elevated errors",
            "phase": IncidentPhase.OPEN,
            "level": StatusLevel.PARTIAL_OUTAGE,
            "impact": "major",
            "status": "investigating",
            "started_at": started_at.astimezone(UTC),
            **facts,
        }
    )
