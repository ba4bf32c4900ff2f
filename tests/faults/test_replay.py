"""Reading again what was read: nothing changes, whatever made it happen."""

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import islice
from pathlib import Path
from threading import Barrier, Thread

import pytest

from exporter.errors import SinkError
from exporter.interfaces import Batch
from exporter.settings import RetentionSettings
from exporter.sinks.housekeeping import retain
from tests import databases
from tests.conftest import connect
from tests.sources.by_hand import (
    Exporter,
    assert_same,
    counters,
    differences,
    exporter,
    one,
    stored,
    wait_until,
)
from tests.sources.changing_n8n import ChangingN8n


@pytest.fixture
def clean_url(plain_server: str, migrated: Callable[[str], str]) -> Iterator[str]:
    """A second database of ours, for an exporter that nothing happens to."""
    with databases.new_database(plain_server, template=migrated(plain_server)) as url:
        yield url


def _forget_the_cursor(database_url: str) -> None:
    with connect(database_url) as connection:
        connection.execute("DELETE FROM cursors")


def test_reading_all_again_changes_no_row_and_no_counter(
    database_url: str, n8n_url: str, tmp_path: Path
) -> None:
    with exporter(tmp_path, database_url, {"url": n8n_url}) as app:
        app.poll_ok()
        before, counted_before = stored(database_url), counters(database_url)
        _forget_the_cursor(database_url)
        app.poll_ok()

    assert before == stored(database_url)
    assert counted_before == counters(database_url)
    assert {} == differences(database_url)


def test_reading_all_again_writes_no_row_anew(
    one_database_url: str, n8n_url: str, tmp_path: Path
) -> None:
    """The merge leaves equal rows alone: a replay makes no dead row."""
    places = "SELECT md5(string_agg(ctid::text, ',' ORDER BY ctid)) AS places FROM {}"
    tables = ("executions", "steps", "llm_calls", "llm_content", "executions_hourly", "workflows")
    with exporter(tmp_path, one_database_url, {"url": n8n_url}) as app:
        app.poll_ok()
        before = [one(one_database_url, places.format(table)) for table in tables]
        _forget_the_cursor(one_database_url)
        app.poll_ok()

    assert before == [one(one_database_url, places.format(table)) for table in tables]


def test_reading_all_again_counts_no_omission_again(
    one_database_url: str, n8n_url: str, tmp_path: Path
) -> None:
    with ChangingN8n(n8n_url) as n8n:
        n8n.set_data(100, "unreadable")
        n8n.change(101, storedAt="fs")
    with exporter(tmp_path, one_database_url, {"url": n8n_url}) as app:
        app.poll_ok()
        before = counters(one_database_url)
        _forget_the_cursor(one_database_url)
        app.poll_ok()

    assert before == counters(one_database_url)


def test_reading_all_again_after_retention_counts_nothing_again(
    one_database_url: str, n8n_url: str, tmp_path: Path
) -> None:
    """Its first minutes have left; the engine still has them, and the cursor is lost."""
    with exporter(tmp_path, one_database_url, {"url": n8n_url}) as app:
        app.poll_ok()
        with connect(one_database_url) as ours:
            newest = ours.execute("SELECT max(created_at) AS at FROM executions").fetchone()
            assert newest is not None
            ours.autocommit = False
            retain(
                ours,  # type: ignore[arg-type]
                RetentionSettings(executions=timedelta(hours=1), llm_content=timedelta(hours=1)),
                newest["at"] + timedelta(hours=1, minutes=10),  # type: ignore[operator]
            )
        before, counted_before = stored(one_database_url), counters(one_database_url)
        _forget_the_cursor(one_database_url)
        app.poll_ok()

    after = stored(one_database_url)
    for table in before:
        assert before[table] == after[table], table
    assert len(before["executions"]) < 573
    # What is refused because it has left is said, as an omission.
    assert counted_before == {
        name: value for name, value in counters(one_database_url).items() if '"expired"' not in name
    }
    assert {} == differences(one_database_url)


def test_small_pages_give_what_one_page_gives(
    one_database_url: str, clean_url: str, n8n_url: str, tmp_path: Path
) -> None:
    with exporter(tmp_path, one_database_url, {"url": n8n_url, "page_rows": 3}) as app:
        app.poll_ok()
    with exporter(tmp_path, clean_url, {"url": n8n_url, "page_rows": 5000}) as app:
        app.poll_ok()

    assert_same(clean_url, one_database_url)


def test_a_restart_shows_the_counters_as_they_were(
    one_database_url: str, n8n_url: str, tmp_path: Path
) -> None:
    def shown(body: bytes) -> set[str]:
        own = ("aiwf_polls", "aiwf_poll_d", "aiwf_last_success", "aiwf_source_l", "aiwf_config")
        return {line for line in body.decode().splitlines() if not line.startswith(("#", *own))}

    with exporter(tmp_path, one_database_url, {"url": n8n_url}) as app:
        app.poll_ok()
        app.poll_ok()
        before = shown(app.app.exposition.serve(app.clock.now))
    with exporter(tmp_path, one_database_url, {"url": n8n_url}) as app:
        app.poll_ok()
        after = shown(app.app.exposition.serve(app.clock.now))

    assert before == after


def test_of_two_exporters_one_polls_and_the_other_stands_by(
    one_database_url: str, n8n_url: str, tmp_path: Path
) -> None:
    with (
        exporter(tmp_path, one_database_url, {"url": n8n_url}) as first,
        exporter(tmp_path, one_database_url, {"url": n8n_url}) as second,
    ):
        with first.app.sink.session("n8n"):
            assert "standby" == second.poll().outcome
            assert one(one_database_url, "SELECT count(*) AS n FROM executions") == {"n": 0}
        # The lease outlasts the poll: the counters of one exporter are all of them.
        assert "standby" == second.poll().outcome
        first.app.sink.release("n8n")
        assert "ok" == second.poll().outcome


def test_two_exporters_at_the_same_moment_count_everything_once(
    one_database_url: str, clean_url: str, n8n_url: str, tmp_path: Path
) -> None:
    outcomes: list[list[str]] = [[], []]
    with (
        exporter(tmp_path, one_database_url, {"url": n8n_url, "page_rows": 7}) as first,
        exporter(tmp_path, one_database_url, {"url": n8n_url, "page_rows": 5}) as second,
    ):
        together = Barrier(2)

        def poll_often(number: int) -> None:
            together.wait()
            for _ in range(5):
                outcomes[number].append((first, second)[number].poll().outcome)

        threads = [Thread(target=poll_often, args=(number,)) for number in (0, 1)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        wait_until(lambda: "ok" in (first.poll().outcome, second.poll().outcome))
    with exporter(tmp_path, clean_url, {"url": n8n_url}) as app:
        app.poll_ok()

    assert {"ok", "standby"} == {*outcomes[0], *outcomes[1]}
    assert_same(clean_url, one_database_url)


def _write_four_batches(first: Exporter, standing_by: Exporter) -> None:
    with first.app.sink.session("n8n") as session:
        assert session is not None
        position = session.position()
        batches = first.app.pollers[0].source.poll(position, first.clock.now)
        for batch in islice(batches, 4):
            position, _ = session.write(position, batch, first.app._bookkeeper, first.clock.now)
        assert "standby" == standing_by.poll().outcome


def test_the_standby_takes_over_where_the_other_stopped(
    one_database_url: str, clean_url: str, n8n_url: str, tmp_path: Path
) -> None:
    source = {"url": n8n_url, "page_rows": 50}
    with (
        exporter(tmp_path, one_database_url, source) as first,
        exporter(tmp_path, one_database_url, source) as second,
    ):
        _write_four_batches(first, second)
        first.app.sink.release("n8n")
        second.poll_ok()
    with exporter(tmp_path, clean_url, {"url": n8n_url}) as app:
        app.poll_ok()

    # The first one wrote calls without prices and signals: it was driven past the poller.
    for url in (clean_url, one_database_url):
        with connect(url) as connection:
            connection.execute(
                "UPDATE llm_calls SET cost_usd = NULL, cost_source = NULL, "
                "context_window_tokens = NULL, signals = '{}'"
            )
    for table in ("executions", "steps", "llm_calls", "llm_content", "executions_hourly"):
        assert stored(clean_url)[table] == stored(one_database_url)[table], table


def test_a_second_writer_makes_the_batch_fail_with_nothing_written(
    one_database_url: str, n8n_url: str, tmp_path: Path
) -> None:
    with exporter(tmp_path, one_database_url, {"url": n8n_url}) as app:
        app.poll_ok()
        with ChangingN8n(n8n_url) as n8n:
            n8n.add(601)
        before, counted_before = stored(one_database_url), counters(one_database_url)
        source = app.app.pollers[0].source
        with app.app.sink.session("n8n") as session:
            assert session is not None
            position = session.position()
            batches = source.poll(position, app.clock.now)
            batch = next(batch for batch in batches if batch.records)
            with connect(one_database_url) as other:
                other.execute("UPDATE cursors SET generation = generation + 1")
            with pytest.raises(SinkError, match="another writer moved the cursor of n8n"):
                session.write(position, batch, app.app._bookkeeper, app.clock.now)
            batches.close()

        assert before == stored(one_database_url)
        assert counted_before == counters(one_database_url)
        app.poll_ok()
    assert one(one_database_url, "SELECT count(*) AS n FROM executions") == {"n": 574}


def test_a_second_writer_at_the_very_first_batch_is_noticed_too(
    one_database_url: str, n8n_url: str, tmp_path: Path
) -> None:
    with (
        exporter(tmp_path, one_database_url, {"url": n8n_url}) as app,
        app.app.sink.session("n8n") as session,
    ):
        assert session is not None
        position = session.position()
        with connect(one_database_url) as other:
            other.execute(
                "INSERT INTO cursors VALUES ('n8n', %s, 1, false, NULL, now())", [json.dumps({})]
            )
        with pytest.raises(SinkError, match="another writer moved the cursor of n8n"):
            session.write(
                position, Batch(records=[], cursor={}), app.app._bookkeeper, app.clock.now
            )
