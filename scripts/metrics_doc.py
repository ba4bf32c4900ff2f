"""Writes docs/metrics.md from METRICS; with --check, says whether it is up to date."""

import sys
from pathlib import Path

from exporter.sinks.prometheus import METRICS

TARGET = Path(__file__).parents[1] / "docs" / "metrics.md"
_HEAD = """# Metrics

Made from `METRICS` in `exporter/sinks/prometheus.py` by `make metrics-doc`; do not edit.

Counters count what was newly committed to our database, are persisted with it, and neither fall nor
jump at a restart. Times are Unix seconds. Free labels (`workflow`, `provider`, `model`,
`error_type`) are capped by `metrics.max_label_values`; what comes beyond is counted under `other`.

| Metric | Kind | Labels | Meaning |
|---|---|---|---|
"""


def document() -> str:
    """Return the page."""
    rows = (
        f"| `{name}` | {metric.kind} | {', '.join(f'`{label}`' for label in metric.labels)} "
        f"| {metric.help} |\n"
        for name, metric in METRICS.items()
    )
    return _HEAD + "".join(rows)


if __name__ == "__main__":
    if "--check" in sys.argv:
        sys.exit(0 if TARGET.read_text(encoding="utf-8") == document() else f"{TARGET} is stale")
    TARGET.write_text(document(), encoding="utf-8")
