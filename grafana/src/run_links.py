"""Links to runs: to the page of one, to its engine, to its trace."""

from __future__ import annotations

import json
from urllib.parse import quote

from grafana.src.columns import Column
from grafana.src.panels import TEXT

RUN_UID, RUNS_UID = "aiwf-run", "aiwf-runs"
_VALUE = "${__value.raw:percentencode}"
_SOURCE = "${__data.fields.Source:percentencode}"
TEMPO_UID = "tempo"


def run_column(name: str = "Run", width_px: int = 110) -> Column:
    """Return the column that holds the id of a run; its source stands in the column Source."""
    page = f"/d/{RUN_UID}?var-source={_SOURCE}&var-execution_id={_VALUE}"
    return Column(
        name=name,
        unit=TEXT,
        width_px=width_px,
        unknown=" ",  # an empty one would be the panel's
        link=("Open the run", page),
    )


def address_column(name: str, title: str, width_px: int = 85) -> Column:
    """Return a column that holds addresses of the web."""
    return Column(
        name=name,
        unit=TEXT,
        width_px=width_px,
        texts={"^https?://.*": "open ↗"},
        unknown=" ",
        link=(title, "${__value.raw}"),
    )


def trace_column(name: str, width_px: int = 85) -> Column:
    """Return the column that holds the id of a trace, as it is found in Tempo."""
    query = {
        "refId": "A",
        "datasource": {"type": "tempo", "uid": TEMPO_UID},
        "queryType": "traceql",
        "query": "TRACE",
    }
    pane = {
        "datasource": TEMPO_UID,
        "queries": [query],
        "range": {"from": "now-24h", "to": "now"},
    }
    panes = quote(json.dumps({"run": pane}, separators=(",", ":"))).replace("TRACE", _VALUE)
    return Column(
        name=name,
        unit=TEXT,
        width_px=width_px,
        texts={"^[0-9a-f]{32}$": "in Tempo"},
        unknown=" ",
        link=("Open the trace in Tempo", f"/explore?schemaVersion=1&panes={panes}"),
    )
