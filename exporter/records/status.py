"""What providers say of themselves: levels, components and incidents of their status pages."""

from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum, StrEnum


class StatusLevel(IntEnum):
    """How well a service does. What is not known is no level."""

    OPERATIONAL = 0
    MAINTENANCE = 1
    DEGRADED = 2
    PARTIAL_OUTAGE = 3
    MAJOR_OUTAGE = 4


class UnknownCause(StrEnum):
    """Why a status is not known."""

    UNREACHABLE = "unreachable"  # no answer, or an error of the page's own server
    MOVED = "moved"  # the page is elsewhere: a 404, or a redirect that ends at something else
    BLOCKED = "blocked"  # the page answers people only
    UNPARSABLE = "unparsable"  # an answer of a shape that we do not know
    UNMAPPED = "unmapped"  # a word for a status that we do not know
    FROZEN = "frozen"  # nothing on it has changed for longer than is believable
    MISSING = "missing"  # a component that is watched is no longer listed
    NOT_WATCHED = "not_watched"  # nobody looked at that time


class IncidentPhase(StrEnum):
    """Where an incident or a maintenance stands."""

    SCHEDULED = "scheduled"
    OPEN = "open"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentUpdate:
    """What a page said of an incident at one time. Key: its incident's and update_id."""

    update_id: str
    at: datetime
    status: str  # the page's own word
    body: str  # plain text


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """An incident or maintenance as its page tells it. Key: source, page, incident_id."""

    incident_id: str
    title: str
    phase: IncidentPhase
    level: StatusLevel  # what it means while it is open
    impact: str  # the page's own word for that
    status: str  # the page's own word for the phase
    started_at: datetime
    is_maintenance: bool = False
    published_at: datetime | None = None  # when the page first told it
    updated_at: datetime | None = None
    resolved_at: datetime | None = None
    url: str | None = None
    components: tuple[str, ...] = ()  # those it names; none is no statement
    updates: tuple[IncidentUpdate, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ComponentStatus:
    """What is true of one component; `level` and `cause` exclude each other."""

    component: str  # "" is the page as a whole
    level: StatusLevel | None
    raw: str  # the page's own word, or why it is unknown in ours
    cause: UnknownCause | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PageReading:
    """All that a status page says at one time; a component that is not in it is gone."""

    source: str
    page: str
    title: str
    url: str
    kind: str  # the format that it was read by
    providers: tuple[str, ...]  # whose page it is, as model calls name them
    alert: str  # always | used | never
    is_selective: bool  # whether its components were chosen: then each of them is watched
    observed_at: datetime
    believed_until: datetime  # from then on it is too old to be the present
    statuses: tuple[ComponentStatus, ...]  # the page as a whole is one of them
    incidents: tuple[Incident, ...] = ()
    is_complete: bool = True  # an open incident that is not in it has ended
    moved_to: str | None = None  # another host that answers in its place
