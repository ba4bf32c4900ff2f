"""Colours with a meaning, and the values at which they change."""

from __future__ import annotations

from grafana.src.columns import Steps
from grafana.src.panels import NEUTRAL

GREY, DARK_GREY = "#808a96", "#5b6370"
RESULT_COLORS = {
    "success": "green",
    "failed": "red",
    "open": "light-blue",
    "canceled": GREY,
    "pruned": DARK_GREY,
}
STATUS_COLORS = {
    "queued": "light-blue",
    "running": "light-blue",
    "waiting": "light-blue",
    "success": "green",
    "error": "red",
    "timeout": "red",
    "crashed": "red",
    "canceled": GREY,
    "pruned": DARK_GREY,
}
# What holds a run up is warm, what goes on all the same is cool.
SIGNAL_COLORS = {
    "rate_limited": "orange",
    "timed_out": "red",
    "overloaded": "dark-red",
    "context_exceeded": "purple",
    "refused": "yellow",
    "truncated": "super-light-orange",
    "retry": "light-blue",
    "fallback": "blue",
    "circuit_open": "dark-orange",
    "cached_answer": "green",
}
# Levels of status pages, and the words of `status_word` for them.
LEVEL_COLORS = {
    "operational": "green",
    "maintenance": "#6e8fb5",
    "degraded": "yellow",
    "partial outage": "orange",
    "major outage": "red",
    "unknown": GREY,
}
LEVELS = dict(zip(("0", "1", "2", "3", "4", "-1"), LEVEL_COLORS.items(), strict=True))
BLAME_COLORS = {"provider": "orange", "shared": "yellow", "ours": "light-blue", "unknown": GREY}
FAILED_RATIO_LIMIT = 0.05  # above it, WorkflowErrorRateHigh fires

# The first colour of a scale is also the one of an unknown value.
SUCCESS_COLORS: Steps = (
    (None, NEUTRAL),
    (0, "red"),
    (0.90, "orange"),
    (1 - FAILED_RATIO_LIMIT, "green"),
)
NONE_IS_GREEN: Steps = ((None, NEUTRAL), (0, "green"), (1, "red"))
ANY_IS_ORANGE: Steps = ((None, NEUTRAL), (1, "orange"))
ANY_IS_RED: Steps = ((None, NEUTRAL), (1, "red"))
DARK_COLORS: Steps = ((None, NEUTRAL), (0.25, "orange"), (0.5, "red"))
BILL_GAP_LIMIT = 0.2  # above it, EstimateAndBillApart warns
GAP_COLORS: Steps = (
    (None, NEUTRAL),
    (-1e9, "orange"),
    (-BILL_GAP_LIMIT, NEUTRAL),
    (BILL_GAP_LIMIT, "orange"),
)
BALANCE_COLORS: Steps = (
    (None, NEUTRAL),
    (-1e9, "red"),
    (0.1, "orange"),  # below it, ProviderBalanceLow warns
    (0.25, NEUTRAL),
)
USAGE_AGE_COLORS: Steps = (
    (None, "orange"),
    (-3600, "green"),  # clocks of two machines differ
    (26 * 3600, "orange"),  # some providers tell whole days, and those an hour late
    (3 * 86400, "red"),  # from here on ProviderUsageStale warns, whatever the report
)
AGE_COLORS: Steps = (
    (None, "orange"),
    (-3600, "green"),  # clocks of two machines differ
    (300, "orange"),
    (900, "red"),  # from here on ExporterSourceSilent warns of what is read every 5 minutes
)
BUDGET_COLORS: Steps = ((None, NEUTRAL), (0.8, "orange"), (1, "red"))
ACTION_COLORS = {
    "done": "green",
    "pending": "light-blue",
    "begun": "light-blue",
    "failed": "red",
    "skipped": GREY,
    "dry_run": GREY,
}
