"""Executions that are told as a whole, again and again: what is no longer told goes."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from random import Random

import pytest

from exporter.records import (
    CallSignal,
    Execution,
    ExecutionStatus,
    LlmCall,
    Record,
    Step,
    StepSignal,
    WholeExecution,
)
from tests import databases
from tests.conftest import connect
from tests.sources.by_hand import counted, differences, stored
from tests.sources.made_up import BEGUN, call, execution, step, write

HOURS = timedelta(hours=1)


def whole(of: Execution, stored_at: datetime | None, *parts: Record) -> list[Record]:
    """Return all that is told of an execution."""
    return [
        WholeExecution(
            source=of.source,
            execution_id=of.execution_id,
            created_at=of.created_at,
            stored_created_at=stored_at,
        ),
        of,
        *parts,
    ]


def told(of: Execution, calls: Sequence[int], steps: Sequence[int]) -> list[LlmCall | Step]:
    """Return numbered calls and steps of an execution, some of them remarkable."""
    return [
        *(
            call(
                of,
                f"call {number}",
                started_at=BEGUN + number * HOURS,
                signals=(CallSignal.RETRY,) if number % 2 else (),
                prompt=f"prompt {number}" if number % 3 else None,
            )
            for number in calls
        ),
        *(
            step(
                of,
                f"step {number}",
                signals=(StepSignal.CIRCUIT_OPEN,) if number % 2 else (),
                input=f"input {number}" if number % 3 else None,
            )
            for number in steps
        ),
    ]


def rows(url: str, statement: str) -> list[dict[str, object]]:
    with connect(url) as connection:
        return connection.execute(statement).fetchall()


def test_what_is_no_longer_told_goes_with_its_sums_and_texts(database_url: str) -> None:
    run = execution(1)
    write(database_url, whole(run, None, *told(run, range(5), range(5))))

    write(database_url, whole(run, run.created_at, *told(run, [1, 4], [2])))

    assert [
        row["call_id"] for row in rows(database_url, "SELECT * FROM llm_calls ORDER BY 1, 4")
    ] == [
        "call 1",
        "call 4",
    ]
    assert [row["step_id"] for row in rows(database_url, "SELECT step_id FROM steps")] == ["step 2"]
    assert len(rows(database_url, "SELECT * FROM llm_content")) == 2
    assert len(rows(database_url, "SELECT * FROM step_content")) == 1
    assert differences(database_url) == {}


def test_an_execution_moves_to_another_time_with_all_that_belongs_to_it(database_url: str) -> None:
    early = execution(1, created_at=BEGUN - 3 * HOURS, started_at=BEGUN)
    late = execution(1, created_at=BEGUN, input="topic")
    write(database_url, whole(late, None, *told(late, range(4), range(4))))

    write(database_url, whole(early, late.created_at, *told(early, range(4), range(4))))

    for table in ("executions", "steps", "llm_calls", "llm_content"):
        found = rows(database_url, f"SELECT DISTINCT created_at FROM {table}")
        assert found == [{"created_at": early.created_at}], table
    assert differences(database_url) == {}
    assert counted(database_url, "aiwf_executions_total", status="success") == 1
    assert counted(database_url, "aiwf_llm_calls_total") == 4
    assert counted(database_url, "aiwf_signals_total", signal="retry") == 2


def test_an_execution_moves_between_chunks(database_url: str) -> None:
    here = execution(1, created_at=BEGUN)
    far = execution(1, created_at=BEGUN - timedelta(days=100))
    write(database_url, whole(here, None, *told(here, [1], [1])))

    write(database_url, whole(far, here.created_at, *told(far, [1], [1])))

    assert [row["created_at"] for row in rows(database_url, "SELECT created_at FROM steps")] == [
        far.created_at
    ]
    assert differences(database_url) == {}


def test_told_the_same_again_changes_nothing(database_url: str) -> None:
    run = execution(1, input="a topic")
    write(database_url, whole(run, None, *told(run, range(5), range(5))))
    before = stored(database_url)

    write(database_url, whole(run, run.created_at, *told(run, range(5), range(5))))

    assert stored(database_url) == before


def test_other_executions_are_left_alone(database_url: str) -> None:
    run, other = execution(1), execution(2)
    write(database_url, [*whole(run, None, *told(run, [1], [1])), other, *told(other, [1], [1])])

    write(database_url, whole(run, run.created_at))

    assert [row["execution_id"] for row in rows(database_url, "SELECT * FROM llm_calls")] == ["2"]
    assert [row["execution_id"] for row in rows(database_url, "SELECT * FROM steps")] == ["2"]


@pytest.mark.parametrize("seed", range(5))
def test_any_way_to_the_same_end_gives_the_same_tables(
    seed: int, one_database_url: str, plain_server: str, migrated: Callable[[str], str]
) -> None:
    chance = Random(seed)
    ends: list[Record] = []
    last: dict[int, datetime] = {}
    for number in range(6):
        for _ in range(chance.randrange(1, 5)):
            run = execution(
                number,
                created_at=BEGUN + timedelta(minutes=chance.randrange(300)),
                status=ExecutionStatus(chance.choice(("running", "success", "error"))),
            )
            parts = told(
                run,
                chance.sample(range(6), chance.randrange(5)),
                chance.sample(range(6), chance.randrange(5)),
            )
            batch = whole(run, last.get(number), *parts)
            write(one_database_url, batch)
            last[number] = run.created_at
        ends += [
            replace(record, stored_created_at=None)
            if isinstance(record, WholeExecution)
            else record
            for record in batch
        ]

    with databases.new_database(plain_server, template=migrated(plain_server)) as straight:
        write(straight, ends)
        by_ways, at_once = stored(one_database_url), stored(straight)

    for table, expected in at_once.items():
        if table != "workflows":  # remembers a success that was taken back
            assert by_ways[table] == expected, table
    assert differences(one_database_url) == {}


def test_what_an_execution_received_goes_when_it_is_told_no_more(database_url: str) -> None:
    run = execution(1, input="a topic", output="a post")
    write(database_url, whole(run, None))
    write(database_url, whole(run, run.created_at))
    assert len(rows(database_url, "SELECT * FROM step_content WHERE step_id = ''")) == 1

    write(database_url, whole(replace(run, input=None, output=None), run.created_at))

    assert rows(database_url, "SELECT * FROM step_content") == []
