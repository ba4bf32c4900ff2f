"""Targets: what a panel or an annotation asks, and the data source that answers."""

from __future__ import annotations

import warnings

with warnings.catch_warnings():
    # Its classic builders announce the v2 schema, which Grafana's file provider refuses.
    warnings.simplefilter("ignore", DeprecationWarning)
    from grafana_foundation_sdk.builders import prometheus
from grafana_foundation_sdk.cog import builder, variants
from grafana_foundation_sdk.models import common

TIMESCALEDB = common.DataSourceRef(type_val="grafana-postgresql-datasource", uid="timescaledb")
PROMETHEUS = common.DataSourceRef(type_val="prometheus", uid="prometheus")


class SqlQuery(variants.Dataquery):
    """A query of the PostgreSQL data source, for which the SDK has no model."""

    def __init__(self, sql: str, *, series: bool, ref: str) -> None:
        self.sql, self.series, self.ref = sql.strip(), series, ref

    def to_json(self) -> dict[str, object]:
        """Return the query as Grafana stores it."""
        return {
            "refId": self.ref,
            "datasource": TIMESCALEDB,
            "editorMode": "code",
            "rawQuery": True,
            "format": "time_series" if self.series else "table",
            "rawSql": self.sql,
        }


class Target(builder.Builder[variants.Dataquery]):
    """One query of a panel, and the data source that answers it."""

    def __init__(self, query: variants.Dataquery, datasource: common.DataSourceRef) -> None:
        self.query, self.datasource = query, datasource

    def build(self) -> variants.Dataquery:
        """Return the query."""
        return self.query


def sql_table(sql: str, ref: str = "A") -> Target:
    """Ask TimescaleDB for rows."""
    return Target(SqlQuery(sql, series=False, ref=ref), TIMESCALEDB)


def sql_series(sql: str, ref: str = "A") -> Target:
    """Ask TimescaleDB for series: columns `time` and `metric`, one number, ordered by time."""
    return Target(SqlQuery(sql, series=True, ref=ref), TIMESCALEDB)


def promql(expr: str, *, legend: str = "", now: bool = False, ref: str = "A") -> Target:
    """Ask Prometheus for series, or (`now`) for their newest values only."""
    query = prometheus.Dataquery().ref_id(ref).expr(expr).legend_format(legend or "__auto")
    query = query.datasource(PROMETHEUS)
    return Target((query.instant() if now else query.range()).build(), PROMETHEUS)
