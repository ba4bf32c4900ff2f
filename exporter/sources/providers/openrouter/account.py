"""OpenRouter's account: what is left of credits and of keys' limits, and names."""

from collections import Counter
from datetime import datetime, timedelta
from decimal import Decimal

import msgspec

from exporter.http_client import HttpClient
from exporter.records import Balance, DimensionName
from exporter.sources.polling.wire import dollars
from exporter.sources.providers.openrouter.lists import Key, Limit, read_keys, read_workspaces

_KEYS_EVERY = timedelta(minutes=15)


class _Credits(msgspec.Struct):
    total_credits: Decimal
    total_usage: Decimal


class _CreditsAnswer(msgspec.Struct):
    data: _Credits


class _OwnKey(msgspec.Struct):
    data: Limit


class Account:
    """Reads what an account has, besides its activity."""

    def __init__(self, http: HttpClient, source: str) -> None:
        self._http = http
        self._source = source
        self._keys_at: datetime | None = None
        self._known_limits: dict[str, Key] = {}

    def balances(self, now: datetime) -> list[Balance]:
        """Read credits and limits; a key without a limit has no balance."""
        credits_ = self._http.get("credits", into=_CreditsAnswer).data
        bought, used = dollars(credits_.total_credits), dollars(credits_.total_usage)
        found = [self._balance(now, "credits", remaining=bought - used, used=used)]
        limits = {"own key": self._http.get("key", into=_OwnKey).data, **self._limits(now)}
        for balance, key in limits.items():
            if key.limit is not None and key.limit_remaining is not None:
                limit, remaining = dollars(key.limit), dollars(key.limit_remaining)
                found.append(
                    self._balance(
                        now, balance, remaining=remaining, used=limit - remaining, limit=limit
                    )
                )
        return found

    def names(self) -> list[DimensionName]:
        """Read the names of workspaces and keys."""
        workspaces = read_workspaces(self._http)
        found = [("project_id", one.id, one.name) for one in workspaces]
        keys = read_keys(self._http, workspaces)
        found += [("api_key_id", key.hash, key.name) for key in keys if key.name]
        return [
            DimensionName(source=self._source, dimension=dimension, id=id_, name=name)
            for dimension, id_, name in found
        ]

    def _limits(self, now: datetime) -> dict[str, Key]:
        """Read the keys that can be used, by name, which need not be unique."""
        if self._keys_at is not None and now - self._keys_at < _KEYS_EVERY:
            return self._known_limits
        keys = [
            key for key in read_keys(self._http, read_workspaces(self._http)) if not key.disabled
        ]
        self._keys_at = now
        times = Counter(key.name for key in keys)
        self._known_limits = {
            f"key {key.name}" if key.name and times[key.name] == 1 else f"key {key.hash[:8]}": key
            for key in keys
        }
        return self._known_limits

    def _balance(
        self,
        now: datetime,
        balance: str,
        *,
        remaining: Decimal,
        used: Decimal,
        limit: Decimal | None = None,
    ) -> Balance:
        return Balance(
            source=self._source,
            provider="openrouter",
            balance=balance,
            unit="USD",
            observed_at=now,
            remaining=remaining,
            used=used,
            limit_amount=limit,
        )
