"""Rootly, on a page's own domain: its level and what is open, in the words of Statuspage.

https://docs.rootly.com/configuration/status-page-public-api
"""

import msgspec

from exporter.records import StatusLevel
from exporter.sources.status import stated
from exporter.sources.status.answers_v2 import Headline, IncidentV2
from exporter.sources.status.page_v2 import incident_v2
from exporter.sources.status.reading import Page, PageContent

_LEVELS = {
    "none": StatusLevel.OPERATIONAL,
    "maintenance": StatusLevel.MAINTENANCE,
    "minor": StatusLevel.DEGRADED,
    "major": StatusLevel.MAJOR_OUTAGE,
}
_PLANNED = frozenset({"scheduled", "in_progress", "completed"})


class _Page(msgspec.Struct):
    name: str
    updated_at: str | None = None


class _Incident(IncidentV2):
    title: str | None = None


class _Status(msgspec.Struct):
    page: _Page
    status: Headline
    incidents: list[_Incident] | None


def read(page: Page) -> PageContent:
    """Read the page; it lists no components, its incidents name none, and it has no past."""
    found = page.json("api/v1/status.json", _Status)
    told = found.incidents or []
    times = [found.page.updated_at, *(one.updated_at or one.created_at for one in told)]
    return PageContent(
        name=stated.title(found.page.name),
        level=stated.level(_LEVELS, found.status.indicator),
        raw=found.status.indicator,
        incidents=tuple(
            incident_v2(
                msgspec.structs.replace(one, name=one.name or one.title),
                page,
                {},
                is_maintenance=one.status in _PLANNED,
            )
            for one in told
        ),
        newest_at=stated.newest(map(stated.time, times)),
        lists_components=False,
        links_incidents=False,
    )
