"""JSON lines: one event per line, facts as fields, no secret in any of them."""

import base64
import logging
import re
import sys
import traceback
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from urllib.parse import quote

import msgspec

_PLAIN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_PATTERNS = re.compile(
    r"(?P<keep>://[^/\s:@]*:)[^@\s/]+(?=@)"  # user:password@ in any URL
    r"|(?P<keep2>\b(?:Bearer|Basic)\s+)[A-Za-z0-9._~+/=-]{6,}"
    r"|(?P<keep3>\b(?:password|passwd|pwd|token|api[_-]?key|secret)\s*[=:]\s*)[^\s,;&'\"}]+"
    r"|\bsk-[A-Za-z0-9_-]{8,}|\bAIza[A-Za-z0-9_-]{20,}",
    re.IGNORECASE,
)
HIDDEN = "[hidden]"
_SHORTEST_SECRET = 4  # shorter ones would hide ordinary words


class Redactor:
    """Hides configured secrets, in every form they take, and what looks like one."""

    def __init__(self) -> None:
        self._secrets: re.Pattern[str] | None = None

    def learn(self, secrets: Iterable[str]) -> None:
        """Replace the set of secrets that are hidden literally."""
        forms: set[str] = set()
        for secret in secrets:
            if len(secret) < _SHORTEST_SECRET:
                continue
            encoded = base64.b64encode(secret.encode()).decode()
            forms |= {secret, quote(secret, safe=""), quote(secret), encoded, repr(secret)[1:-1]}
            forms.add(msgspec.json.encode(secret).decode()[1:-1])
        longest_first = sorted(map(re.escape, forms), key=len, reverse=True)
        self._secrets = re.compile("|".join(longest_first)) if longest_first else None

    def __call__(self, text: str) -> str:
        """Return the text with secrets hidden; call it before truncating."""
        if self._secrets is not None:
            text = self._secrets.sub(HIDDEN, text)
        return _PATTERNS.sub(
            lambda match: (match["keep"] or match["keep2"] or match["keep3"] or "") + HIDDEN, text
        )


redact = Redactor()
"""The one redactor of the process."""


class JsonLines(logging.Formatter):
    """Formats a record as one JSON object: time, level, event, then its fields."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line; every text in it is redacted before it is encoded."""
        line: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
        }
        line |= {key: value for key, value in vars(record).items() if key not in _PLAIN}
        if record.exc_info:
            line["traceback"] = "".join(traceback.format_exception(*record.exc_info))
        return msgspec.json.encode(_redacted(line)).decode()


def _redacted(value: object) -> object:
    match value:
        case None | bool() | int() | float():
            return value
        case Mapping():
            return {redact(str(key)): _redacted(child) for key, child in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_redacted(child) for child in value]
        case _:
            return redact(str(value))


def configure(level: str = "INFO") -> None:
    """Send every logger of the process through the JSON formatter to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    for noisy in ("apscheduler", "urllib3", "uvicorn.access"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
