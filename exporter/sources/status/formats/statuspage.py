"""Atlassian Statuspage, API v2, without a key; Cloudflare's own page answers it too.

https://www.githubstatus.com/api, and the same under every hosted page
"""

from exporter.sources.status.page_v2 import read_v2
from exporter.sources.status.reading import Page, PageContent


def read(page: Page) -> PageContent:
    """Read the page; its headline may say `none` while an incident is open."""
    return read_v2(page, by_incidentio=False)
