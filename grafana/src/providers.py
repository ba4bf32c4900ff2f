"""Providers: is it us or them? What their status pages say, beside how they serve our calls."""

from __future__ import annotations

from grafana.src import providers_queries as queries
from grafana.src import providers_tables as tables
from grafana.src.colors import ANY_IS_ORANGE, LEVELS, NONE_IS_GREEN
from grafana.src.layout import TAG, Dashboard, Line, dashboard
from grafana.src.panels import COUNT, RATIO, SECONDS, stat, state_timeline, timeseries
from grafana.src.targets import promql, sql_series, sql_table

UID = "aiwf-providers"

NUMBERS = Line(
    height=4,
    cells=[
        stat(
            "Pages not well",
            width=4,
            help="Status pages that tell of degraded service or an outage now; those that are"
            " unknown are not among them.",
            unit=COUNT,
            target=sql_table(queries.PAGES_NOT_WELL),
            no_value="unknown",
            steps=NONE_IS_GREEN,
        ),
        stat(
            "Open incidents",
            width=4,
            help="Incidents that the pages tell of and that are not over, maintenances left out.",
            unit=COUNT,
            target=sql_table(queries.OPEN_INCIDENTS),
            no_value="no pages",
            steps=ANY_IS_ORANGE,
        ),
        stat(
            "Pages unknown",
            width=4,
            help="Pages that cannot be read now, or say something unheard of: neither well nor"
            " unwell.",
            unit=COUNT,
            target=sql_table(queries.PAGES_UNKNOWN),
            no_value="no pages",
            steps=ANY_IS_ORANGE,
        ),
        stat(
            "Failed calls: whose fault?",
            width=12,
            help="Shares of the range's failed model calls: the page told of trouble; else other"
            " workflows failed too; else the page was well; else unknown.",
            unit=RATIO,
            target=sql_table(queries.BLAME_SHARES),
            no_value="no call failed",
            shows="value and name",
        ),
    ],
)

LEVELS_OVER_TIME = Line(
    height=8,
    cells=[
        state_timeline(
            "What the status pages say",
            help="The worst level in each step of time, a line per page; grey is unknown: the page"
            " could not be read, or nobody looked.",
            target=sql_series(queries.TIMELINE),
            no_value="no page was read in this range",
            states=LEVELS,
            step="1m",
        )
    ],
)

OUR_CALLS = Line(
    height=8,
    cells=[
        timeseries(
            "Error rate of our calls by provider",
            width=12,
            help="Failed over all model calls, by when they were read; without calls there is no"
            " rate.",
            unit=RATIO,
            target=promql(queries.ERROR_RATE, legend="{{provider}}"),
            no_value="no model calls in this range",
            step="2m",
        ),
        timeseries(
            "P95 latency of our calls by provider",
            width=12,
            help="95 of 100 model calls took no longer than about this, by when they were read.",
            unit=SECONDS,
            target=promql(queries.P95_SECONDS, legend="{{provider}}"),
            no_value="no model calls in this range",
            step="2m",
        ),
    ],
)


def build() -> Dashboard:
    """Return the dashboard."""
    return dashboard(
        uid=UID,
        title="AI workflows: providers",
        description="Is it us or them? What providers' status pages say, beside how they serve our"
        " calls.",
        tag=TAG,
        lines=[
            NUMBERS,
            LEVELS_OVER_TIME,
            OUR_CALLS,
            tables.HEALTH,
            tables.FAILURES,
            tables.OPEN_INCIDENTS,
            tables.PAST_INCIDENTS,
            tables.LEADS,
            tables.RELIABILITY,
        ],
    )
