"""A cloud that answers each question as a test says; whoever asks for a token gets one."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from exporter.demo.providers.server import ProviderServer
from exporter.demo.providers.wire import Answer, Request
from exporter.sources import KINDS
from exporter.sources.polling.reports import ReportSource
from tests.sources.recorded_answers import FOLDER
from tests.sources.simulated import SIMULATED

Said = str | int | Mapping[str, object]
"""A recorded file's name, a status, or the body itself."""
_TOKEN = {"access_token": "simulated-token", "expires_in": 3599, "token_type": "Bearer"}


@dataclass(frozen=True)
class CloudApi:
    """Answers with what is said to a request."""

    kind: str
    say: Callable[[Request], Said]

    def answer(self, request: Request, now: datetime) -> Answer:
        """Answer a request at a moment."""
        if request.path.endswith("/token"):
            return Answer(body=_TOKEN)
        match self.say(request):
            case str(name):
                return Answer(body=(FOLDER / self.kind / name).read_bytes())
            case int(status):
                return self.refuse(status, "Refused as the test wants it.")
            case body:
                return Answer(body=body)

    def refuse(self, status: int, message: str) -> Answer:
        """Return an error."""
        return Answer(status=status, body={"error": {"message": message}})


@contextmanager
def cloud(
    kind: str, say: Callable[[Request], Said], **settings: object
) -> Iterator[tuple[ReportSource, ProviderServer]]:
    """Yield a source of the kind, whose cloud answers as it is said."""
    with ProviderServer(CloudApi(kind, say), lambda: datetime.now(UTC)) as server:
        yield made(kind, server.url, **settings), server


def made(
    kind: str, url: str, *, environ: Mapping[str, str] | None = None, **settings: object
) -> ReportSource:
    """Make a source as the simulated cloud of its kind is read, with other settings."""
    simulated = SIMULATED[kind]
    known = KINDS[kind].settings.model_validate(
        {**simulated.block(kind, url), **settings},
        context={"environ": environ or simulated.environ},
    )
    source: Any = KINDS[kind].source(known)
    assert isinstance(source, ReportSource)
    return source
