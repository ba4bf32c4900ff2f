-- Thresholds of budgets that were reached, and what was done because of them.

CREATE TABLE budget_events (
    event_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    budget text NOT NULL,
    scope text NOT NULL,                 -- total, provider, source, workflow, customer, project, team, model
    scope_value text NOT NULL,           -- of a budget of one execution: source/execution_id
    period text NOT NULL,                -- execution, day, month
    period_start timestamptz NOT NULL,
    period_end timestamptz,              -- NULL: of one execution
    threshold_percent numeric NOT NULL,
    limit_usd numeric NOT NULL,
    crossed_at timestamptz NOT NULL,     -- start of the call with which it was reached
    spent_usd numeric NOT NULL,          -- with that call
    source text,                         -- NULL with what follows: its raw rows are no longer kept
    workflow_id text,
    workflow text,
    execution_id text,
    created_at timestamptz,              -- of the execution
    call_id text,
    was_open boolean NOT NULL,           -- the run was not over when it was noticed
    noticed_at timestamptz NOT NULL
);
-- Two limits are two budgets: who raises one is told again.
CREATE UNIQUE INDEX budget_events_key
ON budget_events (budget, scope_value, period_start, threshold_percent, limit_usd);
CREATE INDEX budget_events_noticed_at ON budget_events (noticed_at DESC);

CREATE TABLE budget_actions (
    action_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    event_id bigint NOT NULL REFERENCES budget_events ON DELETE CASCADE,
    action text NOT NULL,                -- alert, webhook, pause, resume, deny
    target text NOT NULL,                -- of a pause: source/workflow_id; of a webhook: its address
    state text NOT NULL,                 -- pending, begun, done, failed, skipped, dry_run
    reason text NOT NULL,                -- why it is taken, with the numbers
    detail text,                         -- what came of it
    due_at timestamptz NOT NULL,
    attempts integer NOT NULL DEFAULT 0,
    begun_at timestamptz,
    ended_at timestamptz,
    remembered jsonb NOT NULL DEFAULT '{}', -- what a resume needs of its pause
    UNIQUE (event_id, action, target)
);
CREATE INDEX budget_actions_due ON budget_actions (due_at) WHERE state IN ('pending', 'begun');

-- What each budget stands at; as of the newest look, for dashboards.
CREATE TABLE budget_states (
    budget text NOT NULL,
    scope text NOT NULL,
    scope_value text NOT NULL,
    period text NOT NULL,
    period_start timestamptz NOT NULL,
    period_end timestamptz NOT NULL,
    zone text NOT NULL,
    limit_usd numeric NOT NULL,
    spent_usd numeric NOT NULL,
    unpriced_calls bigint NOT NULL,
    pace_usd_per_hour numeric,           -- NULL: too little is known
    projected_usd numeric,
    exhausted_at timestamptz,            -- when the limit is reached at this pace; NULL: not in this period
    is_dry_run boolean NOT NULL,
    as_of timestamptz NOT NULL,
    PRIMARY KEY (budget, scope_value, period_start)
);
