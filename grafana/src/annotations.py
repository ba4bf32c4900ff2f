"""Annotations: what is drawn across every panel with a time axis."""

from __future__ import annotations

import warnings

with warnings.catch_warnings():
    # Its classic builders announce the v2 schema, which Grafana's file provider refuses.
    warnings.simplefilter("ignore", DeprecationWarning)
    from grafana_foundation_sdk.builders import dashboard as builder
from grafana_foundation_sdk.models import common

from grafana.src.targets import TIMESCALEDB, sql_table

# All that overlap the range: those that began before it are why things fail at its start. Grafana
# shows a text as HTML: what strangers wrote must not become mark-up.
INCIDENTS = """
SELECT started_at AS time, until_at AS timeend,
    replace(replace(concat_ws(' · ', page_title || ': ' || title, severity, nullif(components, '')),
        '&', '&amp;'), '<', '&lt;') AS text
FROM v_incidents
WHERE NOT is_maintenance AND level >= 2 AND phase <> 'scheduled'
    AND started_at <= $__timeTo() AND until_at >= $__timeFrom()
ORDER BY started_at DESC LIMIT 200"""

# What changes how workflows run; a webhook or an alert changes nothing.
BUDGET_ACTIONS = """
SELECT at AS time, at AS timeend,
    replace(replace(concat_ws(' · ', 'budget ' || budget, CASE action
        WHEN 'pause' THEN 'switched off ' || target WHEN 'resume' THEN 'switched on ' || target
        ELSE 'the gate denies' END, reason), '&', '&amp;'), '<', '&lt;') AS text
FROM v_budget_actions
WHERE action IN ('pause', 'resume', 'deny') AND state = 'done'
    AND at >= $__timeFrom() AND at <= $__timeTo()
ORDER BY at DESC LIMIT 200"""


def annotations_and_alerts() -> builder.AnnotationQuery:
    """Return what Grafana draws by itself."""
    return (
        builder.AnnotationQuery().name("Annotations & Alerts").built_in(1).type("dashboard")
        .datasource(common.DataSourceRef(type_val="grafana", uid="-- Grafana --"))
        .enable(True).hide(True).icon_color("rgba(0, 211, 255, 1)")
    )  # fmt: skip


def provider_incidents() -> builder.AnnotationQuery:
    """Return the incidents that providers' status pages tell of, as regions of time."""
    return (
        builder.AnnotationQuery().name("Provider incidents")
        .datasource(TIMESCALEDB).target(sql_table(INCIDENTS, ref="Anno"))
        .enable(True).hide(False).icon_color("orange")
    )  # fmt: skip


def budget_actions() -> builder.AnnotationQuery:
    """Return what budgets did: workflows switched off and on, the gate closed."""
    return (
        builder.AnnotationQuery().name("Budget actions")
        .datasource(TIMESCALEDB).target(sql_table(BUDGET_ACTIONS, ref="Anno"))
        .enable(True).hide(False).icon_color("purple")
    )  # fmt: skip
