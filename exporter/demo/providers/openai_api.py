"""OpenAI's administration API: usage, costs and names, told from a ledger."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import count

from exporter.demo.providers.charges import Charge, Part, charges
from exporter.demo.providers.ledger import Ledger, Usage, Value, dimension
from exporter.demo.providers.openai_kinds import FILTERS, KINDS
from exporter.demo.providers.openai_names import named_list
from exporter.demo.providers.pages import Width, bucket_page
from exporter.demo.providers.spans import DAY, EPOCH, by_span, spans
from exporter.demo.providers.wire import Answer, RefusalError, Request, allow_only, one

ROOT = "/v1/organization"
ADMIN_KEY = "sk-admin-simulated"
USAGE_SCOPE = "api.usage.read"
NAMES_SCOPE = "api.management.read"
CLOCK_SKEW = timedelta(seconds=60)

_COMMON = ("start_time", "end_time", "bucket_width", "limit", "page", "group_by")
_COST_FILTERS = ("project_ids", "api_key_ids", "line_items")
_COST_GROUPS = ("project_id", "line_item", "api_key_id", "user_id", "api_source")
_COST_WIDTHS = {"1d": Width(DAY, 7, 180)}
_LINE_ENDINGS = {
    Part.INPUT: "input",
    Part.CACHED_INPUT: "cached input",
    Part.CACHE_WRITE_5M: "cache write 30m",
    Part.CACHE_WRITE_1H: "cache write 12h",
    Part.OUTPUT: "output",
}
_UNITS = {"images": "images", "characters": "characters", "seconds": "duration_seconds"}
# Where the ledger says nothing; a null would mean "not grouped".
_DEFAULTS = {"service_tier": "default", "api_source": "unlabeled"}


class OpenAIApi:
    """Answers as OpenAI does; `keys` maps each key to its scopes."""

    def __init__(
        self,
        ledger: Ledger,
        *,
        keys: Mapping[str, Collection[str]] | None = None,
        refused_cost_groups: Collection[str] = (),
        costs_lag: timedelta = timedelta(0),
    ) -> None:
        self.ledger = ledger
        self.keys = keys if keys is not None else {ADMIN_KEY: (USAGE_SCOPE, NAMES_SCOPE)}
        self.refused_cost_groups = refused_cost_groups
        self.costs_lag = costs_lag
        self._amounts = count()

    def answer(self, request: Request, now: datetime) -> Answer:
        """Answer a request at a moment."""
        try:
            return Answer(body=self._body(request, now))
        except RefusalError as refusal:
            return _refusal(refusal)

    def refuse(self, status: int, message: str) -> Answer:
        """Return an error in OpenAI's words."""
        return _refusal(RefusalError(status, message))

    def _body(self, request: Request, now: datetime) -> Mapping[str, object]:
        scopes = self._scopes(request)
        if request.method != "GET":
            raise RefusalError(405, f"Not allowed to {request.method} on {request.path}.")
        match request.path.removeprefix(ROOT).split("/"):
            case ["", "usage", kind] if kind in KINDS:
                _need(scopes, USAGE_SCOPE)
                return self._usage(request, kind, now)
            case ["", "costs"]:
                _need(scopes, USAGE_SCOPE)
                return self._costs(request, now)
            case ["", *path]:
                _need(scopes, NAMES_SCOPE)
                return named_list(self.ledger, request, path, now)
            case _:
                raise RefusalError(404, f"Invalid URL (GET {request.path})", code="not_found")

    def _scopes(self, request: Request) -> Collection[str]:
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        if scheme != "Bearer" or key not in self.keys:
            raise RefusalError(401, "Incorrect API key provided.", code="invalid_api_key")
        return self.keys[key]

    def _usage(self, request: Request, name: str, now: datetime) -> Mapping[str, object]:
        kind = KINDS[name]
        allow_only(request, _with_brackets(*_COMMON, *kind.filters))
        group_by = _group_by(request, kind.group_by)
        filters = _filters(request, kind.filters)
        start, end = _period(request, now)
        page = bucket_page(request, start, end)
        buckets = self.ledger.rows(
            now,
            page.start,
            page.end,
            page.width,
            group_by,
            endpoint=name,
            read=_read,
            keep=lambda usage: all(_read(usage, key) in kept for key, kept in filters.items()),
        )
        ungrouped = dict.fromkeys(kind.group_by)
        data = [
            _bucket(
                bucket.start,
                bucket.end,
                [
                    {
                        "object": f"organization.usage.{kind.result}.result",
                        **kind.counts(row),
                        **ungrouped,
                        **row.group,
                    }
                    for row in bucket.rows
                ],
            )
            for bucket in buckets
        ]
        return _page(data, page.next_page)

    def _costs(self, request: Request, now: datetime) -> Mapping[str, object]:
        allow_only(request, _with_brackets(*_COMMON, *_COST_FILTERS))
        group_by = _group_by(request, _COST_GROUPS)
        for refused in self.refused_cost_groups:
            if refused in group_by:
                message = f"Grouping by '{refused}' is not supported for this organization."
                raise RefusalError(400, message, param="group_by", code="invalid_value")
        filters = _filters(request, _COST_FILTERS)
        start, end = _period(request, now)
        page = bucket_page(request, start, end, _COST_WIDTHS)
        usages = self.ledger.visible(now - self.costs_lag, page.start, page.end)
        found = [
            charge
            for usage in usages
            for charge in charges(usage)
            if all(_read_charge(charge, key) in kept for key, kept in filters.items())
        ]
        cut = spans(page.start, page.end, page.width)
        inside = by_span(cut, found, lambda charge: charge.usage.at)
        data = [
            _bucket(begin, stop, self._cost_results(group_by, bucket))
            for (begin, stop), bucket in zip(cut, inside, strict=True)
        ]
        return _page(data, page.next_page)

    def _cost_results(
        self, group_by: Sequence[str], found: Sequence[Charge]
    ) -> list[dict[str, object]]:
        groups: defaultdict[tuple[Value, ...], list[Charge]] = defaultdict(list)
        for charge in found:
            groups[tuple(_read_charge(charge, name) for name in group_by)].append(charge)
        results = []
        for key, members in sorted(groups.items(), key=lambda group: str(group[0])):
            amount = sum((charge.cost_usd for charge in members), Decimal(0))
            result = {
                "object": "organization.costs.result",
                "amount": {"value": self._amount(amount), "currency": "usd"},
                **dict.fromkeys(_COST_GROUPS),
                **dict(zip(group_by, key, strict=True)),
            }
            if "line_item" in group_by:
                result["quantity"] = float(sum(charge.quantity for charge in members))
                result["quantity_unit"] = _unit(members[0])
            results.append(result)
        return results

    def _amount(self, dollars: Decimal) -> Decimal | str:
        """Return every other amount as a string of at least 17 digits, as OpenAI at times does."""
        return f"{dollars:.17f}" if next(self._amounts) % 2 else dollars


def _refusal(refusal: RefusalError) -> Answer:
    error = {
        "message": refusal.message,
        "type": "server_error" if refusal.status >= 500 else "invalid_request_error",
        "param": refusal.param,
        "code": refusal.code,
    }
    return Answer(status=refusal.status, body={"error": error})


def _need(scopes: Collection[str], scope: str) -> None:
    if scope not in scopes:
        message = f"You have insufficient permissions for this operation. Missing scopes: {scope}."
        raise RefusalError(403, message, code="missing_scope")


def _with_brackets(*names: str) -> frozenset[str]:
    """Return the parameters' names: an array may be given as `name` or as `name[]`."""
    return frozenset(names) | {f"{name}[]" for name in names}


def _array(request: Request, name: str) -> tuple[str, ...]:
    return (*request.query.get(name, ()), *request.query.get(f"{name}[]", ()))


def _group_by(request: Request, allowed: Collection[str]) -> tuple[str, ...]:
    names = _array(request, "group_by")
    for name in names:
        if name not in allowed:
            listed = ", ".join(f"'{value}'" for value in allowed)
            message = f"Invalid value: '{name}'. Supported values are: {listed}."
            raise RefusalError(400, message, param="group_by", code="invalid_value")
    return tuple(dict.fromkeys(names))


def _filters(request: Request, allowed: Collection[str]) -> dict[str, set[Value]]:
    filters: dict[str, set[Value]] = {}
    for name in allowed:
        values = _array(request, name)
        if values and name == "batch":
            filters["batch"] = {value == "true" for value in values}
        elif values:
            filters["line_item" if name == "line_items" else FILTERS[name]] = {*values}
    return filters


def _period(request: Request, now: datetime) -> tuple[datetime, datetime]:
    start = _time(request, "start_time", now)
    if start is None:
        message = "Missing required parameter: 'start_time'."
        raise RefusalError(400, message, param="start_time", code="missing_required_parameter")
    end = _time(request, "end_time", now) or now
    if end <= start:
        message = "Invalid 'end_time': must be after 'start_time'."
        raise RefusalError(400, message, param="end_time", code="invalid_value")
    return start, end


def _time(request: Request, name: str, now: datetime) -> datetime | None:
    text = one(request, name)
    if text is None:
        return None
    if not text.isascii() or not text.isdecimal():
        message = f"Invalid type for '{name}': expected Unix seconds."
        raise RefusalError(400, message, param=name, code="invalid_type")
    if int(text) > (now + CLOCK_SKEW - EPOCH).total_seconds():
        message = f"Invalid '{name}': must not be in the future."
        raise RefusalError(400, message, param=name, code="invalid_value")
    return EPOCH + timedelta(seconds=int(text))


def _read(usage: Usage, name: str) -> Value:
    value = dimension(usage, name)
    return _DEFAULTS.get(name) if value is None else value


def _read_charge(charge: Charge, name: str) -> Value:
    if name != "line_item":
        return _read(charge.usage, name)
    ending = _LINE_ENDINGS.get(charge.part, charge.usage.endpoint.replace("_", " "))
    return f"{charge.usage.model}, {ending}"


def _unit(charge: Charge) -> str | None:
    if charge.part is not Part.OTHER:
        return "tokens"
    return next((_UNITS[name] for name in charge.usage.quantities if name in _UNITS), None)


def _seconds(at: datetime) -> int:
    return int((at - EPOCH).total_seconds())


def _bucket(
    start: datetime, end: datetime, results: Sequence[Mapping[str, object]]
) -> dict[str, object]:
    return {
        "object": "bucket",
        "start_time": _seconds(start),
        "end_time": _seconds(end),
        "results": results,
    }


def _page(data: Sequence[object], next_page: str | None) -> dict[str, object]:
    return {
        "object": "page",
        "data": data,
        "has_more": next_page is not None,
        "next_page": next_page,
    }
