"""How a span ended: well, in an error, or canceled; with the type, message and stack of it."""

import re
from dataclasses import dataclass

from exporter.receivers.traces.attribute_values import text
from exporter.records import ExecutionStatus, Span, SpanEvent

LONGEST_STACK = 8_000
_LONGEST_MESSAGE = 4_000
_CANCELED = frozenset(
    {
        "AbortError",
        "Canceled",
        "CancelledError",
        "CanceledError",
        "CancellationException",
        "OperationCanceledException",
        "TaskCanceledException",
        "cancelled",
        "canceled",
        "workflow_cancelled",
    }
)
# Of these classes, the provider's own code or the HTTP status says more.
_VAGUE = frozenset(
    {"APIError", "APIStatusError", "ClientError", "Error", "Exception", "HTTPStatusError", "_OTHER"}
)
_COARSE = _VAGUE | {
    "APIResponseValidationError",
    "BadRequestError",
    "InternalServerError",
    "UnprocessableEntityError",
    "api_error",
    "invalid_request_error",
}
# What providers only say in words.
_WORDS = (
    (
        re.compile(r"maximum context length|prompt is too long|context window", re.I),
        "context_length_exceeded",
    ),
    (
        re.compile(r"content management policy|safety system|content[_ ]policy", re.I),
        "content_filter",
    ),
)
_CODE = re.compile(r"""['"](?:code|type)['"]\s*:\s*['"]([a-z][a-z_]{3,60})['"]""")
_CODES_OF_ANYTHING = frozenset({"error", "invalid_request_error", "api_error", "server_error"})
_HTTP_STATUS = re.compile(r"\b(?:[Ee]rror code|[Ss]tatus(?: code)?)\s*[:=]?\s*([45]\d\d)\b")


@dataclass(frozen=True, slots=True)
class Failure:
    """What went wrong."""

    error_type: str | None
    message: str | None
    stack: str | None

    @property
    def status(self) -> ExecutionStatus:
        """Return the status that it makes."""
        name = (self.error_type or "").rpartition(".")[2]
        return ExecutionStatus.CANCELED if name in _CANCELED else ExecutionStatus.ERROR


def failure_of(span: Span) -> Failure | None:
    """Return what went wrong in a span; None: it ended well, whatever it recorded on the way."""
    said = text(
        span.attributes, "error.type", "n8n.execution.error_type", "n8n.node.termination_reason"
    )
    if not span.is_error and said is None:
        return None
    event = next((event for event in reversed(span.events) if event.name == "exception"), None)
    found = _text(event, "exception.message")
    return Failure(
        error_type=said or (text(event.attributes, "exception.type") if event else None),
        message=found or _cut(span.status_message) or _error_message(span),
        stack=shortened(_text(event, "exception.stacktrace")),
    )


def call_error_type(span: Span, failure: Failure) -> str | None:
    """Return what class of error a model call met, as exactly as the span tells."""
    name, message = failure.error_type, failure.message or ""
    if name is not None and name.rpartition(".")[2] not in _COARSE:
        return name
    codes = [code for code in _CODE.findall(message) if code not in _CODES_OF_ANYTHING]
    codes += [code for pattern, code in _WORDS if pattern.search(message)]
    if codes:
        return str(codes[0])
    if name is not None and name.rpartition(".")[2] not in _VAGUE:
        return name
    status = text(span.attributes, "http.response.status_code", "http.status_code")
    if status is None and (found := _HTTP_STATUS.search(message)):
        status = found[1]
    return status or name


def is_coarse(name: str) -> bool:
    """Whether a class of errors says little of what happened."""
    return name.rpartition(".")[2] in _COARSE


def shortened(stack: str | None) -> str | None:
    """Cut a stack in its middle: its two ends tell where it began and where it broke."""
    if stack is None or len(stack) <= LONGEST_STACK:
        return stack
    kept = LONGEST_STACK // 2 - 10
    return f"{stack[:kept]}\n…\n{stack[-kept:]}"


def _text(event: SpanEvent | None, key: str) -> str | None:
    value = event.attributes.get(key) if event else None
    return value or None if isinstance(value, str) else None


def _error_message(span: Span) -> str | None:
    value = span.attributes.get("error.message")
    return _cut(value) if isinstance(value, str) else None


def _cut(message: str | None) -> str | None:
    return message[:_LONGEST_MESSAGE] or None if message else None
