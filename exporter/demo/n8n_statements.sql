-- What the simulated n8n sends, statement by statement. Each begins with its name.

-- name: insert_project
INSERT INTO project (id, name, type) VALUES (%(id)s, %(name)s, %(type)s)

-- name: insert_tag
INSERT INTO tag_entity (id, name) VALUES (%(id)s, %(name)s)

-- name: insert_workflow
INSERT INTO workflow_entity
    (id, name, active, nodes, connections, settings, "versionId", "triggerCount")
VALUES
    (%(id)s, %(name)s, false, %(nodes)s, %(connections)s, %(settings)s, %(version_id)s,
     %(trigger_count)s)

-- name: insert_version
INSERT INTO workflow_history ("versionId", "workflowId", authors, nodes, connections)
VALUES (%(version_id)s, %(id)s, 'Demo Owner', %(nodes)s, %(connections)s)

-- name: publish_workflow
UPDATE workflow_entity
SET active = true, "versionId" = %(version_id)s::text, "activeVersionId" = %(version_id)s::text,
    nodes = %(nodes)s
WHERE id = %(id)s

-- name: date_workflow
UPDATE workflow_entity SET "createdAt" = %(created_at)s, "updatedAt" = %(revised_at)s
WHERE id = %(id)s

-- name: date_version
UPDATE workflow_history SET "createdAt" = %(at)s, "updatedAt" = %(at)s
WHERE "versionId" = %(version_id)s

-- name: share_workflow
INSERT INTO shared_workflow ("workflowId", "projectId", role)
VALUES (%(id)s, %(project_id)s, 'workflow:owner')

-- name: tag_workflow
INSERT INTO workflows_tags ("workflowId", "tagId") VALUES (%(id)s, %(tag_id)s)

-- name: copy_executions
COPY execution_entity
    (id, finished, mode, "retryOf", "retrySuccessId", "startedAt", "stoppedAt", "waitTill", status,
     "workflowId", "createdAt", "deduplicationKey", "jsonSizeBytes", "workflowVersionId")
FROM STDIN

-- name: copy_data
COPY execution_data ("executionId", "workflowData", data, "workflowVersionId") FROM STDIN

-- name: copy_metadata
COPY execution_metadata ("executionId", key, value) FROM STDIN

-- name: move_sequence
SELECT setval('execution_entity_id_seq', %(id)s)

-- name: insert_execution
INSERT INTO execution_entity
    (id, finished, mode, "retryOf", "startedAt", status, "workflowId", "createdAt",
     "deduplicationKey", "jsonSizeBytes", "workflowVersionId")
VALUES
    (%(id)s, false, %(mode)s, %(retry_of)s, %(started_at)s, 'running', %(workflow_id)s,
     %(created_at)s, %(deduplication_key)s, %(size)s, %(version_id)s)

-- name: insert_data
INSERT INTO execution_data ("executionId", "workflowData", data, "workflowVersionId")
VALUES (%(id)s, %(snapshot)s, %(data)s, %(version_id)s)

-- name: update_execution
UPDATE execution_entity
SET status = %(status)s, finished = %(finished)s, "stoppedAt" = %(stopped_at)s,
    "waitTill" = %(wait_till)s, "jsonSizeBytes" = COALESCE(%(size)s, "jsonSizeBytes")
WHERE id = %(id)s

-- name: update_data
UPDATE execution_data SET data = %(data)s WHERE "executionId" = %(id)s

-- name: upsert_metadata
INSERT INTO execution_metadata ("executionId", key, value)
VALUES (%(id)s, %(key)s, %(value)s)
ON CONFLICT ("executionId", key) DO UPDATE SET value = EXCLUDED.value

-- name: set_retry_success
UPDATE execution_entity SET "retrySuccessId" = %(retry_id)s WHERE id = %(id)s

-- name: count_outcome
INSERT INTO workflow_statistics (count, "latestEvent", name, "workflowId", "rootCount", "workflowName")
VALUES (%(count)s, %(at)s, %(name)s, %(id)s, %(root_count)s, %(workflow)s)
ON CONFLICT ("workflowId", name) DO UPDATE
SET count = workflow_statistics.count + EXCLUDED.count,
    "rootCount" = workflow_statistics."rootCount" + EXCLUDED."rootCount",
    "latestEvent" = EXCLUDED."latestEvent"

-- name: has_tables
SELECT to_regclass('execution_entity') IS NOT NULL

-- name: is_simulated
SELECT 1 FROM project WHERE name = 'Demo Owner <owner@example.com>'

-- name: crash_running
UPDATE execution_entity
SET status = 'crashed', "stoppedAt" = greatest("startedAt", %(now)s)
WHERE status IN ('new', 'running')

-- name: newest_execution
SELECT coalesce(max(id), 0) FROM execution_entity
