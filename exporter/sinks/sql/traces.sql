-- Spans until their trace has settled, where the reading of each trace stands, what is sent on.

-- name: create_spans
CREATE TEMP TABLE IF NOT EXISTS staged_spans (LIKE spans) ON COMMIT DELETE ROWS

-- name: merge_spans
-- Of two with one key, the one that ended later, whichever came first.
INSERT INTO spans AS t (source, trace_id, span_id, ended_at, span)
SELECT source, trace_id, span_id, ended_at, span FROM staged_spans
ORDER BY source, trace_id, span_id
ON CONFLICT (source, trace_id, span_id) DO UPDATE SET
    ended_at = excluded.ended_at, span = excluded.span
WHERE (excluded.ended_at, excluded.span) > (t.ended_at, t.span)

-- name: see_traces
-- A long trace is looked at less often: what is concluded is concluded from all of its spans.
INSERT INTO traces AS t (source, trace_id, received_at, spans, look_at)
SELECT source, trace_id, received_at, spans, look_at
FROM unnest(
    %(sources)s::text[], %(trace_ids)s::text[], %(received)s::timestamptz[], %(spans)s::bigint[],
    %(look)s::timestamptz[]
) seen (source, trace_id, received_at, spans, look_at)
ORDER BY source, trace_id
ON CONFLICT (source, trace_id) DO UPDATE SET
    received_at = greatest(t.received_at, excluded.received_at),
    spans = t.spans + excluded.spans,
    look_at = least(t.look_at, excluded.look_at + t.spans * interval '1 millisecond')

-- name: note_readings
UPDATE traces t
SET created_at = r.created_at, look_at = r.look_at
FROM unnest(
    %(sources)s::text[], %(trace_ids)s::text[], %(created)s::timestamptz[], %(look)s::timestamptz[]
) r (source, trace_id, created_at, look_at)
WHERE t.source = r.source AND t.trace_id = r.trace_id

-- name: forget_spans
DELETE FROM spans t
USING unnest(%(sources)s::text[], %(trace_ids)s::text[]) settled (source, trace_id)
WHERE t.source = settled.source AND t.trace_id = settled.trace_id

-- name: due_traces
SELECT t.trace_id, t.created_at, t.received_at, s.span
FROM (
    SELECT d.*, sum(d.spans) OVER (ORDER BY d.look_at, d.trace_id) AS spans_up_to
    FROM (
        SELECT trace_id, created_at, received_at, spans, look_at
        FROM traces
        WHERE source = %(source)s AND look_at <= %(now)s
        ORDER BY look_at, trace_id
        LIMIT %(most)s
    ) d
) t
CROSS JOIN LATERAL (
    SELECT span FROM spans WHERE source = %(source)s AND trace_id = t.trace_id
) s
WHERE t.spans_up_to <= %(most)s OR t.spans_up_to = t.spans
ORDER BY t.look_at, t.trace_id

-- name: closed_traces
SELECT trace_id FROM traces
WHERE source = %(source)s AND trace_id = ANY(%(trace_ids)s)
    AND (look_at IS NULL OR spans >= %(most)s)

-- name: add_forwarding
INSERT INTO forwardings (source, target, forwarding_id, received_at, content_type, body)
VALUES (%(source)s, %(target)s, %(forwarding_id)s, %(received_at)s, %(content_type)s, %(body)s)
ON CONFLICT DO NOTHING

-- name: forwardings
SELECT source, target, forwarding_id, received_at, content_type, body
FROM forwardings
WHERE target = %(target)s
ORDER BY received_at, forwarding_id
LIMIT %(most)s

-- name: forwarded
DELETE FROM forwardings t
USING unnest(%(sources)s::text[], %(targets)s::text[], %(ids)s::text[])
    done (source, target, forwarding_id)
WHERE t.source = done.source AND t.target = done.target AND t.forwarding_id = done.forwarding_id
