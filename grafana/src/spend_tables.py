"""The spend dashboard's tables: bill against estimate, whose cost it is, credits and reports."""

from __future__ import annotations

from grafana.src import spend_queries as queries
from grafana.src.colors import ANY_IS_ORANGE, BALANCE_COLORS, DARK_COLORS, GAP_COLORS
from grafana.src.columns import Column
from grafana.src.layout import Cell, Line
from grafana.src.panels import AGO, COUNT, RATIO, TEXT, TIME, TOKENS, USD, table
from grafana.src.run_links import address_column, run_column
from grafana.src.targets import sql_table

_UNKNOWN = "–"
_PROVIDER = Column(name="Provider", unit=TEXT, width_px=110, filter=True)
_OVERVIEW = "/d/aiwf-overview?var-workflow=${__value.raw:percentencode}&${__url_time_range}"


def _usd(name: str, width_px: int = 95) -> Column:
    return Column(name=name, unit=USD, width_px=width_px, unknown=_UNKNOWN)


AGREEMENT = Line(
    heading="Do the costs agree?",
    height=10,
    cells=[
        table(
            "Estimated against billed",
            help="A row a provider and UTC day; the gap is of the bill to the estimate from usage,"
            " or else from our calls, once both have settled.",
            target=sql_table(queries.RECONCILIATION_ROWS),
            no_value="no provider's reports are read",
            columns=[
                Column(name="Day", unit=TEXT, width_px=110),
                Column(name="Provider", unit=TEXT, filter=True),
                _usd("Billed", 120),
                _usd("From usage", 120),
                _usd("Gap", 120),
                Column(
                    name="Gap of bill", unit=RATIO, width_px=110, steps=GAP_COLORS, unknown=_UNKNOWN
                ),
                _usd("From calls", 120),
                _usd("Gateway", 120),
                Column(name="Unpriced tokens", unit=TOKENS, width_px=135, steps=ANY_IS_ORANGE),
                Column(name="State", unit=TEXT, width_px=100, filter=True),
            ],
        )
    ],
)

PROVIDERS = Line(
    height=7,
    cells=[
        table(
            "Dark spend by provider",
            width=13,
            help="What each provider costs in the range's UTC days, and how much of it the calls of"
            " our workflows come to; the rest is dark.",
            target=sql_table(queries.DARK_ROWS),
            no_value="no day of which bill or usage and our calls are known",
            columns=[
                Column(name="Provider", unit=TEXT, filter=True),
                _usd("Cost", 110),
                _usd("Our workflows", 125),
                _usd("Dark", 110),
                Column(
                    name="Dark share",
                    unit=RATIO,
                    width_px=105,
                    steps=DARK_COLORS,
                    unknown=_UNKNOWN,
                ),
                Column(name="Unpriced calls", unit=COUNT, width_px=125, steps=ANY_IS_ORANGE),
            ],
        ),
        table(
            "This month by provider",
            width=11,
            help="The UTC month so far and what it will come to; unknown days, before today, are"
            " missing in both.",
            target=sql_table(queries.MONTH_ROWS),
            no_value="nothing is known of this month",
            columns=[
                Column(name="Provider", unit=TEXT, filter=True),
                _usd("Month to date", 125),
                _usd("Projected", 110),
                Column(name="Unknown days", unit=COUNT, width_px=125, steps=ANY_IS_ORANGE),
            ],
        ),
    ],
)


def _calls_table(title: str, *, of: str, name: str, width: int, link: bool = False) -> Cell:
    """Show what calls of workflows cost, by one thing that they are known by."""
    per_call = [_usd("Cost per call", 115)] if link else []
    return table(
        title,
        width=width,
        help=f"What our workflows' calls of the range's UTC days cost by {name.lower()}, dearest"
        " first; unpriced calls are left out of the cost.",
        target=sql_table(of),
        no_value="no calls in this range",
        columns=[
            Column(
                name=name,
                unit=TEXT,
                link=("Show this workflow in the overview", _OVERVIEW) if link else None,
            ),
            _usd("Cost"),
            Column(name="Calls", unit=COUNT, width_px=75),
            *per_call,
            Column(name="Unpriced", unit=COUNT, width_px=90, steps=ANY_IS_ORANGE),
        ],
    )


WORKFLOWS = Line(
    heading="What our workflows' calls cost",
    height=9,
    cells=[
        _calls_table(
            "Workflows by cost", of=queries.WORKFLOW_ROWS, name="Workflow", width=10, link=True
        ),
        _calls_table("Customers by cost", of=queries.CUSTOMER_ROWS, name="Customer", width=7),
        _calls_table("Teams by cost", of=queries.TEAM_ROWS, name="Team", width=7),
    ],
)

CALLS = Line(
    height=9,
    cells=[
        table(
            "Most expensive calls",
            help="The 50 dearest single calls of the range; one that a workflow engine and a"
            " gateway both tell stands here twice.",
            target=sql_table(queries.COSTLY_CALLS),
            no_value="no priced calls in this range",
            columns=[
                Column(name="Started", unit=TIME, width_px=165),
                Column(name="Workflow", unit=TEXT, filter=True),
                Column(name="Source", unit=TEXT, width_px=130, filter=True),
                Column(name="Customer", unit=TEXT, width_px=130, unknown=_UNKNOWN, filter=True),
                Column(name="Model", unit=TEXT, width_px=220, filter=True),
                Column(name="Input", unit=TOKENS, width_px=85, unknown=_UNKNOWN),
                Column(name="Output", unit=TOKENS, width_px=85, unknown=_UNKNOWN),
                _usd("Cost"),
                Column(name="Cost is", unit=TEXT, width_px=90),
                run_column(),
                address_column("Engine", "Open the run in its engine"),
            ],
        )
    ],
)


def _told_by(title: str, *, of: str, name: str) -> Cell:
    """Show what providers bill and report by one of their dimensions."""
    return table(
        title,
        width=8,
        help=f"Estimate from usage and bill by {name}, over the range's UTC days; a provider that"
        " does not tell one by it leaves it under not named.",
        target=sql_table(of),
        no_value="no usage and no bill in this range",
        columns=[
            Column(name=name[0].upper() + name[1:], unit=TEXT),
            _PROVIDER,
            _usd("Estimated"),
            _usd("Billed"),
        ],
    )


REPORTED = Line(
    heading="What providers report by project, key and user",
    height=9,
    cells=[
        _told_by("Projects", of=queries.PROJECT_ROWS, name="project"),
        _told_by("API keys", of=queries.KEY_ROWS, name="API key"),
        table(
            "Users",
            width=8,
            help="Estimate from usage by user, over the range's UTC days; bills do not tell users.",
            target=sql_table(queries.USER_ROWS),
            no_value="no usage in this range",
            columns=[
                Column(name="User", unit=TEXT),
                _PROVIDER,
                _usd("Estimated"),
                Column(name="Tokens", unit=TOKENS, width_px=90),
            ],
        ),
    ],
)

STATE = Line(
    heading="Credits, and how fresh all this is",
    height=9,
    cells=[
        table(
            "Balances",
            width=12,
            help="What is left of each credit and quota, the scarcest first; without a limit nobody"
            " knows what share that is.",
            target=sql_table(queries.BALANCE_ROWS),
            no_value="no source tells a balance",
            columns=[
                Column(name="Balance", unit=TEXT),
                Column(name="Source", unit=TEXT, width_px=120),
                Column(name="Unit", unit=TEXT, width_px=90),
                Column(name="Remaining", unit=COUNT, width_px=105, unknown=_UNKNOWN),
                Column(name="Limit", unit=COUNT, width_px=90, unknown=_UNKNOWN),
                Column(
                    name="Left", unit=RATIO, width_px=75, steps=BALANCE_COLORS, unknown=_UNKNOWN
                ),
                Column(name="Unchanged since", unit=AGO, width_px=140),
            ],
        ),
        table(
            "Reports",
            width=12,
            help="How far each provider's report is read, and until when it has settled as far as"
            " the provider tells, the furthest behind first.",
            target=sql_table(queries.REPORT_ROWS),
            no_value="no provider's reports are read",
            columns=[
                Column(name="Report", unit=TEXT),
                Column(name="Source", unit=TEXT, width_px=120, filter=True),
                Column(name="Tells", unit=TEXT, width_px=80, filter=True),
                Column(name="Read from", unit=AGO, width_px=125),
                Column(name="Read until", unit=AGO, width_px=135),
                Column(name="Settled until", unit=AGO, width_px=135),
            ],
        ),
    ],
)
