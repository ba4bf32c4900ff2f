"""The panel that shows one run as a trace."""

from __future__ import annotations

import warnings

with warnings.catch_warnings():
    # Its classic builders announce the v2 schema, which Grafana's file provider refuses.
    warnings.simplefilter("ignore", DeprecationWarning)
    from grafana_foundation_sdk.builders import dashboard as builder

from grafana.src.layout import GRID_COLUMNS, Cell
from grafana.src.panels import TEXT
from grafana.src.targets import Target


def trace(title: str, *, help: str, target: Target, no_value: str) -> Cell:  # noqa: A002
    """Show spans as a waterfall; the query answers a row a span, in the words of Grafana's frames.

    Columns: https://grafana.com/docs/grafana/latest/explore/trace-integration/#data-frame-structure
    """
    panel = (
        builder.Panel().type("traces").title(title).description(help).unit(TEXT).no_value(no_value)
        .datasource(target.datasource).with_target(target)
    )  # fmt: skip
    return Cell(width=GRID_COLUMNS, panel=panel.build())
