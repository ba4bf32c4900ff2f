"""A plausible stretch of calls through a gateway: late ones, long ones, failures, corrections."""

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random
from uuid import UUID

from exporter.demo.providers.call_book import CallBook, LoggedCall
from exporter.demo.providers.spans import DAY, HOUR, MINUTE, spans

_MILLISECOND = timedelta(milliseconds=1)
_SMALLEST = Decimal("1e-9")
_LATEST = 20 * HOUR
# Provider, model, US dollars of a million tokens in and out; None: a model without a price.
_MODELS: tuple[tuple[str, str, str | None, str], ...] = (
    ("openai", "gpt-5-mini", "0.25", "2"),
    ("anthropic", "claude-sonnet-4-5", "3", "15"),
    ("openai", "text-embedding-3-small", "0.02", "0"),
    ("ollama", "support-router-7b", None, "0"),
)
WORKFLOWS = ("support-triage", "invoice-check", "nightly-report")
_CUSTOMERS = ("acme", "globex", None)
_PER_HOUR = (2, 1, 1, 1, 1, 2, 3, 4, 5, 6, 6, 5, 4, 5, 6, 6, 5, 4, 4, 3, 3, 2, 2, 2)


def simulated_calls(seed: int, until: datetime, days: int = 30) -> CallBook:
    """Return the calls of the days before `until`; the same for the same arguments.

    Some are told hours after they began, some last for hours; the costs of two of the last days
    are corrected a day later, one of them downwards, and a call without a price gets one.
    """
    book = CallBook()
    calls: list[LoggedCall] = []
    for start, end in spans(until - days * DAY, until, HOUR):
        rng = Random(f"{seed} calls {start.isoformat()}")  # noqa: S311 - simulated chance
        for _ in range(_PER_HOUR[start.hour]):
            calls += _trace(rng, start + (end - start) * rng.random())
    for call in calls:
        book.add(call)
    _correct(book, calls, until)
    return book


def _trace(rng: Random, at: datetime) -> list[LoggedCall]:
    trace_id = _uuid(rng)
    workflow = rng.choice(WORKFLOWS)
    customer = rng.choice(_CUSTOMERS)
    calls = []
    for _ in range(rng.randint(1, 3)):
        call = _call(rng, _whole(at))
        calls.append(
            replace(call, trace_id=trace_id, workflow=workflow, customer=customer, team="care")
        )
        at = call.started_at + timedelta(seconds=rng.uniform(1, 30))
    return calls


def _call(rng: Random, started_at: datetime) -> LoggedCall:
    provider, model, price_in, price_out = rng.choices(_MODELS, (5, 3, 1, 1))[0]
    is_embedding = model.startswith("text-embedding")
    failed = rng.random() < 0.04
    seconds = rng.uniform(0.3, 20) if rng.random() > 0.02 else rng.uniform(1200, 9000)
    finished_at = _whole(started_at + timedelta(seconds=seconds))
    given = rng.randint(50, 9000)
    cached = rng.randint(0, given // 2) if provider != "ollama" and rng.random() < 0.3 else 0
    written = rng.randint(0, given - cached) if provider == "anthropic" and not cached else 0
    made = 0 if is_embedding else rng.randint(5, 1500)
    cost = None
    if price_in is not None:
        million = Decimal(1_000_000)
        cost = (given * Decimal(price_in) + made * Decimal(price_out)) / million
    late = rng.uniform(0.2, 1) * _LATEST if rng.random() < 0.04 else rng.uniform(0, 2) * MINUTE
    streamed = not is_embedding and not failed and rng.random() < 0.5
    call = LoggedCall(
        call_id=_uuid(rng),
        trace_id="",
        workflow="",
        started_at=started_at,
        finished_at=finished_at,
        first_token_at=_whole(started_at + (finished_at - started_at) / 4) if streamed else None,
        provider=provider,
        model=model,
        is_embedding=is_embedding,
        input_tokens=given,
        cached_input_tokens=cached,
        cache_write_tokens=written,
        output_tokens=made,
        reasoning_tokens=made // 3 if model.startswith("gpt-5") else 0,
        cost_usd=None if cost is None else cost.quantize(_SMALLEST),
        visible_at=finished_at + late,
    )
    if not failed:
        return call
    return replace(
        call,
        error="RateLimitError",
        cost_usd=None,
        input_tokens=0,
        cached_input_tokens=0,
        cache_write_tokens=0,
        output_tokens=0,
        reasoning_tokens=0,
    )


def _correct(book: CallBook, calls: list[LoggedCall], until: datetime) -> None:
    for back, factor in ((2 * DAY, Decimal("0.5")), (1.5 * DAY, Decimal(2))):
        call = next(
            call for call in calls if call.started_at >= until - back and call.cost_usd is not None
        )
        assert call.cost_usd is not None  # noqa: S101 - chosen so
        book.revise(
            call.call_id,
            at=call.visible_at + DAY,
            cost_usd=(call.cost_usd * factor).quantize(_SMALLEST),
        )
    unpriced = next(
        call
        for call in calls
        if call.started_at >= until - 2 * DAY and call.cost_usd is None and call.error is None
    )
    book.revise(unpriced.call_id, at=unpriced.visible_at + DAY, cost_usd=Decimal("0.000123456"))


def _whole(at: datetime) -> datetime:
    return at.replace(microsecond=at.microsecond // 1000 * 1000)


def _uuid(rng: Random) -> str:
    return str(UUID(int=rng.getrandbits(128), version=4))
