"""Starts Prometheus and Grafana beside the demo where they are installed, with our own files."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import yaml

_ROOT = Path(__file__).parents[2]
PROMETHEUS = "127.0.0.1:9090"
GRAFANA = "127.0.0.1:3000"


def start_prometheus(data: Path, exporter: str) -> subprocess.Popen[bytes] | None:
    """Start `prometheus` scraping the exporter at host:port; None where it is not installed."""
    binary = shutil.which("prometheus")
    configuration = _ROOT / "prometheus" / "prometheus.yml"
    if binary is None or not configuration.exists():
        return None
    document = yaml.safe_load(configuration.read_text())
    for job in document["scrape_configs"]:
        targets = [exporter] if job["job_name"] == "ai-workflow-exporter" else [PROMETHEUS]
        job["static_configs"] = [{"targets": targets}]
    document["rule_files"] = [
        str(configuration.parent / Path(name).name) for name in document.get("rule_files", [])
    ]
    local = data / "prometheus.yml"
    local.write_text(yaml.safe_dump(document))
    return _start(
        [
            binary,
            f"--config.file={local}",
            f"--storage.tsdb.path={data / 'prometheus'}",
            f"--web.listen-address={PROMETHEUS}",
        ],
        data / "prometheus.log",
    )


def start_grafana(
    data: Path, database_url: str, dashboard_password: str
) -> subprocess.Popen[bytes] | None:
    """Start Grafana with the repository's provisioning; None where it is not installed."""
    binary = shutil.which("grafana-server") or shutil.which("grafana")
    home = os.environ.get("GF_PATHS_HOME", "/usr/share/grafana")
    if binary is None or not Path(home).is_dir():
        return None
    database = urlsplit(database_url)
    host, _, port = GRAFANA.rpartition(":")
    settings = {
        "GF_PATHS_DATA": str(data / "grafana"),
        "GF_PATHS_LOGS": str(data / "grafana"),
        "GF_PATHS_PROVISIONING": str(_ROOT / "grafana" / "provisioning"),
        "GF_SERVER_HTTP_ADDR": host,
        "GF_SERVER_HTTP_PORT": port,
        "GF_ANALYTICS_REPORTING_ENABLED": "false",
        "GF_ANALYTICS_CHECK_FOR_UPDATES": "false",
        "GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH": str(
            _ROOT / "grafana" / "dashboards" / "aiwf-overview.json"
        ),
        "AIWF_DASHBOARDS_PATH": str(_ROOT / "grafana" / "dashboards"),
        "AIWF_DASHBOARD_DATABASE_ADDRESS": f"{database.hostname}:{database.port}",
        "AIWF_DASHBOARD_DATABASE_NAME": database.path.lstrip("/"),
        "AIWF_DASHBOARD_PASSWORD": dashboard_password,
        "AIWF_PROMETHEUS_URL": f"http://{PROMETHEUS}",
        "AIWF_TEMPO_URL": "http://127.0.0.1:3200",
        # As in docker-compose.yml: receivers that are valid, and routes that lead to none of them.
        "SLACK_WEBHOOK_URL": "https://slack.invalid/not-configured",
        "PAGERDUTY_INTEGRATION_KEY": "not-configured",
        "ALERT_EMAIL_ADDRESSES": "nobody@localhost.invalid",
        "AIWF_SLACK_ROUTE": "not-configured",
        "AIWF_PAGERDUTY_ROUTE": "not-configured",
        "AIWF_EMAIL_ROUTE": "not-configured",
    }
    command = [binary, *([] if binary.endswith("-server") else ["server"]), f"--homepath={home}"]
    return _start(command, data / "grafana.log", settings)


def _start(
    command: list[str], log: Path, environ: Mapping[str, str] | None = None
) -> subprocess.Popen[bytes]:
    with log.open("wb") as output:
        return subprocess.Popen(  # noqa: S603  # found on PATH, arguments are ours
            command, stdout=output, stderr=output, env={**os.environ, **(environ or {})}
        )
