-- What does each UTC day cost, by whom it is billed or how we estimate it? The two cost kinds say
-- the same thing twice: never add them. Names of ids as people know them.
CREATE VIEW v_cost_daily AS
SELECT d.bucket_start, d.source, d.provider, d.cost_kind, d.model,
    coalesce(project.name, d.project_id) AS project,
    coalesce(api_key.name, d.api_key_id) AS api_key,
    coalesce(user_.name, d.user_id) AS user_name,
    d.requests, d.input_tokens, d.cached_input_tokens, d.cache_write_tokens, d.output_tokens,
    d.buckets, d.unpriced_buckets, d.unpriced_tokens, d.cost_usd, d.cost_without_cache_usd
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
    SELECT date_bin('1 day', h.bucket_start, timestamptz '2000-01-01 00:00:00+00'),
        h.source, h.provider, h.model, coalesce(w.workflow, h.workflow_id), h.customer, h.project, h.team,
        CASE WHEN s.role = 'gateway' THEN 'gateway' ELSE 'estimated' END,
        sum(h.calls)::bigint, sum(h.unpriced_calls)::bigint,
        sum(CASE WHEN s.role = 'gateway' THEN h.reported_cost_usd ELSE h.cost_usd END)
    FROM llm_calls_hourly h
    LEFT JOIN sources s ON s.source = h.source
    LEFT JOIN workflows w ON w.source = h.source AND w.workflow_id = h.workflow_id
    WHERE h.bucket_start >= date_bin('1 day', range_start, timestamptz '2000-01-01 00:00:00+00')
        AND h.bucket_start < range_end AND h.calls <> 0
    GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9;
END;

-- How far is each report of a provider read, and until when has it settled?
CREATE VIEW v_report_coverage AS
SELECT source, provider, report, amounts, read_from, read_until, complete_until,
    extract(epoch FROM now() - complete_until)::double precision AS age_seconds
FROM report_coverage;

-- Until when are a source's usage and costs read as a whole? A report that has been silent for three
-- days longer than the others (a permission taken away) is no longer waited for.
CREATE VIEW v_source_coverage AS
SELECT source, provider, amounts, min(read_from) AS read_from, min(read_until) AS read_until,
    min(complete_until) AS complete_until
FROM (
    SELECT c.*, max(c.read_until) OVER (PARTITION BY c.source, c.provider, c.amounts) AS newest_at
    FROM report_coverage c
) r
WHERE r.read_until > r.newest_at - interval '3 days'
GROUP BY 1, 2, 3;

-- Do the costs agree? A row a provider and UTC day; unknown where a kind was not read that day.
-- The gap is of the bill to the estimate from the provider's own usage, or else from our calls;
-- attributed is the part of the cost that calls of known workflows come to: the rest is dark.
CREATE FUNCTION v_reconciliation(range_start timestamptz, range_end timestamptz)
RETURNS TABLE (
    bucket_start timestamptz, provider text, is_billed_complete boolean, is_complete boolean,
    billed_usd numeric, usage_estimated_usd numeric, calls_estimated_usd numeric, gateway_usd numeric,
    unpriced_tokens bigint, gap_usd numeric, gap_ratio double precision,
    attributed_usd numeric, dark_usd numeric, dark_ratio double precision
)
LANGUAGE sql STABLE
BEGIN ATOMIC
    WITH days AS (
        SELECT day AS bucket_start
        FROM generate_series(
            date_bin('1 day', range_start, timestamptz '2000-01-01 00:00:00+00'),
            range_end - interval '1 microsecond', interval '1 day'
        ) day
    ), covered AS (
        SELECT d.bucket_start, c.provider,
            bool_or(c.amounts = 'cost') AS has_bill, bool_or(c.amounts = 'usage') AS has_usage,
            bool_and(c.complete_until >= d.bucket_start + interval '1 day')
                FILTER (WHERE c.amounts = 'cost') AS is_billed_complete,
            bool_and(c.complete_until >= d.bucket_start + interval '1 day') AS is_complete
        FROM days d
        JOIN v_source_coverage c ON c.read_from <= d.bucket_start AND c.read_until > d.bucket_start
        GROUP BY 1, 2
    ), reported AS (
        SELECT d.bucket_start, d.provider,
            sum(d.cost_usd) FILTER (WHERE d.cost_kind = 'billed') AS billed_usd,
            sum(d.cost_usd) FILTER (WHERE d.cost_kind = 'estimated') AS usage_estimated_usd,
            coalesce(bool_or(d.unpriced_buckets > 0) FILTER (WHERE d.cost_kind = 'billed'), false)
                AS has_unknown_bill,
            coalesce(bool_or(d.unpriced_buckets > 0) FILTER (WHERE d.cost_kind = 'estimated'), false)
                AS has_unknown_usage,
            sum(d.unpriced_tokens)::bigint AS unpriced_tokens
        FROM cost_daily d
        WHERE d.bucket_start >= date_bin('1 day', range_start, timestamptz '2000-01-01 00:00:00+00')
            AND d.bucket_start < range_end
        GROUP BY 1, 2
    ), called AS (
        SELECT k.bucket_start, k.provider,
            sum(k.cost_usd) FILTER (WHERE k.cost_kind = 'estimated') AS calls_estimated_usd,
            sum(k.cost_usd) FILTER (WHERE k.cost_kind = 'gateway') AS gateway_usd
        FROM v_call_cost_daily(range_start, range_end) k
        GROUP BY 1, 2
    ), ledgers AS (
        SELECT p.bucket_start, p.provider,
            coalesce(c.is_billed_complete, false) AS is_billed_complete,
            coalesce(c.is_complete, false) AS is_complete,
            -- What is read and says nothing is 0; where nothing of it has a price, it is unknown.
            CASE WHEN c.has_bill AND (r.billed_usd <> 0 OR NOT coalesce(r.has_unknown_bill, false))
                THEN coalesce(r.billed_usd, 0) END AS billed_usd,
            CASE WHEN c.has_usage
                    AND (r.usage_estimated_usd <> 0 OR NOT coalesce(r.has_unknown_usage, false))
                THEN coalesce(r.usage_estimated_usd, 0) END AS usage_estimated_usd,
            k.calls_estimated_usd, k.gateway_usd, coalesce(r.unpriced_tokens, 0) AS unpriced_tokens
        FROM (
            SELECT bucket_start, provider FROM covered UNION SELECT bucket_start, provider FROM called
        ) p
        LEFT JOIN covered c ON c.bucket_start = p.bucket_start AND c.provider = p.provider
        LEFT JOIN reported r ON r.bucket_start = p.bucket_start AND r.provider = p.provider
        LEFT JOIN called k ON k.bucket_start = p.bucket_start AND k.provider = p.provider
    ), compared AS (
        SELECT l.*, l.billed_usd - coalesce(l.usage_estimated_usd, l.calls_estimated_usd) AS gap_usd,
            CASE WHEN l.is_billed_complete THEN l.billed_usd
                ELSE coalesce(l.usage_estimated_usd, l.billed_usd) END AS provider_usd
        FROM ledgers l
    )
    SELECT c.bucket_start, c.provider, c.is_billed_complete, c.is_complete,
        c.billed_usd, c.usage_estimated_usd, c.calls_estimated_usd, c.gateway_usd, c.unpriced_tokens,
        c.gap_usd, (c.gap_usd / nullif(c.billed_usd, 0))::double precision,
        least(coalesce(c.calls_estimated_usd, 0), c.provider_usd),
        greatest(c.provider_usd - coalesce(c.calls_estimated_usd, 0), 0),
        (greatest(c.provider_usd - coalesce(c.calls_estimated_usd, 0), 0)
            / nullif(c.provider_usd, 0))::double precision
    FROM compared c
    WHERE coalesce(c.billed_usd, c.usage_estimated_usd, c.calls_estimated_usd, c.gateway_usd)
        IS NOT NULL;
END;

-- What do we spend? Each provider and UTC day once, by the best knowledge there is: the bill where
-- it is whole, else the estimate from the provider's usage, else from our own calls.
CREATE FUNCTION v_spend_daily(range_start timestamptz, range_end timestamptz)
RETURNS TABLE (bucket_start timestamptz, provider text, cost_kind text, cost_usd numeric)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT r.bucket_start, r.provider,
        CASE
            WHEN r.billed_usd IS NOT NULL AND r.is_billed_complete THEN 'billed'
            WHEN r.usage_estimated_usd IS NOT NULL THEN 'estimated from usage'
            WHEN r.billed_usd IS NOT NULL THEN 'billed so far'
            WHEN r.calls_estimated_usd IS NOT NULL THEN 'estimated from calls'
            ELSE 'gateway'
        END,
        CASE
            WHEN r.billed_usd IS NOT NULL AND r.is_billed_complete THEN r.billed_usd
            ELSE coalesce(
                r.usage_estimated_usd, r.billed_usd, r.calls_estimated_usd, r.gateway_usd
            )
        END
    FROM v_reconciliation(range_start, range_end) r;
END;

-- What will the month come to? So far, and the mean of the last seven whole days for each day left.
CREATE FUNCTION v_month_projection(at timestamptz)
RETURNS TABLE (provider text, month_to_date_usd numeric, projected_usd numeric)
LANGUAGE sql STABLE
BEGIN ATOMIC
    WITH edges AS (
        SELECT date_trunc('day', at, 'UTC') AS today, date_trunc('month', at, 'UTC') AS month_start,
            date_trunc('month', at, 'UTC') + interval '1 month' AS month_end
    ), days AS (
        SELECT s.bucket_start, s.provider, s.cost_usd
        FROM edges e, v_spend_daily(least(e.month_start, e.today - interval '7 days'), at) s
    ), means AS (
        SELECT d.provider,
            avg(d.cost_usd) FILTER (
                WHERE d.bucket_start < e.today AND d.bucket_start >= e.today - interval '7 days'
            ) AS daily_usd,
            coalesce(sum(d.cost_usd) FILTER (
                WHERE d.bucket_start >= e.month_start AND d.bucket_start < e.today
            ), 0) AS whole_days_usd,
            coalesce(sum(d.cost_usd) FILTER (WHERE d.bucket_start = e.today), 0) AS today_usd
        FROM days d, edges e GROUP BY 1
    )
    SELECT m.provider, m.whole_days_usd + m.today_usd,
        m.whole_days_usd + greatest(m.today_usd, coalesce(m.daily_usd, m.today_usd))
            + coalesce(m.daily_usd, m.today_usd)
            * (extract(epoch FROM e.month_end - e.today) / 86400 - 1)::numeric
    FROM means m, edges e;
END;

-- What is left of each credit and quota, and since when is it so?
CREATE VIEW v_balances AS
SELECT DISTINCT ON (b.source, b.balance, b.unit)
    b.source, b.provider, b.balance, b.unit, b.remaining, b.used, b.limit_amount,
    (b.remaining / nullif(b.limit_amount, 0))::double precision AS remaining_ratio, b.observed_at
FROM balances b
ORDER BY b.source, b.balance, b.unit, b.observed_at DESC;

-- Which single calls cost most?
CREATE VIEW v_costly_calls AS
SELECT c.started_at, c.source, coalesce(w.workflow, c.workflow) AS workflow, c.execution_id, c.provider,
    c.model, c.customer, c.project, c.team, c.input_tokens, c.output_tokens, c.cost_usd, c.cost_source
FROM llm_calls c
LEFT JOIN workflows w ON w.source = c.source AND w.workflow_id = c.workflow_id
WHERE c.cost_usd IS NOT NULL;
