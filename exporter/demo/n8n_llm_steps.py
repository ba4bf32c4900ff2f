"""The steps that ask a model: chains, and OpenAI's own node."""

from exporter.demo.n8n_errors import (
    ProviderFailure,
    model_node_error,
    parent_node_error,
    provider_failure,
)
from exporter.demo.n8n_runs import (
    items_of,
    llm_tracing,
    model_answer,
    model_request,
    model_run,
)
from exporter.demo.n8n_walk import Walk
from exporter.demo.texts import compact_json, estimated_tokens, field_value, passage
from exporter.demo.workflow_model import Fate, Json, LlmCall, Prompt, Step

LLM_FATES = {Fate.LLM_RATE_LIMITED, Fate.LLM_SERVER_ERROR}
_CHAIN_BATCH = 5  # n8n asks for five items at a time
_TRIES = 3
_WAIT_BETWEEN_TRIES_MS = 1000


def _latency_ms(walk: Walk, prompt: Prompt, input_tokens: int, output_tokens: int) -> int:
    model = prompt.model
    seconds = model.first_token_seconds + input_tokens / 9_000
    seconds += output_tokens / model.tokens_per_second
    factor = walk.story.latency_factor(model.provider, walk.now())
    return round(seconds * walk.rng.lognormvariate(0, 0.25) * factor * 1000)


def _met(walk: Walk, prompt: Prompt, fate: Fate | None) -> Fate | None:
    """Return what a call meets: what was decided for its execution, or its provider's outage."""
    if fate in LLM_FATES:
        return fate
    share = walk.story.failing_share(prompt.model.provider, walk.now())
    return Fate.LLM_SERVER_ERROR if share and walk.rng.random() < share else None


def _call(prompt: Prompt, message: str, text: str, hidden_tokens: int) -> LlmCall:
    """Return a call's tokens, as its provider counts them and as n8n stores them."""
    model = prompt.model
    estimate, output = estimated_tokens(message), estimated_tokens(text)
    served = round(estimate * 1.12) + 11 if model.provider == "anthropic" else estimate + 7
    stored = estimate if model.responses_api else served
    return LlmCall(
        model=model.name,
        estimated=model.responses_api,
        input_tokens=stored,
        output_tokens=output,
        served_input_tokens=served,
        served_output_tokens=output + hidden_tokens,
    )


def message_for(walk: Walk, prompt: Prompt, item: Json) -> str:
    """Return the whole text of one request about one item."""
    payload = item["json"]
    previous = payload.get("text") or compact_json(payload)
    human = prompt.text
    for name, value in walk.body.get("body", {}).items():
        human = human.replace(f"{{{name}}}", str(value))
    if prompt.context_tokens != (0, 0) and "details" not in payload:
        human = f"{human} {walk.background}"
    human = human.replace("{previous}", previous)
    is_vendor = not prompt.node
    return human if is_vendor or not prompt.system else f"System: {prompt.system}\nHuman: {human}"


def _human_only(message: str) -> str:
    return message if message.startswith("System: ") else f"Human: {message}"


def answer_text(walk: Walk, step: Step, prompt: Prompt) -> str:
    """Return what the model writes: prose, or the JSON that the next step expects."""
    names = [candidate.name for candidate in walk.version.workflow.steps]
    following = walk.version.workflow.steps[names.index(step.name) + 1 :]
    if following and following[0].parses_json:
        payload = {name: field_value(walk.rng, name) for name in following[0].fields}
        if walk.fate is Fate.INVALID_JSON:
            return f"Here is the result you asked for: {compact_json(payload)}"
        return compact_json(payload)
    if prompt.model.provider == "self-hosted":
        return str(field_value(walk.rng, "queue"))
    return passage(walk.rng, walk.rng.randint(*prompt.output_tokens))


def ask_model(
    walk: Walk, step: Step, message: str, *, text: str, finish: str = "stop", fate: Fate | None
) -> tuple[Json, int, LlmCall, ProviderFailure | None]:
    """Let the model's node make one call; return its run, duration, tokens and failure."""
    prompt = prompt_of(step)
    start_ms, index = walk.clock_ms, walk.take_index()
    request = model_request(prompt.model, message, estimated_tokens(message))
    answer = error = failure = None
    met = _met(walk, prompt, fate)
    if met is not None:
        took_ms = walk.rng.randint(180, 2_600)
        failure = provider_failure(met, prompt.model)
        error = model_node_error(failure, start_ms + took_ms)
        call = LlmCall(model=prompt.model.name, failed=True)
    else:
        hidden = walk.rng.randint(64, 640) if prompt.model.responses_api else 0
        call = _call(prompt, message, text, hidden)
        took_ms = _latency_ms(walk, prompt, call.served_input_tokens, call.served_output_tokens)
        tokens = (call.input_tokens, call.output_tokens)
        answer = model_answer(prompt.model, text, finish, *tokens)
    run_number = len(walk.run_data.get(prompt.node, []))
    run = model_run(
        start_ms=start_ms,
        took_ms=took_ms,
        index=index,
        parent=step.name,
        node=prompt.node,
        run_number=run_number,
        request=request,
        answer=answer,
        error=error,
    )
    return run, took_ms, call, failure


def keep_call(walk: Walk, node: str, run: Json, call: LlmCall) -> None:
    """Record a call's run under the model's node."""
    walk.record(node, run)
    walk.sub_runs.setdefault(node, []).append({"subRun": run["metadata"]["subRun"]})
    walk.calls.append(call)


def prompt_of(step: Step) -> Prompt:
    """Return the prompt of a step that must have one."""
    if step.prompt is None:
        msg = f"step {step.name!r} asks a model but has no prompt"
        raise ValueError(msg)
    return step.prompt


def request_of(run: Json) -> Json:
    """Return what a model's run was asked."""
    request: Json = run["inputOverride"]["ai_languageModel"][0][0]["json"]
    return request


def run_chain(walk: Walk, step: Step) -> None:
    """Ask once per item, five items at a time."""
    walk.begin(step)
    index = walk.take_index()
    walk.spend(walk.own_time(step))
    if not step.continue_on_error:
        _run_chain_once(walk, step, index)
        return
    prompt = prompt_of(step)
    payloads: list[Json] = []
    call = LlmCall(model=prompt.model.name)
    for first in range(0, len(walk.output), _CHAIN_BATCH):
        slowest_ms = 0
        for item in walk.output[first : first + _CHAIN_BATCH]:
            fails = walk.rng.random() < step.item_failure_rate
            text = answer_text(walk, step, prompt)
            run, took_ms, call, failure = ask_model(
                walk,
                step,
                _human_only(message_for(walk, prompt, item)),
                text=text,
                fate=walk.rng.choice(sorted(LLM_FATES)) if fails else None,
            )
            keep_call(walk, prompt.node, run, call)
            payloads.append({"text": text} if failure is None else {"error": failure.message})
            slowest_ms = max(slowest_ms, took_ms)
        walk.spend(slowest_ms + walk.rng.randint(3, 12))
    tracing = llm_tracing(call.input_tokens, call.output_tokens, estimated=call.estimated)
    walk.finish(step, index=index, items=items_of(payloads), metadata={"tracing": tracing})


def _run_chain_once(walk: Walk, step: Step, index: int) -> None:
    prompt = prompt_of(step)
    message = _human_only(message_for(walk, prompt, walk.output[0]))
    text = answer_text(walk, step, prompt)
    strikes = walk.fate in LLM_FATES and step.name == walk.failing_step
    tries = _TRIES if step.retry_on_fail else 1
    # Most providers recover by the second try.
    failing_tries = (1 if tries > 1 and walk.rng.random() < 0.5 else tries) if strikes else 0
    for attempt in range(1, tries + 1):
        fate = walk.fate if attempt <= failing_tries else None
        run, took_ms, call, failure = ask_model(walk, step, message, text=text, fate=fate)
        spend_on_call(walk, call, took_ms)
        keep_call(walk, prompt.node, run, call)
        if failure is None:
            tracing = llm_tracing(call.input_tokens, call.output_tokens, estimated=call.estimated)
            walk.finish(step, index=index, payloads=[{"text": text}], metadata={"tracing": tracing})
            return
        if attempt < tries:
            walk.spend(_WAIT_BETWEEN_TRIES_MS)
            continue
        node = walk.version.nodes[step.name]
        error = parent_node_error(failure, node, walk.clock_ms, is_api=False)
        walk.fail(step, error, index=index, model_input=request_of(run))


def spend_on_call(walk: Walk, call: LlmCall, took_ms: int) -> None:
    """Let a call's time pass; what is cut short was served, but n8n never stores it."""
    walk.lost_calls.append(call)
    walk.spend(took_ms)
    walk.lost_calls.pop()


def run_vendor(walk: Walk, step: Step) -> None:
    """Ask through OpenAI's own node: no model node, tokens in the run's metadata."""
    walk.begin(step)
    index = walk.take_index()
    prompt = prompt_of(step)
    message = message_for(walk, prompt, walk.output[0])
    met = _met(walk, prompt, walk.fate if step.name == walk.failing_step else None)
    if met is not None:
        walk.spend(walk.rng.randint(180, 2_600))
        failure = provider_failure(met, prompt.model)
        node = walk.version.nodes[step.name]
        error = parent_node_error(failure, node, walk.clock_ms, is_api=True)
        walk.fail(step, error, index=index)
    text = answer_text(walk, step, prompt)
    call = _call(prompt, message, text, hidden_tokens=0)
    took_ms = _latency_ms(walk, prompt, call.input_tokens, call.output_tokens)
    spend_on_call(walk, call, took_ms)
    walk.calls.append(call)
    usage = {"inputTokens": call.input_tokens, "outputTokens": call.output_tokens}
    content = {"type": "output_text", "text": text, "annotations": []}
    output = {"id": f"msg_{walk.rng.getrandbits(80):020x}", "type": "message"}
    output |= {"status": "completed", "role": "assistant"}
    payload: Json = {"output": [output | {"content": [content]}]}
    walk.finish(step, index=index, payloads=[payload], metadata={"tokenUsage": usage})
