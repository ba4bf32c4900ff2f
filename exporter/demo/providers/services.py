"""A plausible month at a provider of speech or of models that tells its bill by day."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from random import Random

from exporter.demo.providers.ledger import Ledger, Usage
from exporter.demo.providers.organizations import Key
from exporter.demo.providers.spans import DAY, HOUR, MINUTE, spans

SMALLEST = Decimal("1e-10")
LATE_SHARE = 0.04
LATEST = 20 * HOUR
LEAST_DAYS = 5  # room for the corrections


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """Something on the bill, and how much of it is used."""

    item: str  # as the bill calls it
    model: str | None
    quantity: str
    most: int  # of a call
    usd_each: Decimal
    weight: float = 1


def services_month(
    seed: int,
    until: datetime,
    days: int,
    *,
    services: Sequence[Service],
    keys: Sequence[Key],
) -> Ledger:
    """Return the ledger of the days before `until`; the same for the same arguments.

    Some calls are seen hours late. Three corrections follow: two days before the end a call shrinks
    to half; three days before the end everything of one item on that day is taken back; a day and a
    half before the end a call doubles. They are seen 30, 24 and 20 hours after the calls.
    """
    if days < LEAST_DAYS:
        raise ValueError(f"a simulated month has at least {LEAST_DAYS} days")
    ledger = Ledger()
    for key in keys:
        ledger.add_name("api_key", key.id, key.name, project_id=key.project_id)
    added: list[tuple[int, Usage]] = []
    for start, end in spans(until - days * DAY, until, HOUR):
        rng = Random(f"{seed} {start.isoformat()}")  # noqa: S311 - simulated chance
        for _ in range(rng.randint(1, 4)):
            service = rng.choices(services, [service.weight for service in services])[0]
            call = _call(rng, service, rng.choice(keys), start + (end - start) * rng.random())
            added.append((ledger.add(call), call))
    _correct(ledger, added, until)
    return ledger


def _call(rng: Random, service: Service, key: Key, at: datetime) -> Usage:
    quantity = rng.randint(1, service.most)
    late = rng.random() < LATE_SHARE
    delay = rng.uniform(2, LATEST / HOUR) * HOUR if late else rng.uniform(1, 8) * MINUTE
    return Usage(
        at=at,
        visible_at=at + delay,
        model=service.model or "",
        requests=rng.randint(1, 9),
        project_id=key.project_id,
        api_key_id=key.id,
        labels={"item": service.item},
        quantities={service.quantity: quantity},
        cost_usd=(service.usd_each * quantity).quantize(SMALLEST),
    )


def _correct(ledger: Ledger, added: Sequence[tuple[int, Usage]], until: datetime) -> None:
    def first_after(at: datetime) -> tuple[int, Usage]:
        return min((pair for pair in added if pair[1].at >= at), key=lambda pair: pair[1].at)

    for before, factor, hours in ((2 * DAY, Decimal("0.5"), 30), (1.5 * DAY, Decimal(2), 20)):
        usage_id, usage = first_after(until - before)
        revised = _scaled(usage, factor)
        ledger.revise(
            usage_id,
            at=usage.visible_at + hours * HOUR,
            quantities=revised.quantities,
            cost_usd=revised.cost_usd,
        )
    _, example = first_after(until - 3 * DAY)
    for usage_id, usage in added:
        if (usage.labels, usage.at.date()) == (example.labels, example.at.date()):
            ledger.remove(usage_id, at=usage.visible_at + 24 * HOUR)


def _scaled(usage: Usage, factor: Decimal) -> Usage:
    return replace(
        usage,
        quantities={name: int(amount * factor) for name, amount in usage.quantities.items()},
        cost_usd=(usage.cost_usd * factor).quantize(SMALLEST),
    )
