-- Staged rows → table: the same steps for every table. {table}, {stage}, {time_column} and
-- {same_key} are filled in by the sink; %(oldest)s and %(newest)s bound the chunks that are looked at.

-- name: lock
-- A poll and a backfill of one source may bring the same rows: sums are moved by one at a time.
SELECT pg_advisory_xact_lock(hashtextextended('ai-workflow-exporter rows of ' || %(source)s, 0))

-- name: describe
SELECT attname AS name, format_type(atttypid, NULL) AS type
FROM pg_attribute
WHERE attrelid = %(table)s::regclass AND attnum > 0 AND NOT attisdropped
ORDER BY attnum

-- name: create_stage
CREATE TEMP TABLE IF NOT EXISTS {stage} (LIKE {table}) ON COMMIT DELETE ROWS

-- name: drop_expired
-- What retention has deleted must not come back: it is in the hourly sums already.
DELETE FROM {stage} s
USING retention_marks m
WHERE m.table_name = '{table}' AND s.{mark_column} < m.oldest_kept_at
    AND NOT EXISTS (SELECT FROM {table} t WHERE {same_key}) -- kept, because it was still open

-- name: bounds
SELECT min({time_column}) AS oldest, max({time_column}) AS newest FROM {stage}

-- name: drop_unchanged
DELETE FROM {stage} s
USING {table} t
WHERE {same_key} AND t.{time_column} BETWEEN %(oldest)s AND %(newest)s
    AND ROW(t.*) IS NOT DISTINCT FROM ROW(s.*)

-- name: delete_stored
DELETE FROM {table} t
USING {stage} s
WHERE {same_key} AND t.{time_column} BETWEEN %(oldest)s AND %(newest)s

-- name: insert_staged
INSERT INTO {table} SELECT * FROM {stage}
