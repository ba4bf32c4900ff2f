"""A log of runs is read to the line, once, however it is rotated and whenever we are restarted."""

import json
import logging
import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exporter.errors import SourceError, TransientError
from exporter.interfaces import Position
from exporter.records import Execution, Outcome
from exporter.sources.workflows.jsonl import source as jsonl_source
from exporter.sources.workflows.jsonl.log_lines import LONGEST_LINE
from tests import databases
from tests.conftest import connect
from tests.sources.by_hand import Clock, differences, exporter, stored
from tests.sources.following import NOW, Follower, Program, line

RECORDED = Path(__file__).parent / "jsonl"


@pytest.fixture
def program(tmp_path: Path) -> Program:
    """A program whose log does not exist yet."""
    return Program(tmp_path / "app.log")


@pytest.fixture
def follower(program: Program) -> Follower:
    """A source that follows the program's log, by its plain path."""
    return Follower(str(program.path))


def numbered(first: int, last: int) -> list[bytes]:
    return [line(number) for number in range(first, last + 1)]


def ids(first: int, last: int) -> list[str]:
    return [str(number) for number in range(first, last + 1)]


# What lines say.


def test_each_line_is_a_run_and_is_read_once(program: Program, follower: Follower) -> None:
    program.write(*numbered(1, 3))
    first = follower.poll()
    program.write(*numbered(4, 4))
    second = follower.poll()

    assert ids(1, 4) == follower.ids
    assert ["4"] == [
        record.execution_id
        for batch in second
        for record in batch.records
        if isinstance(record, Execution)
    ]
    assert first[-1].caught_up
    assert {} == follower.omissions


def test_a_run_keeps_its_time_key_from_its_first_line_to_its_last(
    program: Program, follower: Follower
) -> None:
    program.write(line(1, "running"))
    follower.poll()
    program.write(line(1, "success", started_at="", finished_at="2026-06-01T11:00:09Z"))
    follower.poll()

    (run,) = follower.stored.rows.values()
    assert isinstance(run, Execution)
    assert (datetime(2026, 6, 1, 11, tzinfo=UTC), 9) == (run.created_at, run.duration_seconds)


def test_a_line_that_replaces_an_earlier_one_takes_its_steps_away(
    program: Program, follower: Follower
) -> None:
    program.write(line(1, steps=[{"name": "a"}, {"name": "b"}]))
    follower.poll()
    program.write(line(1, steps=[{"name": "a"}]))
    follower.poll()

    assert 2 == len(follower.stored.rows), "the run and its one step"


def test_an_outcome_may_stand_between_the_runs(program: Program, follower: Follower) -> None:
    told = {"workflow": "content", "outcome": "approved", "value": 2, "at": "2026-06-01T11:30:00Z"}
    program.write(line(1), json.dumps(told).encode() + b"\n")
    follower.poll()

    found = [row for row in follower.stored.rows.values() if isinstance(row, Outcome)]
    assert [("logs", Decimal(2))] == [(each.source, each.value) for each in found]


def test_other_lines_of_a_log_are_counted_apart(program: Program, follower: Follower) -> None:
    program.write(
        b"2026-06-01 11:00:00 INFO started\n",
        b'{"level": "info", "msg": "started"}\n',
        b'{"execution_id": "1", "msg": "a line of a run that does not say how it stands"}\n',
        b'["execution_id", "status"]\n',
        b"\n",
        b"{not JSON}\n",
        line(1),
    )
    follower.poll()

    assert ["1"] == follower.ids
    assert {"other_line": 5} == follower.omissions


def test_a_wrong_line_is_skipped_counted_and_logged_once_a_poll_with_its_place(
    program: Program, follower: Follower, caplog: pytest.LogCaptureFixture
) -> None:
    program.write(
        line(1),
        line(2, "strange"),
        line(3, started_at="", duration_ms=5),
        b'{"execution_id": "4", "status": "ok", \n',
        b'{"execution_id": "5", "status": "ok\xff"}\n',
        line(6, duration_ms=-1),
        line(7),
    )
    with caplog.at_level(logging.WARNING):
        follower.poll()
        follower.poll()

    assert ["1", "7"] == follower.ids
    assert {"unreadable_line": 4, "no_time": 1} == follower.omissions
    (record,) = caplog.records
    assert ("jsonl.unreadable", 5) == (record.message, vars(record)["lines"])
    detail = vars(record)["detail"]
    assert detail.startswith(f"{program.path} line 2: status: 'strange' is no status"), detail


def test_a_key_that_is_not_known_is_logged_once(
    program: Program, caplog: pytest.LogCaptureFixture
) -> None:
    program.write(*(line(number, costusd=1, duration_ms=1) for number in range(3)))
    with caplog.at_level(logging.INFO):
        Follower(str(program.path)).poll()

    (record,) = caplog.records
    assert (
        "line 1: unknown key 'costusd' was kept in attributes (did you mean 'cost_usd'?)"
        in (vars(record)["detail"])
    )


def test_a_line_longer_than_a_megabyte_is_skipped_and_counted(
    program: Program, follower: Follower
) -> None:
    longest = line(2, input="x" * (LONGEST_LINE - len(line(2, input="x"))))
    program.write(line(1), longest, line(3, input="x" * LONGEST_LINE), line(4))
    follower.poll()

    assert ["1", "2", "4"] == follower.ids
    assert {"too_long_line": 1} == follower.omissions


def test_a_line_of_a_hundred_megabytes_takes_neither_memory_nor_a_second_count(
    program: Program, follower: Follower, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jsonl_source, "MOST_BYTES", 3 * LONGEST_LINE)
    program.write(line(1), b"{" + b"x" * (20 * LONGEST_LINE))
    for _ in range(4):
        assert not follower.poll()[-1].caught_up
    program.write(b"}\n", line(2))
    while not follower.poll()[-1].caught_up:
        pass

    assert ["1", "2"] == follower.ids
    assert {"too_long_line": 1} == follower.omissions


def test_the_end_of_a_line_is_waited_for(program: Program, follower: Follower) -> None:
    written = line(1) + line(2)
    for end in range(len(written)):
        program.path.write_bytes(written[:end])
        follower.poll()
        assert len(follower.ids) == written[:end].count(b"\n")
    program.path.write_bytes(written)
    follower.poll()

    assert ids(1, 2) == follower.ids
    assert {} == follower.omissions


# Bounds.


def test_a_large_file_comes_in_batches_and_over_several_polls(
    program: Program, follower: Follower, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jsonl_source, "MOST_BYTES", 4 * LONGEST_LINE)
    program.write(*(line(number, input="x" * 10_000) for number in range(1000)))

    polls = 0
    while not follower.position.caught_up:
        for batch in follower.poll():
            assert len(batch.records) <= 1000
        polls += 1

    assert 1000 == len(follower.ids)
    assert polls > 1


def test_nothing_is_lost_or_doubled_when_it_ends_between_two_batches(program: Program) -> None:
    program.write(*numbered(1, 1700))
    follower = Follower(str(program.path))
    for _ in range(3):
        batches = follower.batches()
        next(batches)
        batches.close()
    follower.poll()

    assert ids(1, 1700) == follower.ids


# Rotation.


def test_the_rest_of_a_renamed_log_is_read_before_the_new_one(
    program: Program, follower: Follower
) -> None:
    program.write(*numbered(1, 2))
    follower.poll()
    program.write(line(3, "running"))
    program.rename("app.log.1")
    program.write(line(3, "success"), *numbered(4, 5))
    follower.poll()

    assert ids(1, 5) == follower.ids
    assert "success" == follower.runs["3"], "the old log was read first"


def test_a_program_may_go_on_writing_to_a_renamed_log(program: Program, follower: Follower) -> None:
    program.write(*numbered(1, 1))
    follower.poll()
    moved = program.rename("app.log.1")
    program.write(*numbered(2, 2))
    follower.poll()
    with moved.open("ab") as late:
        late.write(line(3))
    program.touch(moved)
    follower.poll()

    assert ids(1, 3) == follower.ids


def test_a_log_that_was_rotated_long_ago_is_forgotten(program: Program, follower: Follower) -> None:
    program.write(*numbered(1, 1))
    follower.poll()
    program.rename("app.log.1")
    program.write(*numbered(2, 2))
    follower.poll()
    assert 2 == files_known(follower)

    follower.now += timedelta(hours=3)
    follower.poll()
    follower.poll()

    assert 1 == files_known(follower)
    assert ids(1, 2) == follower.ids


def files_known(follower: Follower) -> int:
    files = follower.position.cursor["files"]
    assert isinstance(files, list)
    return len(files)


def test_the_rest_of_a_copied_and_truncated_log_is_read(
    program: Program, follower: Follower
) -> None:
    program.write(*numbered(1, 2))
    follower.poll()
    program.write(*numbered(3, 4))
    program.copy_and_truncate("app.log.1")
    program.write(*numbered(5, 6))
    follower.poll()

    assert ids(1, 6) == follower.ids
    assert ids(1, 6) == sorted(follower.ids)


def test_a_truncated_log_that_has_outgrown_its_former_size_is_known_as_new(
    program: Program, follower: Follower
) -> None:
    program.write(*numbered(1, 2))
    follower.poll()
    os.truncate(program.path, 0)
    program.write(*numbered(3, 9))
    follower.poll()

    assert ids(1, 9) == follower.ids


def test_a_truncated_log_of_exactly_its_former_size_is_known_as_new(
    program: Program, follower: Follower
) -> None:
    program.write(*numbered(1, 2))
    follower.poll()
    os.truncate(program.path, 0)
    program.write(*numbered(3, 4))
    follower.poll()

    assert ids(1, 4) == follower.ids


def test_a_hole_that_a_writer_without_append_leaves_is_passed_over(
    program: Program, follower: Follower
) -> None:
    with program.path.open("wb", buffering=0) as file:
        file.write(b"".join(numbered(1, 3)))
        follower.poll()
        os.truncate(program.path, 0)
        file.seek(5 * LONGEST_LINE)
        file.write(b"".join(numbered(4, 5)))
        follower.poll()
        file.write(b"".join(numbered(6, 6)))
        follower.poll()

    assert ids(1, 6) == follower.ids
    assert {} == follower.omissions


@pytest.mark.parametrize("order", ["copy first", "original first"])
def test_a_poll_between_copy_and_truncation_reads_nothing_twice(
    program: Program, tmp_path: Path, order: str
) -> None:
    follower = Follower(str(tmp_path / "app.log*"))
    program.write(*numbered(1, 2))
    follower.poll()
    program.write(line(3))
    copy = tmp_path / "app.log.1"
    copy.write_bytes(program.path.read_bytes())
    program.touch(copy if order == "original first" else program.path)
    told = [record for batch in follower.poll() for record in batch.records]
    os.truncate(program.path, 0)
    program.write(line(4))
    told += [record for batch in follower.poll() for record in batch.records]

    assert ["3", "4"] == [each.execution_id for each in told if isinstance(each, Execution)]


def test_rotated_logs_that_the_pattern_names_are_not_read_again(
    program: Program, tmp_path: Path
) -> None:
    follower = Follower(str(tmp_path / "app.log*"))
    program.write(*numbered(1, 2))
    follower.poll()
    program.rename("app.log.1")
    program.write(*numbered(3, 3))
    told = [record for batch in follower.poll() for record in batch.records]
    program.copy_and_truncate("app.log.0")
    program.write(*numbered(4, 4))
    told += [record for batch in follower.poll() for record in batch.records]

    assert ["3", "4"] == [each.execution_id for each in told if isinstance(each, Execution)]


def test_a_renamed_log_under_whose_inode_another_begins_is_still_found(
    program: Program, follower: Follower
) -> None:
    """What file systems do: an inode that is freed is given to the next file."""
    program.write(*numbered(1, 2))
    follower.poll()
    program.write(line(3))
    copy = program.path.with_name("app.log.1")
    copy.write_bytes(program.path.read_bytes())
    program.touch(copy)
    program.path.write_bytes(b"".join(numbered(4, 5)))
    program.touch(program.path)
    follower.poll()

    assert ids(1, 5) == follower.ids


def test_packed_logs_are_left_alone(program: Program, tmp_path: Path) -> None:
    follower = Follower(str(tmp_path / "app.log*"))
    program.write(*numbered(1, 1))
    (tmp_path / "app.log.2.gz").write_bytes(b"\x1f\x8b" + line(9))
    follower.poll()

    assert ["1"] == follower.ids


def test_files_that_appear_later_are_read_and_each_keeps_its_place(tmp_path: Path) -> None:
    follower = Follower(str(tmp_path / "**" / "*.jsonl"))
    one, two = Program(tmp_path / "one.jsonl"), Program(tmp_path / "deep" / "er" / "two.jsonl")
    one.write(line(1))
    follower.poll()
    two.path.parent.mkdir(parents=True)
    two.write(line(2))
    follower.poll()
    one.write(line(3))
    two.write(line(4))
    follower.poll()

    assert ids(1, 4) == follower.ids


def test_a_log_that_is_away_for_a_while_is_known_when_it_is_back(
    program: Program, follower: Follower, tmp_path: Path
) -> None:
    program.write(*numbered(1, 2))
    follower.poll()
    aside = tmp_path / "elsewhere"
    aside.mkdir()
    program.path.rename(aside / "app.log")
    follower.poll()
    (aside / "app.log").rename(program.path)
    program.write(line(3))
    told = [record for batch in follower.poll() for record in batch.records]

    assert ["3"] == [each.execution_id for each in told if isinstance(each, Execution)]


ACTIONS = st.lists(
    st.sampled_from(["write", "write", "poll", "rename", "copytruncate", "half", "kill"]),
    min_size=3,
    max_size=14,
)


@given(ACTIONS, st.sampled_from(["app.log", "app.log*"]))
@settings(
    deadline=None,
    max_examples=150,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_whatever_happens_to_a_log_every_run_is_told_once(
    tmp_path_factory: pytest.TempPathFactory, actions: list[str], name: str
) -> None:
    folder = tmp_path_factory.mktemp("logs")
    program, follower = Program(folder / "app.log"), Follower(str(folder / name))
    program.write(line(0))
    follower.poll()
    told: list[str] = []
    expected = ["0"]
    half = b""
    for number, action in enumerate(actions, 1):
        match action:
            case "write":
                program.write(half, line(number))
                half = b""
                expected.append(str(number))
            case "half" if not half:
                written = line(f"half-{number}")
                program.write(written[:20])
                half = written[20:]
                expected.append(f"half-{number}")
            case "poll":
                told += executions_of(follower.poll())
            case "kill":
                batches = follower.batches()
                told += executions_of([next(batches)])
                batches.close()
            case "rename" | "copytruncate" if not half:
                if name == "app.log":  # a log that came and went between two polls is not known
                    told += executions_of(follower.poll())
                if action == "rename":
                    program.rename(f"app.log.{number}")
                    program.write(b"")
                else:
                    program.copy_and_truncate(f"app.log.{number}")
    program.write(half)
    told += executions_of(follower.poll())
    told += executions_of(follower.poll())

    assert sorted(expected) == sorted(["0", *told])


def executions_of(batches: list[Any]) -> list[str]:
    return [
        record.execution_id
        for batch in batches
        for record in batch.records
        if isinstance(record, Execution)
    ]


# Restarts.


STORY = b"".join(
    [
        line("a", "running"),
        b"something else\n",
        line("b", steps=[{"name": "x"}, {"name": "y"}], outcomes={"approved": 1}),
        line("a", "success", started_at="", finished_at="2026-06-01T11:00:07Z", cost_usd=0.5),
        line("b", steps=[{"name": "x"}]),
        line("c", "strange"),
        line("c", "error", timestamp="2026-06-01T11:01:00Z", error="boom"),
        line("a", "running", started_at="2026-06-01T11:20:00Z"),
        line("a", "failed", started_at="", timestamp="2026-06-01T11:21:00Z"),
    ]
)


def test_a_restart_at_every_byte_gives_the_same_tables(tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    path.write_bytes(STORY)
    whole = Follower(str(path))
    whole.poll()
    assert 3 == len(whole.runs)
    path.unlink()

    for stop in range(len(STORY)):
        path.write_bytes(STORY[:stop])
        follower = Follower(str(path))
        follower.poll()
        with path.open("ab") as file:
            file.write(STORY[stop:])
        follower.poll()
        assert whole.stored.rows == follower.stored.rows, f"stopped at byte {stop}"
        assert whole.omissions == follower.omissions, f"stopped at byte {stop}"


# What nobody can read.


def test_a_log_that_does_not_exist_yet_is_waited_for(follower: Follower) -> None:
    with pytest.raises(TransientError, match=r"there is no file .*app\.log yet; .* is the path"):
        follower.poll()


def test_a_folder_is_refused_with_what_to_write(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"is a folder; .* for example .*/\*\.jsonl") as error:
        Follower(str(tmp_path)).poll()
    assert "path" == error.value.reason


def test_more_files_than_can_be_followed_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("exporter.sources.workflows.jsonl.log_files._MOST_FILES", 2)
    for number in range(3):
        (tmp_path / f"{number}.jsonl").write_bytes(line(number))

    with pytest.raises(SourceError, match="names 3 files, and at most 2 are followed"):
        Follower(str(tmp_path / "*.jsonl")).poll()


def test_a_name_may_hold_the_signs_of_a_pattern(tmp_path: Path) -> None:
    path = tmp_path / "app[1].log"
    path.write_bytes(line(1))
    follower = Follower(str(path))
    follower.poll()

    assert ["1"] == follower.ids


@pytest.fixture
def as_nobody() -> Iterator[None]:
    """What root may read, nobody may not."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    yield
    os.seteuid(user)


def test_a_log_that_may_not_be_read_is_named_and_the_others_are_read(
    tmp_path: Path, as_nobody: None
) -> None:
    user = os.geteuid()
    os.seteuid(os.getuid())
    for folder in (tmp_path, *tmp_path.parents[:3]):
        folder.chmod(0o755)
    secret, fine = tmp_path / "1.jsonl", tmp_path / "2.jsonl"
    secret.write_bytes(line(1))
    secret.chmod(0)
    fine.write_bytes(line(2))
    os.seteuid(user)
    follower = Follower(str(tmp_path / "*.jsonl"))

    with pytest.raises(SourceError, match=r"1\.jsonl cannot be read: .*; let the exporter's user"):
        follower.poll()

    assert ["2"] == follower.ids
    assert not follower.position.caught_up


def test_what_the_cursor_holds_is_not_needed_to_begin(program: Program) -> None:
    program.write(line(1))
    source = jsonl_source.JsonlSource(
        jsonl_source.JsonlSettings(name="logs", path=str(program.path))
    )

    (batch,) = source.poll(Position(cursor={"files": "damaged"}), NOW)

    assert ["1"] == executions_of([batch])


# The database.


def clock_at(now: datetime) -> Clock:
    clock = Clock()
    clock.now = now
    return clock


def test_our_tables_are_the_same_whether_a_log_is_read_at_once_or_line_by_line(
    tmp_path: Path, plain_server: str, migrated: Callable[[str], str]
) -> None:
    with (
        databases.new_database(plain_server, template=migrated(plain_server)) as once_url,
        databases.new_database(plain_server, template=migrated(plain_server)) as often_url,
    ):
        log = tmp_path / "app.log"
        source = {"name": "logs", "kind": "jsonl", "path": str(log)}
        log.write_bytes(STORY)
        with exporter(tmp_path, once_url, source, clock=clock_at(NOW)) as app:
            app.poll_ok()
        log.unlink()
        with exporter(tmp_path, often_url, source, clock=clock_at(NOW)) as app:
            for piece in STORY.splitlines(keepends=True):
                with log.open("ab") as file:
                    file.write(piece)
                app.poll_ok()

        one, other = stored(once_url), stored(often_url)
        assert 4 == len(one["executions"])
        assert one == other
        assert {} == differences(often_url)


def test_recorded_logs_of_two_libraries_give_what_their_programs_counted(
    tmp_path: Path, one_database_url: str
) -> None:
    source = {"name": "logs", "kind": "jsonl", "path": str(RECORDED / "*.jsonl")}
    with exporter(tmp_path, one_database_url, source, clock=clock_at(NOW)) as app:
        result = app.poll_ok()

    assert result.newest_at is not None
    key = json.loads((RECORDED / "key.json").read_text())
    with connect(one_database_url) as connection:
        runs: list[dict[str, Any]] = connection.execute(
            "SELECT workflow, status, count(*) AS runs, sum(duration_seconds)::float AS seconds "
            "FROM executions GROUP BY 1, 2 ORDER BY 1, 2"
        ).fetchall()
        cost = connection.execute("SELECT sum(cost_usd) AS usd FROM llm_calls").fetchone()
    assert key["runs"] == [
        {**run, "seconds": pytest.approx(run["seconds"], abs=1e-6)} for run in runs
    ]
    assert cost is not None
    assert Decimal(key["cost_usd"]) == cost["usd"]
