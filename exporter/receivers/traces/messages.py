"""What people and models wrote, as every dialect sends it → texts to read."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import msgspec

from exporter.records import Json, Span

Content = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Side:
    """Where one side of a conversation stands."""

    messages: str  # in JSON
    indexed: frozenset[str]  # an attribute per field of each message, as `….0.content`
    others: tuple[str, ...]
    texts_of_events: tuple[str, ...]
    message_events: frozenset[str]  # gen_ai.…: an event per message


_ASKED = _Side(
    messages="gen_ai.input.messages",
    indexed=frozenset(
        {"gen_ai.prompt", "llm.input_messages", "llm.prompts", "embedding.embeddings"}
    ),
    others=(
        "ai.prompt.messages",
        "gen_ai.prompt",
        "gcp.vertex.agent.llm_request",
        "langfuse.observation.input",
        "mlflow.spanInputs",
        "traceloop.entity.input",
        "input.value",
        "ai.prompt",
        "llm.prompts",
        "embedding.text",
        "ai.value",
        "ai.values",
        "request_data",
        "prompt",
    ),
    texts_of_events=(".gen_ai.input.messages", ".gen_ai.prompt"),
    message_events=frozenset({"system", "user", "assistant", "tool"}),
)
_ANSWERED = _Side(
    messages="gen_ai.output.messages",
    indexed=frozenset(
        {"gen_ai.completion", "llm.output_messages", "llm.completions", "llm.choices"}
    ),
    others=(
        "ai.response.text",
        "ai.response.object",
        "ai.response.toolCalls",
        "gen_ai.completion",
        "gcp.vertex.agent.llm_response",
        "langfuse.observation.output",
        "mlflow.spanOutputs",
        "traceloop.entity.output",
        "output.value",
        "response_data",
        "completion",
    ),
    texts_of_events=(".gen_ai.output.messages", ".gen_ai.completion"),
    message_events=frozenset({"choice"}),
)
_INPUTS = (
    "gen_ai.tool.call.arguments",
    "traceloop.entity.input",
    "input.value",
    "ai.toolCall.args",
    "tool_arguments",
    "gen_ai.tool.args",
    "gen_ai.tool.input",
    "tool.parameters",
    "gcp.vertex.agent.tool_call_args",
    "langfuse.observation.input",
    "langfuse.trace.input",
    "mlflow.spanInputs",
    "haystack.component.input",
    "gen_ai.retrieval.query.text",
    "gen_ai.agent.task",
)
_OUTPUTS = (
    "gen_ai.tool.call.result",
    "traceloop.entity.output",
    "output.value",
    "ai.toolCall.result",
    "tool_response",
    "gen_ai.tool.result",
    "gen_ai.tool.output",
    "gen_ai.tool.message",
    "anthropic.tool_result.content",
    "gcp.vertex.agent.tool_response",
    "langfuse.observation.output",
    "langfuse.trace.output",
    "mlflow.spanOutputs",
    "haystack.component.output",
    "final_result",
    "gen_ai.retrieval.documents",
    "gen_ai.agent.actual_output",
)
_SYSTEM = ("gen_ai.system_instructions", "gen_ai.system.instructions")
_INDEXED = re.compile(
    r"(gen_ai\.prompt|llm\.input_messages|llm\.prompts|embedding\.embeddings"
    r"|gen_ai\.completion|llm\.output_messages|llm\.completions|llm\.choices|retrieval\.documents)"
    r"\.(\d{1,4})\.(.+)"
)
_RETRIEVED = frozenset({"retrieval.documents"})
_EVENT = re.compile(r"event\.\d+\.(.+)")
_MESSAGE_EVENT = re.compile(r"gen_ai\.(\w+)\.(?:message\.)?(?:gen_ai\.event\.)?content")


def prompt(span: Span) -> str | None:
    """Return what a model was asked."""
    if not span.content:
        return None
    asked = _text(span.content, _ASKED)
    system = _first(span.content, _SYSTEM)
    if system is None or (asked is not None and asked.startswith("system: ")):
        return asked
    return f"system: {system}\n\n{asked or ''}".rstrip()


def response(span: Span) -> str | None:
    """Return what a model answered."""
    return _text(span.content, _ANSWERED)


def given(span: Span) -> str | None:
    """Return what a step received."""
    return _first(span.content, _INPUTS) or prompt(span)


def result(span: Span) -> str | None:
    """Return what a step gave on."""
    if not span.content:
        return None
    documents = _indexed(span.content, _RETRIEVED)
    return _first(span.content, _OUTPUTS) or documents or response(span)


def answer_json(span: Span) -> Json:
    """Return a model's whole answer, where it was sent in JSON."""
    for key in ("gen_ai.output.messages", "output.value"):
        if key in span.content:
            return _decoded(span.content[key])
    return None


def _text(content: Content, side: _Side) -> str | None:
    if not content:
        return None
    return (
        _first(content, (side.messages,))
        or _indexed(content, side.indexed)
        or _first(content, side.others)
        or _of_events(content, side)
    )


def _first(content: Content, keys: Iterable[str]) -> str | None:
    for key in keys:
        text = content.get(key)
        if text:
            return readable(text)
    return None


def readable(text: str) -> str:
    """Return messages in JSON as lines to read; anything else as it is."""
    if text[:1] not in "[{" or '"' not in text[:200]:
        return text
    decoded = _decoded(text)
    if isinstance(decoded, dict):
        messages = decoded.get("messages")
        decoded = messages if isinstance(messages, list) else [decoded]
    if not isinstance(decoded, list):
        return text
    lines = [line for message in decoded if (line := _message(message)) is not None]
    return "\n\n".join(lines) if lines and len(lines) == len(decoded) else text


def _message(message: Json) -> str | None:
    """Return a message; None: this is none."""
    if not isinstance(message, dict):
        return None
    if "type" in message and "role" not in message:
        return _part(message)  # instructions are parts without a role
    parts = message.get("parts")
    said = parts if isinstance(parts, list) else message.get("content")
    if "role" not in message or (said is None and not isinstance(message.get("tool_calls"), list)):
        return None
    texts = [said] if isinstance(said, str) else list(_parts(said))
    texts += _parts(message.get("tool_calls"))
    return f"{message['role']}: {' '.join(texts)}".rstrip()


def _parts(parts: Json) -> Iterator[str]:
    for part in parts if isinstance(parts, list) else []:
        text = part if isinstance(part, str) else _part(part)
        if text:
            yield text


def _part(part: Json) -> str | None:
    if not isinstance(part, dict):
        return None
    function = part.get("function")
    called = function if isinstance(function, dict) else part
    name = called.get("name") or called.get("toolName")
    if isinstance(name, str):
        arguments = called.get("arguments", called.get("input", called.get("args")))
        return f"→ {name}({_plain(arguments)})"
    for key in ("content", "text", "thinking", "response", "result", "output"):
        if part.get(key) is not None:
            return _plain(part[key])
    kind = part.get("type")
    return f"[{kind}]" if isinstance(kind, str) else None


def _plain(value: Json) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list) and (texts := list(_parts(value))):
        return " ".join(texts)
    return "" if value is None else msgspec.json.encode(value).decode()


def _decoded(text: str) -> Json:
    try:
        decoded: Json = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return None  # cut by the content setting, for example
    return decoded


def _indexed(content: Content, wanted: frozenset[str]) -> str | None:
    """Join what is sent in one attribute per field of each message, as `….0.content`."""
    messages: dict[int, dict[str, str]] = {}
    for key, text in content.items():
        found = _INDEXED.fullmatch(key)
        if found and found[1] in wanted:
            messages.setdefault(int(found[2]), {})[found[3]] = text
    lines = [line for _, fields in sorted(messages.items()) if (line := _fields(fields))]
    return "\n\n".join(lines) or None


def _fields(fields: Mapping[str, str]) -> str:
    role = ""
    texts: list[str] = []
    calls: dict[str, dict[str, str]] = {}
    for key, text in sorted(fields.items()):
        last = key.rpartition(".")[2]
        if last == "role":
            role = text
        elif last in {"content", "text", "document"} or key in {"completion", "prompt"}:
            texts.append(readable(text))
        elif last in {"name", "arguments"} and "tool_call" in key:
            calls.setdefault(key.rpartition(".")[0], {})[last] = text
    texts += [f"→ {call.get('name', '')}({call.get('arguments', '')})" for call in calls.values()]
    said = " ".join(texts)
    return f"{role}: {said}".rstrip() if role and said else said


def _of_events(content: Content, side: _Side) -> str | None:
    """Join what was said in events: one for all of it, or one for each message."""
    lines = []
    for key, text in content.items():
        event = _EVENT.fullmatch(key)
        if event is None:
            continue
        if event[1].endswith(side.texts_of_events):
            return readable(text)
        message = _MESSAGE_EVENT.fullmatch(event[1])
        if message and message[1] in side.message_events:
            lines.append(f"{message[1]}: {text}")
    return "\n\n".join(lines) or None
