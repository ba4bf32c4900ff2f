"""What workflows cost against a usual day, and what of them was far from usual."""

from __future__ import annotations

from grafana.src.columns import Column, Steps
from grafana.src.layout import Cell, Line
from grafana.src.panels import COUNT, NEUTRAL, TEXT, TIME, USD, table
from grafana.src.run_links import run_column
from grafana.src.targets import sql_table

_UNKNOWN = "–"
_TIMES_COLORS: Steps = ((None, NEUTRAL), (2, "orange"))

COST_ROWS = """
SELECT workflow AS "Workflow", cost_window AS "Day", cost_usd::float8 AS "Cost",
    baseline_usd::float8 AS "Usual", ratio AS "Times usual",
    CASE basis WHEN 'weekday' THEN sample_days || ' such weekdays'
        WHEN 'recent' THEN sample_days || ' days with runs' END AS "Median of", source AS "Source"
FROM v_cost_against_baseline
ORDER BY day DESC, ratio DESC NULLS LAST, cost_usd DESC LIMIT 200"""

ANOMALY_ROWS = """
SELECT last_seen_at AS "Last seen", workflow AS "Workflow", replace(measure, '_', ' ') AS "What",
    measure_text(measure, observed_value) AS "Seen",
    measure_text(measure, baseline_value) AS "Usual", ratio AS "Times usual", day AS "Day",
    execution_id AS "Run", source AS "Source"
FROM v_anomalies
WHERE last_seen_at >= $__timeFrom() AND first_seen_at <= $__timeTo()
ORDER BY last_seen_at DESC, ratio DESC NULLS FIRST LIMIT 200"""


def cost_table(width: int) -> Cell:
    """Show what each workflow costs today so far and cost yesterday, against a usual such day."""
    return table(
        "Cost against a usual day",
        width=width,
        help="Today so far and yesterday, each against the whole of a usual such day: the median of"
        " the same weekday in four weeks, else of the last days with runs.",
        target=sql_table(COST_ROWS),
        no_value="no workflow ran today or yesterday",
        columns=[
            Column(name="Workflow", unit=TEXT, filter=True),
            Column(name="Day", unit=TEXT, width_px=90, filter=True),
            Column(name="Cost", unit=USD, width_px=85),
            Column(name="Usual", unit=USD, width_px=85, unknown=_UNKNOWN),
            Column(
                name="Times usual", unit=COUNT, width_px=105, unknown=_UNKNOWN, steps=_TIMES_COLORS
            ),
            Column(name="Median of", unit=TEXT, width_px=140, unknown="not known yet"),
            Column(name="Source", unit=TEXT, width_px=90),
        ],
    )


def anomaly_table(width: int) -> Cell:
    """Show what was far from usual, with both numbers, newest first."""
    return table(
        "Far from usual",
        width=width,
        help="Days, runs and hours of workflows that were far from what is usual for them, with"
        " both numbers as they were at their worst.",
        target=sql_table(ANOMALY_ROWS),
        no_value="nothing was far from usual in this range",
        columns=[
            Column(name="Last seen", unit=TIME, width_px=160),
            Column(name="Workflow", unit=TEXT, filter=True),
            Column(name="What", unit=TEXT, width_px=125, filter=True),
            Column(name="Seen", unit=TEXT, width_px=95),
            Column(name="Usual", unit=TEXT, width_px=95),
            Column(name="Times usual", unit=COUNT, width_px=100, unknown="∞"),
            Column(name="Day", unit=TEXT, width_px=100),
            run_column(width_px=90),
            Column(name="Source", unit=TEXT, width_px=90),
        ],
    )


AGAINST_USUAL = Line(
    heading="Against what is usual", height=9, cells=[cost_table(11), anomaly_table(13)]
)
