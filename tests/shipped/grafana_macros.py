"""Grafana's PostgreSQL macros and variables, expanded as its own data source does it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime

_CALL = re.compile(r"\$([_a-zA-Z0-9]+)\(([^)]*)\)")
_VARIABLE = re.compile(r"\$\{(\w+)(?::(\w+))?\}")
_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


class MacroError(ValueError):
    """Grafana would refuse this query."""


def _seconds(interval: str) -> float:
    match = re.fullmatch(r"([\d.]+)(ms|[smhdw])", interval.strip().strip("'\""))
    if match is None:
        raise MacroError(f"{interval!r} is not an interval")
    return float(match[1]) * _SECONDS[match[2]]


def _stamp(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")


def _group(column: str, seconds: float, *, timescaledb: bool) -> str:
    if timescaledb:
        return f"time_bucket('{seconds:.3f}s',{column})"
    return f"floor(extract(epoch from {column})/{seconds:g})*{seconds:g}"


def expand_macros(
    sql: str, start: datetime, end: datetime, *, interval: str = "60s", timescaledb: bool = False
) -> str:
    """Return the SQL that reaches PostgreSQL for one time range.

    Raises:
        MacroError: an unknown macro or a bad interval.
    """
    sql = sql.replace("$__interval_ms", str(int(_seconds(interval) * 1000)))
    sql = sql.replace("$__interval", interval)
    epoch = {"From": start.timestamp(), "To": end.timestamp()}

    def one(match: re.Match[str]) -> str:
        name = match[1]
        args = [part.strip() for part in match[2].split(",")]
        first = args[0]
        if name == "__timeGroup" and sql[match.end() : match.end() + 1] == ",":
            name = "__timeGroupAlias"
        simple = {
            "__time": f'{first} AS "time"',
            "__timeEpoch": f'extract(epoch from {first}) as "time"',
            "__timeFilter": f"{first} BETWEEN '{_stamp(start)}' AND '{_stamp(end)}'",
            "__timeFrom": f"'{_stamp(start)}'",
            "__timeTo": f"'{_stamp(end)}'",
            "__unixEpochFrom": f"{epoch['From']:.0f}",
            "__unixEpochTo": f"{epoch['To']:.0f}",
            "__unixEpochFilter": f"{first} >= {epoch['From']:.0f} AND {first} <= {epoch['To']:.0f}",
        }
        if name in simple:
            return simple[name]
        if name in ("__timeGroup", "__timeGroupAlias") and len(args) > 1:
            grouped = _group(first, _seconds(args[1]), timescaledb=timescaledb)
            return grouped + (' AS "time"' if name.endswith("Alias") else "")
        raise MacroError(f"unknown macro {name!r}")

    return _CALL.sub(one, sql)


def insert_variables(
    sql: str, chosen: Mapping[str, Sequence[str] | None], all_values: Mapping[str, str]
) -> str:
    """Insert dashboard variables; None chooses All, whose text goes in as it stands.

    Raises:
        MacroError: a variable the dashboard has not, or one written without a safe format.
    """

    def one(match: re.Match[str]) -> str:
        name, form = match[1], match[2]
        if name not in chosen:
            raise MacroError(f"no variable {name!r}")
        if form != "sqlstring":
            raise MacroError(f"${{{name}}} is not written as ${{{name}:sqlstring}}")
        values = chosen[name]
        if values is None:
            return all_values[name]
        return ",".join("'" + value.replace("'", "''") + "'" for value in values)

    return _VARIABLE.sub(one, sql)
