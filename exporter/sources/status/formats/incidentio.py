"""incident.io: the layer that answers as Statuspage did before a page moved there.

https://status.openai.com/api/v2/summary.json, for one
"""

from exporter.sources.status.page_v2 import read_v2
from exporter.sources.status.reading import Page, PageContent


def read(page: Page) -> PageContent:
    """Read the page; its summary may leave components out, its incidents name none."""
    return read_v2(page, by_incidentio=True)
