"""The spend dashboard's large numbers: the month, the range shown, and what they leave out."""

from __future__ import annotations

from grafana.src import spend_queries as queries
from grafana.src.colors import ANY_IS_ORANGE, DARK_COLORS, USAGE_AGE_COLORS
from grafana.src.layout import Line
from grafana.src.panels import RATIO, SECONDS, TOKENS, USD, stat
from grafana.src.targets import sql_table

MONEY_NUMBERS = Line(
    height=4,
    cells=[
        stat(
            "Today",
            width=4,
            help="The present UTC day, each provider once: its bill if that has settled, else the"
            " estimate from its usage, or from our calls.",
            unit=USD,
            target=sql_table(queries.TODAY),
            no_value="unknown",
        ),
        stat(
            "Month to date",
            width=4,
            help="This UTC month so far, each provider and day once by the best knowledge there is;"
            " unknown days stand under This month by provider.",
            unit=USD,
            target=sql_table(queries.MONTH_TO_DATE),
            no_value="unknown",
        ),
        stat(
            "Projected month",
            width=4,
            help="Month to date, and for each UTC day left the mean of the last seven whole days.",
            unit=USD,
            target=sql_table(queries.PROJECTED_MONTH),
            no_value="unknown",
        ),
        stat(
            "Billed",
            width=4,
            help="What providers bill for the range's UTC days so far, for the chosen models; bills"
            " come one or two days late.",
            unit=USD,
            target=sql_table(queries.BILLED),
            no_value="no bill",
        ),
        stat(
            "Estimated",
            width=4,
            help="Usage that providers report of the range's UTC days at list price, for the chosen"
            " models; never to be added to the bill.",
            unit=USD,
            target=sql_table(queries.ESTIMATED),
            no_value="unknown",
        ),
        stat(
            "Dark spend",
            width=4,
            help="Share of the providers' cost of the range's UTC days that no call of a workflow"
            " accounts for, where both are known.",
            unit=RATIO,
            target=sql_table(queries.DARK_RATIO),
            no_value="unknown",
            steps=DARK_COLORS,
        ),
    ],
)

USAGE_NUMBERS = Line(
    height=3,
    cells=[
        stat(
            "Cache hits",
            width=6,
            help="Cached input tokens over all input tokens in usage reports of the range's UTC"
            " days.",
            unit=RATIO,
            target=sql_table(queries.CACHE_HIT_RATIO),
            no_value="unknown",
        ),
        stat(
            "Saved by caching",
            width=6,
            help="The estimate had nothing been cached, less the estimate; below zero where writing"
            " to the cache cost more than reading saved.",
            unit=USD,
            target=sql_table(queries.SAVED_BY_CACHING),
            no_value="unknown",
        ),
        stat(
            "Unpriced tokens",
            width=6,
            help="Tokens of the range's UTC days whose cost is unknown, which is not zero; the"
            " estimate leaves them out.",
            unit=TOKENS,
            target=sql_table(queries.UNPRICED_TOKENS),
            no_value="no usage",
            steps=ANY_IS_ORANGE,
        ),
        stat(
            "Age of the usage",
            width=6,
            help="Time since usage of the source furthest behind was read to; some providers tell"
            " whole days only, a day late.",
            unit=SECONDS,
            target=sql_table(queries.USAGE_AGE),
            no_value="not read",
            steps=USAGE_AGE_COLORS,
        ),
    ],
)
