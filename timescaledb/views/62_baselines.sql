-- What did each workflow do on each day of a zone, both days included? Calls count when they began.
-- Zones that are not aligned to the hour are not supported: hours are the smallest sums kept.
CREATE FUNCTION v_workflow_days(first_day date, last_day date, zone text DEFAULT 'UTC')
RETURNS TABLE (
    source text, workflow_id text, day date, runs bigint, ended bigint, failed bigint,
    timed_runs bigint, median_seconds double precision, p95_seconds double precision,
    calls bigint, metered_calls bigint, tokens bigint, unpriced_calls bigint, cost_usd numeric
)
LANGUAGE sql STABLE
BEGIN ATOMIC
    WITH days AS (
        SELECT first_day::timestamp AT TIME ZONE zone AS from_at,
            (last_day + 1)::timestamp AT TIME ZONE zone AS until_at
    ), ran AS (
        SELECT h.source, h.workflow_id, (h.bucket_start AT TIME ZONE zone)::date AS day,
            sum(h.runs)::bigint AS runs,
            coalesce(sum(h.runs) FILTER (
                WHERE h.status IN ('success', 'error', 'timeout', 'crashed')
            ), 0)::bigint AS ended,
            coalesce(sum(h.runs) FILTER (WHERE h.status IN ('error', 'timeout', 'crashed')), 0)::bigint
                AS failed
        FROM days d
        JOIN executions_hourly h ON h.bucket_start >= d.from_at AND h.bucket_start < d.until_at
        GROUP BY 1, 2, 3
    ), buckets AS (
        SELECT h.source, h.workflow_id, (h.bucket_start AT TIME ZONE zone)::date AS day,
            h.duration_bucket, sum(h.runs) AS runs
        FROM days d
        JOIN execution_durations_hourly h
            ON h.bucket_start >= d.from_at AND h.bucket_start < d.until_at
        WHERE h.status IN ('success', 'error', 'timeout', 'crashed')
        GROUP BY 1, 2, 3, 4
        HAVING sum(h.runs) > 0
    ), ranked AS (
        SELECT b.source, b.workflow_id, b.day, b.duration_bucket,
            sum(b.runs) OVER (
                PARTITION BY b.source, b.workflow_id, b.day ORDER BY b.duration_bucket
            ) AS up_to,
            sum(b.runs) OVER (PARTITION BY b.source, b.workflow_id, b.day) AS all_runs
        FROM buckets b
    ), timed AS (
        SELECT r.source, r.workflow_id, r.day, max(r.all_runs)::bigint AS timed_runs,
            duration_bucket_seconds(min(r.duration_bucket) FILTER (
                WHERE r.up_to >= ceil(0.5 * r.all_runs)
            )) AS median_seconds,
            duration_bucket_seconds(min(r.duration_bucket) FILTER (
                WHERE r.up_to >= ceil(0.95 * r.all_runs)
            )) AS p95_seconds
        FROM ranked r
        GROUP BY 1, 2, 3
    ), called AS (
        SELECT h.source, h.workflow_id, (h.bucket_start AT TIME ZONE zone)::date AS day,
            sum(h.calls)::bigint AS calls,
            coalesce(sum(h.calls - h.unmetered_calls) FILTER (WHERE h.status = 'success'), 0)::bigint
                AS metered_calls,
            coalesce(sum(h.input_tokens + h.output_tokens) FILTER (WHERE h.status = 'success'), 0)::bigint
                AS tokens,
            sum(h.unpriced_calls)::bigint AS unpriced_calls, sum(h.cost_usd) AS cost_usd
        FROM days d
        JOIN llm_calls_hourly h ON h.bucket_start >= d.from_at AND h.bucket_start < d.until_at
        GROUP BY 1, 2, 3
    )
    SELECT source, workflow_id, day, coalesce(r.runs, 0), coalesce(r.ended, 0),
        coalesce(r.failed, 0), coalesce(t.timed_runs, 0), t.median_seconds, t.p95_seconds,
        coalesce(c.calls, 0), coalesce(c.metered_calls, 0), coalesce(c.tokens, 0),
        coalesce(c.unpriced_calls, 0), known_cost(coalesce(c.cost_usd, 0), c.unpriced_calls)
    FROM ran r
    FULL JOIN timed t USING (source, workflow_id, day)
    FULL JOIN called c USING (source, workflow_id, day)
    WHERE r.runs > 0 OR c.calls > 0 OR c.cost_usd > 0;
END;

-- The same as numbers to compare; `samples` is the runs or calls that a number is of. A day without
-- a run, or of which a number is not known, has no row.
CREATE FUNCTION v_workflow_measures(first_day date, last_day date, zone text DEFAULT 'UTC')
RETURNS TABLE (
    source text, workflow_id text, day date, measure text, value numeric, samples bigint
)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT d.source, d.workflow_id, d.day, m.measure, m.value, m.samples
    FROM v_workflow_days(first_day, last_day, zone) d
    CROSS JOIN LATERAL (VALUES
        ('cost_per_day', d.cost_usd, d.runs),
        ('cost_per_run', d.cost_usd / nullif(d.runs, 0), d.runs),
        ('duration_median', d.median_seconds::numeric, d.timed_runs),
        ('duration_p95', d.p95_seconds::numeric, d.timed_runs),
        ('error_rate', d.failed::numeric / nullif(d.ended, 0), d.ended),
        ('tokens_per_call', d.tokens::numeric / nullif(d.metered_calls, 0), d.metered_calls)
    ) m (measure, value, samples)
    WHERE m.value IS NOT NULL;
END;

-- What is usual for each workflow, for the day it is compared with?
CREATE VIEW v_baselines AS
SELECT b.source, b.workflow_id, w.workflow, b.measure, b.as_of_day, b.zone, b.baseline_value,
    b.basis, b.sample_days, b.computed_at
FROM baselines b
JOIN workflows w ON w.source = b.source AND w.workflow_id = b.workflow_id;

-- A number in its unit, as people read it.
CREATE FUNCTION measure_text(measure text, value numeric) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN CASE
    WHEN measure LIKE 'cost%' AND value < 1 AND value > 0 THEN round(value, 4) || ' USD'
    WHEN measure LIKE 'cost%' THEN round(value, 2) || ' USD'
    WHEN measure LIKE 'duration%' THEN round(value, 1) || ' s'
    WHEN measure = 'error_rate' THEN round(100 * value, 1) || ' %'
    ELSE round(value)::text
END;

-- What was far from usual? Both numbers as they were at their worst; ratio is NULL where usual is 0.
CREATE VIEW v_anomalies AS
SELECT a.first_seen_at, a.last_seen_at, a.day, a.source, a.workflow_id, w.workflow, a.measure,
    CASE
        WHEN a.execution_id <> '' THEN 'run'
        WHEN a.measure = 'runs_per_hour' THEN 'hour'
        ELSE 'day'
    END AS period,
    nullif(a.execution_id, '') AS execution_id, a.created_at,
    a.baseline_value, a.observed_value,
    (a.observed_value / nullif(a.baseline_value, 0))::double precision AS ratio
FROM anomalies a
JOIN workflows w ON w.source = a.source AND w.workflow_id = a.workflow_id;

-- What does each workflow cost today so far, and what did it cost yesterday, against a usual such day?
CREATE VIEW v_cost_against_baseline AS
WITH used AS (
    SELECT coalesce(
        (SELECT b.zone FROM baselines b ORDER BY b.as_of_day DESC, b.computed_at DESC LIMIT 1), 'UTC'
    ) AS zone
), today AS (
    SELECT u.zone, (now() AT TIME ZONE u.zone)::date AS day FROM used u
)
SELECT m.day, CASE WHEN m.day = t.day THEN 'today' ELSE 'yesterday' END AS cost_window,
    m.source, m.workflow_id, w.workflow, m.value AS cost_usd, b.baseline_value AS baseline_usd,
    (m.value / nullif(b.baseline_value, 0))::double precision AS ratio, b.basis, b.sample_days
FROM today t
CROSS JOIN LATERAL v_workflow_measures(t.day - 1, t.day, t.zone) m
JOIN workflows w ON w.source = m.source AND w.workflow_id = m.workflow_id
LEFT JOIN baselines b ON b.source = m.source AND b.workflow_id = m.workflow_id
    AND b.measure = m.measure AND b.as_of_day = m.day
WHERE m.measure = 'cost_per_day';
