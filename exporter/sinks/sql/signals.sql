-- What is remarkable of calls and steps, by hour. {differences} is filled in by the sink: rows that
-- come (sign 1) and rows that go (sign -1).

-- name: call_differences
SELECT 1 AS sign, s.started_at AS bucket_at, s.source, s.workflow_id, s.provider, s.model, s.signals
FROM staged_llm_calls s WHERE s.signals <> '{}'
UNION ALL
SELECT -1, t.started_at, t.source, t.workflow_id, t.provider, t.model, t.signals
FROM llm_calls t
JOIN staged_llm_calls s ON t.source = s.source AND t.execution_id = s.execution_id
    AND t.created_at = s.created_at AND t.call_id = s.call_id
WHERE t.created_at BETWEEN %(oldest)s AND %(newest)s AND t.signals <> '{}'

-- name: step_differences
-- By the hour of the execution, by which retention goes.
SELECT d.sign, d.created_at AS bucket_at, d.source, e.workflow_id, '' AS provider, '' AS model,
    d.signals
FROM (
    SELECT 1 AS sign, s.source, s.execution_id, s.created_at, s.signals
    FROM staged_steps s WHERE s.signals <> '{}'
    UNION ALL
    SELECT -1, t.source, t.execution_id, t.created_at, t.signals
    FROM steps t
    JOIN staged_steps s ON t.source = s.source AND t.execution_id = s.execution_id
        AND t.created_at = s.created_at AND t.step_id = s.step_id
    WHERE t.created_at BETWEEN %(oldest)s AND %(newest)s AND t.signals <> '{}'
) d
JOIN executions e ON e.source = d.source AND e.execution_id = d.execution_id
    AND e.created_at = d.created_at

-- name: changes
SELECT d.source, coalesce(w.workflow, d.workflow_id) AS workflow, d.provider, d.model, signal,
    sum(d.sign)::bigint AS events_added
FROM ({differences}) d
CROSS JOIN LATERAL unnest(d.signals) signal
LEFT JOIN workflows w ON w.source = d.source AND w.workflow_id = d.workflow_id
GROUP BY 1, 2, 3, 4, 5
HAVING sum(d.sign) <> 0
ORDER BY 1, 2, 3, 4, 5

-- name: roll_up
INSERT INTO signals_hourly AS h
    (bucket_start, source, workflow_id, provider, model, signal, events)
SELECT date_bin('1 hour', d.bucket_at, timestamptz '2000-01-01 00:00:00+00'),
    d.source, d.workflow_id, d.provider, d.model, signal, sum(d.sign)
FROM ({differences}) d
CROSS JOIN LATERAL unnest(d.signals) signal
GROUP BY 1, 2, 3, 4, 5, 6
HAVING sum(d.sign) <> 0
ORDER BY 1, 2, 3, 4, 5, 6
ON CONFLICT (bucket_start, source, workflow_id, provider, model, signal) DO UPDATE SET
    events = h.events + excluded.events
