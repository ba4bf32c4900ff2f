"""Kinds of status pages: FORMATS names each once, in the order in which a page is tried."""

from collections.abc import Mapping

from exporter.sources.status.formats import statuspage
from exporter.sources.status.reading import Format

FORMATS: Mapping[str, Format] = {
    "statuspage": Format(read=statuspage.read),
}
