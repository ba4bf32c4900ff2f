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

-- How long are times together? NULL where there is none.
CREATE FUNCTION seconds_in(times tstzmultirange) RETURNS double precision
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (
    SELECT sum(extract(epoch FROM upper(t.time) - lower(t.time)))::double precision
    FROM unnest(times) t (time)
);

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
    own_seconds double precision, own_share double precision, own_times tstzmultirange,
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
        SELECT s.*,
            CASE WHEN s.duration_seconds >= 0
                THEN s.started_at + s.duration_seconds * interval '1 second'
            END AS ended_at,
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
            CASE WHEN s.duration_seconds >= 0
                THEN greatest(s.duration_seconds - coalesce(seconds_in(b.times), 0), 0)
            END AS own_seconds,
            tstzmultirange(tstzrange(s.started_at, s.ended_at)) - coalesce(b.times, '{}')
                AS own_times,
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
        CASE WHEN t.ended_at IS NOT NULL THEN t.own_times END,
        t.attempt, t.items_in, t.items_out, t.items_failed, t.error_type, t.error_message,
        t.copied_from, t.attributes,
        (
            SELECT string_agg(DISTINCT one.signal, ', ' ORDER BY one.signal)
            FROM unnest(t.signals || string_to_array(c.signals, ',')) one (signal)
            WHERE one.signal <> ''
        ),
        c.calls, c.provider, c.models, c.input_tokens, c.output_tokens,
        CASE WHEN c.calls IS NOT NULL THEN known_cost(coalesce(c.cost_usd, 0), c.unpriced) END,
        c.unpriced
    FROM timed t
    LEFT JOIN call c ON c.step_id = t.step_id;
END;

-- Where did its time go? A row for all steps of one name, and one for what no step accounts for.
-- Seconds are added up; shares are of the run's own clock, on which steps beside each other pass once.
CREATE FUNCTION v_run_time(a_source text, an_id text)
RETURNS TABLE (
    name text, kind text, runs bigint, seconds double precision, share double precision,
    own_seconds double precision, own_share double precision
)
LANGUAGE sql STABLE
BEGIN ATOMIC
    WITH step AS MATERIALIZED (
        SELECT s.* FROM v_run_steps(a_source, an_id) s WHERE s.copied_from IS NULL
    ), run AS MATERIALIZED (
        SELECT r.started_at, r.finished_at, nullif(r.duration_seconds, 0) AS seconds
        FROM v_run(a_source, an_id) r
    ), named AS (
        SELECT s.name, min(s.kind) AS kind, count(*) AS runs, sum(s.duration_seconds) AS seconds,
            range_agg(tstzrange(s.started_at, s.ended_at)) FILTER (WHERE s.ended_at IS NOT NULL)
                AS times,
            sum(s.own_seconds) AS own_seconds, range_agg(s.own_times) AS own_times
        FROM step s GROUP BY s.name
    ), outside AS (
        SELECT r.seconds AS run_seconds,
            seconds_in(tstzmultirange(tstzrange(r.started_at, r.finished_at)) - (
                SELECT range_agg(tstzrange(s.started_at, s.ended_at)) FROM step s
                WHERE s.ended_at IS NOT NULL
            )) AS seconds
        FROM run r WHERE r.seconds IS NOT NULL
    )
    SELECT n.name, n.kind, n.runs, n.seconds, coalesce(seconds_in(n.times), n.seconds) / r.seconds,
        n.own_seconds, coalesce(seconds_in(n.own_times), n.own_seconds) / r.seconds
    FROM named n CROSS JOIN run r
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
        known_cost(coalesce(p.cost_usd, 0), p.unpriced_calls),
        (p.cost_usd / nullif(sum(p.cost_usd) OVER (), 0))::double precision,
        p.unpriced_calls, p.estimated_calls
    FROM spent p;
END;
