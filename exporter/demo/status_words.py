"""Words that status pages of all platforms use: headlines, times, ids."""

import hashlib
from datetime import UTC, datetime

from exporter.demo.outages import Impact
from exporter.demo.published_status import PublishedStatus
from exporter.demo.workflow_model import Json

_ULID_LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_SHORT_LETTERS = "0123456789bcdfghjklmnpqrstvwxyz"
_HEADLINES = {
    None: "All Systems Operational",
    Impact.MINOR: "Minor Service Outage",
    Impact.MAJOR: "Partial System Outage",
    Impact.CRITICAL: "Major Service Outage",
}


def headline(status: PublishedStatus) -> Json:
    """Return `status`: the page in a word and in a sentence."""
    impact = status.impact
    indicator = "none" if impact is None else impact.name.lower()
    return {"indicator": indicator, "description": _HEADLINES[impact]}


def time_of(at: datetime | None) -> str | None:
    """Return a time as pages write it; None is null."""
    if at is None:
        return None
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def short_id(about: str) -> str:
    """Return an id of 12 small letters and digits; the same thing has the same."""
    digest = hashlib.sha256(about.encode()).digest()
    return _letters(int.from_bytes(digest, "big"), _SHORT_LETTERS, 12)


def ulid(at: datetime, about: str) -> str:
    """Return an id of 26 letters: the milliseconds of its time, then what looks like chance."""
    digest = hashlib.sha256(about.encode()).digest()
    chance = _letters(int.from_bytes(digest, "big"), _ULID_LETTERS, 16)
    return _letters(round(at.timestamp() * 1000), _ULID_LETTERS, 10) + chance


def _letters(number: int, alphabet: str, length: int) -> str:
    letters = []
    for _ in range(length):
        number, place = divmod(number, len(alphabet))
        letters.append(alphabet[place])
    return "".join(reversed(letters))
