-- LiteLLM's spend logs. What stands in braces is filled in: names, and NULL for a column that this
-- LiteLLM does not have. Of metadata only single keys are fetched; prompts and answers never are.

-- name: calls
-- A row comparison, so that the index on ("startTime", request_id) leads from page to page.
SELECT s.request_id, s."startTime", s."endTime", s.model, s.spend,
    s.total_tokens, s.prompt_tokens, s.completion_tokens,
    {call_type} AS call_type,
    {completionStartTime} AS "completionStartTime",
    {model_group} AS model_group,
    {custom_llm_provider} AS custom_llm_provider,
    {cache_hit} AS cache_hit,
    nullif({end_user}, '') AS end_user,
    nullif({session_id}, '') AS session_id,
    coalesce({status}, {metadata} ->> 'status') AS status,
    coalesce(nullif({metadata} ->> 'user_api_key_project_alias', ''),
        nullif({metadata} ->> 'user_api_key_alias', ''), nullif({key_alias}, '')) AS project,
    coalesce(nullif({metadata} ->> 'user_api_key_team_alias', ''),
        nullif({team_alias}, '')) AS team,
    {metadata} #>> '{error_information,error_class}' AS error_class,
    ({metadata} #>> '{cost_breakdown,total_cost}') IS NOT NULL AS is_priced,
    coalesce({metadata} #> '{usage_object,prompt_tokens_details}',
        {metadata} #> '{additional_usage_values,prompt_tokens_details}') AS prompt_details,
    coalesce({metadata} #> '{usage_object,completion_tokens_details}',
        {metadata} #> '{additional_usage_values,completion_tokens_details}') AS completion_details,
    coalesce({metadata} #> '{usage_object,cache_read_input_tokens}',
        {metadata} #> '{additional_usage_values,cache_read_input_tokens}') AS cache_read,
    coalesce({metadata} #> '{usage_object,cache_creation_input_tokens}',
        {metadata} #> '{additional_usage_values,cache_creation_input_tokens}') AS cache_written,
    CASE WHEN jsonb_typeof({metadata} -> 'spend_logs_metadata') = 'object' THEN (
        SELECT jsonb_object_agg(said.key, said.value)
        FROM jsonb_each({metadata} -> 'spend_logs_metadata') said
        WHERE lower(said.key) = ANY(%(keys)s)
    ) END AS words,
    CASE WHEN jsonb_typeof({request_tags}) = 'array' THEN {request_tags} END AS tags
FROM {spend_logs} s
{joins}
WHERE s."startTime" < %(until)s AND (s."startTime", s.request_id) > (%(after)s, %(after_id)s)
ORDER BY s."startTime", s.request_id
LIMIT %(limit)s

-- name: join_keys
LEFT JOIN {keys} k ON k.token = s.api_key

-- name: join_teams
LEFT JOIN {teams} t ON t.team_id = s.team_id
