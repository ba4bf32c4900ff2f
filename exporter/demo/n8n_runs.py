"""The entries of n8n's run data: one dict per run of a node, key by key as n8n writes them."""

from typing import Any

from exporter.demo.workflow_model import Json, Model


def source_of(previous: str, output: int = 0, run: int = 0) -> Json:
    """Return the reference to the run that fed this one."""
    return {"previousNode": previous, "previousNodeOutput": output, "previousNodeRun": run}


def items_of(payloads: list[Json]) -> list[Json]:
    """Return payloads as n8n's items."""
    return [
        {"json": payload, "pairedItem": {"item": position}}
        for position, payload in enumerate(payloads)
    ]


def main_run(
    *,
    start_ms: int,
    index: int,
    source: list[Json],
    took_ms: int,
    outcome: Json,
    metadata: Json | None = None,
    status: str = "success",
) -> Json:
    """Return the run of a node on the main path; `outcome` holds `data` or `error`."""
    run: Json = {
        "startTime": start_ms,
        "executionIndex": index,
        "source": source,
        "hints": [],
        "executionTime": took_ms,
    }
    if metadata is not None:
        run["metadata"] = metadata
    return run | {"executionStatus": status} | outcome


def model_run(
    *,
    start_ms: int,
    took_ms: int,
    index: int,
    parent: str,
    node: str,
    run_number: int,
    request: Json,
    answer: Json | None,
    error: Json | None = None,
) -> Json:
    """Return the run of a model's node: one call. A failed call has its request where data goes."""
    run: Json = {
        "startTime": start_ms,
        "executionTime": took_ms,
        "executionIndex": index,
        "executionStatus": "success" if error is None else "error",
        "source": [{"previousNode": parent, "previousNodeRun": 0}],
        "data": {"ai_languageModel": [[{"json": request if answer is None else answer}]]},
        "inputOverride": {"ai_languageModel": [[{"json": request}]]},
        "metadata": {"subRun": [{"node": node, "runIndex": run_number}]},
    }
    if error is not None:
        run["error"] = error
    return run


def model_request(model: Model, message: str, estimated_tokens: int) -> Json:
    """Return what a model's node was asked."""
    return {
        "messages": [message],
        "estimatedTokens": estimated_tokens,
        "options": _anthropic_options(model)
        if model.provider == "anthropic"
        else _openai_options(model),
    }


def _secret(name: str) -> Json:
    return {"lc": 1, "type": "secret", "id": [name]}


def _fetch_options() -> Json:
    return {"dispatcher": {"_events": {}, "_eventsCount": 0}}


def _openai_options(model: Model) -> Json:
    options: Json = {
        "openai_api_key": _secret("OPENAI_API_KEY"),
        "model": model.name,
        "max_retries": 2,
        "configuration": {
            "defaultHeaders": {"openai-platform": "org-demo"},
            "baseURL": model.base_url,
            "fetchOptions": _fetch_options(),
        },
        "model_kwargs": {},
        "supports_strict_tool_calling": False,
    }
    if model.responses_api:
        options["use_responses_api"] = True
    return options


def _anthropic_options(model: Model) -> Json:
    return {
        "anthropic_api_key": _secret("ANTHROPIC_API_KEY"),
        "model": model.name,
        "anthropic_api_url": model.base_url,
        "max_tokens": 16384,
        "invocation_kwargs": {},
        "client_options": {"fetchOptions": _fetch_options()},
        "streaming": False,
        "api_key": _secret("ANTHROPIC_API_KEY"),
    }


def model_answer(
    model: Model, text: str, finish_reason: str, input_tokens: int, output_tokens: int
) -> Json:
    """Return what a model's node answered; only OpenAI's chat completions tell why they ended."""
    generation: Json = {"text": text}
    if model.provider != "anthropic" and not model.responses_api:
        generation["generationInfo"] = {"finish_reason": finish_reason}
    usage = {
        "completionTokens": output_tokens,
        "promptTokens": input_tokens,
        "totalTokens": input_tokens + output_tokens,
    }
    return {
        "response": {"generations": [[generation]]},
        "tokenUsageEstimate" if model.responses_api else "tokenUsage": usage,
    }


def llm_tracing(input_tokens: int, output_tokens: int, *, estimated: bool) -> Json:
    """Return what a chain or agent repeats of its last call."""
    return {
        "llm.tokens.in": input_tokens,
        "llm.tokens.out": output_tokens,
        "llm.tokens.total": input_tokens + output_tokens,
        "llm.tokens.estimated": estimated,
    }


def agent_tracing(*, tools_completed: int, failure_type: str | None) -> Json:
    """Return what an agent notes about its last pass."""
    tracing: Json = {
        "ai.agent.version": "v3",
        "ai.agent.streaming.enabled": True,
        "ai.agent.items.total": 1,
        "ai.agent.items.failed": 0,
        "ai.agent.tool_calls.requested": 0,
        "ai.agent.tool_calls.completed": tools_completed,
        "ai.agent.iteration.count": 0,
        "ai.agent.memory.loads": 0,
        "ai.agent.memory.saves": 0,
        "ai.agent.execution.succeeded": failure_type is None,
    }
    if failure_type is not None:
        tracing["ai.agent.failure.type"] = failure_type
    return tracing


def tool_run(
    *,
    start_ms: int,
    took_ms: int,
    index: int,
    agent: str,
    agent_source: str,
    arguments: Json,
    response: Any,
) -> Json:
    """Return the run of a tool that an agent called."""
    overwrite = source_of(agent_source)
    paired = {"item": 0, "input": 0, "sourceOverwrite": overwrite}
    return {
        "inputOverride": {"ai_tool": [[{"json": arguments, "pairedItem": paired}]]},
        "source": [source_of(agent)],
        "executionIndex": index,
        "executionTime": took_ms,
        "startTime": start_ms,
        "hints": [],
        "metadata": {"preserveSourceOverwrite": True, "preservedSourceOverwrite": overwrite},
        "executionStatus": "success",
        "data": {
            "ai_tool": [[{"json": {"response": response}, "pairedItem": {"item": 0}}]],
        },
    }


def recovered_run(run: Json) -> Json:
    """Return what is left of a run after a crash: no data, and its start in seconds."""
    return {
        "startTime": run["startTime"] // 1000,
        "executionIndex": 0,
        "executionTime": run["executionTime"],
        "source": [None],
        "executionStatus": "success",
        "data": {"main": [[{"json": {"isArtificialRecoveredEventItem": True}}]]},
    }


def crashed_run(start_ms: int, error: Json) -> Json:
    """Return the run at which a crashed execution stood."""
    return {
        "startTime": start_ms // 1000,
        "executionIndex": 0,
        "executionTime": 0,
        "source": [None],
        "executionStatus": "crashed",
        "error": error,
    }
