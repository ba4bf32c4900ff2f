"""A provider as a source: which spans it is asked for, in which way, and what a refusal costs."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from exporter.errors import RefusedRequestError, TransientError
from exporter.interfaces import Batch, Position
from exporter.records import Amounts, BucketWindow, DimensionName
from exporter.sources.polling.reports import Report, ReportSource
from exporter.sources.polling.spans import DAY, HOUR, Rhythm, Span
from exporter.sources.polling.summing import Bucket

NOW = datetime(2026, 11, 20, 9, 41, 17, 300_000, tzinfo=UTC)
MIDNIGHT = datetime(2026, 11, 20, tzinfo=UTC)
DAILY = Rhythm(
    bucket=DAY,
    reread=3 * DAY,
    reread_daily=35 * DAY,
    at_most=31 * DAY,
    settled_after=12 * HOUR,
    with_present=False,
    told_after=HOUR,
)
HOURLY = Rhythm(bucket=HOUR, reread=3 * HOUR, reread_daily=2 * DAY, at_most=DAY, settled_after=HOUR)


class Asked:
    """A way to read a report, which remembers what it was asked for."""

    def __init__(self, error: Callable[[Span], Exception | None] = lambda _: None) -> None:
        self.spans: list[Span] = []
        self.error = error

    def __call__(self, span: Span) -> Sequence[Bucket]:
        """Answer a span with nothing, or with the error."""
        self.spans.append(span)
        if error := self.error(span):
            raise error
        return []


def refused(status: int = 403) -> RefusedRequestError:
    return RefusedRequestError("no", reason="key_refused", status=status)


def source(read: Asked, rhythm: Rhythm = HOURLY, instead: Asked | None = None) -> ReportSource:
    report = Report(
        name="usage", amounts=(Amounts.USAGE,), rhythm=rhythm, read=read, instead=instead
    )
    return ReportSource(name="ours", provider="theirs", reports=[report], history=5 * DAY)


def poll(asked: ReportSource, position: Position, now: datetime) -> tuple[Position, list[Batch]]:
    """Poll as the poller does: what was yielded before an error stays."""
    batches: list[Batch] = []
    try:
        for batch in asked.poll(position, now):
            batches.append(batch)
            position = replace(position, cursor=batch.cursor)
    except TransientError:
        pass
    return position, batches


def test_no_span_is_shorter_than_a_second() -> None:
    read = Asked()

    poll(source(read), Position(), MIDNIGHT + timedelta(milliseconds=300))

    assert MIDNIGHT == read.spans[-1].until_at
    assert all(span.from_at < span.until_at for span in read.spans)


@pytest.mark.parametrize(
    ("now", "until"),
    [
        (MIDNIGHT + timedelta(minutes=59), MIDNIGHT - DAY),
        (MIDNIGHT + timedelta(minutes=61), MIDNIGHT),
    ],
)
def test_a_bucket_is_asked_for_when_it_may_be_told(now: datetime, until: datetime) -> None:
    read = Asked()

    poll(source(read, DAILY), Position(), now)

    assert until == read.spans[-1].until_at


def test_a_look_back_that_breaks_off_begins_no_earlier_the_next_time() -> None:
    read = Asked()
    asked = replace(source(read, DAILY), history=60 * DAY)
    position, _ = poll(asked, Position(), NOW)
    read.spans.clear()
    newest = MIDNIGHT + DAY
    read.error = lambda span: TransientError("later") if span.until_at == newest else None

    for minutes in range(5):
        position, _ = poll(asked, position, NOW + DAY + timedelta(minutes=minutes))

    assert {MIDNIGHT - 35 * DAY} == {min(span.from_at for span in read.spans)}


def test_while_a_report_is_refused_it_is_read_in_the_other_way() -> None:
    read, instead = Asked(lambda _: refused()), Asked()
    asked = source(read, instead=instead)

    position, batches = poll(asked, Position(), NOW)
    assert 1 == len(read.spans)
    assert read.spans[0] == instead.spans[0]
    windows = [record for batch in batches for record in batch.records]
    assert 6 == len(windows)
    assert {"usage"} == {window.report for window in windows if isinstance(window, BucketWindow)}

    position, _ = poll(asked, position, NOW + 23 * HOUR)
    assert 1 == len(read.spans)


def test_the_first_way_is_tried_again_after_a_day_and_kept_when_it_answers() -> None:
    read, instead = Asked(lambda _: refused()), Asked()
    asked = source(read, instead=instead)
    position, _ = poll(asked, Position(), NOW)
    read.error = lambda _: None
    before = len(instead.spans)

    position, _ = poll(asked, position, NOW + 24 * HOUR)
    tried = len(read.spans)
    poll(asked, position, NOW + 25 * HOUR)

    assert tried > 2
    assert len(read.spans) > tried
    assert before == len(instead.spans)


@pytest.mark.parametrize("status", [401, 402, 422])
def test_a_refusal_of_another_kind_is_told(status: int) -> None:
    asked = source(Asked(lambda _: refused(status)), instead=Asked())

    with pytest.raises(RefusedRequestError):
        poll(asked, Position(), NOW)


def test_a_refusal_in_both_ways_is_told() -> None:
    asked = source(Asked(lambda _: refused()), instead=Asked(lambda _: refused()))

    with pytest.raises(RefusedRequestError):
        poll(asked, Position(), NOW)


def test_refused_names_hide_no_report_and_are_asked_for_again_in_an_hour() -> None:
    asks = 0

    def names() -> Sequence[DimensionName]:
        nonlocal asks
        asks += 1
        raise refused()

    asked = replace(source(Asked()), names=names)
    position, batches = poll(asked, Position(), NOW)
    assert {"names_unavailable": 1} == batches[-1].omissions
    assert batches[-1].caught_up

    position, _ = poll(asked, position, NOW + timedelta(minutes=59))
    assert 1 == asks
    poll(asked, position, NOW + HOUR)
    assert 2 == asks


def test_names_that_do_not_come_are_asked_for_with_the_next_poll() -> None:
    asks = 0

    def names() -> Sequence[DimensionName]:
        nonlocal asks
        asks += 1
        raise TransientError("later")

    asked = replace(source(Asked()), names=names)
    position, batches = poll(asked, Position(), NOW)
    assert not batches[-1].caught_up
    poll(asked, position, NOW + timedelta(minutes=1))
    assert 2 == asks


def test_a_backfill_asks_for_nothing_that_is_not_told() -> None:
    read = Asked()
    asked = source(read, replace(DAILY, reaches_back=30 * DAY, at_most=DAY))

    list(asked.backfill(Position(), MIDNIGHT - 90 * DAY, NOW, MIDNIGHT + timedelta(minutes=30)))

    first, last = read.spans[0].from_at, read.spans[-1].until_at
    assert (MIDNIGHT - 29 * DAY, MIDNIGHT - DAY) == (first, last)


def test_a_backfill_reads_in_the_other_way_what_is_refused() -> None:
    old = MIDNIGHT - 10 * DAY
    read = Asked(lambda span: refused(400) if span.from_at < old else None)
    instead = Asked()

    list(source(read, instead=instead).backfill(Position(), old - 2 * DAY, NOW, NOW))

    assert [old - 2 * DAY, old - DAY] == [span.from_at for span in instead.spans]
    assert 12 == len(read.spans)
