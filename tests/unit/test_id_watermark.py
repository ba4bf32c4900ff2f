"""Ids that commit out of order are all read, as long as they commit within PATIENCE."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from exporter.sources.id_watermark import MOST_MISSING, PATIENCE, IdWatermark

NOW = datetime(2026, 1, 3, tzinfo=UTC)
POLL = timedelta(minutes=1)


class Table:
    """Rows whose ids were handed out in order and whose transactions commit at their own time."""

    def __init__(self, commits: dict[int, int], first_id: int = 1) -> None:
        self.commits = {first_id + place: minute for place, minute in commits.items()}

    def visible(self, minute: int) -> list[int]:
        return sorted(row for row, commit in self.commits.items() if commit <= minute)


def poll(watermark: IdWatermark, visible: list[int], now: datetime, page: int) -> list[int]:
    """One poll as the n8n source does it: ask for what is missing, read on in pages."""
    wanted = set(watermark.missing)
    new = [row for row in visible if row > (watermark.last_id or 0)]
    for start in range(0, len(new), page):
        watermark.advance(new[start : start + page], now)
    late = [row for row in visible if row in wanted]
    watermark.arrived(late, now)
    return late + new


@given(
    # Each id's commit, in minutes after the id was handed out; ids come once a minute.
    delays=st.lists(st.integers(0, int(PATIENCE / POLL) - 1), min_size=1, max_size=40),
    rolled_back=st.sets(st.integers(0, 39)),
    page=st.integers(1, 7),
    restarts=st.sets(st.integers(0, 60)),
)
@example(delays=[1, 0], rolled_back=set(), page=5, restarts=set())
def test_every_id_that_commits_within_patience_is_read(
    delays: list[int], rolled_back: set[int], page: int, restarts: set[int]
) -> None:
    table = Table(
        {place: place + delay for place, delay in enumerate(delays) if place not in rolled_back}
    )
    watermark = IdWatermark()
    read: list[int] = []
    for minute in range(max(table.commits.values(), default=0) + 1):
        if minute in restarts:
            watermark = IdWatermark.restore(json.loads(json.dumps(watermark.state())))
        read += poll(watermark, table.visible(minute), NOW + minute * POLL, page)

    assert sorted(table.commits) == sorted(set(read))


@given(delays=st.lists(st.integers(0, 14), min_size=1, max_size=40), page=st.integers(1, 7))
def test_no_id_is_read_twice(delays: list[int], page: int) -> None:
    table = Table({place: place + delay for place, delay in enumerate(delays)})
    watermark = IdWatermark()
    read: list[int] = []
    for minute in range(len(delays) + 15):
        read += poll(watermark, table.visible(minute), NOW + minute * POLL, page)

    assert len(read) == len(set(read))


def test_an_id_below_the_first_one_seen_is_asked_for_too() -> None:
    """The first transactions of a fresh table may commit in any order as well."""
    watermark = IdWatermark()
    watermark.advance([2], NOW)

    assert {1} == set(watermark.missing)


def test_an_old_table_of_which_the_first_rows_are_pruned_asks_for_few_of_them() -> None:
    watermark = IdWatermark()
    watermark.advance([5_000_000], NOW)

    assert len(watermark.missing) <= MOST_MISSING


def test_a_gap_is_asked_for_until_patience_ends() -> None:
    watermark = IdWatermark(last_id=1)
    watermark.advance([3], NOW)
    watermark.arrived([], NOW + PATIENCE)
    assert {2} == set(watermark.missing)

    watermark.arrived([], NOW + PATIENCE + timedelta(seconds=1))

    assert set() == set(watermark.missing)


def test_a_gap_keeps_the_time_at_which_it_was_first_seen() -> None:
    watermark = IdWatermark(last_id=1)
    watermark.advance([3], NOW)
    watermark.advance([5], NOW + timedelta(minutes=10))

    assert {2: NOW, 4: NOW + timedelta(minutes=10)} == watermark.missing


def test_only_the_newest_gaps_of_a_wide_jump_are_kept() -> None:
    watermark = IdWatermark(last_id=1)
    watermark.advance([10_000_000], NOW)

    assert MOST_MISSING == len(watermark.missing)
    assert 9_999_999 == max(watermark.missing)


@given(ids=st.lists(st.integers(1, 10**6), min_size=1, max_size=50, unique=True))
def test_the_number_of_remembered_gaps_is_bounded(ids: list[int]) -> None:
    watermark = IdWatermark(last_id=0)
    for new_id in sorted(ids):
        watermark.advance([new_id], NOW)

    assert len(watermark.missing) <= MOST_MISSING
    assert max(ids) == watermark.last_id


@given(ids=st.sets(st.integers(1, 200), min_size=1))
def test_a_cursor_survives_json(ids: set[int]) -> None:
    watermark = IdWatermark()
    watermark.advance(sorted(ids), NOW)

    assert watermark == IdWatermark.restore(json.loads(json.dumps(watermark.state())))


@pytest.mark.parametrize("state", [None, {}, [], "x", {"last_id": None}, {"last_id": "x"}])
def test_a_cursor_that_says_nothing_begins_anew(state: object) -> None:
    assert IdWatermark() == IdWatermark.restore(state)  # type: ignore[arg-type]  # any JSON
