"""Alert rules: from Prometheus's rule format, which promtool tests, to Grafana's alerting files."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from string import ascii_uppercase
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


# A second number in a text, as Prometheus looks it up while it writes; Grafana has no such look-up,
# and gets a query more, of whose answers it takes the one with the alert's labels.
_OTHER_NUMBER = re.compile(
    r"\{\{ range query `(?P<expr>[^`]+)` \}\}"
    r"\{\{ if (?P<is_same>[^}]+) \}\}(?P<text>.*?)\{\{ end \}\}\{\{ end \}\}",
    re.DOTALL,
)
# One of them that answers nothing would keep Grafana from asking the rule's condition at all: each
# answers one thing more, by a label that no alert has.
_SOMETHING = 'label_replace(vector(0), "no_alert", "has this", "", "")'
_SAME_LABEL = re.compile(r"eq \.Labels\.(\w+) \$labels\.\1\b")


class AlertAnnotations(Strict):
    """What a person is told, and the panel to look at, by its title.

    A text may name a second number as {{ range query `sum by (a, b) (…)` }}{{ if and (eq .Labels.a
    $labels.a) (eq .Labels.b $labels.b) }}{{ .Value }}{{ end }}{{ end }}; where the query does not
    answer for the alert's labels, what stands between is left out.
    """

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


class _Numbers:
    """The numbers that a rule's texts name besides its own, each with the query that gives it."""

    def __init__(self) -> None:
        self._free = islice(ascii_uppercase, 2, None)  # A is the expression, B the condition
        self.refs: dict[str, str] = {}  # expression -> query

    def for_grafana(self, text: str) -> str:
        """Return a text as Grafana understands it.

        Raises:
            ValueError: it looks a number up in a way that Grafana has no words for.
        """
        text = _OTHER_NUMBER.sub(self._named, text)
        if re.search(r"\{\{[^}]*\bquery\b", text):
            raise ValueError(f"a query that cannot be told to Grafana, in {text!r}")
        # There $value is a sentence about all queries; the number is the one of query A.
        return re.sub(r"\$value\b", "$values.A.Value", text)

    def _named(self, found: re.Match[str]) -> str:
        expr, is_same = found["expr"], found["is_same"]
        labels = _SAME_LABEL.findall(is_same)
        terms = [f"eq .Labels.{label} $labels.{label}" for label in labels]
        wanted = terms[0] if len(terms) == 1 else " ".join(["and", *(f"({t})" for t in terms)])
        if not labels or is_same != wanted or f"by ({', '.join(labels)})" not in expr:
            raise ValueError(f"{is_same!r} does not compare just the labels of {expr!r}")
        if expr not in self.refs:
            self.refs[expr] = next(self._free)
        return f"{{{{ with $values.{self.refs[expr]} }}}}{found['text']}{{{{ end }}}}"


def _prometheus(ref: str, expr: str) -> dict[str, JsonValue]:
    return {
        "refId": ref,
        "datasource": {"type": "prometheus", "uid": "prometheus"},
        "editorMode": "code",
        "expr": expr.strip(),
        "instant": True,
        "range": False,
        "intervalMs": 15000,
        "maxDataPoints": 43200,
    }


def _queries(expr: str, numbers: _Numbers) -> list[AlertQuery]:
    # The expression itself leaves only what is wrong, and each of its values is above zero.
    condition: dict[str, JsonValue] = {
        "refId": "B",
        "datasource": {"type": EXPRESSIONS, "uid": EXPRESSIONS},
        "type": "threshold",
        "expression": "A",
        "conditions": [{"evaluator": {"type": "gt", "params": [0]}}],
    }
    span = RelativeTimeRange.model_validate({"from": 600, "to": 0})
    others = {ref: f"({other}) or {_SOMETHING}" for other, ref in numbers.refs.items()}
    asked = {"A": expr} | others
    queries = [
        AlertQuery(
            refId=ref,
            relativeTimeRange=span,
            datasourceUid="prometheus",
            model=_prometheus(ref, text),
        )
        for ref, text in asked.items()
    ]
    queries.insert(
        1,
        AlertQuery(refId="B", relativeTimeRange=span, datasourceUid=EXPRESSIONS, model=condition),
    )
    return queries


def _rule(rule: AlertRule, dashboards: Sequence[Dashboard]) -> GrafanaRule:
    board = rule.annotations.dashboard
    panel_id = _panel_id(dashboards, board, rule.annotations.panel)
    numbers = _Numbers()
    texts = {
        name: numbers.for_grafana(text)
        for name, text in (
            ("summary", rule.annotations.summary),
            ("description", rule.annotations.description),
        )
    }
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
                **texts,
                "runbook_url": "{{ externalURL }}d/" + runbook_uid(rule.alert),
                "__dashboardUid__": board,
                "__panelId__": str(panel_id),
            },
            "data": [query.model_dump(by_alias=True) for query in _queries(rule.expr, numbers)],
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
