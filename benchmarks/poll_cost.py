"""What a poll with nothing new costs the monitored n8n: it must not grow with its table.

Two n8n databases, one a hundred times the other, at the same pace of executions. The statements are
those that the source itself sends; each is run again under EXPLAIN (ANALYZE, BUFFERS).
"""

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import psycopg
from psycopg.rows import dict_row

from benchmarks.server import server_url, show
from exporter.demo.n8n_statements import schema
from exporter.interfaces import OpenExecution, Position
from exporter.sources.engine_database import PostgresEngine
from exporter.sources.workflows.n8n.source import N8nSettings, N8nSource
from tests.databases import new_database

SIZES = (20_000, 2_000_000)
SECONDS_BETWEEN = 10  # one execution: 30 of them in the 5 minutes that a poll looks back
OPEN = 10
WORKFLOWS = 50
MOST_MILLISECONDS = 5
REPEATS = 7

FILL = f"""
INSERT INTO workflow_entity (id, name, active, nodes, connections, "versionId")
SELECT 'w' || g, 'Workflow ' || g, true, '[]', '{{}}', 'v' FROM generate_series(1, {WORKFLOWS}) g;

INSERT INTO execution_entity (id, finished, mode, "startedAt", "stoppedAt", status, "workflowId",
    "createdAt")
SELECT g, status = 'success', 'webhook', at - interval '3 s',
    CASE WHEN status <> 'running' THEN at END, status, 'w' || 1 + g %% {WORKFLOWS},
    at - interval '3 s'
FROM (
    SELECT g, now() - ((%(rows)s - g) * {SECONDS_BETWEEN}) * interval '1 s' AS at,
        CASE WHEN g > %(rows)s - {OPEN} THEN 'running' WHEN g %% 20 = 0 THEN 'error'
            ELSE 'success' END AS status
    FROM generate_series(1, %(rows)s) g
) made;

INSERT INTO execution_data ("executionId", "workflowData", data)
SELECT g, '{{}}', '[{{}}]' FROM generate_series(1, %(rows)s) g;

INSERT INTO execution_metadata ("executionId", key, value)
SELECT g, 'customer', 'acme' FROM generate_series(1, %(rows)s, 4) g;
"""


def fill(url: str, rows: int) -> None:
    """Make an n8n that has run for a while."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(schema().encode())
        for statement in filter(str.strip, FILL.split(";")):
            connection.execute(statement.encode(), {"rows": rows})
        connection.execute("VACUUM (ANALYZE)")
        connection.execute("CHECKPOINT")


class Listening(PostgresEngine):
    """Notes what is asked."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.sent: list[tuple[str, Mapping[str, object] | None]] = []

    def query(
        self, statement: str, parameters: Mapping[str, object] | None = None
    ) -> list[dict[str, Any]]:
        """Note it and ask."""
        self.sent.append((statement, parameters))
        return super().query(statement, parameters)


def statements_of_an_empty_poll(
    url: str, rows: int
) -> tuple[list[tuple[str, Mapping[str, object] | None]], float]:
    """Poll until nothing is new; return what the last poll sent, and how long it took at best."""
    settings = N8nSettings.model_validate(
        {"name": "n8n", "url": {"env": "URL"}}, context={"environ": {"URL": url}}
    )
    source = N8nSource(settings)
    engine = Listening(url)
    source._database = engine
    with psycopg.connect(url) as connection:
        running = connection.execute(
            'SELECT id, "createdAt" FROM execution_entity WHERE status = %s', ["running"]
        ).fetchall()
    opened = tuple(
        OpenExecution(execution_id=str(number), engine_state="running||", created_at=created_at)
        for number, created_at in running
    )
    cursor: Mapping[str, Any] = {"ids": {"last_id": rows, "missing": {}}}
    seconds = []
    for _ in range(2 + REPEATS):
        engine.sent.clear()
        begun = time.perf_counter()
        batches = list(
            source.poll(Position(cursor=cursor, open_executions=opened), datetime.now(UTC))
        )
        seconds.append(time.perf_counter() - begun)
        cursor = batches[-1].cursor
    assert not any(batch.records for batch in batches), "there was something new"
    source.close()
    return engine.sent[:], min(seconds[2:])


def explain(
    connection: psycopg.Connection[dict[str, Any]],
    statement: str,
    parameters: Mapping[str, object] | None,
) -> tuple[float, float, int, str]:
    """Return milliseconds planned and run (the median run), buffers, and the plan's scan."""
    runs = []
    for _ in range(REPEATS):
        found = connection.execute(
            f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement}".encode(), parameters
        ).fetchone()
        assert found is not None
        plan = found["QUERY PLAN"][0]
        top = plan["Plan"]
        buffers = top["Shared Hit Blocks"] + top["Shared Read Blocks"]
        runs.append((plan["Planning Time"], plan["Execution Time"], buffers, scan(top)))
    return sorted(runs, key=lambda run: run[0] + run[1])[len(runs) // 2]


def scan(plan: Mapping[str, Any]) -> str:
    """Name the lowest node of the plan."""
    while "Plans" in plan:
        plan = plan["Plans"][0]
    return " ".join(filter(None, (plan["Node Type"], plan.get("Index Name"))))


def measure(server: str, rows: int) -> tuple[list[list[object]], float, float, int, float]:
    """Fill, poll, explain; return the table, milliseconds planned and run, buffers, poll time."""
    with new_database(server) as url:
        begun = time.monotonic()
        fill(url, rows)
        print(f"\n{rows:,} executions (filled in {time.monotonic() - begun:.0f} s)")
        sent, poll_seconds = statements_of_an_empty_poll(url, rows)
        table: list[list[object]] = []
        planned = executed = 0.0
        buffers = 0
        with psycopg.connect(url, autocommit=True, row_factory=dict_row) as connection:
            connection.execute("SET default_transaction_read_only = on; SET timezone = 'UTC'")
            for statement, parameters in sent:
                one_planned, one_executed, touched, lowest = explain(
                    connection, statement, parameters
                )
                planned, executed = planned + one_planned, executed + one_executed
                buffers += touched
                table.append(
                    [
                        " ".join(statement.split())[-60:],
                        lowest,
                        f"{one_planned:.3f}",
                        f"{one_executed:.3f}",
                        touched,
                    ]
                )
    show(("statement (end)", "lowest node", "plan ms", "run ms", "buffers"), table)
    return table, planned, executed, buffers, poll_seconds


def main() -> None:
    """Measure both sizes and say whether the promise holds."""
    with server_url() as server:
        results = [(rows, *measure(server, rows)) for rows in SIZES]
    print()
    show(
        ("executions", "statements", "plan ms", "run ms", "buffers", "poll ms, client included"),
        [
            [
                f"{rows:,}",
                len(table),
                f"{planned:.2f}",
                f"{executed:.2f}",
                buffers,
                f"{1000 * s:.1f}",
            ]
            for rows, table, planned, executed, buffers, s in results
        ],
    )
    small, large = results[0], results[-1]
    print(f"\nrows × {large[0] // small[0]}: buffers {small[4]} → {large[4]}")
    print(f"time in the database: {large[2] + large[3]:.2f} ms (may be {MOST_MILLISECONDS} ms)")
    assert large[2] + large[3] < MOST_MILLISECONDS
    # An index of a hundred times the rows is one level deeper: a buffer more per descent.
    # PostgreSQL before 17 descends once for each open execution.
    assert large[4] - small[4] <= OPEN + 2 * len(large[1]), "the cost grows with the table"


if __name__ == "__main__":
    main()
