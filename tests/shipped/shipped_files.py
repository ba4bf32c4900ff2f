"""What the repository ships for Grafana, Prometheus and Docker, read once for all tests."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
ALERTS = ROOT / "grafana" / "alerts"
PROVISIONING = ROOT / "grafana" / "provisioning"
DASHBOARDS: dict[str, dict[str, Any]] = {
    path.name: json.loads(path.read_text(encoding="utf-8"))
    for path in sorted((ROOT / "grafana" / "dashboards").glob("*.json"))
}
RULES: list[dict[str, Any]] = [
    rule
    for path in sorted(ALERTS.glob("*/rules.yml"))
    for group in yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]
    for rule in group["rules"]
]
_METRIC = re.compile(r"\baiwf_[a-z0-9_]+")


def panels() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every panel that is not a heading, with the name of its file."""
    for name, dashboard in DASHBOARDS.items():
        for panel in dashboard["panels"]:
            if panel["type"] != "row":
                yield name, panel


def promql_of_dashboards() -> Iterator[tuple[str, str]]:
    """Yield (panel, expression), Grafana's own variables replaced by plain durations."""
    for _, panel in panels():
        for target in panel.get("targets", ()):
            if "expr" in target:
                expr = target["expr"].replace("$__rate_interval", "5m")
                expr = expr.replace("$__interval", "1m").replace("$__range", "1h")
                yield panel["title"], expr


def metric_names(text: str) -> set[str]:
    """Return the families named in it; a histogram's parts count as the histogram."""
    return {re.sub(r"_(bucket|sum|count)$", "", name) for name in _METRIC.findall(text)}


def tool(variable: str) -> list[str]:
    """Return the command in an environment variable, or skip the test loudly."""
    command = os.environ.get(variable)
    if not command:
        pytest.skip(f"{variable} is not set: run the tests by `make test`")
    return shlex.split(command)


def run(
    command: list[str], cwd: Path = ROOT, environ: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command and return what it said; its exit code is for the caller to judge."""
    environment = dict(os.environ) if environ is None else dict(environ)
    return subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, check=False, timeout=120
    )
