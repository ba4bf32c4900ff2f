"""Dashboards: they fit the grid, every query runs, every name exists."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime, timedelta
from itertools import combinations, pairwise, product
from typing import Any

import psycopg
import pytest
import yaml
from psycopg.rows import tuple_row

from exporter.records import CallSignal, ExecutionStatus, StepSignal
from grafana.src.colors import SIGNAL_COLORS, STATUS_COLORS
from tests.run_records import FAILED_RUN
from tests.shipped.grafana_macros import MacroError, expand_macros, insert_variables
from tests.shipped.shipped_files import (
    DASHBOARDS,
    ROOT,
    RULES,
    metric_names,
    panels,
    promql_of_dashboards,
    run,
    tool,
)

PANELS = [pytest.param(panel, id=f"{name}:{panel['title']}") for name, panel in panels()]


def _variables(name: str | None = None) -> list[dict[str, Any]]:
    boards = [board for file, board in DASHBOARDS.items() if name in (None, file)]
    return [variable for board in boards for variable in board["templating"]["list"]]


NUMBERED = [pytest.param(board, id=name) for name, board in DASHBOARDS.items()]
UNITS = {"locale", "short", "s", "percentunit", "currencyUSD", "none", "cpm", "dateTimeAsSystem"}
COLUMN_UNITS = UNITS | {"dateTimeFromNow"}
DATASOURCES = {"timescaledb", "prometheus"}
NAMES_NOT_SHOWN = {
    # Metrics that no panel and no alert uses, each for a reason.
    "aiwf_execution_duration_seconds": "durations on the page come from the database, exactly",
    "aiwf_execution_errors_total": "the failures on the page come from the database",
    "aiwf_llm_estimated_calls_total": "the table's column Estimated comes from the database",
    "aiwf_llm_tokens_total": "tokens on the page come from the database",
    "aiwf_llm_cost_usd_total": "cost on the page comes from the database",
    "aiwf_llm_time_to_first_token_seconds": "for a page on models",
    "aiwf_budgets_as_of_timestamp_seconds": "for people's own alerts",
    "aiwf_config_last_reload_success_timestamp_seconds": "for people's own alerts",
    "aiwf_source_caught_up": "for people's own alerts",
    "aiwf_label_values_folded": "for people's own alerts",
    "aiwf_provider_cost_as_of_timestamp_seconds": "the page shows how far reports are read",
    "aiwf_usage_requests_observed_total": "for people's own alerts: days come from the database",
    "aiwf_usage_tokens_observed_total": "for people's own alerts: days come from the database",
    "aiwf_usage_revisions_negative_total": "for people's own alerts",
    "aiwf_provider_incidents_open": "incidents on the page come from the database",
    "aiwf_forwarded_bodies_total": "for people's own alerts",
    "aiwf_forwarding_lag_seconds": "for people's own alerts",
    "aiwf_signals_total": "signals on the page come from the database",
    "aiwf_outcomes_total": "outcomes of a run come from the database; for people's own alerts",
    "aiwf_outcome_value_total": "outcomes of a run come from the database; for people's own alerts",
}


@pytest.mark.parametrize("board", NUMBERED)
def test_panels_have_an_id_of_their_own(board):
    ids = [panel["id"] for panel in board["panels"]]

    assert len(set(ids)) == len(ids)
    assert 0 not in ids


@pytest.mark.parametrize("board", NUMBERED)
def test_panels_fill_the_grid_and_do_not_overlap(board):
    places = [panel["gridPos"] for panel in board["panels"]]

    for place in places:
        assert place["x"] + place["w"] <= 24
    for a, b in combinations(places, 2):
        beside = a["x"] + a["w"] <= b["x"] or b["x"] + b["w"] <= a["x"]
        above = a["y"] + a["h"] <= b["y"] or b["y"] + b["h"] <= a["y"]
        assert beside or above
    for y in {place["y"] for place in places}:
        assert sum(place["w"] for place in places if place["y"] == y) == 24


@pytest.mark.parametrize("board", NUMBERED)
def test_a_dashboard_is_named_like_its_file_and_not_saved_from_the_browser(board):
    assert f"{board['uid']}.json" in DASHBOARDS
    assert board["editable"] is False
    assert board["schemaVersion"] == 42
    assert "id" not in board or board["id"] is None


@pytest.mark.parametrize("board", NUMBERED)
def test_incidents_and_budget_actions_are_drawn_wherever_there_is_an_axis_of_time(board):
    built_in, *others = board["annotations"]["list"]

    assert built_in["builtIn"] == 1
    if all(panel["type"] == "text" for panel in board["panels"]):
        assert others == []
    else:
        assert [entry["name"] for entry in others] == ["Provider incidents", "Budget actions"]
        for entry in others:
            assert entry["enable"]
            assert entry["target"]["datasource"]["uid"] == "timescaledb"


@pytest.mark.parametrize("panel", PANELS)
def test_a_panel_says_what_it_counts(panel):
    sentence = panel["description"]

    assert panel["title"]
    assert sentence.endswith(".")
    assert 20 <= len(sentence) <= 180
    if panel["type"] != "text":
        assert panel["fieldConfig"]["defaults"]["unit"] in UNITS
        assert panel["fieldConfig"]["defaults"]["noValue"]
        assert panel["targets"]


@pytest.mark.parametrize("panel", PANELS)
def test_a_column_has_a_unit_that_exists_and_a_name_its_query_gives(panel):
    for override in panel.get("fieldConfig", {}).get("overrides", ()):
        for setting in override["properties"]:
            if setting["id"] == "unit":
                assert setting["value"] in COLUMN_UNITS
                assert f'AS "{override["matcher"]["options"]}"' in panel["targets"][0]["rawSql"]


@pytest.mark.parametrize("panel", PANELS)
def test_every_query_names_its_data_source(panel):
    for target in panel.get("targets", ()):
        assert target["datasource"]["uid"] in DATASOURCES
        assert panel["datasource"]["uid"] == target["datasource"]["uid"]


@pytest.mark.parametrize("panel", PANELS)
def test_no_colour_changes_without_a_rising_threshold(panel):
    steps = panel.get("fieldConfig", {}).get("defaults", {}).get("thresholds", {}).get("steps", [])
    values = [step["value"] for step in steps]

    assert values[:1] in ([], [None])
    assert all(a < b for a, b in pairwise(values[1:]))


@pytest.mark.parametrize("board", NUMBERED)
def test_links_lead_to_dashboards_that_exist(board):
    uids = {each["uid"] for each in DASHBOARDS.values()}
    text = yaml.safe_dump(board)
    found = {part.split("?")[0].split("/")[0] for part in text.split("/d/")[1:]}

    assert {uid for uid in found if uid.startswith("aiwf-")} <= uids


def test_all_is_written_with_its_quotes_because_grafana_adds_none():
    for variable in _variables():
        if variable["type"] != "textbox" and variable.get("includeAll"):
            assert variable["allValue"] == "'__all__'"
            assert variable["current"]["value"] == ["$__all"]


def test_a_variable_always_has_a_value_because_a_hole_breaks_every_query():
    for variable in _variables():
        if variable["type"] == "textbox":
            assert variable["current"]["value"] == variable["query"] == ""
        elif not variable.get("includeAll"):
            assert variable["current"]["value"] == "__all__"


def test_the_words_to_choose_from_are_those_of_records():
    offered = {variable["name"]: variable for variable in _variables("aiwf-runs.json")}

    assert offered["status"]["query"].split(",") == list(ExecutionStatus)
    assert offered["signal"]["query"].split(",") == [*CallSignal, *StepSignal]


def test_a_status_and_a_signal_have_a_colour():
    assert set(STATUS_COLORS) == set(ExecutionStatus)
    assert set(SIGNAL_COLORS) == {*CallSignal, *StepSignal}


@pytest.mark.parametrize("panel", PANELS)
def test_a_link_to_a_run_names_its_source_too(panel):
    for override in panel.get("fieldConfig", {}).get("overrides", ()):
        links = [
            link["url"]
            for setting in override["properties"]
            if setting["id"] == "links"
            for link in setting["value"]
            if "/d/aiwf-run?" in link["url"]
        ]
        for url in links:
            assert "var-source=${__data.fields.Source:percentencode}" in url
            assert 'AS "Source"' in panel["targets"][0]["rawSql"]


def test_every_table_of_failures_leads_to_the_run():
    leading = {panel["title"] for _, panel in panels() if "/d/aiwf-run?" in yaml.safe_dump(panel)}

    assert leading == {
        "Recent failures",
        "Failures: ours or theirs",
        "Most expensive calls",
        "Runs found",
        "Where to look further",
        "Its neighbours",
        "Far from usual",
        "Thresholds reached",
    }


def test_a_page_about_one_run_has_no_time_to_choose():
    assert DASHBOARDS["aiwf-run.json"]["timepicker"]["hidden"] is True
    assert "$__time" not in yaml.safe_dump(DASHBOARDS["aiwf-run.json"]["panels"])


def test_bills_are_shown_by_utc_days_and_months():
    board = DASHBOARDS["aiwf-spend.json"]

    assert board["timezone"] == "utc"
    assert board["time"] == {"from": "now/M", "to": "now/d"}


# The queries, as Grafana sends them, as the role it has.

NOW = datetime.now(UTC).replace(microsecond=0)
CHOICES: dict[str, dict[str, list[str] | None]] = {
    "all": {
        "source": None,
        "workflow": None,
        "provider": None,
        "model": None,
        "status": None,
        "signal": None,
        "execution_id": [FAILED_RUN],
        **{key: [""] for key in ("customer", "error", "seconds", "usd")},
    },
    "two": {
        "source": ["n8n-production"],
        "workflow": ["a", "b"],
        "provider": ["openai", "anthropic"],
        "model": ["gpt-5"],
        "status": ["error", "timeout"],
        "signal": ["retry", "circuit_open"],
        "execution_id": [""],
        "customer": ["acme"],
        "error": ["429"],
        "seconds": ["1,5"],
        "usd": ["0.5"],
    },
    "quoted": {
        "source": ["it's"],
        "workflow": ["O'Neill's \"flow\"", "100% (new)"],
        "provider": ["it's"],
        "model": ["O'Neill's \"model\"", "100% (new)"],
        "status": ["it's"],
        "signal": ["it's"],
        **{
            key: ["it's 100%_\\"] for key in ("execution_id", "customer", "error", "seconds", "usd")
        },
    },
}
DAYS = (1 / 24, 1, 365)


def _queries() -> list[Any]:
    found = []
    for name, board in DASHBOARDS.items():
        for variable in board["templating"]["list"]:
            if variable["type"] == "query":
                param = (variable["query"], "table")
                found.append(pytest.param(*param, id=f"{name}:${variable['name']}"))
        for entry in board["annotations"]["list"]:
            if "target" in entry:
                sql = entry["target"]["rawSql"]
                found.append(pytest.param(sql, "annotation", id=f"{name}:{entry['name']}"))
        for panel in board["panels"]:
            for target in panel.get("targets", ()):
                if "rawSql" in target:
                    param = (target["rawSql"], target["format"])
                    found.append(pytest.param(*param, id=f"{name}:{panel['title']}"))
    return found


def _ask(
    connection: psycopg.Connection[Any], sql: str, choice: str, days: float
) -> tuple[list[str], list[tuple[Any, ...]]]:
    sql = insert_variables(sql, CHOICES[choice], dict.fromkeys(CHOICES[choice], "'__all__'"))
    interval = f"{max(60, days * 86400 / 600):.0f}s"  # as many points as a panel is wide
    sql = expand_macros(sql, NOW - timedelta(days=days), NOW, interval=interval)
    with (
        connection.transaction(force_rollback=True),
        connection.cursor(row_factory=tuple_row) as cursor,
    ):
        cursor.execute(sql.encode())
        assert cursor.description is not None
        return [column.name for column in cursor.description], cursor.fetchall()


@pytest.mark.parametrize(("sql", "form"), _queries())
def test_every_query_runs_on_an_empty_database(sql, form, dashboard_connection_empty):
    for choice, days in product(CHOICES, DAYS):
        names, _ = _ask(dashboard_connection_empty, sql, choice, days)

        if form == "time_series":
            assert names[0] == "time"


@pytest.mark.parametrize(("sql", "form"), _queries())
def test_every_query_runs_on_a_filled_database(sql, form, dashboard_connection_full):
    for choice, days in product(CHOICES, DAYS):
        names, rows = _ask(dashboard_connection_full, sql, choice, days)

        if form == "annotation":
            assert names == ["time", "timeend", "text"]
        if form == "time_series":
            assert names[0] == "time"
            assert [row[0] for row in rows] == sorted(row[0] for row in rows)
            assert all(isinstance(row[0], datetime) for row in rows)


@pytest.mark.parametrize(("sql", "form"), _queries())
def test_every_query_finds_something_in_a_filled_database(sql, form, dashboard_connection_full):
    _, rows = _ask(dashboard_connection_full, sql, "all", 365)

    assert rows


INCIDENTS = DASHBOARDS["aiwf-overview.json"]["annotations"]["list"][1]["target"]["rawSql"]


def test_an_incident_is_drawn_as_long_as_it_lasts_also_into_the_range(dashboard_connection_full):
    now = datetime.now(UTC)

    def drawn(from_hours_ago: float, until_hours_ago: float) -> list[tuple[Any, ...]]:
        start, end = (now - timedelta(hours=hours) for hours in (from_hours_ago, until_hours_ago))
        answer = dashboard_connection_full.cursor(row_factory=tuple_row)
        return answer.execute(expand_macros(INCIDENTS, start, end).encode()).fetchall()

    ((began, ended, text),) = drawn(49, 48.5)
    assert ended - began == timedelta(hours=2)
    assert text == (
        "OpenAI: Errors &lt;b>&amp;&lt;/b> timeouts · partial outage · Chat Completions"
    )
    assert drawn(47, 2) == []
    ((_, until_now, text),) = drawn(1 / 6, -1)
    assert abs(until_now - now) < timedelta(minutes=10)
    assert "major outage" in text


def test_a_level_that_is_not_known_is_neither_left_out_nor_well(dashboard_connection_full):
    panel = next(panel for _, panel in panels() if panel["type"] == "state-timeline")

    _, rows = _ask(dashboard_connection_full, panel["targets"][0]["rawSql"], "all", 1)

    (states,) = (entry["options"] for entry in panel["fieldConfig"]["defaults"]["mappings"])
    assert {str(level) for _, _, level in rows} <= set(states)
    pages = {title: [level for _, page, level in rows if page == title] for _, title, _ in rows}
    assert {title: levels[-1] for title, levels in pages.items()} == {"Claude": -1, "OpenAI": 4}
    assert len({len(levels) for levels in pages.values()}) == 1
    assert states["-1"]["color"] not in ("green", states["0"]["color"])


def test_what_is_not_known_of_pages_is_no_zero(
    dashboard_connection_empty, dashboard_connection_full
):
    numbers = {panel["title"]: panel["targets"][0] for _, panel in panels() if "targets" in panel}
    told = {"Pages not well": 1, "Open incidents": 1, "Pages unknown": 1, "Provider pages": 1}
    for title, expected in told.items():
        sql = numbers[title]["rawSql"]

        assert _ask(dashboard_connection_empty, sql, "all", 1)[1] == [(None,)]
        assert _ask(dashboard_connection_full, sql, "all", 3)[1] == [(expected,)]


def test_a_number_with_a_change_answers_the_range_before_and_then_this_one(
    dashboard_connection_empty, dashboard_connection_full
):
    compared = [panel for _, panel in panels() if panel.get("options", {}).get("showPercentChange")]

    assert len(compared) >= 8
    for panel in compared:
        sql = panel["targets"][0]["rawSql"]
        _, empty = _ask(dashboard_connection_empty, sql, "all", 1)
        _, full = _ask(dashboard_connection_full, sql, "all", 1)

        assert empty in ([(0,), (None,)], [(0,), (0,)])
        assert len(full) == 2
        assert panel["options"]["reduceOptions"]["calcs"] == ["last"]


def test_the_traces_panel_answers_the_columns_and_types_that_grafana_reads(
    dashboard_connection_full,
):
    (panel,) = (panel for _, panel in panels() if panel["type"] == "traces")
    sql = insert_variables(panel["targets"][0]["rawSql"], CHOICES["all"], {"source": "'__all__'"})

    cursor = dashboard_connection_full.execute(sql.encode())

    types = {column.name: column.type_code for column in cursor.description}
    text, number, integer, jsonb = (
        psycopg.adapters.types[name].oid for name in ("text", "float8", "int4", "jsonb")
    )
    assert types == {
        **dict.fromkeys(("traceID", "spanID", "parentSpanID"), text),
        **dict.fromkeys(("operationName", "serviceName", "kind", "statusMessage"), text),
        **dict.fromkeys(("startTime", "duration"), number),
        "statusCode": integer,
        **dict.fromkeys(("tags", "serviceTags", "logs", "warnings", "stackTraces"), jsonb),
    }
    assert panel["targets"][0]["format"] == "table"


def test_the_dashboards_role_cannot_write(dashboard_connection_full):
    with (
        pytest.raises(psycopg.Error),
        dashboard_connection_full.transaction(force_rollback=True),
    ):
        dashboard_connection_full.execute("DELETE FROM executions")


def test_an_unknown_macro_is_refused_as_grafana_refuses_it():
    with pytest.raises(MacroError, match="__timeFiltre"):
        expand_macros("SELECT 1 WHERE $__timeFiltre(at)", NOW, NOW)


def test_a_variable_without_a_safe_format_is_refused():
    with pytest.raises(MacroError, match="sqlstring"):
        insert_variables("SELECT ${source}", CHOICES["all"], {})


# Prometheus.


def test_promql_is_accepted_by_promtool(tmp_path):
    records = [
        {"record": f"panel:{number}", "expr": expr}
        for number, (_, expr) in enumerate(promql_of_dashboards())
    ]
    rules = tmp_path / "panels.yml"
    rules.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": records}]}))

    answer = run([*tool("PROMTOOL"), "check", "rules", str(rules)])

    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert f"{len(records)} rules found" in answer.stdout


def test_rates_follow_the_scrape_interval():
    for _, panel in panels():
        for target in panel.get("targets", ()):
            assert "[5m]" not in target.get("expr", "")


def _used() -> set[str]:
    # A rule names metrics in its texts too: the numbers that it tells besides its own.
    texts = [expr for _, expr in promql_of_dashboards()] + [str(rule) for rule in RULES]
    return metric_names(" ".join(texts))


def test_every_metric_named_is_one_the_exporter_has():
    from exporter.sinks.prometheus import METRICS

    assert _used() <= set(METRICS)


def test_every_metric_is_shown_or_alerted_on_or_left_out_for_a_reason():
    from exporter.sinks.prometheus import METRICS

    assert set(METRICS) - _used() - set(NAMES_NOT_SHOWN) == set()
    assert set(NAMES_NOT_SHOWN) & _used() == set()


# Generation.


@pytest.mark.parametrize("seed", ["0", "1"])
def test_generated_files_are_what_their_sources_make(seed):
    environ = {**os.environ, "PYTHONHASHSEED": seed}

    answer = run([sys.executable, "-m", "grafana.src.build", "--check"], ROOT, environ)

    assert answer.returncode == 0, answer.stdout + answer.stderr
