-- Hourly sums against raw rows: what one side has and the other has not.

-- name: executions_hourly
WITH kept AS (
    SELECT coalesce(max(oldest_kept_at), '-infinity') AS since
    FROM retention_marks WHERE table_name = 'executions'
), raw AS (
    SELECT date_bin('1 hour', created_at, timestamptz '2000-01-01 00:00:00+00') AS bucket_start,
        source, workflow_id, status, count(*) AS runs, count(duration_seconds) AS timed_runs,
        sum(round(coalesce(duration_seconds, 0)::numeric, 6)) AS duration_seconds,
        coalesce(sum(items_total), 0) AS items_total, coalesce(sum(items_failed), 0) AS items_failed
    FROM executions, kept WHERE created_at >= since
    GROUP BY 1, 2, 3, 4
), kept_sums AS (
    SELECT h.* FROM executions_hourly h, kept WHERE bucket_start >= since
        AND (runs, timed_runs, duration_seconds, items_total, items_failed) <> (0, 0, 0, 0, 0)
)
(SELECT 'raw' AS only_in, raw.* FROM raw EXCEPT SELECT 'raw', kept_sums.* FROM kept_sums)
UNION ALL
(SELECT 'sums', kept_sums.* FROM kept_sums EXCEPT SELECT 'sums', raw.* FROM raw)

-- name: execution_durations_hourly
WITH kept AS (
    SELECT coalesce(max(oldest_kept_at), '-infinity') AS since
    FROM retention_marks WHERE table_name = 'executions'
), raw AS (
    SELECT date_bin('1 hour', created_at, timestamptz '2000-01-01 00:00:00+00') AS bucket_start,
        source, workflow_id, status, duration_bucket(duration_seconds), count(*) AS runs
    FROM executions, kept WHERE created_at >= since AND duration_seconds IS NOT NULL
    GROUP BY 1, 2, 3, 4, 5
), kept_sums AS (
    SELECT h.* FROM execution_durations_hourly h, kept WHERE bucket_start >= since AND runs <> 0
)
(SELECT 'raw' AS only_in, raw.* FROM raw EXCEPT SELECT 'raw', kept_sums.* FROM kept_sums)
UNION ALL
(SELECT 'sums', kept_sums.* FROM kept_sums EXCEPT SELECT 'sums', raw.* FROM raw)

-- name: llm_calls_hourly
WITH kept AS (
    SELECT coalesce(max(oldest_kept_at), '-infinity') AS since
    FROM retention_marks WHERE table_name = 'llm_calls'
), raw AS (
    SELECT date_bin('1 hour', started_at, timestamptz '2000-01-01 00:00:00+00') AS bucket_start,
        source, workflow_id, provider, model, status, customer, project, team,
        sum(coalesce(calls, 1)) AS calls,
        sum(coalesce(calls, 1) * tokens_estimated::int) AS estimated_calls,
        sum(coalesce(calls, 1) * (status = 'success' AND input_tokens IS NULL)::int)
            AS unmetered_calls,
        sum(coalesce(calls, 1) * (status = 'success' AND cost_usd IS NULL)::int) AS unpriced_calls,
        coalesce(sum(input_tokens), 0) AS input_tokens,
        coalesce(sum(cached_input_tokens), 0) AS cached_input_tokens,
        coalesce(sum(cache_write_tokens), 0) AS cache_write_tokens,
        coalesce(sum(output_tokens), 0) AS output_tokens,
        coalesce(sum(reasoning_tokens), 0) AS reasoning_tokens,
        coalesce(sum(cost_usd), 0) AS cost_usd,
        sum(coalesce(calls, 1) * (latency_seconds IS NOT NULL)::int) AS timed_calls,
        sum(coalesce(calls, 1) * round(coalesce(latency_seconds, 0)::numeric, 6))
            AS latency_seconds,
        coalesce(sum(cost_usd) FILTER (WHERE cost_source = 'reported'), 0) AS reported_cost_usd
    FROM llm_calls, kept WHERE started_at >= since
    GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9
), kept_sums AS (
    SELECT h.* FROM llm_calls_hourly h, kept WHERE bucket_start >= since
        AND (calls, cost_usd, input_tokens, output_tokens) <> (0, 0, 0, 0)
)
(SELECT 'raw' AS only_in, raw.* FROM raw EXCEPT SELECT 'raw', kept_sums.* FROM kept_sums)
UNION ALL
(SELECT 'sums', kept_sums.* FROM kept_sums EXCEPT SELECT 'sums', raw.* FROM raw)

-- name: llm_latencies_hourly
WITH kept AS (
    SELECT coalesce(max(oldest_kept_at), '-infinity') AS since
    FROM retention_marks WHERE table_name = 'llm_calls'
), raw AS (
    SELECT date_bin('1 hour', started_at, timestamptz '2000-01-01 00:00:00+00') AS bucket_start,
        source, workflow_id, provider, model, duration_bucket(latency_seconds), count(*) AS calls
    FROM llm_calls, kept
    WHERE started_at >= since AND latency_seconds IS NOT NULL AND calls IS DISTINCT FROM 0
    GROUP BY 1, 2, 3, 4, 5, 6
), kept_sums AS (
    SELECT h.* FROM llm_latencies_hourly h, kept WHERE bucket_start >= since AND calls <> 0
)
(SELECT 'raw' AS only_in, raw.* FROM raw EXCEPT SELECT 'raw', kept_sums.* FROM kept_sums)
UNION ALL
(SELECT 'sums', kept_sums.* FROM kept_sums EXCEPT SELECT 'sums', raw.* FROM raw)

-- name: signals_hourly
WITH kept AS (
    SELECT coalesce(max(oldest_kept_at), '-infinity') AS since
    FROM retention_marks WHERE table_name IN ('llm_calls', 'steps')
), raw AS (
    SELECT date_bin('1 hour', d.bucket_at, timestamptz '2000-01-01 00:00:00+00') AS bucket_start,
        d.source, d.workflow_id, d.provider, d.model, signal, count(*) AS events
    FROM (
        SELECT started_at AS bucket_at, source, workflow_id, provider, model, signals
        FROM llm_calls WHERE signals <> '{}'
        UNION ALL
        SELECT s.created_at, s.source, e.workflow_id, '', '', s.signals
        FROM steps s JOIN executions e USING (source, execution_id, created_at)
        WHERE s.signals <> '{}'
    ) d
    CROSS JOIN kept
    CROSS JOIN LATERAL unnest(d.signals) signal
    WHERE d.bucket_at >= since
    GROUP BY 1, 2, 3, 4, 5, 6
), kept_sums AS (
    SELECT h.* FROM signals_hourly h, kept WHERE bucket_start >= since AND events <> 0
)
(SELECT 'raw' AS only_in, raw.* FROM raw EXCEPT SELECT 'raw', kept_sums.* FROM kept_sums)
UNION ALL
(SELECT 'sums', kept_sums.* FROM kept_sums EXCEPT SELECT 'sums', raw.* FROM raw)

-- name: outcomes_hourly
WITH kept AS (
    SELECT coalesce(max(oldest_kept_at), '-infinity') AS since
    FROM retention_marks WHERE table_name = 'outcomes'
), raw AS (
    SELECT date_bin('1 hour', at, timestamptz '2000-01-01 00:00:00+00') AS bucket_start,
        source, workflow, name, unit, customer, project, team, count(*) AS outcomes,
        sum(value) AS value
    FROM outcomes, kept WHERE at >= since
    GROUP BY 1, 2, 3, 4, 5, 6, 7, 8
), kept_sums AS (
    SELECT h.* FROM outcomes_hourly h, kept WHERE bucket_start >= since AND outcomes <> 0
)
(SELECT 'raw' AS only_in, raw.* FROM raw EXCEPT SELECT 'raw', kept_sums.* FROM kept_sums)
UNION ALL
(SELECT 'sums', kept_sums.* FROM kept_sums EXCEPT SELECT 'sums', raw.* FROM raw)

-- name: cost_daily
WITH raw AS (
    SELECT date_bin('1 day', bucket_start, timestamptz '2000-01-01 00:00:00+00') AS bucket_start,
        source, provider, 'estimated' AS cost_kind, model, project_id, api_key_id, user_id,
        coalesce(sum(requests), 0) AS requests, coalesce(sum(input_tokens), 0) AS input_tokens,
        coalesce(sum(cached_input_tokens), 0) AS cached_input_tokens,
        coalesce(sum(cache_write_tokens), 0) AS cache_write_tokens,
        coalesce(sum(output_tokens), 0) AS output_tokens,
        count(*) AS buckets, count(*) FILTER (WHERE cost_usd IS NULL) AS unpriced_buckets,
        coalesce(sum(coalesce(input_tokens, 0) + coalesce(output_tokens, 0))
            FILTER (WHERE cost_usd IS NULL), 0) AS unpriced_tokens,
        coalesce(sum(cost_usd), 0) AS cost_usd,
        coalesce(sum(cost_without_cache_usd), 0) AS cost_without_cache_usd
    FROM usage_buckets WHERE NOT is_breakdown
    GROUP BY 1, 2, 3, 4, 5, 6, 7, 8
    UNION ALL
    SELECT date_bin('1 day', bucket_start, timestamptz '2000-01-01 00:00:00+00'),
        source, provider, 'billed', model, project_id, api_key_id, user_id, 0, 0, 0, 0, 0,
        count(*), count(*) FILTER (WHERE cost_usd IS NULL), 0, coalesce(sum(cost_usd), 0), 0
    FROM cost_buckets WHERE NOT is_breakdown
    GROUP BY 1, 2, 3, 4, 5, 6, 7, 8
)
(SELECT 'raw' AS only_in, raw.* FROM raw EXCEPT ALL SELECT 'raw', d.* FROM cost_daily d)
UNION ALL
(SELECT 'sums', d.* FROM cost_daily d EXCEPT ALL SELECT 'sums', raw.* FROM raw)
