-- n8n, PostgreSQL and SQLite alike. What stands in braces is filled in: names, columns, dialect.

-- name: clock
SELECT {clock} AS now

-- name: after_id
SELECT {columns}
FROM {execution_entity}
WHERE id > %(after)s
ORDER BY id
LIMIT %(limit)s

-- name: newest
SELECT max(id) AS id
FROM {execution_entity}

-- name: by_ids
SELECT {columns}
FROM {execution_entity}
WHERE id {in_ids}
ORDER BY id

-- name: stopped_since
-- Both terms are needed, or the partial index is not used.
SELECT id, status, "stoppedAt", "waitTill"
FROM {execution_entity}
WHERE "stoppedAt" >= %(since)s AND "deletedAt" IS NULL
    AND ("stoppedAt", id) > (%(since)s, %(since_id)s)
ORDER BY "stoppedAt", id
LIMIT %(limit)s

-- name: metadata_after
SELECT id, "executionId"
FROM {execution_metadata}
WHERE id > %(after)s
ORDER BY id
LIMIT %(limit)s

-- name: newest_metadata
SELECT max(id) AS id
FROM {execution_metadata}

-- name: metadata_by_ids
SELECT id, "executionId"
FROM {execution_metadata}
WHERE id {in_ids}

-- name: metadata_of
SELECT id, "executionId", key, value
FROM {execution_metadata}
WHERE "executionId" {in_ids}
ORDER BY id

-- name: data_sizes
-- The stored size is read, no payload is fetched.
SELECT "executionId", {data_bytes} AS bytes
FROM {execution_data}
WHERE "executionId" {in_ids}

-- name: data_of
SELECT "executionId", data, {workflow_data} AS "workflowData", {data_version}
FROM {execution_data}
WHERE "executionId" {in_ids}

-- name: workflows
SELECT {workflow_columns}
FROM {workflow_entity}

-- name: tags
SELECT wt."workflowId", t.name
FROM {workflows_tags} wt
JOIN {tag_entity} t ON t.id = wt."tagId"
ORDER BY t.name

-- name: projects
-- Team projects only: a personal project's name is its owner's name and e-mail address.
SELECT sw."workflowId", p.name
FROM {shared_workflow} sw
JOIN {project} p ON p.id = sw."projectId"
WHERE sw.role = 'workflow:owner' AND p.type = 'team'
