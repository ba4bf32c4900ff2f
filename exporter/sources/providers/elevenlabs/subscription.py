"""ElevenLabs' characters: how many the billing period includes, and how many are used.

https://elevenlabs.io/docs/api-reference/user/subscription/get
"""

from datetime import datetime
from decimal import Decimal

import msgspec

from exporter.http_client import HttpClient
from exporter.records import Balance
from exporter.sources.polling.wire import Count


class _Subscription(msgspec.Struct):
    character_count: Count
    character_limit: Count


def read_balances(http: HttpClient, source: str, now: datetime) -> list[Balance]:
    """Read the characters of the billing period; more may be used than it includes."""
    found = http.get("v1/user/subscription", into=_Subscription)
    return [
        Balance(
            source=source,
            provider="elevenlabs",
            balance="characters",
            unit="characters",
            observed_at=now,
            remaining=Decimal(found.character_limit - found.character_count),
            used=Decimal(found.character_count),
            limit_amount=Decimal(found.character_limit),
        )
    ]


def demand_good_key(http: HttpClient) -> None:
    """Ask what every key of ours may read; raises as HttpClient does."""
    http.get("v1/user/subscription", into=_Subscription)
