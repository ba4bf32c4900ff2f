"""What two status pages said of the last days, made up, and written as a poll writes it."""

from __future__ import annotations

from datetime import datetime, timedelta

from exporter.records import Incident, IncidentPhase, IncidentUpdate, StatusLevel, UnknownCause
from tests.spend_records import writer
from tests.status_records import incident, reading

HOUR = timedelta(hours=1)


def write_status_history(url: str, now: datetime) -> None:
    """Fill a database: an incident that is over, one that is not, and a page that is unknown."""
    began = now - 50 * HOUR
    over = incident(
        began,
        incident_id="over",
        title="Errors <b>&</b> timeouts",
        phase=IncidentPhase.RESOLVED,
        status="resolved",
        published_at=began + HOUR / 6,
        resolved_at=began + 2 * HOUR,
        url="https://status.openai.com/incidents/over",
        components=("Chat Completions",),
    )
    still_open = incident(
        now - HOUR / 2,
        incident_id="open",
        level=StatusLevel.MAJOR_OUTAGE,
        published_at=now - HOUR / 3,
        url="https://status.openai.com/incidents/open",
        components=("Responses",),
        updates=(IncidentUpdate(update_id="1", at=now, status="investigating", body="We look."),),
    )
    told: list[tuple[datetime, StatusLevel, tuple[Incident, ...]]] = [
        (now - 60 * HOUR, StatusLevel.OPERATIONAL, ()),
        (began + HOUR / 6, StatusLevel.PARTIAL_OUTAGE, ()),
        (began + 2 * HOUR, StatusLevel.OPERATIONAL, (over,)),
        *((now - hours * HOUR, StatusLevel.OPERATIONAL, (over,)) for hours in (40, 20, 3)),
        (now - HOUR / 3, StatusLevel.MAJOR_OUTAGE, (over, still_open)),
    ]
    with writer(url, now) as into:
        pages = [
            reading(at, level, believed_for=4 * HOUR, incidents=incidents, is_selective=False)
            for at, level, incidents in told
        ]
        claude = {"page": "anthropic", "title": "Claude", "providers": ("anthropic",)}
        pages += [
            reading(now - 60 * HOUR, StatusLevel.OPERATIONAL, **claude),
            reading(now - HOUR, UnknownCause.UNREACHABLE, believed_for=4 * HOUR, **claude),
        ]
        into.write("status_pages", pages, role="status")
