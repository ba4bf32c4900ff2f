-- What the exporter knows of itself: cursors, counters, polls, and how far back raw rows reach.

CREATE TABLE cursors (
    source text PRIMARY KEY,
    cursor jsonb NOT NULL,
    generation bigint NOT NULL,        -- rises with each batch; a second writer finds it moved
    caught_up boolean NOT NULL,        -- the first backlog has been read to its end
    newest_at timestamptz,             -- the source's own time of its newest record
    updated_at timestamptz NOT NULL
);

CREATE TABLE counters (
    metric text NOT NULL,
    labels jsonb NOT NULL,
    value double precision NOT NULL,
    PRIMARY KEY (metric, labels)
);

CREATE TABLE polls (
    source text NOT NULL,
    started_at timestamptz NOT NULL,
    outcome text NOT NULL,
    detail text,
    records bigint NOT NULL,
    duration_seconds double precision NOT NULL,
    PRIMARY KEY (source, started_at)
);
CREATE INDEX polls_started_at ON polls (started_at);

CREATE TABLE retention_marks (
    table_name text PRIMARY KEY,
    oldest_kept_at timestamptz NOT NULL -- rows created before are deleted, and refused if they come again
);
