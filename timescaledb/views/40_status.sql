-- A level of a status page in words; what is not known is `unknown`.
CREATE FUNCTION status_word(level smallint) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE level
    WHEN 0 THEN 'operational' WHEN 1 THEN 'maintenance' WHEN 2 THEN 'degraded'
    WHEN 3 THEN 'partial outage' WHEN 4 THEN 'major outage' ELSE 'unknown'
END;

-- What does each status page say now? What was read too long ago says nothing of now.
CREATE VIEW v_status_now AS
SELECT p.source, p.page, p.title, p.url, p.kind, p.providers, p.alert, p.moved_to,
    CASE WHEN b.is_believed THEN s.level END AS level,
    status_word(CASE WHEN b.is_believed THEN s.level END) AS status,
    CASE WHEN b.is_believed THEN s.cause ELSE 'not_watched' END AS cause,
    CASE WHEN b.is_believed THEN s.raw ELSE 'nobody looked' END AS raw,
    CASE WHEN b.is_believed THEN s.since ELSE p.believed_until END AS since,
    CASE WHEN b.is_believed THEN (
        SELECT count(*) FROM incidents i
        WHERE i.source = p.source AND i.page = p.page AND i.phase = 'open' AND NOT i.is_maintenance
    ) END AS open_incidents
FROM status_pages p
JOIN component_statuses s ON s.source = p.source AND s.page = p.page AND s.component = ''
CROSS JOIN LATERAL (SELECT p.believed_until > now() AS is_believed) b;

-- And each component?
CREATE VIEW v_component_status_now AS
SELECT p.source, p.page, p.title, s.component, s.level, status_word(s.level) AS status, s.cause, s.raw,
    s.since
FROM status_pages p
JOIN component_statuses s ON s.source = p.source AND s.page = p.page AND s.component <> ''
WHERE p.believed_until > now();

-- From when to when was each page at which level? What nobody looked at has no level, or no row.
CREATE FUNCTION v_status_spans(range_start timestamptz, range_end timestamptz)
RETURNS TABLE (
    source text, page text, title text, from_at timestamptz, until_at timestamptz,
    level smallint, cause text
)
LANGUAGE sql STABLE
BEGIN ATOMIC
    WITH samples AS (
        SELECT s.source, s.page, p.title, p.believed_until, s.observed_at, s.level, s.cause,
            lead(s.observed_at) OVER (PARTITION BY s.source, s.page ORDER BY s.observed_at) AS next_at
        FROM status_pages p
        CROSS JOIN LATERAL ( -- what the range begins in was said before it
            SELECT max(b.observed_at) AS at FROM status_samples b
            WHERE b.source = p.source AND b.page = p.page AND b.component = ''
                AND b.observed_at <= range_start
        ) begun
        JOIN status_samples s ON s.source = p.source AND s.page = p.page AND s.component = ''
            AND s.observed_at >= coalesce(begun.at, range_start) AND s.observed_at < range_end
    )
    SELECT s.source, s.page, s.title, greatest(s.observed_at, range_start), t.until_at, s.level, s.cause
    FROM samples s
    CROSS JOIN LATERAL (
        SELECT least(coalesce(s.next_at, s.believed_until), range_end, now()) AS until_at
    ) t
    WHERE t.until_at > greatest(s.observed_at, range_start);
END;

-- How did the pages' levels go? The worst of each step; -1 where it is not known.
CREATE FUNCTION v_status_timeline(range_start timestamptz, range_end timestamptz, step interval)
RETURNS TABLE (at timestamptz, source text, page text, title text, level smallint)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT c.at, s.source, s.page, s.title, coalesce(max(s.level), -1)::smallint
    FROM v_status_spans(range_start, range_end) s
    CROSS JOIN LATERAL generate_series(
        date_bin(step, s.from_at, timestamptz '2000-01-01 00:00:00+00'),
        s.until_at - interval '1 microsecond', step
    ) c (at)
    GROUP BY 1, 2, 3, 4
    ORDER BY 1;
END;

-- How long was each page at each level? Shares are of the time in which the level was known.
CREATE FUNCTION v_status_time(range_start timestamptz, range_end timestamptz)
RETURNS TABLE (
    source text, page text, title text, operational_seconds double precision,
    maintenance_seconds double precision, degraded_seconds double precision,
    partial_outage_seconds double precision, major_outage_seconds double precision,
    unknown_seconds double precision, operational_ratio double precision
)
LANGUAGE sql STABLE
BEGIN ATOMIC
    WITH lasting AS (
        SELECT s.*, extract(epoch FROM s.until_at - s.from_at)::double precision AS seconds
        FROM v_status_spans(range_start, range_end) s
    )
    SELECT l.source, l.page, l.title,
        coalesce(sum(l.seconds) FILTER (WHERE l.level = 0), 0),
        coalesce(sum(l.seconds) FILTER (WHERE l.level = 1), 0),
        coalesce(sum(l.seconds) FILTER (WHERE l.level = 2), 0),
        coalesce(sum(l.seconds) FILTER (WHERE l.level = 3), 0),
        coalesce(sum(l.seconds) FILTER (WHERE l.level = 4), 0),
        coalesce(sum(l.seconds) FILTER (WHERE l.level IS NULL), 0),
        coalesce(sum(l.seconds) FILTER (WHERE l.level = 0), 0)
            / nullif(sum(l.seconds) FILTER (WHERE l.level IS NOT NULL), 0)
    FROM lasting l
    GROUP BY 1, 2, 3;
END;

-- Which incidents and maintenances did the pages tell of? What is open lasts for as long as its page
-- is believed.
CREATE VIEW v_incidents AS
SELECT i.source, i.page, p.title AS page_title, i.incident_id, i.title, i.phase, i.level,
    status_word(i.level) AS severity, i.impact, i.status, i.is_maintenance,
    i.started_at, coalesce(i.published_at, i.first_seen_at) AS told_at, i.updated_at, i.resolved_at,
    CASE WHEN i.phase <> 'scheduled' AND t.until_at > i.started_at
        THEN extract(epoch FROM t.until_at - i.started_at)::double precision
    END AS duration_seconds,
    i.url, array_to_string(i.components, ', ') AS components, p.providers,
    (SELECT u.body FROM incident_updates u
        WHERE u.source = i.source AND u.page = i.page AND u.incident_id = i.incident_id
        ORDER BY u.at DESC, u.update_id DESC LIMIT 1) AS newest_update,
    t.until_at
FROM incidents i
JOIN status_pages p ON p.source = i.source AND p.page = i.page
CROSS JOIN LATERAL (SELECT coalesce(i.resolved_at, least(p.believed_until, now())) AS until_at) t;

-- Is it us or them? Each failed model call, what its provider's page said of that moment, and how many
-- other workflows failed with the same provider within ten minutes. Blame: `provider` if the page says
-- so, `shared` if others failed too, `ours` if the page was known to be well, else `unknown`. What a
-- gateway tells may be calls that workflows tell too: it is compared with itself only.
CREATE FUNCTION v_call_blame(range_start timestamptz, range_end timestamptz)
RETURNS TABLE (
    source text, execution_id text, created_at timestamptz, call_id text, workflow_id text,
    provider text, started_at timestamptz, level smallint, incident text, incident_url text,
    others_failing bigint, blame text
)
LANGUAGE sql STABLE
BEGIN ATOMIC
    WITH failed AS (
        SELECT c.source, c.execution_id, c.created_at, c.call_id, c.workflow_id, c.provider, c.started_at,
            coalesce(g.source, '') AS gateway
        FROM llm_calls c
        LEFT JOIN sources g ON g.source = c.source AND g.role = 'gateway'
        WHERE c.status IN ('error', 'timeout', 'crashed')
            AND c.started_at >= range_start - interval '10 minutes'
            AND c.started_at < range_end + interval '10 minutes'
    ), series AS (
        -- A workflow's failures, each at most twenty minutes after the one before, are a series: it is
        -- near from ten minutes before its first until ten minutes after its last.
        SELECT f.*,
            coalesce(lag(f.started_at) OVER own < f.started_at - interval '20 minutes', true) AS begins,
            coalesce(lead(f.started_at) OVER own > f.started_at + interval '20 minutes', true) AS ends
        FROM failed f
        WINDOW own AS (
            PARTITION BY f.provider, f.gateway, f.source, f.workflow_id ORDER BY f.started_at, f.call_id,
                f.execution_id
        )
    ), near AS (
        -- Those that have begun, less those that have ended, less the call's own.
        SELECT s.*,
            count(*) FILTER (WHERE s.begins) OVER (
                PARTITION BY s.provider, s.gateway ORDER BY s.started_at
                RANGE BETWEEN UNBOUNDED PRECEDING AND interval '10 minutes' FOLLOWING
            ) - count(*) FILTER (WHERE s.ends) OVER (
                PARTITION BY s.provider, s.gateway ORDER BY s.started_at
                RANGE BETWEEN UNBOUNDED PRECEDING AND interval '10 minutes 1 microsecond' PRECEDING
            ) - 1 AS others
        FROM series s
    ), troubles AS MATERIALIZED (
        SELECT unnest(i.providers) AS provider, i.title, i.url, i.level, i.started_at, i.until_at
        FROM v_incidents i
        WHERE NOT i.is_maintenance AND i.level >= 2 AND i.phase <> 'scheduled'
            AND i.started_at < range_end AND i.until_at > range_start
    )
    SELECT n.source, n.execution_id, n.created_at, n.call_id, n.workflow_id, n.provider, n.started_at,
        greatest(said.level, trouble.level), trouble.title, trouble.url, n.others,
        CASE
            WHEN greatest(said.level, trouble.level) >= 2 THEN 'provider'
            WHEN n.others > 0 THEN 'shared'
            WHEN said.level IS NOT NULL THEN 'ours'
            ELSE 'unknown'
        END
    FROM near n
    LEFT JOIN LATERAL (
        SELECT max(s.level) AS level
        FROM status_pages p
        CROSS JOIN LATERAL (
            SELECT s.level FROM status_samples s
            WHERE s.source = p.source AND s.page = p.page AND s.component = ''
                AND s.observed_at <= n.started_at
            ORDER BY s.observed_at DESC LIMIT 1
        ) s
        WHERE n.provider = ANY (p.providers) AND p.believed_until > n.started_at
    ) said ON true
    LEFT JOIN LATERAL (
        SELECT t.level, t.title, t.url FROM troubles t
        WHERE t.provider = n.provider AND t.started_at <= n.started_at AND t.until_at > n.started_at
        ORDER BY t.level DESC, t.started_at DESC LIMIT 1
    ) trouble ON true
    WHERE n.started_at >= range_start AND n.started_at < range_end;
END;

-- And each failed execution: by the failed call that says most against its provider. One without a
-- failed model call is `not a model call`.
CREATE FUNCTION v_execution_blame(range_start timestamptz, range_end timestamptz)
RETURNS TABLE (
    source text, execution_id text, created_at timestamptz, workflow text, status text,
    provider text, level smallint, incident text, incident_url text, others_failing bigint, blame text
)
LANGUAGE sql STABLE
BEGIN ATOMIC
    WITH calls AS (
        SELECT DISTINCT ON (c.source, c.execution_id, c.created_at) c.*
        FROM v_call_blame(range_start, now()) c
        WHERE c.created_at >= range_start AND c.created_at < range_end
        ORDER BY c.source, c.execution_id, c.created_at,
            array_position(ARRAY['provider', 'shared', 'unknown', 'ours'], c.blame), c.call_id
    )
    SELECT e.source, e.execution_id, e.created_at, w.workflow, e.status,
        c.provider, c.level, c.incident, c.incident_url, c.others_failing,
        coalesce(c.blame, 'not a model call')
    FROM executions e
    JOIN workflows w ON w.source = e.source AND w.workflow_id = e.workflow_id
    LEFT JOIN calls c ON c.source = e.source AND c.execution_id = e.execution_id
        AND c.created_at = e.created_at
    WHERE e.status IN ('error', 'timeout', 'crashed')
        AND e.created_at >= range_start AND e.created_at < range_end;
END;

-- Who noticed first? Of each incident of a provider that we call: when the page told it, when three
-- calls and a fifth of all had failed within five minutes, and by how many minutes that came before the
-- page; negative: the page was first. Looked for from an hour before the incident, or a day before the
-- page told it, until six hours after. A gateway's calls are looked at apart, they may be the same.
CREATE FUNCTION v_incident_lead(range_start timestamptz, range_end timestamptz)
RETURNS TABLE (
    source text, page text, page_title text, incident_id text, title text, url text, level smallint,
    started_at timestamptz, told_at timestamptz, resolved_at timestamptz,
    noticed_at timestamptz, failed_calls bigint, lead_minutes double precision
)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT i.source, i.page, i.page_title, i.incident_id, i.title, i.url, i.level,
        i.started_at, i.told_at, i.resolved_at, n.noticed_at, coalesce(n.failed_calls, 0),
        (extract(epoch FROM i.told_at - n.noticed_at) / 60)::double precision
    FROM v_incidents i
    CROSS JOIN LATERAL (
        SELECT greatest(least(i.started_at, i.told_at), i.told_at - interval '1 day') AS begun_at
    ) b
    CROSS JOIN LATERAL (
        SELECT min(f.third_at) FILTER (WHERE f.failed >= 3 AND f.failed >= 0.2 * (
                SELECT count(*) FROM llm_calls c
                WHERE c.started_at >= f.bin AND c.started_at < f.bin + interval '5 minutes'
                    AND c.provider = ANY (i.providers) AND f.is_gateway = EXISTS (
                        SELECT FROM sources g WHERE g.source = c.source AND g.role = 'gateway')
            )) AS noticed_at,
            greatest(
                sum(f.failed) FILTER (WHERE f.is_gateway), sum(f.failed) FILTER (WHERE NOT f.is_gateway)
            )::bigint AS failed_calls
        FROM (
            SELECT date_bin('5 minutes', c.started_at, timestamptz '2000-01-01 00:00:00+00') AS bin,
                EXISTS (
                    SELECT FROM sources g WHERE g.source = c.source AND g.role = 'gateway'
                ) AS is_gateway,
                count(*) AS failed, (array_agg(c.started_at ORDER BY c.started_at))[3] AS third_at
            FROM llm_calls c
            WHERE c.provider = ANY (i.providers) AND c.status IN ('error', 'timeout', 'crashed')
                AND c.started_at >= b.begun_at - interval '1 hour'
                AND c.started_at < least(i.until_at, i.told_at + interval '6 hours')
            GROUP BY 1, 2
        ) f
    ) n
    WHERE NOT i.is_maintenance AND i.level >= 2 AND i.phase <> 'scheduled'
        AND i.told_at >= range_start AND i.told_at < range_end AND cardinality(i.providers) > 0;
END;

-- How do providers serve us, beside what they say? A row a provider that was called or has a page.
-- What gateways tell counts where nobody else tells anything: it may be the same calls.
CREATE FUNCTION v_provider_health(range_start timestamptz, range_end timestamptz)
RETURNS TABLE (
    provider text, page_title text, url text, level smallint, status text, cause text,
    since timestamptz, calls bigint, failed_calls bigint, failed_ratio double precision,
    p95_seconds double precision
)
LANGUAGE sql STABLE
BEGIN ATOMIC
    WITH called AS (
        SELECT DISTINCT ON (t.provider) t.provider, g.source IS NOT NULL AS is_gateway,
            sum(t.calls)::bigint AS calls,
            coalesce(sum(t.calls) FILTER (WHERE t.status IN ('error', 'timeout', 'crashed')), 0)::bigint
                AS failed_calls
        FROM v_llm_totals(range_start, range_end) t
        LEFT JOIN sources g ON g.source = t.source AND g.role = 'gateway'
        GROUP BY 1, 2
        ORDER BY 1, 2
    ), ranked AS (
        SELECT c.provider, l.latency_bucket,
            sum(sum(l.calls)) OVER (PARTITION BY c.provider ORDER BY l.latency_bucket) AS up_to,
            sum(sum(l.calls)) OVER (PARTITION BY c.provider) AS all_calls
        FROM v_llm_latencies(range_start, range_end) l
        LEFT JOIN sources g ON g.source = l.source AND g.role = 'gateway'
        JOIN called c ON c.provider = l.provider AND c.is_gateway = (g.source IS NOT NULL)
        GROUP BY 1, 2
    ), p95 AS (
        SELECT r.provider, duration_bucket_seconds(min(r.latency_bucket)) AS seconds
        FROM ranked r WHERE r.up_to >= ceil(0.95 * r.all_calls)
        GROUP BY 1
    ), pages AS (
        -- Two pages of one provider: the worse of them; one that is no longer watched comes last.
        SELECT DISTINCT ON (n.provider) n.*
        FROM (SELECT unnest(s.providers) AS provider, s.* FROM v_status_now s) n
        ORDER BY n.provider, n.level DESC NULLS LAST, n.cause = 'not_watched', n.page
    )
    SELECT coalesce(c.provider, n.provider), n.title, n.url, n.level, coalesce(n.status, 'no page'),
        n.cause, n.since, coalesce(c.calls, 0), coalesce(c.failed_calls, 0),
        c.failed_calls / nullif(c.calls, 0)::double precision, p.seconds
    FROM called c
    FULL JOIN pages n ON n.provider = c.provider
    LEFT JOIN p95 p ON p.provider = c.provider;
END;
