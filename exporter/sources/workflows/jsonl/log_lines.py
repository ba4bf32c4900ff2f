"""Reads a file from where it was left, line by line, in bounded memory."""

import os
from collections.abc import Iterator
from dataclasses import dataclass

LONGEST_LINE = 1024 * 1024
_PIECE_BYTES = 256 * 1024


@dataclass(slots=True)
class Place:
    """Where the reading of a file stands."""

    offset: int = 0  # bytes
    lines: int = 0  # lines before it
    is_within_long_line: bool = False  # the rest of the line is passed over too


@dataclass(frozen=True, slots=True)
class Line:
    """A line that has come to its end; `content` is None where it is too long."""

    number: int
    content: bytes | None


def lines_from(descriptor: int, place: Place, most_bytes: int) -> Iterator[Line]:
    """Yield the lines that have ended, and move the place behind each before it is yielded.

    About `most_bytes` are read. What has no line feed yet is left for later.
    """
    waiting = b""
    read = 0
    while read < most_bytes:
        piece = os.pread(descriptor, _PIECE_BYTES, place.offset + len(waiting))
        if not piece:
            return
        read += len(piece)
        *ended, rest = (waiting + piece).split(b"\n")
        for content in ended:
            place.offset += len(content) + 1
            place.lines += 1
            if place.is_within_long_line:
                place.is_within_long_line = False
            else:
                yield Line(place.lines, content if len(content) <= LONGEST_LINE else None)
        waiting = _passed_over(rest, place)
        if len(waiting) > LONGEST_LINE:
            place.offset += len(waiting)
            place.is_within_long_line = True
            waiting = b""
            yield Line(place.lines + 1, None)


def _passed_over(rest: bytes, place: Place) -> bytes:
    """Move the place over what can be no part of a line, and return what may be one."""
    # A file that was truncated under a writer that does not append begins with a hole.
    kept = b"" if place.is_within_long_line else rest.lstrip(b"\0")
    place.offset += len(rest) - len(kept)
    return kept
