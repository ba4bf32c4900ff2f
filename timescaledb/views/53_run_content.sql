-- Which models did it ask what, and what did they answer? NULL: unknown, or not kept.
CREATE FUNCTION v_run_calls(a_source text, an_id text)
RETURNS TABLE (
    started_at timestamptz, call_id text, step_id text, step text, provider text, model text,
    requested_model text, operation text, calls bigint, status text, error_type text,
    finish_reason text, latency_seconds double precision,
    time_to_first_token_seconds double precision, input_tokens bigint, cached_input_tokens bigint,
    output_tokens bigint, reasoning_tokens bigint, tokens_estimated boolean,
    context_window_tokens bigint, context_used double precision, cost_usd numeric,
    cost_source text, signals text, prompt text, response text
)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT c.started_at, c.call_id, c.step_id, s.name, c.provider, c.model, c.requested_model,
        c.operation, coalesce(c.calls, 1), c.status, c.error_type, c.finish_reason,
        c.latency_seconds, c.time_to_first_token_seconds, c.input_tokens, c.cached_input_tokens,
        c.output_tokens, c.reasoning_tokens, c.tokens_estimated, c.context_window_tokens,
        c.input_tokens / nullif(c.context_window_tokens, 0)::double precision,
        c.cost_usd, c.cost_source, nullif(array_to_string(c.signals, ', '), ''),
        t.prompt, t.response
    FROM run_key(a_source, an_id) k
    JOIN llm_calls c ON c.source = k.source AND c.execution_id = k.execution_id
        AND c.created_at = k.created_at
    LEFT JOIN steps s ON s.source = c.source AND s.execution_id = c.execution_id
        AND s.created_at = c.created_at AND s.step_id = c.step_id
    LEFT JOIN llm_content t ON t.source = c.source AND t.execution_id = c.execution_id
        AND t.created_at = c.created_at AND t.call_id = c.call_id;
END;

-- What did each step receive, from which step, and what did it give on? A step that tells nothing
-- of its own received what the one before it gave on; the first of all, what the run began with.
-- The run as a whole is place 0.
CREATE FUNCTION v_run_content(a_source text, an_id text)
RETURNS TABLE (
    place bigint, step_id text, name text, status text,
    received_from text, received text, gave text
)
LANGUAGE sql STABLE SET enable_nestloop = off
BEGIN ATOMIC
    WITH run AS MATERIALIZED (
        SELECT k.source, k.execution_id, k.created_at FROM run_key(a_source, an_id) k
    ), step AS MATERIALIZED (
        SELECT s.* FROM v_run_steps(a_source, an_id) s
    ), kept AS (
        SELECT t.step_id, t.input, t.output
        FROM step_content t
        WHERE t.source = (SELECT r.source FROM run r)
            AND t.execution_id = (SELECT r.execution_id FROM run r)
            AND t.created_at = (SELECT r.created_at FROM run r)
        UNION ALL
        ( -- what a retry copied is told by the run that did it
            SELECT DISTINCT ON (s.step_id) s.step_id, t.input, t.output
            FROM step s
            JOIN step_content t ON t.step_id = s.step_id
            WHERE t.source = (SELECT r.source FROM run r)
                AND t.execution_id = (SELECT min(c.copied_from) FROM step c)
                AND s.copied_from = t.execution_id
            ORDER BY s.step_id, t.created_at DESC
        )
        UNION ALL
        SELECT c.step_id, string_agg(t.prompt, E'\n\n' ORDER BY c.started_at),
            string_agg(t.response, E'\n\n' ORDER BY c.started_at)
        FROM llm_calls c
        JOIN llm_content t ON t.call_id = c.call_id
        WHERE c.step_id IS NOT NULL
            AND c.source = (SELECT r.source FROM run r)
            AND c.execution_id = (SELECT r.execution_id FROM run r)
            AND c.created_at = (SELECT r.created_at FROM run r)
            AND t.source = (SELECT r.source FROM run r)
            AND t.execution_id = (SELECT r.execution_id FROM run r)
            AND t.created_at = (SELECT r.created_at FROM run r)
        GROUP BY c.step_id
    ), told AS MATERIALIZED (
        SELECT t.step_id, min(t.input) AS input, min(t.output) AS output
        FROM kept t GROUP BY t.step_id
    )
    SELECT 0, '', 'the run as a whole', e.status, NULL,
        (SELECT t.input FROM told t WHERE t.step_id = ''),
        (SELECT t.output FROM told t WHERE t.step_id = '')
    FROM executions e
    WHERE e.source = (SELECT r.source FROM run r)
        AND e.execution_id = (SELECT r.execution_id FROM run r)
        AND e.created_at = (SELECT r.created_at FROM run r)
    UNION ALL
    SELECT s.place, s.step_id, s.name, s.status,
        coalesce(p.name, parent.name, CASE WHEN first.place IS NOT NULL THEN 'the start of the run' END),
        coalesce(own.input, before.output, CASE
            WHEN first.place IS NOT NULL THEN (SELECT t.input FROM told t WHERE t.step_id = '')
        END),
        own.output
    FROM step s
    LEFT JOIN (SELECT min(f.place) AS place FROM step f WHERE f.depth = 0) first
        ON first.place = s.place
    LEFT JOIN step p ON p.step_id = s.previous_step_id
    LEFT JOIN step parent ON parent.step_id = s.parent_step_id
    LEFT JOIN told own ON own.step_id = s.step_id
    LEFT JOIN told before ON before.step_id = s.previous_step_id;
END;

-- What went wrong, and with what at hand? The steps that failed, in their order; and the run itself
-- unless a step tells the same.
CREATE FUNCTION v_run_errors(a_source text, an_id text)
RETURNS TABLE (
    place bigint, at timestamptz, step text, status text, error_type text, error_message text,
    error_stack text, parameters text, received text
)
LANGUAGE sql STABLE
BEGIN ATOMIC
    WITH failed AS MATERIALIZED (
        SELECT s.*, t.received
        FROM v_run_steps(a_source, an_id) s
        JOIN v_run_content(a_source, an_id) t ON t.place = s.place
        WHERE s.error_type IS NOT NULL OR s.error_message IS NOT NULL
            OR s.status IN ('error', 'timeout', 'crashed')
    )
    SELECT f.place, f.started_at, f.name, f.status, f.error_type, f.error_message,
        f.attributes ->> 'error_stack', f.attributes ->> 'parameters', f.received
    FROM failed f
    UNION ALL
    SELECT 0, r.finished_at, coalesce(r.error_step, 'the run as a whole'), r.status, r.error_type,
        coalesce(r.error_message, CASE r.status
            WHEN 'timeout' THEN 'The execution ran into its time limit'
            WHEN 'crashed' THEN 'The engine died while it ran; it left no message'
        END), r.error_stack, NULL, NULL
    FROM v_run(a_source, an_id) r
    WHERE (r.error_type IS NOT NULL OR r.error_message IS NOT NULL
            OR r.status IN ('error', 'timeout', 'crashed'))
        AND NOT EXISTS (
            SELECT FROM failed f WHERE f.error_message = r.error_message
        );
END;
