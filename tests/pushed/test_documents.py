"""What the documents show is taken as they say."""

import json
import re
from pathlib import Path

import pytest

from exporter.pushed.reading import read_executions, read_outcomes
from exporter.pushed.words import KNOWN_STATUSES
from tests.pushed.telling import NOW

DOCS = Path(__file__).parents[2] / "docs"
_BLOCK = re.compile(r"```json\n(.*?)```|-d '(\{.*?\})'", re.DOTALL)
SHOWN = [
    pytest.param(found[1] or found[2], id=f"{name}-{place}")
    for name in ("pushed.md", "jsonl.md")
    for place, found in enumerate(_BLOCK.finditer((DOCS / name).read_text()))
]


def test_every_example_is_found() -> None:
    assert 4 == len(SHOWN)


@pytest.mark.parametrize("shown", SHOWN)
def test_an_example_is_accepted_without_a_note(shown: str) -> None:
    read = read_outcomes if "outcome" in json.loads(shown) else read_executions

    told = read(shown.encode(), is_lines=False, now=NOW)

    assert (1, []) == (told.count, told.notes)


def test_every_status_is_listed() -> None:
    page = (DOCS / "pushed.md").read_text()

    assert [] == [word for word in KNOWN_STATUSES.split(", ") if f"`{word}`" not in page]
