-- Executions and their steps, as their engines tell them, and what of them outlives the raw rows.

CREATE TABLE workflows (
    source text NOT NULL,
    workflow_id text NOT NULL,
    workflow text NOT NULL,
    active boolean,                   -- NULL: known from its executions only
    version text,
    project text,
    tags text[] NOT NULL DEFAULT '{}',
    first_seen_at timestamptz NOT NULL DEFAULT now(),
    last_success_at timestamptz,      -- end of its newest success
    PRIMARY KEY (source, workflow_id)
);

CREATE TABLE executions (
    source text NOT NULL,
    execution_id text NOT NULL,
    created_at timestamptz NOT NULL,  -- immutable: the time key
    workflow_id text NOT NULL,
    workflow text NOT NULL,           -- its name when last read; the present one is in workflows
    status text NOT NULL,
    started_at timestamptz,
    finished_at timestamptz,          -- NULL: not ended, or unknown
    duration_seconds double precision,
    workflow_version text,
    trigger text,
    error_type text,
    error_message text,
    error_step text,
    retry_of text,
    parent_execution_id text,
    trace_id text,
    customer text,
    project text,
    team text,
    tags text[] NOT NULL DEFAULT '{}',
    attributes jsonb NOT NULL DEFAULT '{}',
    items_total bigint,
    items_failed bigint,
    engine_url text,                  -- where to look at it in its engine
    engine_state text,                -- the engine's mark of this state; another mark is read again
    unknown_steps_reason text,        -- why steps and calls are unknown; NULL: they are known
    PRIMARY KEY (source, execution_id, created_at)
);
CREATE INDEX executions_created_at ON executions (created_at DESC);
CREATE INDEX executions_workflow ON executions (source, workflow_id, created_at DESC);
CREATE INDEX executions_open ON executions (source)
WHERE status IN ('queued', 'running', 'waiting');
CREATE INDEX executions_failed ON executions (created_at DESC)
WHERE status IN ('error', 'timeout', 'crashed');
CREATE INDEX executions_failed_workflow ON executions (source, workflow_id, created_at DESC)
WHERE status IN ('error', 'timeout', 'crashed');

CREATE TABLE steps (
    source text NOT NULL,
    execution_id text NOT NULL,
    created_at timestamptz NOT NULL,  -- of the execution
    step_id text NOT NULL,
    parent_step_id text,
    name text NOT NULL,
    kind text NOT NULL,
    status text NOT NULL,
    started_at timestamptz,
    duration_seconds double precision,
    attempt integer NOT NULL,
    items_in bigint,
    items_out bigint,
    items_failed bigint,
    error_type text,
    error_message text,
    copied_from text,                 -- the execution that really ran it (a retry repeats rows)
    attributes jsonb NOT NULL DEFAULT '{}',
    PRIMARY KEY (source, execution_id, created_at, step_id)
);
CREATE INDEX steps_created_at ON steps (created_at DESC);

CREATE TABLE executions_hourly (
    bucket_start timestamptz NOT NULL, -- hour of created_at, UTC
    source text NOT NULL,
    workflow_id text NOT NULL,
    status text NOT NULL,
    runs bigint NOT NULL,
    timed_runs bigint NOT NULL,        -- runs whose duration is known
    duration_seconds numeric NOT NULL, -- their sum
    items_total bigint NOT NULL,
    items_failed bigint NOT NULL,
    PRIMARY KEY (bucket_start, source, workflow_id, status)
);
CREATE INDEX executions_hourly_workflow ON executions_hourly (source, workflow_id, bucket_start DESC);

CREATE TABLE execution_durations_hourly (
    bucket_start timestamptz NOT NULL,
    source text NOT NULL,
    workflow_id text NOT NULL,
    status text NOT NULL,
    duration_bucket smallint NOT NULL, -- see duration_bucket()
    runs bigint NOT NULL,
    PRIMARY KEY (bucket_start, source, workflow_id, status, duration_bucket)
);
