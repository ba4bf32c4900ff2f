"""Overview: is the system healthy, what failed and why, what does it cost?"""

from __future__ import annotations

from grafana.src import overview_queries as queries
from grafana.src.colors import (
    ANY_IS_ORANGE,
    ANY_IS_RED,
    BLAME_COLORS,
    FAILED_RATIO_LIMIT,
    RESULT_COLORS,
    SUCCESS_COLORS,
)
from grafana.src.columns import Column
from grafana.src.exporter_panels import EXPORTER_NUMBERS, EXPORTER_TRENDS
from grafana.src.layout import TAG, Dashboard, Line, dashboard, query_variable
from grafana.src.overview_numbers import EXECUTION_NUMBERS, LLM_NUMBERS
from grafana.src.panels import AGO, COUNT, RATIO, SECONDS, TEXT, TIME, USD, table, timeseries
from grafana.src.run_links import address_column, run_column
from grafana.src.targets import TIMESCALEDB, sql_series, sql_table

UID = "aiwf-overview"

BY_HOUR = Line(
    height=8,
    cells=[
        timeseries(
            "Runs per hour",
            width=8,
            help="Executions by the hour they started in and how they ended; open means not yet.",
            unit=COUNT,
            target=sql_series(queries.RUNS_BY_RESULT),
            no_value="no runs in this range",
            bars=True,
            colors=RESULT_COLORS,
        ),
        timeseries(
            "Error rate per hour",
            width=8,
            help="Failed over succeeded and failed runs, by the hour they started in; the dashed"
            " line is where WorkflowErrorRateHigh pages.",
            unit=RATIO,
            target=sql_series(queries.FAILED_RATIO),
            no_value="no run ended in this range",
            colors={"failed": "red"},
            limit=FAILED_RATIO_LIMIT,
        ),
        timeseries(
            "Cost per hour by model",
            width=8,
            help="US dollars for model calls by the hour they started in; calls of unknown price"
            " are missing.",
            unit=USD,
            target=sql_series(queries.COST_BY_MODEL),
            no_value="no priced model calls in this range",
            bars=True,
        ),
    ],
)

WORKFLOWS = Line(
    height=10,
    cells=[
        table(
            "Workflows",
            help="A row per workflow that ran in the range or is switched on, most failures first;"
            " a click on its name shows it alone.",
            target=sql_table(queries.WORKFLOW_ROWS),
            no_value="no workflow is known yet",
            columns=[
                Column(
                    name="Workflow",
                    unit=TEXT,
                    link=(
                        "Show this workflow alone",
                        f"/d/{UID}?var-workflow=${{__value.raw:percentencode}}&${{__url_time_range}}",
                    ),
                ),
                Column(name="Source", unit=TEXT, width_px=130, filter=True),
                Column(name="Runs", unit=COUNT, width_px=70),
                Column(
                    name="Success rate", unit=RATIO, width_px=105, steps=SUCCESS_COLORS, unknown="–"
                ),
                Column(name="Failed", unit=COUNT, width_px=70, steps=ANY_IS_RED),
                Column(name="P95", unit=SECONDS, width_px=85, unknown="–"),
                Column(name="Average", unit=SECONDS, width_px=85, unknown="–"),
                Column(name="Items failed", unit=COUNT, width_px=100, steps=ANY_IS_ORANGE),
                Column(name="LLM calls", unit=COUNT, width_px=85),
                Column(name="Cost", unit=USD, width_px=85, unknown="unknown"),
                Column(name="Unpriced", unit=COUNT, width_px=85, steps=ANY_IS_ORANGE),
                Column(name="Estimated", unit=COUNT, width_px=90),
                Column(name="Last success", unit=AGO, width_px=125, unknown="never"),
            ],
        )
    ],
)

FAILURES = Line(
    height=11,
    cells=[
        table(
            "Recent failures",
            help="The newest 100 runs of the range that failed: where, with which error, whether"
            " their provider is to blame, and the way to the run, here and in its engine.",
            target=sql_table(queries.FAILURE_ROWS),
            no_value="nothing failed in this range",
            columns=[
                Column(name="Started", unit=TIME, width_px=165),
                Column(name="Workflow", unit=TEXT, width_px=200, filter=True),
                Column(name="Source", unit=TEXT, width_px=110, filter=True),
                run_column(),
                Column(name="Status", unit=TEXT, width_px=100, filter=True),
                Column(name="Blame", unit=TEXT, width_px=130, colors=BLAME_COLORS, filter=True),
                Column(name="Failed step", unit=TEXT, width_px=150, unknown="–", filter=True),
                Column(name="Error type", unit=TEXT, width_px=150, unknown="–", filter=True),
                Column(name="Message", unit=TEXT, unknown="–"),
                Column(name="Duration", unit=SECONDS, width_px=100, unknown="–"),
                address_column("Engine", "Open the run in its engine"),
            ],
        )
    ],
)


def build() -> Dashboard:
    """Return the dashboard."""
    return dashboard(
        uid=UID,
        title="AI workflows: overview",
        description="Runs, failures and cost of all AI workflows, and whether these numbers are"
        " fresh.",
        tag=TAG,
        variables=[
            query_variable("source", "Source", queries.SOURCES, TIMESCALEDB),
            query_variable("workflow", "Workflow", queries.WORKFLOWS, TIMESCALEDB),
        ],
        lines=[
            EXECUTION_NUMBERS,
            LLM_NUMBERS,
            BY_HOUR,
            WORKFLOWS,
            FAILURES,
            EXPORTER_NUMBERS,
            EXPORTER_TRENDS,
        ],
    )
