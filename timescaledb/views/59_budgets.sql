-- Where does each budget stand? As of the newest look at it.
CREATE VIEW v_budgets AS
SELECT b.budget, b.scope, nullif(b.scope_value, '') AS scope_value, b.period, b.zone, b.period_start,
    b.period_end, b.limit_usd, b.spent_usd, b.limit_usd - b.spent_usd AS remaining_usd,
    (b.spent_usd / b.limit_usd)::double precision AS used_ratio, b.unpriced_calls,
    b.pace_usd_per_hour, b.projected_usd,
    (b.projected_usd / b.limit_usd)::double precision AS projected_ratio,
    -- When the limit was reached, or will be at this pace.
    CASE WHEN b.spent_usd >= b.limit_usd THEN e.crossed_at ELSE b.exhausted_at END AS exhausted_at,
    b.is_dry_run, b.as_of
FROM budget_states b
LEFT JOIN budget_events e ON e.budget = b.budget AND e.scope_value = b.scope_value
    AND e.period_start = b.period_start AND e.threshold_percent = 100 AND e.limit_usd = b.limit_usd
WHERE b.period_end > now();

-- Which thresholds were reached, when, and with which run?
CREATE VIEW v_budget_events AS
SELECT event_id, noticed_at, crossed_at, budget, scope, nullif(scope_value, '') AS scope_value, period,
    period_start, period_end, threshold_percent, limit_usd, spent_usd, source, workflow, execution_id,
    was_open
FROM budget_events;

-- What was done because of it, and why?
CREATE VIEW v_budget_actions AS
SELECT a.action_id, coalesce(a.ended_at, a.begun_at, a.due_at) AS at, a.action, a.state, e.budget,
    nullif(e.scope_value, '') AS scope_value,
    coalesce(w.workflow, nullif(a.target, '')) AS target, a.reason, nullif(a.detail, '') AS detail,
    a.due_at, a.attempts, e.threshold_percent, e.crossed_at
FROM budget_actions a
JOIN budget_events e USING (event_id)
LEFT JOIN workflows w ON a.action IN ('pause', 'resume')
    AND w.source = split_part(a.target, '/', 1)
    AND w.workflow_id = substr(a.target, strpos(a.target, '/') + 1);

-- Which workflows has a budget switched off that it has not switched on again?
CREATE VIEW v_paused_workflows AS
SELECT DISTINCT ON (p.target) p.target, coalesce(w.workflow, p.target) AS workflow, e.budget,
    p.ended_at AS paused_at, p.reason, r.due_at AS resumes_at
FROM budget_actions p
JOIN budget_events e USING (event_id)
LEFT JOIN budget_actions r
    ON r.event_id = p.event_id AND r.action = 'resume' AND r.target = p.target
LEFT JOIN workflows w ON w.source = split_part(p.target, '/', 1)
    AND w.workflow_id = substr(p.target, strpos(p.target, '/') + 1)
WHERE p.action = 'pause' AND p.state = 'done'
    -- Switched on since, by us or by a person.
    AND (r.state IS NULL OR r.state NOT IN ('done', 'skipped')) AND NOT coalesce(w.active, false)
ORDER BY p.target, p.ended_at DESC;
