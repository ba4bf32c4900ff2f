"""One poll: what is written, what is shown, how its end is named."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from exporter.content import ContentPolicy
from exporter.errors import SinkError, SourceError, TransientError
from exporter.interfaces import (
    Accountant,
    Batch,
    Counter,
    Increment,
    PollResult,
    Position,
    Present,
)
from exporter.log import redact
from exporter.poll import Poller
from exporter.preparation import Preparation
from exporter.pricing import Pricing
from exporter.records import CostSource, ExecutionStatus, LlmCall, Operation, Record
from exporter.settings import ContentSettings

NOW = datetime(2026, 1, 3, 12, tzinfo=UTC)
EVERY = timedelta(seconds=30)
CALL = LlmCall(
    source="n8n",
    execution_id="1",
    created_at=NOW,
    call_id="m#0",
    provider="openai",
    model="gpt-4o-mini",
    operation=Operation.CHAT,
    status=ExecutionStatus.SUCCESS,
    workflow_id="w",
    workflow="invoices",
    started_at=NOW,
    input_tokens=1_000_000,
    output_tokens=0,
    prompt="a prompt",
)


class Source:
    """Yields what it was given, and raises where an error stands among it."""

    name = "n8n"

    def __init__(self, *steps: Batch | Exception) -> None:
        self.steps = steps
        self.asked: list[Position] = []
        self.closed = 0

    def poll(self, position: Position, now: datetime) -> Iterator[Batch]:
        self.asked.append(position)
        for step in self.steps:
            if isinstance(step, Exception):
                raise step
            yield step

    def close(self) -> None:
        self.closed += 1


class Sink:
    """Remembers what it was told."""

    def __init__(self, *, leased: bool = True, broken: Exception | None = None) -> None:
        self.leased = leased
        self.broken = broken
        self.written: list[Record] = []
        self.polls: list[PollResult] = []
        self.stored = Position()

    @contextmanager
    def session(self, source: str) -> Iterator["Sink | None"]:
        yield self if self.leased else None

    def position(self) -> Position:
        return self.stored

    def write(
        self, position: Position, batch: Batch, accountant: Accountant, now: datetime
    ) -> tuple[Position, Sequence[Increment]]:
        if self.broken:
            raise self.broken
        self.written += batch.records
        self.stored = Position(
            cursor=batch.cursor,
            generation=position.generation + 1,
            caught_up=position.caught_up or batch.caught_up,
            newest_at=batch.newest_at or position.newest_at,
        )
        return self.stored, accountant.increments("n8n", [], batch.omissions)

    def present(self, now: datetime) -> Present:
        return Present(workflows={"invoices": True}, open_executions={})

    def counters(self) -> Sequence[Counter]:
        return []

    def record_poll(self, result: PollResult) -> None:
        self.polls.append(result)


class Display:
    """Remembers what it was shown."""

    def __init__(self) -> None:
        self.shown: list[tuple[str, Any]] = []

    def restore(self, counters: Sequence[Counter]) -> None:
        self.shown.append(("restore", list(counters)))

    def counted(self, source: str, increments: Sequence[Increment], *, caught_up: bool) -> None:
        self.shown.append(("counted", caught_up))

    def present(self, source: str, present: Present) -> None:
        self.shown.append(("present", present))

    def polled(self, result: PollResult) -> None:
        self.shown.append(("polled", result.outcome))

    def own(self, metric: str, value: float, **labels: str) -> None:
        self.shown.append((metric, value))

    def names(self) -> list[str]:
        return [name for name, _ in self.shown]


class Bookkeeper:
    """Counts nothing."""

    def increments(self, source: str, changes: object, omissions: object) -> list[Increment]:
        return []


class Bench:
    """A poller with everything around it in sight."""

    def __init__(self, *steps: Batch | Exception, sink: Sink | None = None) -> None:
        self.source = Source(*steps)
        self.sink = sink or Sink()
        self.display = Display()
        self.now = NOW
        self.poller = Poller(
            self.source,
            self.sink,
            accountant=Bookkeeper(),
            display=self.display,
            preparation=Preparation(Pricing(), ContentPolicy(ContentSettings(capture="off"))),
            every=EVERY,
            clock=lambda: self.now,
        )

    def poll(self) -> PollResult:
        result = self.poller.poll()
        assert result is not None
        return result


def batch(*records: Record, **fields: Any) -> Batch:
    return Batch(records=records, cursor=fields.pop("cursor", {}), **fields)


# --- a good poll ---------------------------------------------------------------------------


def test_a_poll_writes_shows_and_ends_ok() -> None:
    bench = Bench(batch(CALL, newest_at=NOW), batch(caught_up=True))

    result = bench.poll()

    assert ("ok", 1, NOW, None) == (result.outcome, result.records, result.newest_at, result.detail)
    assert [result] == bench.sink.polls
    assert result is bench.poller.last_result


def test_calls_are_priced_and_their_texts_treated_before_they_are_written() -> None:
    bench = Bench(batch(CALL))

    bench.poll()

    (written,) = bench.sink.written
    assert isinstance(written, LlmCall)
    assert (CostSource.PRICED, None) == (written.cost_source, written.prompt)


def test_each_batch_is_counted_when_it_is_committed() -> None:
    bench = Bench(batch(CALL), batch(caught_up=True))

    bench.poll()

    assert [False, True] == [value for name, value in bench.display.shown if name == "counted"]


def test_the_next_poll_goes_on_where_the_last_one_ended() -> None:
    bench = Bench(batch(cursor={"id": 7}))
    bench.poll()
    bench.poll()

    assert [{}, {"id": 7}] == [position.cursor for position in bench.source.asked]


def test_counters_are_read_back_before_the_first_poll_and_after_a_bad_one() -> None:
    bench = Bench(batch(caught_up=True))
    bench.poll()
    bench.poll()
    assert 1 == bench.display.names().count("restore")
    bench.source.steps = (TransientError("no answer"),)
    bench.poll()
    bench.poll()

    assert 2 == bench.display.names().count("restore")


def test_a_source_that_another_exporter_polls_is_left_alone() -> None:
    bench = Bench(batch(CALL), sink=Sink(leased=False))

    result = bench.poll()

    assert ("standby", 0) == (result.outcome, result.records)
    assert [] == bench.source.asked


# --- bad polls -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "outcome", "reason", "detail"),
    [
        (TransientError("no answer"), "later", None, "no answer"),
        (SourceError("wrong password", reason="auth"), "refused", "auth", "wrong password"),
        (SinkError("no connection"), "blocked", None, "no connection"),
        (KeyError("surprise"), "failed", None, "KeyError: 'surprise'"),
    ],
)
def test_the_end_of_a_poll_is_named_by_its_error(
    error: Exception, outcome: str, reason: str | None, detail: str
) -> None:
    result = Bench(error).poll()

    assert (outcome, reason, detail) == (result.outcome, result.reason, result.detail)


def test_what_was_written_before_a_poll_broke_off_is_told() -> None:
    bench = Bench(batch(CALL, newest_at=NOW), TransientError("no answer"))

    result = bench.poll()

    assert ("later", 1, NOW) == (result.outcome, result.records, result.newest_at)
    assert "present" in bench.display.names()


def test_a_sink_that_refuses_shows_nothing_and_is_said_to_be_down() -> None:
    bench = Bench(batch(CALL), sink=Sink(broken=SinkError("full")))

    result = bench.poll()

    assert ("blocked", 0) == (result.outcome, result.records)
    assert "counted" not in bench.display.names()
    assert ("aiwf_sink_up", 0) in bench.display.shown


def test_a_source_that_fails_does_not_make_the_sink_look_down() -> None:
    bench = Bench(TransientError("no answer"))

    bench.poll()

    assert ("aiwf_sink_up", 0) not in bench.display.shown


def test_a_detail_is_told_without_secrets() -> None:
    redact.learn(["hunter2-canary"])
    try:
        result = Bench(TransientError("cannot reach hunter2-canary")).poll()
    finally:
        redact.learn([])

    assert "cannot reach [hidden]" == result.detail


def test_a_source_that_refused_rests_for_a_minute() -> None:
    bench = Bench(SourceError("wrong password", reason="auth"))
    bench.poll()
    bench.now += timedelta(seconds=59)
    assert bench.poller.poll() is None
    bench.now += timedelta(seconds=1)

    assert "refused" == bench.poll().outcome
    assert 2 == len(bench.source.asked)


def test_a_source_that_asks_to_be_left_alone_is_left_alone_for_that_long() -> None:
    bench = Bench(TransientError("429", rest=timedelta(seconds=7)))
    bench.poller.poll()

    bench.now += timedelta(seconds=6)
    assert bench.poller.poll() is None
    bench.now += timedelta(seconds=1)
    assert bench.poller.poll() is not None


def test_a_key_that_is_refused_is_not_tried_every_minute() -> None:
    bench = Bench(SourceError("401", reason="key_refused", rest=timedelta(minutes=15)))
    bench.poller.poll()

    bench.now += timedelta(minutes=14)
    assert bench.poller.poll() is None
    bench.now += timedelta(minutes=1)
    assert bench.poller.poll() is not None


def test_a_source_without_an_answer_six_times_running_is_asked_less_often() -> None:
    bench = Bench(TransientError("no answer"))

    for _ in range(6):
        assert bench.poller.poll() is not None
        bench.now += EVERY

    assert bench.poller.poll() is None
    bench.now += 3 * EVERY
    assert bench.poller.poll() is not None


def test_a_source_that_may_answer_later_is_asked_again_at_once() -> None:
    bench = Bench(TransientError("no answer"))
    bench.poll()
    bench.poll()

    assert 2 == len(bench.source.asked)


# --- the end of a poller -------------------------------------------------------------------


def test_a_retired_poller_gives_back_its_source_and_polls_no_more() -> None:
    bench = Bench(batch(CALL))
    bench.poller.retire()

    assert bench.poller.poll() is None
    assert [] == bench.source.asked
    assert bench.source.closed


def test_a_poller_that_is_retired_in_the_middle_stops_after_its_batch() -> None:
    bench = Bench()

    def steps() -> Iterator[Batch]:
        yield batch(CALL)
        bench.poller.retire()
        yield batch(CALL)
        pytest.fail("it was asked for more after it was retired")

    bench.source.poll = lambda *_: steps()  # type: ignore[method-assign]  # only for this test
    bench.poller.poll()

    assert 2 == len(bench.sink.written)
    assert bench.source.closed


@pytest.mark.parametrize("when", [lambda _: None, Bench.poll], ids=["unused", "after a poll"])
def test_retiring_twice_does_no_harm(when: Callable[[Bench], object]) -> None:
    bench = Bench(batch(CALL))
    when(bench)

    bench.poller.retire()
    bench.poller.retire()

    assert bench.source.closed
