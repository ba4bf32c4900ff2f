"""What happens to records between their source and the sink: priced, redacted, split if refused."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime

from exporter.content import ContentPolicy
from exporter.errors import RefusedRowsError, SinkError
from exporter.interfaces import Accountant, Batch, Increment, Position, SinkSession
from exporter.log import redact
from exporter.pricing import Pricing
from exporter.records import (
    BucketWindow,
    CostBucket,
    Execution,
    ExecutionGone,
    Forwarding,
    LlmCall,
    Outcome,
    PageReading,
    Record,
    Span,
    Step,
    TraceReading,
    TraceSeen,
    UsageBucket,
    WholeExecution,
)
from exporter.resilience import with_signals

log = logging.getLogger(__name__)


class Preparation:
    """Gives records their price and takes out of them what must not be kept."""

    def __init__(self, pricing: Pricing, content: ContentPolicy) -> None:
        self._pricing = pricing
        self._content = content

    def applied(self, batch: Batch) -> Batch:
        """Return the batch as it is written."""
        prepared = [self._prepared(record) for record in with_signals(batch.records)]
        return replace(batch, records=prepared)

    def _prepared(self, record: Record) -> Record:
        match record:
            case LlmCall():
                return self._content.applied(self._pricing.priced(record))
            case Execution() | Step():
                return self._content.applied_to_run(record)
            case Span():
                return self._content.applied_to_span(record)
            case BucketWindow():
                return replace(record, buckets=tuple(map(self._bucket, record.buckets)))
            case _:
                return record

    def _bucket(self, bucket: UsageBucket | CostBucket) -> UsageBucket | CostBucket:
        if isinstance(bucket, UsageBucket):
            return self._pricing.priced_usage(bucket)
        return self._pricing.converted(bucket)


def write_all(
    session: SinkSession,
    position: Position,
    batch: Batch,
    *,
    source: str,
    accountant: Accountant,
    now: datetime,
) -> Iterator[tuple[Batch, Position, Sequence[Increment]]]:
    """Write a batch and yield each part of it that was committed.

    One execution or window that cannot be stored must not hold up all others: what is refused is
    halved until that one stands alone.

    Raises:
        SinkError: of what is left nothing was written.
    """
    pending = [batch]
    while pending:
        part = pending.pop()
        try:
            position, increments = session.write(position, part, accountant, now)
        except RefusedRowsError as error:
            log.warning("batch.refused", extra={"source": source, "detail": redact(str(error))})
            first, second = halves(part, position)
            pending += [second] if first is None else [second, first]
        else:
            yield part, position, increments


def halves(batch: Batch, position: Position) -> tuple[Batch | None, Batch]:
    """Split a batch between two things written together; what stands alone is left out.

    The first half keeps the cursor where it is, the second moves it as the whole would have.

    Raises:
        SinkError: there is nothing left to split.
    """
    groups: dict[object, list[Record]] = {}
    for record in batch.records:
        groups.setdefault(_group(record), []).append(record)
    if not groups:
        raise SinkError("our database refuses even a batch without rows")
    if len(groups) == 1:
        omissions = {**batch.omissions, "refused_by_database": 1}
        return None, replace(batch, records=[], omissions=omissions)
    middle = len(groups) // 2
    first, second = (
        [record for group in part for record in group]
        for part in (list(groups.values())[:middle], list(groups.values())[middle:])
    )
    return (
        replace(batch, records=first, cursor=position.cursor, caught_up=False, omissions={}),
        replace(batch, records=second),
    )


def _group(record: Record) -> object:  # noqa: PLR0911 - one return per kind
    """What must be written together: an execution with all that is of it, a trace, a window."""
    match record:
        case Execution() | ExecutionGone() | Step() | LlmCall() | WholeExecution():
            return record.execution_id
        case Span() | TraceSeen() | TraceReading():
            return record.trace_id  # which is the id of its execution
        case Outcome():
            return (record.source, record.outcome_id)
        case Forwarding():
            return record.forwarding_id
        case BucketWindow():
            return (record.report, record.amounts, record.from_at)
        case PageReading():
            return record.page
        case _:
            return type(record)
