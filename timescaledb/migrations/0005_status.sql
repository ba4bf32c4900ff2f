-- What providers say of themselves: status pages, levels over time, incidents.

CREATE TABLE status_pages (
    source text NOT NULL,
    page text NOT NULL,
    title text NOT NULL,
    url text NOT NULL,
    kind text NOT NULL,                -- the format that it is read by
    providers text[] NOT NULL,         -- whose page it is, as llm_calls.provider
    alert text NOT NULL,               -- always | used | never
    is_selective boolean NOT NULL,     -- its components were chosen: each of them is watched
    moved_to text,                     -- another host that answers in its place
    read_at timestamptz NOT NULL,
    believed_until timestamptz NOT NULL, -- what was read last is too old to be the present from then on
    PRIMARY KEY (source, page)
);

-- The present. Component '' is the page as a whole.
CREATE TABLE component_statuses (
    source text NOT NULL,
    page text NOT NULL,
    component text NOT NULL,
    level smallint,                    -- 0 operational, 1 maintenance, 2 degraded, 3 partial, 4 major outage
    raw text NOT NULL,                 -- the page's own word, or what is known of the unknown
    cause text,                        -- why the level is unknown
    since timestamptz NOT NULL,        -- of this level, or of this ignorance
    sampled_at timestamptz NOT NULL,   -- of its newest row in status_samples
    PRIMARY KEY (source, page, component)
);

-- The past: a row a change, and one a UTC day in which nothing changed.
CREATE TABLE status_samples (
    source text NOT NULL,
    page text NOT NULL,
    component text NOT NULL,
    observed_at timestamptz NOT NULL,
    level smallint,
    raw text NOT NULL,
    cause text,
    PRIMARY KEY (source, page, component, observed_at)
);
CREATE INDEX status_samples_observed_at ON status_samples (observed_at);

CREATE TABLE incidents (
    source text NOT NULL,
    page text NOT NULL,
    incident_id text NOT NULL,
    title text NOT NULL,
    phase text NOT NULL,               -- scheduled | open | resolved
    level smallint NOT NULL,           -- what it means while it is open
    impact text NOT NULL,              -- the page's own word for that
    status text NOT NULL,              -- the page's own word for the phase
    is_maintenance boolean NOT NULL,
    started_at timestamptz NOT NULL,
    published_at timestamptz,          -- when the page first told it
    updated_at timestamptz,
    resolved_at timestamptz,
    first_seen_at timestamptz NOT NULL,
    url text,
    components text[] NOT NULL,        -- all that it ever named
    PRIMARY KEY (source, page, incident_id)
);
CREATE INDEX incidents_started_at ON incidents (started_at);
CREATE INDEX incidents_open ON incidents (source, page) WHERE phase <> 'resolved';

CREATE TABLE incident_updates (
    source text NOT NULL,
    page text NOT NULL,
    incident_id text NOT NULL,
    update_id text NOT NULL,
    at timestamptz NOT NULL,
    status text NOT NULL,
    body text NOT NULL,
    PRIMARY KEY (source, page, incident_id, update_id)
);

-- Which calls failed when, by provider: is it us or them?
CREATE INDEX llm_calls_failed ON llm_calls (started_at, provider)
    WHERE status IN ('error', 'timeout', 'crashed');
