"""A provider that answers each path with what a test writes."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from exporter.demo.providers.server import ProviderServer
from exporter.demo.providers.wire import Answer, Request
from exporter.sources.polling.reports import ReportSource
from tests.sources.recorded_answers import made


@dataclass(frozen=True)
class WrittenApi:
    """Answers with the text whose path the request ends with, or refuses with its status."""

    answers: Mapping[str, str | int]

    def answer(self, request: Request, now: datetime) -> Answer:
        """Answer a request at a moment."""
        for path, written in self.answers.items():
            if request.path.endswith(path):
                if isinstance(written, int):
                    return self.refuse(written, "Refused as the test wants it.")
                return Answer(body=written.encode())
        return self.refuse(404, "no such path")

    def refuse(self, status: int, message: str) -> Answer:
        """Return an error."""
        return Answer(status=status, body={"error": {"message": message}})


@contextmanager
def written(
    kind: str, secret: str, answers: Mapping[str, str | int], **settings: object
) -> Iterator[tuple[ReportSource, ProviderServer]]:
    """Yield a source of the kind, whose provider answers with these texts."""
    with ProviderServer(WrittenApi(answers), lambda: datetime.now(UTC)) as server:
        yield made(kind, secret, server.url, **settings), server
