"""The states one execution goes through in the database, from its start to its end."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from exporter.demo.flatted import encode
from exporter.demo.n8n_agent import run_agent
from exporter.demo.n8n_errors import (
    manual_cancel_error,
    node_crashed_error,
    workflow_crashed_error,
)
from exporter.demo.n8n_llm_steps import run_chain, run_vendor
from exporter.demo.n8n_runs import crashed_run, recovered_run
from exporter.demo.n8n_walk import (
    Crashed,
    NodeFailed,
    TimedOut,
    Walk,
    run_plain_step,
    run_trigger,
    run_wait,
)
from exporter.demo.workflow_model import Fate, Json, Kind, LlmCall, Step

WAIT_LIMIT = timedelta(hours=12)
_TRIGGERS = {Kind.WEBHOOK, Kind.SCHEDULE, Kind.ERROR_TRIGGER}
_STEPS: dict[Kind, Callable[[Walk, Step], None]] = {
    Kind.CHAIN: run_chain,
    Kind.AGENT: run_agent,
    Kind.VENDOR: run_vendor,
    Kind.WAIT: run_wait,
}
# Makes the whole of execution_data.data from resultData and the nodes that have still to run.
Root = Callable[[Json, list[Json]], Json]


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What the database holds of an execution from `visible_at` on."""

    visible_at: datetime
    status: str
    content: Json | None  # what becomes execution_data.data; None leaves it as it is
    stopped_at: datetime | None = None
    wait_till: datetime | None = None
    custom_data: Mapping[str, str] | None = None
    calls: tuple[LlmCall, ...] = ()  # newly stored with this state
    lost_calls: tuple[LlmCall, ...] = ()  # served, and now known never to be stored

    @property
    def data(self) -> str:
        """Return the text of execution_data.data."""
        return encode(self.content)


def at_ms(milliseconds: int) -> datetime:
    """Return an epoch in milliseconds as a time."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def epoch_ms(at: datetime) -> int:
    """Return a time as an epoch in milliseconds."""
    return round(at.timestamp() * 1000)


def walk_states(
    walk: Walk, first: int, root: Root, started_ms: int, first_data: Json
) -> list[State]:
    """Walk the workflow from its step number `first`; return what is stored after `running`."""
    status = _walk_on(walk, first)
    if walk.fate is Fate.CANCELED and status == "success":
        return [_canceled(walk, started_ms, first_data)]
    if status == "crashed":
        return [_recovered(walk, root, first_data)]
    result: Json = {"runData": walk.run_data}
    if walk.error is not None:
        result = {"error": walk.error, "runData": walk.run_data}
    result["lastNodeExecuted"] = walk.last_node
    if walk.custom_data:
        result["metadata"] = dict(walk.custom_data)
    stopped_at = at_ms(walk.clock_ms + walk.rng.randint(1, 12))
    pause = walk.pause
    end = State(
        visible_at=stopped_at,
        status=status,
        content=root(result, walk.stack),
        stopped_at=stopped_at,
        custom_data=walk.custom_data,
        calls=tuple(walk.calls[pause.calls_made if pause else 0 :]),
        lost_calls=tuple(walk.lost_calls),
    )
    if pause is None:
        return [end]
    began_at, resumes_at = at_ms(pause.began_ms), at_ms(pause.resumes_ms)
    waiting_result: Json = {"runData": pause.run_data}
    waiting_result["lastNodeExecuted"] = pause.stack[0]["node"]["name"]
    waiting_result["metadata"] = dict(walk.custom_data)
    wait_till = began_at + WAIT_LIMIT
    waiting_root = root(waiting_result, pause.stack)
    waiting_root["waitTill"] = wait_till.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
    waiting = State(
        visible_at=began_at,
        status="waiting",
        content=waiting_root,
        stopped_at=began_at,
        wait_till=wait_till,
        custom_data=walk.custom_data,
        calls=tuple(walk.calls[: pause.calls_made]),
    )
    # On resume only the row changes; the old stoppedAt stays until the next stop.
    resumed = State(visible_at=resumes_at, status="running", content=None, stopped_at=began_at)
    return [waiting, resumed, end]


def _walk_on(walk: Walk, first: int) -> str:
    try:
        for step in walk.version.workflow.steps[first:]:
            if step.kind in _TRIGGERS:
                run_trigger(walk, step)
            else:
                _STEPS.get(step.kind, run_plain_step)(walk, step)
    except NodeFailed:
        return "error"
    except TimedOut:
        return "canceled"
    except Crashed:
        return "crashed"
    return "success"


def _canceled(walk: Walk, started_ms: int, first_data: Json) -> State:
    """Return the state of an execution that somebody stopped half-way."""
    share = walk.rng.uniform(0.2, 0.9)
    stopped_ms = started_ms + round((walk.clock_ms - started_ms) * share)
    result = {"runData": {}, "error": manual_cancel_error(walk.execution_id, stopped_ms)}
    return State(
        visible_at=at_ms(stopped_ms),
        status="canceled",
        content=first_data | {"resultData": result},
        stopped_at=at_ms(stopped_ms),
        lost_calls=tuple(walk.calls[: round(len(walk.calls) * share)]),
    )


def _recovered(walk: Walk, root: Root, first_data: Json) -> State:
    """Return what n8n makes of a dead execution at its next start: most data is lost."""
    crashed_ms = walk.clock_ms + walk.rng.randint(200, 4_000)
    recovered_ms = crashed_ms + walk.rng.randint(15_000, 75_000)
    error = node_crashed_error(recovered_ms)
    step = next(s for s in walk.version.workflow.steps if s.name == walk.current_node)
    crashed = [step.name]
    if step.prompt and step.prompt.node:
        crashed.append(step.prompt.node)
    run_data: Json = {}
    for node in walk.version.nodes:
        if node in crashed:
            run_data[node] = [crashed_run(walk.current_start_ms, error)]
        elif node in walk.run_data:
            run_data[node] = [recovered_run(run) for run in walk.run_data[node]]
    result: Json = {"runData": run_data, "lastNodeExecuted": crashed[-1]}
    result["error"] = workflow_crashed_error(recovered_ms)
    walk.error, walk.last_node = result["error"], crashed[-1]
    stack = first_data["executionData"]["nodeExecutionStack"]
    return State(
        visible_at=at_ms(recovered_ms),
        status="crashed",
        content=root(result, stack) | {"executionData": first_data["executionData"]},
        # n8n takes the time of the last event it logged, which lies in the past.
        stopped_at=at_ms(crashed_ms),
        lost_calls=tuple(walk.calls),
    )


def make_root(walk: Walk, runtime: Json, parent: Json | None) -> Root:
    """Return the maker of execution_data.data; `parent` is set for an error workflow."""

    def root(result: Json, stack: list[Json]) -> Json:
        data: Json = {
            "version": 1,
            "startData": {},
            "resultData": result,
            "executionData": {
                "contextData": dict(walk.context_data),
                "nodeExecutionStack": stack,
                "metadata": {node: list(runs) for node, runs in walk.sub_runs.items()},
                "waitingExecution": {},
                "waitingExecutionSource": {},
                "runtimeData": runtime,
            },
        }
        if parent is not None:
            data["parentExecution"] = parent
        return data | {"resumeToken": walk.resume_token}

    return root
