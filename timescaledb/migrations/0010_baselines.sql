-- What is usual for each workflow, and what was far from it.

CREATE TABLE baselines (
    source text NOT NULL,
    workflow_id text NOT NULL,
    measure text NOT NULL,             -- cost_per_day, cost_per_run, duration_median, …
    as_of_day date NOT NULL,           -- the day that is compared with it
    zone text NOT NULL,                -- whose days they are
    baseline_value numeric NOT NULL,   -- USD, seconds, a share of 1, tokens
    basis text NOT NULL,               -- weekday: same weekday of four weeks | recent: the last days with runs
    sample_days integer NOT NULL,      -- days that it is the median of
    computed_at timestamptz NOT NULL,
    PRIMARY KEY (source, workflow_id, measure, as_of_day)
);
CREATE INDEX baselines_as_of_day ON baselines (as_of_day);

CREATE TABLE anomalies (
    source text NOT NULL,
    workflow_id text NOT NULL,
    measure text NOT NULL,             -- those of baselines; calls_per_run, retries_per_run, runs_per_hour
    day date NOT NULL,                 -- that it is of, or on which it was first seen
    execution_id text NOT NULL,        -- of one run; empty: of the workflow
    created_at timestamptz,            -- of the execution
    baseline_value numeric NOT NULL,   -- with observed_value: at its worst
    observed_value numeric NOT NULL,
    first_seen_at timestamptz NOT NULL,
    last_seen_at timestamptz NOT NULL,
    PRIMARY KEY (source, workflow_id, measure, day, execution_id)
);
CREATE INDEX anomalies_last_seen_at ON anomalies (last_seen_at DESC);
CREATE INDEX anomalies_first_seen_at ON anomalies (first_seen_at DESC);

-- Runs that try again and again are looked for each minute.
CREATE INDEX steps_tried_again ON steps (created_at DESC) WHERE attempt > 1;
