"""n8n's default: a SQLite file that n8n writes while we read it."""

import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.sources.by_hand import Exporter, assert_same, differences, execution, exporter, one, runs
from tests.sources.n8n_as_sqlite import as_sqlite, write_sqlite

NEW = 601


@pytest.fixture
def path(n8n_url: str, tmp_path: Path) -> Path:
    """The recorded n8n as a SQLite file."""
    target = tmp_path / "database.sqlite"
    write_sqlite(n8n_url, target)
    return target


@pytest.fixture
def n8n(path: Path) -> Iterator[sqlite3.Connection]:
    """The connection of n8n itself."""
    connection = sqlite3.connect(path, isolation_level=None, timeout=0)
    yield connection
    connection.close()


@pytest.fixture
def app(one_database_url: str, path: Path, tmp_path: Path) -> Iterator[Exporter]:
    """An exporter of the file."""
    with exporter(tmp_path, one_database_url, {"sqlite": str(path)}) as polled:
        yield polled


def _begin(n8n: sqlite3.Connection, new_id: int, status: str = "running") -> None:
    columns = [row[1] for row in n8n.execute("PRAGMA table_info(execution_entity)")]
    changed = {
        "id": new_id,
        "status": status,
        "finished": 0,
        "stoppedAt": None,
        "createdAt": as_sqlite(datetime.now(UTC)),
        "startedAt": as_sqlite(datetime.now(UTC)),
    }
    n8n.execute("BEGIN")
    row = n8n.execute("SELECT * FROM execution_entity WHERE id = 100").fetchone()
    values = {**dict(zip(columns, row, strict=True)), **changed}
    places = ", ".join("?" * len(columns))
    n8n.execute(f"INSERT INTO execution_entity VALUES ({places})", [values[c] for c in columns])
    n8n.execute(
        'INSERT INTO execution_data SELECT ?, "workflowData", data, "workflowVersionId" '
        'FROM execution_data WHERE "executionId" = 100',
        [new_id],
    )
    n8n.execute("COMMIT")


def _end(n8n: sqlite3.Connection, execution_id: int) -> None:
    n8n.execute(
        "UPDATE execution_entity SET status = 'success', finished = 1, \"stoppedAt\" = ? "
        "WHERE id = ?",
        [as_sqlite(datetime.now(UTC)), execution_id],
    )


def test_sqlite_gives_the_tables_that_postgres_gives(
    app: Exporter, read_url: str, one_database_url: str
) -> None:
    app.poll_ok()

    assert_same(read_url, one_database_url)


def test_sqlite_gives_the_same_while_n8n_writes(
    app: Exporter, read_url: str, one_database_url: str, n8n: sqlite3.Connection
) -> None:
    """A write transaction of n8n stays open all the time, and is rolled back."""
    n8n.execute("BEGIN IMMEDIATE")
    n8n.execute("UPDATE execution_entity SET status = 'error'")
    app.poll_ok()
    n8n.execute("ROLLBACK")
    app.poll_ok()

    assert_same(read_url, one_database_url)


def test_n8n_can_write_and_truncate_its_log_between_our_statements(
    app: Exporter, one_database_url: str, n8n: sqlite3.Connection
) -> None:
    """A reader that kept a transaction open would make these fail or wait."""
    app.poll_ok()
    show = app.app.exposition.counted
    checkpoints: list[int] = []

    def write_and_show(*arguments: object, **named: object) -> None:
        n8n.execute("UPDATE workflow_entity SET active = active")
        checkpoints.append(n8n.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0])
        show(*arguments, **named)  # type: ignore[arg-type]

    app.app.exposition.counted = write_and_show  # type: ignore[method-assign]
    _begin(n8n, NEW)
    app.poll_ok()

    assert checkpoints
    assert {0} == set(checkpoints), "a checkpoint was kept busy"
    assert "running" == execution(one_database_url, NEW)["status"]


def test_executions_that_end_between_polls_end_once(
    app: Exporter, one_database_url: str, n8n: sqlite3.Connection
) -> None:
    app.poll_ok()
    before = runs(one_database_url)
    _begin(n8n, NEW)
    app.poll_ok()
    _end(n8n, NEW)
    app.poll_ok()
    app.poll_ok()

    assert {**before, "success": before["success"] + 1} == runs(one_database_url)
    assert {} == differences(one_database_url)


def test_an_execution_that_ends_otherwise_later_is_noticed_by_its_stop(
    app: Exporter, one_database_url: str, n8n: sqlite3.Connection
) -> None:
    app.poll_ok()
    _begin(n8n, NEW)
    n8n.execute(
        "UPDATE execution_entity SET status = 'crashed', \"stoppedAt\" = ? WHERE id = ?",
        [as_sqlite(datetime.now(UTC)), NEW],
    )
    app.poll_ok()
    assert "crashed" == execution(one_database_url, NEW)["status"]
    _end(n8n, NEW)
    app.poll_ok()

    assert "success" == execution(one_database_url, NEW)["status"]


def test_custom_data_that_comes_late_is_read(
    app: Exporter, one_database_url: str, n8n: sqlite3.Connection
) -> None:
    app.poll_ok()
    _begin(n8n, NEW)
    _end(n8n, NEW)
    app.poll_ok()
    n8n.execute(
        'INSERT INTO execution_metadata ("executionId", key, value) VALUES (?, ?, ?)',
        [NEW, "customer", "acme"],
    )
    app.poll_ok()

    assert "acme" == execution(one_database_url, NEW)["customer"]


def test_the_file_is_never_written(app: Exporter, path: Path, n8n: sqlite3.Connection) -> None:
    before = path.read_bytes(), n8n.execute("PRAGMA data_version").fetchone()
    app.poll_ok()
    app.poll_ok()

    assert before == (path.read_bytes(), n8n.execute("PRAGMA data_version").fetchone())


def test_a_file_that_is_locked_whole_is_asked_again_later(
    one_database_url: str, n8n_url: str, tmp_path: Path
) -> None:
    path = tmp_path / "database.sqlite"
    write_sqlite(n8n_url, path)
    with exporter(tmp_path, one_database_url, {"sqlite": str(path)}) as app:
        n8n = sqlite3.connect(path, isolation_level=None)
        n8n.execute("PRAGMA locking_mode = EXCLUSIVE")
        n8n.execute("BEGIN EXCLUSIVE")
        n8n.execute("UPDATE execution_entity SET finished = finished")
        result = app.poll()
        n8n.execute("COMMIT")
        n8n.close()
        assert "later" == result.outcome, result
        app.poll_ok()

    assert {"n": 573} == one(one_database_url, "SELECT count(*) AS n FROM executions")


def test_a_path_with_characters_of_urls_is_opened_as_it_stands(
    one_database_url: str, path: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "50% of #1?"
    folder.mkdir()
    moved = path.rename(folder / path.name)
    before = sorted(tmp_path.iterdir())
    with exporter(tmp_path, one_database_url, {"sqlite": str(moved)}) as app:
        result = app.poll()

    assert "ok" == result.outcome, result.detail
    assert [] == [file for file in set(tmp_path.iterdir()) - set(before) if file.suffix != ".yml"]


def test_a_path_without_a_file_is_refused_and_no_file_is_made(
    one_database_url: str, tmp_path: Path
) -> None:
    missing = tmp_path / "nowhere.sqlite"
    with exporter(tmp_path, one_database_url, {"sqlite": str(missing)}) as app:
        result = app.poll()

    assert ("refused", "url") == (result.outcome, result.reason)
    assert "is the path right" in str(result.detail)
    assert not missing.exists()


def test_a_file_that_is_no_database_is_refused(one_database_url: str, tmp_path: Path) -> None:
    text = tmp_path / "text.sqlite"
    text.write_text("this is no database, and long enough to be read as one " * 50)
    with exporter(tmp_path, one_database_url, {"sqlite": str(text)}) as app:
        result = app.poll()

    assert ("refused", "schema") == (result.outcome, result.reason)
    assert "not a database" in str(result.detail)
