"""GET /v1/gate, without anything between the socket and the answer that it could wait for."""

import asyncio
import hmac
from collections.abc import Awaitable, Callable, MutableMapping
from datetime import UTC, datetime
from time import monotonic
from typing import Any, Protocol
from urllib.parse import parse_qsl

import msgspec

from exporter.errors import BadRequestError
from exporter.judges.gate import Answer, Gate, Question
from exporter.settings import Settings

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

PATH = "/v1/gate"
DESCRIPTION = {
    "get": {
        "summary": "Gate",
        "description": "Say whether a run or model call may go on, by budgets and rates; a query"
        " of: " + ", ".join(Question.__struct_fields__) + ". POST takes the same as JSON.",
    }
}
"""What /docs shows of it."""
_LONGEST_BODY = 1024 * 1024
_ENCODER = msgspec.json.Encoder(decimal_format="number")
_DECODER = msgspec.json.Decoder(Question)
_JSON = (b"content-type", b"application/json")


class Gated(Protocol):
    """What the route needs of the running exporter."""

    @property
    def settings(self) -> Settings: ...
    @property
    def gate(self) -> Gate: ...


class GateRoute:
    """The route: GET with a query, or POST with the same as JSON, for long texts."""

    def __init__(
        self, app: Gated, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._app = app
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        status, told = await self._answer(scope, receive)
        body = _ENCODER.encode(told)
        headers = [_JSON, (b"content-length", str(len(body)).encode())]
        if status == 401:
            headers.append((b"www-authenticate", b"Bearer"))
        if isinstance(told, Answer) and told.retry_after_seconds is not None:
            headers.append((b"retry-after", str(told.retry_after_seconds).encode()))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _answer(self, scope: Scope, receive: Receive) -> tuple[int, object]:
        gate = self._app.gate
        if not gate.settings.enabled:
            return 404, _said("the gate is switched off (gate.enabled in the configuration)")
        if not self._is_allowed(scope):
            return 401, _said("this needs the header Authorization: Bearer <web.token>")
        begun = monotonic()
        deadline = gate.settings.deadline.total_seconds()
        try:
            async with asyncio.timeout(deadline):
                question = await _question(scope, receive)
        except BadRequestError as error:
            return error.status, _said(str(error))
        except TimeoutError:
            return 200, gate.unanswered("the question did not come to its end in time")
        answer = gate.ask(question, self._clock())
        if monotonic() - begun > deadline:
            return 200, gate.unanswered("the answer was not found in time")
        return 200, answer

    def _is_allowed(self, scope: Scope) -> bool:
        token = self._app.settings.web.token
        if token is None:
            return True
        given = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
        scheme, _, word = given.partition(b" ")
        expected = token.get_secret_value().encode()
        return scheme.lower() == b"bearer" and hmac.compare_digest(word, expected)


def _said(detail: str) -> dict[str, str]:
    return {"detail": detail}


async def _question(scope: Scope, receive: Receive) -> Question:
    method = scope["method"]
    try:
        if method == "POST":
            question = _DECODER.decode(await _body(receive))
        elif method in ("GET", "HEAD"):
            pairs = parse_qsl(
                scope["query_string"].decode("latin-1"), keep_blank_values=False, max_num_fields=50
            )
            question = msgspec.convert(dict(pairs), Question, strict=False)
        else:
            raise BadRequestError("ask with GET or POST", status=405)
    except (msgspec.MsgspecError, UnicodeError, ValueError) as error:
        raise BadRequestError(
            f"the question is not understood: {error}; known: "
            + ", ".join(Question.__struct_fields__)
        ) from None
    for name in ("input_tokens", "max_output_tokens"):
        if (count := getattr(question, name)) is not None and not 0 <= count < 10**12:
            raise BadRequestError(f"{name}: {count} is no number of tokens")
    return question


async def _body(receive: Receive) -> bytes:
    pieces, size, is_more = [], 0, True
    while is_more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise BadRequestError("the sender left before the end of the question")
        pieces.append(piece := message.get("body", b""))
        is_more = message.get("more_body", False)
        if (size := size + len(piece)) > _LONGEST_BODY:
            raise BadRequestError(
                f"the question is larger than {_LONGEST_BODY} bytes; send input_tokens instead "
                "of input",
                status=413,
            )
    return b"".join(pieces)
