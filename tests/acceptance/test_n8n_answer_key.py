"""A real n8n database, polled: our tables and /metrics against the answer key.

The key was computed from n8n's REST API and from the language model server's own log.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest
from prometheus_client.parser import text_string_to_metric_families

from exporter.app import App
from tests import databases
from tests.conftest import connect

KEY: dict[str, Any] = json.loads(
    (Path(__file__).parents[1] / "sources" / "n8n" / "n8n-2.41.key.json").read_text()
)
OPEN = ("waiting", "running")
# n8n stores a timeout as a cancellation; we tell them apart, the key does not.
AS_N8N = "CASE status WHEN 'timeout' THEN 'canceled' ELSE status END"
# n8n gives waiting executions a stop time, the moment the wait began; the key counts it as an end.
STOPPED_AT = "coalesce(e.finished_at, (e.attributes #>> '{n8n,waiting_since}')::timestamptz)"


@pytest.fixture(scope="module", params=["plain", "timescale"])
def polled(
    request: pytest.FixtureRequest,
    migrated: Callable[[str], str],
    n8n_template: str,
    plain_server: str,
) -> Iterator[App]:
    """An exporter that has read the recorded n8n once, in each edition of our database."""
    server = request.getfixturevalue(f"{request.param}_server")
    with (
        databases.new_database(server, template=migrated(server)) as url,
        databases.new_database(plain_server, template=n8n_template) as n8n_url,
    ):
        app = App(None, {"AIWF_DATABASE_URL": url, "N8N_DATABASE_URL": n8n_url})
        app.prepare()
        result = app.pollers[0].poll()
        assert result is not None
        assert result.outcome == "ok", result.detail
        yield app
        app.stop()


@pytest.fixture
def ours(polled: App) -> Iterator[psycopg.Connection[dict[str, Any]]]:
    """Our tables after the poll."""
    with connect(polled.settings.database.url.get_secret_value()) as connection:
        yield connection


Ours = psycopg.Connection[dict[str, Any]]


def test_executions_by_workflow_and_status_equal_the_key(ours: Ours) -> None:
    rows = ours.execute(
        f"SELECT workflow, {AS_N8N} AS status, count(*) AS n FROM executions GROUP BY 1, 2"
    ).fetchall()

    found: dict[str, dict[str, int]] = {}
    for row in rows:
        found.setdefault(row["workflow"], {})[row["status"]] = row["n"]
    assert KEY["by_workflow_status"] == found


def test_timeouts_are_told_from_cancellations(ours: Ours) -> None:
    rows = ours.execute(
        "SELECT workflow, status, count(*) AS n FROM executions "
        "WHERE status IN ('timeout', 'canceled') GROUP BY 1, 2"
    ).fetchall()

    assert {
        ("Quarterly Report Builder", "timeout"): 8,
        ("Expense Approval", "canceled"): 1,
        ("Long Running Export", "canceled"): 1,
    } == {(row["workflow"], row["status"]): row["n"] for row in rows}


def test_modes_equal_the_key(ours: Ours) -> None:
    rows = ours.execute("SELECT trigger, count(*) AS n FROM executions GROUP BY 1").fetchall()

    assert KEY["by_mode"] == {row["trigger"]: row["n"] for row in rows}


def test_error_messages_by_workflow_equal_the_key(ours: Ours) -> None:
    rows = ours.execute(
        "SELECT workflow, coalesce(error_message, '(no resultData.error)') AS message, "
        "count(*) AS n FROM executions "
        "WHERE status IN ('error', 'crashed', 'canceled', 'timeout') GROUP BY 1, 2"
    ).fetchall()

    assert {
        (entry["workflow"], entry["message"]): entry["n"]
        for entry in KEY["errors_by_workflow_and_message"]
    } == {(row["workflow"], row["message"]): row["n"] for row in rows}


def test_the_failing_step_equals_the_key(ours: Ours) -> None:
    rows = ours.execute(
        "SELECT workflow, error_step AS node, count(*) AS n FROM executions "
        "WHERE error_message IS NOT NULL GROUP BY 1, 2"
    ).fetchall()

    assert {
        (entry["workflow"], entry["node"]): entry["n"]
        for entry in KEY["last_node_executed_on_failure"]
    } == {(row["workflow"], row["node"]): row["n"] for row in rows}


def test_average_durations_equal_the_key_and_p95_is_within_two_percent(ours: Ours) -> None:
    rows = ours.execute(
        f"SELECT workflow, count(*) AS n, sum(extract(epoch FROM {STOPPED_AT} - e.started_at)) AS "
        "total, duration_bucket_seconds((percentile_disc(0.95) WITHIN GROUP (ORDER BY "
        f"duration_bucket(extract(epoch FROM {STOPPED_AT} - e.started_at)::float8)))::smallint) "
        f"AS p95 FROM executions e WHERE {STOPPED_AT} IS NOT NULL GROUP BY 1"
    ).fetchall()

    found = {row["workflow"]: row for row in rows}
    assert set(KEY["duration_seconds_by_workflow"]) == set(found)
    for workflow, expected in KEY["duration_seconds_by_workflow"].items():
        row = found[workflow]
        assert (expected["n"], Decimal(str(expected["sum"]))) == (row["n"], row["total"]), workflow
        assert row["p95"] == pytest.approx(expected["p95_nearest_rank"], rel=0.02), workflow


def test_the_workflow_view_gives_the_keys_average_and_p95(ours: Ours) -> None:
    """All but one workflow, whose waiting executions have not ended and so have no duration."""
    rows = ours.execute(
        "SELECT * FROM v_workflow_summary('2026-11-23 14:30:00+00', '2026-11-23 15:10:00+00')"
    ).fetchall()

    checked = 0
    for row in rows:
        expected = KEY["duration_seconds_by_workflow"].get(row["workflow"])
        if expected is None or row["workflow"] == "Expense Approval":
            continue
        checked += 1
        assert row["average_seconds"] == pytest.approx(expected["sum"] / expected["n"]), row
        assert row["p95_seconds"] == pytest.approx(expected["p95_nearest_rank"], rel=0.02), row
    assert len(KEY["duration_seconds_by_workflow"]) - 1 == checked


def test_node_runs_equal_the_key(ours: Ours) -> None:
    rows = ours.execute(
        "SELECT e.workflow, s.name AS node, count(*) AS runs, "
        "count(*) FILTER (WHERE s.status = 'error') AS error_runs FROM steps s "
        "JOIN executions e USING (source, execution_id, created_at) GROUP BY 1, 2"
    ).fetchall()

    assert {
        (entry["workflow"], entry["node"]): (entry["runs"], entry["error_runs"])
        for entry in KEY["node_runs"]
    } == {(row["workflow"], row["node"]): (row["runs"], row["error_runs"]) for row in rows}


def test_steps_that_a_retry_copied_name_the_execution_that_ran_them(ours: Ours) -> None:
    rows = ours.execute(
        "SELECT execution_id, copied_from, count(*) AS n FROM steps "
        "WHERE copied_from IS NOT NULL GROUP BY 1, 2"
    ).fetchall()

    assert {"297": "274", "299": "216", "300": "215", "302": "168"} == {
        row["execution_id"]: row["copied_from"] for row in rows
    }
    assert 9 == sum(row["n"] for row in rows)


def _per_execution(ours: Ours) -> dict[str, dict[str, Any]]:
    rows = ours.execute(
        "SELECT execution_id, count(*) AS calls, "
        "coalesce(sum(input_tokens), 0) AS prompt, coalesce(sum(output_tokens), 0) AS completion, "
        "bool_or(tokens_estimated) AS estimated, "
        "bool_or(status = 'success' AND input_tokens IS NULL OR status = 'crashed') AS unknown, "
        "array_agg(DISTINCT coalesce(finish_reason, '')) AS finish_reasons "
        "FROM llm_calls GROUP BY 1"
    ).fetchall()
    return {row["execution_id"]: row for row in rows}


def test_tokens_equal_the_servers_log_where_n8ns_record_is_exact(ours: Ours) -> None:
    found = _per_execution(ours)
    exact = [
        execution_id
        for execution_id, row in found.items()
        if not row["estimated"]
        and not row["unknown"]
        and (served := KEY["llm_requests_by_execution_id"].get(execution_id))
        and (served["prompt"], served["completion"]) == (row["prompt"], row["completion"])
    ]

    # 307, and the original of the retry whose copied calls we do not count twice.
    assert len(exact) >= 307


def test_every_execution_that_differs_is_marked_as_estimated_or_unknown(ours: Ours) -> None:
    found = _per_execution(ours)
    unmarked = []
    for execution_id, served in KEY["llm_requests_by_execution_id"].items():
        row = found.get(execution_id)
        differs = row is None or (served["prompt"], served["completion"]) != (
            row["prompt"],
            row["completion"],
        )
        if differs and not (row and (row["estimated"] or row["unknown"])):
            unmarked.append(execution_id)

    steps_of_unmarked = ours.execute(
        "SELECT execution_id, status FROM executions WHERE execution_id = ANY(%s)", [unmarked]
    ).fetchall()
    # Only what a crash took with it: no node run was left to mark.
    assert {"crashed"} >= {row["status"] for row in steps_of_unmarked}


def test_measured_tokens_by_node_equal_what_n8n_reported(ours: Ours) -> None:
    rows = ours.execute(
        "SELECT split_part(call_id, '#', 1) AS node, sum(input_tokens) AS prompt, "
        "sum(output_tokens) AS completion, count(*) AS runs FROM llm_calls "
        "WHERE input_tokens IS NOT NULL AND NOT tokens_estimated GROUP BY 1"
    ).fetchall()
    found = {
        row["node"]: Counter(prompt=row["prompt"], completion=row["completion"], runs=row["runs"])
        for row in rows
    }

    # The key counts a retry's copies again: two model runs of execution 216 stand in 299, too.
    expected = {
        node: Counter(usage) for node, usage in KEY["n8n_reported"]["tokenUsage_by_node"].items()
    }
    difference = {
        node: expected[node] - found[node] for node in expected if expected[node] != found[node]
    }
    assert {"GPT-4o"} == set(difference)
    assert 1 == difference["GPT-4o"]["runs"]


def test_prometheus_tells_the_keys_executions(polled: App) -> None:
    body = polled.exposition.serve(datetime.now(UTC)).decode()
    found: dict[str, Counter[str]] = {}
    for family in text_string_to_metric_families(body):
        if family.name not in ("aiwf_executions", "aiwf_executions_running"):
            continue
        for sample in family.samples:
            status = sample.labels["status"].replace("timeout", "canceled")
            found.setdefault(sample.labels["workflow"], Counter())[status] += int(sample.value)

    assert KEY["by_workflow_status"] == {
        workflow: dict(+counts) for workflow, counts in found.items() if +counts
    }


def test_custom_execution_data_names_whom_a_run_was_for(ours: Ours) -> None:
    row = ours.execute(
        "SELECT count(*) AS n, count(DISTINCT customer) AS customers, count(project) AS projects, "
        "count(team) AS teams, bool_and(attributes ? 'customer') AS kept, "
        "bool_or(attributes ? 'response_onboarding_agent') AS model_text FROM executions "
        "WHERE workflow = 'Customer Onboarding Assistant'"
    ).fetchone()

    assert row is not None
    assert (60, 60, 60) == (row["n"], row["projects"], row["teams"])
    assert row["customers"] > 1
    assert row["kept"]
    assert not row["model_text"], "the model's answer is content, not an attribute"


def test_items_of_a_batch_are_counted_with_those_that_failed(ours: Ours) -> None:
    rows = ours.execute(
        "SELECT items_total, items_failed FROM executions WHERE workflow = 'Nightly Invoice Batch' "
        "AND status = 'success' AND items_total > 1 ORDER BY created_at"
    ).fetchall()

    assert [100] * 8 == [row["items_total"] for row in rows]
    # By hand in n8n: 7 invoices without a VAT id, and 3 (then 2) that the model refused.
    assert [7 + 3, 7 + 2] == [row["items_failed"] for row in rows[:2]]


def test_sub_workflows_and_error_workflows_name_their_parent(ours: Ours) -> None:
    rows = ours.execute(
        "SELECT trigger, count(*) AS n, count(parent_execution_id) AS parents FROM executions "
        "WHERE trigger IN ('integrated', 'error') GROUP BY 1"
    ).fetchall()

    assert {"integrated": (35, 35), "error": (70, 70)} == {
        row["trigger"]: (row["n"], row["parents"]) for row in rows
    }
