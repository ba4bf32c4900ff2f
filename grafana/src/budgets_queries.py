"""Queries of the budgets dashboard: what is left, where it is heading, what was done."""

from __future__ import annotations

# The present, whatever range is shown. Without a budget there is no number, not 0.

OVER_LIMIT = """
SELECT CASE WHEN count(*) > 0 THEN count(*) FILTER (WHERE used_ratio >= 1) END::float8 AS value
FROM v_budgets"""
HEADING_OVER = """
SELECT CASE WHEN count(projected_usd) > 0
    THEN count(*) FILTER (WHERE used_ratio < 1 AND projected_ratio >= 1) END::float8 AS value
FROM v_budgets"""
PAUSED = """
SELECT CASE WHEN EXISTS (SELECT FROM v_budgets) OR count(*) > 0 THEN count(*) END::float8 AS value
FROM v_paused_workflows"""
NEXT_EXHAUSTED = """
SELECT extract(epoch FROM min(exhausted_at) FILTER (WHERE used_ratio < 1) - now())::float8 AS value
FROM v_budgets"""

BUDGET_ROWS = """
SELECT budget AS "Budget", CASE scope WHEN 'total' THEN 'everything'
        ELSE concat_ws(' ', scope, scope_value) END AS "Of",
    period AS "Period", used_ratio AS "Used", spent_usd::float8 AS "Spent",
    limit_usd::float8 AS "Limit", remaining_usd::float8 AS "Left",
    pace_usd_per_hour::float8 AS "USD an hour", projected_usd::float8 AS "At its end",
    projected_ratio AS "Of limit", exhausted_at AS "Used up",
    unpriced_calls AS "Unpriced calls", CASE WHEN is_dry_run THEN 'dry run' END AS "Mode"
FROM v_budgets
ORDER BY used_ratio DESC, budget, scope_value LIMIT 200"""

USED_OVER_TIME = "max by (budget, scope_value) (aiwf_budget_spent_usd / aiwf_budget_limit_usd)"

EVENT_ROWS = """
SELECT crossed_at AS "Reached", budget AS "Budget", scope_value AS "Of",
    (threshold_percent / 100)::float8 AS "Threshold", spent_usd::float8 AS "Spent",
    limit_usd::float8 AS "Limit", workflow AS "Workflow", execution_id AS "Run", source AS "Source"
FROM v_budget_events
WHERE crossed_at >= $__timeFrom() AND crossed_at <= $__timeTo()
ORDER BY crossed_at DESC LIMIT 200"""

ACTION_ROWS = """
SELECT at AS "At", action AS "Action", state AS "State", target AS "Target", budget AS "Budget",
    reason AS "Why", detail AS "What came of it"
FROM v_budget_actions
WHERE at >= $__timeFrom() AND at <= $__timeTo()
ORDER BY at DESC, action_id DESC LIMIT 200"""
