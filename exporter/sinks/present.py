"""What of a source is true now, read back from our tables: each role of source has its own."""

from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from typing import Any

from exporter.interfaces import BalanceLeft, PageNow, Present, ProviderSpend, ReportCoverage
from exporter.sql_files import named_statements

_EXECUTIONS = named_statements("exporter.sinks.sql", "executions.sql")
_SPEND = named_statements("exporter.sinks.sql", "spend.sql")
_STATUS = named_statements("exporter.sinks.sql", "status.sql")
Row = dict[str, Any]
Rows = Callable[[str], Sequence[Row]]
"""Runs a statement for one source and one time."""


def _workflows(rows: Rows) -> Mapping[str, Any]:
    return {
        "workflows": {row["workflow"]: row["active"] for row in rows(_EXECUTIONS["workflows"])},
        "open_executions": {
            (row["workflow"], row["status"]): row["executions"]
            for row in rows(_EXECUTIONS["open_counts"])
        },
    }


def _provider(rows: Rows) -> Mapping[str, Any]:
    return {
        "spend": [ProviderSpend(**row) for row in rows(_SPEND["spend"])],
        "balances": [BalanceLeft(**row) for row in rows(_SPEND["balances"])],
        "coverage": [ReportCoverage(**row) for row in rows(_SPEND["coverage"])],
    }


def _status(rows: Rows) -> Mapping[str, Any]:
    pages = groupby(rows(_STATUS["pages"]), key=lambda row: row["page"])
    return {"pages": [_page(list(found)) for _, found in pages]}


def _page(rows: Sequence[Row]) -> PageNow:
    """Return a page of its rows, of which the first is the page as a whole."""
    whole, *components = rows
    return PageNow(
        **{name: whole[name] for name in PageNow.__dataclass_fields__ if name in whole},
        components={row["component"]: row["level"] for row in components},
    )


_READERS: Mapping[str, Callable[[Rows], Mapping[str, Any]]] = {
    "workflows": _workflows,
    "provider": _provider,
    "status": _status,
}


def present_of(role: str | None, rows: Rows) -> Present:
    """Return what is true now of a source of that role; of an unknown one, all there is.

    A gateway tells model calls, which are counted and have no present.
    """
    readers = _READERS.values() if role is None else filter(None, [_READERS.get(role)])
    told: dict[str, Any] = {}
    for read in readers:
        told |= read(rows)
    return Present(**told)
