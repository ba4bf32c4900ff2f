"""Queries of the run page: each asks one view about the run that is chosen."""

from __future__ import annotations

_ID = "${execution_id:sqlstring}"
_RUN = f"${{source:sqlstring}}, {_ID}"


def _sql(text: str) -> str:
    """Put the chosen run into a query, at :run."""
    return text.replace(":run", _RUN).replace(":id", _ID).strip()


# There is always a choice: a variable without one would leave a hole in every query.
SOURCES = _sql("""
SELECT 'any' AS __text, '__all__' AS __value
UNION ALL
(SELECT source, source FROM v_run_sources(:id) ORDER BY 1)""")


def _number(column: str) -> str:
    """Query one of the run's numbers."""
    return _sql(f"SELECT {column} AS value FROM v_run(:run)")  # noqa: S608


STATUS = _sql("SELECT status AS value FROM v_run(:run)")
STARTED = _number("1000 * extract(epoch FROM coalesce(started_at, created_at))::float8")
DURATION = _number("duration_seconds")
COST = _number("cost_usd::float8")
UNPRICED = _number("unpriced_calls")
CALLS = _number("calls")
TOKENS = _number("input_tokens + output_tokens")
FAILED_STEPS = _number("failed_steps")

FACTS = _sql("""
SELECT workflow AS "Workflow", workflow_version AS "Version", trigger AS "Trigger",
    customer AS "Customer", project AS "Project", team AS "Team", tags AS "Tags",
    steps AS "Steps", items_total AS "Items", items_failed AS "Items failed",
    coalesce('unknown: ' || unknown_steps, 'all told') AS "What it did is"
FROM v_run(:run)""")

LINKS = _sql("""
SELECT source AS "Source", execution_id AS "Run", coalesce(retry_of, '') AS "Retry of",
    coalesce(parent_execution_id, '') AS "Called by", coalesce(url, '') AS "Engine",
    coalesce(trace_id, '') AS "Trace", workflow AS "All runs"
FROM v_run(:run)""")

ERRORS = _sql("""
SELECT at AS "At", step AS "Step", status AS "Status", error_type AS "Error type",
    error_message AS "Message", error_stack AS "Stack", parameters AS "Parameters",
    received AS "Received"
FROM v_run_errors(:run) ORDER BY place LIMIT 100""")

SPANS = _sql("""SELECT * FROM v_run_spans(:run) LIMIT 2000""")

TIME = _sql("""
SELECT name AS "Step", kind AS "Kind", runs AS "Times", seconds AS "Time", share AS "Share",
    own_seconds AS "Own time", own_share AS "Own share"
FROM v_run_time(:run) ORDER BY own_seconds DESC NULLS LAST, name LIMIT 100""")

MONEY = _sql("""
SELECT name AS "Step", model AS "Model", calls AS "Calls", input_tokens AS "Input",
    output_tokens AS "Output", cost_usd::float8 AS "Cost", share AS "Share",
    unpriced_calls AS "Unpriced", estimated_calls AS "Estimated"
FROM v_run_cost(:run) ORDER BY cost_usd DESC NULLS FIRST, name, model LIMIT 100""")

STEPS = _sql("""
SELECT repeat('↳ ', depth) || name AS "Step", kind AS "Kind", status AS "Status",
    CASE WHEN copied_from IS NULL THEN extract(epoch FROM started_at
        - min(started_at) FILTER (WHERE copied_from IS NULL) OVER ())::float8 END AS "Began after",
    duration_seconds AS "Duration", share AS "Share", own_seconds AS "Own time",
    attempt AS "Attempt", items_in AS "Items in", items_out AS "Items out",
    items_failed AS "Items failed", cost_usd::float8 AS "Cost", unpriced_calls AS "Unpriced",
    signals AS "Signals", error_type AS "Error type",
    error_message AS "Message", copied_from AS "Copied from"
FROM v_run_steps(:run) ORDER BY place LIMIT 1000""")

CONTENT = _sql("""
SELECT name AS "Step", status AS "Status", received_from AS "From", received AS "Received",
    gave AS "Gave on"
FROM v_run_content(:run) ORDER BY place LIMIT 300""")

MODEL_CALLS = _sql("""
SELECT started_at AS "Started", coalesce(step, 'no step') AS "Step", model AS "Model",
    status AS "Status", input_tokens AS "Input", cached_input_tokens AS "Cached",
    output_tokens AS "Output", context_used AS "Context", cost_usd::float8 AS "Cost",
    CASE WHEN cost_usd IS NULL AND status <> 'success' THEN 'not told'
        WHEN cost_usd IS NULL THEN 'unknown' WHEN tokens_estimated THEN 'estimated'
        ELSE cost_source END AS "Cost is",
    latency_seconds AS "Latency", time_to_first_token_seconds AS "First token",
    finish_reason AS "Ended by", signals AS "Signals", error_type AS "Error type",
    prompt AS "Prompt", response AS "Response"
FROM v_run_calls(:run) ORDER BY started_at, call_id LIMIT 300""")

SIBLINGS = _sql("""
SELECT created_at AS "Started", relation AS "It is", source AS "Source", execution_id AS "Run",
    workflow AS "Workflow", status AS "Status", duration_seconds AS "Duration",
    cost_usd::float8 AS "Cost", error_type AS "Error type", error_message AS "Message"
FROM v_run_siblings(:run) ORDER BY created_at DESC, execution_id LIMIT 200""")

PROVIDERS = _sql("""
SELECT provider AS "Provider", calls AS "Calls", failed_calls AS "Failed",
    status AS "Page said", cause AS "Why unknown", incidents AS "Incidents",
    coalesce(incident_url, url, '') AS "Details"
FROM v_run_providers(:run) ORDER BY level DESC NULLS LAST, provider LIMIT 50""")

OUTCOMES = _sql("""
SELECT at AS "At", name AS "Outcome", value::float8 AS "Value", unit AS "Unit",
    attributes::text AS "Attributes"
FROM v_run_outcomes(:run) ORDER BY at, name LIMIT 100""")
