-- Readings of status pages: what changed is added to the past, the present is replaced.

-- name: stored_page
SELECT read_at, believed_until FROM status_pages WHERE source = %(source)s AND page = %(page)s

-- name: describe_page
INSERT INTO status_pages
    (source, page, title, url, kind, providers, alert, is_selective, moved_to, read_at,
    believed_until)
VALUES (%(source)s, %(page)s, %(title)s, %(url)s, %(kind)s, %(providers)s, %(alert)s,
    %(is_selective)s, %(moved_to)s, %(read_at)s, %(believed_until)s)
ON CONFLICT (source, page) DO UPDATE SET
    title = excluded.title, url = excluded.url, kind = excluded.kind,
    providers = excluded.providers, alert = excluded.alert,
    is_selective = excluded.is_selective, moved_to = excluded.moved_to,
    read_at = excluded.read_at, believed_until = excluded.believed_until

-- name: stored_statuses
SELECT component, level, raw, cause, since, sampled_at
FROM component_statuses WHERE source = %(source)s AND page = %(page)s

-- name: add_samples
INSERT INTO status_samples (source, page, component, observed_at, level, raw, cause)
SELECT %(source)s, %(page)s, m.component, m.observed_at, m.level, m.raw, m.cause
FROM jsonb_to_recordset(%(moved)s)
    m (component text, observed_at timestamptz, level smallint, raw text, cause text)
ON CONFLICT (source, page, component, observed_at) DO UPDATE SET
    level = excluded.level, raw = excluded.raw, cause = excluded.cause

-- name: replace_present
INSERT INTO component_statuses (source, page, component, level, raw, cause, since, sampled_at)
SELECT %(source)s, %(page)s, m.component, m.level, m.raw, m.cause, m.since, m.observed_at
FROM jsonb_to_recordset(%(moved)s) m (component text, observed_at timestamptz, level smallint,
    raw text, cause text, since timestamptz)
ON CONFLICT (source, page, component) DO UPDATE SET
    level = excluded.level, raw = excluded.raw, cause = excluded.cause,
    since = excluded.since, sampled_at = excluded.sampled_at

-- name: forget_components
DELETE FROM component_statuses
WHERE source = %(source)s AND page = %(page)s AND component = ANY(%(components)s)

-- name: merge_incidents
INSERT INTO incidents AS i (source, page, incident_id, title, phase, level, impact, status,
    is_maintenance, started_at, published_at, updated_at, resolved_at, first_seen_at, url, components)
SELECT %(source)s, %(page)s, m.incident_id, m.title, m.phase,
    -- A page may call a closed incident harmless; what it was while it was open counts.
    CASE m.phase WHEN 'resolved' THEN greatest(k.level, m.level) ELSE m.level END,
    m.impact, m.status, m.is_maintenance,
    -- What has not begun may be put off; what has began when the page first said so, or earlier.
    CASE k.phase WHEN 'scheduled' THEN m.started_at ELSE least(k.started_at, m.started_at) END,
    coalesce(k.published_at, m.published_at), m.updated_at,
    CASE m.phase WHEN 'resolved' THEN coalesce(m.resolved_at, k.resolved_at, %(observed_at)s) END,
    coalesce(k.first_seen_at, %(observed_at)s), coalesce(m.url, k.url),
    -- What it ever named it still concerns: pages take components away when they close one.
    ARRAY(SELECT DISTINCT c FROM unnest(k.components || m.components) c ORDER BY c)
FROM jsonb_to_recordset(%(incidents)s) m (incident_id text, title text, phase text,
    level smallint, impact text, status text, is_maintenance boolean, started_at timestamptz,
    published_at timestamptz, updated_at timestamptz, resolved_at timestamptz, url text,
    components text[])
LEFT JOIN incidents k ON k.source = %(source)s AND k.page = %(page)s
    AND k.incident_id = m.incident_id
ON CONFLICT (source, page, incident_id) DO UPDATE SET
    title = excluded.title, phase = excluded.phase, level = excluded.level,
    impact = excluded.impact, status = excluded.status, is_maintenance = excluded.is_maintenance,
    started_at = excluded.started_at, published_at = excluded.published_at,
    updated_at = excluded.updated_at, resolved_at = excluded.resolved_at, url = excluded.url,
    components = excluded.components
WHERE i.* IS DISTINCT FROM excluded.*

-- name: merge_updates
INSERT INTO incident_updates AS u (source, page, incident_id, update_id, at, status, body)
SELECT %(source)s, %(page)s, m.incident_id, m.update_id, m.at, m.status, m.body
FROM jsonb_to_recordset(%(updates)s)
    m (incident_id text, update_id text, at timestamptz, status text, body text)
ON CONFLICT (source, page, incident_id, update_id) DO UPDATE SET
    at = excluded.at, status = excluded.status, body = excluded.body
WHERE (u.at, u.status, u.body) IS DISTINCT FROM (excluded.at, excluded.status, excluded.body)

-- name: close_vanished
-- The page no longer lists it: it has ended, and when exactly may be told later.
UPDATE incidents SET phase = 'resolved', resolved_at = %(observed_at)s
WHERE source = %(source)s AND page = %(page)s AND phase <> 'resolved'
    AND incident_id <> ALL(%(listed)s)

-- name: pages
SELECT p.page, p.kind, p.providers, p.alert, s.component, s.level, s.cause,
    (SELECT count(*) FROM incidents i
        WHERE i.source = p.source AND i.page = p.page AND i.phase = 'open'
            AND NOT i.is_maintenance) AS open_incidents
FROM status_pages p
JOIN component_statuses s ON s.source = p.source AND s.page = p.page
    AND (s.component = '' OR p.is_selective)
WHERE p.source = %(source)s AND p.believed_until > %(now)s -- a page that was removed is silent
ORDER BY p.page, s.component
