"""Which executions to read again: n8n changes rows in place and keeps no log of it."""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime, timedelta

from exporter.interfaces import OpenExecution
from exporter.sources.engine_database import Row
from exporter.sources.workflows.n8n.executions import created_at_of, engine_state
from exporter.sources.workflows.n8n.progress import Progress
from exporter.sources.workflows.n8n.tables import N8nTables, time_of

STOPPED_OVERLAP = timedelta(minutes=5)
"""How far a transaction or a clock may lag behind n8n's database."""


MANY_OPEN = 2000
OLD_OPEN = timedelta(hours=1)
OLD_OPEN_EVERY = timedelta(minutes=5)
"""With very many open executions, old ones are looked at less often: dead workers leave
thousands, and what does end among them is found by its stop time as well."""


def due_open_executions(
    open_executions: Sequence[OpenExecution], progress: Progress, clock: datetime
) -> Sequence[OpenExecution]:
    """Return the open executions to look at in this poll, and note when it is all of them."""
    last = progress.open_checked_at
    if len(open_executions) > MANY_OPEN and last is not None and clock - last < OLD_OPEN_EVERY:
        return [seen for seen in open_executions if clock - seen.created_at < OLD_OPEN]
    progress.open_checked_at = clock
    return open_executions


@dataclass(frozen=True, kw_only=True)
class Candidates:
    """Executions to look at again, and why."""

    open_executions: Mapping[int, OpenExecution]
    late_ids: frozenset[int]  # ids that were skipped: their transactions committed late
    stopped: Mapping[int, str]  # stopped since the last poll, or shortly before → state
    recent: frozenset[int]  # of those, the ones that the next poll will ask for again
    changed: frozenset[int]  # of those, the ones that are not as they were read
    with_late_metadata: frozenset[int]  # n8n writes metadata apart, after the execution

    def wanted(self, read: Mapping[int, str]) -> list[int]:
        """Return what to read again, given the states that this poll has read already."""
        ids = set(self.open_executions) | self.late_ids | self.changed
        unread = {key for key in ids if self.stopped.get(key, read.get(key)) != read.get(key)}
        return sorted(unread | (ids - set(read)) | self.with_late_metadata)

    def is_changed(self, row: Row) -> bool:
        """Whether a row found again says anything new."""
        seen = self.open_executions.get(row["id"])
        return (
            seen is None
            or seen.created_at != created_at_of(row)
            or row["id"] in self.with_late_metadata
            or seen.engine_state != engine_state(row)
        )


def find_candidates(
    tables: N8nTables,
    progress: Progress,
    open_executions: Mapping[int, OpenExecution],
    *,
    metadata_ids: Set[int],
    clock: datetime,
    limit: int,
) -> Candidates:
    """Ask for what may have changed, and move the progress of metadata on.

    `metadata_ids` are rows that this poll has read with their executions.
    """
    rows = _recently_stopped(tables, progress.checked_at, limit)
    stopped = {row["id"]: engine_state(row) for row in rows}
    again_from = clock - STOPPED_OVERLAP
    return Candidates(
        open_executions=open_executions,
        late_ids=frozenset(progress.ids.missing),
        stopped=stopped,
        recent=frozenset(
            row["id"] for row in rows if (time_of(row["stoppedAt"]) or clock) >= again_from
        ),
        changed=frozenset(
            key for key, state in stopped.items() if progress.settled.get(key) != state
        ),
        with_late_metadata=frozenset(_late_metadata(tables, progress, metadata_ids, clock, limit)),
    )


def _recently_stopped(tables: N8nTables, checked_at: datetime | None, limit: int) -> list[Row]:
    if not tables.has_soft_delete or checked_at is None:
        return []
    found: list[Row] = []
    since, since_id = checked_at - STOPPED_OVERLAP, -1
    while page := tables.read(
        "stopped_since", {"since": since, "since_id": since_id, "limit": limit}
    ):
        found += page
        if len(page) < limit:
            break
        since, since_id = time_of(page[-1]["stoppedAt"]) or since, page[-1]["id"]
    return found


def _late_metadata(
    tables: N8nTables, progress: Progress, known: Set[int], clock: datetime, limit: int
) -> set[int]:
    if not tables.has_metadata:
        return set()
    rows = tables.by_ids("metadata_by_ids", sorted(progress.metadata.missing))
    progress.metadata.arrived((row["id"] for row in rows), clock)
    while page := tables.read(
        "metadata_after", {"after": progress.metadata.last_id or 0, "limit": limit}
    ):
        rows += page
        progress.metadata.advance((row["id"] for row in page), clock)
        if len(page) < limit:
            break
    return {row["executionId"] for row in rows if row["id"] not in known}
