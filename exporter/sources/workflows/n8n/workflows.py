"""n8n's workflows as it knows them now: names, tags, projects."""

from collections import Counter

from exporter.records import Workflow
from exporter.sources.workflows.n8n.tables import N8nTables


def read_workflows(tables: N8nTables, source: str) -> dict[str, Workflow]:
    """Return every workflow by its id; no column with nodes or data is read."""
    tags: dict[str, tuple[str, ...]] = {}
    for row in tables.read("tags") if tables.has_tags else ():
        tags[row["workflowId"]] = (*tags.get(row["workflowId"], ()), row["name"])
    projects = {
        row["workflowId"]: row["name"]
        for row in (tables.read("projects") if tables.has_projects else ())
    }
    rows = tables.read("workflows")
    uses = Counter(row["name"] for row in rows)
    return {
        str(row["id"]): Workflow(
            source=source,
            workflow_id=str(row["id"]),
            # Two workflows may share a name; one series for both would hide the dead one.
            workflow=row["name"] if uses[row["name"]] == 1 else f"{row['name']} ({row['id']})",
            active=bool(row["active"]) and not row["isArchived"],
            version=row["activeVersionId"] or row["versionId"],
            project=projects.get(row["id"]),
            tags=tags.get(row["id"], ()),
        )
        for row in rows
    }
