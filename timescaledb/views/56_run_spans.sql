-- One run as Grafana's traces panel reads it: a row a span, the run itself first, times in
-- milliseconds, tags as [{key, value}]. What a retry copied is left out: it ran in another run.
CREATE FUNCTION v_run_spans(a_source text, an_id text)
RETURNS TABLE (
    "traceID" text, "spanID" text, "parentSpanID" text, "operationName" text, "serviceName" text,
    "startTime" double precision, duration double precision, kind text,
    "statusCode" integer, "statusMessage" text, tags jsonb, "serviceTags" jsonb, logs jsonb,
    warnings jsonb, "stackTraces" jsonb
)
LANGUAGE sql STABLE
BEGIN ATOMIC
    WITH run AS MATERIALIZED (
        SELECT r.*,
            hex_id(coalesce(r.trace_id, r.source || ' ' || r.execution_id), 32) AS trace,
            hex_id('run ' || r.source || ' ' || r.execution_id, 16) AS root
        FROM v_run(a_source, an_id) r
    ), step AS MATERIALIZED (
        SELECT s.* FROM v_run_steps(a_source, an_id) s WHERE s.copied_from IS NULL
    ), content AS MATERIALIZED (
        SELECT t.place, left(t.received, 1000) AS received, left(t.gave, 1000) AS gave
        FROM v_run_content(a_source, an_id) t
    ), bounds AS (
        SELECT min(s.started_at) AS from_at, max(coalesce(s.ended_at, s.started_at)) AS until_at
        FROM step s
    ), span AS (
        SELECT 0::bigint AS place, r.root AS id, NULL::text AS parent, r.workflow AS name,
            coalesce(r.attributes ->> 'service.name', r.source) AS service,
            coalesce(r.started_at, b.from_at, r.created_at) AS started_at,
            coalesce(r.duration_seconds, extract(epoch FROM
                b.until_at - coalesce(r.started_at, b.from_at, r.created_at))) AS seconds,
            'workflow' AS kind, r.status, r.error_type, r.error_message, r.error_stack AS stack,
            r.attributes,
            CASE
                WHEN r.status IN ('queued', 'running', 'waiting') THEN 'it has not ended'
                WHEN r.duration_seconds IS NULL THEN 'its duration is unknown'
            END AS warning,
            ARRAY[
                'source', r.source, 'execution_id', r.execution_id, 'version', r.workflow_version,
                'trigger', r.trigger, 'customer', r.customer, 'project', r.project, 'team', r.team,
                'cost_usd', r.cost_usd::text, 'unpriced_calls', nullif(r.unpriced_calls, 0)::text,
                'steps_unknown', r.unknown_steps,
                'received', t.received, 'gave', t.gave
            ] AS told
        FROM run r CROSS JOIN bounds b
        LEFT JOIN content t ON t.place = 0
        UNION ALL
        SELECT s.place, hex_id(s.step_id, 16), coalesce(hex_id(p.step_id, 16), r.root), s.name,
            coalesce(s.attributes ->> 'service.name', s.provider, s.kind),
            coalesce(s.started_at, p.started_at, r.started_at, r.created_at), s.duration_seconds,
            s.kind, s.status, s.error_type, s.error_message, s.attributes ->> 'error_stack',
            s.attributes,
            CASE
                WHEN s.started_at IS NULL THEN 'its start is unknown'
                WHEN s.duration_seconds IS NULL THEN 'its duration is unknown'
            END,
            ARRAY[
                'step', s.step_id,
                'share of the run', round((100 * s.share)::numeric, 1) || ' %',
                'attempt', nullif(s.attempt, 1)::text, 'items_in', s.items_in::text,
                'items_out', s.items_out::text, 'items_failed', s.items_failed::text,
                'models', s.models, 'calls', s.calls::text, 'input_tokens', s.input_tokens::text,
                'output_tokens', s.output_tokens::text, 'cost_usd', s.cost_usd::text,
                'unpriced_calls', nullif(s.unpriced_calls, 0)::text, 'signals', s.signals,
                'received', t.received, 'gave', t.gave
            ]
        FROM run r CROSS JOIN step s
        LEFT JOIN step p ON p.step_id = s.parent_step_id
        LEFT JOIN content t ON t.place = s.place
        UNION ALL
        SELECT 1000000000, hex_id('call ' || c.call_id, 16), r.root, c.model, c.provider,
            c.started_at, c.latency_seconds, 'llm', c.status, c.error_type, NULL, NULL, '{}',
            CASE WHEN c.latency_seconds IS NULL THEN 'its duration is unknown' END,
            ARRAY[
                'call', c.call_id, 'operation', c.operation, 'input_tokens', c.input_tokens::text,
                'output_tokens', c.output_tokens::text, 'cost_usd', c.cost_usd::text,
                'finish_reason', c.finish_reason, 'signals', c.signals,
                'received', left(c.prompt, 1000), 'gave', left(c.response, 1000)
            ]
        FROM run r CROSS JOIN v_run_calls(a_source, an_id) c
        WHERE c.step IS NULL AND c.calls > 0
    )
    SELECT r.trace, s.id, s.parent, s.name, s.service,
        (1000 * extract(epoch FROM s.started_at))::double precision,
        greatest(1000 * coalesce(s.seconds, 0), 0)::double precision, s.kind,
        CASE WHEN f.has_failed THEN 2 WHEN s.status = 'success' THEN 1 ELSE 0 END,
        s.error_message,
        (
            SELECT jsonb_agg(jsonb_build_object('key', t.key, 'value', t.value) ORDER BY t.place)
            FROM (
                SELECT 1 AS place, 'error' AS key, 'true'::jsonb AS value WHERE f.has_failed
                UNION ALL
                SELECT 1 + n.at, told.pairs[2 * n.at - 1], to_jsonb(told.pairs[2 * n.at])
                FROM (
                    SELECT ARRAY['status', s.status, 'error_type', s.error_type,
                        'error_message', s.error_message] || s.told AS pairs
                ) told
                CROSS JOIN LATERAL generate_series(1, cardinality(told.pairs) / 2) n (at)
                WHERE told.pairs[2 * n.at] IS NOT NULL
                UNION ALL
                SELECT 100, a.key, a.value
                FROM jsonb_each(s.attributes) a
                WHERE a.key NOT IN ('error_stack', 'events') AND a.value <> 'null'
                    AND a.key NOT IN ('error', 'status', 'error_type', 'error_message')
                    AND NOT a.key = ANY (array_remove(s.told, NULL))
            ) t
        ),
        jsonb_build_array(jsonb_build_object('key', 'service.name', 'value', s.service)),
        (
            SELECT coalesce(jsonb_agg(jsonb_build_object(
                'timestamp', 1000 * (extract(epoch FROM s.started_at) + CASE
                    WHEN jsonb_typeof(e.event -> 'after_seconds') = 'number'
                    THEN (e.event -> 'after_seconds')::numeric ELSE 0
                END),
                'fields', (
                    SELECT coalesce(
                        jsonb_agg(jsonb_build_object('key', a.key, 'value', a.value)), '[]'
                    )
                    FROM jsonb_each(e.event) a WHERE a.key <> 'after_seconds'
                )
            )), '[]')
            FROM jsonb_array_elements(CASE
                WHEN jsonb_typeof(s.attributes -> 'events') = 'array'
                THEN s.attributes -> 'events' ELSE '[]'
            END) e (event)
            WHERE jsonb_typeof(e.event) = 'object'
        ),
        CASE WHEN s.warning IS NULL THEN '[]' ELSE jsonb_build_array(s.warning) END,
        CASE WHEN s.stack IS NULL THEN '[]' ELSE jsonb_build_array(s.stack) END
    FROM run r CROSS JOIN span s
    CROSS JOIN LATERAL (
        SELECT s.status IN ('error', 'timeout', 'crashed') OR s.error_type IS NOT NULL AS has_failed
    ) f
    ORDER BY s.place, s.started_at;
END;
