-- What is usual for workflows, what of theirs is compared with it, and what was far from it.

-- name: caught_up
-- Of a source whose history is still read, neither days nor what is usual is known.
SELECT source FROM cursors WHERE caught_up ORDER BY source

-- name: refresh
-- The median of the same weekday in four weeks, of at least three; else of the last 14 days with a
-- run in them, of at least three; else nothing is usual.
WITH days AS MATERIALIZED (
    SELECT source, workflow_id, measure, day, value,
        row_number() OVER (PARTITION BY source, workflow_id, measure ORDER BY day DESC) AS place
    FROM v_workflow_measures(%(day)s::date - 28, %(day)s::date - 1, %(zone)s)
), weekday AS (
    SELECT source, workflow_id, measure, count(*)::int AS sample_days,
        percentile_cont(0.5) WITHIN GROUP (ORDER BY value)::numeric AS baseline_value
    FROM days
    WHERE (%(day)s::date - day) %% 7 = 0
    GROUP BY 1, 2, 3
    HAVING count(*) >= 3
), recent AS (
    SELECT source, workflow_id, measure, count(*)::int AS sample_days,
        percentile_cont(0.5) WITHIN GROUP (ORDER BY value)::numeric AS baseline_value
    FROM days
    WHERE place <= 14
    GROUP BY 1, 2, 3
    HAVING count(*) >= 3
)
INSERT INTO baselines (source, workflow_id, measure, as_of_day, zone, baseline_value, basis,
    sample_days, computed_at)
SELECT source, workflow_id, measure, %(day)s, %(zone)s,
    coalesce(w.baseline_value, r.baseline_value),
    CASE WHEN w.baseline_value IS NULL THEN 'recent' ELSE 'weekday' END,
    coalesce(w.sample_days, r.sample_days), %(now)s
FROM recent r
FULL JOIN weekday w USING (source, workflow_id, measure)
ON CONFLICT (source, workflow_id, measure, as_of_day) DO UPDATE SET
    zone = EXCLUDED.zone, baseline_value = EXCLUDED.baseline_value, basis = EXCLUDED.basis,
    sample_days = EXCLUDED.sample_days, computed_at = EXCLUDED.computed_at

-- name: forget_refuted
-- What was usual for the day when it was last looked at, and no longer is.
DELETE FROM baselines WHERE as_of_day = %(day)s AND computed_at < %(now)s

-- name: forget_old
DELETE FROM baselines WHERE as_of_day < %(day)s::date - 90

-- name: days
SELECT m.source, m.workflow_id, w.workflow, m.measure, m.day, b.baseline_value,
    m.value AS observed_value, m.samples
FROM v_workflow_measures(%(day)s::date - 1, %(day)s::date, %(zone)s) m
JOIN workflows w ON w.source = m.source AND w.workflow_id = m.workflow_id
LEFT JOIN baselines b ON b.source = m.source AND b.workflow_id = m.workflow_id
    AND b.measure = m.measure AND b.as_of_day = m.day AND b.zone = %(zone)s
WHERE NOT EXISTS (SELECT FROM cursors c WHERE c.source = m.source AND NOT c.caught_up)

-- name: runs_per_hour
-- Usual: the most in one of the same hours of the weekday in four weeks (those before and after
-- too, as 60 minutes lie in two hours and clocks change), else in any hour of them. What began
-- within a day is no custom yet; neither is what ran on fewer than three days.
WITH busy AS (
    SELECT source, workflow_id, count(*) AS runs
    FROM executions
    WHERE created_at > %(now)s - interval '60 minutes' AND created_at <= %(now)s
    GROUP BY 1, 2
    HAVING count(*) >= %(least)s
)
SELECT b.source, b.workflow_id, w.workflow, b.runs AS observed_value, '' AS execution_id,
    NULL::timestamptz AS created_at, u.usual AS baseline_value
FROM busy b
JOIN workflows w ON w.source = b.source AND w.workflow_id = b.workflow_id
LEFT JOIN LATERAL (
    SELECT coalesce(
        nullif(max(h.runs) FILTER (WHERE h.bucket_start = ANY(%(hours)s)), 0), max(h.runs)
    ) AS usual
    FROM (
        SELECT e.bucket_start, sum(e.runs) AS runs
        FROM executions_hourly e
        WHERE e.source = b.source AND e.workflow_id = b.workflow_id
            AND e.bucket_start >= %(now)s - interval '29 days'
            AND e.bucket_start < %(now)s - interval '1 day'
        GROUP BY 1
        HAVING sum(e.runs) > 0
    ) h
    HAVING count(DISTINCT date_bin('24 hours', h.bucket_start, timestamptz '2000-01-01 00:00:00+00')) >= 3
) u ON true
WHERE NOT EXISTS (SELECT FROM cursors c WHERE c.source = b.source AND NOT c.caught_up)

-- name: calls_per_run
-- Runs with a call in the last hour, and all their calls.
SELECT t.source, t.execution_id, t.created_at, t.workflow_id, sum(coalesce(c.calls, 1)) AS amount
FROM (
    SELECT source, execution_id, created_at, workflow_id
    FROM llm_calls
    WHERE started_at > %(now)s - interval '60 minutes' AND started_at <= %(now)s
    GROUP BY 1, 2, 3, 4
    HAVING sum(coalesce(calls, 1)) >= 5
) t
JOIN llm_calls c ON c.source = t.source AND c.execution_id = t.execution_id
    AND c.created_at = t.created_at
GROUP BY 1, 2, 3, 4
HAVING sum(coalesce(c.calls, 1)) >= %(least)s

-- name: calls_of_run
SELECT coalesce(sum(coalesce(c.calls, 1)), 0)
FROM llm_calls c
WHERE c.source = e.source AND c.execution_id = e.execution_id AND c.created_at = e.created_at

-- name: retries_per_run
-- Of runs that go on or were alive in the last hour: calls that took the place of a failed one, and
-- of each step (its place is its name and parent) the tries beyond the first.
SELECT e.source, e.execution_id, e.created_at, e.workflow_id, sum(r.retries) AS amount
FROM (
    SELECT source, execution_id, created_at, count(*) AS retries
    FROM llm_calls
    WHERE signals <> '{}' AND 'retry' = ANY(signals)
        AND created_at > %(now)s - interval '24 hours' AND created_at <= %(now)s
    GROUP BY 1, 2, 3
    UNION ALL
    SELECT source, execution_id, created_at, sum(tries)
    FROM (
        SELECT source, execution_id, created_at, max(attempt) - 1 AS tries
        FROM steps
        WHERE attempt > 1
            AND created_at > %(now)s - interval '24 hours' AND created_at <= %(now)s
        GROUP BY source, execution_id, created_at, name, parent_step_id
    ) s
    GROUP BY 1, 2, 3
) r
JOIN executions e ON e.source = r.source AND e.execution_id = r.execution_id
    AND e.created_at = r.created_at
WHERE e.created_at > %(now)s - interval '60 minutes' OR e.finished_at > %(now)s - interval '60 minutes'
    OR e.status IN ('queued', 'running', 'waiting')
GROUP BY 1, 2, 3, 4
HAVING sum(r.retries) >= %(least)s

-- name: retries_of_run
SELECT (
    SELECT count(*) FROM llm_calls c
    WHERE c.source = e.source AND c.execution_id = e.execution_id AND c.created_at = e.created_at
        AND 'retry' = ANY(c.signals)
) + (
    SELECT coalesce(sum(s.tries), 0) FROM (
        SELECT max(t.attempt) - 1 AS tries
        FROM steps t
        WHERE t.source = e.source AND t.execution_id = e.execution_id
            AND t.created_at = e.created_at AND t.attempt > 1
        GROUP BY t.name, t.parent_step_id
    ) s
)

-- name: against_usual_runs
-- Usual: what 99 of 100 of the workflow's last 1,000 ended runs stay within, those of the last hour
-- those in question and those that were flagged left out; of at least 20. It is asked for the few runs above.
WITH found AS MATERIALIZED (
    SELECT *, row_number() OVER (PARTITION BY source, workflow_id ORDER BY amount DESC) AS place
    FROM ({amounts}) a
), usual AS MATERIALIZED (
    SELECT f.source, f.workflow_id, u.amount
    FROM (SELECT DISTINCT source, workflow_id FROM found) f
    CROSS JOIN LATERAL (
        SELECT percentile_disc(0.99) WITHIN GROUP (ORDER BY o.amount) AS amount
        FROM (
            SELECT ({of_run}) AS amount
            FROM executions e
            WHERE e.source = f.source AND e.workflow_id = f.workflow_id
                AND e.created_at > %(now)s - interval '28 days'
                AND e.created_at <= %(now)s - interval '60 minutes'
                AND e.status IN ('success', 'error', 'timeout', 'crashed')
                AND e.unknown_steps_reason IS NULL
                AND NOT EXISTS (
                    SELECT FROM found g
                    WHERE g.source = e.source AND g.execution_id = e.execution_id
                )
                AND NOT EXISTS (
                    SELECT FROM anomalies a
                    WHERE a.source = e.source AND a.workflow_id = e.workflow_id
                        AND a.measure = %(measure)s AND a.execution_id = e.execution_id
                )
            ORDER BY e.created_at DESC
            LIMIT 1000
        ) o
        HAVING count(*) >= 20
    ) u
)
SELECT f.source, f.workflow_id, w.workflow, f.amount AS observed_value, f.execution_id,
    f.created_at, u.amount AS baseline_value
FROM found f
JOIN workflows w ON w.source = f.source AND w.workflow_id = f.workflow_id
LEFT JOIN usual u ON u.source = f.source AND u.workflow_id = f.workflow_id
WHERE f.place <= 20
    AND NOT EXISTS (SELECT FROM cursors c WHERE c.source = f.source AND NOT c.caught_up)

-- name: flag
-- Once each; both numbers as they were at their worst. A run keeps the day on which it was first seen.
INSERT INTO anomalies AS a (source, workflow_id, measure, day, execution_id, created_at,
    baseline_value, observed_value, first_seen_at, last_seen_at)
SELECT f.source, f.workflow_id, f.measure, coalesce(seen.day, f.day), f.execution_id, f.created_at,
    f.baseline_value, f.observed_value, %(now)s, %(now)s
FROM jsonb_to_recordset(%(found)s) f (
    source text, workflow_id text, measure text, day date, execution_id text,
    created_at timestamptz, baseline_value numeric, observed_value numeric
)
LEFT JOIN LATERAL (
    SELECT o.day FROM anomalies o
    WHERE f.execution_id <> '' AND o.source = f.source AND o.workflow_id = f.workflow_id
        AND o.measure = f.measure AND o.execution_id = f.execution_id
    ORDER BY o.day LIMIT 1
) seen ON true
ON CONFLICT (source, workflow_id, measure, day, execution_id) DO UPDATE SET
    last_seen_at = greatest(a.last_seen_at, EXCLUDED.last_seen_at),
    baseline_value = CASE WHEN EXCLUDED.observed_value >= a.observed_value
        THEN EXCLUDED.baseline_value ELSE a.baseline_value END,
    observed_value = greatest(a.observed_value, EXCLUDED.observed_value)

-- name: seen_since
SELECT a.source, a.workflow_id, w.workflow, a.measure, a.day, a.baseline_value, a.observed_value,
    a.execution_id, a.first_seen_at, a.last_seen_at
FROM anomalies a
JOIN workflows w ON w.source = a.source AND w.workflow_id = a.workflow_id
WHERE a.last_seen_at >= %(since)s
ORDER BY a.observed_value
