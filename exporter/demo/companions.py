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
    provisioning = data / "provisioning"
    shutil.copytree(_ROOT / "grafana" / "provisioning", provisioning, dirs_exist_ok=True)
    for file in provisioning.rglob("*.y*ml"):
        text = file.read_text()
        text = text.replace("timescaledb:5432", f"{database.hostname}:{database.port}")
        text = text.replace("http://prometheus:9090", f"http://{PROMETHEUS}")
        file.write_text(
            text.replace("/var/lib/grafana/dashboards", str(_ROOT / "grafana" / "dashboards"))
        )
    host, _, port = GRAFANA.rpartition(":")
    settings = {
        "GF_PATHS_DATA": str(data / "grafana"),
        "GF_PATHS_LOGS": str(data / "grafana"),
        "GF_PATHS_PROVISIONING": str(provisioning),
        "GF_SERVER_HTTP_ADDR": host,
        "GF_SERVER_HTTP_PORT": port,
        "GF_ANALYTICS_REPORTING_ENABLED": "false",
        "GF_ANALYTICS_CHECK_FOR_UPDATES": "false",
        "GRAFANA_DB_NAME": database.path.lstrip("/"),
        "GRAFANA_DB_USER": "aiwf_dashboards",
        "GRAFANA_DB_PASSWORD": dashboard_password,
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
