"""Providers' reports → tables: a window replaces what was stored of it, days are summed anew."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import psycopg

from exporter.interfaces import SpendChange
from exporter.records import Amounts, Balance, BucketWindow, DimensionName
from exporter.sinks.staging import Table, copy_in, fitted, storable
from exporter.sql_files import named_statements

_STATEMENTS = named_statements("exporter.sinks.sql", "buckets.sql")
_KEY = ("source", "report", "bucket_start", "dimensions_hash")
_TABLES = {
    Amounts.USAGE: Table("usage_buckets", _KEY, mark_column="bucket_start"),
    Amounts.COST: Table("cost_buckets", _KEY, mark_column="bucket_start"),
}
_COST_KINDS = {Amounts.USAGE: "estimated", Amounts.COST: "billed"}
Row = dict[str, Any]


def merge_windows(
    connection: psycopg.Connection[Row], windows: Sequence[BucketWindow]
) -> list[SpendChange]:
    """Replace the windows, which are of one source, and return what moved.

    A report's windows of one batch do not overlap.
    """
    changes: list[SpendChange] = []
    for amounts in Amounts:
        chosen = [window for window in windows if window.amounts is amounts]
        if chosen:
            changes += _merge(connection, amounts, chosen)
    return changes


def _merge(
    connection: psycopg.Connection[Row], amounts: Amounts, windows: Sequence[BucketWindow]
) -> list[SpendChange]:
    table = _TABLES[amounts]
    source = windows[0].source
    parameters = {
        "source": source,
        "amounts": amounts,
        "cost_kind": _COST_KINDS[amounts],
        "reports": sorted({fitted(window.report) for window in windows}),
        "oldest": min(window.from_at for window in windows),
        "newest": max(window.until_at for window in windows),
    }

    def run(name: str, values: Mapping[str, object] = parameters) -> psycopg.Cursor[Row]:
        return connection.execute(table.filled(_STATEMENTS[name]), values)

    connection.execute(table.statement("create_stage"))
    run("create_windows")
    run("create_days")
    run("clear")
    for window in windows:
        run(
            "add_window",
            {
                "provider": window.provider,
                "report": fitted(window.report),
                "is_breakdown": window.is_breakdown,
                "from_at": window.from_at,
                "until_at": window.until_at,
                "complete_until": window.complete_until,
            },
        )
    copy_in(connection, table, [bucket for window in windows for bucket in window.buckets])
    changes = [SpendChange(source=source, **row) for row in run(f"{amounts}_changes").fetchall()]
    moved = run("delete_differing").rowcount + run("insert_missing").rowcount
    run("cover")
    if moved:
        run("add_days")
        run("clear_days")
        run(f"sum_{amounts}_days")
    return changes


def merge_names(connection: psycopg.Connection[Row], names: Iterable[DimensionName]) -> None:
    """Remember names of ids; a name that the provider no longer tells stays."""
    with connection.cursor() as cursor:
        cursor.executemany(
            _STATEMENTS["name_dimension"].encode(),
            [
                {
                    "source": named.source,
                    "dimension": named.dimension,
                    "id": fitted(named.id),
                    "name": fitted(named.name),
                }
                for named in sorted(names, key=lambda named: (named.dimension, named.id))
            ],
        )


def merge_balances(connection: psycopg.Connection[Row], balances: Sequence[Balance]) -> None:
    """Add a row for each balance that moved; they are all that their source has."""
    told = [(fitted(balance.balance), storable(balance.unit)) for balance in balances]
    with connection.cursor() as cursor:
        cursor.executemany(
            _STATEMENTS["note_balance"].encode(),
            [
                {
                    "source": balance.source,
                    "provider": balance.provider,
                    "balance": name,
                    "unit": unit,
                    "observed_at": balance.observed_at,
                    "remaining": balance.remaining,
                    "used": balance.used,
                    "limit_amount": balance.limit_amount,
                }
                for balance, (name, unit) in zip(balances, told, strict=True)
            ],
        )
        cursor.execute(
            _STATEMENTS["retire_balances"].encode(),
            {
                "source": balances[0].source,
                "observed_at": balances[0].observed_at,
                "balances": [name for name, _ in told],
                "units": [unit for _, unit in told],
            },
        )
