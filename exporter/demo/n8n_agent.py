"""An agent's run: ask the model, call a tool, ask again, until there is an answer."""

from exporter.demo.n8n_errors import ProviderFailure, parent_node_error
from exporter.demo.n8n_llm_steps import (
    LLM_FATES,
    answer_text,
    ask_model,
    keep_call,
    message_for,
    prompt_of,
    request_of,
    spend_on_call,
)
from exporter.demo.n8n_runs import agent_tracing, llm_tracing, tool_run
from exporter.demo.n8n_walk import Walk
from exporter.demo.texts import compact_json
from exporter.demo.workflow_model import Json, LlmCall, Step

_METADATA_VALUE_LENGTH = 512


def run_agent(walk: Walk, step: Step) -> None:
    """Run an agent; n8n keeps every call of the model, but only the agent's last pass."""
    walk.begin(step)
    agent = _Agent(walk, step)
    tools = step.tools[: walk.rng.randint(1, len(step.tools))]
    strikes = walk.fate in LLM_FATES and step.name == walk.failing_step
    failing_call = walk.rng.randint(0, len(tools)) if strikes else None
    for number, tool in enumerate(tools):
        agent.ask("", fails=number == failing_call, tools_completed=min(number, 1))
        agent.use(tool, iteration=number + 1)
    text = answer_text(walk, step, prompt_of(step))
    agent.ask(text, fails=failing_call == len(tools), tools_completed=1)
    key = f"response_{step.name.lower().replace(' ', '_')}"
    walk.custom_data[key] = text[:_METADATA_VALUE_LENGTH]
    walk.finish(step, index=agent.index, payloads=[{"output": text}], metadata=agent.metadata)


class _Agent:
    """What an agent remembers from one pass to the next."""

    def __init__(self, walk: Walk, step: Step) -> None:
        self.index = walk.take_index()
        self.metadata: Json = {}
        self._walk, self._step = walk, step
        self._message = message_for(walk, prompt_of(step), walk.output[0])
        self._requests: list[Json] = []
        self._source = walk.previous

    def ask(self, text: str, *, fails: bool, tools_completed: int) -> None:
        """Call the model; an empty text is a request for a tool."""
        walk, step = self._walk, self._step
        walk.spend(walk.rng.randint(5, 60))
        run, took_ms, call, failure = ask_model(
            walk,
            step,
            self._message,
            # A tool request costs tokens too, but n8n stores no text for it.
            text=text or "x" * walk.rng.randint(120, 260),
            finish="stop" if text else "tool_calls",
            fate=walk.fate if fails else None,
        )
        spend_on_call(walk, call, took_ms)
        if not text and failure is None:
            answer = run["data"]["ai_languageModel"][0][0]["json"]
            answer["response"]["generations"][0][0]["text"] = ""
        keep_call(walk, prompt_of(step).node, run, call)
        if failure is not None:
            self._fail(run, failure, tools_completed)
        self._note(call, tools_completed)

    def _fail(self, run: Json, failure: ProviderFailure, tools_completed: int) -> None:
        walk, step = self._walk, self._step
        tracing = agent_tracing(
            tools_completed=tools_completed, failure_type=failure.agent_failure_type
        )
        metadata: Json = self.metadata | {"tracing": tracing}
        node = walk.version.nodes[step.name]
        walk.fail(
            step,
            parent_node_error(failure, node, walk.clock_ms, is_api=False),
            index=self.index,
            metadata=metadata,
            model_input=request_of(run),
            stack_metadata=metadata if self._requests else None,
        )

    def _note(self, call: LlmCall, tools_completed: int) -> None:
        tokens = llm_tracing(call.input_tokens, call.output_tokens, estimated=call.estimated)
        passes = agent_tracing(tools_completed=tools_completed, failure_type=None)
        self.metadata["tracing"] = tokens | passes

    def use(self, tool: str, *, iteration: int) -> None:
        """Call a tool and begin a new pass: only the last one is stored."""
        walk, step = self._walk, self._step
        name, call_id = tool.replace(" ", "_"), f"toolu_{walk.rng.getrandbits(80):020x}"
        arguments, response = _tool_call(walk, tool)
        start_ms, index = walk.clock_ms, walk.take_index()
        took_ms = walk.rng.randint(2, 20) if tool == "Calculator" else walk.rng.randint(80, 700)
        walk.spend(took_ms)
        run = tool_run(
            start_ms=start_ms,
            took_ms=took_ms,
            index=index,
            agent=step.name,
            agent_source=self._source,
            arguments=arguments,
            response=response,
        )
        walk.record(tool, run)
        self.metadata = _resumed(tool, arguments, call_id, list(self._requests), iteration)
        observation = compact_json([{"response": response}])
        call = {"id": call_id, "name": name, "args": arguments | {"id": call_id}}
        call["type"] = "tool_call"
        self._requests.append(_previous_request(name, arguments, call, observation))
        self._message += f"\nAI: {compact_json([call])}\nTool: {observation}"
        walk.current_start_ms, self.index = walk.clock_ms, walk.take_index()


def _tool_call(walk: Walk, tool: str) -> tuple[Json, object]:
    if tool == "Calculator":
        left, right = walk.rng.randint(5, 95), walk.rng.randint(5, 95)
        return {"input": f"{left}*{right}"}, str(left * right)
    account = walk.custom_data["customer"]
    return {"account": account}, {"account": account, "since": 2024, "plan": "team"}


def _resumed(
    tool: str, arguments: Json, call_id: str, requests: list[Json], iteration: int
) -> Json:
    action = {"actionType": "ExecutionNodeAction", "nodeName": tool, "input": arguments}
    action |= {"type": "ai_tool", "id": call_id}
    action["metadata"] = {"itemIndex": 0, "toolName": tool.replace(" ", "_")}
    return {
        "nodeWasResumed": True,
        "subNodeExecutionData": {
            "actions": [{"action": action, "nodeName": tool, "runIndex": 0}],
            "metadata": {
                "previousRequests": requests,
                "itemIndex": 0,
                "iterationCount": iteration,
            },
        },
    }


def _previous_request(name: str, arguments: Json, call: Json, observation: str) -> Json:
    kwargs: Json = {"content": [], "tool_calls": [call], "invalid_tool_calls": []}
    kwargs |= {"additional_kwargs": {}, "response_metadata": {}}
    message: Json = {"lc": 1, "type": "constructor"}
    message |= {"id": ["langchain_core", "messages", "AIMessage"], "kwargs": kwargs}
    action: Json = {"tool": name, "toolInput": arguments, "log": f"Calling {name}"}
    action |= {"messageLog": [message], "toolCallId": call["id"], "type": "tool_call"}
    return {"action": action, "observation": observation}
