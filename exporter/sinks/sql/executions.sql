-- Executions: closing what is gone, telling changes, keeping the hourly sums exact. {differences} is
-- filled in by the sink: rows that come (sign 1) and rows that go (sign -1).

-- name: stage_gone
INSERT INTO staged_executions
SELECT t.*
FROM executions t
JOIN unnest(%(ids)s::text[], %(created)s::timestamptz[]) gone (execution_id, created_at)
    ON t.execution_id = gone.execution_id AND t.created_at = gone.created_at
WHERE t.source = %(source)s AND t.status IN ('queued', 'running', 'waiting')
    AND NOT EXISTS (
        SELECT FROM staged_executions s
        WHERE s.execution_id = t.execution_id AND s.created_at = t.created_at
    )

-- name: close_gone
UPDATE staged_executions s
SET status = 'pruned', engine_state = NULL
FROM unnest(%(ids)s::text[], %(created)s::timestamptz[]) gone (execution_id, created_at)
WHERE s.execution_id = gone.execution_id AND s.created_at = gone.created_at
    AND s.status IN ('queued', 'running', 'waiting')

-- name: changes
SELECT s.source, coalesce(w.workflow, s.workflow) AS workflow, s.status,
    t.status AS stored_status, s.created_at, s.finished_at, s.duration_seconds, s.error_type,
    coalesce(s.items_total - s.items_failed, 0) - coalesce(t.items_total - t.items_failed, 0)
        AS items_succeeded_added,
    coalesce(s.items_failed, 0) - coalesce(t.items_failed, 0) AS items_failed_added,
    s.unknown_steps_reason, t.unknown_steps_reason AS stored_unknown_steps_reason
FROM staged_executions s
LEFT JOIN executions t ON t.source = s.source AND t.execution_id = s.execution_id
    AND t.created_at = s.created_at AND t.created_at BETWEEN %(oldest)s AND %(newest)s
LEFT JOIN workflows w ON w.source = s.source AND w.workflow_id = s.workflow_id

-- name: staged_differences
SELECT 1 AS sign, s.created_at, s.source, s.workflow_id, s.status, s.duration_seconds,
    s.items_total, s.items_failed
FROM staged_executions s
UNION ALL
SELECT -1, t.created_at, t.source, t.workflow_id, t.status, t.duration_seconds,
    t.items_total, t.items_failed
FROM executions t
JOIN staged_executions s ON t.source = s.source AND t.execution_id = s.execution_id
    AND t.created_at = s.created_at
WHERE t.created_at BETWEEN %(oldest)s AND %(newest)s

-- name: roll_up
INSERT INTO executions_hourly AS h
SELECT date_bin('1 hour', d.created_at, timestamptz '2000-01-01 00:00:00+00'),
    d.source, d.workflow_id, d.status,
    sum(d.sign), sum(d.sign * (d.duration_seconds IS NOT NULL)::int),
    sum(d.sign * round(coalesce(d.duration_seconds, 0)::numeric, 6)),
    sum(d.sign * coalesce(d.items_total, 0)), sum(d.sign * coalesce(d.items_failed, 0))
FROM ({differences}) d
GROUP BY 1, 2, 3, 4
ORDER BY 1, 2, 3, 4
ON CONFLICT (bucket_start, source, workflow_id, status) DO UPDATE SET
    runs = h.runs + excluded.runs,
    timed_runs = h.timed_runs + excluded.timed_runs,
    duration_seconds = h.duration_seconds + excluded.duration_seconds,
    items_total = h.items_total + excluded.items_total,
    items_failed = h.items_failed + excluded.items_failed

-- name: roll_up_durations
INSERT INTO execution_durations_hourly AS h
SELECT date_bin('1 hour', d.created_at, timestamptz '2000-01-01 00:00:00+00'),
    d.source, d.workflow_id, d.status, duration_bucket(d.duration_seconds), sum(d.sign)
FROM ({differences}) d
WHERE d.duration_seconds IS NOT NULL
GROUP BY 1, 2, 3, 4, 5
HAVING sum(d.sign) <> 0
ORDER BY 1, 2, 3, 4, 5
ON CONFLICT (bucket_start, source, workflow_id, status, duration_bucket) DO UPDATE SET
    runs = h.runs + excluded.runs

-- name: name_workflows
-- A workflow that only its executions tell of: deleted since, or never listed.
INSERT INTO workflows AS w (source, workflow_id, workflow, last_success_at)
SELECT s.source, s.workflow_id, (array_agg(s.workflow ORDER BY s.created_at DESC))[1],
    max(s.finished_at) FILTER (WHERE s.status = 'success')
FROM staged_executions s
GROUP BY 1, 2
ON CONFLICT (source, workflow_id) DO UPDATE SET
    last_success_at = greatest(w.last_success_at, excluded.last_success_at)
WHERE excluded.last_success_at > coalesce(w.last_success_at, '-infinity')

-- name: open_executions
SELECT execution_id, created_at, engine_state
FROM executions
WHERE source = %(source)s AND status IN ('queued', 'running', 'waiting')

-- name: open_counts
SELECT coalesce(w.workflow, e.workflow) AS workflow, e.status, count(*) AS executions
FROM executions e
LEFT JOIN workflows w ON w.source = e.source AND w.workflow_id = e.workflow_id
WHERE e.source = %(source)s AND e.status IN ('queued', 'running', 'waiting')
GROUP BY 1, 2

-- name: merge_workflow
INSERT INTO workflows AS w (source, workflow_id, workflow, active, version, project, tags)
VALUES (%(source)s, %(workflow_id)s, %(workflow)s, %(active)s, %(version)s, %(project)s, %(tags)s)
ON CONFLICT (source, workflow_id) DO UPDATE SET
    workflow = excluded.workflow, active = excluded.active, version = excluded.version,
    project = excluded.project, tags = excluded.tags
WHERE (w.workflow, w.active, w.version, w.project, w.tags) IS DISTINCT FROM
    (excluded.workflow, excluded.active, excluded.version, excluded.project, excluded.tags)

-- name: retire_workflows
-- A full list came: what is not on it is gone from its engine.
UPDATE workflows SET active = false
WHERE source = %(source)s AND active AND workflow_id <> ALL(%(listed)s)

-- name: workflows
-- One that was deleted and imported again stands here twice under its name.
-- What is switched off and has not run for a month needs no series.
SELECT w.workflow, bool_or(coalesce(w.active, false)) AS active
FROM workflows w
WHERE w.source = %(source)s AND (w.active OR EXISTS (
    SELECT FROM executions_hourly h
    WHERE h.source = w.source AND h.workflow_id = w.workflow_id
        AND h.bucket_start > now() - interval '30 days' AND h.runs > 0
))
GROUP BY w.workflow

-- name: rhythms
SELECT source, workflow, expected_interval_seconds FROM v_workflow_rhythms

-- name: created_at_of
SELECT execution_id, max(created_at) AS created_at
FROM executions
WHERE source = %(source)s AND execution_id = ANY(%(ids)s)
GROUP BY execution_id
