"""What a page says and what of it matters → one reading: levels, incidents, and what is unknown."""

from collections.abc import Container, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from fnmatch import fnmatchcase

from exporter.records import (
    ComponentStatus,
    Incident,
    IncidentPhase,
    StatusLevel,
    UnknownCause,
)
from exporter.sources.status import stated
from exporter.sources.status.reading import Component, PageContent, UnknownStatusError

WHOLE_PAGE = ""
_MOST_COMPONENTS = 200
_MOST_INCIDENTS = 200
_MOST_UPDATES = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Conclusion:
    """What a page comes to."""

    statuses: tuple[ComponentStatus, ...]
    incidents: tuple[Incident, ...]
    unmapped: int  # words for a status that nobody here knows


def concluded(
    content: PageContent, watched: Sequence[str], now: datetime, frozen_after: timedelta
) -> Conclusion:
    """Return the levels of the page and of its components, of which `watched` matter.

    `watched` are patterns of ids, names or groups; none means that everything matters.

    Raises:
        UnknownStatusError: the page says nothing that is believable.
    """
    if content.newest_at is not None and now - content.newest_at > frozen_after:
        raise UnknownStatusError(
            UnknownCause.FROZEN,
            f"nothing on the page has changed since {content.newest_at:%Y-%m-%d}",
        )
    chosen = [one for one in content.components if _is_watched(one, watched)]
    statuses = _component_statuses(chosen)
    missing = _missing(content, watched)
    labels = {one.label for one in chosen}
    mattering = [
        _tidied(incident_id, one, now)
        for incident_id, one in _worst_first(_mattering(content, watched, labels))
    ]
    whole = _whole_page(content, watched, [*statuses, *missing], mattering)
    words = [one.level for one in content.components]
    return Conclusion(
        statuses=(whole, *_distinct(statuses)[:_MOST_COMPONENTS], *missing),
        incidents=tuple(mattering),
        unmapped=words.count(None) + (content.level is None),
    )


def _worst_first(incidents: Sequence[Incident]) -> list[tuple[str, Incident]]:
    """Put those that are open first, the worst before others; of two with one id, keep that."""
    by_id: dict[str, Incident] = {}
    for one in sorted(incidents, key=_urgency):
        by_id.setdefault(stated.title(one.incident_id), one)
    return list(by_id.items())[:_MOST_INCIDENTS]


def _urgency(incident: Incident) -> int:
    return -incident.level if incident.phase is IncidentPhase.OPEN else 1


def _tidied(incident_id: str, incident: Incident, now: datetime) -> Incident:
    """Bound what is kept of an incident; one that is open has begun, whatever its page says."""
    phase = incident.phase
    started_at = incident.started_at
    if phase is not IncidentPhase.SCHEDULED:
        started_at = min(started_at, now)
    newest = sorted(incident.updates, key=lambda one: one.at)[-_MOST_UPDATES:]
    updates = {stated.title(one.update_id): one for one in newest}  # of two with one id, the later
    return replace(
        incident,
        incident_id=incident_id,
        impact=stated.title(incident.impact),
        status=stated.title(incident.status),
        started_at=started_at,
        components=incident.components[:_MOST_COMPONENTS],
        updates=tuple(
            replace(one, update_id=update_id, status=stated.title(one.status))
            for update_id, one in reversed(updates.items())
        ),
    )


def _component_statuses(components: Sequence[Component]) -> list[ComponentStatus]:
    return [
        ComponentStatus(
            component=one.label,
            level=one.level,
            raw=stated.title(one.raw),
            cause=UnknownCause.UNMAPPED if one.level is None else None,
        )
        for one in components
    ]


def _distinct(statuses: Sequence[ComponentStatus]) -> list[ComponentStatus]:
    """Of components with one label keep the worst, and put the worst of all first."""
    by_label: dict[str, ComponentStatus] = {}
    for status in sorted(statuses, key=_badness, reverse=True):
        by_label.setdefault(status.component or "(no name)", status)
    return [replace(status, component=label) for label, status in by_label.items()]


def _badness(status: ComponentStatus) -> float:
    return 0.5 if status.level is None else status.level


def _is_watched(component: Component, watched: Sequence[str]) -> bool:
    return not watched or any(_names(pattern, component) for pattern in watched)


def _names(pattern: str, component: Component) -> bool:
    texts = (component.component_id, component.name, component.label, component.group or "")
    return any(_fits(pattern, text) for text in texts)


def _fits(pattern: str, text: str) -> bool:
    return fnmatchcase(text.casefold(), pattern.casefold())


def _missing(content: PageContent, watched: Sequence[str]) -> list[ComponentStatus]:
    if not content.lists_components:
        return []
    return [
        ComponentStatus(
            component=pattern, level=None, raw="no longer listed", cause=UnknownCause.MISSING
        )
        for pattern in watched
        if not any(_names(pattern, component) for component in content.components)
    ]


def _mattering(
    content: PageContent, watched: Sequence[str], labels: Container[str]
) -> list[Incident]:
    """Return the incidents that concern what is watched, or may; `labels` are of what is."""
    if not watched:
        return list(content.incidents)
    # Without links the components must tell. If one of them is not well, it explains the incident.
    worst = stated.worst(one.level for one in content.components)
    is_unexplained = content.lists_components and worst < StatusLevel.DEGRADED
    return [
        one
        for one in content.incidents
        if (
            _is_linked(one, watched, labels)
            if one.components
            else content.links_incidents or is_unexplained or _mentions(one, watched)
        )
    ]


def _is_linked(incident: Incident, watched: Sequence[str], labels: Container[str]) -> bool:
    return any(
        label in labels or any(_fits(pattern, label) for pattern in watched)
        for label in incident.components
    )


def _mentions(incident: Incident, watched: Sequence[str]) -> bool:
    texts = [incident.title, *(update.body for update in incident.updates)]
    return any(_fits(f"*{pattern}*", text) for pattern in watched for text in texts)


def _whole_page(
    content: PageContent,
    watched: Sequence[str],
    statuses: Sequence[ComponentStatus],
    incidents: Sequence[Incident],
) -> ComponentStatus:
    """Return the level of what is watched: the worst that is said, if that is known."""
    open_now = [one for one in incidents if one.phase is IncidentPhase.OPEN]
    headline = content.level if not watched or not content.lists_components else None
    parts = [one.level for one in statuses]
    if content.is_sum_of_parts and 2 * parts.count(StatusLevel.MAJOR_OUTAGE) <= len(parts):
        parts = [one and min(one, StatusLevel.PARTIAL_OUTAGE) for one in parts]
    worst = stated.worst([headline, *parts, *(one.level for one in open_now)])
    unknown = [one for one in statuses if one.level is None]
    is_headline_unknown = content.level is None and not (watched and content.lists_components)
    # Bad news holds, whatever else is unknown; good news needs all to be known.
    if worst < StatusLevel.DEGRADED and (is_headline_unknown or unknown):
        cause = UnknownCause.UNMAPPED if is_headline_unknown else unknown[0].cause
        raw = content.raw if is_headline_unknown else f"{unknown[0].component}: {unknown[0].raw}"
        return ComponentStatus(component=WHOLE_PAGE, level=None, raw=stated.title(raw), cause=cause)
    return ComponentStatus(component=WHOLE_PAGE, level=worst, raw=stated.title(content.raw))
