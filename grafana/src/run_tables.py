"""The run page's tables: facts, errors, shares, steps, model calls, and what stands around."""

from __future__ import annotations

from grafana.src import run_queries as queries
from grafana.src.colors import ANY_IS_ORANGE, ANY_IS_RED, LEVEL_COLORS, STATUS_COLORS
from grafana.src.columns import Column, Steps
from grafana.src.layout import Line
from grafana.src.panels import COUNT, NEUTRAL, RATIO, SECONDS, TEXT, TIME, TOKENS, USD, table
from grafana.src.run_links import RUNS_UID, address_column, run_column, trace_column
from grafana.src.targets import sql_table

_UNKNOWN = "–"
_NO_RUN = "no such run"
_CONTEXT_COLORS: Steps = ((None, NEUTRAL), (0.8, "orange"), (0.95, "red"))


def _text(name: str, width_px: int | None = None) -> Column:
    return Column(name=name, unit=TEXT, width_px=width_px, unknown=_UNKNOWN)


def _long(name: str, width_px: int | None = None) -> Column:
    return Column(name=name, unit=TEXT, width_px=width_px, unknown=_UNKNOWN, inspect=True)


def _count(name: str, width_px: int = 80, steps: Steps | None = None) -> Column:
    return Column(name=name, unit=COUNT, width_px=width_px, unknown=_UNKNOWN, steps=steps)


def _seconds(name: str, width_px: int = 90) -> Column:
    return Column(name=name, unit=SECONDS, width_px=width_px, unknown=_UNKNOWN)


def _usd(unknown: str = "unknown") -> Column:
    return Column(name="Cost", unit=USD, width_px=105, unknown=unknown)


def _share(name: str) -> Column:
    return Column(name=name, unit=RATIO, width_px=150, unknown=_UNKNOWN, bar=True)


def _status(name: str = "Status", width_px: int = 90) -> Column:
    return Column(name=name, unit=TEXT, width_px=width_px, colors=STATUS_COLORS, filter=True)


_AT = Column(name="At", unit=TIME, width_px=185, unknown=_UNKNOWN)
_STARTED = Column(name="Started", unit=TIME, width_px=185, unknown=_UNKNOWN)
_TOKENS = [
    Column(name=name, unit=TOKENS, width_px=80, unknown=_UNKNOWN) for name in ("Input", "Output")
]

FACTS = Line(
    height=4,
    cells=[
        table(
            "What ran",
            width=14,
            help="The run as its engine tells it; where its steps are unknown, so are its calls and"
            " its cost, and here stands why.",
            target=sql_table(queries.FACTS),
            no_value=_NO_RUN,
            columns=[
                Column(name="Workflow", unit=TEXT),
                _text("Version", 90),
                _text("Trigger", 85),
                _text("Customer", 110),
                _text("Project", 90),
                _text("Team", 80),
                _text("Tags", 90),
                _count("Steps", 65),
                _count("Items", 65),
                _count("Items failed", 95, ANY_IS_ORANGE),
                _text("What it did is", 150),
            ],
        ),
        table(
            "Where to look further",
            width=10,
            help="The run in its engine, its trace where Tempo receives it, what it repeats, what"
            " called it, and all runs of its workflow.",
            target=sql_table(queries.LINKS),
            no_value=_NO_RUN,
            columns=[
                _text("Source", 110),
                run_column("Run", 100),
                run_column("Retry of", 85),
                run_column("Called by", 85),
                address_column("Engine", "Open the run in its engine", 75),
                trace_column("Trace", 85),
                Column(
                    name="All runs",
                    unit=TEXT,
                    link=(
                        "Show all runs of this workflow",
                        f"/d/{RUNS_UID}?var-workflow=${{__value.raw:percentencode}}",
                    ),
                ),
            ],
        ),
    ],
)

ERRORS = Line(
    height=5,
    cells=[
        table(
            "What went wrong",
            help="Each step that failed, with what it had received; the run's own error where no"
            " step tells it. The eye in a cell opens the whole text.",
            target=sql_table(queries.ERRORS),
            no_value="nothing that is known of",
            columns=[
                _AT,
                _text("Step", 170),
                _status(),
                _text("Error type", 170),
                _long("Message"),
                _long("Stack", 220),
                _long("Parameters", 200),
                _long("Received", 260),
            ],
        )
    ],
)

SHARES = Line(
    heading="Where time and money went",
    height=8,
    cells=[
        table(
            "Where the time went",
            width=12,
            help="Steps of one name together; own time leaves out what other steps did for them."
            " Shares are of the run's clock: what ran side by side passed once.",
            target=sql_table(queries.TIME),
            no_value="no step is known",
            columns=[
                Column(name="Step", unit=TEXT),
                _text("Kind", 80),
                _count("Times", 65),
                _seconds("Time"),
                _share("Share"),
                _seconds("Own time"),
                _share("Own share"),
            ],
        ),
        table(
            "Where the money went",
            width=12,
            help="Cost by step and model; unknown is not zero, and is no share of what is known.",
            target=sql_table(queries.MONEY),
            no_value="no model call is known",
            columns=[
                Column(name="Step", unit=TEXT),
                Column(name="Model", unit=TEXT, width_px=170),
                _count("Calls", 65),
                *_TOKENS,
                _usd(),
                _share("Share"),
                _count("Unpriced", 80, ANY_IS_ORANGE),
                _count("Estimated", 85),
            ],
        ),
    ],
)

STEPS = Line(
    heading="Step by step",
    height=10,
    cells=[
        table(
            "Steps",
            help="The first 1,000 steps in the order they began in, ↳ those done for another. What"
            " a retry copied ran in another run: it has no share here.",
            target=sql_table(queries.STEPS),
            no_value="no step is known; above stands why",
            columns=[
                Column(name="Step", unit=TEXT, width_px=230),
                Column(name="Kind", unit=TEXT, width_px=85, filter=True),
                _status(),
                _seconds("Began after", 100),
                _seconds("Duration"),
                _share("Share"),
                _seconds("Own time"),
                Column(
                    name="Attempt", unit=COUNT, width_px=80, steps=((None, NEUTRAL), (2, "orange"))
                ),
                _count("Items in"),
                _count("Items out"),
                _count("Items failed", 95, ANY_IS_RED),
                _usd(_UNKNOWN),
                _count("Unpriced", 80, ANY_IS_ORANGE),
                _text("Signals", 130),
                _text("Error type", 150),
                _long("Message"),
                _text("Copied from", 105),
            ],
        )
    ],
)

CONTENT = Line(
    height=10,
    cells=[
        table(
            "Inputs and outputs",
            help="What each of the first 300 steps received, from which one, and what it gave on;"
            " of a model, prompt and response. A dash: nothing, or not kept.",
            target=sql_table(queries.CONTENT),
            no_value="no step is known",
            columns=[
                Column(name="Step", unit=TEXT, width_px=200),
                _status(),
                _text("From", 170),
                _long("Received"),
                _long("Gave on"),
            ],
        )
    ],
)

MODEL_CALLS = Line(
    heading="Models",
    height=8,
    cells=[
        table(
            "Calls of models",
            help="The first 300 calls; Context is the share of the model's window that the input"
            " took. The eye opens a prompt or response, as far as it is kept.",
            target=sql_table(queries.MODEL_CALLS),
            no_value="no model call is known",
            columns=[
                _STARTED,
                _text("Step", 140),
                Column(name="Model", unit=TEXT, width_px=160, filter=True),
                _status(),
                *_TOKENS,
                Column(name="Cached", unit=TOKENS, width_px=80, unknown=_UNKNOWN),
                Column(
                    name="Context", unit=RATIO, width_px=80, unknown=_UNKNOWN, steps=_CONTEXT_COLORS
                ),
                _usd(_UNKNOWN),
                _text("Cost is", 85),
                _seconds("Latency", 80),
                _seconds("First token", 90),
                _text("Ended by", 85),
                _text("Signals", 130),
                _text("Error type", 140),
                _long("Prompt"),
                _long("Response"),
            ],
        )
    ],
)

AROUND = Line(
    heading="Around it",
    height=10,
    cells=[
        table(
            "Its neighbours",
            width=15,
            help="Ten runs of the workflow before and after this one, its retries, what it called"
            " and what called it; a click on an id shows that run.",
            target=sql_table(queries.SIBLINGS),
            no_value=_NO_RUN,
            columns=[
                _STARTED,
                Column(name="It is", unit=TEXT, width_px=130, filter=True),
                run_column(),
                Column(name="Source", unit=TEXT, width_px=110),
                Column(name="Workflow", unit=TEXT, width_px=170),
                _status(),
                _seconds("Duration"),
                _usd(),
                _text("Error type", 140),
                _long("Message"),
            ],
        ),
        table(
            "What its providers said meanwhile",
            width=9,
            help="The worst that the status page of each called provider told between the run's"
            " start and end, and its incidents.",
            target=sql_table(queries.PROVIDERS),
            no_value="no provider was called",
            columns=[
                Column(name="Provider", unit=TEXT, width_px=100),
                _count("Calls", 65),
                _count("Failed", 65, ANY_IS_RED),
                Column(name="Page said", unit=TEXT, width_px=115, colors=LEVEL_COLORS),
                _text("Why unknown", 110),
                _long("Incidents"),
                address_column("Details", "Open the incident, or the status page"),
            ],
        ),
    ],
)

OUTCOMES = Line(
    height=5,
    cells=[
        table(
            "What came of it",
            help="Business results that were told of this run.",
            target=sql_table(queries.OUTCOMES),
            no_value="no result was told of this run",
            columns=[
                _AT,
                Column(name="Outcome", unit=TEXT, width_px=250),
                Column(name="Value", unit=COUNT, width_px=120),
                _text("Unit", 120),
                _long("Attributes"),
            ],
        )
    ],
)
