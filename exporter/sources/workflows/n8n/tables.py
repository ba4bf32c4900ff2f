"""n8n's tables as this n8n has them: version, prefix and dialect are settled here."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from exporter.errors import SourceError
from exporter.sources.engine_database import EngineDatabase, Parameters, Row
from exporter.sql_files import named_statements

_REQUIRED = (
    "id",
    "finished",
    "mode",
    "retryOf",
    "status",
    "startedAt",
    "stoppedAt",
    "workflowId",
    "waitTill",
)
_OPTIONAL = (
    "createdAt", "deletedAt", "storedAt", "workflowVersionId", "tracingContext", "jsonSizeBytes",
)  # fmt: skip
_WORKFLOW_REQUIRED = ("id", "name", "active")
_WORKFLOW_OPTIONAL = ("versionId", "activeVersionId", "isArchived")
_NEEDED = ("execution_entity", "execution_data", "workflow_entity")
_TABLES = (
    "execution_entity", "execution_data", "execution_metadata", "workflow_entity",
    "workflows_tags", "tag_entity", "shared_workflow", "project",
)  # fmt: skip


class N8nTables:
    """The statements of n8n.sql, fitted to the columns that are there.

    Raises:
        SourceError: a table or column without which the numbers would be wrong is missing.
    """

    def __init__(self, database: EngineDatabase) -> None:
        self._database = database
        columns = {table: database.columns(table) for table in _TABLES}
        for table in _NEEDED:
            if not columns[table]:
                raise self._unreadable(table)
        names = {table: database.table(table) for table in _TABLES}
        data_version = (
            '"workflowVersionId"' if "workflowVersionId" in columns["execution_data"] else "NULL"
        )
        names |= {
            "columns": _select(
                "execution_entity", columns["execution_entity"], _REQUIRED, _OPTIONAL
            ),
            "workflow_columns": _select(
                "workflow_entity",
                columns["workflow_entity"],
                _WORKFLOW_REQUIRED,
                _WORKFLOW_OPTIONAL,
            ),
            "data_version": f'{data_version} AS "workflowVersionId"',
            "clock": database.clock,
            "in_ids": database.in_list("ids"),
            "data_bytes": database.byte_length("data"),
            "workflow_data": database.as_text('"workflowData"'),
        }
        for table, needed in (("execution_data", ("executionId", "workflowData", "data")),):
            _select(table, columns[table], needed, ())
        self.has_metadata = bool(columns["execution_metadata"])
        self.has_projects = "type" in columns["project"] and "role" in columns["shared_workflow"]
        self.has_tags = bool(columns["tag_entity"])
        self.has_soft_delete = "deletedAt" in columns["execution_entity"]
        self._statements = {
            name: _filled(text, names)
            for name, text in named_statements(__package__ or "", "n8n.sql").items()
        }

    def _unreadable(self, table: str) -> SourceError:
        """Say whether a table is not there, or only not ours to read."""
        name = self._database.table(table)
        try:
            self._database.query(f"SELECT 1 FROM {name} LIMIT 1")  # noqa: S608  # quoted by table()
        except SourceError as error:
            if error.reason == "permission":
                return error
        return SourceError(
            f"there is no table {name}: is it an n8n database, are schema and table_prefix right?",
            reason="schema",
        )

    def read(self, statement: str, parameters: Parameters | None = None) -> list[Row]:
        """Run a named statement."""
        return self._database.query(self._statements[statement], parameters)

    def now(self) -> datetime:
        """The monitored database's clock."""
        found = time_of(self.read("clock")[0]["now"])
        assert found is not None  # noqa: S101  # a clock always answers
        return found

    def by_ids(self, statement: str, ids: Sequence[int]) -> list[Row]:
        """Run a statement for some ids; none ask nothing."""
        return self.read(statement, {"ids": list(ids)}) if ids else []


def _select(
    table: str, present: frozenset[str], required: Sequence[str], optional: Sequence[str]
) -> str:
    missing = [name for name in required if name not in present]
    if missing:
        raise SourceError(
            f"{table} has no column {', '.join(missing)}: this n8n is not one we know, "
            "or our role may not read it",
            reason="schema",
        )
    return ", ".join(
        [f'"{name}"' for name in required]
        + [f'"{name}"' if name in present else f'NULL AS "{name}"' for name in optional]
    )


def _filled(text: str, names: dict[str, str]) -> str:
    for name, value in names.items():
        text = text.replace("{" + name + "}", value)
    return text


def time_of(value: Any) -> datetime | None:
    """Read a time of either dialect: SQLite keeps UTC text without a zone."""
    if value is None or isinstance(value, datetime):
        return value if value is None or value.tzinfo else value.replace(tzinfo=UTC)
    parsed = datetime.fromisoformat(str(value))
    return parsed.astimezone(UTC) if parsed.tzinfo else parsed.replace(tzinfo=UTC)
