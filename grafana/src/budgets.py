"""Budgets: what may be spent and what is left, where it is heading, and what was done about it."""

from __future__ import annotations

from grafana.src import budgets_queries as queries
from grafana.src.baseline_panels import AGAINST_USUAL
from grafana.src.colors import ACTION_COLORS, ANY_IS_ORANGE, BUDGET_COLORS, NONE_IS_GREEN
from grafana.src.columns import Column
from grafana.src.layout import TAG, Dashboard, Line, dashboard
from grafana.src.panels import AGO, COUNT, RATIO, SECONDS, TEXT, TIME, USD, stat, table, timeseries
from grafana.src.run_links import run_column
from grafana.src.targets import promql, sql_table

UID = "aiwf-budgets"
_UNKNOWN = "–"

NUMBERS = Line(
    height=4,
    cells=[
        stat(
            "Over their limit",
            width=6,
            help="Budgets of the present day or month of which nothing is left.",
            unit=COUNT,
            target=sql_table(queries.OVER_LIMIT),
            no_value="no budgets",
            steps=NONE_IS_GREEN,
        ),
        stat(
            "Heading over it",
            width=6,
            help="Budgets that have something left and, at the present pace, will not at the end of"
            " their period.",
            unit=COUNT,
            target=sql_table(queries.HEADING_OVER),
            no_value="no pace known",
            steps=ANY_IS_ORANGE,
        ),
        stat(
            "Next one used up in",
            width=6,
            help="How long the first budget lasts that is used up before its period ends, at the"
            " present pace.",
            unit=SECONDS,
            target=sql_table(queries.NEXT_EXHAUSTED),
            no_value="none is",
        ),
        stat(
            "Workflows switched off",
            width=6,
            help="Workflows that a budget switched off and nobody has switched on again.",
            unit=COUNT,
            target=sql_table(queries.PAUSED),
            no_value="no budgets",
            steps=NONE_IS_GREEN,
        ),
    ],
)

WHERE_THEY_STAND = Line(
    height=9,
    cells=[
        table(
            "Where budgets stand",
            help="A row per budget and whom it is of, the fullest first. The pace is that of the"
            " last week, of a day's budget that of the last 24 hours.",
            target=sql_table(queries.BUDGET_ROWS),
            no_value="no budget is configured: see `budgets` in the configuration",
            columns=[
                Column(name="Budget", unit=TEXT, filter=True),
                Column(name="Of", unit=TEXT, filter=True),
                Column(name="Period", unit=TEXT, width_px=80, filter=True),
                Column(name="Used", unit=RATIO, width_px=90, steps=BUDGET_COLORS),
                Column(name="Spent", unit=USD, width_px=95),
                Column(name="Limit", unit=USD, width_px=95),
                Column(name="Left", unit=USD, width_px=95),
                Column(name="USD an hour", unit=USD, width_px=110, unknown=_UNKNOWN),
                Column(name="At its end", unit=USD, width_px=100, unknown=_UNKNOWN),
                Column(
                    name="Of limit", unit=RATIO, width_px=90, unknown=_UNKNOWN, steps=BUDGET_COLORS
                ),
                Column(name="Used up", unit=AGO, width_px=130, unknown=_UNKNOWN),
                Column(name="Unpriced calls", unit=COUNT, width_px=120, steps=ANY_IS_ORANGE),
                Column(name="Mode", unit=TEXT, width_px=80, unknown=" "),
            ],
        )
    ],
)

OVER_TIME = Line(
    height=8,
    cells=[
        timeseries(
            "Used over time",
            width=24,
            help="Spent by the limit, of the fullest twenty of each budget; the line falls when a"
            " period begins anew.",
            unit=RATIO,
            target=promql(queries.USED_OVER_TIME, legend="{{budget}} {{scope_value}}"),
            no_value="no budget was looked at in this range",
            limit=1,
            step="1m",
        )
    ],
)

EVENTS = Line(
    heading="What happened",
    height=9,
    cells=[
        table(
            "Thresholds reached",
            help="Once per threshold and period, with the run that reached it; of one execution's"
            " budget, the run itself.",
            target=sql_table(queries.EVENT_ROWS),
            no_value="no threshold was reached in this range",
            columns=[
                Column(name="Reached", unit=TIME, width_px=160),
                Column(name="Budget", unit=TEXT, filter=True),
                Column(name="Of", unit=TEXT, unknown=" ", filter=True),
                Column(name="Threshold", unit=RATIO, width_px=95, steps=BUDGET_COLORS),
                Column(name="Spent", unit=USD, width_px=90),
                Column(name="Limit", unit=USD, width_px=90),
                Column(name="Workflow", unit=TEXT, unknown=_UNKNOWN, filter=True),
                run_column(width_px=90),
                Column(name="Source", unit=TEXT, width_px=90, unknown=_UNKNOWN),
            ],
        )
    ],
)

ACTIONS = Line(
    height=9,
    cells=[
        table(
            "What was done",
            help="Alerts, webhooks, workflows switched off and on, and the gate; each once, with"
            " its reason. A dry run did nothing.",
            target=sql_table(queries.ACTION_ROWS),
            no_value="nothing was done in this range",
            columns=[
                Column(name="At", unit=TIME, width_px=160),
                Column(name="Action", unit=TEXT, width_px=85, filter=True),
                Column(name="State", unit=TEXT, width_px=85, colors=ACTION_COLORS, filter=True),
                Column(name="Target", unit=TEXT, width_px=150, unknown=" ", filter=True),
                Column(name="Budget", unit=TEXT, width_px=130, filter=True),
                Column(name="Why", unit=TEXT, inspect=True),
                Column(name="What came of it", unit=TEXT, width_px=200, unknown=" ", inspect=True),
            ],
        )
    ],
)


def build() -> Dashboard:
    """Return the dashboard."""
    return dashboard(
        uid=UID,
        title="AI workflows: budgets",
        description="What may be spent and what is left, where it is heading, and what was done.",
        tag=TAG,
        lines=[NUMBERS, WHERE_THEY_STAND, OVER_TIME, EVENTS, ACTIONS, AGAINST_USUAL],
        shows=("now-7d", "now"),
    )
