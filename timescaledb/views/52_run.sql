-- Which execution is meant? By its id, or by that of its trace; of two under one id the newer.
CREATE FUNCTION run_key(a_source text, an_id text)
RETURNS TABLE (source text, execution_id text, created_at timestamptz)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT f.source, f.execution_id, f.created_at
    FROM (
        SELECT e.source, e.execution_id, e.created_at, 1 AS place
        FROM executions e WHERE e.execution_id = btrim(an_id)
        UNION ALL
        SELECT e.source, e.execution_id, e.created_at, 2
        FROM executions e WHERE e.trace_id = lower(btrim(an_id))
    ) f
    WHERE a_source IN ('', '__all__', f.source)
    ORDER BY f.place, f.created_at DESC LIMIT 1;
END;

-- And which sources have one under this id?
CREATE FUNCTION v_run_sources(an_id text) RETURNS TABLE (source text)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT e.source FROM executions e WHERE e.execution_id = btrim(an_id)
    UNION
    SELECT e.source FROM executions e WHERE e.trace_id = lower(btrim(an_id));
END;

-- An id as traces have them: so many hexadecimal digits. Another is hashed to such a one.
CREATE FUNCTION hex_id(id text, digits integer) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
    WHEN length(id) = digits AND id ~ '^[0-9a-f]+$' AND id ~ '[1-9a-f]' THEN id
    ELSE left(md5(id), digits)
END;

-- What is this run? Calls, tokens and cost are unknown where its steps are.
CREATE FUNCTION v_run(a_source text, an_id text)
RETURNS TABLE (
    source text, execution_id text, created_at timestamptz, workflow_id text, workflow text,
    workflow_version text, status text, trigger text, started_at timestamptz,
    finished_at timestamptz, duration_seconds double precision, customer text, project text,
    team text, tags text, retry_of text, parent_execution_id text, trace_id text,
    error_type text, error_message text, error_step text, error_stack text, attributes jsonb,
    items_total bigint, items_failed bigint, url text, unknown_steps text,
    steps bigint, failed_steps bigint, calls bigint, failed_calls bigint, unpriced_calls bigint,
    input_tokens bigint, output_tokens bigint, cost_usd numeric
)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT e.source, e.execution_id, e.created_at, e.workflow_id, coalesce(w.workflow, e.workflow),
        e.workflow_version, e.status, e.trigger, e.started_at, e.finished_at, e.duration_seconds,
        e.customer, e.project, e.team, nullif(array_to_string(e.tags, ', '), ''),
        e.retry_of, e.parent_execution_id, e.trace_id,
        e.error_type, e.error_message, e.error_step, e.attributes ->> 'error_stack', e.attributes,
        e.items_total, e.items_failed, e.engine_url,
        CASE
            WHEN k.is_told THEN NULL
            WHEN e.unknown_steps_reason = 'no_run_data' THEN 'its engine kept no run data of it'
            WHEN e.unknown_steps_reason = 'stored_elsewhere'
                THEN 'its run data is not in the engine''s database, but on disk or in a bucket'
            WHEN e.unknown_steps_reason = 'too_large' THEN 'its run data is larger than max_data_mb'
            WHEN e.unknown_steps_reason = 'unreadable' THEN 'its run data cannot be decoded'
            WHEN e.unknown_steps_reason IS NOT NULL THEN e.unknown_steps_reason
            WHEN e.status IN ('queued', 'running', 'waiting') THEN 'it has not ended yet'
            ELSE 'nothing was told of them'
        END,
        CASE WHEN k.is_told THEN s.steps END, CASE WHEN k.is_told THEN s.failed END,
        CASE WHEN k.is_told THEN coalesce(c.calls, 0) END,
        CASE WHEN k.is_told THEN coalesce(c.failed, 0) END,
        CASE WHEN k.is_told THEN coalesce(c.unpriced, 0) END,
        CASE WHEN k.is_told AND c.told = 0 THEN 0 ELSE c.input_tokens END,
        CASE WHEN k.is_told AND c.told = 0 THEN 0 ELSE c.output_tokens END,
        CASE WHEN k.is_told THEN known_cost(coalesce(c.cost_usd, 0), c.unpriced) END
    FROM run_key(a_source, an_id) f
    JOIN executions e ON e.source = f.source AND e.execution_id = f.execution_id
        AND e.created_at = f.created_at
    LEFT JOIN workflows w ON w.source = e.source AND w.workflow_id = e.workflow_id
    CROSS JOIN LATERAL (
        SELECT count(*) AS told, count(*) FILTER (WHERE t.copied_from IS NULL) AS steps,
            count(*) FILTER (WHERE t.copied_from IS NULL
                AND t.status IN ('error', 'timeout', 'crashed')) AS failed
        FROM steps t
        WHERE t.source = e.source AND t.execution_id = e.execution_id AND t.created_at = e.created_at
    ) s
    CROSS JOIN LATERAL (
        SELECT count(*) AS told, sum(coalesce(t.calls, 1))::bigint AS calls,
            (sum(coalesce(t.calls, 1)) FILTER (
                WHERE t.status IN ('error', 'timeout', 'crashed')))::bigint AS failed,
            (count(*) FILTER (WHERE t.status = 'success' AND t.cost_usd IS NULL)) AS unpriced,
            sum(t.input_tokens)::bigint AS input_tokens,
            sum(t.output_tokens)::bigint AS output_tokens, sum(t.cost_usd) AS cost_usd
        FROM llm_calls t
        WHERE t.source = e.source AND t.execution_id = e.execution_id AND t.created_at = e.created_at
    ) c
    CROSS JOIN LATERAL (
        SELECT c.told > 0 OR (s.told > 0 AND e.unknown_steps_reason IS NULL) AS is_told
    ) k;
END;

-- What did it do, step by step? A step's own time is its duration less that of the steps it had
-- done for it; what a retry copied ran in another run, and has no share of this one. A run may have
-- ten thousand steps where the planner expects five: joins of each with each are forbidden.
CREATE FUNCTION v_run_steps(a_source text, an_id text)
RETURNS TABLE (
    place bigint, step_id text, parent_step_id text, previous_step_id text, depth integer,
    name text, kind text, status text, started_at timestamptz, ended_at timestamptz,
    duration_seconds double precision, share double precision,
    own_seconds double precision, own_share double precision,
    attempt integer, items_in bigint, items_out bigint, items_failed bigint,
    error_type text, error_message text, copied_from text, attributes jsonb, signals text,
    calls bigint, provider text, models text, input_tokens bigint, output_tokens bigint,
    cost_usd numeric, unpriced_calls bigint
)
LANGUAGE sql STABLE SET enable_nestloop = off
BEGIN ATOMIC
    WITH RECURSIVE run AS MATERIALIZED (
        SELECT k.source, k.execution_id, k.created_at FROM run_key(a_source, an_id) k
    ), step AS MATERIALIZED (
        SELECT s.*, s.started_at + s.duration_seconds * interval '1 second' AS ended_at,
            (
                SELECT e.duration_seconds FROM executions e
                WHERE e.source = (SELECT r.source FROM run r)
                    AND e.execution_id = (SELECT r.execution_id FROM run r)
                    AND e.created_at = (SELECT r.created_at FROM run r)
            ) AS run_seconds,
            CASE WHEN jsonb_typeof(s.attributes -> 'execution_index') = 'number'
                THEN (s.attributes -> 'execution_index')::numeric
            END AS execution_index
        FROM steps s
        WHERE s.source = (SELECT r.source FROM run r)
            AND s.execution_id = (SELECT r.execution_id FROM run r)
            AND s.created_at = (SELECT r.created_at FROM run r)
    ), nested AS (
        SELECT s.step_id, NULL::text AS parent_step_id, 0 AS depth
        FROM step s
        WHERE NOT EXISTS (SELECT FROM step p WHERE p.step_id = s.parent_step_id)
        UNION ALL
        SELECT s.step_id, s.parent_step_id, n.depth + 1
        FROM nested n JOIN step s ON s.parent_step_id = n.step_id
    ), busy AS (
        SELECT p.step_id, range_agg(tstzrange(
            greatest(c.started_at, p.started_at), least(c.ended_at, p.ended_at)
        )) AS times
        FROM step p
        JOIN step c ON c.parent_step_id = p.step_id AND c.step_id <> p.step_id
            AND c.started_at < p.ended_at AND c.ended_at > p.started_at
        GROUP BY 1
    ), call AS (
        SELECT c.step_id, sum(coalesce(c.calls, 1))::bigint AS calls, min(c.provider) AS provider,
            string_agg(DISTINCT c.model, ', ' ORDER BY c.model) AS models,
            sum(c.input_tokens)::bigint AS input_tokens,
            sum(c.output_tokens)::bigint AS output_tokens, sum(c.cost_usd) AS cost_usd,
            count(*) FILTER (WHERE c.status = 'success' AND c.cost_usd IS NULL) AS unpriced,
            string_agg(array_to_string(c.signals, ','), ',') AS signals
        FROM llm_calls c
        WHERE c.source = (SELECT r.source FROM run r)
            AND c.execution_id = (SELECT r.execution_id FROM run r)
            AND c.created_at = (SELECT r.created_at FROM run r)
        GROUP BY c.step_id
    ), timed AS (
        SELECT s.*, n.parent_step_id AS known_parent, coalesce(n.depth, 0) AS depth,
            row_number() OVER in_time AS place,
            greatest(s.duration_seconds - coalesce((
                SELECT sum(extract(epoch FROM upper(t.time) - lower(t.time)))
                FROM unnest(b.times) t (time)
            ), 0)::double precision, 0) AS own_seconds,
            lag(s.step_id) OVER beside AS beside_id, lag(s.ended_at) OVER beside AS beside_until
        FROM step s
        LEFT JOIN nested n ON n.step_id = s.step_id
        LEFT JOIN busy b ON b.step_id = s.step_id
        WINDOW in_time AS (
            ORDER BY s.started_at NULLS LAST, coalesce(n.depth, 0), s.execution_index, s.step_id
        ), beside AS (
            PARTITION BY n.parent_step_id ORDER BY s.started_at, s.execution_index, s.step_id
        )
    )
    SELECT t.place, t.step_id, t.known_parent,
        coalesce(t.attributes ->> 'previous_step',
            CASE WHEN t.beside_until <= t.started_at THEN t.beside_id END),
        t.depth, t.name, t.kind, t.status, t.started_at, t.ended_at, t.duration_seconds,
        CASE WHEN t.copied_from IS NULL THEN t.duration_seconds / nullif(t.run_seconds, 0) END,
        t.own_seconds,
        CASE WHEN t.copied_from IS NULL THEN t.own_seconds / nullif(t.run_seconds, 0) END,
        t.attempt, t.items_in, t.items_out, t.items_failed, t.error_type, t.error_message,
        t.copied_from, t.attributes,
        (
            SELECT string_agg(DISTINCT one.signal, ', ' ORDER BY one.signal)
            FROM unnest(t.signals || string_to_array(c.signals, ',')) one (signal)
            WHERE one.signal <> ''
        ),
        c.calls, c.provider, c.models, c.input_tokens, c.output_tokens,
        known_cost(c.cost_usd, c.unpriced), c.unpriced
    FROM timed t
    LEFT JOIN call c ON c.step_id = t.step_id;
END;

-- Where did its time go? A row for all steps of one name, and one for what no step accounts for.
CREATE FUNCTION v_run_time(a_source text, an_id text)
RETURNS TABLE (
    name text, kind text, runs bigint, seconds double precision, share double precision,
    own_seconds double precision, own_share double precision
)
LANGUAGE sql STABLE
BEGIN ATOMIC
    WITH step AS MATERIALIZED (
        SELECT s.* FROM v_run_steps(a_source, an_id) s WHERE s.copied_from IS NULL
    ), outside AS (
        SELECT r.duration_seconds AS run_seconds,
            r.duration_seconds - (
                SELECT coalesce(sum(extract(epoch FROM upper(t.time) - lower(t.time))), 0)
                FROM unnest(b.times) t (time)
            )::double precision AS seconds
        FROM v_run(a_source, an_id) r
        CROSS JOIN LATERAL (
            SELECT range_agg(tstzrange(
                greatest(s.started_at, r.started_at), least(s.ended_at, r.finished_at)
            )) AS times
            FROM step s
            WHERE s.depth = 0 AND s.started_at < r.finished_at AND s.ended_at > r.started_at
        ) b
        WHERE b.times IS NOT NULL
    )
    SELECT s.name, min(s.kind), count(*), sum(s.duration_seconds), sum(s.share),
        sum(s.own_seconds), sum(s.own_share)
    FROM step s GROUP BY s.name
    UNION ALL
    SELECT 'between steps', NULL, NULL, o.seconds, o.seconds / o.run_seconds,
        o.seconds, o.seconds / o.run_seconds
    FROM outside o WHERE o.seconds >= 0.001;
END;

-- And its money? By the step that spent it and the model that it went to.
CREATE FUNCTION v_run_cost(a_source text, an_id text)
RETURNS TABLE (
    name text, provider text, model text, calls bigint, input_tokens bigint, output_tokens bigint,
    cost_usd numeric, share double precision, unpriced_calls bigint, estimated_calls bigint
)
LANGUAGE sql STABLE
BEGIN ATOMIC
    WITH spent AS (
        SELECT coalesce(s.name, 'no step') AS name, c.provider, c.model,
            sum(coalesce(c.calls, 1))::bigint AS calls, sum(c.input_tokens)::bigint AS input_tokens,
            sum(c.output_tokens)::bigint AS output_tokens, sum(c.cost_usd) AS cost_usd,
            count(*) FILTER (WHERE c.status = 'success' AND c.cost_usd IS NULL) AS unpriced_calls,
            count(*) FILTER (WHERE c.tokens_estimated) AS estimated_calls
        FROM run_key(a_source, an_id) k
        JOIN llm_calls c ON c.source = k.source AND c.execution_id = k.execution_id
            AND c.created_at = k.created_at
        LEFT JOIN steps s ON s.source = c.source AND s.execution_id = c.execution_id
            AND s.created_at = c.created_at AND s.step_id = c.step_id
        GROUP BY 1, 2, 3
    )
    SELECT p.name, p.provider, p.model, p.calls, p.input_tokens, p.output_tokens,
        known_cost(p.cost_usd, p.unpriced_calls),
        (p.cost_usd / nullif(sum(p.cost_usd) OVER (), 0))::double precision,
        p.unpriced_calls, p.estimated_calls
    FROM spent p;
END;

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
        coalesce(p.name, parent.name, 'the start of the run'),
        coalesce(own.input, before.output, CASE
            WHEN s.previous_step_id IS NULL AND s.depth = 0
            THEN (SELECT t.input FROM told t WHERE t.step_id = '')
        END),
        own.output
    FROM step s
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
