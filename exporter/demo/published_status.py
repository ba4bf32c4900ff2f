"""What a provider's status page says at one moment: it learns of troubles late, and words them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from exporter.demo.outages import Impact, Trouble
from exporter.demo.traffic import Story

OPERATIONAL = "operational"
_COMPONENT_STATUS = {
    Impact.MINOR: "degraded_performance",
    Impact.MAJOR: "partial_outage",
    Impact.CRITICAL: "major_outage",
}
_IDENTIFIED_AFTER = timedelta(minutes=4)  # the first update
_QUIET_BEFORE = timedelta(days=6)
_BODIES = {
    "investigating": "We are investigating {title} on {components}.",
    "identified": "We have identified the cause of {title} and are working on a fix.",
    "monitoring": "A fix is in place. We are watching the results.",
    "resolved": "This incident has been resolved.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedComponent:
    """A part of the service, as the page shows it."""

    name: str
    status: str
    is_affected: bool  # whether the provider's troubles concern it
    changed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedUpdate:
    """What the page said of an incident at one time."""

    at: datetime
    status: str
    body: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedIncident:
    """A trouble that the page tells of; updates are oldest first, at least one."""

    title: str
    impact: Impact
    component_status: str
    components: tuple[str, ...]
    updates: tuple[PublishedUpdate, ...]

    @property
    def created_at(self) -> datetime:
        """When the page first told of it: pages state this as its beginning, too."""
        return self.updates[0].at

    @property
    def newest(self) -> PublishedUpdate:
        """The last word on it."""
        return self.updates[-1]

    @property
    def is_open(self) -> bool:
        """Whether it still counts."""
        return self.newest.status != "resolved"

    def reached(self, status: str) -> datetime | None:
        """Return when it came to a status; None: it has not."""
        return next((update.at for update in self.updates if update.status == status), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedStatus:
    """All that a page says at one moment."""

    components: tuple[PublishedComponent, ...]
    incidents: tuple[PublishedIncident, ...]  # newest first
    updated_at: datetime

    @property
    def open_incidents(self) -> tuple[PublishedIncident, ...]:
        """Those that are not resolved, newest first."""
        return tuple(one for one in self.incidents if one.is_open)

    @property
    def impact(self) -> Impact | None:
        """How bad the page says it is; None: all is well."""
        return max((one.impact for one in self.open_incidents), default=None)


def published_status(
    provider: str, components: Mapping[str, bool], story: Story, now: datetime
) -> PublishedStatus:
    """Return what a provider's page says; `components` by name: whether troubles concern them."""
    affected = tuple(name for name, is_affected in components.items() if is_affected)
    incidents = sorted(
        (
            incident
            for trouble in story.troubles
            if trouble.provider == provider
            and (incident := _incident(trouble, affected, now)) is not None
        ),
        key=lambda one: one.created_at,
        reverse=True,
    )
    quiet_since = story.slow_provider.start - _QUIET_BEFORE
    # A component changes when an incident is opened or resolved.
    moments = [one.created_at for one in incidents]
    moments += [at for one in incidents if (at := one.reached("resolved")) is not None]
    open_now = [one for one in incidents if one.is_open]
    worst = max(open_now, key=lambda one: one.impact, default=None)
    return PublishedStatus(
        components=tuple(
            PublishedComponent(
                name=name,
                status=worst.component_status if worst and is_affected else OPERATIONAL,
                is_affected=is_affected,
                changed_at=max(moments, default=quiet_since) if is_affected else quiet_since,
            )
            for name, is_affected in components.items()
        ),
        incidents=tuple(incidents),
        updated_at=max((one.newest.at for one in incidents), default=quiet_since),
    )


def _incident(
    trouble: Trouble, components: Sequence[str], now: datetime
) -> PublishedIncident | None:
    """Return what the page tells of a trouble so far; None: nothing, or nothing ever."""
    words = {"title": trouble.title.lower(), "components": " and ".join(components)}
    updates = tuple(
        PublishedUpdate(at=at, status=status, body=_BODIES[status].format_map(words))
        for status, at in _moments(trouble)
        if at <= now
    )
    if not updates:
        return None
    return PublishedIncident(
        title=trouble.title,
        impact=trouble.impact,
        component_status=_COMPONENT_STATUS[trouble.impact],
        components=tuple(components),
        updates=updates,
    )


def _moments(trouble: Trouble) -> list[tuple[str, datetime]]:
    """Return when an incident comes to which status; a short trouble has fewer of them."""
    first, resolved_at = trouble.published_at, trouble.resolved_at
    moments = [("investigating", first), ("identified", first + _IDENTIFIED_AFTER)]
    if trouble.end is None or resolved_at is None:
        return moments
    if resolved_at <= first:
        return []  # over before anybody wrote of it
    fixed_at = trouble.end + trouble.resolved_after / 2
    known = [(status, at) for status, at in moments if at < fixed_at] or moments[:1]
    watched = [("monitoring", fixed_at)] if fixed_at > first else []
    return [*known, *watched, ("resolved", resolved_at)]
