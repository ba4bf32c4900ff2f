-- A number as somebody typed it into a dashboard; NULL: that was no number ≥ 0.
CREATE FUNCTION typed_number(typed text) RETURNS numeric
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
    WHEN btrim(typed) ~ '^[0-9]{1,12}([.,][0-9]{0,12})?$' THEN replace(btrim(typed), ',', '.')::numeric
END;

-- Which runs are there? The newest of those that were asked for. `error` is looked for in failed
-- runs: type, message and step; a cost or count is unknown where the steps are.
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
        SELECT e.*, w.workflow AS present_name
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
            AND ('__all__' = ANY (models) OR EXISTS (
                SELECT FROM llm_calls c
                WHERE c.source = e.source AND c.execution_id = e.execution_id
                    AND c.created_at = e.created_at AND c.model = ANY (models)
            ))
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
            ))
        ORDER BY e.created_at DESC LIMIT most
    )
    SELECT f.created_at, f.source, f.execution_id, f.present_name, f.workflow_version,
        f.status, f.trigger, f.duration_seconds,
        CASE WHEN k.is_told THEN c.calls END, CASE WHEN k.is_told THEN c.unpriced END,
        CASE WHEN k.is_told THEN c.tokens END, CASE WHEN k.is_told THEN known_cost(c.cost_usd, c.unpriced) END,
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
        f.customer, f.project, f.team, f.error_step, f.error_type,
        coalesce(f.error_message, CASE f.status
            WHEN 'timeout' THEN 'The execution ran into its time limit'
            WHEN 'crashed' THEN 'The engine died while it ran; it left no message'
        END),
        f.engine_url
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
