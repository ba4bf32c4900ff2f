"""What a kind of source needs beside its module and its line in KINDS."""

import re
from collections.abc import Iterator
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]


def missing(kind: str, root: Path = ROOT) -> list[str]:
    """Name every place that has not heard of the kind, with what belongs there."""
    return list(_missing(kind, root))


def _missing(kind: str, root: Path) -> Iterator[str]:
    document = yaml.safe_load((root / "config.example.yml").read_text(encoding="utf-8"))
    if kind not in {source["kind"] for source in document["sources"]}:
        yield f"config.example.yml: a block with `kind: {kind}`"
    recorded = root / "tests" / "sources" / kind
    if not (recorded / "RECORDED.md").is_file():
        yield f"tests/sources/{kind}/RECORDED.md: where the recording's shape comes from"
    if not [path for path in recorded.glob("*") if path.suffix != ".md"]:
        yield f"tests/sources/{kind}/: a recorded answer"
    if not (root / "tests" / "sources" / f"test_{kind}.py").is_file() and not list(
        (root / "tests").glob(f"*/test_{kind}_*.py")
    ):
        yield f"tests/sources/test_{kind}.py: the records expected from it"
    page = root / "docs" / f"{kind}.md"
    providers = root / "docs" / "providers.md"
    told = providers.is_file() and re.search(
        rf"^## .*`{kind}`", providers.read_text(encoding="utf-8"), re.MULTILINE
    )
    if not page.is_file() and not told:
        yield f"docs/providers.md: a section with `{kind}` in its heading"
