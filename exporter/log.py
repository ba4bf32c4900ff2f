"""JSON lines: one event per line, facts as fields, no secret in any of them."""

import base64
import json
import logging
import math
import re
import sys
import traceback
from collections import deque
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from urllib.parse import quote, quote_plus

_PLAIN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_PATTERNS = re.compile(
    r"(?P<keep>://[^/\s:@]*:)[^@\s/]+(?=@)"  # user:password@ in any URL
    r"|(?P<keep2>\b(?:Bearer|Basic)\s+)[A-Za-z0-9._~+/=-]{6,}"
    r"|(?P<keep3>\b(?:password|passwd|pwd|token|api[_-]?key|secret)[\"']?\s*[=:]\s*[\"']?)"
    r"[^\s,;&'\"}]+"
    r"|\bsk-[A-Za-z0-9_-]{8,}|\bAIza[A-Za-z0-9_-]{20,}",
    re.IGNORECASE,
)
HIDDEN = "[hidden]"
_SHORTEST_SECRET = 4  # shorter ones would hide ordinary words


class Redactor:
    """Hides configured secrets, in every form they take, and what looks like one."""

    def __init__(self) -> None:
        # The configuration in force and those before it: a connection may still hold the old one.
        self._generations: deque[set[str]] = deque(maxlen=3)
        self._secrets: re.Pattern[str] | None = None

    def learn(self, secrets: Iterable[str]) -> None:
        """Hide these literally from now on, and for a while those learnt before."""
        forms: set[str] = set()
        for secret in secrets:
            if len(secret) < _SHORTEST_SECRET:
                continue
            forms |= _forms(secret)
        if forms not in self._generations:
            self._generations.append(forms)
        hidden = set().union(*self._generations)
        longest_first = sorted(map(re.escape, hidden), key=len, reverse=True)
        self._secrets = re.compile("|".join(longest_first)) if longest_first else None

    def literally(self, text: str) -> str:
        """Return a text of our own with configured secrets hidden, and nothing else."""
        return text if self._secrets is None else self._secrets.sub(HIDDEN, text)

    def __call__(self, text: str) -> str:
        """Return the text with secrets hidden; call it before truncating."""
        return _PATTERNS.sub(
            lambda match: (match["keep"] or match["keep2"] or match["keep3"] or "") + HIDDEN,
            self.literally(text),
        )


def _forms(secret: str) -> set[str]:
    """Return how a secret looks in an address, a header, a representation, in JSON."""
    raw = secret.encode(errors="surrogatepass")
    return {
        secret,
        quote(raw, safe=""),
        quote(raw),
        quote_plus(raw),
        base64.b64encode(raw).decode(),
        repr(secret)[1:-1],
        repr(repr(secret)[1:-1])[1:-1],
        repr(repr(secret))[2:-2],
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
    }


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
            "event": _message(record),
        }
        line |= {key: value for key, value in vars(record).items() if key not in _PLAIN}
        if record.exc_info:
            line["traceback"] = "".join(traceback.format_exception(*record.exc_info))
        return json.dumps(_redacted(line), ensure_ascii=False).encode(errors="replace").decode()


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except (TypeError, ValueError) as error:
        return f"{record.msg} (cannot be formatted: {error})"


def _redacted(value: object) -> object:
    match value:
        case float() if not math.isfinite(value):
            return str(value)
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
    # That a poll takes longer than its interval is no news: it says so itself when it ends.
    logging.getLogger("apscheduler").setLevel(logging.ERROR)
    logging.getLogger("psycopg.pool").setLevel(logging.ERROR)  # a poll says it, once
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
