"""Spend: what do models cost, whose cost is it, and does the bill agree?"""

from __future__ import annotations

from grafana.src import spend_queries as queries
from grafana.src import spend_tables as tables
from grafana.src.layout import TAG, Dashboard, Line, dashboard, query_variable
from grafana.src.panels import USD, timeseries
from grafana.src.spend_numbers import MONEY_NUMBERS, USAGE_NUMBERS
from grafana.src.targets import TIMESCALEDB, promql, sql_series

UID = "aiwf-spend"

BY_DAY = Line(
    height=9,
    cells=[
        timeseries(
            "Spend per day by provider",
            width=12,
            help="Each provider and UTC day once: its bill if that has settled, else the estimate"
            " from its usage, or from our calls.",
            unit=USD,
            target=sql_series(queries.SPEND_BY_PROVIDER),
            no_value="nothing spent in this range, as far as is known",
            bars=True,
            days=True,
        ),
        timeseries(
            "The costs side by side",
            width=12,
            help="The same UTC days as billed, as estimated from usage or from our calls, and as"
            " gateways report them: never to be added.",
            unit=USD,
            target=sql_series(queries.COST_BY_KIND),
            no_value="no cost is known in this range",
        ),
    ],
)

BY_MODEL = Line(
    height=8,
    cells=[
        timeseries(
            "Estimated cost per day by model",
            width=12,
            help="Usage that providers report of each UTC day at list price; what has no price is"
            " missing.",
            unit=USD,
            target=sql_series(queries.ESTIMATE_BY_MODEL),
            no_value="no priced usage in this range",
            bars=True,
            days=True,
        ),
        timeseries(
            "Usage cost seen in the last hour",
            width=12,
            help="Estimated cost of usage that appeared in reports within an hour, of all"
            " providers: what is being spent now.",
            unit=USD,
            target=promql(
                "sum by (provider)"
                ' (increase(aiwf_provider_cost_usd_observed_total{cost_kind="estimated"}[1h]))',
                legend="{{provider}}",
            ),
            no_value="no usage is read",
        ),
    ],
)


def build() -> Dashboard:
    """Return the dashboard; its days are UTC days, as those of bills are."""
    return dashboard(
        uid=UID,
        title="AI workflows: spend",
        description="What models cost by UTC day (billed, estimated, told by gateways: apart), and"
        " whose cost it is.",
        tag=TAG,
        variables=[
            query_variable("provider", "Provider", queries.PROVIDERS, TIMESCALEDB),
            query_variable("model", "Model", queries.MODELS, TIMESCALEDB),
        ],
        lines=[
            MONEY_NUMBERS,
            USAGE_NUMBERS,
            BY_DAY,
            BY_MODEL,
            tables.AGREEMENT,
            tables.PROVIDERS,
            tables.WORKFLOWS,
            tables.CALLS,
            tables.REPORTED,
            tables.STATE,
        ],
        shows=("now/M", "now/d"),
        timezone="utc",
        refresh="5m",
    )
