"""SIGKILL at any moment, and between any two statements: afterwards all is there, once."""

import json
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from time import monotonic

import pytest

from tests import databases
from tests.faults.polling_process import BATCH, poll_until_killed
from tests.sources.by_hand import assert_same, counters, differences, exporter, wait_until
from tests.sources.changing_n8n import ChangingN8n

PAGE_ROWS = 7  # 573 executions in 82 batches: kills fall into all of them
KILLS = 50
EXCHANGES = 130  # with databases, in the first two or three batches of a poll
START_SECONDS = 20
# A warm process to fork from: the interpreter and our imports are started once, not 50 times.
_PROCESSES = get_context("forkserver")
_PROCESSES.set_forkserver_preload(["tests.faults.polling_process"])


@pytest.fixture
def clean_url(plain_server: str, migrated: Callable[[str], str]) -> Iterator[str]:
    """A second database of ours, for the exporter that nobody kills."""
    with databases.new_database(plain_server, template=migrated(plain_server)) as url:
        yield url


@contextmanager
def _polling(
    config: Path, environ: dict[str, str], dies_at: int | None = None
) -> Iterator[Connection]:
    """Poll in a process; SIGKILL it at the end of the block, if it has not done so itself."""
    reports, theirs = _PROCESSES.Pipe(duplex=False)
    process = _PROCESSES.Process(
        target=poll_until_killed, args=(str(config), environ, theirs, dies_at)
    )
    process.start()
    theirs.close()
    try:
        yield reports
    finally:
        process.kill()
        process.join()
        assert process.exitcode == -9
        process.close()
        reports.close()


def _let_commit(reports: Connection, batches: int, seconds: float) -> int:
    """Wait for some batches and then for some time; return how many were committed."""
    committed = 0
    while committed < batches:
        assert reports.poll(START_SECONDS), "the process says nothing"
        if reports.recv_bytes() != BATCH:
            return committed
        committed += 1
    until = monotonic() + seconds
    while (left := until - monotonic()) > 0 and reports.poll(left):
        committed += reports.recv_bytes() == BATCH
    return committed


def _let_die(reports: Connection) -> int:
    """Wait until it has killed itself, or has nothing more to read; return what it committed."""
    committed = 0
    try:
        while True:
            assert reports.poll(START_SECONDS), "the process says nothing"
            if reports.recv_bytes() != BATCH:
                return committed
            committed += 1
    except EOFError:
        return committed


def _kill_often(folder: Path, database_url: str, n8n_url: str, seed: int) -> int:
    """Kill an exporter at random moments; return in how many lives it committed anything."""
    chance = random.Random(seed)  # no secret
    config = folder / "killed.yml"
    source = {"name": "n8n", "kind": "n8n", "url": {"env": "N8N"}, "page_rows": PAGE_ROWS}
    config.write_text(
        json.dumps({"database": {"url": {"env": "AIWF_DATABASE_URL"}}, "sources": [source]})
    )
    environ = {"AIWF_DATABASE_URL": database_url, "N8N": n8n_url}
    productive = 0
    for number in range(KILLS):
        if number % 2:
            with _polling(config, environ, chance.randint(1, EXCHANGES)) as reports:
                productive += _let_die(reports) > 0
            continue
        batches, seconds = chance.choice((0, 1, 1, 2)), chance.uniform(0, 0.03)
        if chance.random() < 0.2:  # these die before their first batch, some in their first words
            batches, seconds = 0, chance.uniform(0, 0.3)
        with _polling(config, environ) as reports:
            productive += _let_commit(reports, batches, seconds) > 0
    return productive


def _poll_to_the_end(folder: Path, database_url: str, n8n_url: str) -> None:
    with exporter(folder, database_url, {"url": n8n_url}) as surviving:
        # The lease of the last killed process ends when the server notices its death.
        wait_until(lambda: surviving.poll().outcome == "ok")


def test_fifty_kills_while_the_backlog_is_read_change_nothing(
    one_database_url: str, clean_url: str, n8n_url: str, tmp_path: Path
) -> None:
    productive = _kill_often(tmp_path, one_database_url, n8n_url, seed=1)
    _poll_to_the_end(tmp_path, one_database_url, n8n_url)
    _poll_to_the_end(tmp_path, clean_url, n8n_url)

    assert productive > KILLS / 2, "kills must fall into work, not into waiting"
    assert_same(clean_url, one_database_url)
    assert {} == differences(one_database_url)


def test_fifty_kills_while_open_executions_end_change_nothing(
    one_database_url: str, clean_url: str, n8n_url: str, tmp_path: Path
) -> None:
    with ChangingN8n(n8n_url) as n8n:
        n8n.execute("CREATE TABLE ended AS SELECT * FROM execution_entity WHERE id % 5 <> 0")
        n8n.execute(
            "UPDATE execution_entity SET status = 'running', finished = false, "
            '"stoppedAt" = NULL, "waitTill" = NULL WHERE id % 5 <> 0'
        )
        for url in (one_database_url, clean_url):
            _poll_to_the_end(tmp_path, url, n8n_url)
        n8n.execute(
            "UPDATE execution_entity e SET status = o.status, finished = o.finished, "
            '"stoppedAt" = o."stoppedAt", "waitTill" = o."waitTill" FROM ended o WHERE o.id = e.id'
        )

    productive = _kill_often(tmp_path, one_database_url, n8n_url, seed=2)
    _poll_to_the_end(tmp_path, one_database_url, n8n_url)
    _poll_to_the_end(tmp_path, clean_url, n8n_url)

    assert productive > KILLS / 2, "kills must fall into work, not into waiting"
    assert_same(clean_url, one_database_url)
    assert {} == differences(one_database_url)


def test_a_kill_between_two_batches_of_changed_rows_counts_omissions_once(
    one_database_url: str, clean_url: str, n8n_url: str, tmp_path: Path
) -> None:
    with ChangingN8n(n8n_url) as n8n:
        ids = [n8n.begin(number) for number in range(601, 621)]
        for url in (one_database_url, clean_url):
            _poll_to_the_end(tmp_path, url, n8n_url)
        for execution_id in ids:
            n8n.set_data(execution_id, "unreadable")
            n8n.end(execution_id)

    with (
        exporter(tmp_path, one_database_url, {"url": n8n_url, "page_rows": PAGE_ROWS}) as dying,
        dying.app.sink.session("n8n") as session,
    ):
        assert session is not None
        position = session.position()
        for batch in dying.app.pollers[0].source.poll(position, dying.clock.now):
            if batch.omissions:
                session.write(position, batch, dying.app._bookkeeper, dying.clock.now)
                break
    _poll_to_the_end(tmp_path, one_database_url, n8n_url)
    _poll_to_the_end(tmp_path, clean_url, n8n_url)

    assert counters(clean_url) == pytest.approx(counters(one_database_url), rel=1e-9)
