-- Model calls: telling changes, keeping the hourly sums exact. {differences} is filled in by the
-- sink: rows that come (sign 1) and rows that go (sign -1).

-- name: changes
SELECT s.source, coalesce(w.workflow, s.workflow) AS workflow, s.provider, s.model, s.status,
    t.call_id IS NULL AS is_new,
    s.status = 'success' AND s.cost_usd IS NULL AS is_unpriced,
    s.tokens_estimated AS is_estimated,
    s.latency_seconds, s.time_to_first_token_seconds,
    coalesce(s.input_tokens, 0) - coalesce(t.input_tokens, 0) AS input_tokens_added,
    coalesce(s.output_tokens, 0) - coalesce(t.output_tokens, 0) AS output_tokens_added,
    coalesce(s.cost_usd, 0) - coalesce(t.cost_usd, 0) AS cost_usd_added,
    s.cost_source, coalesce(s.calls, 1) AS calls,
    CASE WHEN s.status = 'success'
        THEN s.input_tokens::double precision / nullif(s.context_window_tokens, 0)
    END AS context_used_ratio
FROM staged_llm_calls s
LEFT JOIN llm_calls t ON t.source = s.source AND t.execution_id = s.execution_id
    AND t.created_at = s.created_at AND t.call_id = s.call_id
    AND t.created_at BETWEEN %(oldest)s AND %(newest)s
LEFT JOIN workflows w ON w.source = s.source AND w.workflow_id = s.workflow_id

-- name: staged_differences
SELECT 1 AS sign, s.* FROM staged_llm_calls s
UNION ALL
SELECT -1, t.* FROM llm_calls t
JOIN staged_llm_calls s ON t.source = s.source AND t.execution_id = s.execution_id
    AND t.created_at = s.created_at AND t.call_id = s.call_id
WHERE t.created_at BETWEEN %(oldest)s AND %(newest)s

-- name: roll_up
INSERT INTO llm_calls_hourly AS h
(bucket_start, source, workflow_id, provider, model, status, customer, project, team,
    calls, estimated_calls, unmetered_calls, unpriced_calls, input_tokens, cached_input_tokens,
    cache_write_tokens, output_tokens, reasoning_tokens, cost_usd, timed_calls, latency_seconds,
    reported_cost_usd)
SELECT date_bin('1 hour', d.started_at, timestamptz '2000-01-01 00:00:00+00'),
    d.source, d.workflow_id, d.provider, d.model, d.status, d.customer, d.project, d.team,
    sum(d.sign * coalesce(d.calls, 1)),
    sum(d.sign * coalesce(d.calls, 1) * d.tokens_estimated::int),
    sum(d.sign * coalesce(d.calls, 1) * (d.status = 'success' AND d.input_tokens IS NULL)::int),
    sum(d.sign * coalesce(d.calls, 1) * (d.status = 'success' AND d.cost_usd IS NULL)::int),
    sum(d.sign * coalesce(d.input_tokens, 0)), sum(d.sign * coalesce(d.cached_input_tokens, 0)),
    sum(d.sign * coalesce(d.cache_write_tokens, 0)), sum(d.sign * coalesce(d.output_tokens, 0)),
    sum(d.sign * coalesce(d.reasoning_tokens, 0)), sum(d.sign * coalesce(d.cost_usd, 0)),
    sum(d.sign * coalesce(d.calls, 1) * (d.latency_seconds IS NOT NULL)::int),
    sum(d.sign * coalesce(d.calls, 1) * round(coalesce(d.latency_seconds, 0)::numeric, 6)),
    sum(d.sign * CASE WHEN d.cost_source = 'reported' THEN coalesce(d.cost_usd, 0) ELSE 0 END)
FROM ({differences}) d
GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9
ORDER BY 1, 2, 3, 4, 5, 6, 7, 8, 9
ON CONFLICT (bucket_start, source, workflow_id, provider, model, status, customer, project, team)
DO UPDATE SET
    calls = h.calls + excluded.calls,
    estimated_calls = h.estimated_calls + excluded.estimated_calls,
    unmetered_calls = h.unmetered_calls + excluded.unmetered_calls,
    unpriced_calls = h.unpriced_calls + excluded.unpriced_calls,
    input_tokens = h.input_tokens + excluded.input_tokens,
    cached_input_tokens = h.cached_input_tokens + excluded.cached_input_tokens,
    cache_write_tokens = h.cache_write_tokens + excluded.cache_write_tokens,
    output_tokens = h.output_tokens + excluded.output_tokens,
    reasoning_tokens = h.reasoning_tokens + excluded.reasoning_tokens,
    cost_usd = h.cost_usd + excluded.cost_usd,
    timed_calls = h.timed_calls + excluded.timed_calls,
    latency_seconds = h.latency_seconds + excluded.latency_seconds,
    reported_cost_usd = h.reported_cost_usd + excluded.reported_cost_usd

-- name: roll_up_latencies
INSERT INTO llm_latencies_hourly AS h
SELECT date_bin('1 hour', d.started_at, timestamptz '2000-01-01 00:00:00+00'),
    d.source, d.workflow_id, d.provider, d.model, duration_bucket(d.latency_seconds),
    sum(d.sign * coalesce(d.calls, 1))
FROM ({differences}) d
WHERE d.latency_seconds IS NOT NULL
GROUP BY 1, 2, 3, 4, 5, 6
HAVING sum(d.sign * coalesce(d.calls, 1)) <> 0
ORDER BY 1, 2, 3, 4, 5, 6
ON CONFLICT (bucket_start, source, workflow_id, provider, model, latency_bucket) DO UPDATE SET
    calls = h.calls + excluded.calls
