"""xAI's prepaid credits: a ledger in cents, where credit is negative, and what was drawn since.

https://docs.x.ai/developers/management-api/billing
"""

from datetime import datetime
from decimal import Decimal

import msgspec

from exporter.errors import RefusedRequestError
from exporter.http_client import HttpClient
from exporter.records import Balance
from exporter.sources.polling.wire import from_cents
from exporter.sources.providers.xai.team import Team


class _Credit(msgspec.Struct):
    val: Decimal

    def in_dollars(self) -> Decimal:
        return -from_cents(self.val)


class _Ledger(msgspec.Struct):
    total: _Credit


class _Invoice(msgspec.Struct, rename="camel"):
    prepaid_credits: _Credit | None = None
    prepaid_credits_used: _Credit | None = None


class _Preview(msgspec.Struct, rename="camel"):
    core_invoice: _Invoice


def read_balances(http: HttpClient, team: Team, source: str, now: datetime) -> list[Balance]:
    """Read the credits of the ledger, and those that are left now.

    What is spent is posted to the ledger only when its month is billed. Until then the ledger says
    more than is left; the preview of the invoice says what was drawn.
    """
    posted = http.get(team.path("prepaid/balance"), into=_Ledger).total.in_dollars()
    found = [_balance(source, now, "posted credits", remaining=posted)]
    try:
        invoice = http.get(team.path("postpaid/invoice/preview"), into=_Preview).core_invoice
    except RefusedRequestError as error:
        if error.status not in (400, 403, 404):
            raise
        return found
    if invoice.prepaid_credits is not None and invoice.prepaid_credits_used is not None:
        used = invoice.prepaid_credits_used.in_dollars()
        remaining = invoice.prepaid_credits.in_dollars() - used
        found.append(_balance(source, now, "credits", remaining=remaining, used=used))
    return found


def _balance(
    source: str, now: datetime, balance: str, *, remaining: Decimal, used: Decimal | None = None
) -> Balance:
    return Balance(
        source=source,
        provider="x-ai",
        balance=balance,
        unit="USD",
        observed_at=now,
        remaining=remaining,
        used=used,
    )
