"""Reads .sql files that lie beside their caller: named blocks, or a file as one statement."""

import re
from functools import cache
from importlib.resources import files

_NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)


@cache
def named_statements(package: str, file_name: str) -> dict[str, str]:
    """Return the blocks of a file by their `-- name: …` line, comments included."""
    text = files(package).joinpath(file_name).read_text(encoding="utf-8")
    _, *parts = _NAME.split(text)
    return dict(zip(parts[::2], map(str.strip, parts[1::2]), strict=True))
