-- What is remarkable of calls and steps, when? Hourly; of steps, with an empty provider and model.
CREATE VIEW v_signals_hourly AS
SELECT h.bucket_start, h.source, w.workflow, h.provider, h.model, h.signal, h.events
FROM signals_hourly h
JOIN workflows w ON w.source = h.source AND w.workflow_id = h.workflow_id
WHERE h.events > 0;

-- And how often, in exactly this range? Calls count when they began, steps when their run did.
CREATE FUNCTION v_signal_totals(range_start timestamptz, range_end timestamptz)
RETURNS TABLE (
    source text, workflow_id text, provider text, model text, signal text, events bigint
)
LANGUAGE sql STABLE
BEGIN ATOMIC
    WITH parts AS (
        SELECT h.source, h.workflow_id, h.provider, h.model, h.signal, h.events
        FROM split_range('llm_calls', range_start, range_end) s
        JOIN signals_hourly h
            ON s.part = 'hours' AND h.bucket_start >= s.from_at AND h.bucket_start < s.until_at
        WHERE h.provider <> ''
        UNION ALL
        SELECT h.source, h.workflow_id, h.provider, h.model, h.signal, h.events
        FROM split_range('steps', range_start, range_end) s
        JOIN signals_hourly h
            ON s.part = 'hours' AND h.bucket_start >= s.from_at AND h.bucket_start < s.until_at
        WHERE h.provider = ''
        UNION ALL
        SELECT c.source, c.workflow_id, c.provider, c.model, unnest(c.signals), 1
        FROM split_range('llm_calls', range_start, range_end) s
        JOIN llm_calls c
            ON s.part = 'raw' AND c.started_at >= s.from_at AND c.started_at < s.until_at
        WHERE c.signals <> '{}'
        UNION ALL
        SELECT t.source, e.workflow_id, '', '', unnest(t.signals), 1
        FROM split_range('steps', range_start, range_end) s
        JOIN steps t ON s.part = 'raw' AND t.created_at >= s.from_at AND t.created_at < s.until_at
        JOIN executions e ON e.source = t.source AND e.execution_id = t.execution_id
            AND e.created_at = t.created_at
        WHERE t.signals <> '{}'
    )
    SELECT p.source, p.workflow_id, p.provider, p.model, p.signal, sum(p.events)::bigint
    FROM parts p GROUP BY 1, 2, 3, 4, 5
    HAVING sum(p.events) <> 0;
END;

-- How does each model hold up? Its calls of the range, what was remarkable of them, and those whose
-- input took up 80 % or more of its context window; what the others took is in the metrics.
CREATE FUNCTION v_model_signals(
    range_start timestamptz, range_end timestamptz,
    sources text[] DEFAULT '{__all__}', workflows text[] DEFAULT '{__all__}'
)
RETURNS TABLE (
    provider text, model text, calls bigint, failed bigint, retry bigint, fallback bigint,
    rate_limited bigint, timed_out bigint, overloaded bigint, refused bigint, truncated bigint,
    context_exceeded bigint, nearly_full bigint, context_used_most double precision
)
LANGUAGE sql STABLE
BEGIN ATOMIC
    WITH called AS (
        SELECT t.provider, t.model, sum(t.calls)::bigint AS calls,
            coalesce(sum(t.calls) FILTER (WHERE t.status IN ('error', 'timeout', 'crashed')), 0)::bigint
                AS failed
        FROM v_llm_totals(range_start, range_end) t
        LEFT JOIN v_workflows w ON w.source = t.source AND w.workflow_id = t.workflow_id
        WHERE is_chosen(t.source, sources) AND is_chosen(coalesce(w.workflow, ''), workflows)
        GROUP BY 1, 2
    ), signalled AS (
        SELECT t.provider, t.model, t.signal, sum(t.events)::bigint AS events
        FROM v_signal_totals(range_start, range_end) t
        LEFT JOIN v_workflows w ON w.source = t.source AND w.workflow_id = t.workflow_id
        WHERE is_chosen(t.source, sources) AND is_chosen(coalesce(w.workflow, ''), workflows)
        GROUP BY 1, 2, 3
    ), counted AS (
        SELECT s.provider, s.model,
            sum(s.events) FILTER (WHERE s.signal = 'retry') AS retry,
            sum(s.events) FILTER (WHERE s.signal = 'fallback') AS fallback,
            sum(s.events) FILTER (WHERE s.signal = 'rate_limited') AS rate_limited,
            sum(s.events) FILTER (WHERE s.signal = 'timed_out') AS timed_out,
            sum(s.events) FILTER (WHERE s.signal = 'overloaded') AS overloaded,
            sum(s.events) FILTER (WHERE s.signal = 'refused') AS refused,
            sum(s.events) FILTER (WHERE s.signal = 'truncated') AS truncated,
            sum(s.events) FILTER (WHERE s.signal = 'context_exceeded') AS context_exceeded
        FROM signalled s GROUP BY 1, 2
    ), filled AS (
        SELECT c.provider, c.model, count(*) AS calls,
            max(c.input_tokens / nullif(c.context_window_tokens, 0)::double precision) AS used_most
        FROM llm_calls c
        LEFT JOIN workflows w ON w.source = c.source AND w.workflow_id = c.workflow_id
        WHERE c.started_at >= range_start AND c.started_at <= range_end
            AND c.input_tokens >= 0.8 * c.context_window_tokens -- an index knows them
            AND is_chosen(c.source, sources) AND is_chosen(coalesce(w.workflow, ''), workflows)
        GROUP BY 1, 2
    )
    SELECT c.provider, c.model, c.calls, c.failed,
        coalesce(s.retry, 0), coalesce(s.fallback, 0), coalesce(s.rate_limited, 0),
        coalesce(s.timed_out, 0), coalesce(s.overloaded, 0), coalesce(s.refused, 0),
        coalesce(s.truncated, 0), coalesce(s.context_exceeded, 0),
        coalesce(f.calls, 0), f.used_most
    FROM called c
    LEFT JOIN counted s ON s.provider = c.provider AND s.model = c.model
    LEFT JOIN filled f ON f.provider = c.provider AND f.model = c.model;
END;

-- And each workflow? With what its steps tell besides: open circuit breakers, answers from a cache.
CREATE FUNCTION v_workflow_signals(
    range_start timestamptz, range_end timestamptz,
    sources text[] DEFAULT '{__all__}', workflows text[] DEFAULT '{__all__}'
)
RETURNS TABLE (
    source text, workflow text, retry bigint, fallback bigint, circuit_open bigint,
    cached_answer bigint, rate_limited bigint, other_failures bigint, refused bigint,
    truncated bigint
)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT t.source, w.workflow,
        coalesce(sum(t.events) FILTER (WHERE t.signal = 'retry'), 0)::bigint,
        coalesce(sum(t.events) FILTER (WHERE t.signal = 'fallback'), 0)::bigint,
        coalesce(sum(t.events) FILTER (WHERE t.signal = 'circuit_open'), 0)::bigint,
        coalesce(sum(t.events) FILTER (WHERE t.signal = 'cached_answer'), 0)::bigint,
        coalesce(sum(t.events) FILTER (WHERE t.signal = 'rate_limited'), 0)::bigint,
        coalesce(sum(t.events) FILTER (
            WHERE t.signal IN ('timed_out', 'overloaded', 'context_exceeded')), 0)::bigint,
        coalesce(sum(t.events) FILTER (WHERE t.signal = 'refused'), 0)::bigint,
        coalesce(sum(t.events) FILTER (WHERE t.signal = 'truncated'), 0)::bigint
    FROM v_signal_totals(range_start, range_end) t
    JOIN v_workflows w ON w.source = t.source AND w.workflow_id = t.workflow_id
    WHERE is_chosen(t.source, sources) AND is_chosen(w.workflow, workflows)
    GROUP BY 1, 2;
END;
