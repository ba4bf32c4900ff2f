"""The overview's large numbers: runs and model calls of the range, and how they changed."""

from __future__ import annotations

from grafana.src import overview_queries as queries
from grafana.src.colors import (
    AGE_COLORS,
    ANY_IS_ORANGE,
    ANY_IS_RED,
    NONE_IS_GREEN,
    SUCCESS_COLORS,
)
from grafana.src.layout import Line
from grafana.src.panels import COUNT, RATIO, SECONDS, TOKENS, USD, stat
from grafana.src.providers_queries import USED_PAGES_NOT_WELL
from grafana.src.targets import promql, sql_table

EXECUTION_NUMBERS = Line(
    height=3,
    cells=[
        stat(
            "Runs",
            width=4,
            help="Executions started in the range, however they ended; the change is from the"
            " equally long range before.",
            unit=COUNT,
            target=sql_table(queries.RUNS),
            no_value="no runs",
            change="neutral",
        ),
        stat(
            "Success rate",
            width=4,
            help="Succeeded over succeeded and failed runs of the range; canceled, open and pruned"
            " runs are left out.",
            unit=RATIO,
            target=sql_table(queries.SUCCESS_RATIO),
            no_value="no run ended",
            steps=SUCCESS_COLORS,
            change="up is good",
        ),
        stat(
            "Errors",
            width=4,
            help="Runs of the range that ended in an error, ran into their time limit or crashed.",
            unit=COUNT,
            target=sql_table(queries.FAILED),
            no_value="no runs",
            steps=ANY_IS_RED,
            change="down is good",
        ),
        stat(
            "Average duration",
            width=4,
            help="Mean time from start to end, waits included, of the range's runs whose end is"
            " known.",
            unit=SECONDS,
            target=sql_table(queries.AVERAGE_SECONDS),
            no_value="no run ended",
            change="down is good",
        ),
        stat(
            "P95 duration",
            width=4,
            help="95 of 100 runs of the range took no longer than this (within 1 %).",
            unit=SECONDS,
            target=sql_table(queries.P95_SECONDS),
            no_value="no run ended",
            change="down is good",
        ),
        stat(
            "Age of the data",
            width=4,
            help="Time since the source unread for longest was last read; what happened after that"
            " is not on this page.",
            unit=SECONDS,
            target=promql(
                "max(time() - last_over_time(aiwf_last_success_timestamp_seconds[6h]))", now=True
            ),
            no_value="never read",
            steps=AGE_COLORS,
        ),
    ],
)

LLM_NUMBERS = Line(
    height=3,
    cells=[
        stat(
            "Cost",
            width=4,
            help="US dollars for the range's model calls whose price is known, estimated tokens"
            " included; calls beside it under Unpriced calls cost something too.",
            unit=USD,
            target=sql_table(queries.COST_USD),
            no_value="unknown",
            change="down is good",
        ),
        stat(
            "Unpriced calls",
            width=3,
            help="Successful model calls of the range whose cost is unknown, which is not zero;"
            " the cost leaves them out.",
            unit=COUNT,
            target=sql_table(queries.UNPRICED_CALLS),
            no_value="no calls",
            steps=ANY_IS_ORANGE,
        ),
        stat(
            "LLM calls",
            width=3,
            help="Calls of language models started in the range, failed ones included.",
            unit=COUNT,
            target=sql_table(queries.LLM_CALLS),
            no_value="no calls",
            change="neutral",
        ),
        stat(
            "Tokens",
            width=4,
            help="Input (cached included) and output tokens (reasoning included) of the range's"
            " model calls, as far as known; where the engine only estimated them, its estimate.",
            unit=TOKENS,
            target=sql_table(queries.TOKENS),
            no_value="no calls",
            change="neutral",
        ),
        stat(
            "Items failed",
            width=3,
            help="Single items that failed inside the range's runs, also where the run as a whole"
            " succeeded.",
            unit=COUNT,
            target=sql_table(queries.ITEMS_FAILED),
            no_value="no items",
            steps=ANY_IS_ORANGE,
            change="down is good",
        ),
        stat(
            "Open now",
            width=3,
            help="Executions queued, running or waiting at this moment, of all sources and"
            " workflows.",
            unit=COUNT,
            target=promql("sum(aiwf_executions_running)", now=True),
            no_value="unknown",
        ),
        stat(
            "Provider pages",
            width=4,
            help="How many status pages of the providers that the range's model calls went to tell"
            " of trouble now; a click shows which.",
            unit=COUNT,
            target=sql_table(USED_PAGES_NOT_WELL),
            no_value="unknown",
            steps=NONE_IS_GREEN,
            link=("Show the providers", "/d/aiwf-providers?${__url_time_range}"),
        ),
    ],
)
