"""Alert rules: from Prometheus's rule format, which promtool tests, to Grafana's alerting files."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import Field, JsonValue

from grafana.src.generated_yaml import as_yaml
from grafana.src.layout import Dashboard
from grafana.src.provisioning_models import EXPRESSIONS, AlertingFile, AlertQuery, RelativeTimeRange
from grafana.src.provisioning_models import AlertRule as GrafanaRule
from grafana.src.provisioning_models import RuleGroup as GrafanaGroup
from grafana.src.provisioning_values import Duration, Strict, duration_seconds
from grafana.src.runbooks import runbook_uid

FOLDER = "AI workflows alerts"  # not the dashboards' folder: whoever comes second makes another


class AlertAnnotations(Strict):
    """What a person is told, and the panel to look at, by its title."""

    summary: str
    description: str
    dashboard: str
    panel: str


class AlertRule(Strict):
    """A rule as Prometheus knows it."""

    alert: Annotated[str, Field(pattern=r"^([A-Z][a-z0-9]+)+$")]
    expr: str
    for_: Annotated[Duration, Field(alias="for")]
    keep_firing_for: Duration = "0s"
    labels: dict[Literal["severity"], Literal["critical", "warning"]]
    annotations: AlertAnnotations


class RuleGroup(Strict):
    """Rules evaluated together."""

    name: str
    interval: Duration
    rules: list[AlertRule]


class RuleFile(Strict):
    """grafana/alerts/<domain>/rules.yml."""

    groups: list[RuleGroup]


def read(alerts: Path) -> Iterator[RuleGroup]:
    """Yield the groups of all domains."""
    for path in sorted(alerts.glob("*/rules.yml")):
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        yield from RuleFile.model_validate(document).groups


def rule_uid(alert: str) -> str:
    """Return Grafana's identifier of an alert: WorkflowNoSuccess → aiwf-workflow-no-success."""
    return "aiwf" + re.sub(r"([A-Z])", lambda match: "-" + match[1].lower(), alert)


def _panel_id(dashboards: Sequence[Dashboard], uid: str, title: str) -> int:
    for dashboard in dashboards:
        for panel in dashboard.panels or ():
            if dashboard.uid == uid and panel.title == title and panel.id_val is not None:
                return panel.id_val
    raise ValueError(f"no dashboard {uid!r} has a panel {title!r}")


def _for_grafana(text: str) -> str:
    # There $value is a sentence about all queries; the number is the one of query A.
    return re.sub(r"\$value\b", "$values.A.Value", text)


def _queries(expr: str) -> list[AlertQuery]:
    query: dict[str, JsonValue] = {
        "refId": "A",
        "datasource": {"type": "prometheus", "uid": "prometheus"},
        "editorMode": "code",
        "expr": expr.strip(),
        "instant": True,
        "range": False,
        "intervalMs": 15000,
        "maxDataPoints": 43200,
    }
    # The expression itself leaves only what is wrong, and each of its values is above zero.
    condition: dict[str, JsonValue] = {
        "refId": "B",
        "datasource": {"type": EXPRESSIONS, "uid": EXPRESSIONS},
        "type": "threshold",
        "expression": "A",
        "conditions": [{"evaluator": {"type": "gt", "params": [0]}}],
    }
    span = RelativeTimeRange.model_validate({"from": 600, "to": 0})
    return [
        AlertQuery(refId="A", relativeTimeRange=span, datasourceUid="prometheus", model=query),
        AlertQuery(refId="B", relativeTimeRange=span, datasourceUid=EXPRESSIONS, model=condition),
    ]


def _rule(rule: AlertRule, dashboards: Sequence[Dashboard]) -> GrafanaRule:
    board = rule.annotations.dashboard
    panel_id = _panel_id(dashboards, board, rule.annotations.panel)
    return GrafanaRule.model_validate(
        {
            "uid": rule_uid(rule.alert),
            "title": rule.alert,
            "condition": "B",
            "for": rule.for_,
            "keepFiringFor": rule.keep_firing_for,
            # A scrape that is missed once does not end an alert.
            "missing_series_evals_to_resolve": 3,
            "noDataState": "OK",
            "execErrState": "Error",
            "dashboardUid": board,
            "panelId": panel_id,
            "labels": {name: value.replace("$", "$$") for name, value in rule.labels.items()},
            "annotations": {
                "summary": _for_grafana(rule.annotations.summary),
                "description": _for_grafana(rule.annotations.description),
                "runbook_url": "{{ externalURL }}d/" + runbook_uid(rule.alert),
                "__dashboardUid__": board,
                "__panelId__": str(panel_id),
            },
            "data": [query.model_dump(by_alias=True) for query in _queries(rule.expr)],
        }
    )


def build(alerts: Path, dashboards: Sequence[Dashboard]) -> str:
    """Return the file of all rules as Grafana reads it."""
    groups = [
        GrafanaGroup(
            orgId=1,
            name=group.name,
            folder=FOLDER,
            interval=f"{duration_seconds(group.interval)}s",
            rules=[_rule(rule, dashboards) for rule in group.rules],
        )
        for group in read(alerts)
    ]
    document = AlertingFile(apiVersion=1, groups=groups)
    return as_yaml(document.model_dump(by_alias=True, exclude_defaults=True))
