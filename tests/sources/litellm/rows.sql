INSERT INTO "LiteLLM_SpendLogs" (
    request_id, call_type, api_key, spend, total_tokens, prompt_tokens, completion_tokens,
    "startTime", "endTime", "completionStartTime", model, model_group, custom_llm_provider,
    metadata, cache_hit, request_tags, team_id, end_user, session_id, status, messages, response
) VALUES
(
    'chatcmpl-streamed', 'acompletion', 'key-hash-1', 0.0194397, 18940, 18495, 445,
    '2026-11-03 10:00:00.250', '2026-11-03 10:00:04.750', '2026-11-03 10:00:01',
    'anthropic/claude-sonnet-4-5', 'smart', 'anthropic',
    '{"status": "success", "user_api_key_alias": "care-backend", "user_api_key_team_alias": null,
      "spend_logs_metadata": {"Workflow": "support-triage", "note": "not asked for"},
      "usage_object": {"prompt_tokens_details": {"cached_tokens": 16399},
        "completion_tokens_details": {"reasoning_tokens": 45},
        "cache_read_input_tokens": 16399, "cache_creation_input_tokens": 2089},
      "cost_breakdown": {"total_cost": 0.0194397}}',
    'None', '["User-Agent: app/1.0", "customer:acme"]', 'team-1', 'user-7', 'session-1', 'success',
    '{"never": "read"}', '{"never": "read"}'
),
(
    'call-failed', 'acompletion', 'key-hash-1', 0, 0, 0, 0,
    '2026-11-03 10:00:00', '2026-11-03 10:00:00.500', '2026-11-03 10:00:00.500',
    'gpt-5-mini', 'smart', 'openai',
    '{"status": "failure", "error_information": {"error_code": "429",
      "error_class": "RateLimitError", "error_message": "You said: …"},
      "usage_object": null, "cost_breakdown": null, "additional_usage_values": {}}',
    'False', '[]', '', '', 'session-1', 'failure', '{}', '{}'
),
(
    'chatcmpl-streamed_cache_hit1762164100.5', 'acompletion', 'unknown-key', 0, 500, 400, 100,
    '2026-11-03 10:01:00', '2026-11-03 10:01:00.020', '2026-11-03 10:01:00.020',
    'gpt-5-mini', 'smart', 'openai', '{"status": "success", "usage_object": null}',
    'True', '[]', NULL, NULL, 'session-2', NULL, '{}', '{}'
),
(
    'chatcmpl-unpriced', 'acompletion', '', 0, 15, 12, 3,
    '2026-11-03 10:02:00', '2026-11-03 10:02:02', NULL,
    'support-router-7b', '', '', '{}', '', '[]', NULL, NULL, '', NULL, '{}', '{}'
),
(
    'chatcmpl-free', 'aembedding', '', 0, 15, 15, 0,
    '2026-11-03 10:03:00', '2026-11-03 10:03:02', '2026-11-03 10:03:02',
    'nomic-embed-text', '', 'ollama', '{"cost_breakdown": {"total_cost": 0.0}}', 'False', '[]',
    NULL, NULL, '', 'success', '{}', '{}'
),
(
    'file-hash', 'acreate_file', '', 0, 0, 0, 0,
    '2026-11-03 10:04:00', '2026-11-03 10:04:01', '2026-11-03 10:04:01',
    '', '', 'openai', '{}', 'False', '[]', NULL, NULL, '', 'success', '{}', '{}'
);
