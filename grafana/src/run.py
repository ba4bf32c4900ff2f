"""Run: what did one execution do, where did it fail, where did its time and money go?"""

from __future__ import annotations

from grafana.src import run_queries as queries
from grafana.src import run_tables as tables
from grafana.src.colors import ANY_IS_ORANGE, ANY_IS_RED, STATUS_COLORS
from grafana.src.layout import (
    TAG,
    Dashboard,
    Line,
    dashboard,
    single_variable,
    text_variable,
)
from grafana.src.panels import COUNT, SECONDS, TEXT, TIME, TOKENS, USD, stat
from grafana.src.run_links import RUN_UID
from grafana.src.run_panels import trace
from grafana.src.targets import TIMESCALEDB, sql_table

NO_RUN = "no such run"

NUMBERS = Line(
    height=3,
    cells=[
        stat(
            "Status",
            width=4,
            help="Where the run stands; to see one, follow a link on the page of runs, or type its"
            " id, or that of its trace, above.",
            unit=TEXT,
            target=sql_table(queries.STATUS),
            no_value=NO_RUN,
            texts={status: (status, color) for status, color in STATUS_COLORS.items()},
            is_text=True,
        ),
        stat(
            "Started",
            width=5,
            help="When the run began; of one that is still queued, when it was created.",
            unit=TIME,
            target=sql_table(queries.STARTED),
            no_value=NO_RUN,
        ),
        stat(
            "Duration",
            width=3,
            help="From start to end, waits included; unknown until it has ended.",
            unit=SECONDS,
            target=sql_table(queries.DURATION),
            no_value="unknown",
        ),
        stat(
            "Failed steps",
            width=3,
            help="Steps that ended in an error, ran into a time limit or crashed, also where the"
            " run went on.",
            unit=COUNT,
            target=sql_table(queries.FAILED_STEPS),
            no_value="unknown",
            steps=ANY_IS_RED,
        ),
        stat(
            "Model calls",
            width=2,
            help="Calls of language models, failed ones included.",
            unit=COUNT,
            target=sql_table(queries.CALLS),
            no_value="unknown",
        ),
        stat(
            "Tokens",
            width=2,
            help="Input (cached included) and output tokens of the run's model calls, as far as"
            " known.",
            unit=TOKENS,
            target=sql_table(queries.TOKENS),
            no_value="unknown",
        ),
        stat(
            "Cost",
            width=3,
            help="US dollars for the model calls whose price is known; those beside it under"
            " Unpriced cost something too.",
            unit=USD,
            target=sql_table(queries.COST),
            no_value="unknown",
        ),
        stat(
            "Unpriced",
            width=2,
            help="Successful model calls of the run whose cost is unknown, which is not zero.",
            unit=COUNT,
            target=sql_table(queries.UNPRICED),
            no_value="unknown",
            steps=ANY_IS_ORANGE,
        ),
    ],
)

TRACE = Line(
    height=13,
    cells=[
        trace(
            "Trace",
            help="The run and its first 2,000 steps in time; failed ones are marked red. A click on"
            " one shows what it received, gave on and cost.",
            target=sql_table(queries.SPANS),
            no_value=NO_RUN,
        )
    ],
)


def build() -> Dashboard:
    """Return the dashboard; what it shows depends on the chosen run alone."""
    return dashboard(
        uid=RUN_UID,
        title="AI workflows: run",
        description="One run of a workflow: what failed, where time and money went, what each step"
        " and model was given and answered.",
        tag=TAG,
        variables=[
            text_variable("execution_id", "Run", "The id of a run, or of its trace"),
            single_variable("source", "Source", queries.SOURCES, TIMESCALEDB),
        ],
        lines=[
            NUMBERS,
            tables.FACTS,
            tables.ERRORS,
            TRACE,
            tables.SHARES,
            tables.STEPS,
            tables.CONTENT,
            tables.MODEL_CALLS,
            tables.AROUND,
            tables.OUTCOMES,
        ],
        refresh="",
        has_time=False,
    )
