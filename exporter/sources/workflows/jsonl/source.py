"""A log file as a source: a line of JSON for each run, followed as it grows and is rotated."""

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from exporter.errors import SourceError, TransientError
from exporter.interfaces import Batch, Position
from exporter.records import Json
from exporter.settings import SourceSettings
from exporter.sources.workflows.jsonl import log_files
from exporter.sources.workflows.jsonl.log_files import LogFile
from exporter.sources.workflows.jsonl.log_lines import LONGEST_LINE, lines_from
from exporter.sources.workflows.jsonl.reading import Reading

MOST_BYTES = 64 * 1024 * 1024
"""Read at one poll; what is left is read at the next."""


class JsonlSettings(SourceSettings):
    """Log files of a program of your own."""

    kind: Literal["jsonl"] = "jsonl"
    path: Annotated[str, Field(min_length=1)]
    """A file, or a pattern such as /var/log/workflows/*.jsonl; ** stands for any folders."""


class JsonlSource:
    """Follows files: each line is read once it has ended, and once only."""

    def __init__(self, settings: JsonlSettings) -> None:
        self.name = settings.name
        self._pattern = settings.path
        self._noted: set[str] = set()

    def close(self) -> None:
        """Give back nothing: no file stays open between polls."""

    def poll(self, position: Position, now: datetime) -> Iterator[Batch]:
        """Yield what the files tell that was not read, oldest file first."""
        known = _restored(position.cursor.get("files"))
        found = log_files.matching(self._pattern)
        if not found and not known:
            raise TransientError(
                f"there is no file {self._pattern} yet; if there should be, is the path right, and "
                "may the exporter read its folder?"
            )
        found += log_files.rotated(known, found)
        # What was rotated out was written before what took its place.
        found.sort(key=lambda one: one.path, reverse=True)
        found.sort(key=lambda one: one.modified_at)
        reading = Reading(self.name, now, position.open_executions, self._noted)
        bytes_left = MOST_BYTES
        problems: list[str] = []
        for one in found:
            try:
                with log_files.opened(one.path) as descriptor:
                    file = log_files.take_over(
                        known, one, descriptor, {other.inode for other in found}
                    )
                    begun_at = file.place.offset
                    for line in lines_from(descriptor, file.place, bytes_left):
                        reading.add(line, one.path)
                        if reading.is_enough:
                            file.mark(descriptor)
                            yield reading.batch(_cursor(known))
                    file.mark(descriptor)
                    bytes_left -= file.place.offset - begun_at
            except FileNotFoundError:
                continue  # rotated away this moment: the next poll finds where to
            except PermissionError:
                problems.append(f"{one.path} cannot be read: permission denied")
            except OSError as error:
                # Half of a piece is no piece: what was not yielded yet is read again.
                raise TransientError(f"{one.path} cannot be read: {error.strerror}") from None
        is_all_read = bytes_left > LONGEST_LINE
        if is_all_read:
            log_files.forget(known, found, now)
        yield reading.batch(_cursor(known), caught_up=is_all_read and not problems)
        reading.tell()
        if problems:
            others = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
            raise SourceError(
                f"{problems[0]}{others}; let the exporter's user read it", reason="permission"
            )


def _restored(kept: Json) -> list[LogFile]:
    files = kept if isinstance(kept, list) else []
    return [LogFile.restore(file) for file in files if isinstance(file, dict)]


def _cursor(known: list[LogFile]) -> dict[str, Json]:
    return {"files": [file.kept() for file in known]}
