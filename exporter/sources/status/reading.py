"""What formats see of a page, and what they make of it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeVar
from xml.etree.ElementTree import Element

from exporter.errors import ExporterError
from exporter.records import Incident, StatusLevel, UnknownCause

T = TypeVar("T")


class UnknownStatusError(ExporterError):
    """A page tells no status now; the cause says what kind of silence it is."""

    def __init__(self, cause: UnknownCause, detail: str) -> None:
        super().__init__(detail)
        self.cause = cause


class Page(Protocol):
    """A page's web server, as a format may ask it. All raise UnknownStatusError."""

    @property
    def url(self) -> str:
        """Where people look at the page; paths are relative to it."""

    @property
    def now(self) -> datetime:
        """The time of this reading."""

    @property
    def regions(self) -> Sequence[str]:
        """The regions that count, in lower case, for a page that tells of many; none: all."""

    @property
    def wants_history(self) -> bool:
        """Whether incidents of the past are asked for too, where that takes a further request."""

    def json(self, path: str, into: type[T]) -> T:
        """Return a JSON document as `into`; the path "" is the address itself."""

    def html(self, path: str) -> str:
        """Return an HTML page, for the few formats that hide their JSON in one."""

    def xml(self, path: str) -> Element:
        """Return the root of an XML document, parsed without entities."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """A part of the service, as the page lists it."""

    component_id: str
    name: str
    level: StatusLevel | None  # None: the page's word is none that we know
    raw: str  # the page's own word
    group: str | None = None

    @property
    def label(self) -> str:
        """How people tell it from others of its name."""
        return f"{self.group} › {self.name}" if self.group else self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class PageContent:
    """All that a page says, before anybody asks what of it matters."""

    level: StatusLevel | None  # as its own headline says; None: in a word that we do not know
    raw: str  # that word; "" where the format has no headline: then `level` is operational
    name: str | None = None  # what the page calls its service
    components: tuple[Component, ...] = ()
    incidents: tuple[Incident, ...] = ()  # `components` are labels of those above
    newest_at: datetime | None = None  # the newest time that it states of anything
    lists_components: bool = True  # False: a component that is well is not on the page
    is_sum_of_parts: bool = False  # True: one of many that is down is no major outage of the whole
    links_incidents: bool = True  # False: its incidents never say which components they concern


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """A kind of status page."""

    read: Callable[[Page], PageContent]
    is_detectable: bool = True
    """Whether an unknown page is tried with it: it must refuse what it does not know."""
    is_last_resort: bool = False
    """Whether it tells less than the other kinds: no page is moved to it on a bad day."""
