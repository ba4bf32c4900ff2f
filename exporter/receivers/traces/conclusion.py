"""The spans of a trace → records."""

from collections.abc import Sequence
from datetime import datetime

from exporter.records import Record, Span
from exporter.settings import TracesSettings


def concluded(
    source: str,
    spans: Sequence[Span],
    settings: TracesSettings,
    *,
    stored_created_at: datetime | None,
    is_over: bool,
) -> list[Record]:
    """Conclude from all spans of a trace."""
    raise NotImplementedError
