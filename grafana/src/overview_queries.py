"""Queries of the overview: what its numbers count, in the range shown and the one before."""

from __future__ import annotations

IN_SOURCE = "('__all__' IN (${source:sqlstring}) OR source IN (${source:sqlstring}))"
IN_WORKFLOW = "('__all__' IN (${workflow:sqlstring}) OR workflow IN (${workflow:sqlstring}))"


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

_EXECUTIONS = """
    SELECT coalesce(sum(runs), 0) AS runs,
        coalesce(sum(runs) FILTER (WHERE status = 'success'), 0) AS succeeded,
        coalesce(sum(runs) FILTER (WHERE status IN ('error', 'timeout', 'crashed')), 0) AS failed,
        sum(duration_seconds) / nullif(sum(timed_runs), 0) AS average_seconds,
        coalesce(sum(items_failed), 0) AS items_failed
    FROM v_execution_totals(from_at, until_at) WHERE :selected"""

_DURATIONS = """
    SELECT duration_bucket_seconds(min(duration_bucket)) AS p95_seconds FROM (
        SELECT duration_bucket, sum(sum(runs)) OVER (ORDER BY duration_bucket) AS runs_up_to,
            sum(sum(runs)) OVER () AS all_runs
        FROM v_execution_durations(from_at, until_at)
        JOIN v_workflows USING (source, workflow_id) WHERE :selected GROUP BY duration_bucket
    ) ranked WHERE runs_up_to >= 0.95 * all_runs"""

_LLM_CALLS = """
    SELECT coalesce(sum(calls), 0) AS calls, coalesce(sum(unpriced_calls), 0) AS unpriced_calls,
        coalesce(sum(input_tokens + output_tokens), 0) AS tokens,
        CASE WHEN coalesce(sum(cost_usd), 0) > 0 OR coalesce(sum(unpriced_calls), 0) = 0
            THEN coalesce(sum(cost_usd), 0) END AS cost_usd
    FROM v_llm_totals(from_at, until_at)
    JOIN v_workflows USING (source, workflow_id) WHERE :selected"""


def _with_range_before(value: str, rows: str) -> str:
    # Grafana shows the change between the two rows: from zero it is infinite, between unknown
    # ones it would be "0 %". So unknown is zero before, and both are where the present is unknown.
    return _sql(
        """
SELECT CASE WHEN present THEN value WHEN lead(value) OVER (ORDER BY present) IS NULL THEN 0
    ELSE coalesce(value, 0) END AS value
FROM (
    SELECT present, (:value)::float8 AS value FROM (VALUES
        (false, $__timeFrom()::timestamptz
            - ($__timeTo()::timestamptz - $__timeFrom()::timestamptz), $__timeFrom()::timestamptz),
        (true, $__timeFrom()::timestamptz, $__timeTo()::timestamptz)
    ) AS ranges (present, from_at, until_at)
    CROSS JOIN LATERAL (:rows
    ) counted
) compared
ORDER BY present""",
        value=value,
        rows=rows,
    )


RUNS = _with_range_before("runs", _EXECUTIONS)
SUCCESS_RATIO = _with_range_before("succeeded / nullif(succeeded + failed, 0)", _EXECUTIONS)
FAILED = _with_range_before("failed", _EXECUTIONS)
ITEMS_FAILED = _with_range_before("items_failed", _EXECUTIONS)
AVERAGE_SECONDS = _with_range_before("average_seconds", _EXECUTIONS)
P95_SECONDS = _with_range_before("p95_seconds", _DURATIONS)
LLM_CALLS = _with_range_before("calls", _LLM_CALLS)
UNPRICED_CALLS = _with_range_before("unpriced_calls", _LLM_CALLS)
TOKENS = _with_range_before("tokens", _LLM_CALLS)
COST_USD = _with_range_before("cost_usd", _LLM_CALLS)

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
    unpriced_calls AS "Unpriced", last_success_at AS "Last success"
FROM v_workflow_summary($__timeFrom(), $__timeTo()) WHERE :selected
ORDER BY failed DESC, runs DESC, workflow LIMIT 500""")

FAILURE_ROWS = _sql("""
SELECT created_at AS "Started", workflow AS "Workflow", status AS "Status",
    error_step AS "Failed step", error_type AS "Error type", error_message AS "Message",
    duration_seconds AS "Duration", coalesce(url, '') AS "Engine"
FROM v_failures WHERE $__timeFilter(created_at) AND :selected
ORDER BY created_at DESC LIMIT 100""")
