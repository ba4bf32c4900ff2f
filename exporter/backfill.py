"""Reads a range of a source's past once, beside an exporter that may be running."""

from collections.abc import Callable, Sequence
from datetime import datetime

from exporter.errors import ConfigurationError, SinkError
from exporter.interfaces import Backfillable, Change, Increment, Sink, Source
from exporter.preparation import Preparation, write_all


class _Uncounted:
    """History that is read late is no event of now: no counter moves."""

    def increments(
        self, source: str, changes: Sequence[Change], omissions: object
    ) -> Sequence[Increment]:
        return ()


def backfill(
    source: Source,
    sink: Sink,
    preparation: Preparation,
    *,
    from_at: datetime,
    until_at: datetime,
    now: datetime,
    tell: Callable[[float, int], None],
) -> int:
    """Read [from_at, until_at) and return how many records came; asked again, it goes on.

    `tell` hears how much is done (0 to 1) and the records so far.

    Raises:
        ConfigurationError: the source has nothing to backfill.
        TransientError, SourceError, SinkError: what is written stays, and is not asked for again.
    """
    if not isinstance(source, Backfillable):
        raise ConfigurationError(
            f"{source.name}: a workflow engine is read from its beginning by itself; "
            "there is nothing to backfill"
        )
    records = 0
    with sink.session(f"{source.name} backfill") as session:
        if session is None:
            raise SinkError(f"{source.name}: another backfill of it is running")
        position = session.position()
        for batch in source.backfill(position, from_at, until_at, now):
            prepared = preparation.applied(batch)
            for _, written, _ in write_all(
                session,
                position,
                prepared,
                source=source.name,
                accountant=_Uncounted(),
                now=now,
            ):
                position = written
            records += batch.rows
            if batch.done_ratio is not None:
                tell(batch.done_ratio, records)
    return records
