"""Recorded status pages, read without a network: tests/sources/status_pages/<kind>/*.yml.

A case holds what a page's server answers, by path, and what is to be made of it:

    page: {components: [API], regions: [us-east-1]}    # optional
    answers:
      api/v2/summary.json: {json: {...}}                # or {text, type, status, headers}
    expected:
      page: degraded                                    # a level, or `unknown: <cause>`
      components: {API: operational}
      incidents: [{incident_id: a1, phase: open, level: degraded, title: …}]

Of incidents only what is written is compared, and that there are no others. A path that is not
written answers 404. A redirect has `status: 301, headers: {Location: …}`; what another host answers
is written under its whole address.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.message import Message
from pathlib import Path
from typing import Any

import yaml

from exporter.http_answer import Place, refusal
from exporter.http_client import HttpClient, Reply
from exporter.records import ComponentStatus, Incident
from exporter.sources.status.conclusion import WHOLE_PAGE, Conclusion, concluded
from exporter.sources.status.door import Door
from exporter.sources.status.formats import FORMATS
from exporter.sources.status.reading import Page, UnknownStatusError

FOLDER = Path(__file__).parent / "status_pages"
URL = "https://status.example.com"
NOW = datetime(2026, 9, 23, 14, 0, tzinfo=UTC)
FROZEN_AFTER = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class Case:
    """A recorded page."""

    kind: str
    name: str
    page: Mapping[str, Any]
    answers: Mapping[str, Any]
    expected: Mapping[str, Any]

    def __str__(self) -> str:
        """Name the case in a test's id."""
        return f"{self.kind}-{self.name}"


def case(path: Path) -> Case:
    """Read one case."""
    written = yaml.safe_load(path.read_text(encoding="utf-8"))
    return Case(
        path.parent.name,
        path.stem,
        written.get("page", {}),
        written["answers"],
        written["expected"],
    )


_REQUIRED = (
    "all_green",
    "degraded",
    "major_outage",
    "maintenance",
    "incident_without_components",
    "null_lists",
)


def missing(kind: str) -> list[str]:
    """Name the recordings that a kind has not, unless RECORDED.md says that it cannot say that."""
    folder = FOLDER / kind
    notes = folder / "RECORDED.md"
    if not notes.is_file():
        return [f"{kind}/RECORDED.md: where the shape of the recordings comes from"]
    told = notes.read_text(encoding="utf-8")
    return [
        f"{kind}/{name}.yml"
        for name in _REQUIRED
        if not (folder / f"{name}.yml").is_file() and f"`{name}`:" not in told
    ]


def cases(kind: str = "*", name: str = "*") -> list[Case]:
    """Return the recorded cases of a kind, or of all."""
    return [case(path) for path in sorted(FOLDER.glob(f"{kind}/{name}.yml"))]


class WrittenWeb(HttpClient):
    """Answers from a case; the rest of the way is the product's."""

    def __init__(self, base: str, answers: Mapping[str, Any], asked: list[str]) -> None:
        self.base = base
        self.answers = answers
        self.asked = asked

    def ask(
        self, path: str, *, accept: str, headers: Mapping[str, str] = {}, redirects: bool = False
    ) -> Reply:
        """Return what is written for the path, or for the address of another host."""
        address = f"{self.base}/{path}" if path else self.base
        key = address.removeprefix(URL).removeprefix("/")
        self.asked.append(key)
        place = Place(f"GET {address}")
        told = self.answers.get(key, {"status": 404})
        status = told.get("status", 200)
        sent = Message()
        sent["Content-Type"] = told.get("type", "application/json")
        for header, value in told.get("headers", {}).items():
            sent[header] = value
        body = body_of(told)
        if status >= 400:
            raise refusal(status, sent, body, place)  # type: ignore[arg-type]
        return Reply(status, sent, body, place)  # type: ignore[arg-type]

    def close(self) -> None:
        """There is nothing to close."""


def body_of(told: Mapping[str, Any]) -> bytes:
    """Return an answer's bytes."""
    if "json" in told:
        return json.dumps(told["json"]).encode(told.get("encoding", "utf-8"))
    text = told.get("text", b"")
    return text if isinstance(text, bytes) else text.encode(told.get("encoding", "utf-8"))


class WrittenDoor(Door):
    """The product's door before a written web."""

    def __init__(self, answers: Mapping[str, Any], **options: Any) -> None:
        self.answers = answers
        self.asked: list[str] = []
        super().__init__(URL, allow_private=False, **options)

    def _opened(self, url: str) -> HttpClient:
        return WrittenWeb(url, self.answers, self.asked)


def read(told: Case, answers: Mapping[str, Any] | None = None) -> Conclusion:
    """Read a case, or other answers in its place, history included.

    Raises:
        UnknownStatusError: nothing is known, and why.
    """
    door = WrittenDoor(
        told.answers if answers is None else answers, regions=told.page.get("regions", ())
    )
    door.begin(NOW, wants_history=True)
    page: Page = door
    content = FORMATS[told.kind].read(page)
    return concluded(content, told.page.get("components", ()), NOW, FROZEN_AFTER)


def outcome(told: Case, answers: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return what is made of a case, in the words of `expected`."""
    try:
        found = read(told, answers)
    except UnknownStatusError as error:
        return {"page": f"unknown: {error.cause}", "components": {}, "incidents": []}
    words = {status.component: _word(status) for status in found.statuses}
    return {
        "page": words.pop(WHOLE_PAGE),
        "components": words,
        "incidents": [_told(one) for one in found.incidents],
    }


def _word(status: ComponentStatus) -> str:
    return f"unknown: {status.cause}" if status.level is None else status.level.name.lower()


def _told(incident: Incident) -> dict[str, Any]:
    told = {name: getattr(incident, name) for name in Incident.__dataclass_fields__}
    return {
        **told,
        "level": incident.level.name.lower(),
        "phase": str(incident.phase),
        "components": list(incident.components),
        "updates": [
            {"update_id": one.update_id, "at": one.at, "status": one.status, "body": one.body}
            for one in incident.updates
        ],
    }
