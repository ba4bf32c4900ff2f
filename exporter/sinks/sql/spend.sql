-- What a source's provider costs now, what is left, how far its reports are read.

-- name: spend
-- A provider that is read and costs nothing is 0; a day that is not read yet is unknown.
WITH read AS (
    SELECT provider, CASE amounts WHEN 'usage' THEN 'estimated' ELSE 'billed' END AS cost_kind,
        min(read_from) AS read_from, min(read_until) AS as_of
    FROM report_coverage WHERE source = %(source)s
    GROUP BY 1, 2
), days AS (
    SELECT date_trunc('day', %(now)s::timestamptz, 'UTC') AS today,
        date_trunc('month', %(now)s::timestamptz, 'UTC') AS month_start
), sums AS (
    SELECT d.provider, d.cost_kind, d.bucket_start >= days.today AS is_today,
        d.bucket_start >= days.today - interval '1 day' AND d.bucket_start < days.today AS is_yesterday,
        d.bucket_start >= days.month_start AS is_month,
        -- Where nothing could be priced, the cost is unknown.
        CASE WHEN d.cost_usd > 0 OR d.unpriced_buckets = 0 THEN d.cost_usd END AS cost_usd
    FROM cost_daily d, days
    WHERE d.source = %(source)s AND d.bucket_start <= days.today
        AND d.bucket_start >= least(days.month_start, days.today - interval '1 day')
), totals AS (
    SELECT provider, cost_kind,
        sum(cost_usd) FILTER (WHERE is_today) AS today_usd,
        bool_or(is_today) AS has_today,
        sum(cost_usd) FILTER (WHERE is_yesterday) AS yesterday_usd,
        bool_or(is_yesterday) AS has_yesterday,
        sum(cost_usd) FILTER (WHERE is_month) AS month_to_date_usd,
        bool_or(is_month) AS has_month
    FROM sums GROUP BY 1, 2
)
SELECT r.provider, r.cost_kind, r.as_of,
    CASE WHEN r.as_of > days.today
        THEN CASE WHEN t.has_today THEN t.today_usd ELSE 0 END END AS today_usd,
    CASE WHEN r.as_of >= days.today AND r.read_from <= days.today - interval '1 day'
        THEN CASE WHEN t.has_yesterday THEN t.yesterday_usd ELSE 0 END END AS yesterday_usd,
    CASE WHEN r.as_of >= days.month_start AND r.read_from <= days.month_start
        THEN CASE WHEN t.has_month THEN t.month_to_date_usd ELSE 0 END END AS month_to_date_usd
FROM read r
CROSS JOIN days
LEFT JOIN totals t ON t.provider = r.provider AND t.cost_kind = r.cost_kind

-- name: balances
SELECT DISTINCT ON (balance, unit) provider, balance, unit, remaining, limit_amount
FROM balances WHERE source = %(source)s
ORDER BY balance, unit, observed_at DESC

-- name: coverage
SELECT provider, report, amounts, complete_until FROM report_coverage WHERE source = %(source)s

-- name: describe_source
INSERT INTO sources AS s (source, kind, role) VALUES (%(source)s, %(kind)s, %(role)s)
ON CONFLICT (source) DO UPDATE SET kind = excluded.kind, role = excluded.role
WHERE (s.kind, s.role) <> (excluded.kind, excluded.role)
