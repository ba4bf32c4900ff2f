"""When a run was created, began and ended, from whatever of it is told; told again, the same."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.records import Execution, ExecutionStatus
from tests.pushed.telling import NOW, RUN, Stored, execution, one_execution

BEGAN, ENDED = "2026-06-01T11:00:00Z", "2026-06-01T11:00:10Z"
BEGAN_AT = datetime(2026, 6, 1, 11, tzinfo=UTC)
ENDED_AT = BEGAN_AT + timedelta(seconds=10)
CREATED, CREATED_AT = "2026-06-01T10:59:00Z", datetime(2026, 6, 1, 10, 59, tzinfo=UTC)
LATER = NOW + timedelta(hours=3)


@pytest.mark.parametrize(
    ("fields", "created_at", "started_at", "finished_at"),
    [
        ({"started_at": BEGAN, "finished_at": ENDED}, BEGAN_AT, BEGAN_AT, ENDED_AT),
        ({"started_at": BEGAN, "duration_ms": 10_000}, BEGAN_AT, BEGAN_AT, ENDED_AT),
        ({"finished_at": ENDED, "duration_seconds": 10}, BEGAN_AT, BEGAN_AT, ENDED_AT),
        ({"timestamp": ENDED, "duration_ms": 10_000}, BEGAN_AT, BEGAN_AT, ENDED_AT),
        ({"started_at": BEGAN, "timestamp": ENDED}, BEGAN_AT, BEGAN_AT, ENDED_AT),
        (
            {"created_at": CREATED, "started_at": BEGAN, "finished_at": ENDED},
            *(CREATED_AT, BEGAN_AT, ENDED_AT),
        ),
        ({"created_at": BEGAN, "finished_at": ENDED}, BEGAN_AT, BEGAN_AT, ENDED_AT),
        ({"created_at": BEGAN, "duration_ms": 10_000}, BEGAN_AT, BEGAN_AT, ENDED_AT),
        ({"finished_at": ENDED}, ENDED_AT, None, ENDED_AT),
        ({"timestamp": ENDED}, ENDED_AT, None, ENDED_AT),
        ({"started_at": BEGAN}, BEGAN_AT, None, BEGAN_AT),
        ({"duration_ms": 10_000}, NOW - timedelta(seconds=10), NOW - timedelta(seconds=10), NOW),
        ({}, NOW, None, NOW),
        ({"status": "running", "started_at": BEGAN}, BEGAN_AT, BEGAN_AT, None),
        ({"status": "running", "timestamp": BEGAN}, BEGAN_AT, BEGAN_AT, None),
        ({"status": "running"}, NOW, NOW, None),
        ({"status": "queued"}, NOW, None, None),
        (
            {"status": "waiting", "started_at": BEGAN, "finished_at": ENDED},
            *(BEGAN_AT, BEGAN_AT, None),
        ),
    ],
)
def test_times_follow_from_those_that_are_told(
    fields: dict[str, Any],
    created_at: datetime,
    started_at: datetime | None,
    finished_at: datetime | None,
) -> None:
    found = one_execution(execution(**fields))

    assert (created_at, started_at, finished_at) == (
        found.created_at,
        found.started_at,
        found.finished_at,
    )


@pytest.mark.parametrize(
    "written",
    [
        "2026-06-01T11:00:00Z",
        "2026-06-01 13:00:00+02:00",
        "2026-06-01T11:00:00.000000000Z",
        1780311600,
        1780311600.0,
        1780311600000,
        1780311600000000,
        1780311600000000000,
        "1780311600",
    ],
)
def test_a_time_is_written_in_iso_8601_or_as_unix_time_of_any_unit(written: object) -> None:
    assert BEGAN_AT == one_execution(execution(started_at=written, finished_at=ENDED)).created_at


def test_a_fraction_of_unix_time_is_kept_to_the_microsecond() -> None:
    found = one_execution(execution(started_at=1780311600.123457, duration_ms=0.001))

    assert BEGAN_AT + timedelta(microseconds=123457) == found.started_at
    assert 1e-06 == found.duration_seconds


def test_a_run_that_ends_keeps_the_time_key_under_which_it_was_told_first() -> None:
    stored = Stored()
    stored.push({**RUN, "status": "running", "started_at": BEGAN})
    stored.push({**RUN, "finished_at": ENDED, "duration_ms": 9_990}, now=LATER)

    (row,) = stored.rows.values()
    assert isinstance(row, Execution)
    assert (BEGAN_AT, ExecutionStatus.SUCCESS) == (row.created_at, row.status)
    assert 9.99 == row.duration_seconds


def test_the_end_of_a_run_that_was_told_while_it_ran_gives_its_duration() -> None:
    stored = Stored()
    stored.push({**RUN, "status": "running", "started_at": BEGAN})
    stored.push({**RUN, "finished_at": ENDED}, now=LATER)

    (row,) = stored.rows.values()
    assert isinstance(row, Execution)
    assert 10 == row.duration_seconds


TIMES = st.fixed_dictionaries(
    {"status": st.sampled_from(["queued", "running", "waiting", "success", "error", "timeout"])},
    optional={
        "created_at": st.sampled_from([CREATED, BEGAN, ENDED]),
        "started_at": st.sampled_from([CREATED, BEGAN, ENDED]),
        "finished_at": st.sampled_from([BEGAN, ENDED]),
        "timestamp": st.sampled_from([BEGAN, ENDED]),
        "duration_ms": st.sampled_from([0, 1, 10_000, 3_600_000]),
        "outcomes": st.just({"approved": 1}),
        "cost_usd": st.just(0.5),
    },
)


@given(TIMES, TIMES)
@settings(deadline=None)
def test_told_again_hours_later_nothing_changes(
    first: dict[str, object], then: dict[str, object]
) -> None:
    stored = Stored()
    stored.push({**RUN, **first})
    stored.push({**RUN, **then}, now=NOW + timedelta(minutes=1))
    before = dict(stored.rows)

    stored.push({**RUN, **then}, now=LATER)

    assert before == stored.rows


@given(TIMES, TIMES)
@settings(deadline=None)
def test_what_is_stored_in_one_transaction_is_what_is_stored_in_two(
    first: dict[str, object], then: dict[str, object]
) -> None:
    first = {**first, "steps": [{"name": "a"}, {"name": "b"}]}
    then = {**then, "steps": [{"name": "c"}]}
    together, apart = Stored(), Stored()
    together.push({**RUN, **first}, {**RUN, **then})
    apart.push({**RUN, **first})
    apart.push({**RUN, **then})

    assert apart.rows == together.rows
