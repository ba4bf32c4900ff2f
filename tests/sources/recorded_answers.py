"""A provider that answers each path with a recorded file, whatever else it is asked."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from exporter.demo.providers.server import ProviderServer
from exporter.demo.providers.wire import Answer, Request
from exporter.sources import KINDS
from exporter.sources.polling.reports import ReportSource
from exporter.sources.polling.spans import Span
from exporter.sources.polling.summing import Bucket

FOLDER = Path(__file__).parent
_SECRET = "not-a-real-key"


@dataclass(frozen=True)
class RecordedApi:
    """Answers with the file whose path the request ends with; 404 where there is none."""

    folder: Path
    files: Mapping[str, str]

    def answer(self, request: Request, now: datetime) -> Answer:
        """Answer a request at a moment."""
        for path, name in self.files.items():
            if request.path.endswith(path):
                return Answer(body=(self.folder / name).read_bytes())
        return self.refuse(404, "no such path")

    def refuse(self, status: int, message: str) -> Answer:
        """Return an error."""
        return Answer(status=status, body={"error": {"message": message}})


@contextmanager
def recorded(
    kind: str, secret: str, files: Mapping[str, str], **settings: object
) -> Iterator[tuple[ReportSource, ProviderServer]]:
    """Yield a source of the kind, whose provider answers with recorded files."""
    api = RecordedApi(FOLDER / kind, files)
    with ProviderServer(api, lambda: datetime.now(UTC)) as server:
        yield made(kind, secret, server.url, **settings), server


def made(kind: str, secret: str, url: str, key: str = _SECRET, **settings: object) -> ReportSource:
    """Make a source of the kind that asks this address; `secret` is the setting of its key."""
    known = KINDS[kind].settings.model_validate(
        {
            "name": kind,
            "kind": kind,
            secret: {"env": "KEY"},
            "base_url": url,
            "allow_private": True,
            **settings,
        },
        context={"environ": {"KEY": key}},
    )
    source: Any = KINDS[kind].source(known)
    assert isinstance(source, ReportSource)
    return source


def read(source: ReportSource, report: str, span: Span, *, instead: bool = False) -> list[Bucket]:
    """Read one report, or what is read in its place."""
    (chosen,) = [one for one in source.reports if one.name == report]
    ask = chosen.instead if instead else chosen.read
    assert ask is not None
    return list(ask(span))
