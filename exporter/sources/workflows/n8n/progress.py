"""The cursor of an n8n source."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from exporter.records import Json
from exporter.sources.id_watermark import IdWatermark


@dataclass
class Progress:
    """How far each of n8n's tables was read."""

    ids: IdWatermark = field(default_factory=IdWatermark)
    metadata: IdWatermark = field(default_factory=IdWatermark)
    checked_at: datetime | None = None  # n8n's database clock at the last complete poll
    open_checked_at: datetime | None = None  # the same, when all open executions were looked at
    settled: dict[int, str] = field(default_factory=dict)  # recently stopped → the state read

    @classmethod
    def restore(cls, cursor: Mapping[str, Json]) -> "Progress":
        """Read what `cursor` wrote."""
        settled = cursor.get("settled")
        return cls(
            ids=IdWatermark.restore(cursor.get("ids")),
            metadata=IdWatermark.restore(cursor.get("metadata")),
            checked_at=_time(cursor.get("checked_at")),
            open_checked_at=_time(cursor.get("open_checked_at")),
            settled={int(key): str(state) for key, state in settled.items()}
            if isinstance(settled, dict)
            else {},
        )

    def cursor(self) -> dict[str, Json]:
        """Return what is kept between polls."""
        return {
            "ids": self.ids.state(),
            "metadata": self.metadata.state(),
            "checked_at": self.checked_at.isoformat() if self.checked_at else None,
            "open_checked_at": self.open_checked_at.isoformat() if self.open_checked_at else None,
            "settled": {str(key): state for key, state in self.settled.items()},
        }


def _time(value: Json) -> datetime | None:
    return datetime.fromisoformat(value) if isinstance(value, str) else None
