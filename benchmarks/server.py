"""The PostgreSQL that benchmarks run on, and the table they print."""

import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from exporter.demo.embedded_postgres import EmbeddedPostgres


@contextmanager
def server_url() -> Iterator[str]:
    """Yield the first argument, TEST_PLAIN_DATABASE_URL, or an embedded PostgreSQL."""
    given = sys.argv[1:2] or [os.environ.get("TEST_PLAIN_DATABASE_URL", "")]
    if given[0]:
        yield given[0]
        return
    with (
        tempfile.TemporaryDirectory(prefix="aiwf-benchmark-") as folder,
        EmbeddedPostgres(Path(folder) / "postgres") as postgres,
    ):
        yield postgres.url()


def show(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a table in Markdown."""
    texts = [[*map(str, heads)], *([str(cell) for cell in row] for row in rows)]
    widths = [max(len(row[column]) for row in texts) for column in range(len(heads))]
    for number, row in enumerate(texts):
        print("| " + " | ".join(map(str.ljust, row, widths)) + " |")
        if number == 0:
            print("|" + "|".join("-" * (width + 2) for width in widths) + "|")
