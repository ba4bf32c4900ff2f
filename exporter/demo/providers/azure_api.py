"""Azure as an application sees it: Entra's tokens, Azure Monitor, Cost Management."""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from urllib.parse import parse_qsl

from exporter.demo.providers.azure_costs import RowPage, cost_page
from exporter.demo.providers.azure_metrics import metrics
from exporter.demo.providers.ledger import Ledger
from exporter.demo.providers.wire import Answer, RefusalError, Request

TENANT_ID, CLIENT_ID = "simulated-tenant", "simulated-client"
CLIENT_SECRET = "simulated-secret"  # noqa: S105 - of the simulation
RESOURCE_GROUP = "/subscriptions/simulated/resourceGroups/AI"
TOKEN_LIFE = timedelta(hours=1)
_METRICS = re.compile(r"(/subscriptions/.+/accounts/([^/]+))/providers/Microsoft\.Insights/metrics")
_COSTS = "/providers/Microsoft.CostManagement/query"
_CODES = {401: "InvalidAuthenticationToken", 403: "AuthorizationFailed", 429: "TooManyRequests"}


def resource_id(account: str) -> str:
    """Return the id of an account of the ledger, which knows it as a project."""
    return f"{RESOURCE_GROUP}/providers/Microsoft.CognitiveServices/accounts/{account}"


class AzureApi:
    """Answers as Entra and the resource manager do."""

    def __init__(
        self,
        ledger: Ledger,
        *,
        tells_tiers: bool = True,
        tells_costs: bool = True,
        currency: str = "USD",
        rows_per_page: int = 1000,
    ) -> None:
        self.ledger = ledger
        self.tells_tiers = tells_tiers
        self.tells_costs = tells_costs
        self.currency = currency
        self.rows_per_page = rows_per_page
        self._tokens: dict[str, datetime] = {}

    def answer(self, request: Request, now: datetime) -> Answer:
        """Answer a request at a moment."""
        if request.path.endswith("/oauth2/v2.0/token"):
            return self._token(request, now)
        try:
            return Answer(body=self._body(request, now))
        except RefusalError as refusal:
            return _refusal(refusal)

    def refuse(self, status: int, message: str) -> Answer:
        """Return an error in the resource manager's words."""
        return _refusal(RefusalError(status, message))

    def page_token(self, request: Request) -> str | None:
        """Return what the address says of the page that is wanted."""
        return request.query.get("$skiptoken", (None,))[0]

    def revoke_tokens(self) -> None:
        """Take back every token given so far."""
        self._tokens.clear()

    def _token(self, request: Request, now: datetime) -> Answer:
        form = dict(parse_qsl(request.body.decode()))
        wanted = {
            "grant_type": "client_credentials",
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
        }
        if request.path.split("/")[1] != TENANT_ID or not wanted.items() <= form.items():
            body = {
                "error": "invalid_client",
                "error_description": "AADSTS7000215: Invalid client secret provided.",
            }
            return Answer(status=401, body=body)
        token = f"simulated.{len(self._tokens)}.{now.timestamp():.0f}"
        self._tokens[token] = now + TOKEN_LIFE
        seconds = int(TOKEN_LIFE.total_seconds())
        return Answer(
            body={
                "token_type": "Bearer",
                "expires_in": seconds - 1,
                "ext_expires_in": seconds - 1,
                "access_token": token,
            }
        )

    def _body(self, request: Request, now: datetime) -> Mapping[str, object]:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme != "Bearer" or self._tokens.get(token, now) <= now:
            raise RefusalError(401, "The access token is invalid.")
        if request.method == "GET" and (found := _METRICS.fullmatch(request.path)):
            return metrics(
                self.ledger, request, now, account=found[2], tells_tiers=self.tells_tiers
            )
        if request.method == "POST" and request.path.endswith(_COSTS):
            if not self.tells_costs:
                raise RefusalError(403, "The client does not have authorization.")
            page = RowPage(self.currency, self.rows_per_page, resource_id)
            return cost_page(self.ledger, request, now, page)
        raise RefusalError(404, f"{request.path} was not found.", code="ResourceNotFound")


def _refusal(refusal: RefusalError) -> Answer:
    code = refusal.code or _CODES.get(refusal.status, "InternalServerError")
    return Answer(status=refusal.status, body={"error": {"code": code, "message": refusal.message}})
