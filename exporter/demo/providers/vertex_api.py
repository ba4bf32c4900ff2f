"""Google Cloud as a service account sees it: tokens, and Cloud Monitoring's time series."""

import json
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache
from importlib import import_module
from typing import Any
from urllib.parse import parse_qsl

from exporter.demo.providers.ledger import Ledger, Usage
from exporter.demo.providers.spans import EPOCH, MINUTE
from exporter.demo.providers.wire import Answer, RefusalError, Request, allow_only, one

CLIENT_EMAIL = "exporter@acme-web.iam.gserviceaccount.example"
TOKEN_PATH = "/token"  # noqa: S105 - an address
TOKEN_LIFE = timedelta(hours=1)
_ROOT = "aiplatform.googleapis.com/publisher/online_serving"
_SERIES = re.compile(r"/v3/projects/([^/]+)/timeSeries")
_METRIC = re.compile(rf'metric\.type="{re.escape(_ROOT)}/(token_count|model_invocation_count)"')
_PARAMETERS = frozenset(
    {
        "filter",
        "interval.startTime",
        "interval.endTime",
        "aggregation.alignmentPeriod",
        "aggregation.perSeriesAligner",
        "aggregation.crossSeriesReducer",
        "aggregation.groupByFields",
        "view",
        "pageToken",
    }
)
_CODES = {401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 429: "RESOURCE_EXHAUSTED"}


@cache
def _private_key() -> Any:
    rsa = import_module("cryptography.hazmat.primitives.asymmetric.rsa")
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def key_file(project: str = "acme-web") -> str:
    """Return the content of a key file that lets one in; another in each process."""
    words = import_module("cryptography.hazmat.primitives.serialization")
    private_key = _private_key().private_bytes(
        words.Encoding.PEM, words.PrivateFormat.PKCS8, words.NoEncryption()
    )
    return json.dumps(
        {
            "type": "service_account",
            "project_id": project,
            "private_key_id": "simulated",
            "private_key": private_key.decode(),
            "client_email": CLIENT_EMAIL,
            "token_uri": "https://oauth2.googleapis.com/token",
        }
    )


class VertexApi:
    """Answers as Google does, to whoever has the key file."""

    def __init__(self, ledger: Ledger, *, series_per_page: int = 1000) -> None:
        self.ledger = ledger
        self.series_per_page = series_per_page
        self._tokens: dict[str, datetime] = {}

    def answer(self, request: Request, now: datetime) -> Answer:
        """Answer a request at a moment."""
        if request.path == TOKEN_PATH:
            return self._token(request, now)
        try:
            return Answer(body=self._series(request, now))
        except RefusalError as refusal:
            return _refusal(refusal)

    def refuse(self, status: int, message: str) -> Answer:
        """Return an error in Google's words."""
        return _refusal(RefusalError(status, message))

    def page_token(self, request: Request) -> str | None:
        """Return what the request says of the page that is wanted."""
        return one(request, "pageToken")

    def revoke_tokens(self) -> None:
        """Take back every token given so far."""
        self._tokens.clear()

    def _token(self, request: Request, now: datetime) -> Answer:
        form = dict(parse_qsl(request.body.decode()))
        jwt = import_module("jwt")
        try:
            claims = jwt.decode(
                form["assertion"],
                _private_key().public_key(),
                algorithms=["RS256"],
                audience=f"http://{request.headers['host']}{TOKEN_PATH}",
                issuer=CLIENT_EMAIL,
                options={"require": ["exp", "iat"]},
            )
        except (KeyError, jwt.PyJWTError) as error:
            body = {"error": "invalid_grant", "error_description": f"Invalid JWT: {error}"}
            return Answer(status=400, body=body)
        life = timedelta(seconds=claims["exp"] - claims["iat"])
        if life > TOKEN_LIFE or not claims["scope"].endswith("/auth/monitoring.read"):
            return Answer(status=400, body={"error": "invalid_scope"})
        token = f"ya29.simulated.{len(self._tokens)}.{now.timestamp():.0f}"
        self._tokens[token] = now + TOKEN_LIFE
        return Answer(body={"access_token": token, "expires_in": 3599, "token_type": "Bearer"})

    def _series(self, request: Request, now: datetime) -> Mapping[str, object]:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme != "Bearer" or self._tokens.get(token, now) <= now:
            raise RefusalError(401, "Request had invalid authentication credentials.")
        path = _SERIES.fullmatch(request.path)
        metric = _METRIC.fullmatch(str(one(request, "filter")))
        if path is None or metric is None:
            raise RefusalError(404, "The metric type does not exist.")
        allow_only(request, _PARAMETERS)
        aligner = one(request, "aggregation.perSeriesAligner")
        if (aligner, one(request, "aggregation.crossSeriesReducer")) != ("ALIGN_SUM", "REDUCE_SUM"):
            raise RefusalError(400, "The simulation sums.")
        start, end = (
            datetime.fromisoformat(str(one(request, f"interval.{name}Time")))
            for name in ("start", "end")
        )
        if not start < end <= now:
            raise RefusalError(400, "The interval ends before it begins, or in the future.")
        width = timedelta(seconds=int(str(one(request, "aggregation.alignmentPeriod"))[:-1]))
        usages = [
            usage
            for usage in self.ledger.visible(now, start, end)
            if usage.project_id == path[1] and usage.input_tokens
        ]
        groups = request.query.get("aggregation.groupByFields", ())
        found = _grouped(metric[1], usages, groups, end, width)
        first = int(one(request, "pageToken", "0") or 0)
        after = first + self.series_per_page
        token_after = {"nextPageToken": str(after)} if after < len(found) else {}
        return {"timeSeries": found[first:after], **token_after, "unit": "1"}


def _grouped(
    metric: str, usages: Sequence[Usage], fields: Sequence[str], end: datetime, width: timedelta
) -> list[object]:
    sums: defaultdict[tuple[str, ...], defaultdict[datetime, int]]
    sums = defaultdict(lambda: defaultdict(int))
    for usage in usages:
        minute_end = usage.at - (usage.at - EPOCH) % MINUTE + MINUTE
        period_end = end - (end - minute_end) // width * width
        counts = {"": usage.requests}
        if metric == "token_count":
            counts = {"input": usage.input_tokens, "output": usage.output_tokens}
        for kind, amount in counts.items():
            labels = {**usage.labels, "model_user_id": usage.model, "type": kind}
            key = tuple(labels[field.rpartition(".")[2]] for field in fields)
            sums[key][period_end] += amount
    return [
        _one_series(metric, dict(zip(fields, key, strict=True)), points, width)
        for key, points in sorted(sums.items())
    ]


def _one_series(
    metric: str, values: Mapping[str, str], points: Mapping[datetime, int], width: timedelta
) -> dict[str, object]:
    labels: dict[str, dict[str, str]] = {"metric": {}, "resource": {}}
    for field, value in values.items():
        kind, _, name = field.partition(".label.")
        labels[kind][name] = value
    return {
        "metric": {"type": f"{_ROOT}/{metric}", "labels": labels["metric"]},
        "resource": {
            "type": "aiplatform.googleapis.com/PublisherModel",
            "labels": labels["resource"],
        },
        "metricKind": "DELTA",
        "valueType": "INT64",
        "points": [
            {
                "interval": {"startTime": _written(at - width), "endTime": _written(at)},
                "value": {"int64Value": str(points[at])},
            }
            for at in sorted(points, reverse=True)
        ],
    }


def _written(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"


def _refusal(refusal: RefusalError) -> Answer:
    error = {
        "code": refusal.status,
        "message": refusal.message,
        "status": _CODES.get(refusal.status, "INTERNAL"),
    }
    return Answer(status=refusal.status, body={"error": error})
