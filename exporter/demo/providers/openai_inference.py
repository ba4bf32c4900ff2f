"""OpenAI's inference API: chat completions, embeddings, images; streamed or not, with its errors.

Source: https://platform.openai.com/docs/api-reference
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import msgspec

from exporter.demo.providers import inference
from exporter.demo.providers.inference import Failure, InferenceBook, Refusal, ServedCall
from exporter.demo.providers.wire import Answer, Request
from exporter.records import Operation

API_KEY = "simulated-inference-key"
_REASONING = ("gpt-5", "o1", "o3", "o4")
_WITH_USAGE_OF_IMAGES = ("gpt-image",)
_ERROR_TYPES = {
    400: "invalid_request_error",
    401: "invalid_request_error",
    404: "invalid_request_error",
    429: "requests",
}
_TOKENS_OF_AN_IMAGE = 1_056


class OpenAiInference:
    """Answers as api.openai.com does; `book` tells what it served."""

    def __init__(self, *, api_key: str = API_KEY) -> None:
        self.book = InferenceBook()
        self.api_key = api_key

    def answer(self, request: Request, now: datetime) -> Answer:
        """Answer a request at a moment."""
        if request.headers.get("authorization") != f"Bearer {self.api_key}":
            return self.refuse(401, "Incorrect API key provided.", "invalid_api_key")
        endpoints = {
            "/v1/chat/completions": (self._chat, Operation.CHAT),
            "/v1/embeddings": (self._embeddings, Operation.EMBEDDINGS),
            "/v1/images/generations": (self._images, Operation.IMAGE),
        }
        if request.method != "POST" or request.path not in endpoints:
            return self.refuse(404, f"Invalid URL ({request.method} {request.path})", None)
        body = msgspec.json.decode(request.body)
        endpoint, operation = endpoints[request.path]
        model = str(body["model"])
        mishap = self.book.mishap_for(model)
        number = len(self.book.calls)
        if isinstance(mishap, Failure):
            self.book.log(
                ServedCall(
                    call_id=f"call-{number}",
                    at=now,
                    model=model,
                    operation=operation,
                    status=mishap.status,
                    error=mishap.error,
                    is_streamed=bool(body.get("stream")),
                )
            )
            return self._failure(mishap)
        return endpoint(body, now, f"{operation}-{number}", is_refused=isinstance(mishap, Refusal))

    def refuse(self, status: int, message: str, code: str | None = None) -> Answer:
        """Return an error in OpenAI's words."""
        kind = _ERROR_TYPES.get(status, "server_error")
        error = {"message": message, "type": kind, "param": None, "code": code}
        return Answer(status=status, body={"error": error})

    def _failure(self, failure: Failure) -> Answer:
        refusal = self.refuse(failure.status, failure.message, failure.error)
        headers = {} if failure.retry_after is None else {"Retry-After": str(failure.retry_after)}
        return Answer(status=refusal.status, body=refusal.body, headers=headers)

    def _chat(
        self, body: Mapping[str, Any], now: datetime, call_id: str, *, is_refused: bool
    ) -> Answer:
        prompt = msgspec.json.encode(body["messages"]).decode()
        said = inference.answer_to(
            prompt,
            tool=_wanted_tool(body),
            most_tokens=body.get("max_completion_tokens") or body.get("max_tokens"),
            reasons=body["model"].startswith(_REASONING),
        )
        finish_reason = (
            "content_filter"
            if is_refused
            else "length"
            if said.is_truncated
            else "tool_calls"
            if said.tool_call
            else "stop"
        )
        input_tokens = inference.tokens_in(prompt)
        beginning = inference.cached_beginning(prompt)
        has_cached = beginning is not None and self.book.is_cached(beginning)
        cached = inference.tokens_in(beginning) if beginning is not None and has_cached else 0
        is_streamed = bool(body.get("stream"))
        tells_usage = bool((body.get("stream_options") or {}).get("include_usage"))
        call = ServedCall(
            call_id=call_id,
            at=now,
            model=body["model"],
            operation=Operation.CHAT,
            finish_reason=finish_reason,
            is_streamed=is_streamed,
            is_usage_told=tells_usage or not is_streamed,
            input_tokens=input_tokens,
            cached_input_tokens=cached,
            output_tokens=said.output_tokens,
            reasoning_tokens=said.reasoning_tokens,
        )
        self.book.log(call)
        if is_streamed:
            return _events(_chunks(call, said, tells_usage=tells_usage))
        message = {"role": "assistant", "refusal": None, **_message(said)}
        choice = {"index": 0, "message": message, "finish_reason": finish_reason, "logprobs": None}
        return Answer(
            body={
                **_head(call, "chat.completion"),
                "choices": [choice],
                "usage": _chat_usage(call),
                "service_tier": "default",
            }
        )

    def _embeddings(
        self, body: Mapping[str, Any], now: datetime, call_id: str, *, is_refused: bool
    ) -> Answer:
        given = body["input"] if isinstance(body["input"], list) else [body["input"]]
        tokens = sum(inference.tokens_in(text) for text in given)
        self.book.log(
            ServedCall(
                call_id=call_id,
                at=now,
                model=body["model"],
                operation=Operation.EMBEDDINGS,
                input_tokens=tokens,
            )
        )
        # Four floats in base64, which its own client asks for, or as numbers.
        vector = (
            "AACAPwAAAEAAAEBAAACAQA==" if body.get("encoding_format") == "base64" else [1, 2, 3, 4]
        )
        return Answer(
            body={
                "object": "list",
                "model": body["model"],
                "data": [
                    {"object": "embedding", "index": index, "embedding": vector}
                    for index in range(len(given))
                ],
                "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
            }
        )

    def _images(
        self, body: Mapping[str, Any], now: datetime, call_id: str, *, is_refused: bool
    ) -> Answer:
        images = int(body.get("n") or 1)
        is_told = body["model"].startswith(_WITH_USAGE_OF_IMAGES)
        call = ServedCall(
            call_id=call_id,
            at=now,
            model=body["model"],
            operation=Operation.IMAGE,
            is_usage_told=is_told,
            input_tokens=inference.tokens_in(body["prompt"]) if is_told else 0,
            output_tokens=_TOKENS_OF_AN_IMAGE * images if is_told else 0,
        )
        self.book.log(call)
        answer: dict[str, object] = {
            "created": int(now.timestamp()),
            "data": [{"b64_json": "iVBORw0KGgo=", "revised_prompt": body["prompt"]}] * images,
        }
        if is_told:
            answer["usage"] = {
                "input_tokens": call.input_tokens,
                "input_tokens_details": {"text_tokens": call.input_tokens, "image_tokens": 0},
                "output_tokens": call.output_tokens,
                "total_tokens": call.input_tokens + call.output_tokens,
            }
        return Answer(body=answer)


def _wanted_tool(body: Mapping[str, Any]) -> str | None:
    """Return the tool that the model calls: the first, unless its result is there already."""
    if not body.get("tools") or body["messages"][-1]["role"] == "tool":
        return None
    name: str = body["tools"][0]["function"]["name"]
    return name


def _head(call: ServedCall, kind: str) -> dict[str, object]:
    return {
        "id": f"chatcmpl-{call.call_id}",
        "object": kind,
        "created": int(call.at.timestamp()),
        "model": call.model,
        "system_fingerprint": "fp_simulated",
    }


def _message(said: inference.Answer) -> dict[str, object]:
    if said.tool_call is None:
        return {"content": said.text}
    name, arguments = said.tool_call
    function = {"name": name, "arguments": arguments}
    return {
        "content": None,
        "tool_calls": [{"id": "call_1", "type": "function", "function": function}],
    }


def _chat_usage(call: ServedCall) -> dict[str, object]:
    return {
        "prompt_tokens": call.input_tokens,
        "completion_tokens": call.output_tokens,
        "total_tokens": call.input_tokens + call.output_tokens,
        "prompt_tokens_details": {"cached_tokens": call.cached_input_tokens, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": call.reasoning_tokens,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def _chunks(
    call: ServedCall, said: inference.Answer, *, tells_usage: bool
) -> Iterable[dict[str, object]]:
    head = _head(call, "chat.completion.chunk")
    if tells_usage:
        head["usage"] = None
    deltas: list[dict[str, object]] = [{"role": "assistant", "content": ""}]
    deltas += [{"content": word} for word in said.words]
    if said.tool_call is not None:
        name, arguments = said.tool_call
        function = {"name": name, "arguments": ""}
        begun = {"index": 0, "id": "call_1", "type": "function", "function": function}
        deltas.append({"tool_calls": [begun]})
        deltas.append({"tool_calls": [{"index": 0, "function": {"arguments": arguments}}]})
    for delta in deltas:
        yield {**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
    last = {"index": 0, "delta": {}, "finish_reason": call.finish_reason}
    yield {**head, "choices": [last]}
    if tells_usage:
        yield {**head, "choices": [], "usage": _chat_usage(call)}


def _events(chunks: Iterable[dict[str, object]]) -> Answer:
    lines = [b"data: " + msgspec.json.encode(chunk) + b"\n\n" for chunk in chunks]
    body = b"".join([*lines, b"data: [DONE]\n\n"])
    return Answer(body=body, headers={"Content-Type": "text/event-stream"})
