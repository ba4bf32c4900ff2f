"""What providers and a gateway say of usage and cost, made up, and written as a poll writes it."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count

from exporter.interfaces import Batch
from exporter.records import (
    Amounts,
    Balance,
    BucketWindow,
    CostBucket,
    CostSource,
    DimensionName,
    Execution,
    ExecutionStatus,
    LlmCall,
    Operation,
    Record,
    UsageBucket,
)
from exporter.sinks.prometheus import Bookkeeper, LabelCaps
from exporter.sinks.timescale import TimescaleSink

DAY = timedelta(days=1)
_NUMBERS = count(1)


def midnight(at: datetime) -> datetime:
    """The beginning of the UTC day."""
    return at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


@dataclass
class Reports:
    """A source that reads one provider, and what it has read of it."""

    source: str
    provider: str
    buckets: list[UsageBucket | CostBucket] = field(default_factory=list)

    def used(
        self,
        at: datetime,
        cost_usd: str | None,
        *,
        model: str | None = "gpt-5",
        report: str = "usage",
        input_tokens: int = 1000,
        cached_input_tokens: int = 0,
        output_tokens: int = 100,
        without_cache_usd: str | None = None,
        **dimensions: str,
    ) -> None:
        """An hour's use, with the estimate that pricing made of it; None: it has no price."""
        unknown = cost_usd is None
        self.buckets.append(
            UsageBucket(
                source=self.source,
                provider=self.provider,
                report=report,
                bucket_start=at.replace(minute=0, second=0, microsecond=0),
                bucket_seconds=3600,
                model=model,
                requests=10,
                input_tokens=input_tokens,
                cached_input_tokens=cached_input_tokens,
                output_tokens=output_tokens,
                cost_usd=None if unknown else Decimal(str(cost_usd)),
                cost_without_cache_usd=None
                if unknown
                else Decimal(str(without_cache_usd or cost_usd)),
                **dimensions,
            )
        )

    def billed(
        self,
        at: datetime,
        amount: str,
        *,
        model: str | None = "gpt-5",
        currency: str = "USD",
        report: str = "costs",
        **dimensions: str,
    ) -> None:
        """A day's line on the bill; another currency than US dollars has no rate of exchange."""
        self.buckets.append(
            CostBucket(
                source=self.source,
                provider=self.provider,
                report=report,
                bucket_start=midnight(at),
                bucket_seconds=86400,
                model=model,
                amount=Decimal(amount),
                currency=currency,
                cost_usd=Decimal(amount) if currency == "USD" else None,
                **dimensions,
            )
        )

    def read(
        self,
        amounts: Amounts,
        from_at: datetime,
        until_at: datetime,
        *,
        complete_until: datetime | None = None,
        report: str | None = None,
    ) -> BucketWindow:
        """The window that says all of this; `complete_until` is its end if nothing else is said."""
        report = report or {Amounts.USAGE: "usage", Amounts.COST: "costs"}[amounts]
        kind = {Amounts.USAGE: UsageBucket, Amounts.COST: CostBucket}[amounts]
        return BucketWindow(
            source=self.source,
            provider=self.provider,
            report=report,
            amounts=amounts,
            from_at=from_at,
            until_at=until_at,
            complete_until=complete_until or until_at,
            buckets=tuple(
                bucket
                for bucket in self.buckets
                if isinstance(bucket, kind)
                and bucket.report == report
                and from_at <= bucket.bucket_start < until_at
            ),
        )


def call(
    source: str,
    at: datetime,
    cost_usd: str | None,
    *,
    provider: str = "openai",
    model: str = "gpt-5",
    workflow: str = "Lead Sync",
    reported: bool = False,
    **dimensions: str,
) -> LlmCall:
    """A call of a model, with the cost that its source reported or that pricing gave it."""
    number = next(_NUMBERS)
    cost_source = CostSource.REPORTED if reported else CostSource.PRICED
    return LlmCall(
        source=source,
        execution_id=f"run-{number}",
        created_at=at,
        call_id=f"call-{number}",
        provider=provider,
        model=model,
        operation=Operation.CHAT,
        status=ExecutionStatus.SUCCESS,
        workflow_id=workflow,
        workflow=workflow,
        started_at=at,
        input_tokens=1000,
        output_tokens=100,
        cost_usd=None if cost_usd is None else Decimal(cost_usd),
        cost_source=None if cost_usd is None else cost_source,
        **dimensions,
    )


def run(source: str, at: datetime, workflow: str = "Lead Sync") -> Execution:
    """An execution: from its day on our own calls are known."""
    return Execution(
        source=source,
        execution_id=f"run-{next(_NUMBERS)}",
        created_at=at,
        workflow_id=workflow,
        workflow=workflow,
        status=ExecutionStatus.SUCCESS,
    )


class Writer:
    """Writes records as polls do."""

    def __init__(self, sink: TimescaleSink, now: datetime) -> None:
        self._sink = sink
        self._now = now
        self._accountant = Bookkeeper(LabelCaps(100))

    def write(self, source: str, records: Sequence[Record], role: str = "provider") -> None:
        """Write one batch of a source."""
        self._sink.describe_source(source, "made up", role)
        with self._sink.session(source) as session:
            assert session is not None
            batch = Batch(records=records, cursor={}, caught_up=True)
            session.write(session.position(), batch, self._accountant, self._now)

    def names(self, source: str, dimension: str, **names: str) -> None:
        """Tell the names of ids."""
        self.write(
            source,
            [
                DimensionName(source=source, dimension=dimension, id=id_, name=name)
                for id_, name in names.items()
            ],
        )


@contextmanager
def writer(url: str, now: datetime) -> Iterator[Writer]:
    """Yield what writes into one of our databases."""
    sink = TimescaleSink(url, sources=4)
    sink.open()
    try:
        yield Writer(sink, now)
    finally:
        sink.close()


def write_spend_history(url: str, now: datetime, days: int = 40) -> None:
    """Fill a database with what two providers, a gateway and two credits say of the last days."""
    today = midnight(now)
    begun = today - days * DAY
    with writer(url, now) as into:
        for reports, model in (
            (Reports("openai", "openai"), "gpt-5-mini-2025-08-07"),
            (Reports("anthropic", "anthropic"), "claude-sonnet-4-5-20250929"),
        ):
            for day in range(days):
                _fill_day(reports, begun + day * DAY, model, Decimal(20 + day % 7))
            _fill_hour(reports, today, model, Decimal(3))
            source = reports.source
            usage = reports.read(Amounts.USAGE, begun, now, complete_until=now - DAY / 24)
            cost = reports.read(Amounts.COST, begun, now, complete_until=today - DAY)
            into.write(source, [usage, cost])
            into.names(source, "project_id", p1="Marketing", p2="Support")
            into.names(source, "api_key_id", k1="n8n production", k2="notebooks")
            into.names(source, "user_id", u1="ada@example.org")
        into.write("openrouter", list(_credits(now)))
        into.write("litellm", list(_gateway_calls(now, days)), role="gateway")


def _fill_day(reports: Reports, day: datetime, model: str, amount: Decimal) -> None:
    for hour in (2, 9, 17):
        _fill_hour(reports, day + timedelta(hours=hour), model, amount / 3)
    reports.used(day + timedelta(hours=3), None, model="a-model-without-a-price")
    for project, key, share in (("p1", "k1", "0.6"), ("p2", "k2", "0.35")):
        billed = str(round(amount * Decimal(share), 2))
        reports.billed(day, billed, model=model, project_id=project, api_key_id=key)


def _fill_hour(reports: Reports, at: datetime, model: str, amount: Decimal) -> None:
    for project, key, share in (("p1", "k1", "0.6"), ("p2", "k2", "0.4")):
        cost_usd = round(amount * Decimal(share), 4)
        reports.used(
            at,
            str(cost_usd),
            model=model,
            input_tokens=100_000,
            cached_input_tokens=30_000,
            without_cache_usd=str(cost_usd * 2),
            project_id=project,
            api_key_id=key,
            user_id="u1",
        )


def _credits(now: datetime) -> Iterable[Record]:
    for at, remaining in ((now - 5 * DAY, 40), (now, 12)):
        yield Balance(
            source="openrouter",
            provider="openrouter",
            balance="credits",
            unit="USD",
            observed_at=at,
            remaining=Decimal(remaining),
        )
    yield Balance(
        source="openrouter",
        provider="openrouter",
        balance="key production",
        unit="USD",
        observed_at=now,
        remaining=Decimal(5),
        used=Decimal(45),
        limit_amount=Decimal(50),
    )


def _gateway_calls(now: datetime, days: int) -> Iterable[Record]:
    for day in range(days):
        at = now - day * DAY - timedelta(minutes=1)
        yield call("litellm", at, "0.02", workflow="", reported=True, team="growth")
