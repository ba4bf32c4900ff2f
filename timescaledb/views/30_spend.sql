-- The UTC day that a time lies in: bills are by UTC day. Days are counted in hours here, as `1 day`
-- has 23 or 25 of them in some sessions' time zones.
CREATE FUNCTION utc_day(at timestamptz) RETURNS timestamptz
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN date_bin('24 hours', at, timestamptz '2000-01-01 00:00:00+00');

-- A sum of costs of which some parts are unknown: where no part has a price it is unknown, not 0.
CREATE FUNCTION known_cost(cost_usd numeric, unknown_parts numeric) RETURNS numeric
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN cost_usd <> 0 OR coalesce(unknown_parts, 0) = 0 THEN cost_usd END;

-- What does each UTC day cost, as it is billed and as we estimate it from usage? The two say the same
-- thing twice: never add them. Names of ids as people know them; sums go through known_cost().
CREATE VIEW v_cost_daily AS
SELECT d.bucket_start, d.source, d.provider, d.cost_kind, d.model,
    coalesce(project.name, d.project_id) AS project,
    coalesce(api_key.name, d.api_key_id) AS api_key,
    coalesce(user_.name, d.user_id) AS user_name,
    d.requests, d.input_tokens, d.cached_input_tokens, d.cache_write_tokens, d.output_tokens,
    CASE d.cost_kind WHEN 'estimated' THEN d.cost_usd END AS estimated_usd,
    CASE d.cost_kind WHEN 'estimated' THEN d.cost_without_cache_usd END AS without_cache_usd,
    CASE d.cost_kind WHEN 'estimated' THEN d.unpriced_buckets END AS unpriced_buckets,
    d.unpriced_tokens,
    CASE d.cost_kind WHEN 'billed' THEN d.cost_usd END AS billed_usd,
    CASE d.cost_kind WHEN 'billed' THEN d.unpriced_buckets END AS unconverted_buckets
FROM cost_daily d
LEFT JOIN dimension_names project
    ON project.source = d.source AND project.dimension = 'project_id' AND project.id = d.project_id
LEFT JOIN dimension_names api_key
    ON api_key.source = d.source AND api_key.dimension = 'api_key_id' AND api_key.id = d.api_key_id
LEFT JOIN dimension_names user_
    ON user_.source = d.source AND user_.dimension = 'user_id' AND user_.id = d.user_id;

-- What do model calls cost a UTC day, as our sources tell them? `estimated`: calls of workflow
-- engines; `gateway`: what gateways and tracing tools report, of calls that may be the same.
CREATE FUNCTION v_call_cost_daily(range_start timestamptz, range_end timestamptz)
RETURNS TABLE (
    bucket_start timestamptz, source text, provider text, model text, workflow text, customer text,
    project text, team text, cost_kind text, calls bigint, unpriced_calls bigint, cost_usd numeric
)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT c.bucket_start, c.source, c.provider, c.model, c.workflow, c.customer, c.project, c.team,
        c.cost_kind, c.calls, c.unpriced_calls, known_cost(c.cost_usd, c.unpriced_calls)
    FROM (
        SELECT utc_day(h.bucket_start) AS bucket_start, h.source, h.provider, h.model,
            coalesce(w.workflow, nullif(h.workflow_id, '')) AS workflow,
            h.customer, h.project, h.team, 'estimated' AS cost_kind,
            sum(h.calls)::bigint AS calls, sum(h.unpriced_calls)::bigint AS unpriced_calls,
            sum(h.cost_usd) AS cost_usd
        FROM llm_calls_hourly h
        LEFT JOIN sources s ON s.source = h.source
        LEFT JOIN workflows w ON w.source = h.source AND w.workflow_id = h.workflow_id
        WHERE h.bucket_start >= utc_day(range_start)
            AND h.bucket_start < utc_day(range_end - interval '1 microsecond') + interval '24 hours'
            AND (h.calls <> 0 OR h.cost_usd <> 0) AND s.role IS DISTINCT FROM 'gateway'
        GROUP BY 1, 2, 3, 4, 5, 6, 7, 8
        UNION ALL
        SELECT utc_day(h.bucket_start), h.source, h.provider, h.model, nullif(h.workflow_id, ''),
            h.customer, h.project, h.team, 'gateway', sum(h.calls)::bigint,
            -- What the gateway named no cost of, whether or not we could price it.
            CASE WHEN sum(h.reported_cost_usd) = 0 AND sum(h.cost_usd) <> 0 THEN sum(h.calls)
                ELSE sum(h.unpriced_calls) END::bigint,
            sum(h.reported_cost_usd)
        FROM llm_calls_hourly h
        JOIN sources s ON s.source = h.source AND s.role = 'gateway'
        WHERE h.bucket_start >= utc_day(range_start)
            AND h.bucket_start < utc_day(range_end - interval '1 microsecond') + interval '24 hours'
            AND (h.calls <> 0 OR h.cost_usd <> 0)
        GROUP BY 1, 2, 3, 4, 5, 6, 7, 8
    ) c;
END;

-- From which UTC day on are our workflows' calls known? Before it, what they did not call is not dark.
CREATE VIEW v_calls_known_from AS
SELECT utc_day(min(bucket_start) + interval '24 hours - 1 microsecond') AS bucket_start
FROM executions_hourly;

-- Which providers and models are there to choose from?
CREATE VIEW v_models AS
SELECT provider, model FROM cost_daily WHERE model IS NOT NULL
UNION
SELECT provider, model FROM llm_calls_hourly
UNION
SELECT provider, NULL FROM report_coverage;

-- How far is each report of a provider read without a gap, and until when has it settled?
CREATE VIEW v_report_coverage AS
SELECT DISTINCT ON (source, report, amounts)
    source, provider, report, amounts, is_breakdown, read_from, read_until, complete_until,
    extract(epoch FROM now() - read_until)::double precision AS age_seconds
FROM report_coverage
ORDER BY source, report, amounts, read_until DESC;

-- Until when are a source's usage and costs read as a whole? A report that has been silent for three
-- days longer than the others (a permission taken away) is no longer waited for.
CREATE VIEW v_source_coverage AS
SELECT source, provider, amounts, min(read_from) AS read_from, min(read_until) AS read_until,
    min(complete_until) AS complete_until
FROM (
    SELECT c.*, max(c.read_until) OVER (PARTITION BY c.source, c.provider, c.amounts) AS newest_at
    FROM v_report_coverage c WHERE NOT c.is_breakdown
) r
WHERE r.read_until > r.newest_at - interval '72 hours'
GROUP BY 1, 2, 3;

-- Do the costs agree? A row a provider and UTC day; unknown where a kind was not read that day, and
-- where nothing of it has a price. The gap is of the bill to the estimate from the provider's own
-- usage, or else from our calls, once what is reported of the day has settled.
CREATE FUNCTION v_reconciliation(range_start timestamptz, range_end timestamptz)
RETURNS TABLE (
    bucket_start timestamptz, provider text,
    is_billed_complete boolean, is_usage_complete boolean, is_complete boolean,
    billed_usd numeric, usage_estimated_usd numeric, calls_estimated_usd numeric, gateway_usd numeric,
    unpriced_tokens bigint, unpriced_calls bigint, gap_usd numeric, gap_ratio double precision
)
LANGUAGE sql STABLE
BEGIN ATOMIC
    WITH days AS (
        SELECT day AS bucket_start
        FROM generate_series(
            utc_day(range_start), range_end - interval '1 microsecond', interval '24 hours'
        ) day
    ), reports AS (
        SELECT c.*, c.read_until > max(c.read_until) OVER (PARTITION BY c.provider, c.amounts)
            - interval '72 hours' AS is_awaited
        FROM report_coverage c WHERE NOT c.is_breakdown
    ), covered AS (
        -- Whole is a day that all of the provider's reports have settled for, in all its sources.
        SELECT d.bucket_start, c.provider,
            bool_or(c.amounts = 'cost' AND c.read_until > d.bucket_start) AS has_bill,
            bool_or(c.amounts = 'usage' AND c.read_until > d.bucket_start) AS has_usage,
            bool_and(c.complete_until >= d.bucket_start + interval '24 hours')
                FILTER (WHERE c.amounts = 'cost') AS is_billed_complete,
            bool_and(c.complete_until >= d.bucket_start + interval '24 hours')
                FILTER (WHERE c.amounts = 'usage') AS is_usage_complete
        FROM days d
        JOIN reports c ON c.read_from <= d.bucket_start
            AND (c.read_until > d.bucket_start OR c.is_awaited)
        GROUP BY 1, 2
    ), reported AS (
        SELECT d.bucket_start, d.provider,
            sum(d.cost_usd) FILTER (WHERE d.cost_kind = 'billed') AS billed_usd,
            sum(d.unpriced_buckets) FILTER (WHERE d.cost_kind = 'billed') AS unconverted_buckets,
            sum(d.cost_usd) FILTER (WHERE d.cost_kind = 'estimated') AS usage_estimated_usd,
            sum(d.unpriced_buckets) FILTER (WHERE d.cost_kind = 'estimated') AS unpriced_buckets,
            sum(d.unpriced_tokens)::bigint AS unpriced_tokens
        FROM cost_daily d
        WHERE d.bucket_start >= utc_day(range_start) AND d.bucket_start < range_end
        GROUP BY 1, 2
    ), called AS (
        SELECT k.bucket_start, k.provider, bool_or(k.cost_kind = 'estimated') AS has_calls,
            known_cost(
                sum(k.cost_usd) FILTER (WHERE k.cost_kind = 'estimated'),
                sum(k.unpriced_calls) FILTER (WHERE k.cost_kind = 'estimated')
            ) AS calls_estimated_usd,
            known_cost(
                sum(k.cost_usd) FILTER (WHERE k.cost_kind = 'gateway'),
                sum(k.unpriced_calls) FILTER (WHERE k.cost_kind = 'gateway')
            ) AS gateway_usd,
            sum(k.unpriced_calls) FILTER (WHERE k.cost_kind = 'estimated')::bigint AS unpriced_calls
        FROM v_call_cost_daily(range_start, range_end) k
        GROUP BY 1, 2
    ), ledgers AS (
        SELECT d.bucket_start, p.provider,
            coalesce(c.is_billed_complete AND coalesce(r.unconverted_buckets, 0) = 0, false)
                AS is_billed_complete,
            coalesce(c.is_usage_complete, false) AS is_usage_complete,
            -- All that the provider has of bill and usage.
            coalesce(c.is_billed_complete, c.is_usage_complete, false)
                AND coalesce(c.is_usage_complete, true) AND coalesce(r.unconverted_buckets, 0) = 0
                AS is_complete,
            -- What is read and says nothing is 0.
            CASE WHEN c.has_bill THEN known_cost(coalesce(r.billed_usd, 0), r.unconverted_buckets)
                END AS billed_usd,
            CASE WHEN c.has_usage
                THEN known_cost(coalesce(r.usage_estimated_usd, 0), r.unpriced_buckets)
                END AS usage_estimated_usd,
            CASE WHEN k.has_calls THEN k.calls_estimated_usd
                WHEN d.bucket_start >= known.bucket_start THEN 0 END AS calls_estimated_usd,
            k.gateway_usd,
            coalesce(r.unpriced_tokens, 0) AS unpriced_tokens,
            coalesce(k.unpriced_calls, 0) AS unpriced_calls
        FROM days d
        CROSS JOIN (SELECT provider FROM covered UNION SELECT provider FROM called) p
        CROSS JOIN v_calls_known_from known
        LEFT JOIN covered c ON c.bucket_start = d.bucket_start AND c.provider = p.provider
        LEFT JOIN reported r ON r.bucket_start = d.bucket_start AND r.provider = p.provider
        LEFT JOIN called k ON k.bucket_start = d.bucket_start AND k.provider = p.provider
    ), compared AS (
        SELECT l.*, CASE WHEN l.is_complete
            THEN l.billed_usd - coalesce(l.usage_estimated_usd, l.calls_estimated_usd) END AS gap_usd
        FROM ledgers l
    )
    SELECT c.bucket_start, c.provider, c.is_billed_complete, c.is_usage_complete, c.is_complete,
        c.billed_usd, c.usage_estimated_usd, c.calls_estimated_usd, c.gateway_usd,
        c.unpriced_tokens, c.unpriced_calls,
        c.gap_usd, (c.gap_usd / nullif(c.billed_usd, 0))::double precision
    FROM compared c
    WHERE coalesce(c.billed_usd, c.usage_estimated_usd, c.calls_estimated_usd, c.gateway_usd)
        IS NOT NULL;
END;

-- What do we spend? Each provider and UTC day once, by the best knowledge there is: the bill where
-- it has settled, else the estimate from the provider's usage where that has; of a day that has not,
-- the largest amount known. Gateways are asked where nobody else tells anything of anybody.
CREATE FUNCTION v_spend_daily(range_start timestamptz, range_end timestamptz)
RETURNS TABLE (bucket_start timestamptz, provider text, cost_kind text, cost_usd numeric)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT r.bucket_start, r.provider, best.cost_kind, best.cost_usd
    FROM v_reconciliation(range_start, range_end) r
    CROSS JOIN LATERAL (
        SELECT known.cost_kind, known.cost_usd
        FROM (
            VALUES
            (1, 1, 'billed', CASE WHEN r.is_billed_complete THEN r.billed_usd END),
            (CASE WHEN r.is_usage_complete THEN 2 ELSE 3 END, 1, 'estimated from usage',
                r.usage_estimated_usd),
            -- Bills come days late: 0 is not yet an amount.
            (3, 2, 'billed so far', nullif(r.billed_usd, 0)),
            -- No calls are no cost only where the provider reports nothing itself.
            (3, 3, 'estimated from calls', CASE
                WHEN r.calls_estimated_usd <> 0 OR NOT EXISTS (
                    SELECT FROM report_coverage c WHERE c.provider = r.provider
                ) THEN r.calls_estimated_usd END),
            -- A tracing tool may name another provider than the one that bills.
            (4, 1, 'gateway', CASE
                WHEN NOT EXISTS (SELECT FROM report_coverage)
                    AND NOT EXISTS (SELECT FROM executions_hourly)
                THEN r.gateway_usd END)
        ) known (rank, place, cost_kind, cost_usd)
        WHERE known.cost_usd IS NOT NULL
        ORDER BY known.rank, known.cost_usd DESC, known.place
        LIMIT 1
    ) best;
END;

-- How much of what a provider costs do our workflows' calls come to? The rest is dark. Over the days
-- of which both are known; calls without a price make the dark part look larger.
CREATE FUNCTION v_dark_spend(range_start timestamptz, range_end timestamptz)
RETURNS TABLE (
    provider text, days bigint, cost_usd numeric, attributed_usd numeric, dark_usd numeric,
    dark_ratio double precision, unpriced_calls bigint
)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT d.provider, d.days, d.cost_usd, least(d.calls_usd, d.cost_usd),
        greatest(d.cost_usd - d.calls_usd, 0),
        (greatest(d.cost_usd - d.calls_usd, 0) / nullif(d.cost_usd, 0))::double precision,
        d.unpriced_calls
    FROM (
        SELECT r.provider, count(*) AS days, sum(r.cost_usd) AS cost_usd,
            sum(r.calls_estimated_usd) AS calls_usd, sum(r.unpriced_calls)::bigint AS unpriced_calls
        FROM (
            SELECT c.*, CASE WHEN c.is_billed_complete THEN c.billed_usd
                ELSE c.usage_estimated_usd END AS cost_usd
            FROM v_reconciliation(range_start, range_end) c
            JOIN v_calls_known_from known ON c.bucket_start >= known.bucket_start
        ) r
        WHERE r.cost_usd IS NOT NULL AND r.calls_estimated_usd IS NOT NULL
        GROUP BY 1
    ) d;
END;

-- What will the month come to? So far, and the mean of the last seven whole days, as far as they are
-- known, for each day left. Unknown are the days of the month before today of which nothing is known.
CREATE FUNCTION v_month_projection(at timestamptz)
RETURNS TABLE (
    provider text, month_to_date_usd numeric, projected_usd numeric, unknown_days bigint
)
LANGUAGE sql STABLE
BEGIN ATOMIC
    WITH edges AS (
        SELECT utc_day(at) AS today, date_trunc('month', at, 'UTC') AS month_start,
            (date_trunc('month', at AT TIME ZONE 'UTC') + interval '1 month') AT TIME ZONE 'UTC'
                AS month_end
    ), days AS (
        SELECT s.bucket_start, s.provider, s.cost_usd
        FROM edges e, v_spend_daily(least(e.month_start, e.today - interval '168 hours'), at) s
    ), means AS (
        SELECT d.provider,
            avg(d.cost_usd) FILTER (
                WHERE d.bucket_start < e.today AND d.bucket_start >= e.today - interval '168 hours'
            ) AS daily_usd,
            sum(d.cost_usd) FILTER (
                WHERE d.bucket_start >= e.month_start AND d.bucket_start < e.today
            ) AS whole_days_usd,
            sum(d.cost_usd) FILTER (WHERE d.bucket_start = e.today) AS today_usd,
            extract(epoch FROM e.today - e.month_start)::bigint / 86400 - count(*) FILTER (
                WHERE d.bucket_start >= e.month_start AND d.bucket_start < e.today
            ) AS unknown_days
        FROM days d, edges e GROUP BY d.provider, e.today, e.month_start
    )
    SELECT m.provider,
        coalesce(m.whole_days_usd + m.today_usd, m.whole_days_usd, m.today_usd),
        coalesce(m.whole_days_usd, 0)
            + greatest(m.today_usd, m.daily_usd)
            + coalesce(m.daily_usd, m.today_usd)
            * (extract(epoch FROM e.month_end - e.today) / 86400 - 1)::numeric,
        m.unknown_days
    FROM means m, edges e;
END;

-- What is left of each credit and quota, and since when is it so? One that the provider no longer
-- tells has a last row without amounts.
CREATE VIEW v_balances AS
SELECT b.source, b.provider, b.balance, b.unit, b.remaining, b.used, b.limit_amount,
    (b.remaining / nullif(b.limit_amount, 0))::double precision AS remaining_ratio, b.observed_at
FROM (
    SELECT DISTINCT ON (source, balance, unit) *
    FROM balances ORDER BY source, balance, unit, observed_at DESC
) b
WHERE coalesce(b.remaining, b.used, b.limit_amount) IS NOT NULL;

-- Which single calls cost most, and where is the run that made them?
CREATE VIEW v_costly_calls AS
SELECT c.started_at, c.source, coalesce(w.workflow, nullif(c.workflow, '')) AS workflow,
    c.execution_id, c.provider, c.model, c.customer, c.project, c.team,
    c.input_tokens, c.output_tokens, c.tokens_estimated, c.cost_usd, c.cost_source,
    (
        SELECT e.execution_id FROM executions e
        WHERE e.source = c.source AND e.execution_id = c.execution_id AND e.created_at = c.created_at
    ) AS run,
    (
        SELECT e.engine_url FROM executions e
        WHERE e.source = c.source AND e.execution_id = c.execution_id AND e.created_at = c.created_at
    ) AS url
FROM llm_calls c
LEFT JOIN workflows w ON w.source = c.source AND w.workflow_id = c.workflow_id
WHERE c.cost_usd IS NOT NULL;
