-- What providers say of usage and cost, what is left of credits, and what each source is.

CREATE TABLE sources (
    source text PRIMARY KEY,
    kind text NOT NULL,
    role text NOT NULL                -- workflows | gateway | provider: whose view of the calls it has
);

CREATE TABLE usage_buckets (
    source text NOT NULL,
    provider text NOT NULL,
    report text NOT NULL,
    bucket_start timestamptz NOT NULL,
    bucket_seconds integer NOT NULL,
    dimensions_hash text NOT NULL,    -- of all dimensions, unknown ones too
    model text,
    project_id text,
    api_key_id text,
    user_id text,
    service_tier text,
    dimensions jsonb NOT NULL,
    is_breakdown boolean NOT NULL,    -- counted by another report too: never summed
    requests bigint,
    input_tokens bigint,              -- total: cached and cache-written included
    cached_input_tokens bigint,
    cache_write_tokens bigint,
    output_tokens bigint,
    quantities jsonb NOT NULL,
    cost_usd numeric,                 -- our estimate; NULL: unknown
    cost_without_cache_usd numeric,
    PRIMARY KEY (source, report, bucket_start, dimensions_hash)
);
CREATE INDEX usage_buckets_bucket_start ON usage_buckets (bucket_start DESC);

CREATE TABLE cost_buckets (
    source text NOT NULL,
    provider text NOT NULL,
    report text NOT NULL,
    bucket_start timestamptz NOT NULL,
    bucket_seconds integer NOT NULL,
    dimensions_hash text NOT NULL,
    model text,
    project_id text,
    api_key_id text,
    user_id text,
    service_tier text,
    dimensions jsonb NOT NULL,
    is_breakdown boolean NOT NULL,
    line_item text,
    amount numeric NOT NULL,
    currency text NOT NULL,
    list_amount numeric,
    quantity numeric,
    quantity_unit text,
    cost_usd numeric,                 -- NULL: its currency has no rate of exchange here
    PRIMARY KEY (source, report, bucket_start, dimensions_hash)
);
CREATE INDEX cost_buckets_bucket_start ON cost_buckets (bucket_start DESC);

CREATE TABLE cost_daily (
    bucket_start timestamptz NOT NULL, -- UTC day
    source text NOT NULL,
    provider text NOT NULL,
    cost_kind text NOT NULL,           -- estimated (usage × list price) | billed
    model text,
    project_id text,
    api_key_id text,
    user_id text,
    requests bigint NOT NULL,
    input_tokens bigint NOT NULL,
    cached_input_tokens bigint NOT NULL,
    cache_write_tokens bigint NOT NULL,
    output_tokens bigint NOT NULL,
    buckets bigint NOT NULL,
    unpriced_buckets bigint NOT NULL,  -- whose cost is unknown
    unpriced_tokens bigint NOT NULL,
    cost_usd numeric NOT NULL,         -- of the others
    cost_without_cache_usd numeric NOT NULL
);
CREATE INDEX cost_daily_source ON cost_daily (source, bucket_start DESC);
CREATE INDEX cost_daily_bucket_start ON cost_daily (bucket_start DESC);

-- A row a stretch of time that was read without a gap.
CREATE TABLE report_coverage (
    source text NOT NULL,
    report text NOT NULL,
    amounts text NOT NULL,             -- usage | cost
    provider text NOT NULL,
    is_breakdown boolean NOT NULL,     -- another report counts it too: nothing waits for this one
    read_from timestamptz NOT NULL,
    read_until timestamptz NOT NULL,
    complete_until timestamptz NOT NULL, -- settled, as far as the provider tells
    PRIMARY KEY (source, report, amounts, read_from)
);

CREATE TABLE dimension_names (
    source text NOT NULL,
    dimension text NOT NULL,           -- project_id | api_key_id | user_id
    id text NOT NULL,
    name text NOT NULL,
    PRIMARY KEY (source, dimension, id)
);

CREATE TABLE balances (
    source text NOT NULL,
    provider text NOT NULL,
    balance text NOT NULL,
    unit text NOT NULL,
    observed_at timestamptz NOT NULL,  -- when it was first seen to be so
    remaining numeric,
    used numeric,
    limit_amount numeric,
    PRIMARY KEY (source, balance, unit, observed_at)
);

-- Of cost_usd, what the engine or gateway itself named; the rest is priced by us.
ALTER TABLE llm_calls_hourly ADD COLUMN reported_cost_usd numeric NOT NULL DEFAULT 0;
UPDATE llm_calls_hourly h SET reported_cost_usd = c.cost_usd
FROM (
    SELECT date_bin('1 hour', started_at, timestamptz '2000-01-01 00:00:00+00') AS bucket_start,
        source, workflow_id, provider, model, status, customer, project, team, sum(cost_usd) AS cost_usd
    FROM llm_calls WHERE cost_source = 'reported' AND cost_usd IS NOT NULL
    GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9
) c
WHERE h.bucket_start = c.bucket_start AND h.source = c.source AND h.workflow_id = c.workflow_id
    AND h.provider = c.provider AND h.model = c.model AND h.status = c.status
    AND h.customer IS NOT DISTINCT FROM c.customer AND h.project IS NOT DISTINCT FROM c.project
    AND h.team IS NOT DISTINCT FROM c.team;
