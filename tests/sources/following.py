"""A program that logs its runs, its logs that are rotated, and a source that follows them."""

import json
import os
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from exporter.interfaces import Batch, OpenExecution, Position
from exporter.records import Execution
from exporter.sources.workflows.jsonl.source import JsonlSettings, JsonlSource
from tests.pushed.telling import Stored

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)


def line(number: int | str, status: str = "success", **fields: Any) -> bytes:
    """A line of a run that began at eleven."""
    told = {
        "execution_id": str(number),
        "workflow": "content",
        "status": status,
        "started_at": "2026-06-01T11:00:00Z",
        **fields,
    }
    return json.dumps({key: value for key, value in told.items() if value != ""}).encode() + b"\n"


@dataclass
class Program:
    """Writes to its log; times of files go on by a second with each write."""

    path: Path
    _clock: int = int(NOW.timestamp()) - 3600

    def write(self, *pieces: bytes) -> None:
        """Append to the log."""
        with self.path.open("ab") as file:
            file.writelines(pieces)
        self.touch(self.path)

    def touch(self, path: Path) -> None:
        """Give a file the next time."""
        self._clock += 1
        os.utime(path, (self._clock, self._clock))

    def rename(self, name: str) -> Path:
        """Rotate as logrotate does without copytruncate."""
        moved = self.path.with_name(name)
        self.path.rename(moved)
        return moved

    def copy_and_truncate(self, name: str) -> Path:
        """Rotate as logrotate does with copytruncate."""
        copy = Path(shutil.copy2(self.path, self.path.with_name(name)))
        os.truncate(self.path, 0)
        self.touch(self.path)
        return copy


@dataclass
class Follower:
    """Polls the source and keeps what it tells, as the sink does: rows and cursor together."""

    pattern: str
    stored: Stored = field(default_factory=Stored)
    position: Position = field(default_factory=Position)
    omissions: Counter[str] = field(default_factory=Counter)
    now: datetime = NOW

    def batches(self) -> Iterator[Batch]:
        """Poll, and commit each batch when the next is asked for, as the poller does."""
        source = JsonlSource(JsonlSettings(name="logs", path=self.pattern))
        opened = [
            OpenExecution(
                execution_id=row.execution_id, created_at=row.created_at, engine_state=None
            )
            for row in self.stored.rows.values()
            if isinstance(row, Execution) and not row.status.is_final
        ]
        before = Position(cursor=self.position.cursor, open_executions=opened)
        for batch in source.poll(before, self.now):
            self.stored.write(batch.records)
            # The database keeps JSON.
            cursor = json.loads(json.dumps(batch.cursor))
            self.position = Position(
                cursor=cursor, caught_up=self.position.caught_up or batch.caught_up
            )
            self.omissions.update(batch.omissions)
            yield batch

    def poll(self) -> list[Batch]:
        """Poll to the end."""
        return list(self.batches())

    @property
    def runs(self) -> dict[str, str]:
        """Execution → status."""
        return {
            row.execution_id: str(row.status)
            for row in self.stored.rows.values()
            if isinstance(row, Execution)
        }

    @property
    def ids(self) -> list[str]:
        """Executions, in the order in which they were stored first."""
        return list(self.runs)
