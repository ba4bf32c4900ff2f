"""DeepSeek's balance: one purse a currency, the first of them paid from by a ledger."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from types import MappingProxyType

from exporter.demo.providers.ledger import Ledger
from exporter.demo.providers.spans import EPOCH
from exporter.demo.providers.wire import Answer, Request

API_KEY = "deepseek-simulated"
GRANTED = Decimal("10.00")
_CENT = Decimal("0.01")


class DeepSeekApi:
    """Answers as DeepSeek does; what the ledger says is spent comes out of the first purse."""

    def __init__(
        self,
        ledger: Ledger,
        *,
        topped_up: Mapping[str, Decimal] = MappingProxyType(
            {"USD": Decimal(100), "CNY": Decimal(50)}
        ),
        api_key: str = API_KEY,
    ) -> None:
        self.ledger = ledger
        self.topped_up = topped_up
        self.api_key = api_key

    def answer(self, request: Request, now: datetime) -> Answer:
        """Answer a request at a moment."""
        if request.headers.get("authorization") != f"Bearer {self.api_key}":
            return self.refuse(401, "Authentication Fails")
        if (request.method, request.path) != ("GET", "/user/balance"):
            return self.refuse(404, "Not Found")
        return Answer(body={"is_available": True, "balance_infos": self._purses(now)})

    def refuse(self, status: int, message: str) -> Answer:
        """Return an error in DeepSeek's words."""
        error = {"message": message, "type": "simulated", "param": None, "code": str(status)}
        return Answer(status=status, body={"error": error})

    def left(self, now: datetime) -> Mapping[str, Decimal]:
        """Return what is left of each purse, to the cent."""
        usages = self.ledger.visible(now, EPOCH, now + timedelta(microseconds=1))
        spent = sum((usage.cost_usd for usage in usages), Decimal(0))
        first = next(iter(self.topped_up))
        return {
            currency: (GRANTED + amount - (spent if currency == first else 0)).quantize(_CENT)
            for currency, amount in self.topped_up.items()
        }

    def _purses(self, now: datetime) -> list[Mapping[str, str]]:
        return [
            {
                "currency": currency,
                "total_balance": str(amount),
                "granted_balance": str(GRANTED),
                "topped_up_balance": str(amount - GRANTED),
            }
            for currency, amount in self.left(now).items()
        ]
