"""Runbooks as pages of Grafana, so that an alert links to its own on the same machine."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from grafana.src.layout import Dashboard, Line, dashboard
from grafana.src.panels import page

TAG = "aiwf-runbook"


def runbook_uid(alert: str) -> str:
    """Return the uid of an alert's runbook page."""
    return "aiwf-runbook" + re.sub(r"([A-Z])", lambda match: "-" + match[1].lower(), alert)


def build(alerts: Path) -> Iterator[Dashboard]:
    """Yield a page per runbook."""
    for path in sorted(alerts.glob("*/*.md")):
        alert = path.stem
        yield dashboard(
            uid=runbook_uid(alert),
            title=f"Runbook: {alert}",
            description=f"What to do when {alert} fires.",
            tag=TAG,
            incidents=False,
            lines=[
                Line(
                    height=26,
                    cells=[
                        page(
                            alert,
                            help=f"Meaning, impact, diagnosis and mitigation of {alert}.",
                            markdown=path.read_text(encoding="utf-8"),
                        )
                    ],
                )
            ],
        )
