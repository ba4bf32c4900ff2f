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
    s.raw, CASE WHEN b.is_believed THEN s.since ELSE p.believed_until END AS since,
    (SELECT count(*) FROM incidents i
        WHERE i.source = p.source AND i.page = p.page AND i.phase = 'open' AND NOT i.is_maintenance)
        AS open_incidents
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
-- Each page has a row a day at least, so that the state a range begins in is one of a day before.
CREATE FUNCTION v_status_spans(range_start timestamptz, range_end timestamptz)
RETURNS TABLE (
    source text, page text, title text, from_at timestamptz, until_at timestamptz,
    level smallint, cause text
)
LANGUAGE sql STABLE
BEGIN ATOMIC
    WITH samples AS (
        SELECT s.source, s.page, s.observed_at, s.level, s.cause,
            lead(s.observed_at) OVER (PARTITION BY s.source, s.page ORDER BY s.observed_at) AS next_at
        FROM status_samples s
        WHERE s.component = '' AND s.observed_at >= range_start - interval '25 hours'
            AND s.observed_at < range_end
    )
    SELECT s.source, s.page, p.title, greatest(s.observed_at, range_start), t.until_at, s.level, s.cause
    FROM samples s
    JOIN status_pages p ON p.source = s.source AND p.page = s.page
    CROSS JOIN LATERAL (
        SELECT least(coalesce(s.next_at, p.believed_until), range_end, now()) AS until_at
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

-- Which incidents and maintenances did the pages tell of?
CREATE VIEW v_incidents AS
SELECT i.source, i.page, p.title AS page_title, i.incident_id, i.title, i.phase, i.level,
    status_word(i.level) AS severity, i.impact, i.status, i.is_maintenance,
    i.started_at, coalesce(i.published_at, i.first_seen_at) AS told_at, i.updated_at, i.resolved_at,
    CASE WHEN i.phase <> 'scheduled' AND coalesce(i.resolved_at, now()) > i.started_at
        THEN extract(epoch FROM coalesce(i.resolved_at, now()) - i.started_at)::double precision
    END AS duration_seconds,
    i.url, array_to_string(i.components, ', ') AS components, p.providers,
    (SELECT u.body FROM incident_updates u
        WHERE u.source = i.source AND u.page = i.page AND u.incident_id = i.incident_id
        ORDER BY u.at DESC, u.update_id DESC LIMIT 1) AS newest_update
FROM incidents i
JOIN status_pages p ON p.source = i.source AND p.page = i.page;

-- Is it us or them? Each failed model call, what its provider's page said of that moment, and how many
-- other workflows failed with the same provider within ten minutes. Blame: `provider` if the page says
-- so, `shared` if others failed too, `ours` if the page was known to be well, else `unknown`.
CREATE FUNCTION v_call_blame(range_start timestamptz, range_end timestamptz)
RETURNS TABLE (
    source text, execution_id text, created_at timestamptz, call_id text, workflow_id text,
    provider text, started_at timestamptz, level smallint, incident text, incident_url text,
    others_failing bigint, blame text
)
LANGUAGE sql STABLE
BEGIN ATOMIC
    WITH around AS (
        SELECT c.source, c.execution_id, c.created_at, c.call_id, c.workflow_id, c.provider, c.started_at,
            date_bin('5 minutes', c.started_at, timestamptz '2000-01-01 00:00:00+00') AS bin
        FROM llm_calls c
        WHERE c.status IN ('error', 'timeout', 'crashed')
            AND c.started_at >= range_start - interval '15 minutes'
            AND c.started_at < range_end + interval '15 minutes'
    ), failing AS (
        SELECT DISTINCT a.provider, a.bin, a.source, a.workflow_id FROM around a
    ), near AS (
        SELECT f.provider, f.bin, f.source, f.workflow_id,
            count(DISTINCT (o.source, o.workflow_id)) AS others
        FROM failing f
        JOIN failing o ON o.provider = f.provider
            AND o.bin BETWEEN f.bin - interval '10 minutes' AND f.bin + interval '10 minutes'
            AND (o.source, o.workflow_id) <> (f.source, f.workflow_id)
        GROUP BY 1, 2, 3, 4
    ), spans AS (
        SELECT unnest(p.providers) AS provider, s.from_at, s.until_at, s.level
        FROM v_status_spans(range_start, range_end) s
        JOIN status_pages p ON p.source = s.source AND p.page = s.page
    ), troubles AS (
        SELECT unnest(p.providers) AS provider, i.title, i.url, i.level, i.started_at,
            coalesce(i.resolved_at, now()) AS until_at
        FROM incidents i
        JOIN status_pages p ON p.source = i.source AND p.page = i.page
        WHERE NOT i.is_maintenance AND i.level >= 2 AND i.phase <> 'scheduled'
            AND i.started_at < range_end AND coalesce(i.resolved_at, now()) >= range_start
    )
    SELECT a.source, a.execution_id, a.created_at, a.call_id, a.workflow_id, a.provider, a.started_at,
        greatest(said.level, trouble.level), trouble.title, trouble.url, coalesce(n.others, 0),
        CASE
            WHEN greatest(said.level, trouble.level) >= 2 THEN 'provider'
            WHEN n.others > 0 THEN 'shared'
            WHEN said.level IS NOT NULL THEN 'ours'
            ELSE 'unknown'
        END
    FROM around a
    LEFT JOIN near n ON n.provider = a.provider AND n.bin = a.bin AND n.source = a.source
        AND n.workflow_id = a.workflow_id
    LEFT JOIN LATERAL (
        SELECT max(s.level) AS level FROM spans s
        WHERE s.provider = a.provider AND s.from_at <= a.started_at AND s.until_at > a.started_at
    ) said ON true
    LEFT JOIN LATERAL (
        SELECT t.level, t.title, t.url FROM troubles t
        WHERE t.provider = a.provider AND t.started_at <= a.started_at AND t.until_at >= a.started_at
        ORDER BY t.level DESC, t.started_at DESC LIMIT 1
    ) trouble ON true
    WHERE a.started_at >= range_start AND a.started_at < range_end;
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

-- Who noticed first? Of each incident of a provider that we call: when the page told it, the first
-- five minutes in which three calls and a fifth of all failed (looked for from an hour before), and by
-- how many minutes these came before the page; negative: the page was first.
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
        SELECT min(b.bin) FILTER (WHERE b.failed >= 3 AND b.failed >= 0.2 * b.calls) AS noticed_at,
            sum(b.failed)::bigint AS failed_calls
        FROM (
            SELECT date_bin('5 minutes', c.started_at, timestamptz '2000-01-01 00:00:00+00') AS bin,
                count(*) AS calls,
                count(*) FILTER (WHERE c.status IN ('error', 'timeout', 'crashed')) AS failed
            FROM llm_calls c
            WHERE c.provider = ANY (i.providers)
                AND c.started_at >= i.told_at - interval '1 hour'
                AND c.started_at < least(coalesce(i.resolved_at, now()), i.told_at + interval '6 hours')
            GROUP BY 1
        ) b
    ) n
    WHERE NOT i.is_maintenance AND i.level >= 2 AND i.phase <> 'scheduled'
        AND i.told_at >= range_start AND i.told_at < range_end AND cardinality(i.providers) > 0;
END;

-- How do providers serve us, beside what they say? A row a provider that was called or has a page.
CREATE FUNCTION v_provider_health(range_start timestamptz, range_end timestamptz)
RETURNS TABLE (
    provider text, page_title text, url text, level smallint, status text, cause text,
    since timestamptz, calls bigint, failed_calls bigint, failed_ratio double precision,
    p95_seconds double precision
)
LANGUAGE sql STABLE
BEGIN ATOMIC
    WITH called AS (
        SELECT t.provider, sum(t.calls)::bigint AS calls,
            coalesce(sum(t.calls) FILTER (WHERE t.status IN ('error', 'timeout', 'crashed')), 0)::bigint
                AS failed_calls
        FROM v_llm_totals(range_start, range_end) t
        GROUP BY 1
    ), ranked AS (
        SELECT l.provider, l.latency_bucket,
            sum(sum(l.calls)) OVER (PARTITION BY l.provider ORDER BY l.latency_bucket) AS up_to,
            sum(sum(l.calls)) OVER (PARTITION BY l.provider) AS all_calls
        FROM v_llm_latencies(range_start, range_end) l
        GROUP BY 1, 2
    ), p95 AS (
        SELECT r.provider, duration_bucket_seconds(min(r.latency_bucket)) AS seconds
        FROM ranked r WHERE r.up_to >= ceil(0.95 * r.all_calls)
        GROUP BY 1
    ), pages AS (
        -- Two pages of one provider: the worse of them.
        SELECT DISTINCT ON (n.provider) n.*
        FROM (SELECT unnest(s.providers) AS provider, s.* FROM v_status_now s) n
        ORDER BY n.provider, n.level DESC NULLS LAST, n.page
    )
    SELECT coalesce(c.provider, n.provider), n.title, n.url, n.level, coalesce(n.status, 'no page'),
        n.cause, n.since, coalesce(c.calls, 0), coalesce(c.failed_calls, 0),
        c.failed_calls / nullif(c.calls, 0)::double precision, p.seconds
    FROM called c
    FULL JOIN pages n ON n.provider = c.provider
    LEFT JOIN p95 p ON p.provider = c.provider;
END;
