"""What providers charge: usage, costs, names and balances."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from exporter.records.json import Json


class Amounts(StrEnum):
    """What a provider's report counts: what was used, or what is billed for it."""

    USAGE = "usage"
    COST = "cost"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bucket:
    """Amounts of one time span and one combination of dimensions, as a provider reports them.

    A dimension is None where the provider does not name it.
    """

    source: str
    provider: str
    report: str  # which of the provider's reports says so
    bucket_start: datetime
    bucket_seconds: int
    model: str | None = None
    project_id: str | None = None
    api_key_id: str | None = None
    user_id: str | None = None
    service_tier: str | None = None
    dimensions: Mapping[str, str] = field(default_factory=dict)  # the rest of them
    is_breakdown: bool = False  # another view of what other reports count: never summed with them

    @property
    def dimensions_hash(self) -> str:
        """One word for all dimensions: a dimension that is None makes no second row of one."""
        return hashlib.sha256(json.dumps(self._named()).encode()).hexdigest()[:32]

    def _named(self) -> list[Json]:
        rest: list[Json] = [[name, value] for name, value in sorted(self.dimensions.items())]
        fixed = (self.model, self.project_id, self.api_key_id, self.user_id, self.service_tier)
        return [self.bucket_seconds, *fixed, rest]


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageBucket(_Bucket):
    """What was used. Key: source, report, bucket_start and the dimensions."""

    requests: int | None = None
    input_tokens: int | None = None  # total: cached and cache-written included
    cached_input_tokens: int | None = None
    cache_write_tokens: int | None = None
    output_tokens: int | None = None
    # What else is metered: cache_write_1h_tokens, input_audio_tokens, images, characters, seconds …
    quantities: Mapping[str, int] = field(default_factory=dict)
    cost_usd: Decimal | None = None  # our estimate, at list price
    cost_without_cache_usd: Decimal | None = None  # the same, had nothing been cached


@dataclass(frozen=True, slots=True, kw_only=True)
class CostBucket(_Bucket):
    """What is billed. Key: as of usage, and the line item."""

    amount: Decimal
    currency: str = "USD"
    line_item: str | None = None
    list_amount: Decimal | None = None  # before discount
    quantity: Decimal | None = None
    quantity_unit: str | None = None
    cost_usd: Decimal | None = None  # None: no rate of exchange is configured for the currency

    def _named(self) -> list[Json]:
        return [*_Bucket._named(self), self.line_item, self.currency]  # slots know no super()


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketWindow:
    """Everything that a report says of [from_at, until_at): what is not in it is gone."""

    source: str
    provider: str
    report: str
    amounts: Amounts
    from_at: datetime
    until_at: datetime
    complete_until: datetime  # what came before has settled, as far as the provider tells
    buckets: tuple[UsageBucket | CostBucket, ...]
    is_breakdown: bool = False  # all that the report says, other reports say too


@dataclass(frozen=True, slots=True, kw_only=True)
class DimensionName:
    """The name that people know an id by; kept when the provider has deleted it."""

    source: str
    dimension: str  # project_id, api_key_id, user_id
    id: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """What is left of a credit or quota."""

    source: str
    provider: str
    balance: str  # credits, characters, the key's label …
    unit: str  # USD, CNY, characters …
    observed_at: datetime
    remaining: Decimal | None = None
    used: Decimal | None = None
    limit_amount: Decimal | None = None  # None: there is none, or it is unknown
