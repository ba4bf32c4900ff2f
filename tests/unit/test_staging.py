"""What a record's texts and times become before they are copied into a table."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.records import Execution, ExecutionStatus, Step, StepKind
from exporter.sinks import staging
from tests.conftest import connect

NOW = datetime(2026, 1, 3, 12, tzinfo=UTC)
EXECUTION = Execution(
    source="n8n",
    execution_id="1",
    created_at=NOW,
    workflow_id="w",
    workflow="invoices",
    status=ExecutionStatus.SUCCESS,
)
STEP = Step(
    source="n8n",
    execution_id="1",
    created_at=NOW,
    step_id="a#0",
    name="a",
    kind=StepKind.CODE,
    status=ExecutionStatus.SUCCESS,
)
ANY_TEXT = st.text(st.characters(codec=None), max_size=12)  # halves of surrogate pairs as well


@given(text=ANY_TEXT)
def test_any_text_becomes_one_that_postgres_can_hold(text: str) -> None:
    kept = staging.storable(text)

    kept.encode()
    assert "\0" not in kept


@given(text=st.text(st.characters(exclude_characters="\0")))
def test_ordinary_text_is_stored_as_it_is(text: str) -> None:
    assert text == staging.storable(text)


@pytest.mark.parametrize(
    ("started", "finished", "expected"),
    [(0, 2.5, 2.5), (0, 0, 0), (5, 0, None), (None, 5, None), (0, None, None)],
)
def test_a_duration_is_known_where_both_ends_make_sense(
    started: float | None, finished: float | None, expected: float | None
) -> None:
    def at(seconds: float | None) -> datetime | None:
        return None if seconds is None else NOW + timedelta(seconds=seconds)

    ended = replace(EXECUTION, started_at=at(started), finished_at=at(finished))

    assert expected == ended.duration_seconds


def test_of_two_records_with_one_key_the_later_wins(one_database_url: str) -> None:
    with connect(one_database_url) as connection, connection.transaction():
        staging.stage(
            connection,
            staging.STEPS,
            [STEP, replace(STEP, name="later"), replace(STEP, step_id="b")],
        )
        rows = connection.execute("SELECT step_id, name FROM staged_steps ORDER BY 1").fetchall()

    assert [("a#0", "later"), ("b", "a")] == [(row["step_id"], row["name"]) for row in rows]


def test_hostile_texts_reach_the_table_whole(one_database_url: str) -> None:
    hostile = "a\0b\ud83d'; DROP TABLE steps; --\\N\t\n🦑"
    step = replace(
        STEP,
        created_at=datetime.now(UTC),
        name=hostile,
        error_message=hostile,
        attributes={hostile: [hostile, {"deep": hostile}], "n": 2**70, "x": 1.5, "none": None},
    )
    with connect(one_database_url) as connection, connection.transaction():
        staging.stage(connection, staging.STEPS, [step])
        (row,) = connection.execute("SELECT * FROM staged_steps").fetchall()

    kept = "ab?'; DROP TABLE steps; --\\N\t\n🦑"
    assert (kept, kept) == (row["name"], row["error_message"])
    assert {kept: [kept, {"deep": kept}], "n": 2**70, "x": 1.5, "none": None} == row["attributes"]


@pytest.mark.parametrize("seconds", [float("inf"), float("nan")])
def test_a_number_that_is_none_is_stored_as_unknown(one_database_url: str, seconds: float) -> None:
    odd = replace(STEP, duration_seconds=seconds, attributes={"x": seconds}, items_in=2**70)
    with connect(one_database_url) as connection, connection.transaction():
        staging.stage(connection, staging.STEPS, [replace(odd, created_at=datetime.now(UTC))])
        (row,) = connection.execute("SELECT * FROM staged_steps").fetchall()

    assert (None, {"x": None}, None) == (
        row["duration_seconds"],
        row["attributes"],
        row["items_in"],
    )


def test_nothing_to_stage_stages_nothing(one_database_url: str) -> None:
    with connect(one_database_url) as connection, connection.transaction():
        staging.stage(connection, staging.EXECUTIONS, [])

        assert [] == connection.execute("SELECT * FROM staged_executions").fetchall()
