"""PagerDuty's status pages: JSON in the HTML, in one of two layouts.

https://status.pagerduty.com
"""

import re

import msgspec

from exporter.errors import SourceError, TransientError
from exporter.http_answer import Place, decoded
from exporter.records import Incident, IncidentPhase, StatusLevel, UnknownCause
from exporter.sources.status import stated
from exporter.sources.status.reading import Page, PageContent, UnknownStatusError

_LEVELS = {
    "all_good": StatusLevel.OPERATIONAL,
    "maintenance": StatusLevel.MAINTENANCE,
    "minor": StatusLevel.DEGRADED,
    "major": StatusLevel.MAJOR_OUTAGE,
}
_SCRIPT = re.compile(
    r"""<script\s(?:[^<>]{0,300}?\s)?id=(?:"data"|'data'|data(?=[\s>]))[^<>]{0,300}>"""
)


class Update(msgspec.Struct):
    """What was said at one time."""

    severity: str


class OpenIncident(msgspec.Struct):
    """An open incident; its newest update comes first."""

    title: str
    updates: list[Update]
    id: int | str | None = None


class Summary(msgspec.Struct):
    """`summary` of the older layout."""

    open_incidents: list[OpenIncident] | msgspec.UnsetType = msgspec.UNSET


class StatusPage(msgspec.Struct, rename="camel"):
    """`layout.layout_settings.statusPage` of the newer layout: a headline for people."""

    global_status_headline: str
    global_status_headline_has_error: bool


class LayoutSettings(msgspec.Struct):
    """`layout.layout_settings`."""

    status_page: StatusPage | None = msgspec.field(name="statusPage", default=None)


class Layout(msgspec.Struct):
    """`layout`."""

    layout_settings: LayoutSettings | None = None


class Data(msgspec.Struct):
    """What the page's own script is given."""

    summary: Summary | None = None
    layout: Layout | None = None


_DECODER = msgspec.json.Decoder(Data)


def read(page: Page) -> PageContent:
    """Read what the page's script reads: open incidents, or whether its headline is an error."""
    data = _data(page.html(""))
    incidents = data.summary.open_incidents if data.summary else msgspec.UNSET
    settings = data.layout.layout_settings if data.layout else None
    headline = settings.status_page if settings else None
    if incidents is msgspec.UNSET and headline is None:
        raise UnknownStatusError(UnknownCause.UNPARSABLE, "a script#data of neither layout")
    is_error = headline is not None and headline.global_status_headline_has_error
    return PageContent(
        level=StatusLevel.DEGRADED if is_error else StatusLevel.OPERATIONAL,
        raw=headline.global_status_headline if headline else "",
        incidents=tuple(
            _incident(one, page) for one in (() if incidents is msgspec.UNSET else incidents)
        ),
        lists_components=False,
        links_incidents=False,
    )


def _data(html: str) -> Data:
    begin = _SCRIPT.search(html)
    end = html.find("</script", begin.end()) if begin else -1
    if begin is None or end < 0:
        raise UnknownStatusError(UnknownCause.UNPARSABLE, "a page without script#data")
    script = html[begin.end() : end].encode()
    try:
        return decoded(script, {"Content-Type": "application/json"}, _DECODER, Place("script#data"))
    except (TransientError, SourceError) as error:
        raise UnknownStatusError(UnknownCause.UNPARSABLE, str(error)) from None


def _incident(told: OpenIncident, page: Page) -> Incident:
    severity = told.updates[0].severity if told.updates else ""
    level = stated.level(_LEVELS, severity)
    title = stated.title(told.title)
    return Incident(
        incident_id=str(told.id or title),
        title=title,
        phase=IncidentPhase.OPEN,
        level=StatusLevel.DEGRADED if level is None else level,
        impact=severity,
        status="",
        is_maintenance=level is StatusLevel.MAINTENANCE,
        started_at=page.now,  # when it began is not told
        url=stated.link(page.url),
    )
