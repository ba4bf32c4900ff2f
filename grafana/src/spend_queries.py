"""Queries of the spend dashboard: whole UTC days, the three costs apart, unknown not as zero."""

from __future__ import annotations

from grafana.src.layout import chosen

_PARTS = {
    "in_provider": chosen("provider"),
    "selected": f"{chosen('provider')} AND {chosen('model')}",
    "range": "$__timeFrom(), $__timeTo()",
    "in_days": "bucket_start >= utc_day($__timeFrom()) AND bucket_start < $__timeTo()",
    "estimated": "known_cost(sum(estimated_usd), sum(unpriced_buckets))",
    "billed": "known_cost(sum(billed_usd), sum(unconverted_buckets))",
}


def _sql(text: str, **parts: str) -> str:
    """Put parts into a query, each at its :name."""
    for name, part in (parts | _PARTS).items():
        text = text.replace(f":{name}", part)
    return text.strip()


PROVIDERS = "SELECT DISTINCT provider FROM v_models ORDER BY provider"
MODELS = _sql(
    "SELECT DISTINCT model FROM v_models WHERE model IS NOT NULL AND :in_provider ORDER BY model"
)

# The present, whatever range is shown.

TODAY = _sql(
    "SELECT sum(cost_usd)::float8 AS value FROM v_spend_daily(now(), now()) WHERE :in_provider"
)
MONTH_TO_DATE = _sql("""
SELECT sum(month_to_date_usd)::float8 AS value FROM v_month_projection(now()) WHERE :in_provider""")
PROJECTED_MONTH = _sql("""
SELECT sum(projected_usd)::float8 AS value FROM v_month_projection(now()) WHERE :in_provider""")
# What was not read for two weeks is taken for given up; ProviderUsageStale does the same.
USAGE_AGE = _sql("""
SELECT extract(epoch FROM now() - min(read_until))::float8 AS value FROM v_source_coverage
WHERE amounts = 'usage' AND read_until > now() - interval '14 days' AND :in_provider""")

# Numbers of the range.

BILLED = _sql("SELECT :billed::float8 AS value FROM v_cost_daily WHERE :in_days AND :selected")
ESTIMATED = _sql(
    "SELECT :estimated::float8 AS value FROM v_cost_daily WHERE :in_days AND :selected"
)
DARK_RATIO = _sql("""
SELECT (sum(dark_usd) / nullif(sum(cost_usd), 0))::float8 AS value
FROM v_dark_spend(:range) WHERE :in_provider""")
CACHE_HIT_RATIO = _sql("""
SELECT (sum(cached_input_tokens) / nullif(sum(input_tokens), 0))::float8 AS value
FROM v_cost_daily WHERE :in_days AND :selected""")
SAVED_BY_CACHING = _sql("""
SELECT known_cost(sum(without_cache_usd - estimated_usd), sum(unpriced_buckets))::float8 AS value
FROM v_cost_daily WHERE :in_days AND :selected""")
UNPRICED_TOKENS = _sql("""
SELECT sum(unpriced_tokens)::float8 AS value
FROM v_cost_daily WHERE cost_kind = 'estimated' AND :in_days AND :selected""")

# Day by day.

SPEND_BY_PROVIDER = _sql("""
SELECT bucket_start AS time, provider AS metric, cost_usd AS value
FROM v_spend_daily(:range) WHERE cost_usd <> 0 AND :in_provider ORDER BY bucket_start, provider""")

# A bill stands here when all providers' bills of the day have settled: parts of it look like less.
COST_BY_KIND = _sql("""
SELECT bucket_start AS time, cost.kind AS metric, sum(cost.usd) AS value
FROM v_reconciliation(:range), LATERAL (VALUES
    ('billed', billed_usd, is_billed_complete), ('estimated from usage', usage_estimated_usd, true),
    ('estimated from calls', calls_estimated_usd, true), ('gateway', gateway_usd, true)
) cost (kind, usd, is_whole)
WHERE cost.usd IS NOT NULL AND :in_provider
GROUP BY bucket_start, cost.kind HAVING bool_and(cost.is_whole) ORDER BY bucket_start, cost.kind""")

ESTIMATE_BY_MODEL = _sql("""
SELECT bucket_start AS time, coalesce(model, 'not named') AS metric, sum(estimated_usd) AS value
FROM v_cost_daily WHERE :in_days AND :selected
GROUP BY bucket_start, model HAVING sum(estimated_usd) <> 0 ORDER BY bucket_start, model""")

# Do the costs agree?

RECONCILIATION_ROWS = _sql("""
SELECT to_char(bucket_start AT TIME ZONE 'UTC', 'YYYY-MM-DD') AS "Day", provider AS "Provider",
    billed_usd AS "Billed", usage_estimated_usd AS "From usage", gap_usd AS "Gap",
    gap_ratio AS "Gap of bill", calls_estimated_usd AS "From calls", gateway_usd AS "Gateway",
    unpriced_tokens AS "Unpriced tokens",
    CASE WHEN is_complete THEN 'settled' ELSE 'so far' END AS "State"
FROM v_reconciliation(:range)
WHERE coalesce(billed_usd, usage_estimated_usd) IS NOT NULL AND :in_provider
ORDER BY bucket_start DESC, provider LIMIT 1000""")

DARK_ROWS = _sql("""
SELECT provider AS "Provider", cost_usd AS "Cost", attributed_usd AS "Our workflows",
    dark_usd AS "Dark", dark_ratio AS "Dark share", unpriced_calls AS "Unpriced calls"
FROM v_dark_spend(:range) WHERE :in_provider ORDER BY dark_usd DESC, provider""")

MONTH_ROWS = _sql("""
SELECT provider AS "Provider", month_to_date_usd AS "Month to date", projected_usd AS "Projected",
    unknown_days AS "Unknown days"
FROM v_month_projection(now()) WHERE :in_provider
ORDER BY projected_usd DESC NULLS LAST, provider""")

# Whose are they?


def _rows_by(column: str, title: str) -> str:
    """Query what usage and bills say of a dimension that providers report by."""
    return _sql(
        """
SELECT coalesce(:column, 'not named') AS ":title", provider AS "Provider",
    :estimated AS "Estimated", :billed AS "Billed"
FROM v_cost_daily WHERE :in_days AND :selected
GROUP BY :column, provider
ORDER BY greatest(sum(estimated_usd), sum(billed_usd)) DESC NULLS LAST, 1 LIMIT 100""",
        column=column,
        title=title,
    )


PROJECT_ROWS = _rows_by("project", "Project")
KEY_ROWS = _rows_by("api_key", "API key")
USER_ROWS = _sql("""
SELECT coalesce(user_name, 'not named') AS "User", provider AS "Provider",
    :estimated AS "Estimated", sum(input_tokens + output_tokens) AS "Tokens"
FROM v_cost_daily WHERE cost_kind = 'estimated' AND :in_days AND :selected
GROUP BY user_name, provider ORDER BY sum(estimated_usd) DESC NULLS LAST, 1 LIMIT 100""")


def _calls_by(column: str, title: str, more: str = "") -> str:
    """Query what the calls of our workflows come to, by something that they are known by."""
    return _sql(
        """
SELECT coalesce(:column, 'not named') AS ":title",
    known_cost(sum(cost_usd), sum(unpriced_calls)) AS "Cost", sum(calls) AS "Calls",:more
    sum(unpriced_calls) AS "Unpriced"
FROM v_call_cost_daily(:range) WHERE cost_kind = 'estimated' AND :selected
GROUP BY :column ORDER BY sum(cost_usd) DESC NULLS LAST, 1 LIMIT 100""",
        column=column,
        title=title,
        more=more,
    )


COST_PER_CALL = """
    sum(cost_usd) / nullif(sum(calls) - sum(unpriced_calls), 0) AS "Cost per call","""
WORKFLOW_ROWS = _calls_by("workflow", "Workflow", COST_PER_CALL)
CUSTOMER_ROWS = _calls_by("customer", "Customer")
TEAM_ROWS = _calls_by("team", "Team")

COSTLY_CALLS = _sql("""
SELECT started_at AS "Started", coalesce(workflow, 'not named') AS "Workflow", source AS "Source",
    customer AS "Customer", model AS "Model", input_tokens AS "Input", output_tokens AS "Output",
    cost_usd AS "Cost", cost_source AS "Cost is", coalesce(run, '') AS "Run",
    coalesce(url, '') AS "Engine"
FROM v_costly_calls
WHERE started_at >= utc_day($__timeFrom()) AND started_at <= $__timeTo() AND :selected
ORDER BY cost_usd DESC, started_at DESC LIMIT 50""")

# Credits and reports.

BALANCE_ROWS = _sql("""
SELECT balance AS "Balance", source AS "Source", unit AS "Unit", remaining AS "Remaining",
    limit_amount AS "Limit", remaining_ratio AS "Left", observed_at AS "Unchanged since"
FROM v_balances WHERE :in_provider
ORDER BY remaining_ratio NULLS LAST, remaining, source, balance""")

REPORT_ROWS = _sql("""
SELECT report AS "Report", source AS "Source", amounts AS "Tells", read_from AS "Read from",
    read_until AS "Read until", complete_until AS "Settled until"
FROM v_report_coverage WHERE :in_provider ORDER BY read_until, source, report, amounts""")
