"""Anthropic's inference API: messages, streamed or not, with its prompt caching and its errors.

Source: https://docs.anthropic.com/en/api/messages and …/build-with-claude/prompt-caching
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import msgspec

from exporter.demo.providers import inference
from exporter.demo.providers.inference import Failure, InferenceBook, Refusal, ServedCall
from exporter.demo.providers.openai_inference import API_KEY
from exporter.demo.providers.wire import Answer, Request
from exporter.records import Operation

_ERROR_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    529: "overloaded_error",
}


class AnthropicInference:
    """Answers as api.anthropic.com does; `book` tells what it served."""

    def __init__(self, *, api_key: str = API_KEY) -> None:
        self.book = InferenceBook()
        self.api_key = api_key

    def answer(self, request: Request, now: datetime) -> Answer:
        """Answer a request at a moment."""
        bearer = request.headers.get("authorization", "").removeprefix("Bearer ")
        if self.api_key not in {request.headers.get("x-api-key"), bearer}:
            return self.refuse(401, "invalid x-api-key")
        if (request.method, request.path) != ("POST", "/v1/messages"):
            return self.refuse(404, "Not found")
        body = msgspec.json.decode(request.body)
        mishap = self.book.mishap_for(body["model"])
        call_id = f"msg_{len(self.book.calls)}"
        if isinstance(mishap, Failure):
            self.book.log(
                ServedCall(
                    call_id=call_id,
                    at=now,
                    model=body["model"],
                    operation=Operation.CHAT,
                    status=mishap.status,
                    error=mishap.error,
                    is_streamed=bool(body.get("stream")),
                )
            )
            return self._failure(mishap)
        return self._message(body, now, call_id, is_refused=isinstance(mishap, Refusal))

    def refuse(self, status: int, message: str) -> Answer:
        """Return an error in Anthropic's words."""
        error = {"type": _ERROR_TYPES.get(status, "api_error"), "message": message}
        body = {"type": "error", "error": error, "request_id": "req_simulated"}
        return Answer(status=status, body=body)

    def _failure(self, failure: Failure) -> Answer:
        refusal = self.refuse(failure.status, failure.message)
        headers = {} if failure.retry_after is None else {"retry-after": str(failure.retry_after)}
        return Answer(status=refusal.status, body=refusal.body, headers=headers)

    def _message(
        self, body: Mapping[str, Any], now: datetime, call_id: str, *, is_refused: bool
    ) -> Answer:
        marked, rest = _halves(body)
        said = inference.answer_to(
            marked + rest, tool=_wanted_tool(body), most_tokens=body["max_tokens"], reasons=False
        )
        is_read = bool(marked) and self.book.is_cached(marked)
        cacheable = inference.tokens_in(marked)
        call = ServedCall(
            call_id=call_id,
            at=now,
            model=body["model"],
            operation=Operation.CHAT,
            finish_reason=_stop_reason(said, is_refused=is_refused),
            is_streamed=bool(body.get("stream")),
            input_tokens=cacheable + inference.tokens_in(rest),
            cached_input_tokens=cacheable if is_read else 0,
            cache_write_tokens=0 if is_read else cacheable,
            output_tokens=said.output_tokens,
        )
        self.book.log(call)
        if call.is_streamed:
            return _events(_stream(call, said))
        return Answer(
            body={
                **_head(call),
                "content": _blocks(said),
                "stop_reason": call.finish_reason,
                "usage": _usage(call, call.output_tokens),
            }
        )


def _stop_reason(said: inference.Answer, *, is_refused: bool) -> str:
    if is_refused:
        return "refusal"
    if said.is_truncated:
        return "max_tokens"
    return "tool_use" if said.tool_call else "end_turn"


def _halves(body: Mapping[str, Any]) -> tuple[str, str]:
    """Return the prompt up to its last mark of what is to be cached, and what follows."""
    system = body.get("system") or []
    blocks = [{"type": "text", "text": system}] if isinstance(system, str) else list(system)
    for message in body["messages"]:
        content = message["content"]
        blocks += [{"type": "text", "text": content}] if isinstance(content, str) else content
    marks = [place for place, block in enumerate(blocks) if block.get("cache_control")]
    cut = marks[-1] + 1 if marks else 0
    return _text(blocks[:cut]), _text(blocks[cut:])


def _text(blocks: Iterable[Mapping[str, Any]]) -> str:
    return "".join(
        str(block.get("text") or block.get("content") or block.get("input") or "")
        for block in blocks
    )


def _wanted_tool(body: Mapping[str, Any]) -> str | None:
    """Return the tool that the model calls: the first, unless its result is there already."""
    last = body["messages"][-1]["content"]
    has_result = isinstance(last, list) and any(block["type"] == "tool_result" for block in last)
    if not body.get("tools") or has_result:
        return None
    name: str = body["tools"][0]["name"]
    return name


def _head(call: ServedCall) -> dict[str, object]:
    return {
        "id": call.call_id,
        "type": "message",
        "role": "assistant",
        "model": call.model,
        "stop_sequence": None,
    }


def _blocks(said: inference.Answer) -> list[dict[str, object]]:
    if said.tool_call is None:
        return [{"type": "text", "text": said.text}]
    name, arguments = said.tool_call
    given = msgspec.json.decode(arguments)
    return [{"type": "tool_use", "id": "toolu_1", "name": name, "input": given}]


def _usage(call: ServedCall, output_tokens: int) -> dict[str, object]:
    fresh = call.input_tokens - call.cached_input_tokens - call.cache_write_tokens
    return {
        "input_tokens": fresh,  # unlike OpenAI's: without what was cached
        "cache_creation_input_tokens": call.cache_write_tokens,
        "cache_read_input_tokens": call.cached_input_tokens,
        "cache_creation": {
            "ephemeral_5m_input_tokens": call.cache_write_tokens,
            "ephemeral_1h_input_tokens": 0,
        },
        "output_tokens": output_tokens,
        "service_tier": "standard",
    }


def _stream(call: ServedCall, said: inference.Answer) -> Iterable[dict[str, object]]:
    begun = {**_head(call), "content": [], "stop_reason": None, "usage": _usage(call, 1)}
    yield {"type": "message_start", "message": begun}
    if said.tool_call is None:
        block: dict[str, object] = {"type": "text", "text": ""}
        deltas = [{"type": "text_delta", "text": word} for word in said.words]
    else:
        name, arguments = said.tool_call
        block = {"type": "tool_use", "id": "toolu_1", "name": name, "input": {}}
        deltas = [{"type": "input_json_delta", "partial_json": arguments}]
    yield {"type": "content_block_start", "index": 0, "content_block": block}
    for delta in deltas:
        yield {"type": "content_block_delta", "index": 0, "delta": delta}
    yield {"type": "content_block_stop", "index": 0}
    ended = {"stop_reason": call.finish_reason, "stop_sequence": None}
    # The last usage repeats the first, with all output.
    yield {"type": "message_delta", "delta": ended, "usage": _usage(call, call.output_tokens)}
    yield {"type": "message_stop"}


def _events(events: Iterable[dict[str, object]]) -> Answer:
    lines = [
        f"event: {event['type']}\ndata: ".encode() + msgspec.json.encode(event) + b"\n\n"
        for event in events
    ]
    return Answer(body=b"".join(lines), headers={"Content-Type": "text/event-stream"})
