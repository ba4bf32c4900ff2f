"""A log of calls: what is asked for again, what is found late, what an interruption costs."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from exporter.errors import TransientError
from exporter.interfaces import Batch, Position
from exporter.records import ExecutionStatus, LlmCall, Operation
from exporter.sources.polling.call_log import CALLS, CallLogSource
from exporter.sources.polling.spans import DAY, HOUR, Span

NOON = datetime(2026, 11, 10, 12, tzinfo=UTC)


def call(at: datetime) -> LlmCall:
    return LlmCall(
        source="log",
        execution_id="t",
        created_at=at,
        call_id=at.isoformat(),
        provider="openai",
        model="gpt-5-mini",
        operation=Operation.CHAT,
        status=ExecutionStatus.SUCCESS,
        workflow_id="",
        workflow="",
        started_at=at,
    )


@dataclass
class Log:
    """Tells the calls it holds, and breaks off at one of the spans it is asked for."""

    calls: list[LlmCall] = field(default_factory=list)
    asked: list[Span] = field(default_factory=list)
    breaks_at: int | None = None

    def read(self, span: Span) -> Iterator[Sequence[LlmCall]]:
        self.asked.append(span)
        if len(self.asked) == self.breaks_at:
            raise TransientError("broken off")
        yield [one for one in self.calls if span.from_at <= one.created_at < span.until_at]


@dataclass
class Reader:
    """Polls a log and keeps the cursor, as an exporter does."""

    log: Log
    history: timedelta = 2 * DAY
    position: Position = field(default_factory=Position)
    found: set[str] = field(default_factory=set)

    def poll(self, now: datetime) -> list[Batch]:
        source = CallLogSource(name="log", read=self.log.read, history=self.history)
        self.log.asked.clear()
        batches = []
        for batch in source.poll(self.position, now):
            self.position = Position(cursor=batch.cursor)
            self.found |= {one.call_id for one in batch.records if isinstance(one, LlmCall)}
            batches.append(batch)
        return batches

    def asked_from(self) -> datetime:
        return self.log.asked[0].from_at


def test_a_poll_asks_again_for_the_overlap_only() -> None:
    reader = Reader(Log())
    reader.poll(NOON)
    reader.poll(NOON + HOUR)

    assert [Span(NOON - CALLS.reread, NOON + HOUR)] == reader.log.asked


def test_the_first_poll_of_a_day_looks_three_days_back() -> None:
    reader = Reader(Log())
    reader.poll(NOON)
    reader.poll(NOON + DAY)

    assert NOON - CALLS.reread_daily == reader.asked_from()


@pytest.mark.parametrize("began_at", [NOON, datetime(2026, 11, 10, 23, 59, 30, tzinfo=UTC)])
def test_a_call_told_two_days_after_it_began_is_found(began_at: datetime) -> None:
    reader = Reader(Log())
    now = NOON
    late = call(began_at)
    while now < began_at + 4 * DAY:
        if now >= began_at + 2 * DAY and late not in reader.log.calls:
            reader.log.calls.append(late)
        reader.poll(now)
        now += HOUR

    assert {late.call_id} == reader.found


def test_a_look_back_that_breaks_off_goes_on_where_it_stood() -> None:
    reader = Reader(Log())
    reader.poll(NOON)
    reader.log.breaks_at = 5
    with pytest.raises(TransientError):
        reader.poll(NOON + DAY)
    broken_at = reader.log.asked[-1].from_at

    reader.log.breaks_at = None
    reader.poll(NOON + DAY + HOUR)
    assert broken_at - 2 * CALLS.at_most < reader.asked_from() <= broken_at
    reader.poll(NOON + DAY + 2 * HOUR)
    assert NOON + DAY + HOUR - CALLS.reread == reader.asked_from()


def test_a_look_back_that_breaks_off_again_and_again_comes_to_its_end() -> None:
    reader = Reader(Log())
    reader.poll(NOON)
    now = NOON + DAY
    for _ in range(40):
        reader.log.breaks_at = 4
        try:
            reader.poll(now)
        except TransientError:
            now += timedelta(minutes=5)
        else:
            break
    else:
        pytest.fail("it never ends")

    assert now <= NOON + DAY + HOUR


def test_a_backlog_that_breaks_off_again_and_again_comes_to_its_end() -> None:
    reader = Reader(Log([call(NOON - n * HOUR) for n in range(1, 24 * 30)]), history=35 * DAY)
    now = NOON
    for _ in range(80):
        reader.log.breaks_at = 4
        try:
            reader.poll(now)
        except TransientError:
            now += timedelta(minutes=5)
        else:
            break
    else:
        pytest.fail("it never ends")

    assert {one.call_id for one in reader.log.calls} == reader.found


def test_a_look_back_broken_off_yesterday_begins_anew() -> None:
    reader = Reader(Log())
    reader.poll(NOON)
    reader.log.breaks_at = 5
    with pytest.raises(TransientError):
        reader.poll(NOON + DAY)

    reader.log.breaks_at = None
    reader.poll(NOON + 2 * DAY)
    assert reader.asked_from() <= NOON + DAY - CALLS.reread_daily


def test_a_page_is_written_before_its_span_is_whole_and_moves_no_cursor() -> None:
    class Breaks(Log):
        def read(self, span: Span) -> Iterator[Sequence[LlmCall]]:
            yield [call(span.from_at)]
            raise TransientError("second page")

    reader = Reader(Breaks())
    with pytest.raises(TransientError):
        reader.poll(NOON)

    assert 1 == len(reader.found)
    assert {"calls": {}, "look": None} == reader.position.cursor


def test_the_newest_call_is_told_whatever_the_order_of_pages() -> None:
    class Backwards(Log):
        def read(self, span: Span) -> Iterator[Sequence[LlmCall]]:
            yield [call(NOON - HOUR)]
            yield [call(NOON - 2 * HOUR)]

    *_, last = Reader(Backwards()).poll(NOON)

    assert (NOON - HOUR, True) == (last.newest_at, last.caught_up)


def test_nothing_is_asked_for_in_the_future() -> None:
    reader = Reader(Log())
    now = NOON + timedelta(microseconds=123_456)
    reader.poll(now)

    assert NOON == max(span.until_at for span in reader.log.asked)
