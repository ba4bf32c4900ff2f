"""Dashboards: lines of panels on Grafana's grid, numbered and linked."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

with warnings.catch_warnings():
    # Its classic builders announce the v2 schema, which Grafana's file provider refuses.
    warnings.simplefilter("ignore", DeprecationWarning)
    from grafana_foundation_sdk.builders import dashboard as builder
from grafana_foundation_sdk.models import common
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models.dashboard import Dashboard

from grafana.src.annotations import annotations_and_alerts, budget_actions, provider_incidents

GRID_COLUMNS = 24
TAG = "aiwf"
ALL_VALUE = "'__all__'"  # Grafana inserts it as it stands, without quotes of its own

__all__ = [
    "ALL_VALUE",
    "GRID_COLUMNS",
    "TAG",
    "Cell",
    "Dashboard",
    "Line",
    "Variable",
    "choice_variable",
    "chosen",
    "dashboard",
    "query_variable",
    "single_variable",
    "text_variable",
]
Variable = builder.QueryVariable | builder.CustomVariable | builder.TextBoxVariable


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A panel and how many of the 24 columns it takes."""

    width: int
    panel: model.Panel


@dataclass(frozen=True, kw_only=True)
class Line:
    """Panels side by side, of one height; with a heading, the start of a section."""

    height: int
    cells: Sequence[Cell]
    heading: str | None = None


def place(lines: Sequence[Line]) -> list[model.Panel | model.RowPanel]:
    """Number the panels and put them on the grid, line under line.

    Raises:
        ValueError: a line is not 24 columns wide, or two panels have one title.
    """
    placed: list[model.Panel | model.RowPanel] = []
    titles: set[str] = set()
    y = 0
    for line in lines:
        if (width := sum(cell.width for cell in line.cells)) != GRID_COLUMNS:
            raise ValueError(f"a line of panels is {width} columns wide, not {GRID_COLUMNS}")
        if line.heading is not None:
            row = builder.Row(line.heading).id(len(placed) + 1).build()
            row.grid_pos = model.GridPos(x=0, y=y, w=GRID_COLUMNS, h=1)
            placed.append(row)
            y += 1
        x = 0
        for cell in line.cells:
            if (title := cell.panel.title or "") in titles:
                raise ValueError(f"two panels are titled {title!r}; alert rules name one by it")
            titles.add(title)
            cell.panel.id_val = len(placed) + 1
            cell.panel.grid_pos = model.GridPos(x=x, y=y, w=cell.width, h=line.height)
            placed.append(cell.panel)
            x += cell.width
        y += line.height
    return placed


def dashboard(
    *,
    uid: str,
    title: str,
    description: str,
    tag: str,
    lines: Sequence[Line],
    variables: Sequence[Variable] = (),
    shows: tuple[str, str] = ("now-24h", "now"),
    timezone: str = "browser",
    refresh: str = "1m",
    incidents: bool = True,
    has_time: bool = True,
) -> Dashboard:
    """Join lines of panels into a dashboard that the browser cannot save over.

    `shows` is the range of time it opens with; `incidents` of providers, and what budgets did, are
    drawn over its panels. One that has no time shows the same whatever range is chosen, and lets
    nobody choose one.
    """
    made = (
        builder.Dashboard(title).uid(uid).description(description).tags([tag])
        .readonly().timezone(timezone).time(*shows).refresh(refresh)
        .tooltip(model.DashboardCursorSync.CROSSHAIR)
        .variables(list(variables))
        .annotation(annotations_and_alerts())
        .link(_other_dashboards())
    )  # fmt: skip
    if incidents:
        made = made.annotation(provider_incidents()).annotation(budget_actions())
    if not has_time:
        made = made.timepicker(builder.TimePicker().hidden(True))
    board = made.build()
    board.panels = place(lines)
    return board


def _other_dashboards() -> builder.DashboardLink:
    return (
        builder.DashboardLink("AI workflows").type(model.DashboardLinkType.DASHBOARDS).tags([TAG])
        .as_dropdown(True).include_vars(True).keep_time(True)
    )  # fmt: skip


def query_variable(
    name: str, label: str, query: str, datasource: common.DataSourceRef
) -> builder.QueryVariable:
    """Let the reader choose one, several or all of the query's answers; see `chosen`."""
    return (
        builder.QueryVariable(name).label(label).datasource(datasource).query(query)
        .refresh(model.VariableRefresh.ON_DASHBOARD_LOAD)
        .multi(True).include_all(True).all_value(ALL_VALUE)
        .current(model.VariableOption(selected=True, text=["All"], value=["$__all"]))
    )  # fmt: skip


def single_variable(
    name: str, label: str, query: str, datasource: common.DataSourceRef
) -> builder.QueryVariable:
    """Let the reader choose one of the query's answers, of which the first is any of them."""
    return (
        builder.QueryVariable(name).label(label).datasource(datasource).query(query)
        .refresh(model.VariableRefresh.ON_DASHBOARD_LOAD)
        .current(model.VariableOption(selected=True, text="any", value=ALL_VALUE.strip("'")))
    )  # fmt: skip


def choice_variable(name: str, label: str, choices: Sequence[str]) -> builder.CustomVariable:
    """Let the reader choose one, several or all of these words; see `chosen`."""
    return (
        builder.CustomVariable(name).label(label).values(",".join(choices))
        .multi(True).include_all(True).all_value(ALL_VALUE)
        .current(model.VariableOption(selected=True, text=["All"], value=["$__all"]))
    )  # fmt: skip


def text_variable(name: str, label: str, description: str) -> builder.TextBoxVariable:
    """Let the reader type something; nothing, at first."""
    return (
        builder.TextBoxVariable(name).label(label).description(description).default_value("")
        .current(model.VariableOption(selected=True, text="", value=""))
    )  # fmt: skip


def chosen(name: str) -> str:
    """Return the condition that the column of a variable's name holds what the reader chose."""
    values = f"(${{{name}:sqlstring}})"
    return f"({ALL_VALUE} IN {values} OR {name} IN {values})"
