"""The public part of AWS Health: events that are open now, of all regions, in UTF-16.

https://health.aws.amazon.com/public/currentevents
"""

import re
from collections.abc import Mapping, Sequence

import msgspec

from exporter.records import Incident, IncidentPhase, IncidentUpdate, StatusLevel
from exporter.sources.status import stated
from exporter.sources.status.reading import Component, Page, PageContent

_LEVELS = {
    "0": StatusLevel.OPERATIONAL,
    "1": StatusLevel.OPERATIONAL,  # for information
    "2": StatusLevel.DEGRADED,
    "3": StatusLevel.MAJOR_OUTAGE,
}
_RESOLVED = re.compile(r"\s*\[resolved\]\s*", re.IGNORECASE)
_REGIONAL = re.compile(r"-\d+$")

Code = int | str
"""AWS mixes both, in one answer."""


class Impacted(msgspec.Struct):
    """A service in a region; its key is `<service>-<region>`."""

    current: Code


class Entry(msgspec.Struct):
    """What was said at one time, in epoch seconds."""

    timestamp: Code
    status: Code | None = None
    summary: str | None = None
    message: str | None = None


class Event(msgspec.Struct):
    """An event; its page forgets it soon after it was resolved."""

    arn: str
    status: Code
    date: Code
    service: str = ""
    summary: str | None = None
    end_time: Code | None = None
    event_log: list[Entry] | None = None
    impacted_services: dict[str, Impacted] | None = None


def read(page: Page) -> PageContent:
    """Read the events; none at all is all green.

    How old the newest is says nothing of the page: some have been open for months.
    """
    kept = [
        (_incident(event, page, impacted), impacted)
        for event in page.json("", list[Event])
        if (impacted := _impacted(event, page.regions)) is not None
    ]
    return PageContent(
        level=StatusLevel.OPERATIONAL,
        raw="",
        components=tuple(
            Component(
                component_id=key,
                name=stated.title(key),
                level=stated.level(_LEVELS, service.current),
                raw=str(service.current),
            )
            for incident, impacted in kept
            if incident.phase is IncidentPhase.OPEN
            for key, service in impacted.items()
        ),
        incidents=tuple(incident for incident, _ in kept),
        lists_components=False,
    )


def _impacted(event: Event, regions: Sequence[str]) -> Mapping[str, Impacted] | None:
    """Return what is impacted in the regions; None if the event touches none of them."""
    everywhere = event.impacted_services or {}
    here = {key: one for key, one in everywhere.items() if _is_in(key, regions)}
    if everywhere:
        return here or None
    arn_region = event.arn.split(":")[3:4]
    places = [place for place in (event.service, *arn_region) if _REGIONAL.search(place)]
    return {} if not places or any(_is_in(one, regions) for one in places) else None


def _is_in(place: str, regions: Sequence[str]) -> bool:
    """Whether a place is in one of the regions; one without a region is in all of them."""
    place = place.lower()
    return (
        not regions
        or not _REGIONAL.search(place)
        or any(f"-{place}".endswith(f"-{region}") for region in regions)
    )


def _incident(event: Event, page: Page, impacted: Mapping[str, Impacted]) -> Incident:
    log = event.event_log or []
    levels = [stated.level(_LEVELS, one.current) for one in impacted.values()]
    levels.append(stated.level(_LEVELS, event.status))
    level = stated.worst(StatusLevel.DEGRADED if one is None else one for one in levels)
    summary = event.summary or ""
    ended_at = stated.time(event.end_time)
    is_over = (
        _RESOLVED.match(summary) is not None
        or (ended_at is not None and ended_at <= page.now)
        or (str(event.status).strip() == "0" and level is StatusLevel.OPERATIONAL)
    )
    updated_at = stated.newest(stated.time(one.timestamp) for one in log)
    started_at = stated.time(event.date)
    return Incident(
        incident_id=event.arn,
        title=stated.title(_RESOLVED.sub("", summary, count=1)),
        phase=IncidentPhase.RESOLVED if is_over else IncidentPhase.OPEN,
        level=level,
        impact=str(event.status),
        status=str(event.status),
        started_at=started_at or updated_at or page.now,
        published_at=started_at,
        updated_at=updated_at,
        resolved_at=(ended_at or updated_at or page.now) if is_over else None,
        url=stated.link(page.url),
        components=tuple(sorted(map(stated.title, impacted))),
        updates=tuple(
            IncidentUpdate(
                update_id=str(entry.timestamp),
                at=stated.time(entry.timestamp) or page.now,
                status="" if entry.status is None else str(entry.status),
                body=stated.body(entry.message or entry.summary),
            )
            for entry in log
        ),
    )
