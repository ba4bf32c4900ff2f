"""Queries of the overview: what its numbers count, in the range shown and the one before."""

from __future__ import annotations

from grafana.src.layout import chosen

IN_SOURCE, IN_WORKFLOW = chosen("source"), chosen("workflow")


def _sql(text: str, **parts: str) -> str:
    """Put parts, and what the reader of the page chose, into a query, each at its :name."""
    for name, part in (parts | {"selected": f"{IN_SOURCE} AND {IN_WORKFLOW}"}).items():
        text = text.replace(f":{name}", part)
    return text.strip()


SOURCES = "SELECT DISTINCT source FROM v_workflows ORDER BY source"
WORKFLOWS = _sql(
    "SELECT DISTINCT workflow FROM v_workflows WHERE :in_source ORDER BY workflow",
    in_source=IN_SOURCE,
)


def _with_range_before(value: str, summary: str) -> str:
    """Query a number of a summary, for the range before and for the range shown.

    Grafana shows the change between the two rows: from zero it is infinite, between unknown ones
    it would be "0 %". So unknown is zero before, and both are where the present is unknown.
    """
    return _sql(
        """
SELECT CASE WHEN present THEN :value WHEN lead(:value) OVER (ORDER BY present) IS NULL THEN 0
    ELSE coalesce(:value, 0) END::float8 AS value
FROM range_and_before($__timeFrom(), $__timeTo()) CROSS JOIN LATERAL :summary(
    from_at, until_at, ARRAY[${source:sqlstring}], ARRAY[${workflow:sqlstring}])
ORDER BY present""",
        value=value,
        summary=summary,
    )


RUNS = _with_range_before("runs", "v_execution_summary")
SUCCESS_RATIO = _with_range_before("success_ratio", "v_execution_summary")
FAILED = _with_range_before("failed", "v_execution_summary")
ITEMS_FAILED = _with_range_before("items_failed", "v_execution_summary")
AVERAGE_SECONDS = _with_range_before("average_seconds", "v_execution_summary")
P95_SECONDS = _with_range_before("p95_seconds", "v_execution_summary")
LLM_CALLS = _with_range_before("calls", "v_llm_summary")
UNPRICED_CALLS = _with_range_before("unpriced_calls", "v_llm_summary")
TOKENS = _with_range_before("tokens", "v_llm_summary")
COST_USD = _with_range_before("cost_usd", "v_llm_summary")

RUNS_BY_RESULT = _sql("""
SELECT bucket_start AS time, result AS metric, sum(runs) AS value
FROM v_executions_hourly WHERE $__timeFilter(bucket_start) AND :selected
GROUP BY bucket_start, result ORDER BY bucket_start""")

FAILED_RATIO = _sql("""
SELECT bucket_start AS time,
    coalesce(sum(runs) FILTER (WHERE result = 'failed'), 0) / sum(runs)::float8 AS failed
FROM v_executions_hourly
WHERE $__timeFilter(bucket_start) AND result IN ('success', 'failed') AND :selected
GROUP BY bucket_start ORDER BY bucket_start""")

COST_BY_MODEL = _sql("""
SELECT bucket_start AS time, model AS metric, sum(cost_usd) AS value
FROM v_llm_calls_hourly WHERE $__timeFilter(bucket_start) AND :selected
GROUP BY bucket_start, model HAVING sum(cost_usd) > 0 ORDER BY bucket_start, model""")

WORKFLOW_ROWS = _sql("""
SELECT workflow AS "Workflow", source AS "Source", runs AS "Runs", success_ratio AS "Success rate",
    failed AS "Failed", p95_seconds AS "P95", average_seconds AS "Average",
    items_failed AS "Items failed", llm_calls AS "LLM calls",
    CASE WHEN cost_usd > 0 OR unpriced_calls = 0 THEN cost_usd END AS "Cost",
    unpriced_calls AS "Unpriced", estimated_calls AS "Estimated", last_success_at AS "Last success"
FROM v_workflow_summary($__timeFrom(), $__timeTo()) WHERE :selected
ORDER BY failed DESC, runs DESC, workflow LIMIT 500""")

# Blame is laid on the shown runs alone: to lay it on all of a long range would take too long.
FAILURE_ROWS = _sql("""
WITH newest AS MATERIALIZED (
    SELECT * FROM v_failures WHERE $__timeFilter(created_at) AND :selected
    ORDER BY created_at DESC LIMIT 100
)
SELECT n.created_at AS "Started", n.workflow AS "Workflow", n.source AS "Source",
    n.execution_id AS "Run", n.status AS "Status", b.blame AS "Blame",
    n.error_step AS "Failed step", n.error_type AS "Error type",
    n.error_message AS "Message", n.duration_seconds AS "Duration", coalesce(n.url, '') AS "Engine"
FROM newest n
LEFT JOIN v_execution_blame((SELECT min(created_at) FROM newest),
    (SELECT max(created_at) + interval '1 second' FROM newest)) b
    USING (source, execution_id, created_at)
ORDER BY 1 DESC""")
