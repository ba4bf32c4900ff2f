"""Anthropic's administration API: usage, cost, analytics and names, told from a ledger."""

from collections.abc import Collection, Mapping
from datetime import datetime
from decimal import Decimal

from exporter.demo.providers.anthropic_analytics import BETA, Analytics
from exporter.demo.providers.anthropic_claude_code import claude_code_report
from exporter.demo.providers.anthropic_names import NEWER_VERSION, named_list
from exporter.demo.providers.anthropic_reports import cost_report, usage_report
from exporter.demo.providers.anthropic_words import has_beta
from exporter.demo.providers.ledger import Ledger
from exporter.demo.providers.wire import Answer, RefusalError, Request

ROOT = "/v1/organizations"
ADMIN_KEY = "sk-ant-admin01-simulated"
WORKSPACE_KEY = "sk-ant-api03-simulated"
VERSIONS = ("2023-06-01", NEWER_VERSION)

_ERROR_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}


class AnthropicApi:
    """Answers as Anthropic does.

    `analytics_status` is what an organization gets that does not have the analytics beta: 404 or
    403. `discount` is how far the bill lies below the list price.
    """

    def __init__(
        self,
        ledger: Ledger,
        *,
        admin_keys: Collection[str] = (ADMIN_KEY,),
        workspace_keys: Collection[str] = (WORKSPACE_KEY,),
        analytics_status: int = 200,
        discount: Decimal = Decimal(0),
    ) -> None:
        self.ledger = ledger
        self.admin_keys = admin_keys
        self.workspace_keys = workspace_keys
        self.analytics_status = analytics_status
        self.analytics = Analytics(ledger, discount)

    def answer(self, request: Request, now: datetime) -> Answer:
        """Answer a request at a moment."""
        try:
            return Answer(body=self._body(request, now))
        except RefusalError as refusal:
            return self.refuse(refusal.status, refusal.message)

    def refuse(self, status: int, message: str) -> Answer:
        """Return an error in Anthropic's words."""
        usual = "api_error" if status >= 500 else "invalid_request_error"
        error = {"type": _ERROR_TYPES.get(status, usual), "message": message}
        return Answer(
            status=status,
            body={"type": "error", "error": error, "request_id": "req_simulated"},
        )

    def _body(self, request: Request, now: datetime) -> Mapping[str, object]:
        self._check_headers(request)
        if request.method != "GET":
            raise RefusalError(405, "Method Not Allowed")
        match request.path.removeprefix(ROOT).split("/"):
            case ["", "usage_report", "messages"]:
                return usage_report(self.ledger, request, now)
            case ["", "usage_report", "claude_code"]:
                return claude_code_report(self.ledger, request, now)
            case ["", "cost_report"]:
                return cost_report(self.ledger, request, now)
            case ["", "analytics", "usage"]:
                self._check_analytics(request)
                return self.analytics.usage(request, now)
            case ["", "analytics", "cost"]:
                self._check_analytics(request)
                return self.analytics.cost(request, now)
            case ["", *path]:
                return named_list(self.ledger, request, path, now)
            case _:
                raise RefusalError(404, "Not found")

    def _check_headers(self, request: Request) -> None:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        key = request.headers.get("x-api-key") or (token if scheme == "Bearer" else None)
        if key is None:
            raise RefusalError(401, "x-api-key header is required")
        if key in self.workspace_keys:
            raise RefusalError(403, "This endpoint requires an Admin API key")
        if key not in self.admin_keys:
            raise RefusalError(401, "invalid x-api-key")
        version = request.headers.get("anthropic-version")
        if version is None:
            raise RefusalError(400, "anthropic-version: header is required")
        if version not in VERSIONS:
            raise RefusalError(400, f'anthropic-version: "{version}" is not a valid version')

    def _check_analytics(self, request: Request) -> None:
        if self.analytics_status != 200:
            raise RefusalError(self.analytics_status, "Analytics is not available")
        if not has_beta(request, BETA):
            raise RefusalError(404, "Not found")
