"""The compose stack: it starts with nothing configured, and shows itself to this machine only."""

from __future__ import annotations

import json
import os
import re

import pytest
import yaml

from exporter.app import load_settings
from tests.shipped.shipped_files import ROOT, run, tool

FILE = ROOT / "docker-compose.yml"
SERVICES = yaml.safe_load(FILE.read_text(encoding="utf-8"))["services"]
EXAMPLE = (ROOT / ".env.example").read_text(encoding="utf-8")
VARIABLES = set(re.findall(r"\$\{([A-Z][A-Z0-9_]*)", FILE.read_text(encoding="utf-8")))
SECRETS = {
    "AIWF_DATABASE_PASSWORD": "database-secret",
    "GRAFANA_DB_PASSWORD": "dashboard-secret",
    "GRAFANA_ADMIN_PASSWORD": "admin-secret",
    "N8N_DATABASE_URL": "postgresql://reader:n8n-secret@n8n.example.com:5432/n8n",
    "SLACK_WEBHOOK_URL": "https://hooks.example.com/slack",
    "PAGERDUTY_INTEGRATION_KEY": "pagerduty-key",
    "ALERT_EMAIL_ADDRESSES": "ops@example.com",
    "SMTP_HOST": "smtp.example.com:587",
}


def _config(tmp_path, variables, *options, env_file=None):
    if env_file is None:
        env_file = tmp_path / "env"
        env_file.write_text("".join(f"{name}={value}\n" for name, value in variables.items()))
    # Nothing of the caller's own settings; the command itself must still be found.
    environ = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    command = [*tool("DOCKER_COMPOSE"), "--env-file", str(env_file), "--file", str(FILE)]
    answer = run([*command, *options, "config", "--format", "json"], ROOT, environ)
    assert answer.returncode == 0, answer.stderr
    return json.loads(answer.stdout)


@pytest.mark.parametrize("name", SERVICES)
def test_an_image_has_one_version(name):
    image = SERVICES[name]["image"]

    assert re.fullmatch(r"[a-z0-9./-]+:[a-zA-Z0-9.-]+", image)
    assert "latest" not in image
    if "build" not in SERVICES[name]:
        assert re.search(r":v?\d+\.\d+", image)


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_has_a_health_check(name):
    check = SERVICES[name]["healthcheck"]

    assert check["test"][0] in ("CMD", "CMD-SHELL")
    assert check["start_period"]


@pytest.mark.parametrize("name", SERVICES)
def test_a_port_is_open_to_this_machine_only(name):
    for port in SERVICES[name].get("ports", ()):
        assert re.fullmatch(r"127\.0\.0\.1:(\d+):\1", port)


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_waits_until_what_it_needs_is_healthy(name):
    for needed, how in SERVICES[name].get("depends_on", {}).items():
        assert needed in SERVICES
        assert how == {"condition": "service_healthy"}


@pytest.mark.parametrize("name", SERVICES)
def test_files_are_mounted_read_only_and_data_has_a_volume(name):
    for mount in SERVICES[name].get("volumes", ()):
        source, _, rest = mount.partition(":")
        if source.startswith("."):
            assert rest.endswith(":ro")
            assert (ROOT / source).is_dir()
        else:
            assert source in yaml.safe_load(FILE.read_text(encoding="utf-8"))["volumes"]


def test_no_variable_is_without_a_value_for_when_it_is_not_set():
    text = FILE.read_text(encoding="utf-8")

    assert re.findall(r"\$\{[A-Z][A-Z0-9_]*\}|\$[A-Z]", text) == []


def test_the_example_names_every_variable_and_no_other():
    named = set(re.findall(r"^([A-Z][A-Z0-9_]*)=", EXAMPLE, re.MULTILINE))

    assert named == VARIABLES


@pytest.mark.parametrize(
    "settings", [{}, dict.fromkeys(VARIABLES, "")], ids=["no .env", "all empty"]
)
def test_with_nothing_configured_no_setting_that_must_not_be_empty_is(settings, tmp_path):
    services = _config(tmp_path, settings)["services"]
    grafana = services["grafana"]["environment"]

    assert set(services) == {"timescaledb", "exporter", "prometheus", "grafana"}
    for name in ("SLACK_WEBHOOK_URL", "PAGERDUTY_INTEGRATION_KEY", "ALERT_EMAIL_ADDRESSES"):
        assert grafana[name]
    for name in ("AIWF_SLACK_ROUTE", "AIWF_PAGERDUTY_ROUTE", "AIWF_EMAIL_ROUTE"):
        assert grafana[name] == "not-configured"
    assert grafana["GF_SECURITY_ADMIN_PASSWORD"]
    assert not grafana["GF_SMTP_ENABLED"]
    assert not services["exporter"]["environment"]["N8N_DATABASE_URL"]
    assert services["timescaledb"]["environment"]["POSTGRES_PASSWORD"]


def test_the_example_itself_is_a_working_configuration(tmp_path):
    services = _config(tmp_path, {}, env_file=ROOT / ".env.example")["services"]

    assert services["grafana"]["environment"]["AIWF_SLACK_ROUTE"] == "not-configured"
    assert not services["exporter"]["environment"]["N8N_DATABASE_URL"]


def test_with_everything_configured_all_of_it_arrives(tmp_path):
    services = _config(tmp_path, SECRETS)["services"]
    grafana, exporter = (services[name]["environment"] for name in ("grafana", "exporter"))

    assert grafana["AIWF_SLACK_ROUTE"] == "critical|warning|not-configured"
    assert grafana["AIWF_PAGERDUTY_ROUTE"] == "critical|not-configured"
    assert grafana["AIWF_EMAIL_ROUTE"] == "critical|warning|not-configured"
    assert grafana["GF_SMTP_ENABLED"] == "true"
    assert grafana["AIWF_DASHBOARD_PASSWORD"] == exporter["AIWF_DASHBOARD_PASSWORD"]
    assert "database-secret" in exporter["AIWF_DATABASE_URL"]
    assert services["timescaledb"]["environment"]["POSTGRES_PASSWORD"] == "database-secret"
    assert exporter["N8N_DATABASE_URL"] == SECRETS["N8N_DATABASE_URL"]


def test_the_demo_adds_a_company_and_the_exporter_reads_it(tmp_path):
    config = _config(tmp_path, {}, env_file=ROOT / ".env.demo")
    services = config["services"]

    assert set(services) == {name for name in SERVICES if _is_of(name, "demo")}
    assert config["name"] != yaml.safe_load(FILE.read_text(encoding="utf-8"))["name"]
    company = services["demo-company"]["environment"]["DEMO_N8N_DATABASE_URL"]
    assert services["exporter"]["environment"]["N8N_DATABASE_URL"] == company


def _is_of(name, profile):
    return profile in SERVICES[name].get("profiles", [profile])


def test_tracing_adds_tempo_where_the_exporter_and_grafana_look_for_it(tmp_path):
    variables = {"AIWF_FORWARD_TRACES_TO": "http://tempo:4318/v1/traces"}
    services = _config(tmp_path, variables, "--profile", "tracing")["services"]
    tempo = yaml.safe_load((ROOT / "tempo" / "tempo.yml").read_text(encoding="utf-8"))
    receiver = tempo["distributor"]["receivers"]["otlp"]["protocols"]["http"]["endpoint"]
    http_port = tempo["server"]["http_listen_port"]

    assert set(services) == {name for name in SERVICES if _is_of(name, "tracing")}
    assert "tempo" in services
    settings = load_settings(None, services["exporter"]["environment"])
    (target,) = settings.receivers.traces.forward
    assert target.url == f"http://tempo:{receiver.rpartition(':')[2]}/v1/traces"
    assert services["grafana"]["environment"]["AIWF_TEMPO_URL"] == f"http://tempo:{http_port}"
    folder = next(v["target"] for v in services["tempo"]["volumes"] if v["type"] == "volume")
    assert all(
        tempo["storage"]["trace"][part]["path"].startswith(folder) for part in ("wal", "local")
    )


def test_without_tracing_grafana_has_all_that_its_data_source_needs(tmp_path):
    services = _config(tmp_path, {})["services"]

    assert "tempo" not in services
    assert services["grafana"]["environment"]["AIWF_TEMPO_URL"]
    assert "tempo" not in services["grafana"]["depends_on"]
    settings = load_settings(None, services["exporter"]["environment"])
    assert settings.receivers.traces.forward == ()


def test_prometheus_reads_the_exporter_under_the_name_the_rules_know():
    text = (ROOT / "prometheus" / "prometheus.yml").read_text(encoding="utf-8")
    jobs = {job["job_name"]: job for job in yaml.safe_load(text)["scrape_configs"]}
    targets = jobs["ai-workflow-exporter"]["static_configs"][0]["targets"]

    assert targets == ["exporter:9849"]
    assert yaml.safe_load(text)["global"]["scrape_interval"] == "15s"


def test_promtool_accepts_the_configuration_of_prometheus():
    answer = run(
        [*tool("PROMTOOL"), "check", "config", str(ROOT / "prometheus" / "prometheus.yml")]
    )

    assert answer.returncode == 0, answer.stdout + answer.stderr
