"""Colours with a meaning, and the values at which they change."""

from __future__ import annotations

from grafana.src.panels import NEUTRAL, Steps

GREY, DARK_GREY = "#808a96", "#5b6370"
RESULT_COLORS = {
    "success": "green",
    "failed": "red",
    "open": "light-blue",
    "canceled": GREY,
    "pruned": DARK_GREY,
}
FAILED_RATIO_LIMIT = 0.05  # above it, WorkflowErrorRateHigh fires

# The first colour of a scale is also the one of an unknown value.
SUCCESS_COLORS: Steps = (
    (None, NEUTRAL),
    (0, "red"),
    (0.90, "orange"),
    (1 - FAILED_RATIO_LIMIT, "green"),
)
ANY_IS_ORANGE: Steps = ((None, NEUTRAL), (1, "orange"))
ANY_IS_RED: Steps = ((None, NEUTRAL), (1, "red"))
AGE_COLORS: Steps = (
    (None, "orange"),
    (-3600, "green"),  # clocks of two machines differ
    (300, "orange"),
    (900, "red"),  # from here on ExporterSourceSilent warns
)
