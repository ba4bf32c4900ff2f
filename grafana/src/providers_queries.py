"""Queries of the providers dashboard: what status pages say, beside how calls of ours fare."""

from __future__ import annotations

RANGE = "$__timeFrom(), $__timeTo()"
# A page that nobody has read for a day was given up, or the exporter is down and says so itself.
_WATCHED = "(cause = 'not_watched' AND since < now() - interval '1 day') IS NOT TRUE"
_REAL = "NOT is_maintenance AND level >= 2 AND phase <> 'scheduled'"


def _sql(text: str) -> str:
    """Put parts into a query, each at its :name."""
    for name, part in {"range": RANGE, "watched": _WATCHED, "real": _REAL}.items():
        text = text.replace(f":{name}", part)
    return text.strip()


# The present, whatever range is shown. Where no page is known to be well or not, nobody knows.

PAGES_NOT_WELL = _sql("""
SELECT CASE WHEN count(level) > 0 THEN count(*) FILTER (WHERE level >= 2) END::float8 AS value
FROM v_status_now""")
OPEN_INCIDENTS = _sql("""
SELECT CASE WHEN count(*) > 0 THEN sum(open_incidents) END::float8 AS value
FROM v_status_now WHERE :watched""")
PAGES_UNKNOWN = _sql("""
SELECT CASE WHEN count(*) > 0 THEN count(*) FILTER (WHERE level IS NULL) END::float8 AS value
FROM v_status_now WHERE :watched""")

# Of pages of providers that calls of the range went to.
USED_PAGES_NOT_WELL = _sql("""
SELECT CASE WHEN count(level) > 0 THEN count(*) FILTER (WHERE level >= 2) END::float8 AS value
FROM v_status_now
WHERE providers && ARRAY(SELECT DISTINCT provider FROM v_llm_totals(:range))""")

# The range shown.

BLAME_SHARES = _sql("""
SELECT count(*) FILTER (WHERE blame = 'provider')::float8 / nullif(count(*), 0) AS "Provider's",
    count(*) FILTER (WHERE blame = 'shared')::float8 / nullif(count(*), 0) AS "Shared",
    count(*) FILTER (WHERE blame = 'ours')::float8 / nullif(count(*), 0) AS "Ours",
    count(*) FILTER (WHERE blame = 'unknown')::float8 / nullif(count(*), 0) AS "Unknown"
FROM v_call_blame(:range)""")

# A row for each step and page: without one a level would last on, though nobody had looked.
TIMELINE = _sql("""
WITH told AS MATERIALIZED (
    SELECT at, title, max(level) AS level
    FROM v_status_timeline(:range, '$__interval') GROUP BY at, title
)
SELECT steps.at AS time, pages.title AS metric, coalesce(told.level, -1) AS value
FROM generate_series(date_bin('$__interval', $__timeFrom(), timestamptz '2000-01-01 00:00:00+00'),
    least(now(), $__timeTo()), '$__interval') steps (at)
CROSS JOIN (SELECT DISTINCT title FROM told) pages
LEFT JOIN told ON told.at = steps.at AND told.title = pages.title
ORDER BY 1, 2""")

HEALTH_ROWS = _sql("""
SELECT provider AS "Provider", page_title AS "Page", status AS "Says", cause AS "Why unknown",
    since AS "Since", calls AS "Calls", failed_calls AS "Failed", failed_ratio AS "Error rate",
    p95_seconds AS "P95", coalesce(url, '') AS "Status page"
FROM v_provider_health(:range)
ORDER BY level DESC NULLS LAST, failed_ratio DESC NULLS LAST, calls DESC, provider LIMIT 200""")

OPEN_INCIDENT_ROWS = _sql("""
SELECT i.started_at AS "Since", i.page_title AS "Page", i.title AS "Incident",
    i.severity AS "Severity", i.components AS "Components", i.duration_seconds AS "Lasts for",
    left(i.newest_update, 400) AS "Newest update", coalesce(i.url, '') AS "Details"
FROM v_incidents i JOIN v_status_now s USING (source, page)
WHERE i.phase = 'open' AND NOT i.is_maintenance AND :watched
ORDER BY i.level DESC, i.started_at DESC LIMIT 100""")

RECENT_INCIDENT_ROWS = _sql("""
SELECT started_at AS "Began", page_title AS "Page", title AS "Incident", severity AS "Severity",
    duration_seconds AS "Lasted", components AS "Components", coalesce(url, '') AS "Details"
FROM v_incidents
WHERE phase = 'resolved' AND :real AND started_at <= $__timeTo()
ORDER BY started_at DESC LIMIT 50""")

FAILURE_ROWS = _sql("""
SELECT created_at AS "Started", workflow AS "Workflow", source AS "Source", execution_id AS "Run",
    status AS "Status", blame AS "Blame", provider AS "Provider",
    CASE WHEN provider IS NOT NULL THEN status_word(level) END AS "Page said",
    others_failing AS "Others failing", incident AS "Incident",
    coalesce(incident_url, '') AS "Details"
FROM v_execution_blame(:range) ORDER BY created_at DESC LIMIT 100""")

LEAD_ROWS = _sql("""
SELECT told_at AS "Page told it", page_title AS "Page", title AS "Incident",
    status_word(level) AS "Severity", noticed_at AS "Our calls failed",
    lead_minutes * 60 AS "We were ahead by", failed_calls AS "Failed calls",
    coalesce(url, '') AS "Details"
FROM v_incident_lead(now() - interval '90 days', now()) ORDER BY told_at DESC LIMIT 50""")


def _time_rows(days: int) -> str:
    """Query how long each page was at each level in the last days, whatever range is shown."""
    return _sql(f"""
SELECT title AS "Page", operational_ratio AS "Operational",
    maintenance_seconds AS "Maintenance", degraded_seconds AS "Degraded",
    partial_outage_seconds AS "Partial outage", major_outage_seconds AS "Major outage",
    greatest({days} * 86400 - operational_seconds - maintenance_seconds - degraded_seconds
        - partial_outage_seconds - major_outage_seconds, 0) AS "Unknown"
FROM v_status_time(now() - interval '{days} days', now())
ORDER BY operational_ratio NULLS LAST, title LIMIT 200""")  # noqa: S608


TIME_ROWS_30_DAYS = _time_rows(30)
TIME_ROWS_90_DAYS = _time_rows(90)

# Of calls whose end we saw; where there was none there is no rate, and no latency.

_FAILED_CALLS = 'rate(aiwf_llm_calls_total{status=~"error|timeout|crashed"}[$__rate_interval])'
_CALLS = "rate(aiwf_llm_calls_total[$__rate_interval])"
ERROR_RATE = (
    f"(sum by (provider) ({_FAILED_CALLS}) or 0 * sum by (provider) ({_CALLS}))"
    f" / (sum by (provider) ({_CALLS}) > 0)"
)
P95_SECONDS = (
    "histogram_quantile(0.95, sum by (provider, le)"
    " (rate(aiwf_llm_call_duration_seconds_bucket[$__rate_interval])))"
)
