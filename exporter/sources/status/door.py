"""A status page's web server: asked within limits, followed to another host, never trusted."""

from collections.abc import Hashable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any, TypeVar, cast
from urllib.parse import urljoin
from xml.etree.ElementTree import Element, ParseError

import msgspec
from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring
from urllib3.exceptions import LocationParseError
from urllib3.util import parse_url

from exporter.errors import (
    ConfigurationError,
    RefusedRequestError,
    SourceError,
    TransientError,
)
from exporter.http_answer import UnreadableAnswerError, clean, decoded
from exporter.http_client import HttpClient, Reply
from exporter.records import UnknownCause
from exporter.sources.status.reading import UnknownStatusError

T = TypeVar("T")
_DEADLINE_SECONDS = 10.0
_MAX_BYTES = 5 * 1024 * 1024
_KEPT_BYTES = 1024 * 1024
_MOST_HOPS = 3
_ACCEPT = {
    "json": "application/json",
    "html": "text/html",
    "xml": "application/rss+xml, application/atom+xml, application/xml, text/xml",
}
_CONDITIONS = (("If-None-Match", "ETag"), ("If-Modified-Since", "Last-Modified"))


@dataclass(frozen=True, slots=True)
class _Kept:
    """An answer that its server can say is still good."""

    conditions: dict[str, str]
    reply: Reply


class Door:
    """One page's web server. Answers are kept, so that it can say that nothing changed."""

    def __init__(self, url: str, *, regions: Sequence[str] = (), allow_private: bool) -> None:
        """Prepare; nothing is asked yet.

        Raises:
            ConfigurationError: the address cannot be.
        """
        self.url = url
        self.regions = regions
        self.now = datetime.min.replace(tzinfo=UTC)
        self.wants_history = False
        self.moved_to: str | None = None
        """Another origin that answered the last question in the page's place."""
        self._allow_private = allow_private
        self._client = self._opened(url)
        self._kept: dict[str, _Kept] = {}
        self._silence: tuple[datetime, UnknownStatusError] | None = None

    def _opened(self, url: str) -> HttpClient:
        return HttpClient(
            url,
            allow_private=self._allow_private,
            deadline_seconds=_DEADLINE_SECONDS,
            max_bytes=_MAX_BYTES,
        )

    def begin(self, now: datetime, *, wants_history: bool = False) -> None:
        """Begin a reading.

        Raises:
            UnknownStatusError: the server asked not to be asked yet; what it said then still holds.
        """
        self.now, self.moved_to, self.wants_history = now, None, wants_history
        if self._silence is not None and now < self._silence[0]:
            raise self._silence[1]
        self._silence = None

    def close(self) -> None:
        """Close the connection; the next question opens another."""
        self._client.close()

    def json(self, path: str, into: type[T]) -> T:
        """Return a JSON document as `into`."""
        reply = self._asked(path, "json")
        try:
            document: T = decoded(
                reply.body, reply.headers, _decoder(cast(Hashable, into)), reply.place
            )
        except (TransientError, SourceError) as error:
            raise UnknownStatusError(UnknownCause.UNPARSABLE, str(error)) from None
        return document

    def html(self, path: str) -> str:
        """Return an HTML page."""
        reply = self._asked(path, "html")
        if "html" not in reply.headers.get("Content-Type", "").lower():
            raise UnknownStatusError(UnknownCause.UNPARSABLE, f"{reply.place} answered no HTML")
        return reply.body.decode(errors="replace")

    def xml(self, path: str) -> Element:
        """Return the root of an XML document; one with entities or a DTD is refused."""
        reply = self._asked(path, "xml")
        if "xml" not in reply.headers.get("Content-Type", "").lower():
            raise UnknownStatusError(UnknownCause.UNPARSABLE, f"{reply.place} answered no XML")
        try:
            root: Element = fromstring(reply.body, forbid_dtd=True)
        except (ParseError, DefusedXmlException, ValueError, LookupError, RecursionError) as error:
            raise UnknownStatusError(
                UnknownCause.UNPARSABLE,
                f"{reply.place} answered with XML that cannot be read: {clean(str(error))}",
            ) from None
        return root

    def _asked(self, path: str, accept: str) -> Reply:
        """Ask, follow at most three redirects over https, and return what is not refused."""
        reply = self._conditional(path, accept)
        here = f"{self.url.rstrip('/')}/{path}" if path else self.url
        for _ in range(_MOST_HOPS):
            if reply.status not in range(300, 400):
                break
            here = _next(here, reply)
            with closing(self._opened_elsewhere(here)) as client:
                reply = self._once(client, "", accept)
        if reply.status in range(300, 400):
            raise UnknownStatusError(
                UnknownCause.MOVED, f"{reply.place} redirects more than {_MOST_HOPS} times"
            )
        if _origin(here) != _origin(self.url):
            self.moved_to = _origin(here)
        return self._checked(reply, accept)

    def _opened_elsewhere(self, url: str) -> HttpClient:
        try:
            return self._opened(url)
        except ConfigurationError as error:
            raise UnknownStatusError(UnknownCause.MOVED, str(error)) from None

    def _checked(self, reply: Reply, accept: str) -> Reply:
        """An HTML page at the end of a redirect is where the page's people moved to."""
        is_html = "html" in reply.headers.get("Content-Type", "").lower()
        if accept != "html" and is_html and self.moved_to is not None:
            raise UnknownStatusError(
                UnknownCause.MOVED,
                f"the page is now at {self.moved_to}; {reply.place} is for people",
            )
        return reply

    def _conditional(self, path: str, accept: str) -> Reply:
        """Ask for what changed since it was last asked for."""
        kept = self._kept.pop(path, None)
        reply = self._once(self._client, path, accept, kept.conditions if kept else {})
        if reply.status == 304:
            if kept is None:
                raise UnknownStatusError(
                    UnknownCause.UNPARSABLE, f"{reply.place} says 304 and never said anything else"
                )
            self._kept[path] = kept
            return kept.reply
        conditions = {
            condition: reply.headers[header]
            for condition, header in _CONDITIONS
            if reply.headers.get(header) and reply.headers[header].isprintable()
        }
        if conditions and reply.status == 200 and len(reply.body) <= _KEPT_BYTES:
            self._kept[path] = _Kept(conditions, reply)
        return reply

    def _once(
        self, client: HttpClient, path: str, accept: str, conditions: Mapping[str, str] = {}
    ) -> Reply:
        try:
            return client.ask(path, accept=_ACCEPT[accept], headers=conditions, redirects=True)
        except (TransientError, SourceError) as error:
            unknown = UnknownStatusError(_cause(error), str(error))
            if error.rest is not None:
                self._silence = (self.now + error.rest, unknown)
            raise unknown from None


def _cause(error: TransientError | SourceError) -> UnknownCause:
    match error:
        case RefusedRequestError(status=401 | 403):
            return UnknownCause.BLOCKED
        case RefusedRequestError(status=404 | 410):
            return UnknownCause.MOVED
        case UnreadableAnswerError():
            return UnknownCause.UNPARSABLE
        case _:
            return UnknownCause.UNREACHABLE


def _next(here: str, reply: Reply) -> str:
    """Return where a redirect leads: https, or as open as we came."""
    said = reply.headers.get("Location", "").strip()
    try:
        location = urljoin(here, said).partition("#")[0]
        target = parse_url(location)
    except (LocationParseError, ValueError):
        location, target = said, parse_url("")
    came_open = here.startswith("http:") and target.scheme == "http"
    if not target.host or not (target.scheme == "https" or came_open):
        raise UnknownStatusError(
            UnknownCause.MOVED,
            f"{reply.place} redirects to {clean(location) or 'nowhere'}, where nobody is asked",
        )
    return location


@cache
def _decoder(into: Hashable) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(into)


def _origin(url: str) -> str:
    parsed = parse_url(url)
    return f"{parsed.scheme}://{parsed.netloc}"
