"""Words as pages state them → ours: plain text of bounded length, UTC times, safe addresses."""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from html import unescape

from exporter.http_answer import clean
from exporter.records import StatusLevel

_LONGEST_TEXT = 2_000
_LONGEST_SOURCE = 50_000
_LONGEST_URL = 500
_LONGEST_TIME = 100
_OLDEST = datetime(2000, 1, 1, tzinfo=UTC)
_FRACTION = re.compile(r"\.(\d{6})\d+")
_BLANKS = re.compile(r"[ \t\r\f\v\xa0]+")
_LINES = re.compile(r"\s*\n\s*")
_BLOCKS = frozenset({"p", "br", "div", "li", "ul", "ol", "tr", "h1", "h2", "h3", "h4"})
_MARKUP = re.compile(
    r"(?P<comment><!--)|<(?P<end>/?)(?P<tag>[a-zA-Z][a-zA-Z0-9]*+)[^<>]*+>|<[!?][^<>]*+>"
)
_COMMENT_ENDS = re.compile("-->")
_ENDS = {
    tag: re.compile(rf"</{tag}\b[^<>]*+>", re.IGNORECASE)
    for tag in ("script", "style", "head", "template")
}
_HUGE_REFERENCE = re.compile(r"&#[0-9a-fA-FxX]{9,}+;?")


def title(text: str | None) -> str:
    """Return a heading: one line, without markup."""
    return clean(body(text).replace("\n", " "))


def body(text: str | None) -> str:
    """Return a longer text without markup, cut to 2,000 characters."""
    seen = _without_markup((text or "")[:_LONGEST_SOURCE])
    spelled = unescape(_HUGE_REFERENCE.sub("", seen))
    kept = "".join(c for c in spelled if c.isprintable() or c in "\n\t\xa0")
    return _LINES.sub("\n", _BLANKS.sub(" ", kept)).strip()[:_LONGEST_TEXT]


def _without_markup(text: str) -> str:
    """Return what a browser would show of it, more or less.

    The library's parser takes seconds for some texts and raises for others.
    """
    parts, at = [], 0
    while found := _MARKUP.search(text, at):
        parts.append(text[at : found.start()])
        at = found.end()
        tag = (found["tag"] or "").lower()
        if tag in _BLOCKS:
            parts.append("\n")
        ends = _COMMENT_ENDS if found["comment"] else None if found["end"] else _ENDS.get(tag)
        if ends is not None:
            end = ends.search(text, at)
            at = end.end() if end else len(text)
    return "".join([*parts, text[at:]])


def link(url: str | None) -> str | None:
    """Return an address that may become a link; None for anything but http(s)."""
    url = (url or "").strip()
    is_safe = re.fullmatch(r"https?://[!-~]+", url) and not set(url) & set("\"'<>`\\{}")
    return url if is_safe and len(url) <= _LONGEST_URL else None


def time(stated: str | int | float | None) -> datetime | None:
    """Return a time in UTC: of ISO 8601, RFC 2822 or epoch seconds; None if it is none of them.

    Zones that RFC 2822 does not know (PST is known, a bare `Z` too) count as UTC.
    """
    if isinstance(stated, str):
        stated = stated.strip()[:_LONGEST_TIME]
        stated = int(stated) if stated.isdecimal() else stated
    try:
        match stated:
            case bool() | None:
                return None
            case int() | float():
                found = datetime.fromtimestamp(stated, UTC)
            case str() if re.match(r"\d{4}-", stated):
                found = datetime.fromisoformat(_FRACTION.sub(r".\1", stated))
            case str():
                found = parsedate_to_datetime(stated)
        found = found.replace(tzinfo=found.tzinfo or UTC).astimezone(UTC)
    except (ValueError, TypeError, OverflowError, OSError, IndexError):
        return None
    return found if found >= _OLDEST else None


def newest(times: Iterable[datetime | None]) -> datetime | None:
    """Return the newest of the times that are known."""
    return max((one for one in times if one is not None), default=None)


def level(words: Mapping[str, StatusLevel], word: object) -> StatusLevel | None:
    """Return what a page's word means; None for none, and for one that is not among `words`."""
    return None if word is None else words.get(str(word).strip().lower())


def worst(levels: Iterable[StatusLevel | None]) -> StatusLevel:
    """Return the worst level that is known; operational if none is."""
    return max((one for one in levels if one is not None), default=StatusLevel.OPERATIONAL)


def together(levels: Iterable[StatusLevel | None]) -> StatusLevel | None:
    """Return what several statements come to: bad news holds, good news needs all to be known."""
    known = list(levels)
    found = worst(known)
    return None if None in known and found < StatusLevel.DEGRADED else found
