"""DeepSeek: what is left of the account's money; it has no API for usage or costs.

https://api-docs.deepseek.com/api/get-user-balance
"""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import ClassVar, Literal

import msgspec

from exporter.http_client import HttpClient
from exporter.records import Balance
from exporter.setting_types import HttpUrl, Secret
from exporter.sources.polling.reports import ProviderSettings, ReportSource
from exporter.sources.polling.wire import dollars


class DeepSeekSettings(ProviderSettings):
    """A DeepSeek account."""

    from_environment: ClassVar[Mapping[str, str]] = {"api_key": "DEEPSEEK_API_KEY"}

    kind: Literal["deepseek"] = "deepseek"
    base_url: HttpUrl = "https://api.deepseek.com"
    api_key: Secret
    """An API key of the account; DeepSeek knows no lesser one."""


class _Left(msgspec.Struct):
    currency: str
    total_balance: Decimal  # granted and topped up


class _Answer(msgspec.Struct):
    balance_infos: list[_Left]


def source(settings: DeepSeekSettings) -> ReportSource:
    """Return the account as a source."""
    http = HttpClient(
        settings.base_url,
        headers={"Authorization": f"Bearer {settings.api_key.get_secret_value()}"},
        allow_private=settings.allow_private,
    )
    return ReportSource(
        name=settings.name,
        provider="deepseek",
        balances=partial(_balances, http, settings.name),
        history=settings.history,
        close=http.close,
    )


def _balances(http: HttpClient, source: str, now: datetime) -> list[Balance]:
    """Read what is left, in each currency that the account holds."""
    return [
        Balance(
            source=source,
            provider="deepseek",
            balance="credits",
            unit=left.currency.upper(),
            observed_at=now,
            remaining=dollars(left.total_balance),
        )
        for left in http.get("user/balance", into=_Answer).balance_infos
    ]
