"""AWS as boto3 sees it: CloudWatch and Cost Explorer in AWS's JSON protocol, told from a ledger."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import msgspec

from exporter.demo.providers.bedrock_metrics import Metrics
from exporter.demo.providers.charges import Charge, charges
from exporter.demo.providers.ledger import Ledger
from exporter.demo.providers.spans import DAY, by_span, spans
from exporter.demo.providers.wire import Answer, RefusalError, Request

ACCESS_KEY_ID = "AKIASIMULATEDSIMULAT"
SECRET_ACCESS_KEY = "simulated/secret+access+key+of+nobody"  # noqa: S105 - of the simulation
_METRICS_TARGET = "GraniteServiceVersion20100801"
_COSTS_TARGET = "AWSInsightsIndexService"
_JSON = {"Content-Type": "application/x-amz-json-1.1"}
_CODES = {
    400: "ValidationException",
    401: "UnrecognizedClientException",
    403: "AccessDeniedException",
    429: "ThrottlingException",
}
SERVICE = "Amazon Bedrock"


class BedrockApi:
    """Answers as AWS does; a key may be forbidden some operations."""

    def __init__(
        self,
        ledger: Ledger,
        *,
        keys: Sequence[str] = (ACCESS_KEY_ID,),
        forbidden: Sequence[str] = (),
        series_per_page: int = 500,
        results_per_page: int = 500,
        groups_per_page: int = 5000,
    ) -> None:
        self.ledger = ledger
        self.keys = keys
        self.forbidden = forbidden
        self.series_per_page = series_per_page
        self.results_per_page = results_per_page
        self.groups_per_page = groups_per_page

    def answer(self, request: Request, now: datetime) -> Answer:
        """Answer a request at a moment."""
        try:
            return Answer(body=self._body(request, now), headers=_JSON)
        except RefusalError as refusal:
            code = refusal.code or _CODES.get(refusal.status, "InternalServiceError")
            error = {"__type": code, "message": refusal.message}
            return Answer(status=refusal.status, body=error, headers=_JSON)

    def refuse(self, status: int, message: str) -> Answer:
        """Return an error in AWS's words."""
        error = {"__type": _CODES.get(status, "InternalServiceError"), "message": message}
        return Answer(status=status, body=error, headers=_JSON)

    def page_token(self, request: Request) -> str | None:
        """Return what the body says of the page that is wanted."""
        body = _asked(request)
        return body.get("NextToken") or body.get("NextPageToken")

    def _body(self, request: Request, now: datetime) -> Mapping[str, object]:
        target, _, operation = request.headers.get("x-amz-target", "").partition(".")
        region = self._region(request, operation)
        if target == _METRICS_TARGET:
            return self._metrics(operation, region, _asked(request), now)
        if target == _COSTS_TARGET:
            return self._costs(operation, region, _asked(request), now)
        raise RefusalError(404, target, code="UnknownOperationException")

    def _metrics(
        self, operation: str, region: str, body: Mapping[str, Any], now: datetime
    ) -> Mapping[str, object]:
        metrics = Metrics(
            ledger=self.ledger,
            region=region,
            series_per_page=self.series_per_page,
            results_per_page=self.results_per_page,
        )
        match operation:
            case "ListMetrics":
                return metrics.listed(body, now)
            case "GetMetricData":
                return metrics.data(body, now)
            case _:
                raise RefusalError(404, operation, code="UnknownOperationException")

    def _region(self, request: Request, operation: str) -> str:
        """Return the region that the request is signed for."""
        scheme, _, rest = request.headers.get("authorization", "").partition(" Credential=")
        key, *scope = rest.partition(",")[0].split("/")
        if scheme != "AWS4-HMAC-SHA256" or len(scope) != 4 or key not in self.keys:
            message = "The security token included in the request is invalid."
            raise RefusalError(403, message, code="UnrecognizedClientException")
        if operation in self.forbidden:
            message = f"User is not authorized to perform: {operation}"
            raise RefusalError(400, message, code="AccessDeniedException")
        return scope[1]

    def _costs(
        self, operation: str, region: str, body: Mapping[str, Any], now: datetime
    ) -> Mapping[str, object]:
        if region != "us-east-1":
            raise RefusalError(400, f"No Cost Explorer in {region}.")
        start, end = (_midnight(body["TimePeriod"][name]) for name in ("Start", "End"))
        if end <= start or end > now + DAY:
            raise RefusalError(400, "Start date must be before end date, and end not later.")
        days = spans(start, end, DAY)
        usages = self.ledger.visible(now, start, end)
        found = [charge for usage in usages for charge in charges(usage)]
        match operation:
            case "GetDimensionValues":
                services = sorted({_service(charge) for charge in found} | {"Amazon Bedrock Chat"})
                wanted = body["SearchString"].lower()
                values = [{"Value": name} for name in services if wanted in name.lower()]
                return {"DimensionValues": values, "ReturnSize": len(values)}
            case "GetCostAndUsage":
                kept = [c for c in found if _service(c) in body["Filter"]["Dimensions"]["Values"]]
                inside = by_span(days, kept, lambda charge: charge.usage.at)
                rows = [
                    (day, group)
                    for (day, _), charged in zip(days, inside, strict=True)
                    for group in _groups(charged)
                ]
                return self._page(body, rows)
            case _:
                raise RefusalError(400, operation, code="UnknownOperationException")

    def _page(
        self, body: Mapping[str, Any], rows: Sequence[tuple[datetime, Mapping[str, object]]]
    ) -> Mapping[str, object]:
        first = int(body.get("NextPageToken", 0))
        after = first + self.groups_per_page
        days: defaultdict[datetime, list[object]] = defaultdict(list)
        for day, group in rows[first:after]:
            days[day].append(group)
        results = [
            {
                "TimePeriod": {"Start": f"{day:%Y-%m-%d}", "End": f"{day + DAY:%Y-%m-%d}"},
                "Total": {},
                "Groups": groups,
                "Estimated": True,
            }
            for day, groups in days.items()
        ]
        token = {"NextPageToken": str(after)} if after < len(rows) else {}
        return {"ResultsByTime": results, "DimensionValueAttributes": [], **token}


def _service(charge: Charge) -> str:
    """Models of others are billed under names of their own."""
    _, is_others, name = charge.usage.model.partition("anthropic.claude-")
    return f"Claude {name.partition('-')[0]} (Amazon Bedrock Edition)" if is_others else SERVICE


def _groups(charged: Sequence[Charge]) -> list[dict[str, object]]:
    groups: defaultdict[tuple[str, str], list[Charge]] = defaultdict(list)
    for charge in charged:
        usage_type = f"{charge.usage.labels.get('region', 'us-east-1')}-{charge.usage.model}"
        groups[_service(charge), f"{usage_type}-{charge.part}"].append(charge)
    return [
        {
            "Keys": list(keys),
            "Metrics": {
                "UnblendedCost": {"Amount": _sum(charges), "Unit": "USD"},
                "UsageQuantity": {"Amount": str(sum(c.quantity for c in charges)), "Unit": "N/A"},
            },
        }
        for keys, charges in sorted(groups.items())
    ]


def _sum(charged: Sequence[Charge]) -> str:
    return str(sum((charge.cost_usd for charge in charged), Decimal(0)))


def _midnight(text: str) -> datetime:
    return datetime.combine(date.fromisoformat(text), time(), UTC)


def _asked(request: Request) -> dict[str, Any]:
    body: dict[str, Any] = msgspec.json.decode(request.body or b"{}")
    return body
