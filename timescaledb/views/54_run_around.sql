-- What stands around one run: 52_run.sql and 53_run_content.sql have the run itself.

-- Is it alone? The ten runs of its workflow before and after it, and those that it has to do with.
CREATE FUNCTION v_run_siblings(a_source text, an_id text)
RETURNS TABLE (
    relation text, source text, execution_id text, created_at timestamptz, workflow text,
    status text, duration_seconds double precision, cost_usd numeric, error_type text,
    error_message text
)
LANGUAGE sql STABLE
BEGIN ATOMIC
    WITH run AS MATERIALIZED (
        SELECT e.*
        FROM run_key(a_source, an_id) k
        JOIN executions e ON e.source = k.source AND e.execution_id = k.execution_id
            AND e.created_at = k.created_at
    ), related AS (
        SELECT 1 AS place, 'this run' AS relation, r.* FROM run r
        UNION ALL
        SELECT 2, 'is a retry of this', e.* FROM run r
        JOIN executions e ON e.retry_of = r.execution_id AND e.source = r.source
        UNION ALL
        SELECT 3, 'this is a retry of', e.* FROM run r
        JOIN executions e ON e.execution_id = r.retry_of AND e.source = r.source
        UNION ALL
        SELECT 4, 'called this', e.* FROM run r
        JOIN executions e ON e.execution_id = r.parent_execution_id AND e.source = r.source
        UNION ALL
        (
            SELECT 5, 'called by this', e.* FROM run r
            JOIN executions e ON e.parent_execution_id = r.execution_id AND e.source = r.source
            LIMIT 50
        )
        UNION ALL
        (
            SELECT 6, 'in the same trace', e.* FROM run r
            JOIN executions e ON e.trace_id = r.trace_id
                AND (e.source, e.execution_id) <> (r.source, r.execution_id)
            LIMIT 50
        )
        UNION ALL
        SELECT 7, 'earlier', b.* FROM run r
        CROSS JOIN LATERAL (
            SELECT e.* FROM executions e
            WHERE e.source = r.source AND e.workflow_id = r.workflow_id
                AND e.created_at <= r.created_at AND e.execution_id <> r.execution_id
            ORDER BY e.created_at DESC LIMIT 10
        ) b
        UNION ALL
        SELECT 8, 'later', a.* FROM run r
        CROSS JOIN LATERAL (
            SELECT e.* FROM executions e
            WHERE e.source = r.source AND e.workflow_id = r.workflow_id
                AND e.created_at > r.created_at
            ORDER BY e.created_at LIMIT 10
        ) a
    ), once AS (
        SELECT DISTINCT ON (r.source, r.execution_id, r.created_at) r.*
        FROM related r ORDER BY r.source, r.execution_id, r.created_at, r.place
    )
    SELECT o.relation, o.source, o.execution_id, o.created_at, coalesce(w.workflow, o.workflow),
        o.status, o.duration_seconds, c.cost_usd, o.error_type, o.error_message
    FROM once o
    LEFT JOIN workflows w ON w.source = o.source AND w.workflow_id = o.workflow_id
    CROSS JOIN LATERAL (
        SELECT CASE WHEN count(*) > 0 THEN known_cost(coalesce(sum(t.cost_usd), 0),
            count(*) FILTER (WHERE t.status = 'success' AND t.cost_usd IS NULL)) END AS cost_usd
        FROM llm_calls t
        WHERE t.source = o.source AND t.execution_id = o.execution_id AND t.created_at = o.created_at
    ) c;
END;

-- What did its providers say of themselves while it ran? The worst level of each page; `no page` and
-- `unknown` are not well.
CREATE FUNCTION v_run_providers(a_source text, an_id text)
RETURNS TABLE (
    provider text, calls bigint, failed_calls bigint, page_title text, url text,
    level smallint, status text, cause text, incidents text, incident_url text
)
LANGUAGE sql STABLE
BEGIN ATOMIC
    WITH called AS (
        SELECT c.provider, sum(c.calls)::bigint AS calls,
            (sum(c.calls) FILTER (WHERE c.status IN ('error', 'timeout', 'crashed')))::bigint AS failed
        FROM v_run_calls(a_source, an_id) c GROUP BY 1
    ), run AS (
        SELECT coalesce(r.started_at, r.created_at) AS from_at,
            greatest(
                coalesce(r.finished_at, now()),
                coalesce(r.started_at, r.created_at) + interval '1 second'
            ) AS until_at
        FROM v_run(a_source, an_id) r
    )
    SELECT c.provider, c.calls, coalesce(c.failed, 0), p.title, p.url, s.level,
        CASE WHEN p.page IS NULL THEN 'no page' ELSE status_word(s.level) END, s.cause,
        i.titles, i.url
    FROM called c
    CROSS JOIN run r
    LEFT JOIN status_pages p ON c.provider = ANY (p.providers)
    LEFT JOIN LATERAL (
        SELECT max(t.level) AS level, max(t.cause) AS cause
        FROM v_status_spans(r.from_at, r.until_at) t
        WHERE t.source = p.source AND t.page = p.page
    ) s ON true
    LEFT JOIN LATERAL (
        SELECT string_agg(t.title, '; ' ORDER BY t.started_at) AS titles, max(t.url) AS url
        FROM v_incidents t
        WHERE t.source = p.source AND t.page = p.page AND NOT t.is_maintenance AND t.level >= 2
            AND t.phase <> 'scheduled' AND t.started_at < r.until_at AND t.until_at > r.from_at
    ) i ON true;
END;

-- What came of it for the business?
CREATE FUNCTION v_run_outcomes(a_source text, an_id text)
RETURNS TABLE (
    at timestamptz, name text, value numeric, unit text, customer text, project text, team text,
    attributes jsonb
)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT o.at, o.name, o.value, o.unit, o.customer, o.project, o.team, o.attributes
    FROM run_key(a_source, an_id) k
    JOIN outcomes o ON o.source = k.source AND o.execution_id = k.execution_id;
END;
