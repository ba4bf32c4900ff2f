"""A provider as a source: its reports read span by span, its names, what is left of its credit."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from exporter.errors import RefusedRequestError, SourceError, TransientError
from exporter.interfaces import Batch, Position
from exporter.records import (
    Amounts,
    Balance,
    BucketWindow,
    CostBucket,
    DimensionName,
    Json,
    Record,
    UsageBucket,
)
from exporter.setting_types import Duration, HttpUrl
from exporter.settings import SourceSettings
from exporter.sources.polling.spans import (
    DAY,
    Progress,
    Rhythm,
    Span,
    complete_until,
    cut,
    due_spans,
    earliest,
    latest,
    past,
)
from exporter.sources.polling.summing import Bucket, summed
from exporter.sources.polling.wire import floor

NAMES_EVERY = timedelta(hours=1)
_UNAVAILABLE_PAUSE = timedelta(days=1)
_UNAVAILABLE = (400, 403, 404, 410)
_MOST_FAILURES = 3  # of one poll: a provider that hangs has more to hang on


def _at_most_a_year(value: timedelta) -> timedelta:
    if value > timedelta(days=366):
        raise ValueError("a first poll reads at most 366d; older days are read by `backfill`")
    return value


History = Annotated[Duration, AfterValidator(_at_most_a_year)]


class ProviderSettings(SourceSettings):
    """What every provider has."""

    every: Duration = timedelta(minutes=5)
    base_url: HttpUrl
    """Where its API is; a proxy or gateway of your own stands here."""
    allow_private: Annotated[bool, Field(strict=True)] = False
    """Whether base_url may be on a private network or this machine."""
    history: History = timedelta(days=35)
    """How much of the past the first poll reads."""

    @model_validator(mode="after")
    def _no_key_in_clear(self) -> Self:
        if (self.base_url or "").startswith("http:") and not self.allow_private:
            raise ValueError(
                "base_url sends the key in clear; write https://, "
                "or allow_private: true where it stays in your own network"
            )
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One report of a provider: what it counts, how it is read, and how often again."""

    name: str
    amounts: tuple[Amounts, ...]
    rhythm: Rhythm
    read: Callable[[Span], Sequence[Bucket]]
    """All buckets that begin in the span, or an error: half an answer is none."""
    is_optional: bool = False
    """A key or account that may not read it (400, 403, 404, 410) is asked again once a day."""
    is_breakdown: bool = False
    """Whether its buckets all are: nothing is late or incomplete for want of it."""
    instead: Callable[[Span], Sequence[Bucket]] | None = None
    """How the same is read while `read` is refused; windows of both replace each other."""

    def goes_on(self, error: RefusedRequestError) -> bool:
        """Whether a refusal ends only this report, or this way to read it."""
        return error.status in _UNAVAILABLE and (self.is_optional or self.instead is not None)


@dataclass
class _Progresses:
    """The cursor: how far each report is read, and when names were."""

    reports: dict[str, Progress]
    names_at: datetime | None = None

    @classmethod
    def restore(
        cls, cursor: dict[str, Json], reports: Sequence[Report], now: datetime
    ) -> "_Progresses":
        kept = cursor.get("reports")
        kept = kept if isinstance(kept, dict) else {}
        return cls(
            {report.name: Progress.restore(kept.get(report.name), now) for report in reports},
            past(cursor.get("names_at"), now),
        )

    def cursor(self) -> dict[str, Json]:
        return {
            "reports": {name: progress.kept() for name, progress in self.reports.items()},
            "names_at": self.names_at.isoformat() if self.names_at else None,
        }


@dataclass(kw_only=True)
class ReportSource:
    """Polls reports, names and balances of one provider."""

    name: str
    provider: str
    reports: Sequence[Report] = ()
    names: Callable[[], Sequence[DimensionName]] | None = None
    balances: Callable[[datetime], Sequence[Balance]] | None = None
    history: timedelta = timedelta(days=35)
    close: Callable[[], None] = field(default=lambda: None)

    def poll(self, position: Position, now: datetime) -> Iterator[Batch]:
        """Yield what is new or may have been revised; one report's bad day is not the others'."""
        progresses = _Progresses.restore(dict(position.cursor), self.reports, now)
        failed: TransientError | SourceError | None = None
        failures = 0
        for report in self.reports:
            try:
                yield from self._report(report, progresses, now)
            except (TransientError, SourceError) as error:
                failures += 1
                # It asked us to be quiet, or refused the key, or answers nothing.
                if error.rest is not None or failures == _MOST_FAILURES:
                    raise
                failed = failed or error
        records, omissions, failed_besides = self._besides(progresses, now)
        failed = failed_besides if failed is None else failed
        yield Batch(
            records=records,
            cursor=progresses.cursor(),
            caught_up=failed is None,
            newest_at=self._newest(progresses) if self.reports else now,
            omissions=omissions,
        )
        if failed is not None:
            raise failed

    def _besides(
        self, progresses: _Progresses, now: datetime
    ) -> tuple[list[Record], dict[str, int], TransientError | SourceError | None]:
        """Ask for balances and names; reports are worth having without them."""
        asks: dict[str, Callable[[], Sequence[Record]]] = {}
        if self.balances is not None:
            asks["balances"] = partial(self.balances, now)
        names_at = progresses.names_at
        if self.names is not None and (names_at is None or now - names_at >= NAMES_EVERY):
            asks["names"] = self.names
        records: list[Record] = []
        omissions: dict[str, int] = {}
        failed: TransientError | SourceError | None = None
        for what, ask in asks.items():
            try:
                records += ask()
            except (TransientError, SourceError) as error:
                if self._may_lack(error, progresses):
                    omissions[f"{what}_unavailable"] = 1
                else:
                    failed = failed or error
                    if error.rest is None:
                        continue
            if what == "names":  # many requests: not again at once, whatever came of them
                progresses.names_at = now
            if failed is not None and failed.rest is not None:
                break
        return records, omissions, failed

    def _may_lack(self, error: TransientError | SourceError, progresses: "_Progresses") -> bool:
        """Whether a refusal leaves a source that still tells something."""
        return (
            isinstance(error, RefusedRequestError)
            and error.status in _UNAVAILABLE
            and not self._tells_nothing(progresses)
        )

    def _tells_nothing(self, progresses: _Progresses) -> bool:
        """Whether each report is refused too."""
        return all(
            progresses.reports[report.name].unavailable_at and report.instead is None
            for report in self.reports
        )

    def _newest(self, progresses: _Progresses) -> datetime | None:
        read = [one.read_until for one in progresses.reports.values() if one.read_until]
        return min(read, default=None)

    def _report(self, report: Report, progresses: _Progresses, now: datetime) -> Iterator[Batch]:
        progress = progresses.reports[report.name]
        read = report.read
        if progress.unavailable_at and now - progress.unavailable_at < _UNAVAILABLE_PAUSE:
            if report.instead is None:
                return
            read = report.instead
        was_deep = progress.is_deep(now)
        asked = False
        for span in due_spans(report.rhythm, progress, now, self.history):
            asked = True
            try:
                windows = self._windows(report, read, span)
            except RefusedRequestError as error:
                if read is report.instead or not report.goes_on(error):
                    raise
                progress.unavailable_at = now
                if report.instead is None:
                    yield Batch(
                        records=[],
                        cursor=progresses.cursor(),
                        omissions={f"{report.name}_unavailable": 1},
                    )
                    return
                read = report.instead
                windows = self._windows(report, read, span)
            # A look back that breaks off must not begin earlier each time.
            progress.read_until = max(progress.read_until or span.until_at, span.until_at)
            progress.asked_at = now
            yield Batch(records=windows, cursor=progresses.cursor())
        if asked and read is report.read:
            progress.unavailable_at = None
        if asked and was_deep:
            progress.deep_at = now

    def _windows(
        self, report: Report, read: Callable[[Span], Sequence[Bucket]], span: Span
    ) -> list[BucketWindow]:
        """Ask for a span and cut the answer into UTC days.

        Raises:
            SourceError: the answer holds buckets that were not asked for.
        """
        buckets = summed(read(span))
        outside = [b for b in buckets if not span.from_at <= b.bucket_start < span.until_at]
        if outside:
            raise SourceError(
                f"{report.name}: asked from {span.from_at} until {span.until_at}, "
                f"the provider answers with {outside[0].bucket_start}",
                reason="answer_changed",
            )
        settled = complete_until(report.rhythm, span.until_at)
        windows = []
        day = floor(span.from_at, DAY)
        while day < span.until_at:
            from_at, until_at = max(day, span.from_at), min(day + DAY, span.until_at)
            windows += [
                BucketWindow(
                    source=self.name,
                    provider=self.provider,
                    report=report.name,
                    amounts=amounts,
                    from_at=from_at,
                    until_at=until_at,
                    complete_until=settled,
                    is_breakdown=report.is_breakdown,
                    buckets=tuple(
                        bucket
                        for bucket in buckets
                        if from_at <= bucket.bucket_start < until_at
                        and isinstance(bucket, _BUCKETS[amounts])
                    ),
                )
                for amounts in report.amounts
            ]
            day += DAY
        return windows

    def backfill(
        self, position: Position, from_at: datetime, until_at: datetime, now: datetime
    ) -> Iterator[Batch]:
        """Yield a range of past days, oldest first; today is the polls' to read."""
        until_at = min(until_at, floor(now, DAY))
        done: dict[str, Json] = {"from": from_at.isoformat(), "until": until_at.isoformat()}
        if all(position.cursor.get(name) == value for name, value in done.items()):
            done |= position.cursor
        spans = [
            (report, span)
            for report in self.reports
            for span in cut(
                max(floor(from_at, DAY), earliest(report.rhythm, now)),
                min(until_at, latest(report.rhythm, now)),
                report.rhythm,
            )
        ]
        for number, (report, span) in enumerate(spans, start=1):
            kept = done.get(report.name)
            if kept is not None and span.until_at <= datetime.fromisoformat(str(kept)):
                continue
            windows = self._past(report, span)
            done[report.name] = span.until_at.isoformat()
            yield Batch(records=windows, cursor=dict(done), done_ratio=number / len(spans))
        yield Batch(records=[], cursor={}, done_ratio=1)

    def _past(self, report: Report, span: Span) -> list[BucketWindow]:
        try:
            return self._windows(report, report.read, span)
        except RefusedRequestError as error:
            if not report.goes_on(error):
                raise
            return self._windows(report, report.instead, span) if report.instead else []


_BUCKETS: dict[Amounts, type[Bucket]] = {Amounts.USAGE: UsageBucket, Amounts.COST: CostBucket}
