"""What passes between a simulated provider's server and its dialect: requests and answers."""

import base64
import binascii
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

import msgspec

# Exact: a Decimal becomes a JSON number with all its digits.
_ENCODER = msgspec.json.Encoder(decimal_format="number")
PAGE_PREFIX = "page_"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request as it came in; header names are in lower case."""

    method: str
    path: str
    query: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What is sent back: a JSON body, unless it is bytes already."""

    body: Mapping[str, object] | bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)

    def encoded(self) -> bytes:
        """Return the body as it goes over the wire."""
        return self.body if isinstance(self.body, bytes) else _ENCODER.encode(self.body)


class RefusalError(Exception):
    """The dialect refuses a request; it puts the words into its own error body."""

    def __init__(
        self, status: int, message: str, *, param: str | None = None, code: str | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.param = param
        self.code = code


class Api(Protocol):
    """A provider's dialect."""

    def answer(self, request: Request, now: datetime) -> Answer:
        """Answer a request at a moment."""

    def refuse(self, status: int, message: str) -> Answer:
        """Return an error in the dialect's own words."""


def tagged(request: Request, answer: Answer) -> Answer:
    """Return an answer with the tag of its content; 304 to a reader who has that already."""
    body = answer.encoded()
    tag = f'W/"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = {**answer.headers, "ETag": tag}
    known = request.headers.get("if-none-match", "").split(",")
    if tag in (one.strip() for one in known):
        return Answer(status=304, headers=headers)
    return Answer(status=answer.status, body=body, headers=headers)


def one(request: Request, name: str, default: str | None = None) -> str | None:
    """Return a parameter that may be given once."""
    values = request.query.get(name, ())
    if len(values) > 1:
        raise RefusalError(400, f"Parameter '{name}' was given more than once.", param=name)
    return values[0] if values else default


def bounded(request: Request, name: str, default: int, most: int, *, least: int = 1) -> int:
    """Return a whole number between `least` and `most`."""
    text = one(request, name)
    if text is None:
        return default
    if not text.isascii() or not text.isdecimal() or not least <= int(text) <= most:
        message = f"Invalid value for '{name}': expected an integer from {least} to {most}."
        raise RefusalError(400, message, param=name, code="invalid_value")
    return int(text)


def allow_only(request: Request, names: frozenset[str]) -> None:
    """Refuse parameters the endpoint does not know: a reader's typo must not pass unseen."""
    for name in request.query:
        if name not in names:
            raise RefusalError(
                400, f"Unknown parameter: '{name}'.", param=name, code="unknown_parameter"
            )


def page_token(request: Request, position: str) -> str:
    """Return the token of a page, good only together with the request's other parameters."""
    plain = f"{position}|{_fingerprint(request)}".encode()
    return PAGE_PREFIX + base64.urlsafe_b64encode(plain).decode().rstrip("=")


def page_position(request: Request) -> str | None:
    """Return the position in the request's page token, None on the first page."""
    token = one(request, "page")
    if token is None:
        return None
    packed = token.removeprefix(PAGE_PREFIX)
    try:
        plain = base64.urlsafe_b64decode(packed + "=" * (-len(packed) % 4)).decode()
    except (binascii.Error, ValueError):
        plain = ""
    position, _, fingerprint = plain.rpartition("|")
    if fingerprint != _fingerprint(request):
        message = "Invalid 'page': not a token of a request with these parameters."
        raise RefusalError(400, message, param="page", code="invalid_value")
    return position


def _fingerprint(request: Request) -> str:
    others = sorted((name, values) for name, values in request.query.items() if name != "page")
    return hashlib.sha256(repr((request.path, others)).encode()).hexdigest()[:12]
