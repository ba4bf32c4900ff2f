"""Which spans are asked for: what is new, what may be revised, and nothing that is to come."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from exporter.errors import TransientError
from exporter.interfaces import Position
from exporter.records import Amounts, BucketWindow
from exporter.sources.polling.reports import Report, ReportSource
from exporter.sources.polling.spans import (
    DAY,
    HOUR,
    Progress,
    Rhythm,
    Span,
    complete_until,
    cut,
    due_spans,
    earliest,
    latest,
)
from exporter.sources.polling.summing import Bucket
from exporter.sources.polling.wire import floor

MINUTE, SECOND = timedelta(minutes=1), timedelta(seconds=1)
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
MIDNIGHT = datetime(2026, 11, 20, tzinfo=UTC)
HOURLY = Rhythm(
    bucket=HOUR,
    reread=3 * HOUR,
    reread_daily=2 * DAY,
    at_most=7 * DAY,
    settled_after=15 * MINUTE,
)
DAILY = Rhythm(
    bucket=DAY, reread=3 * DAY, reread_daily=35 * DAY, at_most=31 * DAY, settled_after=12 * HOUR
)


def due(rhythm: Rhythm, progress: Progress, now: datetime, history: timedelta = DAY) -> list[Span]:
    return list(due_spans(rhythm, progress, now, history))


# One poll.


@pytest.mark.parametrize("rhythm", [HOURLY, DAILY])
@pytest.mark.parametrize(
    ("history", "start"),
    [(DAY, MIDNIGHT - DAY), (13 * HOUR, MIDNIGHT - DAY), (12 * HOUR, MIDNIGHT), (HOUR, MIDNIGHT)],
)
def test_a_first_poll_begins_at_a_utc_midnight(
    rhythm: Rhythm, history: timedelta, start: datetime
) -> None:
    assert [Span(start, NOON)] == due(rhythm, Progress(), NOON, history)


def test_a_first_poll_is_cut_into_what_may_be_asked_for_at_once() -> None:
    assert [
        Span(MIDNIGHT - 16 * DAY, MIDNIGHT - 9 * DAY),
        Span(MIDNIGHT - 9 * DAY, MIDNIGHT - 2 * DAY),
        Span(MIDNIGHT - 2 * DAY, NOON),
    ] == due(HOURLY, Progress(), NOON, 16 * DAY)


def test_a_later_poll_reads_again_what_may_still_move() -> None:
    """From three hours before what was read, and from the beginning of a bucket."""
    progress = Progress(read_until=NOON - 20 * MINUTE, deep_at=MIDNIGHT)

    assert [Span(NOON - 4 * HOUR, NOON)] == due(HOURLY, progress, NOON)
    assert [Span(MIDNIGHT - 3 * DAY, NOON)] == due(DAILY, progress, NOON)


def test_after_an_outage_nothing_in_between_is_left_out() -> None:
    progress = Progress(read_until=NOON - 6 * DAY, deep_at=MIDNIGHT)

    assert [Span(NOON - 6 * DAY - 3 * HOUR, NOON)] == due(HOURLY, progress, NOON)


@pytest.mark.parametrize("silent_for", [DAY, 3 * DAY, 40 * DAY])
def test_the_first_poll_of_a_utc_day_looks_further_back(silent_for: timedelta) -> None:
    """From what was read, not from now: an outage is not a part of it."""
    read_until = NOON - silent_for
    progress = Progress(read_until=read_until, deep_at=read_until)

    (first, *_) = due(DAILY, progress, NOON)
    (hourly, *_) = due(HOURLY, progress, NOON)

    assert floor(read_until, DAY) - 35 * DAY == first.from_at
    assert read_until - 2 * DAY == hourly.from_at


@pytest.mark.parametrize(
    ("deep_at", "is_deep"),
    [
        (None, True),
        (MIDNIGHT - SECOND, True),
        (MIDNIGHT - 9 * DAY, True),
        (MIDNIGHT, False),
        (NOON, False),
    ],
)
def test_one_look_further_back_a_utc_day_is_enough(deep_at: datetime | None, is_deep: bool) -> None:
    assert is_deep == Progress(deep_at=deep_at).is_deep(NOON)


@pytest.mark.parametrize("ahead", [SECOND, HOUR, 3 * DAY])
def test_a_clock_that_was_ahead_does_not_keep_us_from_reading(ahead: timedelta) -> None:
    progress = Progress(read_until=NOON + ahead, deep_at=NOON + ahead)

    assert [Span(NOON - 3 * HOUR, NOON)] == due(HOURLY, progress, NOON)


def test_what_the_provider_no_longer_keeps_is_not_asked_for() -> None:
    """An empty answer about it would delete what we have."""
    rhythm = replace(DAILY, reaches_back=30 * DAY)

    (first, *_) = due(rhythm, Progress(), NOON, 90 * DAY)

    assert MIDNIGHT - 29 * DAY == first.from_at == earliest(rhythm, NOON)


@pytest.mark.parametrize(("ago", "is_due"), [(59 * MINUTE, False), (HOUR, True)])
def test_a_report_is_not_asked_for_more_often_than_it_wants(ago: timedelta, is_due: bool) -> None:
    rhythm = replace(HOURLY, every=HOUR)
    progress = Progress(read_until=NOON - ago, deep_at=MIDNIGHT, asked_at=NOON - ago)

    assert is_due == bool(due(rhythm, progress, NOON))
    assert due(rhythm, replace(progress, asked_at=None), NOON)


def test_a_bucket_under_way_is_not_asked_for_where_it_is_not_told() -> None:
    rhythm = replace(DAILY, with_present=False)

    assert [Span(MIDNIGHT - DAY, MIDNIGHT)] == due(rhythm, Progress(), NOON)
    assert [] == due(rhythm, Progress(), NOON, HOUR)


@pytest.mark.parametrize(("hour", "end"), [(1, MIDNIGHT - DAY), (2, MIDNIGHT), (23, MIDNIGHT)])
def test_a_bucket_is_waited_for_until_it_is_told(hour: int, end: datetime) -> None:
    rhythm = replace(DAILY, with_present=False, told_after=2 * HOUR)
    now = MIDNIGHT + hour * HOUR

    assert end == latest(rhythm, now) == due(rhythm, Progress(), now, 4 * DAY)[-1].until_at


@pytest.mark.parametrize("with_present", [True, False])
def test_no_fraction_of_a_second_is_asked_for(with_present: bool) -> None:
    rhythm = replace(HOURLY, with_present=with_present)
    now = NOON + timedelta(microseconds=999_999)

    assert NOON == due(rhythm, Progress(), now)[-1].until_at


# What is settled.


@pytest.mark.parametrize(
    ("rhythm", "read_until", "settled"),
    [
        (HOURLY, NOON + 14 * MINUTE, NOON - HOUR),
        (HOURLY, NOON + 15 * MINUTE, NOON),
        (DAILY, NOON - SECOND, MIDNIGHT - DAY),
        (DAILY, NOON, MIDNIGHT),
    ],
)
def test_whole_buckets_have_settled_as_late_as_the_provider_is(
    rhythm: Rhythm, read_until: datetime, settled: datetime
) -> None:
    assert settled == complete_until(rhythm, read_until)


# The cursor.


def test_progress_survives_a_restart() -> None:
    progress = Progress(read_until=NOON, deep_at=MIDNIGHT, asked_at=NOON - SECOND)

    assert progress == Progress.restore(progress.kept(), NOON)
    assert Progress() == Progress.restore(Progress().kept(), NOON) == Progress.restore(None, NOON)


def test_what_a_clock_that_ran_ahead_wrote_is_forgotten() -> None:
    progress = Progress(read_until=NOON + DAY, deep_at=NOON, asked_at=NOON + DAY)

    assert Progress(deep_at=NOON) == Progress.restore(progress.kept(), NOON)


# A range.


@given(
    start=st.integers(0, 90 * 24),
    hours=st.integers(0, 90 * 24),
    seconds=st.integers(0, 3599),
    at_most=st.integers(1, 40),
)
def test_a_range_is_cut_without_gaps_and_overlaps(
    start: int, hours: int, seconds: int, at_most: int
) -> None:
    from_at = MIDNIGHT + start * HOUR
    until_at = from_at + hours * HOUR + seconds * SECOND
    spans = list(cut(from_at, until_at, replace(HOURLY, at_most=at_most * DAY)))

    edges = [from_at, *(span.until_at for span in spans)]
    assert edges[:-1] == [span.from_at for span in spans]
    assert edges[-1] == until_at
    assert all(SECOND <= span.until_at - span.from_at <= at_most * DAY for span in spans)
    assert all(floor(span.from_at, HOUR) == span.from_at for span in spans)


# Polls that go on.


@dataclass
class Provider:
    """Remembers what it was asked and when; fails when it is told to."""

    rhythm: Rhythm
    now: datetime = NOON
    answers: int = 0  # until it fails; -1: it does not
    readings: list[tuple[datetime, Span]] = field(default_factory=list)

    def read(self, span: Span) -> Sequence[Bucket]:
        assert span.from_at < span.until_at <= self.now, "asked for what is to come"
        assert floor(span.from_at, self.rhythm.bucket) == span.from_at
        if self.answers == 0:
            raise TransientError("a bad day")
        self.answers -= 1
        return []


def live(
    rhythm: Rhythm, polls: Sequence[tuple[timedelta, int]], history: timedelta
) -> tuple[Provider, list[datetime]]:
    """Poll after each pause; returns what was written, and when polls came to their end."""
    provider = Provider(rhythm)
    report = Report(name="r", amounts=(Amounts.USAGE,), rhythm=rhythm, read=provider.read)
    source = ReportSource(name="acme", provider="acme", reports=[report], history=history)
    position, ends = Position(), []
    for pause, answers in polls:
        provider.now += pause
        provider.answers = answers
        try:
            for batch in source.poll(position, provider.now):
                position = replace(position, cursor=batch.cursor)
                windows = [one for one in batch.records if isinstance(one, BucketWindow)]
                if windows:
                    span = Span(windows[0].from_at, windows[-1].until_at)
                    provider.readings.append((provider.now, span))
                    assert all(one.complete_until <= provider.now for one in windows)
        except TransientError:
            continue
        ends.append(provider.now)
    return provider, ends


RHYTHMS = st.builds(
    lambda bucket, settled, slack, deep, at_most, every, with_present: Rhythm(
        bucket=bucket,
        # What a poll reads again reaches back to all that had not settled at the poll before.
        reread=bucket + settled + slack,
        reread_daily=bucket + settled + slack + deep * DAY,
        at_most=at_most * DAY,
        settled_after=settled,
        every=every,
        with_present=with_present,
    ),
    st.sampled_from([MINUTE * 30, HOUR, DAY]),
    st.integers(0, 30).map(lambda hours: hours * HOUR),
    st.integers(0, 3).map(lambda hours: hours * HOUR),
    st.integers(0, 5),
    st.integers(1, 4),
    st.sampled_from([None, HOUR, 7 * HOUR]),
    st.booleans(),
)
PAUSES = st.one_of(
    st.integers(1, 600).map(lambda seconds: seconds * SECOND),
    st.integers(1, 30).map(lambda hours: hours * HOUR),
    st.integers(1, 9).map(lambda days: days * DAY),
)
POLLS = st.lists(st.tuples(PAUSES, st.sampled_from([-1, -1, -1, 0, 1, 2])), min_size=1, max_size=12)


@given(RHYTHMS, POLLS, st.integers(1, 6))
@example(DAILY, [(HOUR, -1), (DAY, 1), (9 * DAY, 0), (SECOND, -1)], 5)
@example(replace(DAILY, with_present=False, every=HOUR), [(SECOND, -1)] * 2 + [(DAY, -1)] * 3, 2)
def test_every_bucket_is_read_after_it_has_settled_if_polls_go_on(
    rhythm: Rhythm, polls: list[tuple[timedelta, int]], history_days: int
) -> None:
    """Whatever comes between: outages of ours and of the provider's, spans that fail half-way."""
    never_idle = rhythm.every or timedelta(0)
    polls = [*polls, (never_idle + rhythm.bucket, -1)]
    provider, ends = live(rhythm, polls, history_days * DAY)

    bucket = provider.readings[0][1].from_at if provider.readings else provider.now
    while True:
        end = bucket + rhythm.bucket
        settled_at = end + rhythm.settled_after
        if not ends or ends[-1] - never_idle < settled_at:
            break
        last = max(
            at for at, span in provider.readings if span.from_at <= bucket and end <= span.until_at
        )
        assert last >= settled_at, f"{bucket} was last read at {last}"
        bucket = end


@given(POLLS, st.integers(2, 6))
def test_every_utc_day_with_a_poll_has_its_long_look_back(
    polls: list[tuple[timedelta, int]], history_days: int
) -> None:
    rhythm = replace(DAILY, reread_daily=10 * DAY)
    provider, ends = live(rhythm, polls, history_days * DAY)

    first_days = {min(at for at in ends if at.date() == day) for day in {at.date() for at in ends}}
    for end in first_days:
        reached = min(span.from_at for at, span in provider.readings if at.date() == end.date())
        earlier = [at for at, _ in provider.readings if at.date() < end.date()]
        if earlier:
            assert floor(max(earlier), DAY) - 10 * DAY == reached


def test_the_long_look_back_comes_once_a_day_and_not_with_every_poll() -> None:
    provider, _ = live(DAILY, [(HOUR, -1)] * 30, 40 * DAY)

    looks = [at for at, span in provider.readings if span.from_at < at - 10 * DAY]

    assert {NOON + HOUR, MIDNIGHT + DAY} == set(looks)
