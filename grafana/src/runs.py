"""Runs: find one by what is known of it, and see what workflows recover from."""

from __future__ import annotations

from grafana.src import overview_queries
from grafana.src import runs_queries as queries
from grafana.src.colors import (
    ANY_IS_ORANGE,
    ANY_IS_RED,
    RESULT_COLORS,
    SIGNAL_COLORS,
    STATUS_COLORS,
)
from grafana.src.columns import Column, Steps
from grafana.src.layout import (
    TAG,
    Dashboard,
    Line,
    choice_variable,
    dashboard,
    query_variable,
    text_variable,
)
from grafana.src.panels import (
    COUNT,
    NEUTRAL,
    RATIO,
    SECONDS,
    TEXT,
    TIME,
    TOKENS,
    USD,
    table,
    timeseries,
)
from grafana.src.run_links import RUNS_UID, address_column, run_column
from grafana.src.targets import TIMESCALEDB, promql, sql_series, sql_table

_UNKNOWN = "–"
_FULL: Steps = ((None, NEUTRAL), (0.8, "orange"), (0.95, "red"))


def _count(name: str, width_px: int = 85, steps: Steps | None = None) -> Column:
    return Column(name=name, unit=COUNT, width_px=width_px, unknown=_UNKNOWN, steps=steps)


OVER_TIME = Line(
    height=6,
    cells=[
        timeseries(
            "Runs found per hour",
            width=24,
            help="The runs that fit what is chosen above, by the hour they were created in and how"
            " they ended; open means not yet.",
            unit=COUNT,
            target=sql_series(queries.RUNS_OVER_TIME),
            no_value="no run fits in this range",
            bars=True,
            colors=RESULT_COLORS,
        )
    ],
)

RUNS = Line(
    height=15,
    cells=[
        table(
            "Runs found",
            help="The newest 200 runs of the range that fit what is chosen above; a click on an id"
            " shows what the run did. Unknown is not zero.",
            target=sql_table(queries.RUN_ROWS),
            no_value="no run fits in this range",
            columns=[
                Column(name="Created", unit=TIME, width_px=165),
                Column(name="Workflow", unit=TEXT, width_px=190, filter=True),
                run_column(),
                Column(name="Status", unit=TEXT, width_px=90, colors=STATUS_COLORS, filter=True),
                Column(name="Duration", unit=SECONDS, width_px=90, unknown=_UNKNOWN),
                Column(name="Cost", unit=USD, width_px=105, unknown="unknown"),
                _count("Unpriced", 80, ANY_IS_ORANGE),
                Column(name="Failed step", unit=TEXT, width_px=130, unknown=_UNKNOWN),
                Column(name="Error type", unit=TEXT, width_px=140, unknown=_UNKNOWN, filter=True),
                Column(name="Message", unit=TEXT, width_px=260, unknown=_UNKNOWN, inspect=True),
                Column(name="Signals", unit=TEXT, width_px=130, unknown=_UNKNOWN),
                Column(name="Customer", unit=TEXT, width_px=110, unknown=_UNKNOWN, filter=True),
                Column(name="Models", unit=TEXT, width_px=170, unknown=_UNKNOWN),
                _count("Calls", 65),
                Column(name="Tokens", unit=TOKENS, width_px=80, unknown=_UNKNOWN),
                Column(name="Source", unit=TEXT, width_px=110, filter=True),
                address_column("Engine", "Open the run in its engine", 75),
            ],
        )
    ],
)

SIGNALS = Line(
    heading="What they recovered from, and what they did not",
    height=8,
    cells=[
        timeseries(
            "Signals per hour",
            width=12,
            help="Retries, fallbacks, rate limits, refusals, truncated answers, open circuit"
            " breakers, by hour, of the chosen sources and workflows.",
            unit=COUNT,
            target=sql_series(queries.SIGNALS_OVER_TIME),
            no_value="nothing remarkable in this range",
            bars=True,
            colors=SIGNAL_COLORS,
        ),
        timeseries(
            "Context window used, P95 by model",
            width=12,
            help="The inputs of 95 of 100 calls took up no more than about this of what their model"
            " takes; a model of unknown window is missing.",
            unit=RATIO,
            target=promql(queries.CONTEXT_USED, legend="{{model}}"),
            no_value="no calls of models whose window is known",
            limit=0.8,
            step="2m",
        ),
    ],
)

BY_MODEL = Line(
    height=7,
    cells=[
        table(
            "Signals by model",
            help="What was remarkable of the range's calls. Nearly full: inputs of 80 % and more of"
            " the model's window; Fullest: the fullest of those.",
            target=sql_table(queries.MODEL_ROWS),
            no_value="no model calls in this range",
            columns=[
                Column(name="Model", unit=TEXT, filter=True),
                Column(name="Provider", unit=TEXT, width_px=95, filter=True),
                _count("Calls", 105),
                _count("Failed", 105, ANY_IS_RED),
                _count("Retries", 105),
                _count("Fallbacks", 105),
                _count("Rate limited", 105, ANY_IS_ORANGE),
                _count("Timed out", 105, ANY_IS_ORANGE),
                _count("Overloaded", 105, ANY_IS_ORANGE),
                _count("Refused", 105, ANY_IS_ORANGE),
                _count("Truncated", 105, ANY_IS_ORANGE),
                _count("Too long", 105, ANY_IS_RED),
                _count("Nearly full", 105, ANY_IS_ORANGE),
                Column(name="Fullest", unit=RATIO, width_px=90, unknown=_UNKNOWN, steps=_FULL),
            ],
        )
    ],
)

BY_WORKFLOW = Line(
    height=7,
    cells=[
        table(
            "Signals by workflow",
            help="What was remarkable of the range's calls and steps; workflows without any are"
            " left out. Retries and fallbacks are what saved a run.",
            target=sql_table(queries.WORKFLOW_ROWS),
            no_value="nothing remarkable in this range",
            columns=[
                Column(name="Workflow", unit=TEXT, filter=True),
                Column(name="Source", unit=TEXT, width_px=100, filter=True),
                _count("Retries", 105),
                _count("Fallbacks", 105),
                _count("Circuit open", 105, ANY_IS_ORANGE),
                _count("From cache", 105),
                _count("Rate limited", 105, ANY_IS_ORANGE),
                _count("Other failures", 105, ANY_IS_ORANGE),
                _count("Refused", 105, ANY_IS_ORANGE),
                _count("Truncated", 105, ANY_IS_ORANGE),
            ],
        ),
    ],
)


def build() -> Dashboard:
    """Return the dashboard."""
    return dashboard(
        uid=RUNS_UID,
        title="AI workflows: runs",
        description="Runs by workflow, status, customer, model, error, duration, cost and signal;"
        " and what they recovered from.",
        tag=TAG,
        variables=[
            query_variable("source", "Source", overview_queries.SOURCES, TIMESCALEDB),
            query_variable("workflow", "Workflow", overview_queries.WORKFLOWS, TIMESCALEDB),
            choice_variable("status", "Status", queries.STATUSES),
            query_variable("model", "Model", queries.MODELS, TIMESCALEDB),
            choice_variable("signal", "Signal", queries.SIGNALS),
            text_variable("customer", "Customer", "A part of the customer's name"),
            text_variable("error", "Error", "A part of a failed run's error: type, message, step"),
            text_variable("seconds", "Lasted at least (s)", "Seconds"),
            text_variable("usd", "Cost at least ($)", "US dollars"),
        ],
        lines=[OVER_TIME, RUNS, SIGNALS, BY_MODEL, BY_WORKFLOW],
    )
