"""UptimeRobot's public page, asked for JSON: monitors that are up or down, and no incidents.

https://status.n8n.cloud answers so
"""

import msgspec

from exporter.records import StatusLevel, UnknownCause
from exporter.sources.status import stated
from exporter.sources.status.reading import Component, Page, PageContent, UnknownStatusError

_LEVELS = {
    "success": StatusLevel.OPERATIONAL,
    "warning": StatusLevel.DEGRADED,
    "danger": StatusLevel.MAJOR_OUTAGE,
}


class Monitor(msgspec.Struct, rename="camel"):
    """A monitor; it is coloured as a button would be."""

    monitor_id: int | str
    name: str
    status_class: str


class Counts(msgspec.Struct):
    """How many monitors there are; the list may be a part of them."""

    down: int
    total: int


class Statistics(msgspec.Struct):
    """`statistics`."""

    counts: Counts


class Monitors(msgspec.Struct):
    """The page."""

    data: list[Monitor]
    statistics: Statistics


def read(page: Page) -> PageContent:
    """Read the monitors; those that are not listed still count."""
    told = page.json("", Monitors)
    counts = told.statistics.counts
    if not told.data:
        raise UnknownStatusError(UnknownCause.UNPARSABLE, "a page without a monitor")
    return PageContent(
        level=StatusLevel.DEGRADED if counts.down else StatusLevel.OPERATIONAL,
        raw=f"{counts.down} of {counts.total} down" if counts.down else "",
        components=tuple(
            Component(
                component_id=str(one.monitor_id),
                name=stated.title(one.name),
                level=stated.level(_LEVELS, one.status_class),
                raw=one.status_class,
            )
            for one in told.data
        ),
    )
