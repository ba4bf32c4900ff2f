"""The documents in recorded answers, taken out, changed and put back; and what may come of them."""

import json
import re
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from typing import Any

from exporter.records import IncidentPhase
from exporter.sources.status.conclusion import Conclusion
from tests.sources.status_cases import NOW, Case, body_of

Path = tuple[str | int, ...]
_SCRIPT = re.compile(r"""(<script [^>]*id=["']?data["']?[^>]*>)(.*?)(</script>)""", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Document:
    """A JSON document of a case: an answer, or what a script in one holds."""

    path: str  # of the answer
    answer: Mapping[str, Any]
    value: Any

    def written(self, value: object) -> dict[str, Any]:
        """Return the answer with another value in its place."""
        if "json" in self.answer:
            return {**self.answer, "json": value}
        if not _SCRIPT.search(self.answer["text"]):
            return {**self.answer, "text": json.dumps(value)}
        script = json.dumps(value).replace("<", "\\u003c")
        text = _SCRIPT.sub(lambda found: found[1] + script + found[3], self.answer["text"], count=1)
        return {**self.answer, "text": text}


def documents(told: Case) -> list[Document]:
    """Return the JSON documents of a case."""
    found = [
        Document(path, answer, json_of(answer))
        for path, answer in told.answers.items()
        if "json" in answer or "html" in answer.get("type", "")
    ]
    return [one for one in found if one.value is not None]


def json_of(answer: Mapping[str, Any]) -> Any:
    """Return the JSON of an answer, or in a script of it; None if there is none."""
    if "json" in answer:
        return answer["json"]
    encoding = "utf-16" if "utf-16" in answer.get("type", "") else "utf-8"
    text = body_of(answer).decode(encoding, errors="replace")
    script = _SCRIPT.search(text) if "html" in answer.get("type", "") else None
    try:
        return json.loads(script[2] if script else text, strict=False)
    except ValueError:
        return None


def is_xml(answer: Mapping[str, Any]) -> bool:
    """Whether an answer is XML."""
    return "xml" in answer.get("type", "")


def places(value: object, here: Path = ()) -> Iterator[Path]:
    """Yield where anything is in a document, itself excepted."""
    items = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    for key, child in items:
        yield (*here, key)
        yield from places(child, (*here, key))


def at(value: Any, place: Path) -> Any:
    """Return what is at a place."""
    for key in place:
        value = value[key]
    return value


def replaced(value: Any, place: Path, new: object) -> Any:
    """Return a copy with something else at a place."""
    if not place:
        return new
    copy = deepcopy(value)
    at(copy, place[:-1])[place[-1]] = new
    return copy


def oddities(found: Conclusion) -> list[str]:
    """Name what no page may bring about, whatever it says."""
    texts = {
        **{f"component of {one.component!r}": one.component for one in found.statuses},
        **{f"raw of {one.component!r}": one.raw for one in found.statuses},
    }
    for one in found.incidents:
        texts |= {f"{name} of {one}": getattr(one, name) for name in _SHORT}
        texts |= {f"component of {one}": name for name in one.components}
        for update in one.updates:
            texts |= {f"{update}": update.update_id, f"{update} status": update.status}
    odd = [f"long {name}" for name, text in texts.items() if len(text) > _LONGEST]
    odd += [f"unprintable {name}" for name, text in texts.items() if not text.isprintable()]
    bodies = [update.body for one in found.incidents for update in one.updates]
    odd += [f"body {body!r}" for body in bodies if len(body) > _LONGEST_BODY]
    odd += [f"body {body!r}" for body in bodies if not body.replace("\n", "").isprintable()]
    urls = [one.url for one in found.incidents if one.url is not None]
    odd += [f"url {url!r}" for url in urls if not re.fullmatch(r"https?://[^\s\"'<>]{1,500}", url)]
    times = chain.from_iterable(
        [one.started_at, one.published_at, one.updated_at, one.resolved_at]
        + [update.at for update in one.updates]
        for one in found.incidents
    )
    odd += [f"time {time}" for time in times if not _is_utc(time)]
    odd += [
        f"open and not begun: {one}"
        for one in found.incidents
        if one.phase is not IncidentPhase.SCHEDULED and one.started_at > NOW
    ]
    odd += _repeated([one.incident_id for one in found.incidents])
    odd += _repeated([one.component for one in found.statuses])
    for one in found.incidents:
        odd += _repeated([update.update_id for update in one.updates])
    odd += [f"{one}" for one in found.statuses if (one.level is None) != (one.cause is not None)]
    if len(found.statuses) > _MOST or len(found.incidents) > _MOST:
        odd.append("too much of it")
    return odd


_SHORT = ("incident_id", "title", "impact", "status")
_LONGEST = 500
_LONGEST_BODY = 2_000
_MOST = 250


def _is_utc(time: datetime | None) -> bool:
    return time is None or (time.tzinfo is UTC and time.year >= 2000)


def _repeated(keys: list[str]) -> list[str]:
    return [f"twice: {key!r}" for key in set(keys) if keys.count(key) > 1]
