-- A number as somebody typed it into a dashboard; NULL: that was no number ≥ 0.
CREATE FUNCTION typed_number(typed text) RETURNS numeric
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
    WHEN btrim(typed) ~ '^[0-9]{1,12}([.,][0-9]{0,12})?$' THEN replace(btrim(typed), ',', '.')::numeric
END;

-- The runs that somebody asked for. `an_error` is looked for in failed runs: type, message and step.
CREATE FUNCTION found_runs(
    range_start timestamptz, range_end timestamptz, sources text[], workflows text[],
    statuses text[], models text[], some_signals text[], a_customer text, an_error text,
    least_seconds numeric, least_usd numeric
)
RETURNS TABLE (
    created_at timestamptz, source text, execution_id text, workflow text, workflow_version text,
    status text, trigger text, duration_seconds double precision, customer text, project text,
    team text, error_step text, error_type text, error_message text, url text,
    unknown_steps_reason text
)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT e.created_at, e.source, e.execution_id, w.workflow, e.workflow_version, e.status,
        e.trigger, e.duration_seconds, e.customer, e.project, e.team, e.error_step, e.error_type,
        e.error_message, e.engine_url, e.unknown_steps_reason
    FROM executions e
    JOIN workflows w ON w.source = e.source AND w.workflow_id = e.workflow_id
    WHERE e.created_at >= range_start AND e.created_at <= range_end
        AND is_chosen(e.source, sources) AND is_chosen(w.workflow, workflows)
        AND is_chosen(e.status, statuses)
        AND (btrim(a_customer) = '' OR strpos(lower(e.customer), lower(btrim(a_customer))) > 0)
        AND (btrim(an_error) = '' OR (
            e.status IN ('error', 'timeout', 'crashed') AND strpos(
                lower(concat_ws(' ', e.error_type, e.error_message, e.error_step)),
                lower(btrim(an_error))) > 0
        ))
        AND (least_seconds IS NULL OR e.duration_seconds >= least_seconds)
        -- Many runs called the model: looked up run by run, until there are enough.
        AND ('__all__' = ANY (models) OR EXISTS (
            SELECT FROM llm_calls c
            WHERE c.source = e.source AND c.execution_id = e.execution_id
                AND c.created_at = e.created_at AND c.model = ANY (models)
        ))
        -- Few have a signal, or are dear: those are listed first.
        AND ('__all__' = ANY (some_signals) OR (e.source, e.execution_id, e.created_at) IN (
            SELECT c.source, c.execution_id, c.created_at FROM llm_calls c
            WHERE c.created_at >= range_start AND c.created_at <= range_end
                AND c.signals <> '{}' AND c.signals && some_signals
            UNION ALL
            SELECT s.source, s.execution_id, s.created_at FROM steps s
            WHERE s.created_at >= range_start AND s.created_at <= range_end
                AND s.signals <> '{}' AND s.signals && some_signals
        ))
        AND (least_usd IS NULL OR (e.source, e.execution_id, e.created_at) IN (
            SELECT c.source, c.execution_id, c.created_at FROM llm_calls c
            WHERE c.created_at >= range_start AND c.created_at <= range_end
            GROUP BY 1, 2, 3 HAVING sum(c.cost_usd) >= least_usd
        ));
END;

-- Which runs are there? The newest of those that were asked for; calls, tokens and cost are unknown
-- where the steps are.
CREATE FUNCTION v_runs(
    range_start timestamptz, range_end timestamptz,
    sources text[] DEFAULT '{__all__}', workflows text[] DEFAULT '{__all__}',
    statuses text[] DEFAULT '{__all__}', models text[] DEFAULT '{__all__}',
    some_signals text[] DEFAULT '{__all__}', a_customer text DEFAULT '', an_error text DEFAULT '',
    least_seconds numeric DEFAULT NULL, least_usd numeric DEFAULT NULL, most integer DEFAULT 200
)
RETURNS TABLE (
    created_at timestamptz, source text, execution_id text, workflow text, workflow_version text,
    status text, trigger text, duration_seconds double precision, calls bigint,
    unpriced_calls bigint, tokens bigint, cost_usd numeric, models text, signals text,
    customer text, project text, team text, error_step text, error_type text, error_message text,
    url text
)
LANGUAGE sql STABLE
BEGIN ATOMIC
    WITH found AS MATERIALIZED (
        SELECT f.*
        FROM found_runs(
            range_start, range_end, sources, workflows, statuses, models, some_signals,
            a_customer, an_error, least_seconds, least_usd
        ) f
        ORDER BY f.created_at DESC LIMIT most
    )
    SELECT f.created_at, f.source, f.execution_id, f.workflow, f.workflow_version, f.status,
        f.trigger, f.duration_seconds,
        CASE WHEN k.is_told THEN c.calls END,
        CASE WHEN k.is_told THEN c.unpriced END,
        CASE WHEN k.is_told THEN c.tokens END,
        CASE WHEN k.is_told THEN known_cost(c.cost_usd, c.unpriced) END,
        c.models,
        (
            SELECT string_agg(DISTINCT one.signal, ', ' ORDER BY one.signal)
            FROM (
                SELECT unnest(s.signals) AS signal FROM steps s
                WHERE s.source = f.source AND s.execution_id = f.execution_id
                    AND s.created_at = f.created_at AND s.signals <> '{}'
                UNION ALL
                SELECT unnest(l.signals) FROM llm_calls l
                WHERE l.source = f.source AND l.execution_id = f.execution_id
                    AND l.created_at = f.created_at AND l.signals <> '{}'
            ) one
        ),
        f.customer, f.project, f.team,
        -- Of one that waits it is the step that it waits in.
        CASE WHEN f.status NOT IN ('queued', 'running', 'waiting') THEN f.error_step END,
        f.error_type,
        coalesce(f.error_message, CASE f.status
            WHEN 'timeout' THEN 'The execution ran into its time limit'
            WHEN 'crashed' THEN 'The engine died while it ran; it left no message'
        END),
        f.url
    FROM found f
    CROSS JOIN LATERAL (
        SELECT count(*) AS told, coalesce(sum(coalesce(l.calls, 1)), 0)::bigint AS calls,
            count(*) FILTER (WHERE l.status = 'success' AND l.cost_usd IS NULL) AS unpriced,
            CASE WHEN count(*) = 0 THEN 0
                ELSE sum(coalesce(l.input_tokens + l.output_tokens, l.input_tokens, l.output_tokens))
            END::bigint AS tokens,
            coalesce(sum(l.cost_usd), 0) AS cost_usd,
            string_agg(DISTINCT l.model, ', ' ORDER BY l.model) AS models
        FROM llm_calls l
        WHERE l.source = f.source AND l.execution_id = f.execution_id AND l.created_at = f.created_at
    ) c
    CROSS JOIN LATERAL (
        SELECT c.told > 0 OR (f.unknown_steps_reason IS NULL AND EXISTS (
            SELECT FROM steps s
            WHERE s.source = f.source AND s.execution_id = f.execution_id
                AND s.created_at = f.created_at
        )) AS is_told
    ) k
    ORDER BY f.created_at DESC, f.source, f.execution_id;
END;

-- How many of them when, by how they ended? By hour; from the hourly sums where these can tell.
CREATE FUNCTION v_runs_over_time(
    range_start timestamptz, range_end timestamptz,
    sources text[] DEFAULT '{__all__}', workflows text[] DEFAULT '{__all__}',
    statuses text[] DEFAULT '{__all__}', models text[] DEFAULT '{__all__}',
    some_signals text[] DEFAULT '{__all__}', a_customer text DEFAULT '', an_error text DEFAULT '',
    least_seconds numeric DEFAULT NULL, least_usd numeric DEFAULT NULL
)
RETURNS TABLE (bucket_start timestamptz, result text, runs bigint)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT t.bucket_start,
        CASE
            WHEN t.status IN ('error', 'timeout', 'crashed') THEN 'failed'
            WHEN t.status IN ('queued', 'running', 'waiting') THEN 'open'
            ELSE t.status
        END,
        sum(t.runs)::bigint
    FROM (
        SELECT h.bucket_start, h.status, h.runs
        FROM executions_hourly h
        JOIN workflows w ON w.source = h.source AND w.workflow_id = h.workflow_id
        WHERE '__all__' = ANY (models) AND '__all__' = ANY (some_signals)
            AND btrim(a_customer) = '' AND btrim(an_error) = ''
            AND least_seconds IS NULL AND least_usd IS NULL
            AND h.bucket_start >= range_start AND h.bucket_start <= range_end AND h.runs > 0
            AND is_chosen(h.source, sources) AND is_chosen(w.workflow, workflows)
            AND is_chosen(h.status, statuses)
        UNION ALL
        SELECT date_bin('1 hour', f.created_at, timestamptz '2000-01-01 00:00:00+00'), f.status, 1
        FROM found_runs(
            range_start, range_end, sources, workflows, statuses, models, some_signals,
            a_customer, an_error, least_seconds, least_usd
        ) f
        WHERE NOT (
            '__all__' = ANY (models) AND '__all__' = ANY (some_signals)
            AND btrim(a_customer) = '' AND btrim(an_error) = ''
            AND least_seconds IS NULL AND least_usd IS NULL
        )
    ) t
    GROUP BY 1, 2
    ORDER BY 1;
END;
