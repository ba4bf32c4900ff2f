-- What a source's provider costs now, what is left, how far its reports are read.

-- name: spend
-- A provider that is read and costs nothing is 0; a day that is not read is unknown, and so is one
-- on which nothing could be priced.
WITH clock AS (
    SELECT date_trunc('day', %(now)s::timestamptz, 'UTC') AS today,
        date_trunc('month', %(now)s::timestamptz, 'UTC') AS month_start
), covered AS (
    SELECT c.provider, CASE c.amounts WHEN 'usage' THEN 'estimated' ELSE 'billed' END AS cost_kind,
        c.read_from, c.read_until,
        -- The end of the newest day that both kinds of cost have settled for.
        CASE WHEN count(*) OVER (PARTITION BY c.provider) = 2 THEN date_trunc(
            'day', min(c.complete_until) OVER (PARTITION BY c.provider), 'UTC') END AS complete_until
    FROM v_source_coverage c WHERE c.source = %(source)s
), windows AS (
    SELECT c.provider, c.cost_kind, c.read_until AS as_of, w.*
    FROM covered c, clock, LATERAL (VALUES
        ('today', today, today + interval '1 day', c.read_until > today),
        ('yesterday', today - interval '1 day', today, c.read_until >= today),
        ('month_to_date', month_start, today + interval '1 day', c.read_until > month_start),
        ('usual_day', today - interval '7 days', today, c.read_until >= today),
        ('three_complete_days', c.complete_until - interval '3 days', c.complete_until,
            c.complete_until IS NOT NULL)
    ) w (cost_window, from_at, until_at, is_read)
    WHERE c.read_from <= w.from_at
)
SELECT w.provider, w.cost_kind, w.cost_window, w.as_of,
    CASE
        WHEN NOT w.is_read OR (d.cost_usd = 0 AND d.unpriced_buckets > 0) THEN NULL
        WHEN w.cost_window = 'usual_day' THEN coalesce(d.cost_usd, 0) / 7
        ELSE coalesce(d.cost_usd, 0)
    END AS cost_usd
FROM windows w, LATERAL (
    SELECT sum(c.cost_usd) AS cost_usd, sum(c.unpriced_buckets) AS unpriced_buckets
    FROM cost_daily c
    WHERE c.source = %(source)s AND c.provider = w.provider AND c.cost_kind = w.cost_kind
        AND c.bucket_start >= w.from_at AND c.bucket_start < w.until_at
) d

-- name: balances
SELECT provider, balance, unit, remaining, limit_amount FROM v_balances WHERE source = %(source)s

-- name: coverage
SELECT provider, report, amounts, complete_until FROM v_report_coverage WHERE source = %(source)s

-- name: describe_source
INSERT INTO sources AS s (source, kind, role) VALUES (%(source)s, %(kind)s, %(role)s)
ON CONFLICT (source) DO UPDATE SET kind = excluded.kind, role = excluded.role
WHERE (s.kind, s.role) <> (excluded.kind, excluded.role)
