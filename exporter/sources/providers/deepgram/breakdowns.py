"""Deepgram's usage by model and its bill by line item and key, each by day and project.

https://developers.deepgram.com/reference/manage/usage/breakdown/get
https://developers.deepgram.com/reference/manage/billing/breakdown/get
"""

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Generic, TypeVar

import msgspec

from exporter.errors import SourceError
from exporter.http_client import HttpClient
from exporter.records import CostBucket, UsageBucket
from exporter.sources.polling.spans import DAY, Rhythm, Span
from exporter.sources.polling.wire import count, counts, dollars, utc_day
from exporter.sources.providers.deepgram.projects import Project, Projects

# Not in pieces: a piece that begins today would be asked for with one date as start and end.
RHYTHM = Rhythm(
    bucket=DAY, reread=3 * DAY, reread_daily=35 * DAY, at_most=400 * DAY, settled_after=DAY
)
Result = TypeVar("Result")
_Hours = Annotated[float, msgspec.Meta(ge=0, le=1e9)]


class _UsageGroup(msgspec.Struct):
    start: str
    models: list[str | None] | None = None


class _Used(msgspec.Struct, kw_only=True):
    grouping: _UsageGroup
    total_hours: _Hours = 0  # of audio; each channel counts, as on the bill
    agent_hours: _Hours = 0
    requests: float | None = None
    tokens_in: float | None = None
    tokens_out: float | None = None
    tts_characters: float | None = None


class _BillGroup(msgspec.Struct):
    start: str
    line_item: str | None = None
    accessor: str | None = None


class _Billed(msgspec.Struct):
    dollars: Decimal
    grouping: _BillGroup


class _Resolution(msgspec.Struct):
    units: str
    amount: float


class _Answer(msgspec.Struct, Generic[Result]):
    resolution: _Resolution
    results: list[Result]


class Breakdowns:
    """Reads both of every project."""

    def __init__(self, http: HttpClient, source: str, projects: Projects) -> None:
        self._http = http
        self._source = source
        self._projects = projects

    def usage(self, span: Span) -> list[UsageBucket]:
        """Read seconds, characters, tokens and requests by model."""
        return [
            self._usage_bucket(project, day, row)
            for project in self._projects.all()
            for row in self._results(project, "usage", span, ("models",), _Answer[_Used])
            if (day := utc_day(row.grouping.start)) != span.until_at
        ]

    def costs(self, span: Span) -> list[CostBucket]:
        """Read dollars by line item, such as `streaming::nova-3`, and key."""
        groups = ("line_item", "accessor")
        return [
            self._cost_bucket(project, day, row)
            for project in self._projects.all()
            for row in self._results(project, "billing", span, groups, _Answer[_Billed])
            if (day := utc_day(row.grouping.start)) != span.until_at
        ]

    def _results(
        self,
        project: Project,
        of: str,
        span: Span,
        groups: tuple[str, ...],
        into: type[_Answer[Result]],
    ) -> Iterator[Result]:
        """Ask for whole days; nobody says whether the answer holds the one that `end` names."""
        parameters = [
            ("start", f"{span.from_at:%Y-%m-%d}"),
            ("end", f"{span.until_at:%Y-%m-%d}"),
            *(("grouping", group) for group in groups),
        ]
        answer = self._http.get(project.path(f"{of}/breakdown"), parameters, into=into)
        if (answer.resolution.units, answer.resolution.amount) != ("day", 1):
            raise SourceError("Deepgram's answer is not by day", reason="answer_changed")
        yield from answer.results

    def _usage_bucket(self, project: Project, day: datetime, row: _Used) -> UsageBucket:
        told = msgspec.structs.asdict(row)
        models = sorted(model for model in row.grouping.models or () if model)
        seconds = {
            "input_audio_seconds": round(row.total_hours * 3600),
            "agent_seconds": round(row.agent_hours * 3600),
        }
        return UsageBucket(
            source=self._source,
            provider="deepgram",
            report="usage",
            bucket_start=day,
            bucket_seconds=86400,
            model=models[0] if len(models) == 1 else None,
            project_id=project.project_id,
            dimensions={"models": ", ".join(models)} if len(models) > 1 else {},
            requests=count(told, "requests"),
            input_tokens=count(told, "tokens_in"),
            output_tokens=count(told, "tokens_out"),
            quantities={
                **{name: value for name, value in seconds.items() if value},
                **counts(told, {"tts_characters": "input_characters"}),
            },
        )

    def _cost_bucket(self, project: Project, day: datetime, row: _Billed) -> CostBucket:
        _, separator, model = (row.grouping.line_item or "").rpartition("::")
        return CostBucket(
            source=self._source,
            provider="deepgram",
            report="billing",
            bucket_start=day,
            bucket_seconds=86400,
            model=model if separator and model else None,
            project_id=project.project_id,
            api_key_id=row.grouping.accessor,
            line_item=row.grouping.line_item,
            amount=dollars(row.dollars),
        )
