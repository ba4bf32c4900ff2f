-- How many executions, in which state, how long, in exactly this range?
CREATE FUNCTION v_execution_totals(range_start timestamptz, range_end timestamptz)
RETURNS TABLE (
    source text, workflow_id text, workflow text, status text,
    runs bigint, timed_runs bigint, duration_seconds numeric,
    items_total bigint, items_failed bigint
)
LANGUAGE sql STABLE
BEGIN ATOMIC
    WITH parts AS (
        SELECT h.source, h.workflow_id, h.status,
            h.runs, h.timed_runs, h.duration_seconds, h.items_total, h.items_failed
        FROM split_range('executions', range_start, range_end) s
        JOIN executions_hourly h
            ON s.part = 'hours' AND h.bucket_start >= s.from_at AND h.bucket_start < s.until_at
        UNION ALL
        SELECT e.source, e.workflow_id, e.status,
            1, (e.duration_seconds IS NOT NULL)::int,
            round(coalesce(e.duration_seconds, 0)::numeric, 6),
            coalesce(e.items_total, 0), coalesce(e.items_failed, 0)
        FROM split_range('executions', range_start, range_end) s
        JOIN executions e
            ON s.part = 'raw' AND e.created_at >= s.from_at AND e.created_at < s.until_at
    )
    SELECT p.source, p.workflow_id, coalesce(w.workflow, p.workflow_id), p.status,
        sum(p.runs)::bigint, sum(p.timed_runs)::bigint, sum(p.duration_seconds),
        sum(p.items_total)::bigint, sum(p.items_failed)::bigint
    FROM parts p
    LEFT JOIN workflows w ON w.source = p.source AND w.workflow_id = p.workflow_id
    GROUP BY 1, 2, 3, 4
    HAVING sum(p.runs) <> 0;
END;

-- How many ended executions fell into each duration bucket, in exactly this range?
CREATE FUNCTION v_execution_durations(range_start timestamptz, range_end timestamptz)
RETURNS TABLE (source text, workflow_id text, status text, duration_bucket smallint, runs bigint)
LANGUAGE sql STABLE
BEGIN ATOMIC
    WITH parts AS (
        SELECT h.source, h.workflow_id, h.status, h.duration_bucket, h.runs
        FROM split_range('executions', range_start, range_end) s
        JOIN execution_durations_hourly h
            ON s.part = 'hours' AND h.bucket_start >= s.from_at AND h.bucket_start < s.until_at
        UNION ALL
        SELECT e.source, e.workflow_id, e.status, duration_bucket(e.duration_seconds), 1
        FROM split_range('executions', range_start, range_end) s
        JOIN executions e
            ON s.part = 'raw' AND e.created_at >= s.from_at AND e.created_at < s.until_at
        WHERE e.duration_seconds IS NOT NULL
    )
    SELECT p.source, p.workflow_id, p.status, p.duration_bucket, sum(p.runs)::bigint
    FROM parts p GROUP BY 1, 2, 3, 4
    HAVING sum(p.runs) <> 0;
END;

-- Is the system healthy? One row for the whole range, and for what was chosen of it.
-- Success and error rates leave out what was canceled, is still open, or was pruned unseen.
CREATE FUNCTION v_execution_summary(
    range_start timestamptz, range_end timestamptz,
    sources text[] DEFAULT '{__all__}', workflows text[] DEFAULT '{__all__}'
)
RETURNS TABLE (
    runs bigint, succeeded bigint, failed bigint, canceled bigint, open bigint,
    success_ratio double precision, average_seconds double precision, p95_seconds double precision,
    items_failed bigint
)
LANGUAGE sql STABLE
BEGIN ATOMIC
    WITH totals AS (
        SELECT
            coalesce(sum(t.runs), 0)::bigint AS runs,
            coalesce(sum(t.runs) FILTER (WHERE t.status = 'success'), 0)::bigint AS succeeded,
            coalesce(sum(t.runs) FILTER (WHERE t.status IN ('error', 'timeout', 'crashed')), 0)::bigint
                AS failed,
            coalesce(sum(t.runs) FILTER (WHERE t.status = 'canceled'), 0)::bigint AS canceled,
            coalesce(sum(t.runs) FILTER (WHERE t.status IN ('queued', 'running', 'waiting')), 0)::bigint
                AS open,
            sum(t.duration_seconds) / nullif(sum(t.timed_runs), 0) AS average_seconds,
            coalesce(sum(t.items_failed), 0)::bigint AS items_failed
        FROM v_execution_totals(range_start, range_end) t
        WHERE is_chosen(t.source, sources) AND is_chosen(t.workflow, workflows)
    ), ranked AS (
        SELECT d.duration_bucket,
            sum(sum(d.runs)) OVER (ORDER BY d.duration_bucket) AS up_to,
            sum(sum(d.runs)) OVER () AS all_runs
        FROM v_execution_durations(range_start, range_end) d
        JOIN v_workflows w ON w.source = d.source AND w.workflow_id = d.workflow_id
        WHERE is_chosen(d.source, sources) AND is_chosen(w.workflow, workflows)
        GROUP BY d.duration_bucket
    )
    SELECT t.runs, t.succeeded, t.failed, t.canceled, t.open,
        t.succeeded / nullif(t.succeeded + t.failed, 0)::double precision,
        t.average_seconds::double precision,
        (SELECT duration_bucket_seconds(min(r.duration_bucket)) FROM ranked r
            WHERE r.up_to >= ceil(0.95 * r.all_runs)),
        t.items_failed
    FROM totals t;
END;

-- How is each workflow doing? A row per workflow that ran in the range or is switched on.
CREATE FUNCTION v_workflow_summary(range_start timestamptz, range_end timestamptz)
RETURNS TABLE (
    source text, workflow_id text, workflow text, runs bigint, failed bigint,
    success_ratio double precision, average_seconds double precision, p95_seconds double precision,
    items_total bigint, items_failed bigint, llm_calls bigint, cost_usd numeric,
    unpriced_calls bigint, estimated_calls bigint, last_success_at timestamptz
)
LANGUAGE sql STABLE
BEGIN ATOMIC
    WITH totals AS (
        SELECT t.source, t.workflow_id,
            sum(t.runs)::bigint AS runs,
            coalesce(sum(t.runs) FILTER (WHERE t.status = 'success'), 0)::bigint AS succeeded,
            coalesce(sum(t.runs) FILTER (WHERE t.status IN ('error', 'timeout', 'crashed')), 0)::bigint
                AS failed,
            sum(t.duration_seconds) / nullif(sum(t.timed_runs), 0) AS average_seconds,
            sum(t.items_total)::bigint AS items_total, sum(t.items_failed)::bigint AS items_failed
        FROM v_execution_totals(range_start, range_end) t
        GROUP BY 1, 2
    ), ranked AS (
        SELECT d.source, d.workflow_id, d.duration_bucket,
            sum(sum(d.runs)) OVER (
                PARTITION BY d.source, d.workflow_id ORDER BY d.duration_bucket
            ) AS up_to,
            sum(sum(d.runs)) OVER (PARTITION BY d.source, d.workflow_id) AS all_runs
        FROM v_execution_durations(range_start, range_end) d
        GROUP BY 1, 2, 3
    ), p95 AS (
        SELECT r.source, r.workflow_id, duration_bucket_seconds(min(r.duration_bucket)) AS seconds
        FROM ranked r WHERE r.up_to >= ceil(0.95 * r.all_runs)
        GROUP BY 1, 2
    ), llm AS (
        SELECT l.source, l.workflow_id, sum(l.calls)::bigint AS calls, sum(l.cost_usd) AS cost_usd,
            sum(l.unpriced_calls)::bigint AS unpriced_calls,
            sum(l.estimated_calls)::bigint AS estimated_calls
        FROM v_llm_totals(range_start, range_end) l
        GROUP BY 1, 2
    )
    SELECT w.source, w.workflow_id, w.workflow,
        coalesce(t.runs, 0), coalesce(t.failed, 0),
        t.succeeded / nullif(t.succeeded + t.failed, 0)::double precision,
        t.average_seconds::double precision, p.seconds,
        coalesce(t.items_total, 0), coalesce(t.items_failed, 0),
        coalesce(l.calls, 0), coalesce(l.cost_usd, 0), coalesce(l.unpriced_calls, 0),
        coalesce(l.estimated_calls, 0),
        w.last_success_at
    FROM workflows w
    LEFT JOIN totals t ON t.source = w.source AND t.workflow_id = w.workflow_id
    LEFT JOIN p95 p ON p.source = w.source AND p.workflow_id = w.workflow_id
    LEFT JOIN llm l ON l.source = w.source AND l.workflow_id = w.workflow_id
    WHERE w.active OR t.runs > 0 OR l.calls > 0;
END;

-- When did how many executions end how? Hourly.
CREATE VIEW v_executions_hourly AS
SELECT h.bucket_start, h.source, w.workflow, h.status,
    CASE
        WHEN h.status = 'success' THEN 'success'
        WHEN h.status IN ('error', 'timeout', 'crashed') THEN 'failed'
        WHEN h.status IN ('queued', 'running', 'waiting') THEN 'open'
        ELSE h.status
    END AS result,
    h.runs, h.timed_runs, h.duration_seconds
FROM executions_hourly h
JOIN workflows w ON w.source = h.source AND w.workflow_id = h.workflow_id
WHERE h.runs > 0;

-- What failed, and why?
CREATE VIEW v_failures AS
SELECT e.created_at, e.source, e.execution_id, w.workflow, e.workflow_version, e.status, e.trigger,
    e.error_step, e.error_type,
    coalesce(e.error_message, CASE e.status
        WHEN 'timeout' THEN 'The execution ran into its time limit'
        WHEN 'crashed' THEN 'The engine died while it ran; it left no message'
    END) AS error_message,
    e.duration_seconds, e.customer, e.project, e.team, e.engine_url AS url
FROM executions e
JOIN workflows w ON w.source = e.source AND w.workflow_id = e.workflow_id
WHERE e.status IN ('error', 'timeout', 'crashed');

-- How often does each workflow run by itself? The longest silence of four weeks between two
-- hours with a run, whatever its result: an outage that fails loudly is no rhythm.
CREATE VIEW v_workflow_rhythms AS
WITH hours AS (
    SELECT DISTINCT h.source, h.workflow_id, h.bucket_start
    FROM executions_hourly h
    WHERE h.bucket_start > now() - interval '28 days' AND h.runs > 0
), gaps AS (
    SELECT source, workflow_id, bucket_start - lag(bucket_start) OVER (
        PARTITION BY source, workflow_id ORDER BY bucket_start
    ) AS gap
    FROM hours
)
SELECT w.source, w.workflow_id, w.workflow,
    extract(epoch FROM max(g.gap))::double precision AS expected_interval_seconds
FROM gaps g
JOIN workflows w ON w.source = g.source AND w.workflow_id = g.workflow_id
WHERE w.active IS NOT FALSE
GROUP BY 1, 2, 3
HAVING count(g.gap) >= 2;
