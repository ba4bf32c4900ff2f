"""Kinds of status pages: FORMATS names each once, in the order in which a page is tried."""

from collections.abc import Mapping

from exporter.sources.status.formats import (
    aws,
    azure_rss,
    betterstack,
    feed,
    gcp,
    incidentio,
    instatus,
    pagerduty,
    rootly,
    slack,
    statusio,
    statuspage,
    uptimerobot,
)
from exporter.sources.status.reading import Format

FORMATS: Mapping[str, Format] = {
    "statuspage": Format(read=statuspage.read),
    "incidentio": Format(read=incidentio.read),
    "instatus": Format(read=instatus.read),
    "betterstack": Format(read=betterstack.read),
    "rootly": Format(read=rootly.read),
    "statusio": Format(read=statusio.read),
    "slack": Format(read=slack.read),
    "gcp": Format(read=gcp.read),
    "aws": Format(read=aws.read, is_detectable=False),  # its all green is []: anybody's
    "azure_rss": Format(read=azure_rss.read, is_detectable=False),  # any empty feed looks so
    "uptimerobot": Format(read=uptimerobot.read),
    "pagerduty": Format(read=pagerduty.read),
    "feed": Format(read=feed.read, is_last_resort=True),
}
