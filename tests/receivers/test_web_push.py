"""The routes that take what is pushed: limits, encodings, answers, and who may push."""

import gzip
import json
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

import pytest
from fastapi import FastAPI, HTTPException
from fastapi.testclient import TestClient
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from exporter import web_push
from exporter.errors import BadRequestError, NotNowError
from exporter.receivers.intake import Budget, Receipt
from exporter.settings import ReceiversSettings

PROTOBUF, JSON = "application/x-protobuf", "application/json"
LIMIT = 1024


@dataclass
class Stub:
    """What the routes need of the exporter, set by hand."""

    is_ready: bool = True
    outcome: Receipt | Exception = field(default_factory=lambda: Receipt(accepted=1))
    refuses: Exception | None = None
    is_switched_on: bool = True
    budget: Budget = field(default_factory=lambda: Budget(100_000))
    bodies: list[bytes] = field(default_factory=list)

    def receiving(self) -> ReceiversSettings:
        return ReceiversSettings(max_body=LIMIT)

    def receiver(self, route: str) -> "Stub | None":
        return self if self.is_switched_on else None

    def accept(self, body: bytes, content_type: str) -> "Future[Receipt]":
        if self.refuses:
            raise self.refuses
        self.bodies.append(body)
        answer: Future[Receipt] = Future()
        if isinstance(self.outcome, Exception):
            answer.set_exception(self.outcome)
        else:
            answer.set_result(self.outcome)
        return answer


def client_of(stub: Stub, authorized: Any = lambda: None) -> TestClient:
    app = FastAPI()
    app.include_router(web_push.routes(stub, authorized))
    return TestClient(app, raise_server_exceptions=False)


def post(stub: Stub, body: bytes, kind: str = PROTOBUF, **headers: str) -> Any:
    named = {"content-type": kind} | {
        name.replace("_", "-"): value for name, value in headers.items()
    }
    return client_of(stub).post("/v1/traces", content=body, headers=named)


def test_stored_spans_are_answered_in_the_encoding_they_came_in() -> None:
    stub = Stub()

    protobuf, text = post(stub, b"spans"), post(stub, b"{}", JSON)

    assert (protobuf.status_code, protobuf.headers["content-type"]) == (200, PROTOBUF)
    assert not ExportTraceServiceResponse.FromString(protobuf.content).HasField("partial_success")
    assert (text.status_code, text.json()) == (200, {})
    assert stub.bodies == [b"spans", b"{}"]


def test_rejected_spans_are_told_as_partial_success() -> None:
    stub = Stub(outcome=Receipt(accepted=1, rejected=2, notes=("no id",)))

    partial = ExportTraceServiceResponse.FromString(post(stub, b"x").content).partial_success

    assert (partial.rejected_spans, partial.error_message) == (2, "no id")
    assert post(stub, b"{}", JSON).json() == {
        "partialSuccess": {"rejectedSpans": "2", "errorMessage": "no id"}
    }


def test_a_gzip_body_arrives_unpacked_also_in_several_members() -> None:
    stub = Stub()

    assert post(
        stub, gzip.compress(b"sp") + gzip.compress(b"ans"), content_encoding="gzip"
    ).is_success
    assert stub.bodies == [b"spans"]


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"x" * (LIMIT + 1), {}, 413),
        (gzip.compress(b"x" * (4 * LIMIT + 1)), {"content_encoding": "gzip"}, 413),
        (b"no gzip", {"content_encoding": "gzip"}, 400),
        (gzip.compress(b"spans")[:-6], {"content_encoding": "gzip"}, 400),
        (gzip.compress(b"spans") + b"rest", {"content_encoding": "gzip"}, 400),
        (b"x", {"content_encoding": "br"}, 415),
    ],
    ids=["large", "large unpacked", "no gzip", "cut", "followed by more", "unknown encoding"],
)
def test_a_body_that_cannot_be_read_is_refused_and_changes_nothing(
    body: bytes, headers: dict[str, str], status: int
) -> None:
    stub = Stub()

    assert post(stub, body, **headers).status_code == status
    assert stub.bodies == []


def test_a_bomb_is_not_unpacked_beyond_the_limit() -> None:
    stub = Stub(budget=Budget(8 * LIMIT))
    bomb = gzip.compress(b"\0" * 800_000)
    assert len(bomb) < LIMIT

    assert post(stub, bomb, content_encoding="gzip").status_code == 413
    stub.budget.take(8 * LIMIT)  # all of it came back


def test_what_the_receiver_refuses_is_told_with_its_reason() -> None:
    answer = post(Stub(refuses=BadRequestError("no OTLP: bad tag")), b"x", JSON)

    assert answer.status_code == 400
    assert answer.json() == {"code": 3, "message": "no OTLP: bad tag"}


def test_a_refusal_in_protobuf_is_a_status_message() -> None:
    answer = post(Stub(refuses=BadRequestError("bad")), b"x")

    assert (answer.status_code, answer.headers["content-type"]) == (400, PROTOBUF)
    assert answer.content == b"\x08\x03\x12\x03bad"


@pytest.mark.parametrize(
    ("stub", "status"),
    [
        (Stub(outcome=NotNowError("no database")), 503),
        (Stub(is_ready=False), 503),
        (Stub(budget=Budget(3)), 429),
        (Stub(refuses=NotNowError("it ends")), 503),
    ],
)
def test_what_may_be_sent_again_is_told_when(stub: Stub, status: int) -> None:
    answer = post(stub, b"spans")

    assert answer.status_code == status
    assert int(answer.headers["retry-after"]) > 0


def test_a_request_gives_its_bytes_back() -> None:
    stub = Stub(budget=Budget(10))

    for _ in range(5):
        assert post(stub, b"0123456789").status_code == 200


def test_a_route_that_is_switched_off_says_where_to_switch_it_on() -> None:
    answer = post(Stub(is_switched_on=False), b"x", JSON)

    assert answer.status_code == 404
    assert "enabled" in answer.json()["message"]


def test_executions_are_answered_with_what_became_of_them() -> None:
    stub = Stub(outcome=Receipt(accepted=2, notes=("line 2: cost_uds is kept as an attribute",)))

    answer = client_of(stub).post("/v1/executions", content=b"{}", headers={"content-type": JSON})

    assert answer.json() == {"accepted": 2, "notes": ["line 2: cost_uds is kept as an attribute"]}


def test_executions_that_are_wrong_are_answered_with_the_place() -> None:
    stub = Stub(refuses=BadRequestError("line 1: status: unknown"))

    answer = client_of(stub).post("/v1/executions", content=b"{}", headers={"content-type": JSON})

    assert (answer.status_code, answer.json()) == (400, {"detail": "line 1: status: unknown"})


@pytest.mark.parametrize("path", ["/v1/traces", "/v1/executions", "/v1/outcomes"])
def test_who_may_not_push_is_refused_before_the_body_is_read(path: str) -> None:
    def refused() -> None:
        raise HTTPException(401, "no")

    stub = Stub()

    answer = client_of(stub, refused).post(path, content=b"x" * 10)

    assert answer.status_code == 401
    assert stub.bodies == []


def test_every_route_is_described() -> None:
    app = FastAPI()
    app.include_router(web_push.routes(Stub(), lambda: None))

    paths = json.loads(json.dumps(app.openapi()))["paths"]

    assert {path: bool(found["post"]["description"]) for path, found in paths.items()} == {
        "/v1/traces": True,
        "/v1/executions": True,
        "/v1/outcomes": True,
    }
