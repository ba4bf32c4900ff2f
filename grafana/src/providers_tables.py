"""The providers dashboard's tables: providers, failures and their blame, incidents, reliability."""

from __future__ import annotations

from grafana.src import providers_queries as queries
from grafana.src.colors import ANY_IS_RED, BLAME_COLORS, LEVEL_COLORS
from grafana.src.columns import Column
from grafana.src.layout import Cell, Line
from grafana.src.panels import AGO, COUNT, RATIO, SECONDS, TEXT, TIME, table
from grafana.src.run_links import run_column
from grafana.src.targets import sql_table

_UNKNOWN = "–"
_PAGE = Column(name="Page", unit=TEXT, width_px=130, filter=True, unknown=_UNKNOWN)


def _level(name: str, width_px: int = 125) -> Column:
    return Column(
        name=name, unit=TEXT, width_px=width_px, colors=LEVEL_COLORS, unknown=_UNKNOWN, filter=True
    )


def _link(name: str, title: str, width_px: int = 85) -> Column:
    return Column(
        name=name,
        unit=TEXT,
        width_px=width_px,
        texts={"^https?://.*": "open ↗"},
        unknown=" ",  # an empty one would be the panel's
        link=(title, "${__value.raw}"),
    )


_DETAILS = _link("Details", "Open the incident on its page")

HEALTH = Line(
    height=9,
    cells=[
        table(
            "What they say, and how they serve us",
            help="A row per provider that has a page or was called in the range: what its page says"
            " now, and how the range's calls went.",
            target=sql_table(queries.HEALTH_ROWS),
            no_value="no provider is known yet",
            columns=[
                Column(name="Provider", unit=TEXT, width_px=140, filter=True),
                Column(name="Page", unit=TEXT, unknown=_UNKNOWN),
                _level("Says"),
                Column(name="Why unknown", unit=TEXT, width_px=120, unknown=_UNKNOWN),
                Column(name="Since", unit=AGO, width_px=130, unknown=_UNKNOWN),
                Column(name="Calls", unit=COUNT, width_px=85),
                Column(name="Failed", unit=COUNT, width_px=85, steps=ANY_IS_RED),
                Column(name="Error rate", unit=RATIO, width_px=100, unknown=_UNKNOWN),
                Column(name="P95", unit=SECONDS, width_px=95, unknown=_UNKNOWN),
                _link("Status page", "Open the status page", 110),
            ],
        )
    ],
)

FAILURES = Line(
    height=10,
    cells=[
        table(
            "Failures: ours or theirs",
            help="The newest 100 failed runs of the range, by the failed model call that says most"
            " against its provider; the page's word is of that moment.",
            target=sql_table(queries.FAILURE_ROWS),
            no_value="nothing failed in this range",
            columns=[
                Column(name="Started", unit=TIME, width_px=165),
                Column(name="Workflow", unit=TEXT, filter=True),
                Column(name="Source", unit=TEXT, width_px=110, filter=True),
                run_column(),
                Column(name="Status", unit=TEXT, width_px=95, filter=True),
                Column(name="Blame", unit=TEXT, width_px=140, colors=BLAME_COLORS, filter=True),
                Column(name="Provider", unit=TEXT, width_px=110, unknown=_UNKNOWN, filter=True),
                _level("Page said"),
                Column(name="Others failing", unit=COUNT, width_px=120, unknown=_UNKNOWN),
                Column(name="Incident", unit=TEXT, unknown=_UNKNOWN),
                _DETAILS,
            ],
        )
    ],
)

OPEN_INCIDENTS = Line(
    heading="Incidents",
    height=7,
    cells=[
        table(
            "Not over yet",
            help="Incidents that the pages tell of and that are not over, the worst first,"
            " whatever range is shown.",
            target=sql_table(queries.OPEN_INCIDENT_ROWS),
            no_value="no page tells of an open incident",
            columns=[
                Column(name="Since", unit=TIME, width_px=165),
                _PAGE,
                Column(name="Incident", unit=TEXT, width_px=300),
                _level("Severity"),
                Column(name="Components", unit=TEXT, width_px=220),
                Column(name="Lasts for", unit=SECONDS, width_px=95),
                Column(name="Newest update", unit=TEXT, unknown=_UNKNOWN),
                _DETAILS,
            ],
        )
    ],
)

PAST_INCIDENTS = Line(
    height=8,
    cells=[
        table(
            "Recent incidents",
            help="The newest 50 incidents that began before the range's end and are over,"
            " maintenances left out.",
            target=sql_table(queries.RECENT_INCIDENT_ROWS),
            no_value="no page told of an incident",
            columns=[
                Column(name="Began", unit=TIME, width_px=165),
                _PAGE,
                Column(name="Incident", unit=TEXT),
                _level("Severity"),
                Column(name="Lasted", unit=SECONDS, width_px=95, unknown=_UNKNOWN),
                Column(name="Components", unit=TEXT, width_px=400),
                _DETAILS,
            ],
        )
    ],
)

LEADS = Line(
    height=8,
    cells=[
        table(
            "Who noticed first",
            help="Incidents of 90 days: by how long failing calls of ours came before the page told"
            " of it; below zero, the page was first.",
            target=sql_table(queries.LEAD_ROWS),
            no_value="no provider that we call had an incident",
            columns=[
                Column(name="Page told it", unit=TIME, width_px=165),
                _PAGE,
                Column(name="Incident", unit=TEXT),
                _level("Severity"),
                Column(name="Our calls failed", unit=TIME, width_px=165, unknown="not noticed"),
                Column(name="We were ahead by", unit=SECONDS, width_px=145, unknown=_UNKNOWN),
                Column(name="Failed calls", unit=COUNT, width_px=110),
                _DETAILS,
            ],
        )
    ],
)


def _time_table(days: int, rows: str) -> Cell:
    """Show how long each page was at each level."""
    return table(
        f"Reliability over {days} days",
        width=12,
        help=f"How long each page was at each level in the last {days} days, whatever range is"
        " shown; Operational is of the time that is known.",
        target=sql_table(rows),
        no_value="no page was read",
        columns=[
            Column(name="Page", unit=TEXT),
            Column(name="Operational", unit=RATIO, width_px=105, unknown=_UNKNOWN),
            Column(name="Maintenance", unit=SECONDS, width_px=110),
            Column(name="Degraded", unit=SECONDS, width_px=95),
            Column(name="Partial outage", unit=SECONDS, width_px=115),
            Column(name="Major outage", unit=SECONDS, width_px=110),
            Column(name="Unknown", unit=SECONDS, width_px=95),
        ],
    )


RELIABILITY = Line(
    heading="How reliable are they?",
    height=9,
    cells=[
        _time_table(30, queries.TIME_ROWS_30_DAYS),
        _time_table(90, queries.TIME_ROWS_90_DAYS),
    ],
)
