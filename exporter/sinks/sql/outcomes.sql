-- Business results: telling changes, keeping the hourly sums exact.

-- name: changes
SELECT s.source, s.workflow, s.name AS outcome, t.outcome_id IS NULL AS is_new,
    s.value - coalesce(t.value, 0) AS value_added
FROM staged_outcomes s
LEFT JOIN outcomes t ON t.source = s.source AND t.outcome_id = s.outcome_id AND t.at = s.at

-- name: roll_up
INSERT INTO outcomes_hourly AS h
    (bucket_start, source, workflow, name, unit, customer, project, team, outcomes, value)
SELECT date_bin('1 hour', d.at, timestamptz '2000-01-01 00:00:00+00'),
    d.source, d.workflow, d.name, d.unit, d.customer, d.project, d.team,
    sum(d.sign), sum(d.sign * d.value)
FROM (
    SELECT 1 AS sign, s.* FROM staged_outcomes s
    UNION ALL
    SELECT -1, t.* FROM outcomes t
    JOIN staged_outcomes s ON t.source = s.source AND t.outcome_id = s.outcome_id AND t.at = s.at
) d
GROUP BY 1, 2, 3, 4, 5, 6, 7, 8
ORDER BY 1, 2, 3, 4, 5, 6, 7, 8
ON CONFLICT (bucket_start, source, workflow, name, unit, customer, project, team) DO UPDATE SET
    outcomes = h.outcomes + excluded.outcomes,
    value = h.value + excluded.value

-- name: at_of
SELECT outcome_id, max(at) AS at
FROM outcomes
WHERE source = %(source)s AND outcome_id = ANY(%(ids)s)
GROUP BY outcome_id
