"""Which files to follow, and which of them is which after logs were rotated.

A file is known by its content: its beginning, and the piece before the place where its reading
stands. So it is found again under another name, as a copy, and when another has its inode.
"""

import glob
import hashlib
import os
import stat
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from exporter.errors import SourceError
from exporter.records import Json
from exporter.sources.workflows.jsonl.log_lines import Place

_HEAD_BYTES, _TAIL_BYTES = 1024, 256
_MOST_FILES = 1000
_MOST_MISSING = 100
_STILL_WRITTEN_SECONDS = 3600.0  # by programs that have not opened the new log yet
_PACKED = (".gz", ".zst", ".xz", ".bz2", ".zip", ".lz4")

Inode = tuple[int, int]
_NOWHERE: Inode = (0, 0)


@dataclass(slots=True)
class LogFile:
    """A file, and how far it was read."""

    path: str
    inode: Inode  # with its device
    place: Place = field(default_factory=Place)
    head: str = ""  # of the first bytes that were read, at most 1024
    tail: str = ""  # of the last ones

    @classmethod
    def restore(cls, kept: Mapping[str, Json]) -> "LogFile":
        """Read what `kept` wrote."""
        numbers = {name: value for name, value in kept.items() if isinstance(value, int)}
        return cls(
            path=str(kept["path"]),
            inode=(numbers["device"], numbers["inode"]),
            place=Place(numbers["offset"], numbers["lines"], bool(kept["is_within_long_line"])),
            head=str(kept["head"]),
            tail=str(kept["tail"]),
        )

    def kept(self) -> dict[str, Json]:
        """Return what is kept between polls."""
        device, inode = self.inode
        return {
            "path": self.path,
            "device": device,
            "inode": inode,
            "offset": self.place.offset,
            "lines": self.place.lines,
            "is_within_long_line": self.place.is_within_long_line,
            "head": self.head,
            "tail": self.tail,
        }

    def mark(self, descriptor: int) -> None:
        """Remember what is before the place, to know the file again."""
        self.head = _head(descriptor, self.place.offset)
        self.tail = _tail(descriptor, self.place.offset)

    def is_in(self, descriptor: int) -> bool:
        """Whether what was read of this file stands in the one that is open."""
        offset = self.place.offset
        return (
            os.fstat(descriptor).st_size >= offset
            and _head(descriptor, offset) == self.head
            and _tail(descriptor, offset) == self.tail
        )


def _head(descriptor: int, offset: int) -> str:
    return _digest(os.pread(descriptor, min(offset, _HEAD_BYTES), 0))


def _tail(descriptor: int, offset: int) -> str:
    length = min(offset, _TAIL_BYTES)
    return _digest(os.pread(descriptor, length, offset - length))


def _digest(piece: bytes) -> str:
    return hashlib.sha256(piece).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Found:
    """A file that is there now."""

    path: str
    inode: Inode
    modified_at: float  # Unix time
    is_rotated: bool = False  # no longer one that is asked for


@contextmanager
def opened(path: str) -> Iterator[int]:
    """Open a file for reading, and close it."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def matching(pattern: str) -> list[Found]:
    """Return the files that a path or pattern names.

    Raises:
        SourceError: it names something that is no file, or too many.
    """
    # A name may hold the signs of a pattern.
    paths = [pattern] if Path(pattern).exists() else glob.glob(pattern, recursive=True)  # noqa: PTH207 - absolute patterns
    found = [one for path in paths if (one := look_at(path))]
    if not found and Path(pattern).is_dir():
        raise SourceError(
            f"{pattern} is a folder; write which files in it, for example {pattern}/*.jsonl",
            reason="path",
        )
    if len(found) > _MOST_FILES:
        raise SourceError(
            f"{pattern} names {len(found)} files, and at most {_MOST_FILES} are followed; "
            "write a narrower pattern, or remove old files",
            reason="path",
        )
    return found


def look_at(path: str) -> Found | None:
    """Return a file as it is there now; None for what is no log, or gone."""
    if path.endswith(_PACKED):
        return None
    with suppress(OSError):
        status = Path(path).stat()
        if stat.S_ISREG(status.st_mode):
            return Found(path, (status.st_dev, status.st_ino), status.st_mtime)
    return None


def rotated(known: Sequence[LogFile], found: Sequence[Found]) -> list[Found]:
    """Find where files went that are no longer where they were: renamed, or copied and emptied."""
    there = {one.inode: one.path for one in found}
    gone = [log for log in known if log.place.offset and not _is_at(there.get(log.inode), log)]
    where: dict[Inode, Found] = {}
    for folder in {str(Path(log.path).parent) for log in gone}:
        logs = [log for log in gone if str(Path(log.path).parent) == folder]
        inodes = {inode for _, inode in (log.inode for log in logs)}
        names = tuple({_stem(Path(log.path).name) for log in logs})
        for entry in _entries(folder):
            may_be = entry.inode() in inodes or entry.name.startswith(names)
            one = look_at(entry.path) if may_be else None
            if one and one.inode not in there and any(_is_at(one.path, log) for log in logs):
                where[one.inode] = replace(one, is_rotated=True)
    return list(where.values())


def _stem(name: str) -> str:
    """What a log's name and the names of its rotated copies begin with."""
    return name.partition(".")[0] or name


def _entries(folder: str) -> list[os.DirEntry[str]]:
    with suppress(OSError), os.scandir(folder) as entries:
        return list(entries)
    return []


def _is_at(path: str | None, log: LogFile) -> bool:
    if path is not None:
        with suppress(OSError), opened(path) as descriptor:
            return log.is_in(descriptor)
    return False


def take_over(
    known: list[LogFile], one: Found, descriptor: int, there: Collection[Inode]
) -> LogFile:
    """Return the open file, with how far it was read under whatever name; `known` then holds it.

    It takes the place of what was known under its inode and of what is found in it and is nowhere
    else. What was under its inode and is not found in it stays known: it may be found elsewhere.
    """
    same = [log for log in known if log.place.offset and log.is_in(descriptor)]
    kept = []
    for log in known:
        is_same = any(log is each for each in same)
        if log.inode == one.inode and not is_same and log.place.offset:
            kept.append(replace(log, inode=_NOWHERE))
        elif log.inode != one.inode and not (is_same and log.inode not in there):
            kept.append(log)
    furthest = max(same, key=lambda log: log.place.offset, default=LogFile(one.path, one.inode))
    file = replace(furthest, path=one.path, inode=one.inode, place=replace(furthest.place))
    known[:] = [*kept, file]
    return file


def forget(known: list[LogFile], found: Sequence[Found], now: datetime) -> None:
    """Drop files that were rotated long ago, and of those that are gone all but the newest."""
    there = {one.inode: one for one in found}
    missing = [log for log in known if log.inode not in there]
    dropped = {id(log) for log in missing[:-_MOST_MISSING]}
    for log in known:
        one = there.get(log.inode)
        if one and one.is_rotated and now.timestamp() - one.modified_at > _STILL_WRITTEN_SECONDS:
            dropped.add(id(log))
    known[:] = [log for log in known if id(log) not in dropped]
