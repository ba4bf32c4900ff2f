"""Any page's feed of its incidents: a history in prose, the last resort.

https://status.x.ai/feed.xml, for example, is all that xAI tells a machine.
"""

import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import takewhile
from urllib.parse import urlsplit

from exporter.records import Incident, IncidentPhase, IncidentUpdate, StatusLevel, UnknownCause
from exporter.sources.status import stated
from exporter.sources.status.feed_items import Feed, FeedItem, read_feed
from exporter.sources.status.feed_words import Said, is_heading, said
from exporter.sources.status.reading import Component, Page, PageContent, UnknownStatusError

_USUAL = ("history.rss", "history.atom", "feed.rss", "feed", "feed.xml")
_BRACKETS = re.compile(r"\s*\[([^\[\]]+)\]")
_OUTAGE = re.compile(r"\boutages?\b", re.IGNORECASE)


def read(page: Page) -> PageContent:
    """Read the feed; what it tells of are the incidents that its newest items leave open.

    A feed without an item says nothing: neither that all is well, nor that it is such a feed.
    """
    feed, is_guessed = _found(page)
    stories: dict[str, list[tuple[FeedItem, Said]]] = {}
    for item in feed.items:
        stories.setdefault(item.subject, []).append((item, said(item.title, item.text)))
    if not stories or (is_guessed and not any(story[0][1].word for story in stories.values())):
        raise UnknownStatusError(UnknownCause.UNPARSABLE, "a feed that tells of no incident")
    incidents = [_incident(key, story, page) for key, story in stories.items()]
    times = [feed.built_at, *_times(feed.items)]
    return PageContent(
        name=feed.title,
        level=StatusLevel.OPERATIONAL,
        raw="",
        components=tuple(
            Component(component_id=name, name=name, level=one.level, raw=one.status)
            for one in incidents
            if one.phase is IncidentPhase.OPEN
            for name in one.components
        ),
        incidents=tuple(incidents),
        newest_at=stated.newest(at for at in times if at and at <= page.now),
        lists_components=False,
        links_incidents=any(one.components for one in incidents),
    )


def _found(page: Page) -> tuple[Feed, bool]:
    """Return the feed, and whether it is only where feeds usually are."""
    has_path = bool(urlsplit(page.url).path.strip("/"))
    errors = []
    for path in [*([""] if has_path else []), *_USUAL]:
        try:
            return read_feed(page.xml(path)), path != ""
        except UnknownStatusError as error:
            if error.cause not in (UnknownCause.MOVED, UnknownCause.UNPARSABLE):
                raise
            errors.append(error)
    unread = (error for error in errors if error.cause is UnknownCause.UNPARSABLE)
    raise next(unread, errors[0])


def _incident(subject: str, story: Sequence[tuple[FeedItem, Said]], page: Page) -> Incident:
    (newest, says), *older = story
    # With one subject for all, an incident begins after the one before it was closed.
    run = takewhile(lambda told: told[1].phase is not IncidentPhase.RESOLVED, older)
    times = _times([newest, *(item for item, _ in run)])
    updated_at = stated.newest(_times([newest]))
    names, title = _split(newest.title)
    is_over = says.phase is IncidentPhase.RESOLVED
    return Incident(
        incident_id=subject,
        title=title,
        phase=says.phase,
        level=_level(newest.title, says),
        impact="",
        status=says.word,
        is_maintenance=says.is_maintenance,
        started_at=min(times, default=page.now),
        published_at=min(times, default=None),
        updated_at=updated_at,
        resolved_at=(updated_at or page.now) if is_over else None,
        url=newest.url or stated.link(page.url),
        components=names,
        updates=tuple(
            IncidentUpdate(
                update_id=item.item_id or item.at.isoformat(),
                at=item.at,
                status=words.word,
                body=item.text,
            )
            for item, words in story
            if _times([item])
        ),
    )


def _times(items: Iterable[FeedItem]) -> list[datetime]:
    times = [at for item in items for at in (item.published_at, item.updated_at)]
    return [at for at in times if at is not None]


def _level(title: str, says: Said) -> StatusLevel:
    """Return what it means: prose justifies no more than degraded, unless it says outage."""
    if says.is_maintenance:
        return StatusLevel.MAINTENANCE
    return StatusLevel.MAJOR_OUTAGE if _OUTAGE.search(title) else StatusLevel.DEGRADED


def _split(title: str) -> tuple[tuple[str, ...], str]:
    """Split `[API] [Console] Errors` into what is concerned and what is the matter."""
    names, rest = [], title
    while found := _BRACKETS.match(rest):
        rest = rest[found.end() :]
        if not is_heading(found[1]):
            names.append(found[1].strip())
    return tuple(sorted(filter(None, names))), rest.strip() or title
