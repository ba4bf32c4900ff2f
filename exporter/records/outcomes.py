"""What workflows achieved: approved posts, enriched leads, euros."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from exporter.records.json import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """A business result. Key: source, outcome_id, at."""

    source: str
    outcome_id: str  # told again, it is the same result
    at: datetime
    workflow: str
    name: str
    value: Decimal
    unit: str | None = None
    execution_id: str | None = None
    customer: str | None = None
    project: str | None = None
    team: str | None = None
    attributes: Mapping[str, Json] = field(default_factory=dict)
