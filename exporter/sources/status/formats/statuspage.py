"""Atlassian Statuspage, API v2, without a key.

https://www.githubstatus.com/api, and the same under every hosted page
"""

import re

from exporter.records import UnknownCause
from exporter.sources.status import stated
from exporter.sources.status.page_v2 import IMPACT_LEVELS, read_v2
from exporter.sources.status.reading import Page, PageContent, UnknownStatusError

_ULID = re.compile(r"[0-9A-HJKMNP-TV-Z]{26}")


def read(page: Page) -> PageContent:
    """Read the page; its headline may say `none` while an incident is open."""
    found = read_v2(page, components_apart=False)
    if _ULID.fullmatch(found.summary.page.id):
        raise UnknownStatusError(UnknownCause.UNPARSABLE, "an incident.io page, not a Statuspage")
    indicator = found.summary.status.indicator
    return PageContent(
        name=found.summary.page.name,
        level=stated.level(IMPACT_LEVELS, indicator),
        raw=indicator,
        components=found.components,
        incidents=found.incidents,
        newest_at=found.newest_at,
    )
