"""n8n: executions, node runs and model calls, read from its own PostgreSQL or SQLite."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from exporter.budget_settings import N8nApi
from exporter.interfaces import Batch, Position
from exporter.records import ExecutionGone, Workflow
from exporter.setting_types import HttpUrl, Identifier, Secret, Strict
from exporter.settings import SourceSettings
from exporter.sources.engine_database import EngineDatabase, PostgresEngine, SqliteEngine
from exporter.sources.workflows.n8n.changes import due_open_executions, find_candidates
from exporter.sources.workflows.n8n.executions import (
    ExecutionReader,
    engine_state,
    key_of,
    newest_time,
)
from exporter.sources.workflows.n8n.progress import Progress
from exporter.sources.workflows.n8n.tables import N8nTables
from exporter.sources.workflows.n8n.workflows import read_workflows

BATCH_BYTES = 8 * 1024 * 1024
"""Run data decoded for one transaction; an execution may be larger, then it goes alone. What its
steps received and gave on may take up eight times as much memory."""
METADATA_OVERLAP = 200
"""Rows of metadata below the newest that may not be committed when the first poll begins."""
WORKFLOWS_EVERY = timedelta(minutes=5)


class Dimensions(Strict):
    """Which keys of n8n's custom execution data name whom a run was for."""

    customer: tuple[str, ...] = ("customer",)
    project: tuple[str, ...] = ("project",)
    team: tuple[str, ...] = ("team",)


class N8nSettings(SourceSettings):
    """An n8n instance, by its database."""

    from_environment: ClassVar[Mapping[str, str]] = {"url": "N8N_DATABASE_URL"}

    also_from_environment: ClassVar[Mapping[str, str]] = {"public_url": "N8N_PUBLIC_URL"}

    kind: Literal["n8n"] = "n8n"
    url: Secret | None = None
    """PostgreSQL of n8n; a role that may only SELECT is enough."""
    sqlite: str | None = None
    """Path of n8n's database.sqlite, instead of `url`."""
    schema_name: Annotated[Identifier, Field(alias="schema")] = "public"
    """n8n's DB_POSTGRESDB_SCHEMA."""
    table_prefix: Identifier = ""
    """n8n's DB_TABLE_PREFIX."""
    dimensions: Dimensions = Dimensions()
    public_url: HttpUrl | None = None
    """Where people open n8n; executions then link to it."""
    api: N8nApi | None = None
    """n8n's public API, by which budgets switch workflows off; nothing else is asked of it."""
    max_data_mb: Annotated[int, Field(strict=True, ge=1, le=256)] = 16
    """Run data of one execution above this is not decoded; the execution still counts."""
    page_rows: Annotated[int, Field(strict=True, ge=1, le=5000)] = 500
    """Executions read per statement and written per transaction."""

    @model_validator(mode="after")
    def _one_database(self) -> "N8nSettings":
        if (self.url is None) == (self.sqlite is None):
            raise ValueError("give either url (PostgreSQL) or sqlite (a path), not both, not none")
        return self


@dataclass
class _Done:
    """What one poll has read: ids and states, keys of what is there, ids of metadata."""

    states: dict[int, str] = field(default_factory=dict)
    keys: set[tuple[str, datetime | None]] = field(default_factory=set)
    metadata_ids: set[int] = field(default_factory=set)


class N8nSource:
    """Reads what is new: rows by id, open rows until they end, changed rows by their stop."""

    def __init__(self, settings: N8nSettings) -> None:
        self.name = settings.name
        self._settings = settings
        self._database: EngineDatabase = (
            PostgresEngine(
                settings.url.get_secret_value(),
                schema=settings.schema_name,
                table_prefix=settings.table_prefix,
            )
            if settings.url is not None
            else SqliteEngine(settings.sqlite or "", table_prefix=settings.table_prefix)
        )
        self._tables: N8nTables | None = None
        self._workflows: dict[str, Workflow] = {}
        self._workflows_read_at: datetime | None = None

    def close(self) -> None:
        """Give back the connection and forget what was learnt of the schema."""
        self._database.close()
        self._tables = None
        self._workflows_read_at = None

    def poll(self, position: Position, now: datetime) -> Iterator[Batch]:
        """Yield new executions page by page, then those that changed since the last poll."""
        try:
            tables = self._tables = self._tables or N8nTables(self._database)
            clock = tables.now()
            progress = Progress.restore(position.cursor)
            if progress.metadata.last_id is None and tables.has_metadata:
                # Older metadata is read with its execution; from here on late rows are followed.
                newest = tables.read("newest_metadata")[0]["id"] or 0
                progress.metadata.last_id = max(newest - METADATA_OVERLAP, 0)
            if self._workflows_read_at is None or now - self._workflows_read_at >= WORKFLOWS_EVERY:
                yield self._workflow_batch(tables, progress, now)
            done = _Done()
            yield from self._new(tables, progress, now, clock, done)
            yield from self._changed(tables, progress, position, clock, done)
        except Exception:
            self.close()  # what we believed of the schema may be what was wrong
            raise

    def _workflow_batch(self, tables: N8nTables, progress: Progress, now: datetime) -> Batch:
        self._workflows = read_workflows(tables, self.name)
        self._workflows_read_at = now
        return Batch(records=list(self._workflows.values()), cursor=progress.cursor())

    def _new(
        self,
        tables: N8nTables,
        progress: Progress,
        now: datetime,
        clock: datetime,
        done: "_Done",
    ) -> Iterator[Batch]:
        """Yield what has an id above the highest one read."""
        limit = self._settings.page_rows
        if progress.ids.went_back(tables.read("newest")[0]["id"] or 0) and tables.has_metadata:
            progress.metadata.went_back(tables.read("newest_metadata")[0]["id"] or 0)
        while rows := tables.read("after_id", {"after": progress.ids.last_id or 0, "limit": limit}):
            if not {str(row["workflowId"]) for row in rows} <= set(self._workflows):
                yield self._workflow_batch(tables, progress, now)
            reader = self._reader(tables, done)
            for page in reader.pages(rows, BATCH_BYTES):
                records = list(reader.records(page))
                progress.ids.advance((row["id"] for row in page), clock)
                done.states |= {row["id"]: engine_state(row) for row in page}
                done.keys |= {key_of(row) for row in page if not reader.is_unsaved(row)}
                yield Batch(
                    records=records,
                    cursor=progress.cursor(),
                    newest_at=newest_time(page, clock),
                    omissions=reader.left_out(page),
                )
            if len(rows) < limit:
                return

    def _changed(
        self,
        tables: N8nTables,
        progress: Progress,
        position: Position,
        clock: datetime,
        done: "_Done",
    ) -> Iterator[Batch]:
        """Yield what was read before and is different now, and close what is gone."""
        # What is found here counts as read only with the last batch: until then a crash makes
        # us find it again.
        cursor = progress.cursor()
        limit = self._settings.page_rows
        looked_at = due_open_executions(position.open_executions, progress, clock)
        candidates = find_candidates(
            tables,
            progress,
            {int(seen.execution_id): seen for seen in looked_at},
            metadata_ids=done.metadata_ids,
            clock=clock,
            limit=limit,
        )
        wanted = candidates.wanted(done.states)
        reader = self._reader(tables, done)
        for start in range(0, len(wanted), limit):
            rows = tables.by_ids("by_ids", wanted[start : start + limit])
            done.states |= {row["id"]: engine_state(row) for row in rows}
            done.keys |= {key_of(row) for row in rows if not reader.is_unsaved(row)}
            changed = [row for row in rows if candidates.is_changed(row)]
            for page in reader.pages(changed, BATCH_BYTES):
                yield Batch(
                    records=list(reader.records(page)),
                    cursor=cursor,
                    newest_at=newest_time(page, clock),
                )
        progress.ids.arrived(done.states, clock)
        progress.checked_at = clock
        progress.settled = {
            key: done.states.get(key, candidates.stopped[key]) for key in candidates.recent
        }
        yield Batch(
            records=[
                ExecutionGone(
                    source=self.name, execution_id=seen.execution_id, created_at=seen.created_at
                )
                for seen in looked_at
                if (seen.execution_id, seen.created_at) not in done.keys
            ],
            cursor=progress.cursor(),
            caught_up=True,
        )

    def _reader(self, tables: N8nTables, done: "_Done") -> ExecutionReader:
        return ExecutionReader(
            source=self.name,
            tables=tables,
            workflows=self._workflows,
            dimensions=self._settings.dimensions.model_dump(),
            public_url=self._settings.public_url,
            max_data_bytes=self._settings.max_data_mb * 1024 * 1024,
            metadata_ids=done.metadata_ids,
        )
