"""The recorded n8n, changed by SQL as n8n itself changes its rows."""

from datetime import datetime
from types import TracebackType
from typing import Any, Self

import psycopg
from psycopg.types.json import Jsonb

from tests.conftest import connect

SUCCEEDED = 100
"""An execution of the recording that ended in success and called a model."""
NEWEST = 576


class ChangingN8n:
    """Writes into a copy of the recorded n8n; each call is a transaction."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.connection: psycopg.Connection[Any] = connect(url)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.connection.close()

    def execute(self, statement: str, parameters: object = None) -> psycopg.Cursor[Any]:
        """Run any statement."""
        return self.connection.execute(statement.encode(), parameters)

    def now(self) -> datetime:
        """Its clock, to the millisecond, as its rows have it."""
        found = self.execute("SELECT now()::timestamptz(3) AS now").fetchone()
        return found["now"]  # type: ignore[no-any-return]

    def add(self, new_id: int, *, like: int = SUCCEEDED, **changes: object) -> int:
        """Insert an execution like another one, run data included, and return its id."""
        add_execution(self.connection, new_id, like=like, **changes)
        return new_id

    def change(self, execution_id: int, **changes: object) -> None:
        """Change columns of an execution."""
        columns = ", ".join(f'"{name}" = %({name})s' for name in changes)
        self.execute(
            f"UPDATE execution_entity SET {columns} WHERE id = %(id)s",
            {**changes, "id": execution_id},
        )

    def begin(self, new_id: int, *, like: int = SUCCEEDED, **changes: object) -> int:
        """Insert an execution that runs since now."""
        now = self.now().isoformat()
        begun = {"status": "running", "finished": False, "stoppedAt": None, "startedAt": now}
        return self.add(new_id, like=like, **{"createdAt": now, **begun, **changes})

    def end(self, execution_id: int, status: str = "success") -> None:
        """End it now."""
        self.change(
            execution_id,
            status=status,
            finished=status == "success",
            stoppedAt=self.now(),
            waitTill=None,
        )

    def delete(self, execution_id: int) -> None:
        """Remove it with all that hangs on it, as pruning does at its end."""
        self.execute("DELETE FROM execution_entity WHERE id = %s", [execution_id])

    def set_data(self, execution_id: int, data: str) -> None:
        """Replace its run data."""
        self.execute(
            'UPDATE execution_data SET data = %s WHERE "executionId" = %s', [data, execution_id]
        )

    def data(self, execution_id: int) -> str:
        """Its run data."""
        found = self.execute(
            'SELECT data FROM execution_data WHERE "executionId" = %s', [execution_id]
        ).fetchone()
        return found["data"]  # type: ignore[no-any-return]

    def add_metadata(self, execution_id: int, key: str, value: str) -> None:
        """Write a pair of custom execution data."""
        self.execute(
            'INSERT INTO execution_metadata ("executionId", key, value) VALUES (%s, %s, %s)',
            [execution_id, key, value],
        )


def add_execution(
    connection: psycopg.Connection[Any], new_id: int, *, like: int, **changes: object
) -> None:
    """Insert an execution like another one, in whatever transaction is open."""
    connection.execute(
        "INSERT INTO execution_entity SELECT (jsonb_populate_record(e, %s)).* "
        "FROM execution_entity e WHERE id = %s",
        [Jsonb({"id": new_id, **changes}), like],
    )
    connection.execute(
        "INSERT INTO execution_data SELECT (jsonb_populate_record(d, %s)).* "
        'FROM execution_data d WHERE "executionId" = %s',
        [Jsonb({"executionId": new_id}), like],
    )
