"""Alerts: rule, test and runbook go together, and the right people are told."""

from __future__ import annotations

import re

import pytest
import yaml

from grafana.src.provisioning_models import read_alerting
from tests.shipped.shipped_files import ALERTS, DASHBOARDS, PROVISIONING, RULES, run, tool

DOMAINS = sorted(path.parent for path in ALERTS.glob("*/rules.yml"))
RUNBOOKS = sorted(ALERTS.glob("*/*.md"))
NAMES = {rule["alert"] for rule in RULES}
SECTIONS = ["Meaning", "Impact", "Diagnosis", "Mitigation"]


def test_every_alert_has_a_runbook_and_every_runbook_an_alert():
    for domain in DOMAINS:
        rules = yaml.safe_load((domain / "rules.yml").read_text(encoding="utf-8"))
        names = {rule["alert"] for group in rules["groups"] for rule in group["rules"]}

        assert {path.stem for path in domain.glob("*.md")} == names


def test_every_alert_is_tested_for_silence_and_for_firing():
    silent, firing = set(), set()
    for domain in DOMAINS:
        tests = yaml.safe_load((domain / "rules_test.yml").read_text(encoding="utf-8"))
        for case in (case for test in tests["tests"] for case in test.get("alert_rule_test", ())):
            (firing if case["exp_alerts"] else silent).add(case["alertname"])

    assert silent == NAMES
    assert firing == NAMES


def test_a_firing_alert_is_tested_with_labels_and_annotations():
    for domain in DOMAINS:
        tests = yaml.safe_load((domain / "rules_test.yml").read_text(encoding="utf-8"))
        for case in (case for test in tests["tests"] for case in test.get("alert_rule_test", ())):
            for alert in case["exp_alerts"]:
                assert alert["exp_labels"]["severity"] in ("critical", "warning")
                assert alert["exp_annotations"]["description"]


def test_silence_is_tested_before_firing():
    for domain in DOMAINS:
        tests = yaml.safe_load((domain / "rules_test.yml").read_text(encoding="utf-8"))
        first = {}
        for case in (case for test in tests["tests"] for case in test.get("alert_rule_test", ())):
            first.setdefault(case["alertname"], bool(case["exp_alerts"]))

        assert not any(first.values())


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_an_alert_waits_and_says_what_is_wrong(rule):
    assert rule["for"]
    assert set(rule["labels"]) == {"severity"}
    assert rule["labels"]["severity"] in ("critical", "warning")
    assert rule["annotations"]["summary"].endswith(".")
    assert "TODO" not in str(rule)


@pytest.mark.parametrize("runbook", RUNBOOKS, ids=lambda path: path.stem)
def test_a_runbook_has_its_four_sections_and_nothing_to_do(runbook):
    text = runbook.read_text(encoding="utf-8")

    assert text.startswith(f"# {runbook.stem}\n")
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == SECTIONS
    assert "TODO" not in text
    assert len(text.splitlines()) >= 20


def _runbook_queries():
    for path in RUNBOOKS:
        found = re.findall(r"```sql\n(.*?)```", path.read_text(encoding="utf-8"), re.DOTALL)
        for number, sql in enumerate(found, start=1):
            yield pytest.param(sql, id=f"{path.stem}-{number}")


@pytest.mark.parametrize("sql", list(_runbook_queries()))
def test_the_queries_of_a_runbook_run(sql, dashboard_connection_full):
    with dashboard_connection_full.transaction(force_rollback=True):
        dashboard_connection_full.execute(sql.encode())


def test_panels_named_in_a_runbook_exist():
    titles = {panel["title"] for board in DASHBOARDS.values() for panel in board["panels"]}
    words = {"Engine", "Database", "Details"}
    for path in RUNBOOKS:
        for name in re.findall(r"(?<!\*)\*([A-Z][^*→]+)\*(?!\*)", path.read_text(encoding="utf-8")):
            assert " ".join(name.split()) in titles | words


@pytest.mark.parametrize("domain", DOMAINS, ids=lambda path: path.name)
def test_promtool_accepts_the_rules(domain):
    answer = run([*tool("PROMTOOL"), "check", "rules", str(domain / "rules.yml")])

    assert answer.returncode == 0, answer.stdout + answer.stderr


@pytest.mark.parametrize("domain", DOMAINS, ids=lambda path: path.name)
def test_rules_are_silent_and_fire_as_written(domain):
    answer = run([*tool("PROMTOOL"), "test", "rules", str(domain / "rules_test.yml")])

    assert answer.returncode == 0, answer.stdout + answer.stderr


# Who is told.

CONFIGURED = {
    "$AIWF_SLACK_ROUTE": "critical|warning|not-configured",
    "$AIWF_PAGERDUTY_ROUTE": "critical|not-configured",
    "$AIWF_EMAIL_ROUTE": "critical|warning|not-configured",
}
NOTHING_CONFIGURED = dict.fromkeys(CONFIGURED, "not-configured")


def _route(route, values):
    return {
        "receiver": route["receiver"],
        "matchers": [
            f'{name}{operator}"{values.get(value, value)}"'
            for name, operator, value in route["object_matchers"]
        ],
        "continue": route.get("continue", False),
        "routes": [_route(child, values) for child in route.get("routes") or ()],
    }


@pytest.mark.parametrize(
    ("values", "labels", "receivers"),
    [
        (CONFIGURED, "severity=critical", "aiwf-pagerduty,aiwf-slack,aiwf-email"),
        (CONFIGURED, "severity=warning", "aiwf-slack,aiwf-email"),
        (CONFIGURED, "severity=critical alertname=DatasourceError", "aiwf-slack,aiwf-email"),
        (CONFIGURED, "severity=warning alertname=DatasourceNoData", "aiwf-slack,aiwf-email"),
        (CONFIGURED, "alertname=SomebodyElses", "aiwf-nobody"),
        (NOTHING_CONFIGURED, "severity=critical", "aiwf-nobody"),
        (NOTHING_CONFIGURED, "severity=critical alertname=DatasourceError", "aiwf-nobody"),
        (
            NOTHING_CONFIGURED | {"$AIWF_PAGERDUTY_ROUTE": "critical|not-configured"},
            "severity=critical",
            "aiwf-pagerduty",
        ),
    ],
)
def test_an_alert_reaches_whom_it_should(values, labels, receivers, tmp_path):
    files = read_alerting(PROVISIONING / "alerting").model_dump(by_alias=True)
    policy = files["policies"][0]
    routing = {
        "route": {
            "receiver": policy["receiver"],
            "group_by": policy["group_by"],
            "routes": [_route(child, values) for child in policy["routes"]],
        },
        "receivers": [{"name": point["name"]} for point in files["contactPoints"]],
    }
    config = tmp_path / "routes.yml"
    config.write_text(yaml.safe_dump(routing), encoding="utf-8")

    answer = run(
        [
            *tool("AMTOOL"),
            "config",
            "routes",
            "test",
            f"--config.file={config}",
            f"--verify.receivers={receivers}",
            *labels.split(),
        ]
    )

    assert answer.returncode == 0, answer.stdout + answer.stderr
