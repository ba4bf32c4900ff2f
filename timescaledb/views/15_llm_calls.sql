-- How many model calls, tokens and dollars, in exactly this range?
CREATE FUNCTION v_llm_totals(range_start timestamptz, range_end timestamptz)
RETURNS TABLE (
    source text, workflow_id text, provider text, model text, status text,
    customer text, project text, team text,
    calls bigint, estimated_calls bigint, unmetered_calls bigint, unpriced_calls bigint,
    input_tokens bigint, cached_input_tokens bigint, output_tokens bigint, reasoning_tokens bigint,
    cost_usd numeric, timed_calls bigint, latency_seconds numeric
)
LANGUAGE sql STABLE
BEGIN ATOMIC
    WITH parts AS (
        SELECT h.source, h.workflow_id, h.provider, h.model, h.status, h.customer, h.project, h.team,
            h.calls, h.estimated_calls, h.unmetered_calls, h.unpriced_calls,
            h.input_tokens, h.cached_input_tokens, h.output_tokens, h.reasoning_tokens,
            h.cost_usd, h.timed_calls, h.latency_seconds
        FROM split_range('llm_calls', range_start, range_end) s
        JOIN llm_calls_hourly h
            ON s.part = 'hours' AND h.bucket_start >= s.from_at AND h.bucket_start < s.until_at
        UNION ALL
        SELECT c.source, c.workflow_id, c.provider, c.model, c.status, c.customer, c.project, c.team,
            coalesce(c.calls, 1), coalesce(c.calls, 1) * c.tokens_estimated::int,
            coalesce(c.calls, 1) * (c.status = 'success' AND c.input_tokens IS NULL)::int,
            coalesce(c.calls, 1) * (c.status = 'success' AND c.cost_usd IS NULL)::int,
            coalesce(c.input_tokens, 0), coalesce(c.cached_input_tokens, 0),
            coalesce(c.output_tokens, 0), coalesce(c.reasoning_tokens, 0),
            coalesce(c.cost_usd, 0), coalesce(c.calls, 1) * (c.latency_seconds IS NOT NULL)::int,
            coalesce(c.calls, 1) * round(coalesce(c.latency_seconds, 0)::numeric, 6)
        FROM split_range('llm_calls', range_start, range_end) s
        JOIN llm_calls c
            ON s.part = 'raw' AND c.started_at >= s.from_at AND c.started_at < s.until_at
    )
    SELECT p.source, p.workflow_id, p.provider, p.model, p.status, p.customer, p.project, p.team,
        sum(p.calls)::bigint, sum(p.estimated_calls)::bigint, sum(p.unmetered_calls)::bigint,
        sum(p.unpriced_calls)::bigint, sum(p.input_tokens)::bigint,
        sum(p.cached_input_tokens)::bigint, sum(p.output_tokens)::bigint,
        sum(p.reasoning_tokens)::bigint, sum(p.cost_usd), sum(p.timed_calls)::bigint,
        sum(p.latency_seconds)
    FROM parts p
    GROUP BY 1, 2, 3, 4, 5, 6, 7, 8
    HAVING sum(p.calls) <> 0 OR sum(p.cost_usd) <> 0 OR sum(p.input_tokens) <> 0;
END;

-- How many calls fell into each latency bucket, in exactly this range?
CREATE FUNCTION v_llm_latencies(range_start timestamptz, range_end timestamptz)
RETURNS TABLE (
    source text, workflow_id text, provider text, model text, latency_bucket smallint, calls bigint
)
LANGUAGE sql STABLE
BEGIN ATOMIC
    WITH parts AS (
        SELECT h.source, h.workflow_id, h.provider, h.model, h.latency_bucket, h.calls
        FROM split_range('llm_calls', range_start, range_end) s
        JOIN llm_latencies_hourly h
            ON s.part = 'hours' AND h.bucket_start >= s.from_at AND h.bucket_start < s.until_at
        UNION ALL
        SELECT c.source, c.workflow_id, c.provider, c.model, duration_bucket(c.latency_seconds), 1
        FROM split_range('llm_calls', range_start, range_end) s
        JOIN llm_calls c
            ON s.part = 'raw' AND c.started_at >= s.from_at AND c.started_at < s.until_at
        WHERE c.latency_seconds IS NOT NULL AND c.calls IS DISTINCT FROM 0
    )
    SELECT p.source, p.workflow_id, p.provider, p.model, p.latency_bucket, sum(p.calls)::bigint
    FROM parts p GROUP BY 1, 2, 3, 4, 5
    HAVING sum(p.calls) <> 0;
END;

-- What did model calls come to? One row for the range, and for what was chosen of it.
-- Where nothing could be priced, the cost is unknown, not 0.
CREATE FUNCTION v_llm_summary(
    range_start timestamptz, range_end timestamptz,
    sources text[] DEFAULT '{__all__}', workflows text[] DEFAULT '{__all__}'
)
RETURNS TABLE (calls bigint, unpriced_calls bigint, tokens bigint, cost_usd numeric)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT coalesce(sum(t.calls), 0)::bigint, coalesce(sum(t.unpriced_calls), 0)::bigint,
        coalesce(sum(t.input_tokens + t.output_tokens), 0)::bigint,
        CASE
            WHEN coalesce(sum(t.cost_usd), 0) > 0 OR coalesce(sum(t.unpriced_calls), 0) = 0
            THEN coalesce(sum(t.cost_usd), 0)
        END
    FROM v_llm_totals(range_start, range_end) t
    JOIN v_workflows w ON w.source = t.source AND w.workflow_id = t.workflow_id
    WHERE is_chosen(t.source, sources) AND is_chosen(w.workflow, workflows);
END;

-- How many model calls, tokens and dollars when? Hourly.
CREATE VIEW v_llm_calls_hourly AS
SELECT h.bucket_start, h.source, w.workflow, h.provider, h.model, h.status,
    h.customer, h.project, h.team, h.calls, h.unpriced_calls,
    h.input_tokens, h.output_tokens, h.cost_usd
FROM llm_calls_hourly h
JOIN workflows w ON w.source = h.source AND w.workflow_id = h.workflow_id
WHERE h.calls > 0 OR h.cost_usd > 0;
