-- LiteLLM's tables, as far as they are read, and what a simulated proxy writes into them.

-- name: create
CREATE TABLE "LiteLLM_SpendLogs" (
    request_id text PRIMARY KEY,
    call_type text NOT NULL,
    api_key text NOT NULL DEFAULT '',
    spend double precision NOT NULL DEFAULT 0,
    total_tokens integer NOT NULL DEFAULT 0,
    prompt_tokens integer NOT NULL DEFAULT 0,
    completion_tokens integer NOT NULL DEFAULT 0,
    "startTime" timestamp(3) NOT NULL,
    "endTime" timestamp(3) NOT NULL,
    request_duration_ms integer,
    "completionStartTime" timestamp(3),
    model text NOT NULL DEFAULT '',
    model_id text DEFAULT '',
    model_group text DEFAULT '',
    custom_llm_provider text DEFAULT '',
    api_base text DEFAULT '',
    "user" text DEFAULT '',
    metadata jsonb DEFAULT '{}',
    cache_hit text DEFAULT '',
    cache_key text DEFAULT '',
    request_tags jsonb DEFAULT '[]',
    team_id text,
    organization_id text,
    end_user text,
    requester_ip_address text,
    messages jsonb DEFAULT '{}',
    response jsonb DEFAULT '{}',
    session_id text,
    status text,
    mcp_namespaced_tool_name text,
    agent_id text,
    proxy_server_request jsonb DEFAULT '{}'
);
CREATE INDEX "LiteLLM_SpendLogs_startTime_idx" ON "LiteLLM_SpendLogs" ("startTime");
CREATE INDEX "LiteLLM_SpendLogs_startTime_request_id_idx"
    ON "LiteLLM_SpendLogs" ("startTime", request_id);
CREATE TABLE "LiteLLM_VerificationToken" (
    token text PRIMARY KEY,
    key_name text,
    key_alias text,
    spend double precision NOT NULL DEFAULT 0,
    team_id text
);
CREATE TABLE "LiteLLM_TeamTable" (
    team_id text PRIMARY KEY,
    team_alias text,
    spend double precision NOT NULL DEFAULT 0
);

-- name: create_old
CREATE TABLE "LiteLLM_SpendLogs" (
    request_id text PRIMARY KEY,
    call_type text NOT NULL,
    api_key text NOT NULL DEFAULT '',
    spend double precision NOT NULL DEFAULT 0,
    total_tokens integer NOT NULL DEFAULT 0,
    prompt_tokens integer NOT NULL DEFAULT 0,
    completion_tokens integer NOT NULL DEFAULT 0,
    "startTime" timestamp(3) NOT NULL,
    "endTime" timestamp(3) NOT NULL,
    model text NOT NULL DEFAULT '',
    "user" text NOT NULL DEFAULT '',
    metadata jsonb NOT NULL DEFAULT '{}',
    cache_hit text NOT NULL DEFAULT '',
    cache_key text NOT NULL DEFAULT ''
);
CREATE INDEX "LiteLLM_SpendLogs_startTime_idx" ON "LiteLLM_SpendLogs" ("startTime");
CREATE TABLE "LiteLLM_VerificationToken" (
    token text PRIMARY KEY,
    key_name text,
    key_alias text,
    spend double precision NOT NULL DEFAULT 0,
    team_id text
);
CREATE TABLE "LiteLLM_TeamTable" (
    team_id text PRIMARY KEY,
    team_alias text,
    spend double precision NOT NULL DEFAULT 0
);

-- name: add_key
INSERT INTO "LiteLLM_VerificationToken" (token, key_alias) VALUES (%(token)s, %(alias)s)

-- name: add_team
INSERT INTO "LiteLLM_TeamTable" (team_id, team_alias) VALUES (%(id)s, %(alias)s)

-- name: write
INSERT INTO "LiteLLM_SpendLogs" (
    request_id, call_type, api_key, spend, total_tokens, prompt_tokens, completion_tokens,
    "startTime", "endTime", "completionStartTime", model, model_group, custom_llm_provider,
    metadata, cache_hit, request_tags, team_id, end_user, session_id, status, messages
) VALUES (
    %(request_id)s, %(call_type)s, %(token)s, %(spend)s, %(total_tokens)s, %(prompt_tokens)s,
    %(completion_tokens)s, %(started_at)s, %(finished_at)s, %(first_token_at)s, %(model)s,
    %(model_group)s, %(provider)s, %(metadata)s, 'False', %(tags)s, %(team_id)s, %(end_user)s,
    %(session_id)s, %(status)s, '{"never": "read"}'
)
ON CONFLICT (request_id) DO UPDATE SET spend = excluded.spend, metadata = excluded.metadata

-- name: write_old
INSERT INTO "LiteLLM_SpendLogs" (
    request_id, call_type, api_key, spend, total_tokens, prompt_tokens, completion_tokens,
    "startTime", "endTime", model, metadata, cache_hit
) VALUES (
    %(request_id)s, %(call_type)s, %(token)s, %(spend)s, %(total_tokens)s, %(prompt_tokens)s,
    %(completion_tokens)s, %(started_at)s, %(finished_at)s, %(model)s, %(metadata)s, 'False'
)
ON CONFLICT (request_id) DO UPDATE SET spend = excluded.spend, metadata = excluded.metadata
