"""The words by which feeds say where an incident stands."""

import re
from dataclasses import dataclass

from exporter.records import IncidentPhase

_CLOSED = r"(?:resolved|recovered|restored|operational|mitigated|back up)"
_CLOSED_WORD = re.compile(rf"\b{_CLOSED}\b", re.IGNORECASE)
_CLOSED_TITLE = re.compile(
    rf"(?:^|[\[(:]\s*|\s[-–—]\s+){_CLOSED}(?:\s*[\])(:]|\s+[-–—]\s|\s*$)", re.IGNORECASE
)
_ENDED = ("completed", "postmortem")
_STATES = (
    "investigating|identified|monitoring|update|ongoing|active|scheduled|in progress|verifying"
    "|resolved|recovered|restored|operational|mitigated|completed|postmortem"
)
_HEADING = re.compile(
    rf"\W*(?:{_STATES}|outage|incident|notice|degraded|maintenance)\W*", re.IGNORECASE
)
_EXPLICIT = re.compile(
    rf"\bstatus\s*:\s*([a-z][a-z _-]*)|^\W*({_STATES})\s*(?:[-–—:]|$)",
    re.IGNORECASE | re.MULTILINE,
)
_PLANNED = re.compile(r"\b(?:maintenance|scheduled|planned)\b", re.IGNORECASE)
_PLANNED_TITLE = re.compile(
    r"^\W*maintenance\b|\bmaintenance\W*$|\b(?:scheduled|planned|emergency) maintenance\b",
    re.IGNORECASE,
)
_PLANNED_WORDS = ("in progress", "verifying", "completed")
_NOT_YET = {
    *("not", "no", "never", "non", "cannot", "until", "once", "when", "if", "unless", "will"),
    *("be", "being", "partially", "partly", "nearly", "almost", "expected"),
}
_IN_PART = {"some", "most", "many", "several"}
_WHOLLY = {"all", "fully", "now", "again", "back"}


@dataclass(frozen=True, slots=True)
class Said:
    """What an item says of its incident."""

    word: str  # "" if none that we know
    phase: IncidentPhase
    is_maintenance: bool


def said(title: str, text: str) -> Said:
    """Return what an item says: its title first, then a stated status or heading, then prose."""
    explicit = _EXPLICIT.search(text)
    word, is_over = "", True
    if has_closed_title(title):
        word = "resolved"
    elif explicit is not None:
        word = (explicit[1] or explicit[2]).strip().lower()
        is_over = word in _ENDED or is_told_over(word)
    elif is_told_over(text):
        word = "resolved"
    else:
        is_over = False
    phase = IncidentPhase.SCHEDULED if word.startswith("scheduled") else IncidentPhase.OPEN
    return Said(
        word,
        IncidentPhase.RESOLVED if is_over else phase,
        _PLANNED_TITLE.search(title) is not None
        or word.startswith(("scheduled", "maintenance"))
        or (word in _PLANNED_WORDS and _PLANNED.search(f"{title}\n{text}") is not None),
    )


def has_closed_title(title: str) -> bool:
    """Whether a title says of itself that all is over: `[RESOLVED] …`, `… - Mitigated`."""
    return _CLOSED_TITLE.search(title) is not None


def is_heading(text: str) -> bool:
    """Whether a text is nothing but a word for a state."""
    return _HEADING.fullmatch(text) is not None


def is_told_over(text: str) -> bool:
    """Whether prose says that something is over, and not that it will be, or is in part.

    The first mention decides: feeds put the newest first.
    """
    found = _CLOSED_WORD.search(text)
    if found is None:
        return False
    sentence = re.split(r"[.!?;\n]", text[: found.start()])[-1]
    before = [word.strip("'\"(),:-–—") for word in sentence.lower().replace("’", "'").split()][-5:]
    is_open = any(word in _NOT_YET or word.endswith("n't") for word in before)
    if found[0].lower() == "operational":  # else it may be said of a part, or of a team
        is_open |= bool(before) and _WHOLLY.isdisjoint(before)
    return not (is_open or not _IN_PART.isdisjoint(before[-3:]))
