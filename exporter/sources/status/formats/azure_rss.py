"""Azure's feed of what is widespread and open now; it states no severity.

https://azure.status.microsoft/en-us/status/feed/
"""

import re
from collections.abc import Sequence

from exporter.records import Incident, IncidentPhase, IncidentUpdate, StatusLevel
from exporter.sources.status import stated
from exporter.sources.status.feed_items import FeedItem, read_feed
from exporter.sources.status.feed_words import has_closed_title
from exporter.sources.status.reading import Page, PageContent

_EVERYWHERE = re.compile(
    r"\b(?:global(?:ly)?|worldwide|(?:all|most|many|multiple|several|various) regions)\b",
    re.IGNORECASE,
)
_COMPASS = re.compile(
    r"\b(?:(?:north|south)(?:east|west)?|east|west|central)\b", re.IGNORECASE
)  # a part of every region's name


def read(page: Page) -> PageContent:
    """Read the items; an empty feed is all green, and the usual.

    Of its times only that of the whole feed says how old the page is: it ticks.
    """
    feed = read_feed(page.xml(""))
    return PageContent(
        name=feed.title,
        level=StatusLevel.OPERATIONAL,
        raw="",
        incidents=tuple(_incident(one, page) for one in feed.items if _touches(one, page.regions)),
        newest_at=feed.built_at,
        lists_components=False,
        links_incidents=False,
    )


def _touches(item: FeedItem, regions: Sequence[str]) -> bool:
    """Whether an item names one of the regions (`eastus` is East US), the whole world, or none."""
    text = f"{item.title}\n{item.text}"
    return (
        not regions
        or _EVERYWHERE.search(text) is not None
        or _COMPASS.search(text) is None
        or any(_spelled(region).search(text) for region in regions)
    )


def _spelled(region: str) -> re.Pattern[str]:
    letters = r"[\s-]*".join(re.escape(letter) for letter in region if letter.isalnum())
    return re.compile(rf"(?<!\w){letters}(?!\w)", re.IGNORECASE)


def _incident(item: FeedItem, page: Page) -> Incident:
    is_over = has_closed_title(item.title)
    at = stated.newest((item.updated_at, item.published_at))
    return Incident(
        incident_id=item.item_id or item.subject,
        title=item.title,
        phase=IncidentPhase.RESOLVED if is_over else IncidentPhase.OPEN,
        level=StatusLevel.DEGRADED,
        impact="",
        status="",
        started_at=item.published_at or at or page.now,
        published_at=item.published_at,
        updated_at=at,
        resolved_at=(at or page.now) if is_over else None,
        url=item.url or stated.link(page.url),
        updates=(
            IncidentUpdate(
                update_id=item.item_id or item.subject,
                at=at or page.now,
                status="",
                body=item.text,
            ),
        ),
    )
