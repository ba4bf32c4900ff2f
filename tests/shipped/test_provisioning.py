"""Provisioning: Grafana ignores a misspelt key and exits on a bad value; we look before it does."""

from __future__ import annotations

import copy
import re

import pytest
import yaml
from pydantic import ValidationError

from grafana.src import alert_rules, spend
from grafana.src.provisioning_models import (
    AlertingFile,
    DashboardsFile,
    DatasourcesFile,
    read_alerting,
)
from tests.shipped.shipped_files import DASHBOARDS, PROVISIONING, ROOT, RULES, run, tool


def _read(name):
    return yaml.safe_load((PROVISIONING / name).read_text(encoding="utf-8"))


RULES_FILE = _read("alerting/rules.yaml")
NOTIFICATIONS_FILE = _read("alerting/notifications.yaml")
DATASOURCES_FILE = _read("datasources/datasources.yml")
DASHBOARDS_FILE = _read("dashboards/dashboards.yml")
ALERTING = read_alerting(PROVISIONING / "alerting")
GRAFANA_RULES = {rule.title: rule for group in ALERTING.groups for rule in group.rules}


def test_the_models_accept_every_file():
    DatasourcesFile.model_validate(DATASOURCES_FILE)
    DashboardsFile.model_validate(DASHBOARDS_FILE)
    AlertingFile.model_validate(RULES_FILE)
    AlertingFile.model_validate(NOTIFICATIONS_FILE)


def test_there_is_no_file_that_the_models_have_not_seen():
    assert {path.relative_to(PROVISIONING).as_posix() for path in PROVISIONING.rglob("*.*")} == {
        "alerting/notifications.yaml",
        "alerting/rules.yaml",
        "dashboards/dashboards.yml",
        "datasources/datasources.yml",
    }


# Where any query of a rule answers nothing, Grafana does not ask the rule's condition.
NEVER_EMPTY = '({}) or label_replace(vector(0), "no_alert", "has this", "", "")'
LOOK_UP = re.compile(
    r"\{\{ range query `([^`]+)` \}\}\{\{ if [^}]+ \}\}(.*?)\{\{ end \}\}\{\{ end \}\}"
)


def _with_refs(text, queries):
    """Return a text of Prometheus, its look-ups replaced by the queries that answer them."""
    refs = {query.model["expr"]: query.refId for query in queries if "expr" in query.model}
    return LOOK_UP.sub(
        lambda found: (
            f"{{{{ with $values.{refs[NEVER_EMPTY.format(found[1])]} }}}}{found[2]}{{{{ end }}}}"
        ),
        text,
    )


def test_every_prometheus_rule_became_a_grafana_rule_with_the_same_words():
    assert set(GRAFANA_RULES) == {rule["alert"] for rule in RULES}
    for rule in RULES:
        grafana = GRAFANA_RULES[rule["alert"]]
        assert grafana.for_ == rule["for"]
        assert grafana.labels == rule["labels"]
        assert grafana.data[0].model["expr"] == rule["expr"].strip()
        for name in ("summary", "description"):
            said = grafana.annotations[name].replace("$values.A.Value", "$value")
            assert said == _with_refs(rule["annotations"][name], grafana.data)


def test_a_second_number_in_a_text_has_a_query_of_its_own_that_the_condition_does_not_ask():
    named = {
        title: re.findall(r"\$values\.([A-Z])\b", " ".join(rule.annotations.values()))
        for title, rule in GRAFANA_RULES.items()
    }

    assert set(named["EstimateAndBillApart"]) == {"A", "C", "D"}
    for title, rule in GRAFANA_RULES.items():
        queries = {query.refId: query.model for query in rule.data}
        assert set(named[title]) <= set(queries)
        assert set(queries) == {"A", "B", *named[title]}
        assert (rule.condition, queries["B"]["expression"]) == ("B", "A")
        assert all(model["instant"] for ref, model in queries.items() if ref != "B")
        others = [model["expr"] for ref, model in queries.items() if ref not in "AB"]
        assert all(expr.endswith(NEVER_EMPTY.removeprefix("({}")) for expr in others)
        assert "no_alert" not in str(rule.labels) + queries["A"]["expr"]


def test_the_queries_of_grafana_are_accepted_by_promtool(tmp_path):
    exprs = [
        query.model["expr"]
        for rule in GRAFANA_RULES.values()
        for query in rule.data
        if "expr" in query.model
    ]
    records = [{"record": f"query:{i}", "expr": expr} for i, expr in enumerate(exprs)]
    rules = tmp_path / "queries.yml"
    rules.write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": records}]}))

    answer = run([*tool("PROMTOOL"), "check", "rules", str(rules)])

    assert answer.returncode == 0, answer.stdout + answer.stderr


def test_a_look_up_that_may_stay_without_an_answer_is_left_out_then():
    said = GRAFANA_RULES["WorkflowErrorRateHigh"].annotations["description"]

    assert "in the last 2 hours.{{ with $values.C }} A model provider" in said
    assert "status page.{{ end }}{{ with $values.D }} {{ .Value }} other workflow{{ if" in said
    assert said.endswith(" with the same provider.{{ end }}")


SAME = "{{ if eq .Labels.a $labels.a }}"
ONE_NUMBER = (
    f"{{{{ range query `sum by (a) (x)` }}}}{SAME}{{{{ .Value }}}}{{{{ end }}}}{{{{ end }}}}"
)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("{{ query `up` | first | value }}", "cannot be told"),
        ('{{ range query "sum by (a) (x)" }}{{ .Value }}{{ end }}', "cannot be told"),
        (ONE_NUMBER.replace("by (a)", "by (a, b)"), "just the labels"),
        (ONE_NUMBER.replace("$labels.a", "$labels.b"), "just the labels"),
        (ONE_NUMBER.replace("eq", "ne"), "just the labels"),
        (ONE_NUMBER.replace("eq", "not eq"), "just the labels"),
    ],
)
def test_a_look_up_that_grafana_has_no_words_for_is_refused(text, complaint, tmp_path):
    folder = tmp_path / "made_up"
    folder.mkdir()
    annotations = {"summary": "S.", "dashboard": "aiwf-spend", "panel": "Balances"}
    rule = {
        "alert": "MadeUp",
        "expr": "up == 0",
        "for": "5m",
        "labels": {"severity": "warning"},
        "annotations": {**annotations, "description": text},
    }
    group = {"name": "made up", "interval": "1m", "rules": [rule]}
    path = folder / "rules.yml"

    path.write_text(yaml.safe_dump({"groups": [group]}), encoding="utf-8")
    with pytest.raises(ValueError, match=complaint):
        alert_rules.build(tmp_path, [spend.build()])

    rule["annotations"]["description"] = f"{ONE_NUMBER}, {ONE_NUMBER}"
    path.write_text(yaml.safe_dump({"groups": [group]}), encoding="utf-8")
    assert "$values.C" in alert_rules.build(tmp_path, [spend.build()])


def test_no_rule_makes_an_alert_of_missing_data_and_every_one_reports_its_errors():
    for rule in GRAFANA_RULES.values():
        assert (rule.noDataState, rule.execErrState) == ("OK", "Error")


def test_an_alert_leads_to_a_panel_and_a_runbook_that_exist():
    boards = {board["uid"]: board for board in DASHBOARDS.values()}
    for rule in GRAFANA_RULES.values():
        panels = {panel["id"] for panel in boards[rule.dashboardUid]["panels"]}
        assert rule.panelId in panels
        assert rule.annotations["runbook_url"].removeprefix("{{ externalURL }}d/") in boards


def test_data_sources_are_those_that_dashboards_and_rules_name():
    uids = {source["uid"] for source in DATASOURCES_FILE["datasources"]}

    assert uids == {"timescaledb", "prometheus", "tempo"}
    for rule in GRAFANA_RULES.values():
        assert {query.datasourceUid for query in rule.data} <= uids | {"__expr__"}


def test_alerts_have_a_folder_of_their_own():
    folders = {provider["folder"] for provider in DASHBOARDS_FILE["providers"]}

    assert folders.isdisjoint(group.folder for group in ALERTING.groups)


def test_compose_sets_every_variable_that_provisioning_reads():
    service = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]["grafana"]
    # Rules and templates are not interpolated where they contain Go's own dollars.
    texts = [DATASOURCES_FILE, DASHBOARDS_FILE, {**NOTIFICATIONS_FILE, "templates": []}]
    named = set(re.findall(r"\$([A-Z][A-Z0-9_]*)", yaml.safe_dump_all(texts)))

    assert named <= set(service["environment"])


def _rule(document):
    return document["groups"][0]["rules"][0]


def _point(document, name):
    return next(p for p in document["contactPoints"] if p["name"] == name)["receivers"][0]


MUTATIONS = {
    # What Grafana would ignore in silence.
    "a misspelt key of a rule": (
        RULES_FILE,
        lambda d: _rule(d).update(keep_firing_for="5m"),
        "keep_firing_for",
    ),
    "a misspelt key of a group": (
        RULES_FILE,
        lambda d: d["groups"][0].update(intervall="5m"),
        "intervall",
    ),
    "a lone dollar in a label": (
        RULES_FILE,
        lambda d: _rule(d)["labels"].update(model="{{ $labels.model }}"),
        r"lone \$",
    ),
    "a doubled dollar in an annotation": (
        RULES_FILE,
        lambda d: _rule(d)["annotations"].update(summary="{{ $$labels.model }}"),
        r"single \$",
    ),
    "a default for a variable": (
        NOTIFICATIONS_FILE,
        lambda d: _point(d, "aiwf-slack")["settings"].update(url="${SLACK:-https://x.invalid}"),
        r"lone \$",
    ),
    "a rule that keeps the file's default for errors": (
        RULES_FILE,
        lambda d: _rule(d).pop("execErrState"),
        "execErrState",
    ),
    "a database at the place Grafana no longer reads": (
        DATASOURCES_FILE,
        lambda d: d["datasources"][0].update(database="aiwf"),
        "database",
    ),
    "no database": (
        DATASOURCES_FILE,
        lambda d: d["datasources"][0]["jsonData"].pop("database"),
        "database",
    ),
    "a password that is expanded twice": (
        DATASOURCES_FILE,
        lambda d: d["datasources"][0]["secureJsonData"].update(password="${PASSWORD}"),
        "password",
    ),
    # What would keep Grafana from starting.
    "a bad duration": (RULES_FILE, lambda d: _rule(d).update({"for": "5 minutes"}), "no duration"),
    "an empty duration": (RULES_FILE, lambda d: _rule(d).update({"for": ""}), "no duration"),
    "an interval beside the scheduler's": (
        RULES_FILE,
        lambda d: d["groups"][0].update(interval="15s"),
        "multiple of 10s",
    ),
    "a uid that is too long": (
        RULES_FILE,
        lambda d: _rule(d).update(uid="aiwf-" + "x" * 36),
        "uid",
    ),
    "a uid with a space": (RULES_FILE, lambda d: _rule(d).update(uid="aiwf rule"), "uid"),
    "a uid taken twice": (
        RULES_FILE,
        lambda d: _rule(d).update(uid=d["groups"][0]["rules"][1]["uid"]),
        "taken twice",
    ),
    "a condition without a query": (
        RULES_FILE,
        lambda d: _rule(d).update(condition="Z"),
        "condition Z",
    ),
    "an expression on nothing": (
        RULES_FILE,
        lambda d: _rule(d)["data"][1]["model"].update(expression="Z"),
        "'Z'",
    ),
    "a dashboard without a panel": (
        RULES_FILE,
        lambda d: _rule(d)["annotations"].pop("__panelId__"),
        "go together",
    ),
    "a panel that is no number": (
        RULES_FILE,
        lambda d: _rule(d)["annotations"].update(__panelId__="first"),
        "no number",
    ),
    "a state that does not exist": (
        RULES_FILE,
        lambda d: _rule(d).update(noDataState="Ok"),
        "noDataState",
    ),
    "a receiver nobody defined": (
        NOTIFICATIONS_FILE,
        lambda d: d["policies"][0]["routes"][1].update(receiver="aiwf-pager"),
        "aiwf-pager",
    ),
    "a mute time nobody defined": (
        NOTIFICATIONS_FILE,
        lambda d: d["policies"][0]["routes"][1].update(mute_time_intervals=["nights"]),
        "nights",
    ),
    "a mute time at the root": (
        NOTIFICATIONS_FILE,
        lambda d: d["policies"][0].update(mute_time_intervals=["nights"]),
        "mute_time_intervals",
    ),
    "an operator that does not exist": (
        NOTIFICATIONS_FILE,
        lambda d: d["policies"][0]["routes"][0]["object_matchers"][0].__setitem__(1, "=="),
        "no operator",
    ),
    "an empty Slack address": (
        NOTIFICATIONS_FILE,
        lambda d: _point(d, "aiwf-slack")["settings"].update(url=""),
        "url",
    ),
    "an empty PagerDuty key": (
        NOTIFICATIONS_FILE,
        lambda d: _point(d, "aiwf-pagerduty")["settings"].update(integrationKey=""),
        "integrationKey",
    ),
    "no mail address": (
        NOTIFICATIONS_FILE,
        lambda d: _point(d, "aiwf-email")["settings"].pop("addresses"),
        "addresses",
    ),
    "a contact point without a receiver": (
        NOTIFICATIONS_FILE,
        lambda d: d["contactPoints"][0].update(receivers=[]),
        "receivers",
    ),
    "a second policy tree": (
        NOTIFICATIONS_FILE,
        lambda d: d["policies"].append(d["policies"][0]),
        "policies",
    ),
    "two default data sources": (
        DATASOURCES_FILE,
        lambda d: d["datasources"].append({**d["datasources"][1], "uid": "other"}),
        "exactly one",
    ),
    "a folder by uid": (
        DASHBOARDS_FILE,
        lambda d: d["providers"][0].update(folderUid="aiwf"),
        "folderUid",
    ),
    "dashboards the browser may save": (
        DASHBOARDS_FILE,
        lambda d: d["providers"][0].update(allowUiUpdates=True),
        "allowUiUpdates",
    ),
}


@pytest.mark.parametrize(("document", "mutate", "complaint"), MUTATIONS.values(), ids=MUTATIONS)
def test_the_models_refuse(document, mutate, complaint):
    model = {
        id(DATASOURCES_FILE): DatasourcesFile,
        id(DASHBOARDS_FILE): DashboardsFile,
    }.get(id(document), AlertingFile)
    changed = copy.deepcopy(document)
    mutate(changed)

    with pytest.raises(ValidationError, match=complaint):
        model.model_validate(changed)
