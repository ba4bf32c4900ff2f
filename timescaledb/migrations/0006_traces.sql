-- What is pushed to us: spans until their trace has settled, business outcomes, inputs and outputs
-- of steps; and what is remarkable of calls and steps, with its hourly sums.

-- Spans as they came. Not for dashboards: what they tell is in executions, steps and llm_calls.
CREATE TABLE spans (
    source text NOT NULL,
    trace_id text NOT NULL,
    span_id text NOT NULL,
    ended_at timestamptz NOT NULL,
    span bytea NOT NULL,               -- MessagePack of the record
    PRIMARY KEY (source, trace_id, span_id)
);

CREATE TABLE traces (
    source text NOT NULL,
    trace_id text NOT NULL,
    created_at timestamptz,            -- of the execution it is stored as; NULL: not looked at yet
    received_at timestamptz NOT NULL,  -- of its newest span
    spans bigint NOT NULL,             -- received, repeated ones included
    look_at timestamptz,               -- when to conclude from it again; NULL: its spans are gone
    PRIMARY KEY (source, trace_id)
);
CREATE INDEX traces_look_at ON traces (source, look_at) WHERE look_at IS NOT NULL;
CREATE INDEX traces_sealed ON traces (received_at) WHERE look_at IS NULL;

-- Bodies of spans that are still to be sent on.
CREATE TABLE forwardings (
    source text NOT NULL,
    target text NOT NULL,
    forwarding_id text NOT NULL,
    received_at timestamptz NOT NULL,
    content_type text NOT NULL,
    body bytea NOT NULL,
    PRIMARY KEY (source, target, forwarding_id)
);
CREATE INDEX forwardings_target ON forwardings (target, received_at);

-- What a step received and gave on; the execution's own under an empty step_id.
CREATE TABLE step_content (
    source text NOT NULL,
    execution_id text NOT NULL,
    created_at timestamptz NOT NULL,
    step_id text NOT NULL,
    input text,
    output text,
    PRIMARY KEY (source, execution_id, created_at, step_id)
);
CREATE INDEX step_content_created_at ON step_content (created_at DESC);

CREATE TABLE outcomes (
    source text NOT NULL,
    outcome_id text NOT NULL,
    at timestamptz NOT NULL,
    workflow text NOT NULL,
    name text NOT NULL,
    value numeric NOT NULL,
    unit text,
    execution_id text,
    customer text,
    project text,
    team text,
    attributes jsonb NOT NULL DEFAULT '{}',
    PRIMARY KEY (source, outcome_id, at)
);
CREATE INDEX outcomes_at ON outcomes (at DESC);
CREATE INDEX outcomes_execution ON outcomes (source, execution_id) WHERE execution_id IS NOT NULL;

CREATE TABLE outcomes_hourly (
    bucket_start timestamptz NOT NULL, -- hour of at, UTC
    source text NOT NULL,
    workflow text NOT NULL,
    name text NOT NULL,
    unit text,
    customer text,
    project text,
    team text,
    outcomes bigint NOT NULL,
    value numeric NOT NULL,            -- their sum
    UNIQUE NULLS NOT DISTINCT (bucket_start, source, workflow, name, unit, customer, project, team)
);

-- NULL: written before these were known.
ALTER TABLE steps ADD COLUMN signals text[];
ALTER TABLE llm_calls ADD COLUMN calls bigint;                 -- NULL: one; 0: a cost of the whole run
ALTER TABLE llm_calls ADD COLUMN context_window_tokens bigint;
ALTER TABLE llm_calls ADD COLUMN signals text[];

CREATE TABLE signals_hourly (
    bucket_start timestamptz NOT NULL, -- hour of the call, or of the execution that a step is of, UTC
    source text NOT NULL,
    workflow_id text NOT NULL,
    provider text NOT NULL,            -- empty: of a step, not of a call
    model text NOT NULL,
    signal text NOT NULL,
    events bigint NOT NULL,
    PRIMARY KEY (bucket_start, source, workflow_id, provider, model, signal)
);

CREATE INDEX executions_execution_id ON executions (execution_id);
CREATE INDEX executions_trace_id ON executions (trace_id) WHERE trace_id IS NOT NULL;
CREATE INDEX executions_retry_of ON executions (retry_of) WHERE retry_of IS NOT NULL;
CREATE INDEX executions_parent_execution_id ON executions (parent_execution_id)
WHERE parent_execution_id IS NOT NULL;
CREATE INDEX steps_signals ON steps (created_at DESC) WHERE signals <> '{}';
CREATE INDEX llm_calls_signals ON llm_calls (created_at DESC) WHERE signals <> '{}';
CREATE INDEX llm_calls_nearly_full ON llm_calls (started_at DESC)
WHERE input_tokens >= 0.8 * context_window_tokens;
