-- Budgets: what was spent, which call crossed a threshold, what is to be done about it.

-- name: calls_by_hour
-- A gateway's calls may be an engine's calls, told again: they count where its source is asked for.
SELECT h.bucket_start AS at, h.unpriced_calls, h.cost_usd,
    CASE %(scope)s
        WHEN 'total' THEN '' WHEN 'provider' THEN h.provider WHEN 'source' THEN h.source
        WHEN 'workflow' THEN coalesce(w.workflow, h.workflow_id) WHEN 'customer' THEN h.customer
        WHEN 'project' THEN h.project WHEN 'team' THEN h.team WHEN 'model' THEN h.model
    END AS scope_value
FROM llm_calls_hourly h
LEFT JOIN sources s ON s.source = h.source
LEFT JOIN workflows w ON w.source = h.source AND w.workflow_id = h.workflow_id
WHERE h.bucket_start >= %(first_hour)s AND h.bucket_start < %(until)s
    AND (h.source = %(source)s::text OR (%(source)s::text IS NULL AND s.role IS DISTINCT FROM 'gateway'))

-- name: calls
-- The same of single calls, by the time each began.
SELECT c.started_at AS at,
    (c.status = 'success' AND c.cost_usd IS NULL)::int * coalesce(c.calls, 1) AS unpriced_calls,
    coalesce(c.cost_usd, 0) AS cost_usd,
    CASE %(scope)s
        WHEN 'total' THEN '' WHEN 'provider' THEN c.provider WHEN 'source' THEN c.source
        WHEN 'workflow' THEN coalesce(w.workflow, c.workflow_id) WHEN 'customer' THEN c.customer
        WHEN 'project' THEN c.project WHEN 'team' THEN c.team WHEN 'model' THEN c.model
    END AS scope_value,
    c.source, c.workflow_id, coalesce(w.workflow, c.workflow) AS workflow, c.execution_id,
    c.created_at, c.call_id
FROM llm_calls c
LEFT JOIN sources s ON s.source = c.source
LEFT JOIN workflows w ON w.source = c.source AND w.workflow_id = c.workflow_id
WHERE c.started_at >= %(start)s AND c.started_at < %(end)s
    AND (c.source = %(source)s::text OR (%(source)s::text IS NULL AND s.role IS DISTINCT FROM 'gateway'))

-- name: spend
-- Whole hours from their sums; from single calls what lies before the first of them, in zones whose
-- midnight is within an hour of UTC.
SELECT scope_value, sum(cost_usd) AS cost_usd, sum(unpriced_calls)::bigint AS unpriced_calls,
    date_bin('1 hour', min(at) FILTER (WHERE cost_usd <> 0),
        timestamptz '2000-01-01 00:00:00+00') AS first_at
FROM (
    {calls_by_hour}
    UNION ALL
    SELECT at, unpriced_calls, cost_usd, scope_value FROM ({calls}) edge
) c
WHERE scope_value IS NOT NULL AND (%(value)s::text IS NULL OR scope_value = %(value)s)
GROUP BY 1

-- name: crossing_hour
SELECT hour, spent_usd, cost_usd FROM (
    SELECT hour, sum(cost_usd) AS cost_usd, sum(sum(cost_usd)) OVER (ORDER BY hour) AS spent_usd
    FROM (
        SELECT greatest(
            date_bin('1 hour', at, timestamptz '2000-01-01 00:00:00+00'), %(start)s
        ) AS hour, cost_usd
        FROM (
            {calls_by_hour}
            UNION ALL
            SELECT at, unpriced_calls, cost_usd, scope_value FROM ({calls}) edge
        ) c
        WHERE scope_value = %(value)s
    ) h
    GROUP BY 1
) cumulated
WHERE spent_usd >= %(amount_usd)s
ORDER BY hour
LIMIT 1

-- name: crossing_call
SELECT k.*, coalesce(e.status IN ('queued', 'running', 'waiting'), false) AS is_open
FROM (
    SELECT at AS crossed_at, source, workflow_id, workflow, execution_id, created_at, call_id,
        %(before_usd)s + sum(cost_usd) OVER (
            ORDER BY at, created_at, source, execution_id, call_id
        ) AS spent_usd
    FROM ({calls}) c
    WHERE scope_value = %(value)s
) k
LEFT JOIN executions e ON e.source = k.source AND e.execution_id = k.execution_id
    AND e.created_at = k.created_at
WHERE k.spent_usd >= %(amount_usd)s
ORDER BY crossed_at, created_at, source, execution_id, call_id
LIMIT 1

-- name: runs
SELECT r.source, r.execution_id, r.created_at, r.workflow_id, r.cost_usd,
    coalesce(e.status IN ('queued', 'running', 'waiting'), false) AS is_open
FROM (
    SELECT c.source, c.execution_id, c.created_at, min(c.workflow_id) AS workflow_id,
        sum(c.cost_usd) AS cost_usd
    FROM llm_calls c
    JOIN (
        SELECT DISTINCT source, execution_id, created_at FROM ({calls}) q
        WHERE scope_value IS NOT NULL AND (%(value)s::text IS NULL OR scope_value = %(value)s)
    ) recent USING (source, execution_id, created_at)
    GROUP BY 1, 2, 3
    HAVING sum(c.cost_usd) >= %(least_usd)s
) r
LEFT JOIN executions e USING (source, execution_id, created_at)
ORDER BY r.created_at, r.source, r.execution_id

-- name: run_crossing
SELECT k.*, coalesce(e.status IN ('queued', 'running', 'waiting'), false) AS is_open
FROM (
    SELECT c.started_at AS crossed_at, c.source, c.workflow_id,
        coalesce(w.workflow, c.workflow) AS workflow, c.execution_id, c.created_at, c.call_id,
        sum(coalesce(c.cost_usd, 0)) OVER (ORDER BY c.started_at, c.call_id) AS spent_usd
    FROM llm_calls c
    LEFT JOIN workflows w ON w.source = c.source AND w.workflow_id = c.workflow_id
    WHERE c.source = %(source)s AND c.execution_id = %(execution_id)s
        AND c.created_at = %(created_at)s
) k
LEFT JOIN executions e USING (source, execution_id, created_at)
WHERE k.spent_usd >= %(amount_usd)s
ORDER BY crossed_at, call_id
LIMIT 1

-- name: recorded
SELECT budget, scope_value, period_start, threshold_percent, limit_usd
FROM budget_events WHERE budget = %(budget)s AND period_start >= %(since)s

-- name: record_event
INSERT INTO budget_events
(budget, scope, scope_value, period, period_start, period_end, threshold_percent, limit_usd,
    crossed_at, spent_usd, source, workflow_id, workflow, execution_id, created_at, call_id,
    was_open, noticed_at)
VALUES (%(budget)s, %(scope)s, %(scope_value)s, %(period)s, %(period_start)s, %(period_end)s,
    %(threshold_percent)s, %(limit_usd)s, %(crossed_at)s, %(spent_usd)s, %(source)s,
    %(workflow_id)s, %(workflow)s, %(execution_id)s, %(created_at)s, %(call_id)s, %(is_open)s,
    %(now)s)
ON CONFLICT DO NOTHING
RETURNING event_id

-- name: record_action
INSERT INTO budget_actions (event_id, action, target, state, reason, detail, due_at, ended_at)
VALUES (%(event_id)s, %(action)s, %(target)s, %(state)s, %(reason)s, %(detail)s, %(now)s,
    CASE WHEN %(state)s <> 'pending' THEN %(now)s::timestamptz END)
ON CONFLICT DO NOTHING

-- name: workflows_named
SELECT source, workflow_id FROM workflows
WHERE workflow = ANY (%(names)s) AND (%(source)s::text IS NULL OR source = %(source)s)
ORDER BY source, workflow_id

-- name: claim_action
-- One row at a time, and committed before anything is done: another exporter then leaves it alone.
-- What was begun and never ended belongs to one that died.
UPDATE budget_actions a SET state = 'begun', begun_at = %(now)s, attempts = a.attempts + 1
FROM budget_events e
WHERE e.event_id = a.event_id AND a.action_id = (
    SELECT action_id FROM budget_actions
    WHERE due_at <= %(now)s
        AND (state = 'pending' OR (state = 'begun' AND begun_at < %(abandoned_before)s))
    ORDER BY due_at, action_id
    LIMIT 1
    FOR UPDATE SKIP LOCKED
)
RETURNING a.action_id, a.action, a.target, a.reason, a.attempts, a.due_at, a.remembered, e.*

-- name: end_action
UPDATE budget_actions
SET state = %(state)s, detail = %(detail)s, ended_at = %(now)s
WHERE action_id = %(action_id)s AND state = 'begun' AND attempts = %(attempts)s

-- name: remember
UPDATE budget_actions SET remembered = %(remembered)s
WHERE action_id = %(action_id)s AND state = 'begun' AND attempts = %(attempts)s

-- name: defer_action
UPDATE budget_actions SET state = 'pending', detail = %(detail)s, due_at = %(due_at)s
WHERE action_id = %(action_id)s AND state = 'begun' AND attempts = %(attempts)s

-- name: want_resume
INSERT INTO budget_actions (event_id, action, target, state, reason, due_at, remembered)
VALUES (%(event_id)s, 'resume', %(target)s, 'pending', %(reason)s, %(due_at)s, %(remembered)s)
ON CONFLICT DO NOTHING

-- name: paused_by_another
-- Does another budget hold the workflow, in a period that is not over?
SELECT e.budget, e.period_end FROM budget_actions a JOIN budget_events e USING (event_id)
WHERE a.action = 'pause' AND a.target = %(target)s AND a.state IN ('begun', 'done', 'skipped')
    AND e.budget <> %(budget)s AND e.period_end > %(now)s
ORDER BY e.period_end DESC
LIMIT 1

-- name: show_states
INSERT INTO budget_states AS t
(budget, scope, scope_value, period, period_start, period_end, zone, limit_usd, spent_usd,
    unpriced_calls, pace_usd_per_hour, projected_usd, exhausted_at, is_dry_run, as_of)
VALUES (%(budget)s, %(scope)s, %(scope_value)s, %(period)s, %(period_start)s, %(period_end)s,
    %(zone)s, %(limit_usd)s, %(spent_usd)s, %(unpriced_calls)s, %(pace_usd_per_hour)s,
    %(projected_usd)s, %(exhausted_at)s, %(is_dry_run)s, %(now)s)
ON CONFLICT (budget, scope_value, period_start) DO UPDATE SET
    scope = excluded.scope, period = excluded.period, period_end = excluded.period_end,
    zone = excluded.zone, limit_usd = excluded.limit_usd, spent_usd = excluded.spent_usd,
    unpriced_calls = excluded.unpriced_calls, pace_usd_per_hour = excluded.pace_usd_per_hour,
    projected_usd = excluded.projected_usd, exhausted_at = excluded.exhausted_at,
    is_dry_run = excluded.is_dry_run, as_of = excluded.as_of
WHERE t.as_of < excluded.as_of

-- name: retire_states
-- Of the periods that go on, what no budget is of any more; past periods stay as they ended.
DELETE FROM budget_states WHERE as_of < %(now)s AND period_end > %(now)s

-- name: runs_over
SELECT budget, count(DISTINCT scope_value) AS runs FROM budget_events
WHERE period = 'execution' AND threshold_percent >= 100 AND noticed_at >= %(since)s
GROUP BY 1

-- name: models
-- What our workflows call and get words of: models that could stand for one another.
SELECT DISTINCT provider, model FROM llm_calls_hourly
WHERE bucket_start >= %(since)s AND output_tokens > 0 AND provider <> '' AND model <> ''
ORDER BY provider, model
