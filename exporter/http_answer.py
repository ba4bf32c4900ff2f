"""What a web server answered: unpacked within limits, then decoded or sorted into an error."""

import re
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, timedelta
from email.utils import parsedate_to_datetime
from typing import TypeVar

import msgspec
from urllib3 import BaseHTTPResponse

from exporter.errors import RefusedRequestError, SourceError, TransientError
from exporter.log import Redactor, redact
from exporter.nesting import is_nested_too_deep

T = TypeVar("T")

_CHUNK_BYTES = 65_536
_UNSUSPICIOUS_BYTES = 1024 * 1024
_HIGHEST_RATIO = 100
_LONGEST_REST = timedelta(minutes=15)
_USUAL_REST = timedelta(minutes=1)
# Asking again at once is of no use, and may lock the key.
_KEPT_REFUSALS = {
    401: ("key_refused", _LONGEST_REST),
    402: ("payment_required", _LONGEST_REST),
    403: ("key_refused", _LONGEST_REST),
}
_LONGEST_QUOTE = 200
_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)?")
_JSON_TYPE = re.compile(r"(?:application|text)/json|application/[\w.-]+\+json", re.ASCII)


class TryAgainError(TransientError):
    """The service stumbled; the same request may succeed in a second."""


class UnreadableAnswerError(TransientError):
    """An answer came, and nothing can be made of it: an error page, or half of what was sent."""


@dataclass(frozen=True, slots=True)
class Place:
    """What was asked, as a message names it; `sent` is what a message must not repeat."""

    name: str
    sent: Sequence[str] = ()

    def __str__(self) -> str:
        """Return the name."""
        return self.name

    def quoted(self, text: str) -> str:
        """Return a service's words as they may stand in a message."""
        return clean(text, hidden=self.sent)


def clean(text: str, *, hidden: Iterable[str] = ()) -> str:
    """Return foreign words as they may stand in a message: one line, no secret, not long."""
    # First the characters: one that nobody sees could keep a secret from being recognised.
    line = "".join(
        letter if letter.isprintable() else " " if letter.isspace() else "" for letter in text
    )
    ours = Redactor()
    ours.learn(hidden)
    return redact(ours.literally(line)).strip()[:_LONGEST_QUOTE]


def unpacked(response: BaseHTTPResponse, place: Place, max_bytes: int) -> bytes:
    """Read the body, as much of it as is sane.

    Raises:
        UnreadableAnswerError: it is too large, inflates too much, or cannot be unpacked.
    """
    packing = response.headers.get("Content-Encoding", "").strip().lower()
    if packing not in ("", "identity", "gzip", "x-gzip"):
        raise UnreadableAnswerError(f"{place} answered in an encoding that we did not ask for")
    inflate = zlib.decompressobj(16 + zlib.MAX_WBITS) if "gzip" in packing else None
    received = 0
    body = bytearray()
    for chunk in response.stream(_CHUNK_BYTES, decode_content=False):
        received += len(chunk)
        limit = min(max_bytes, max(_UNSUSPICIOUS_BYTES, received * _HIGHEST_RATIO))
        try:
            body += inflate.decompress(chunk, limit - len(body) + 1) if inflate else chunk
        except zlib.error:
            raise UnreadableAnswerError(f"{place} answered with broken gzip") from None
        if len(body) > limit:
            raise UnreadableAnswerError(
                f"{place} answered with more than {limit} bytes, {received} of them on the wire"
            )
        if inflate and inflate.unused_data:
            raise UnreadableAnswerError(f"{place} answered with more behind its gzip")
    if inflate and not inflate.eof:
        raise UnreadableAnswerError(f"{place} answered with truncated gzip")
    return bytes(body)


def decoded(
    body: bytes, headers: Mapping[str, str], decoder: msgspec.json.Decoder[T], place: Place
) -> T:
    """Return the body as what the caller knows.

    Raises:
        UnreadableAnswerError: it is no JSON; an error page, for example.
        SourceError: it is, and does not fit.
    """
    kind, _, parameters = headers.get("Content-Type", "").partition(";")
    kind = kind.strip()
    if not _JSON_TYPE.fullmatch(kind.lower()):
        raise UnreadableAnswerError(
            f"{place} answered with {place.quoted(kind) or 'no content type'}, not JSON"
        )
    charset = "utf-16" if "utf-16" in parameters.lower() else "utf-8"
    try:
        text = str(body, charset)  # the decoder passes over broken bytes in fields we do not read
        if is_nested_too_deep(text):
            raise UnreadableAnswerError(f"{place} answered with JSON nested too deep")
        try:
            return decoder.decode(text)
        except msgspec.ValidationError as misfit:
            msgspec.json.decode(text, type=msgspec.Raw)  # is it well-formed to its end?
            raise SourceError(
                f"{place} answered with JSON that is not what we know: {place.quoted(str(misfit))}",
                reason="answer_changed",
            ) from None
    except UnicodeDecodeError:
        problem = f"bytes that are not {charset.upper()}"
    except msgspec.DecodeError as error:
        problem = f"no JSON: {place.quoted(str(error))}"
    raise UnreadableAnswerError(f"{place} answered with {problem}")


def refusal(
    status: int, headers: Mapping[str, str], body: bytes, place: Place
) -> TransientError | SourceError:
    """Return the error that a status means, with the service's own words."""
    said = place.quoted(_words(body))
    message = f"{place} answered with {status}" + (f": {said}" if said else "")
    rest = _rest(headers)
    if status == 429:
        return TransientError(message, rest=_USUAL_REST if rest is None else rest)
    if status in (408, 425) or not 300 <= status <= 499:
        return TryAgainError(message, rest=rest)
    if status <= 399:
        message += ", a redirect, which is not followed; is the address right?"
        return RefusedRequestError(message, reason="redirected", status=status)
    reason, rest = _KEPT_REFUSALS.get(status, ("request_refused", None))
    return RefusedRequestError(message, reason=reason, status=status, rest=rest)


def _rest(headers: Mapping[str, str]) -> timedelta | None:
    """Return how long we are asked to wait, within reason; a date counts from the server's own."""
    milliseconds = _NUMBER.fullmatch(headers.get("Retry-After-Ms", "").strip())
    after = headers.get("Retry-After", "").strip()
    if milliseconds:
        wait = float(milliseconds[0]) / 1000
    elif _NUMBER.fullmatch(after):
        wait = float(after)
    else:
        try:
            until, now = (
                parsedate_to_datetime(text).replace(tzinfo=UTC)
                for text in (after, headers.get("Date", ""))
            )
        except (ValueError, TypeError, IndexError, OverflowError):
            return None
        wait = (until - now).total_seconds()
    return timedelta(seconds=min(max(wait, 0), _LONGEST_REST.total_seconds()))


def _words(body: bytes) -> str:
    try:
        text = str(body, "utf-8")
        found = None if is_nested_too_deep(text) else msgspec.json.decode(text)
    except ValueError:
        return ""
    match found:
        case {"error": {"message": str(text)}} | {"error": str(text)} | {"message": str(text)}:
            return text
        case _:
            return ""
