"""What a sender of spans is answered, in the encoding that it speaks.

Source: https://opentelemetry.io/docs/specs/otlp/#otlphttp-response
"""

import json
from collections.abc import Mapping

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTracePartialSuccess,
    ExportTraceServiceResponse,
)

from exporter.receivers.intake import Receipt

PROTOBUF, JSON = "application/x-protobuf", "application/json"
# google.rpc.Code
_CODES = {400: 3, 401: 16, 403: 7, 404: 12, 413: 3, 415: 3, 429: 8, 503: 14}


def stored(receipt: Receipt, content_type: str) -> bytes:
    """Return the answer to spans that were stored, and to those of them that were rejected."""
    reasons = "; ".join(receipt.notes)
    if content_type == PROTOBUF:
        answer = ExportTraceServiceResponse()
        if receipt.rejected:
            answer.partial_success.CopyFrom(
                ExportTracePartialSuccess(rejected_spans=receipt.rejected, error_message=reasons)
            )
        return answer.SerializeToString()
    partial: Mapping[str, object] = (
        {"partialSuccess": {"rejectedSpans": str(receipt.rejected), "errorMessage": reasons}}
        if receipt.rejected
        else {}
    )
    return json.dumps(partial).encode()


def refused(status: int, message: str, content_type: str) -> bytes:
    """Return a google.rpc.Status, the body of every answer that is no success."""
    code = _CODES.get(status, 2)
    if content_type != PROTOBUF:
        return json.dumps({"code": code, "message": message}).encode()
    text = message.encode()
    return b"\x08" + _varint(code) + b"\x12" + _varint(len(text)) + text


def _varint(number: int) -> bytes:
    found = bytearray()
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    found.append(number)
    return bytes(found)
