"""Sends received spans on to other OTLP endpoints."""

from collections.abc import Sequence
from datetime import datetime

from exporter.records import Forwarding
from exporter.settings import ForwardTarget


def forwardings_of(
    targets: Sequence[ForwardTarget], source: str, body: bytes, content_type: str, now: datetime
) -> list[Forwarding]:
    """Return what is to be sent on of a received body, one for each target."""
    return []
