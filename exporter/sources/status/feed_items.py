"""RSS 2.0 and Atom, read alike: items, the newest first.

https://www.rssboard.org/rss-specification, https://www.rfc-editor.org/rfc/rfc4287
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from xml.etree.ElementTree import Element

from exporter.records import UnknownCause
from exporter.sources.status import stated
from exporter.sources.status.reading import UnknownStatusError

_ATOM = "{http://www.w3.org/2005/Atom}"
_MOST_ITEMS = 1_000
_NEVER = datetime.min.replace(tzinfo=UTC)
_NO_PATH = re.compile(r"https?://[^/?#]*/?")


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedItem:
    """An item of RSS, or an entry of Atom."""

    item_id: str
    title: str
    text: str
    url: str | None
    published_at: datetime | None
    updated_at: datetime | None

    @property
    def at(self) -> datetime:
        """The newest time that it states; one without a time is older than any."""
        return stated.newest((self.updated_at, self.published_at)) or _NEVER

    @property
    def subject(self) -> str:
        """What it tells of, in common with its other items: an address without its fragment."""
        names = [name.partition("#")[0] for name in (self.item_id, self.url or "")]
        telling = [name for name in names if name and not _NO_PATH.fullmatch(name)]
        return next(iter([*telling, *filter(None, names), self.title]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """A feed, its newest items first."""

    title: str
    built_at: datetime | None
    items: tuple[FeedItem, ...]


def read_feed(root: Element) -> Feed:
    """Read a document.

    Raises:
        UnknownStatusError: it is neither RSS 2.0 nor Atom.
    """
    channel = root.find("channel")
    if root.tag == "rss" and channel is not None:
        title, built = _text(channel, "title"), _text(channel, "lastBuildDate")
        items = [_rss(one) for one in channel.findall("item")[:_MOST_ITEMS]]
    elif root.tag == f"{_ATOM}feed":
        title, built = _text(root, f"{_ATOM}title"), _text(root, f"{_ATOM}updated")
        items = [_atom(one) for one in root.findall(f"{_ATOM}entry")[:_MOST_ITEMS]]
    else:
        raise UnknownStatusError(UnknownCause.UNPARSABLE, "XML that is neither RSS 2.0 nor Atom")
    return Feed(
        title=stated.title(title),
        built_at=stated.time(built),
        # Of two with one time, the one that stands first is the newer.
        items=tuple(sorted(items, key=lambda one: one.at, reverse=True)),
    )


def _rss(item: Element) -> FeedItem:
    link = _text(item, "link")
    return FeedItem(
        item_id=_text(item, "guid"),
        title=stated.title(_text(item, "title")),
        text=stated.body(_text(item, "description")),
        url=stated.link(link),
        published_at=stated.time(_text(item, "pubDate")),
        updated_at=None,
    )


def _atom(entry: Element) -> FeedItem:
    links = {one.get("rel", "alternate"): one.get("href") for one in entry.findall(f"{_ATOM}link")}
    text = _text(entry, f"{_ATOM}content") or _text(entry, f"{_ATOM}summary")
    return FeedItem(
        item_id=_text(entry, f"{_ATOM}id"),
        title=stated.title(_text(entry, f"{_ATOM}title")),
        text=stated.body(text),
        url=stated.link(links.get("alternate")),
        published_at=stated.time(_text(entry, f"{_ATOM}published")),
        updated_at=stated.time(_text(entry, f"{_ATOM}updated")),
    )


def _text(parent: Element, tag: str) -> str:
    found = parent.find(tag)
    return "" if found is None else "".join(found.itertext()).strip()
