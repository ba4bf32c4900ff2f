-- Reports of providers: a window is replaced as a whole, and what moved is told. {table}, {stage}
-- and {same_key} are filled in by the sink. Bounds stand beside each join: a temporary table has no
-- statistics, and the planner would read all there is.

-- name: create_windows
CREATE TEMP TABLE IF NOT EXISTS staged_windows (
    provider text, report text, is_breakdown boolean,
    from_at timestamptz, until_at timestamptz, complete_until timestamptz
) ON COMMIT DELETE ROWS

-- name: create_days
CREATE TEMP TABLE IF NOT EXISTS staged_days (day timestamptz) ON COMMIT DELETE ROWS

-- name: clear
TRUNCATE staged_windows, staged_days, {stage}

-- name: add_window
INSERT INTO staged_windows
VALUES (%(provider)s, %(report)s, %(is_breakdown)s, %(from_at)s, %(until_at)s, %(complete_until)s)

-- name: usage_changes
-- By bucket and model: what moved from one key or project to another is no change of the sum.
SELECT d.provider, coalesce(d.model, '') AS model, 'estimated' AS cost_kind,
    sum(d.sign * coalesce(d.requests, 0))::bigint AS requests_added,
    sum(d.sign * coalesce(d.input_tokens, 0))::bigint AS input_tokens_added,
    sum(d.sign * coalesce(d.output_tokens, 0))::bigint AS output_tokens_added,
    sum(d.sign * CASE WHEN d.cost_usd IS NULL
        THEN coalesce(d.input_tokens, 0) + coalesce(d.output_tokens, 0) ELSE 0 END)::bigint
        AS unpriced_tokens_added,
    sum(d.sign * coalesce(d.cost_usd, 0)) AS cost_usd_added
FROM (
    SELECT 1 AS sign, s.* FROM {stage} s
    UNION ALL
    SELECT -1, t.* FROM {table} t
    JOIN staged_windows w ON t.report = w.report
        AND t.bucket_start >= w.from_at AND t.bucket_start < w.until_at
    WHERE t.source = %(source)s AND t.report = ANY(%(reports)s)
        AND t.bucket_start >= %(oldest)s AND t.bucket_start < %(newest)s
) d
WHERE NOT d.is_breakdown
GROUP BY d.provider, d.model, d.report, d.bucket_start
ORDER BY d.bucket_start

-- name: cost_changes
SELECT d.provider, coalesce(d.model, '') AS model, 'billed' AS cost_kind,
    0 AS requests_added, 0 AS input_tokens_added, 0 AS output_tokens_added,
    0 AS unpriced_tokens_added,
    sum(d.sign * coalesce(d.cost_usd, 0)) AS cost_usd_added
FROM (
    SELECT 1 AS sign, s.* FROM {stage} s
    UNION ALL
    SELECT -1, t.* FROM {table} t
    JOIN staged_windows w ON t.report = w.report
        AND t.bucket_start >= w.from_at AND t.bucket_start < w.until_at
    WHERE t.source = %(source)s AND t.report = ANY(%(reports)s)
        AND t.bucket_start >= %(oldest)s AND t.bucket_start < %(newest)s
) d
WHERE NOT d.is_breakdown
GROUP BY d.provider, d.model, d.report, d.bucket_start
ORDER BY d.bucket_start

-- name: delete_differing
DELETE FROM {table} t
USING staged_windows w
WHERE t.source = %(source)s AND t.report = ANY(%(reports)s) AND t.report = w.report
    AND t.bucket_start >= %(oldest)s AND t.bucket_start < %(newest)s
    AND t.bucket_start >= w.from_at AND t.bucket_start < w.until_at
    AND NOT EXISTS (
        SELECT FROM {stage} s WHERE {same_key} AND ROW(t.*) IS NOT DISTINCT FROM ROW(s.*)
    )

-- name: insert_missing
INSERT INTO {table} SELECT * FROM {stage} s
WHERE NOT EXISTS (SELECT FROM {table} t WHERE {same_key})

-- name: cover
-- What was read grows by the windows where they touch it; else a stretch of its own begins, for
-- what lies between was never read, and is not 0.
WITH fresh AS (
    SELECT report, min(provider) AS provider, bool_or(is_breakdown) AS is_breakdown,
        min(from_at) AS from_at, max(until_at) AS until_at, max(complete_until) AS complete_until
    FROM staged_windows GROUP BY report
), touching AS (
    DELETE FROM report_coverage c USING fresh w
    WHERE c.source = %(source)s AND c.amounts = %(amounts)s AND c.report = w.report
        AND c.read_from <= w.until_at AND c.read_until >= w.from_at
    RETURNING c.report, c.read_from, c.read_until, c.complete_until
)
INSERT INTO report_coverage
    (source, report, amounts, provider, is_breakdown, read_from, read_until, complete_until)
SELECT %(source)s, w.report, %(amounts)s, w.provider, w.is_breakdown,
    least(w.from_at, min(t.read_from)), greatest(w.until_at, max(t.read_until)),
    greatest(w.complete_until, max(t.complete_until))
FROM fresh w
LEFT JOIN touching t ON t.report = w.report
GROUP BY w.report, w.provider, w.is_breakdown, w.from_at, w.until_at, w.complete_until

-- name: add_days
-- The UTC days that the windows touch: each is summed anew.
INSERT INTO staged_days
SELECT DISTINCT day FROM staged_windows, LATERAL generate_series(
    date_bin('1 day', from_at, timestamptz '2000-01-01 00:00:00+00'),
    until_at - interval '1 microsecond', interval '1 day'
) day

-- name: clear_days
DELETE FROM cost_daily d
USING staged_days touched
WHERE d.source = %(source)s AND d.bucket_start = touched.day AND d.cost_kind = %(cost_kind)s

-- name: sum_usage_days
INSERT INTO cost_daily
SELECT touched.day, b.source, b.provider, 'estimated', b.model, b.project_id, b.api_key_id, b.user_id,
    coalesce(sum(b.requests), 0), coalesce(sum(b.input_tokens), 0),
    coalesce(sum(b.cached_input_tokens), 0), coalesce(sum(b.cache_write_tokens), 0),
    coalesce(sum(b.output_tokens), 0), count(*), count(*) FILTER (WHERE b.cost_usd IS NULL),
    coalesce(sum(coalesce(b.input_tokens, 0) + coalesce(b.output_tokens, 0))
        FILTER (WHERE b.cost_usd IS NULL), 0),
    coalesce(sum(b.cost_usd), 0), coalesce(sum(b.cost_without_cache_usd), 0)
FROM staged_days touched
JOIN usage_buckets b ON b.bucket_start >= touched.day
    AND b.bucket_start < touched.day + interval '1 day'
WHERE b.source = %(source)s AND NOT b.is_breakdown
    AND b.bucket_start >= %(oldest)s::timestamptz - interval '1 day'
    AND b.bucket_start < %(newest)s::timestamptz + interval '1 day'
GROUP BY 1, 2, 3, 5, 6, 7, 8

-- name: sum_cost_days
INSERT INTO cost_daily
SELECT touched.day, b.source, b.provider, 'billed', b.model, b.project_id, b.api_key_id, b.user_id,
    0, 0, 0, 0, 0, count(*), count(*) FILTER (WHERE b.cost_usd IS NULL), 0,
    coalesce(sum(b.cost_usd), 0), 0
FROM staged_days touched
JOIN cost_buckets b ON b.bucket_start >= touched.day
    AND b.bucket_start < touched.day + interval '1 day'
WHERE b.source = %(source)s AND NOT b.is_breakdown
    AND b.bucket_start >= %(oldest)s::timestamptz - interval '1 day'
    AND b.bucket_start < %(newest)s::timestamptz + interval '1 day'
GROUP BY 1, 2, 3, 5, 6, 7, 8

-- name: name_dimension
INSERT INTO dimension_names AS n (source, dimension, id, name)
VALUES (%(source)s, %(dimension)s, %(id)s, %(name)s)
ON CONFLICT (source, dimension, id) DO UPDATE SET name = excluded.name
WHERE n.name <> excluded.name

-- name: note_balance
-- A row only when something moved.
INSERT INTO balances (source, provider, balance, unit, observed_at, remaining, used, limit_amount)
SELECT %(source)s, %(provider)s, %(balance)s, %(unit)s, %(observed_at)s,
    %(remaining)s, %(used)s, %(limit_amount)s
WHERE NOT EXISTS (
    SELECT FROM (
        SELECT b.remaining, b.used, b.limit_amount FROM balances b
        WHERE b.source = %(source)s AND b.balance = %(balance)s AND b.unit = %(unit)s
        ORDER BY b.observed_at DESC LIMIT 1
    ) newest
    WHERE (newest.remaining, newest.used, newest.limit_amount)
        IS NOT DISTINCT FROM (%(remaining)s::numeric, %(used)s::numeric, %(limit_amount)s::numeric)
)
ON CONFLICT DO NOTHING

-- name: retire_balances
-- A provider tells all of its balances at once: one that it tells no more is gone.
INSERT INTO balances (source, provider, balance, unit, observed_at)
SELECT b.source, b.provider, b.balance, b.unit, %(observed_at)s
FROM v_balances b
WHERE b.source = %(source)s AND NOT EXISTS (
    SELECT FROM unnest(%(balances)s::text[], %(units)s::text[]) told (balance, unit)
    WHERE told.balance = b.balance AND told.unit = b.unit
)
ON CONFLICT DO NOTHING
