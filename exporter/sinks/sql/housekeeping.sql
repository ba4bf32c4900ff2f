-- Retention and compression. {table} and {column} are our own names.

-- name: license
SELECT
    (SELECT extversion FROM pg_extension WHERE extname = 'timescaledb') AS version,
    current_setting('timescaledb.license', true) AS license

-- name: move_mark
INSERT INTO retention_marks AS m (table_name, oldest_kept_at)
VALUES (%(table)s, %(before)s)
ON CONFLICT (table_name) DO UPDATE SET
    oldest_kept_at = greatest(m.oldest_kept_at, excluded.oldest_kept_at)

-- name: drop_chunks
SELECT drop_chunks(%(table)s::regclass, older_than => %(before)s::timestamptz)

-- name: delete_oldest_hour
-- By time and not by row address: compressed chunks have no addresses.
-- An open execution stays, however old: its end must find it, or the sums call it open for ever.
DELETE FROM {table} t
WHERE {column} < least(%(before)s, (
    SELECT min({column}) + interval '1 hour' FROM {table} t WHERE {may_go}
)) AND {may_go}

-- name: compress
SELECT compress_chunk(c, if_not_compressed => true)
FROM show_chunks(%(table)s::regclass, older_than => %(before)s::timestamptz) c
