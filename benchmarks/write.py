"""Rows per second into our tables: the merge against psycopg's executemany upsert, same run.

Ours also keeps the hourly sums, the counters and the cursor; the upsert only writes its two tables.
"""

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from statistics import median

import psycopg
from psycopg.types.json import Jsonb

from benchmarks.server import server_url, show
from exporter.interfaces import Batch
from exporter.records import Record
from exporter.sinks.migrations import migrate
from exporter.sinks.prometheus import Bookkeeper, LabelCaps
from exporter.sinks.timescale import TimescaleSink
from tests.conftest import database_settings
from tests.databases import new_database
from tests.sources.made_up import BEGUN, execution, step

EXECUTIONS = 20_000
STEPS_EACH = 3
ROWS = EXECUTIONS * (1 + STEPS_EACH)
REPEATS = 3
DERIVED = ("executions", "duration_seconds")


def made_up() -> list[list[Record]]:
    """Executions, each with its steps."""
    groups: list[list[Record]] = []
    for number in range(EXECUTIONS):
        made = execution(
            number,
            created_at=BEGUN + timedelta(seconds=number * 7),
            workflow_id=f"w{number % 50}",
            workflow=f"Workflow {number % 50}",
            attributes={"trigger_node_type": "n8n-nodes-base.webhook"},
        )
        steps = [
            step(
                made, f"Node {index}#0", duration_seconds=0.5, attributes={"execution_index": index}
            )
            for index in range(STEPS_EACH)
        ]
        groups.append([made, *steps])
    return groups


def by_merge(url: str, groups: Sequence[Sequence[Record]], per_batch: int) -> float:
    """Write with the sink; return seconds."""
    sink = TimescaleSink(url)
    sink.open()
    accountant = Bookkeeper(LabelCaps(500))
    try:
        with sink.session("n8n") as session:
            assert session is not None
            position = session.position()
            begun = time.perf_counter()
            for start in range(0, len(groups), per_batch):
                records = [
                    record for group in groups[start : start + per_batch] for record in group
                ]
                position, _ = session.write(
                    position, Batch(records=records, cursor={}), accountant, datetime.now(UTC)
                )
            return time.perf_counter() - begun
    finally:
        sink.close()


KEYS = {
    "executions": ("source", "execution_id", "created_at"),
    "steps": ("source", "execution_id", "created_at", "step_id"),
}


def cell(record: Record, column: str) -> object:
    """Turn a field into what the driver takes."""
    match getattr(record, column):
        case Mapping() as mapping:
            return Jsonb(mapping)
        case StrEnum() as word:
            return word.value
        case tuple() as texts:
            return list(texts)
        case other:
            return other


def by_upsert(url: str, groups: Sequence[Sequence[Record]], per_batch: int) -> float:
    """Write with executemany, as one would; return seconds."""
    with psycopg.connect(url) as connection:
        statements: dict[str, tuple[str, list[str]]] = {}
        for table, keys in KEYS.items():
            described = connection.execute(
                "SELECT column_name FROM information_schema.columns WHERE table_name = %s "
                "AND table_schema = 'public'",
                [table],
            ).fetchall()
            # The duration is worked out by our sink; the upsert leaves it away.
            names = [name for (name,) in described if (table, name) != DERIVED]
            updates = ", ".join(f"{name} = excluded.{name}" for name in names if name not in keys)
            places = ", ".join(["%s"] * len(names))
            statements[table] = (
                f"INSERT INTO {table} ({', '.join(names)}) VALUES ({places}) "
                f"ON CONFLICT ({', '.join(keys)}) DO UPDATE SET {updates}",
                names,
            )
        begun = time.perf_counter()
        for start in range(0, len(groups), per_batch):
            page = groups[start : start + per_batch]
            parts = {
                "executions": [group[0] for group in page],
                "steps": [record for group in page for record in group[1:]],
            }
            for table, records in parts.items():
                statement, names = statements[table]
                rows = [[cell(record, name) for name in names] for record in records]
                with connection.cursor() as cursor:
                    cursor.executemany(statement.encode(), rows)
            connection.commit()
        return time.perf_counter() - begun


def main() -> None:
    """Interleave both, fresh and as a replay, and print rows per second."""
    groups = made_up()
    ways = {
        "merge, 500 executions a batch": (by_merge, 500),
        "merge, 5000 executions a batch": (by_merge, 5000),
        "executemany upsert, 500": (by_upsert, 500),
        "executemany upsert, 5000": (by_upsert, 5000),
    }
    fresh: dict[str, list[float]] = {name: [] for name in ways}
    again: dict[str, list[float]] = {name: [] for name in ways}
    with server_url() as server:
        for _ in range(REPEATS):
            for name, (write, per_batch) in ways.items():
                with new_database(server) as url:
                    migrate(database_settings(url))
                    fresh[name].append(ROWS / write(url, groups, per_batch))
                    again[name].append(ROWS / write(url, groups, per_batch))
    print(f"{EXECUTIONS:,} executions with {STEPS_EACH} steps each, median of {REPEATS}\n")
    show(
        ("way", "rows/s, new", "rows/s, replay"),
        [[name, f"{median(fresh[name]):,.0f}", f"{median(again[name]):,.0f}"] for name in ways],
    )
    for measured, what in ((fresh, "new"), (again, "replay")):
        for size in ("500", "5000"):
            ratio = median(measured[f"merge, {size} executions a batch"]) / median(
                measured[f"executemany upsert, {size}"]
            )
            print(f"{what}, {size} a batch: {ratio:.2f} × executemany")


if __name__ == "__main__":
    main()
