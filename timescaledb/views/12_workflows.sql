-- Which workflows are there, under their present names?
CREATE VIEW v_workflows AS
SELECT source, workflow_id, workflow, active, version, project, tags FROM workflows;
