-- Executions of which a batch holds all there is: moved to another time key, and what is stored of
-- them beyond the batch retracted. {table}, {id} and {columns} are filled in by the sink.

-- name: create_wholes
CREATE TEMP TABLE IF NOT EXISTS staged_wholes (
    source text, execution_id text, created_at timestamptz, stored_created_at timestamptz
) ON COMMIT DELETE ROWS

-- name: create_told
CREATE TEMP TABLE IF NOT EXISTS staged_told (
    kind text, source text, execution_id text, id text
) ON COMMIT DELETE ROWS

-- name: add_wholes
INSERT INTO staged_wholes
SELECT * FROM unnest(
    %(sources)s::text[], %(ids)s::text[], %(created)s::timestamptz[], %(stored)s::timestamptz[]
)

-- name: add_told
INSERT INTO staged_told
SELECT %(kind)s, * FROM unnest(%(sources)s::text[], %(executions)s::text[], %(ids)s::text[])

-- name: moved_executions
-- The hourly sums of executions that move to another hour.
SELECT place.sign, place.at AS created_at, t.source, t.workflow_id, t.status, t.duration_seconds,
    t.items_total, t.items_failed
FROM staged_wholes w
JOIN executions t ON t.source = w.source AND t.execution_id = w.execution_id
    AND t.created_at = w.stored_created_at
CROSS JOIN LATERAL (VALUES (1, w.created_at), (-1, w.stored_created_at)) place (sign, at)
WHERE w.created_at <> w.stored_created_at

-- name: moved_steps
SELECT place.sign, place.at AS bucket_at, t.source, e.workflow_id, '' AS provider, '' AS model,
    t.signals
FROM staged_wholes w
JOIN steps t ON t.source = w.source AND t.execution_id = w.execution_id
    AND t.created_at = w.stored_created_at
JOIN executions e ON e.source = w.source AND e.execution_id = w.execution_id
    AND e.created_at = w.stored_created_at
CROSS JOIN LATERAL (VALUES (1, w.created_at), (-1, w.stored_created_at)) place (sign, at)
WHERE w.created_at <> w.stored_created_at AND t.signals <> '{}'

-- name: move
-- A hypertable does not let a row change its time: it goes, and comes again.
WITH gone AS (
    DELETE FROM {table} t USING staged_wholes w
    WHERE t.source = w.source AND t.execution_id = w.execution_id
        AND t.created_at = w.stored_created_at AND w.created_at <> w.stored_created_at
    RETURNING t.*, w.created_at AS moved_to
)
INSERT INTO {table} ({columns}) SELECT {moved_columns} FROM gone

-- name: retracted_calls
SELECT -1 AS sign, t.*
FROM staged_wholes w
JOIN llm_calls t ON t.source = w.source AND t.execution_id = w.execution_id
    AND t.created_at = w.created_at
WHERE NOT EXISTS (
    SELECT FROM staged_told k WHERE k.kind = 'llm_calls' AND k.source = t.source
        AND k.execution_id = t.execution_id AND k.id = t.call_id
)

-- name: retracted_call_signals
SELECT -1 AS sign, t.started_at AS bucket_at, t.source, t.workflow_id, t.provider, t.model, t.signals
FROM ({retracted_calls}) t

-- name: retracted_step_signals
SELECT -1 AS sign, t.created_at AS bucket_at, t.source, e.workflow_id, '' AS provider, '' AS model,
    t.signals
FROM staged_wholes w
JOIN steps t ON t.source = w.source AND t.execution_id = w.execution_id
    AND t.created_at = w.created_at
JOIN executions e ON e.source = w.source AND e.execution_id = w.execution_id
    AND e.created_at = w.created_at
WHERE t.signals <> '{}' AND NOT EXISTS (
    SELECT FROM staged_told k WHERE k.kind = 'steps' AND k.source = t.source
        AND k.execution_id = t.execution_id AND k.id = t.step_id
)

-- name: retract
DELETE FROM {table} t USING staged_wholes w
WHERE t.source = w.source AND t.execution_id = w.execution_id AND t.created_at = w.created_at
    AND NOT EXISTS (
        SELECT FROM staged_told k WHERE k.kind = '{table}' AND k.source = t.source
            AND k.execution_id = t.execution_id AND k.id = t.{id}
    )

-- name: forget_workflows
-- A name that only an unfinished execution had: no workflow was ever called so.
DELETE FROM workflows w
WHERE w.source = ANY(%(sources)s) AND w.active IS NULL AND NOT EXISTS (
    SELECT FROM executions_hourly h
    WHERE h.source = w.source AND h.workflow_id = w.workflow_id AND h.runs > 0
)
