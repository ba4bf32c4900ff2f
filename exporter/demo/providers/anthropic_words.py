"""Anthropic's words: its dimensions, its times, and what it says of a parameter it refuses."""

from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from exporter.demo.providers.ledger import Usage, Value, dimension
from exporter.demo.providers.spans import EPOCH
from exporter.demo.providers.wire import RefusalError, Request, one

CLOCK_SKEW = timedelta(seconds=60)
FAST_MODE = "fast-mode-2026-02-01"
ORGANIZATION_ID = "2b0c6f5e-0000-4000-8000-simulated000"

_FIELDS = {"workspace_id": "project_id", "account_id": "user_id", "actor": "user_id"}
# Where the ledger says nothing; a null would mean "not grouped".
_DEFAULTS = {
    "service_tier": "standard",
    "context_window": "0-200k",
    "inference_geo": "global",
    "speed": "standard",
    "product": "api",
    "organization_id": ORGANIZATION_ID,
}


def read(usage: Usage, name: str) -> Value:
    """Return what a call says about one of Anthropic's dimensions."""
    if name == "service_tier" and usage.batch:
        return "batch"
    if name == "actor_type":
        return "user" if usage.user_id else "api_key"
    value = dimension(usage, _FIELDS.get(name, name))
    return _DEFAULTS.get(name) if value is None else value


def array(request: Request, name: str, allowed: Collection[str] | None = None) -> tuple[str, ...]:
    """Return the values of `name[]`: without the brackets Anthropic does not know an array."""
    values = tuple(dict.fromkeys(request.query.get(f"{name}[]", ())))
    for value in values:
        if allowed is not None and value not in allowed:
            listed = ", ".join(f"'{item}'" for item in allowed)
            raise RefusalError(400, f"{name}: Input should be {listed}")
    return values


def filters(request: Request, names: Mapping[str, str]) -> dict[str, set[Value]]:
    """Return the values to keep, by dimension; `names` maps parameters to dimensions."""
    return {
        name: {*values}
        for parameter, name in names.items()
        if (values := array(request, parameter))
    }


def keeps(usage: Usage, wanted: Mapping[str, Collection[Value]]) -> bool:
    """Return whether a call passes the filters."""
    return all(read(usage, name) in values for name, values in wanted.items())


def has_beta(request: Request, name: str) -> bool:
    """Return whether the request opted into a beta."""
    betas = request.headers.get("anthropic-beta", "").split(",")
    return name in {beta.strip() for beta in betas}


def required_moment(request: Request, name: str, now: datetime) -> datetime:
    """Return a time that must be given."""
    at = moment(request, name, now)
    if at is None:
        raise RefusalError(400, f"{name}: Field required")
    return at


def moment(request: Request, name: str, now: datetime) -> datetime | None:
    """Return a time of RFC 3339; it must not lie in the future."""
    text = one(request, name)
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise RefusalError(400, f"{name}: Input should be a valid datetime") from error
    at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    if at > now + CLOCK_SKEW:
        raise RefusalError(400, f"{name}: must not be in the future")
    return at


def check_order(start: datetime, end: datetime) -> None:
    """Refuse a period that ends before it starts."""
    if end <= start:
        raise RefusalError(400, "ending_at: must be after starting_at")


def snapped_down(at: datetime, width: timedelta) -> datetime:
    """Return the start of the bucket that holds `at`."""
    return EPOCH + (at - EPOCH) // width * width


def snapped_up(at: datetime, width: timedelta) -> datetime:
    """Return the end of the bucket that holds the moment before `at`."""
    return EPOCH - (EPOCH - at) // width * width


def written(at: datetime) -> str:
    """Return a time as RFC 3339."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def cents(dollars: Decimal) -> str:
    """Return dollars as Anthropic writes money: cents, as a decimal string."""
    text = f"{dollars * 100:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
