-- Calls of language models, their texts (kept apart, kept shorter), and their hourly sums.

CREATE TABLE llm_calls (
    source text NOT NULL,
    execution_id text NOT NULL,
    created_at timestamptz NOT NULL,  -- of the execution
    call_id text NOT NULL,
    step_id text,
    started_at timestamptz NOT NULL,
    workflow_id text NOT NULL,
    workflow text NOT NULL,
    provider text NOT NULL,
    model text NOT NULL,
    requested_model text,
    operation text NOT NULL,
    status text NOT NULL,
    error_type text,
    finish_reason text,
    latency_seconds double precision,
    time_to_first_token_seconds double precision,
    input_tokens bigint,              -- total: cached included; NULL: unknown
    cached_input_tokens bigint,
    cache_write_tokens bigint,
    output_tokens bigint,             -- total: reasoning included; NULL: unknown
    reasoning_tokens bigint,
    tokens_estimated boolean NOT NULL,
    cost_usd numeric,                 -- NULL: unknown, which is not 0
    cost_source text,                 -- reported | priced
    customer text,
    project text,
    team text,
    PRIMARY KEY (source, execution_id, created_at, call_id)
);
CREATE INDEX llm_calls_created_at ON llm_calls (created_at DESC);
CREATE INDEX llm_calls_started_at ON llm_calls (started_at DESC);

CREATE TABLE llm_content (
    source text NOT NULL,
    execution_id text NOT NULL,
    created_at timestamptz NOT NULL,
    call_id text NOT NULL,
    prompt text,
    response text,
    PRIMARY KEY (source, execution_id, created_at, call_id)
);
CREATE INDEX llm_content_created_at ON llm_content (created_at DESC);

CREATE TABLE llm_calls_hourly (
    bucket_start timestamptz NOT NULL, -- hour of started_at, UTC
    source text NOT NULL,
    workflow_id text NOT NULL,
    provider text NOT NULL,
    model text NOT NULL,
    status text NOT NULL,
    customer text,
    project text,
    team text,
    calls bigint NOT NULL,
    estimated_calls bigint NOT NULL,   -- whose tokens are an estimate
    unmetered_calls bigint NOT NULL,   -- that succeeded with tokens unknown
    unpriced_calls bigint NOT NULL,    -- that succeeded with cost unknown
    input_tokens bigint NOT NULL,
    cached_input_tokens bigint NOT NULL,
    cache_write_tokens bigint NOT NULL,
    output_tokens bigint NOT NULL,
    reasoning_tokens bigint NOT NULL,
    cost_usd numeric NOT NULL,
    timed_calls bigint NOT NULL,       -- calls whose latency is known
    latency_seconds numeric NOT NULL,  -- their sum
    UNIQUE NULLS NOT DISTINCT
    (bucket_start, source, workflow_id, provider, model, status, customer, project, team)
);

CREATE TABLE llm_latencies_hourly (
    bucket_start timestamptz NOT NULL,
    source text NOT NULL,
    workflow_id text NOT NULL,
    provider text NOT NULL,
    model text NOT NULL,
    latency_bucket smallint NOT NULL,  -- see duration_bucket()
    calls bigint NOT NULL,
    PRIMARY KEY (bucket_start, source, workflow_id, provider, model, latency_bucket)
);
