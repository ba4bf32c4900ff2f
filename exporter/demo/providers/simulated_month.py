"""A plausible month at a provider, with what comes late and what is corrected afterwards."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from random import Random

import genai_prices

from exporter.demo.providers.ledger import Ledger, Usage
from exporter.demo.providers.organizations import (
    ANTHROPIC,
    OPENAI,
    OPENROUTER,
    Extra,
    Organization,
)
from exporter.demo.providers.spans import DAY, HOUR, MINUTE, spans

ORGANIZATIONS = {found.provider: found for found in (OPENAI, ANTHROPIC, OPENROUTER)}
DISCOUNT = Decimal("0.03")  # so that an estimate and the bill differ a little
SMALLEST = Decimal("1e-10")
UNLISTED_USD_PER_TOKEN = Decimal("0.000003")
LATE_SHARE = 0.04
LATEST = 20 * HOUR
LEAST_DAYS = 5  # room for the corrections
LONG_PROMPT = 230_000
LONG_CONTEXT = 200_000
# Few calls at night, many in the afternoon (UTC).
_PER_HOUR = (2, 1, 1, 1, 1, 2, 4, 7, 10, 12, 12, 11, 9, 11, 13, 13, 12, 10, 8, 6, 5, 4, 3, 2)
_SATURDAY = 5


def simulated_month(
    seed: int,
    until: datetime,
    days: int = 30,
    *,
    provider: str = "openai",
    organization: Organization | None = None,
    most_requests: int = 40,
) -> Ledger:
    """Return the ledger of the days before `until`; the same for the same arguments.

    It is of one of the three organizations, or of the one given. `most_requests` are in one entry
    of the ledger: fewer make a smaller organization.

    Some calls are seen hours late. Three corrections follow: two days before the end a call's
    tokens shrink to half; three days before the end everything of one project and model on that
    day is taken back; a day and a half before the end a call's tokens double. They are seen 30, 24
    and 20 hours after the calls themselves.
    """
    if days < LEAST_DAYS:
        raise ValueError(f"a simulated month has at least {LEAST_DAYS} days")
    organization = organization or ORGANIZATIONS[provider]
    ledger = Ledger()
    organization.introduce_to(ledger)
    month = _Month(seed, organization, ledger, most_requests)
    for start, end in spans(until - days * DAY, until, HOUR):
        month.add_hour(start, end)
    month.correct(until)
    return ledger


class _Month:
    def __init__(
        self, seed: int, organization: Organization, ledger: Ledger, most_requests: int
    ) -> None:
        self._seed = seed
        self._organization = organization
        self._ledger = ledger
        self._most_requests = most_requests
        self._added: list[tuple[int, Usage]] = []

    def add_hour(self, start: datetime, end: datetime) -> None:
        """Meter the calls of one hour, or of the part of it that is asked for."""
        rng = Random(f"{self._seed} {self._organization.provider} {start.isoformat()}")  # noqa: S311 - simulated chance
        usual = _PER_HOUR[start.hour] * ((end - start) / HOUR)
        quiet = 0.3 if start.weekday() >= _SATURDAY else 1.0
        for _ in range(max(1, round(usual * quiet * rng.uniform(0.6, 1.4)))):
            self._add(self._call(rng, start + (end - start) * rng.random()), rng)
        for extra in self._organization.extras:
            if rng.random() < 0.15 * quiet:
                self._add(self._extra(rng, extra, start + (end - start) * rng.random()), rng)

    def _add(self, usage: Usage, rng: Random) -> None:
        late = rng.random() < LATE_SHARE
        delay = rng.uniform(2, LATEST / HOUR) * HOUR if late else rng.uniform(1, 8) * MINUTE
        usage = replace(usage, visible_at=usage.at + delay)
        self._added.append((self._ledger.add(usage), usage))

    def _call(self, rng: Random, at: datetime) -> Usage:
        organization = self._organization
        models = (*organization.models, organization.unlisted)
        traffic = rng.choices(models, [model.weight for model in models])[0]
        key = rng.choice(organization.keys)
        requests = rng.randint(1, self._most_requests)
        is_long = rng.random() < traffic.long_share
        size = LONG_PROMPT if is_long else traffic.input_tokens
        total = round(size * rng.uniform(0.9 if is_long else 0.4, 1.8))
        prefix = round(total * rng.uniform(0.5, 0.9))
        cached = prefix if rng.random() < traffic.cached_share else 0
        is_written = not cached and rng.random() < traffic.written_share
        is_kept_long = is_written and rng.random() < 0.3
        output = round(traffic.output_tokens * rng.uniform(0.3, 2.0))
        usage = Usage(
            at=at,
            model=traffic.model,
            requests=requests,
            project_id=key.project_id,
            api_key_id=key.id,
            user_id=key.user_id,
            service_tier=organization.service_tier,
            batch=rng.random() < traffic.batch_share,
            context_window="200k-1M" if total > LONG_CONTEXT else "0-200k",
            labels={**traffic.labels},
            input_tokens=total * requests,
            cached_input_tokens=cached * requests,
            cache_write_5m_tokens=prefix * requests if is_written and not is_kept_long else 0,
            cache_write_1h_tokens=prefix * requests if is_kept_long else 0,
            output_tokens=output * requests,
            reasoning_tokens=round(output * traffic.reasoning_share) * requests,
            quantities=_developer_work(rng) if "terminal_type" in traffic.labels else {},
        )
        return replace(usage, cost_usd=self._bill(usage))

    def _extra(self, rng: Random, extra: Extra, at: datetime) -> Usage:
        key = rng.choice(self._organization.keys)
        quantity = rng.randint(1, extra.most)
        cost = (extra.usd_each * quantity * (1 - DISCOUNT)).quantize(SMALLEST)
        return Usage(
            at=at,
            model=extra.model,
            endpoint=extra.endpoint,
            project_id=key.project_id,
            api_key_id=key.id,
            user_id=key.user_id,
            labels=extra.labels,
            quantities={extra.quantity: quantity},
            cost_usd=cost,
        )

    def _bill(self, usage: Usage) -> Decimal:
        if usage.model == self._organization.unlisted.model:
            total = (usage.input_tokens + 4 * usage.output_tokens) * UNLISTED_USD_PER_TOKEN
        else:
            total = list_price(self._organization.provider, usage)
        return (total * (1 - DISCOUNT)).quantize(SMALLEST)

    def correct(self, until: datetime) -> None:
        """Correct three things after the fact."""
        usage_id, usage = self._one_near(until - 2 * DAY)
        self._scale(usage_id, usage, 1, 2, at=usage.visible_at + 30 * HOUR)
        usage_id, usage = self._one_near(until - 1.5 * DAY)
        self._scale(usage_id, usage, 2, 1, at=usage.visible_at + 20 * HOUR)
        _, example = self._one_near(until - 3 * DAY)
        day = example.at.astimezone(UTC).date()
        for usage_id, usage in self._added:
            same = (usage.project_id, usage.model) == (example.project_id, example.model)
            if same and usage.at.astimezone(UTC).date() == day:
                self._ledger.remove(usage_id, at=usage.visible_at + 24 * HOUR)

    def _one_near(self, at: datetime) -> tuple[int, Usage]:
        """Return the first call in tokens after a moment."""
        return min(
            ((i, usage) for i, usage in self._added if usage.at >= at and usage.input_tokens),
            key=lambda pair: pair[1].at,
        )

    def _scale(self, usage_id: int, usage: Usage, times: int, over: int, *, at: datetime) -> None:
        scaled = {
            name: getattr(usage, name) // usage.requests * times // over * usage.requests
            for name in (
                "cached_input_tokens",
                "cache_write_5m_tokens",
                "cache_write_1h_tokens",
                "output_tokens",
                "reasoning_tokens",
            )
        }
        fresh = usage.uncached_input_tokens // usage.requests * times // over * usage.requests
        scaled["input_tokens"] = fresh + sum(
            scaled[name]
            for name in ("cached_input_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens")
        )
        revised = replace(usage, **scaled)
        self._ledger.revise(usage_id, at=at, **scaled, cost_usd=self._bill(revised))


def list_price(provider: str, usage: Usage) -> Decimal:
    """Return what equal calls cost by the price catalogue, each priced by its own length."""
    each = genai_prices.Usage(
        input_tokens=usage.input_tokens // usage.requests,
        cache_read_tokens=usage.cached_input_tokens // usage.requests,
        cache_write_tokens=(usage.cache_write_5m_tokens + usage.cache_write_1h_tokens)
        // usage.requests,
        cache_write_1h_tokens=usage.cache_write_1h_tokens // usage.requests,
        output_tokens=usage.output_tokens // usage.requests,
    )
    price = genai_prices.calc_price(
        each,
        model_ref=usage.model,
        provider_id=provider,
        genai_request_timestamp=usage.at,
        price_context={"processing": "batch"} if usage.batch else None,
    )
    return price.total_price * usage.requests


def _developer_work(rng: Random) -> dict[str, int]:
    return {
        "num_sessions": 1,
        "lines_added": rng.randint(0, 120),
        "lines_removed": rng.randint(0, 60),
        "commits": rng.randint(0, 2),
        "pull_requests": rng.randint(0, 1),
        "edit_tool_accepted": rng.randint(0, 12),
        "edit_tool_rejected": rng.randint(0, 3),
    }
