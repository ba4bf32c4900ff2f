"""The routes that take what is pushed: read within limits, answered once it is stored."""

import asyncio
import math
import zlib
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Any, Protocol

from fastapi import APIRouter, Depends, HTTPException, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse
from starlette.requests import ClientDisconnect

from exporter.errors import BadRequestError, NotNowError
from exporter.pushed.schema import executions_schema, outcomes_schema
from exporter.receivers.intake import Budget, Receipt
from exporter.receivers.traces import otlp_reply
from exporter.settings import ReceiversSettings

UNPACKED_TIMES = 4
"""How many times its size a body may be once it is unpacked, by `receivers.max_body`."""
_SLOWEST_BODY_SECONDS = 60.0
_PATIENCE_SECONDS = 30.0
_GZIP = 16 + zlib.MAX_WBITS
_PIECE_BYTES = 65_536
_LINES = "application/x-ndjson"


class Accepting(Protocol):
    """What a route needs of its receiver."""

    def accept(self, body: bytes, content_type: str) -> "Future[Receipt]":
        """Take a request, unpacked; BadRequestError or NotNowError: nothing of it is kept."""
        ...


class Receiving(Protocol):
    """What the routes need of the running exporter."""

    budget: Budget

    @property
    def is_ready(self) -> bool: ...
    def receiving(self) -> ReceiversSettings:
        """The settings that are in force."""
        ...

    def receiver(self, route: str) -> Accepting | None:
        """Return what takes the requests of a route; None: it is switched off."""
        ...


def routes(app: Receiving, authorized: Callable[..., object]) -> APIRouter:
    """Make the routes; each first asks `authorized`."""
    router = APIRouter(dependencies=[Depends(authorized)])

    @router.post(
        "/v1/traces", openapi_extra=_takes(otlp_reply.PROTOBUF, otlp_reply.JSON), status_code=200
    )
    async def traces(request: Request) -> Response:
        """Take OpenTelemetry spans: OTLP/HTTP, in protobuf or JSON, gzip or not."""
        content_type = _content_type(request)
        is_protobuf = content_type == otlp_reply.PROTOBUF
        answers_in = otlp_reply.PROTOBUF if is_protobuf else otlp_reply.JSON
        try:
            receipt = await _stored(app, "traces", request)
        except (BadRequestError, NotNowError) as error:
            body = otlp_reply.refused(error.status, str(error), answers_in)
            return Response(body, error.status, _headers(error), answers_in)
        return Response(otlp_reply.stored(receipt, answers_in), media_type=answers_in)

    @router.post(
        "/v1/executions",
        openapi_extra=_takes(otlp_reply.JSON, _LINES, schema=executions_schema()),
        status_code=200,
    )
    async def executions(request: Request) -> Response:
        """Take executions: one JSON object, a list of them, or one a line."""
        return await _told(app, "executions", request)

    @router.post(
        "/v1/outcomes",
        openapi_extra=_takes(otlp_reply.JSON, _LINES, schema=outcomes_schema()),
        status_code=200,
    )
    async def outcomes(request: Request) -> Response:
        """Take business results: one JSON object, a list of them, or one a line."""
        return await _told(app, "outcomes", request)

    return router


def _takes(*content_types: str, schema: Mapping[str, Any] | None = None) -> dict[str, Any]:
    content = {kind: {"schema": schema} if schema else {} for kind in content_types}
    return {"requestBody": {"required": True, "content": content}}


def _headers(error: BadRequestError | NotNowError) -> dict[str, str]:
    if isinstance(error, NotNowError):
        return {"Retry-After": str(math.ceil(error.rest.total_seconds()))}
    return {}


async def _told(app: Receiving, route: str, request: Request) -> Response:
    try:
        receipt = await _stored(app, route, request)
    except (BadRequestError, NotNowError) as error:
        raise HTTPException(error.status, str(error), _headers(error)) from None
    return JSONResponse({"accepted": receipt.accepted, "notes": receipt.notes})


def _content_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def _stored(app: Receiving, route: str, request: Request) -> Receipt:
    """Read the body, hand it over, and wait until it is stored."""
    receiver = app.receiver(route)
    if receiver is None:
        raise BadRequestError(
            f"/v1/{route} is switched off (receivers.*.enabled in the configuration)", status=404
        )
    if not app.is_ready:
        raise NotNowError("the exporter waits for its database; send it again")
    reservation = _Reservation(app.budget)
    try:
        body = await _body(request, app.receiving(), reservation)
        answer = await run_in_threadpool(receiver.accept, body, _content_type(request))
        waiting = asyncio.wrap_future(answer)
        done, _ = await asyncio.wait({waiting}, timeout=_PATIENCE_SECONDS)
        if not done:
            waiting.add_done_callback(lambda late: late.cancelled() or late.exception())
            raise NotNowError("it was not stored in time; send it again")
        return waiting.result()
    finally:
        reservation.end()


class _Reservation:
    """The bytes that one request takes of the budget."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._bytes = 0

    def grow(self, count: int) -> None:
        """Take more, or raise NotNowError."""
        self._budget.take(count)
        self._bytes += count

    def end(self) -> None:
        """Give everything back."""
        self._budget.give_back(self._bytes)
        self._bytes = 0


async def _body(request: Request, settings: ReceiversSettings, reservation: _Reservation) -> bytes:
    """Read a body as it comes, and unpack it; neither grows beyond its limit."""
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("gzip", "identity", ""):
        raise BadRequestError(
            f"Content-Encoding {encoding!r} is not known; send gzip or none", status=415
        )
    try:
        async with asyncio.timeout(_SLOWEST_BODY_SECONDS):
            packed = await _read(request, settings.max_body, reservation)
    except ClientDisconnect:
        raise BadRequestError("the sender left before the end of the body") from None
    except TimeoutError:
        raise BadRequestError("the body did not come to its end in time", status=408) from None
    if encoding != "gzip":
        return packed
    limit = UNPACKED_TIMES * settings.max_body
    return await run_in_threadpool(_unpacked, packed, limit, reservation)


async def _read(request: Request, limit: int, reservation: _Reservation) -> bytes:
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > limit:
        raise _too_large(limit)
    pieces = []
    size = 0
    async for piece in request.stream():
        size += len(piece)
        if size > limit:
            raise _too_large(limit)
        reservation.grow(len(piece))
        pieces.append(piece)
    return b"".join(pieces)


def _too_large(limit: int) -> BadRequestError:
    return BadRequestError(
        f"the body is larger than {limit} bytes; send less at a time, or raise receivers.max_body",
        status=413,
    )


def _unpacked(packed: bytes, limit: int, reservation: _Reservation) -> bytes:
    pieces = []
    size = 0
    try:
        while packed:
            member = zlib.decompressobj(_GZIP)
            while not member.eof:
                piece = member.decompress(packed, _PIECE_BYTES)
                size += len(piece)
                if size > limit:
                    raise _too_large(limit)
                if not piece and not member.eof:
                    raise BadRequestError("the gzip body ends before its end")
                reservation.grow(len(piece))
                pieces.append(piece)
                packed = member.unconsumed_tail
            packed = member.unused_data
    except zlib.error as error:
        raise BadRequestError(f"the body is no gzip: {error}") from None
    return b"".join(pieces)
