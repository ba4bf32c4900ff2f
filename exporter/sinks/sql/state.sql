-- Cursors, counters, polls, leases.

-- name: try_lease
SELECT pg_try_advisory_lock(hashtextextended('ai-workflow-exporter ' || %(source)s, 0)) AS is_ours

-- name: end_lease
SELECT pg_advisory_unlock(hashtextextended('ai-workflow-exporter ' || %(source)s, 0))

-- name: position
SELECT cursor, generation, caught_up, newest_at FROM cursors WHERE source = %(source)s

-- name: move_cursor
-- No row comes back if another writer has moved it since it was read.
INSERT INTO cursors AS c (source, cursor, generation, caught_up, newest_at, updated_at)
VALUES (%(source)s, %(cursor)s, %(generation)s + 1, %(caught_up)s, %(newest_at)s, %(now)s)
ON CONFLICT (source) DO UPDATE SET
    cursor = excluded.cursor,
    generation = excluded.generation,
    caught_up = c.caught_up OR excluded.caught_up,
    newest_at = greatest(c.newest_at, excluded.newest_at),
    updated_at = excluded.updated_at
WHERE c.generation = %(generation)s
RETURNING generation, caught_up, newest_at

-- name: add_to_counters
-- In one order for every writer: two that meet in a series wait, and never for each other.
INSERT INTO counters AS c (metric, labels, value)
SELECT metric, labels, amount
FROM jsonb_to_recordset(%(moved)s) m (metric text, labels jsonb, amount float8)
ORDER BY metric, labels
ON CONFLICT (metric, labels) DO UPDATE SET value = c.value + excluded.value
WHERE excluded.value <> 0

-- name: raise_counters
INSERT INTO counters AS c (metric, labels, value)
SELECT metric, labels, amount
FROM jsonb_to_recordset(%(moved)s) m (metric text, labels jsonb, amount float8)
ORDER BY metric, labels
ON CONFLICT (metric, labels) DO UPDATE SET value = excluded.value
WHERE excluded.value > c.value

-- name: counters
SELECT metric, labels, value FROM counters

-- name: counters_of_source
SELECT metric, labels, value FROM counters WHERE labels ->> 'source' = %(source)s

-- name: sources
SELECT source, caught_up, newest_at, updated_at FROM cursors

-- name: record_poll
INSERT INTO polls (source, started_at, outcome, detail, records, duration_seconds)
VALUES (%(source)s, %(started_at)s, %(outcome)s, %(detail)s, %(records)s, %(duration_seconds)s)
ON CONFLICT DO NOTHING
