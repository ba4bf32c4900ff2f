"""Queries of the runs page: the runs that the reader asked for, and what was remarkable of them."""

from __future__ import annotations

from grafana.src.layout import chosen

STATUSES = (
    "queued",
    "running",
    "waiting",
    "success",
    "error",
    "timeout",
    "canceled",
    "crashed",
    "pruned",
)
SIGNALS = (
    "rate_limited",
    "timed_out",
    "overloaded",
    "context_exceeded",
    "refused",
    "truncated",
    "retry",
    "fallback",
    "circuit_open",
    "cached_answer",
)
_RANGE = "$__timeFrom(), $__timeTo()"
_WHOSE = "ARRAY[${source:sqlstring}], ARRAY[${workflow:sqlstring}]"
_ASKED_FOR = f"""{_RANGE}, {_WHOSE},
    ARRAY[${{status:sqlstring}}], ARRAY[${{model:sqlstring}}], ARRAY[${{signal:sqlstring}}],
    ${{customer:sqlstring}}, ${{error:sqlstring}}, typed_number(${{seconds:sqlstring}}),
    typed_number(${{usd:sqlstring}})"""
_SELECTED = f"{chosen('source')} AND {chosen('workflow')}"


def _sql(text: str) -> str:
    """Put what the reader asked for into a query."""
    parts = {":asked_for": _ASKED_FOR, ":whose": f"{_RANGE}, {_WHOSE}", ":selected": _SELECTED}
    for name, part in parts.items():
        text = text.replace(name, part)
    return text.strip()


MODELS = "SELECT DISTINCT model FROM v_llm_calls_hourly ORDER BY model"

RUNS_OVER_TIME = _sql("""
SELECT bucket_start AS time, result AS metric, runs AS value
FROM v_runs_over_time(:asked_for) ORDER BY bucket_start, result""")

RUN_ROWS = _sql("""
SELECT created_at AS "Created", workflow AS "Workflow", execution_id AS "Run", status AS "Status",
    duration_seconds AS "Duration", cost_usd::float8 AS "Cost", unpriced_calls AS "Unpriced",
    error_step AS "Failed step", error_type AS "Error type", error_message AS "Message",
    signals AS "Signals", customer AS "Customer", models AS "Models", calls AS "Calls",
    tokens AS "Tokens", source AS "Source", coalesce(url, '') AS "Engine"
FROM v_runs(:asked_for, 200)""")

SIGNALS_OVER_TIME = _sql("""
SELECT bucket_start AS time, signal AS metric, sum(events) AS value
FROM v_signals_hourly WHERE $__timeFilter(bucket_start) AND :selected
GROUP BY bucket_start, signal ORDER BY bucket_start, signal""")

MODEL_ROWS = _sql("""
SELECT model AS "Model", provider AS "Provider", calls AS "Calls", failed AS "Failed",
    retry AS "Retries", fallback AS "Fallbacks", rate_limited AS "Rate limited",
    timed_out AS "Timed out", overloaded AS "Overloaded", refused AS "Refused",
    truncated AS "Truncated", context_exceeded AS "Too long", nearly_full AS "Nearly full",
    context_used_most AS "Fullest"
FROM v_model_signals(:whose)
ORDER BY retry + fallback + rate_limited + timed_out + overloaded + refused + truncated
    + context_exceeded DESC, calls DESC, model LIMIT 100""")

WORKFLOW_ROWS = _sql("""
SELECT workflow AS "Workflow", source AS "Source", retry AS "Retries", fallback AS "Fallbacks",
    circuit_open AS "Circuit open", cached_answer AS "From cache", rate_limited AS "Rate limited",
    other_failures AS "Other failures", refused AS "Refused", truncated AS "Truncated"
FROM v_workflow_signals(:whose)
ORDER BY retry + fallback + circuit_open + rate_limited + other_failures + refused + truncated DESC,
    workflow LIMIT 100""")

CONTEXT_USED = (
    "histogram_quantile(0.95, sum by (model, le)"
    " (rate(aiwf_llm_context_used_ratio_bucket[$__rate_interval])))"
)
