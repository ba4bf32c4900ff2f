"""Build: writes the dashboards and the alerting files that Grafana reads; --check compares."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT)]  # also when run as a script

from grafana_foundation_sdk.cog.encoder import JSONEncoder  # noqa: E402

from grafana.src import (  # noqa: E402
    alert_rules,
    budgets,
    notifications,
    overview,
    providers,
    run,
    runbooks,
    runs,
    spend,
)
from grafana.src.layout import Dashboard  # noqa: E402

DASHBOARDS = ROOT / "grafana" / "dashboards"
ALERTING = ROOT / "grafana" / "provisioning" / "alerting"
ALERTS = ROOT / "grafana" / "alerts"


def _json(dashboard: Dashboard) -> str:
    return JSONEncoder(sort_keys=True, indent=2).encode(dashboard) + "\n"


def products() -> Iterator[tuple[Path, str]]:
    """Yield every generated file with what belongs into it."""
    dashboards = [
        overview.build(),
        runs.build(),
        run.build(),
        spend.build(),
        budgets.build(),
        providers.build(),
        *runbooks.build(ALERTS),
    ]
    for dashboard in dashboards:
        yield DASHBOARDS / f"{dashboard.uid}.json", _json(dashboard)
    yield ALERTING / "rules.yaml", alert_rules.build(ALERTS, dashboards)
    yield ALERTING / "notifications.yaml", notifications.build()


def main(arguments: list[str]) -> int:
    """Write the files, or with --check name those that differ and answer 1."""
    wanted = dict(products())
    present = {path for folder in (DASHBOARDS, ALERTING) for path in folder.glob("*.*")}
    stale = sorted(present - wanted.keys())
    if "--check" in arguments:
        differing = [
            path
            for path, text in wanted.items()
            if not path.exists() or path.read_text(encoding="utf-8") != text
        ]
        for path in differing:
            print(f"{path.relative_to(ROOT)}: differs from its source; run make dashboards")
        for path in stale:
            print(f"{path.relative_to(ROOT)}: has no source any more")
        return 1 if differing or stale else 0
    for path in stale:
        path.unlink()
    for path, text in wanted.items():
        path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
