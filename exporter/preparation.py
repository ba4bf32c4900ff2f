"""What happens to records between their source and the sink: priced, redacted, split if refused."""

from dataclasses import replace

from exporter.content import ContentPolicy
from exporter.errors import SinkError
from exporter.interfaces import Batch, Position
from exporter.pricing import Pricing
from exporter.records import (
    BucketWindow,
    CostBucket,
    Execution,
    ExecutionGone,
    LlmCall,
    Record,
    Step,
    UsageBucket,
)


class Preparation:
    """Gives records their price and takes out of them what must not be kept."""

    def __init__(self, pricing: Pricing, content: ContentPolicy) -> None:
        self._pricing = pricing
        self._content = content

    def applied(self, batch: Batch) -> Batch:
        """Return the batch as it is written."""
        return replace(batch, records=[self._prepared(record) for record in batch.records])

    def _prepared(self, record: Record) -> Record:
        match record:
            case LlmCall():
                return self._content.applied(self._pricing.priced(record))
            case Execution() | Step() if record.error_message:
                message = self._content.message(record.error_message)
                return replace(record, error_message=message)
            case BucketWindow():
                return replace(record, buckets=tuple(map(self._bucket, record.buckets)))
            case _:
                return record

    def _bucket(self, bucket: UsageBucket | CostBucket) -> UsageBucket | CostBucket:
        if isinstance(bucket, UsageBucket):
            return self._pricing.priced_usage(bucket)
        return self._pricing.converted(bucket)


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


def _group(record: Record) -> object:
    """What must be written together: an execution with its steps and calls, a window."""
    match record:
        case Execution() | ExecutionGone() | Step() | LlmCall():
            return record.execution_id
        case BucketWindow():
            return (record.report, record.amounts, record.from_at)
        case _:
            return type(record)
