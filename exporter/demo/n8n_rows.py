"""One execution as n8n would store it: run from its trigger, or again from the node that failed."""

from dataclasses import dataclass
from datetime import datetime
from random import Random

from exporter.demo.n8n_llm_steps import LLM_FATES
from exporter.demo.n8n_nodes import WorkflowVersion
from exporter.demo.n8n_states import State, at_ms, epoch_ms, make_root, walk_states
from exporter.demo.n8n_trigger import background, runtime_data, schedule_output, webhook_output
from exporter.demo.n8n_walk import Walk
from exporter.demo.traffic import Story
from exporter.demo.workflow_model import Fate, Json, Kind, Workflow


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """One execution, with everything that will become of it."""

    execution_id: int
    version: WorkflowVersion
    mode: str
    created_at: datetime
    started_at: datetime
    states: tuple[State, ...]
    walk: Walk
    runtime: Json
    retry_of: int | None = None
    deduplication_key: str | None = None

    @property
    def version_id(self) -> str | None:
        """Return the version that ran; n8n leaves it empty for retries."""
        return None if self.retry_of is not None else self.version.version_id

    @property
    def end(self) -> State:
        """Return the last state."""
        return self.states[-1]


def run_execution(
    *,
    version: WorkflowVersion,
    execution_id: int,
    mode: str,
    created_at: datetime,
    fate: Fate,
    story: Story,
    rng: Random,
    failed: Execution | None = None,
) -> Execution:
    """Run a workflow from its trigger on; `failed` is what an error workflow is told about."""
    workflow = version.workflow
    created_ms = epoch_ms(created_at)
    started_ms = created_ms + rng.randint(3, 25)
    walk = Walk(
        version=version,
        execution_id=execution_id,
        story=story,
        fate=fate,
        rng=rng,
        clock_ms=started_ms + rng.randint(8, 60),
        body={},
        background=background(workflow, story, created_at, rng),
        resume_token=f"{rng.getrandbits(256):064x}",
        failing_step=_failing_step(workflow, fate, rng),
    )
    parent = None if failed is None else _parent_execution(failed)
    if failed is not None:
        walk.body, walk.trigger_metadata = _failure_report(failed), {"parentExecution": parent}
    elif workflow.path:
        walk.body = webhook_output(workflow, walk.background, rng)
    else:
        walk.body = schedule_output(created_at)
    if workflow.timeout_seconds is not None:
        walk.deadline_ms = started_ms + workflow.timeout_seconds * 1000
    runtime = runtime_data(version, mode, created_ms, parent)
    root = make_root(walk, runtime, parent)
    trigger = workflow.steps[0]
    entry = walk.stack_entry(trigger.name, {"main": [[{"json": walk.body}]]})
    first_data = root({"runData": {}}, [entry])
    running = State(visible_at=at_ms(created_ms), status="running", content=first_data)
    states = [running, *walk_states(walk, 0, root, started_ms, first_data)]
    key = None
    if mode == "trigger":
        slot = created_at.replace(microsecond=0).strftime("%Y-%m-%dT%H:%M:%S.000Z")
        key = f"{version.workflow_id}:{version.nodes[trigger.name]['id']}:{slot}"
    return Execution(
        execution_id=execution_id,
        version=version,
        mode=mode,
        created_at=at_ms(created_ms),
        started_at=at_ms(started_ms),
        states=tuple(states),
        walk=walk,
        runtime=runtime,
        deduplication_key=key,
    )


def retry_execution(
    original: Execution, *, execution_id: int, created_at: datetime, rng: Random
) -> Execution:
    """Run a failed execution again from the node that failed, with all earlier runs copied."""
    old = original.walk
    created_ms = epoch_ms(created_at)
    started_ms = created_ms + rng.randint(3, 12)
    # Invalid JSON stays invalid; a provider has usually recovered by now.
    keeps_failing = old.fate is Fate.INVALID_JSON or rng.random() < 0.15
    entry = old.stack[0]
    walk = Walk(
        version=original.version,
        execution_id=execution_id,
        story=old.story,
        fate=old.fate if keeps_failing else Fate.SUCCESS,
        rng=rng,
        clock_ms=started_ms + rng.randint(8, 40),
        body=old.body,
        background=old.background,
        resume_token=f"{rng.getrandbits(256):064x}",
        failing_step=old.failing_step,
        run_data={node: list(runs) for node, runs in old.run_data.items() if node != old.last_node},
        sub_runs={node: list(runs) for node, runs in old.sub_runs.items()},
        custom_data=dict(old.custom_data),
        context_data=dict(old.context_data),
        output=entry["data"]["main"][0],
        previous=entry["source"]["main"][0]["previousNode"],
    )
    root = make_root(walk, original.runtime, None)
    first_data = root({"runData": walk.run_data | {}}, [entry])
    running = State(visible_at=at_ms(created_ms), status="running", content=first_data)
    names = [step.name for step in original.version.workflow.steps]
    first = names.index(entry["node"]["name"])
    return Execution(
        execution_id=execution_id,
        version=original.version,
        mode="retry",
        created_at=at_ms(created_ms),
        started_at=at_ms(started_ms),
        states=(running, *walk_states(walk, first, root, started_ms, first_data)),
        walk=walk,
        runtime=original.runtime,
        retry_of=original.execution_id,
    )


def _failing_step(workflow: Workflow, fate: Fate, rng: Random) -> str:
    """Return where the fate strikes."""
    later = workflow.steps[1:]
    if fate in LLM_FATES:
        names = [step.name for step in later if step.prompt and not step.continue_on_error]
    elif fate is Fate.TIMEOUT:
        names = [step.name for step in later if step.kind in {Kind.CHAIN, Kind.HTTP}]
    elif fate is Fate.CRASH:
        names = [step.name for step in later]
    else:
        return ""
    return rng.choice(names)


def _parent_execution(failed: Execution) -> Json:
    return {
        "executionId": str(failed.execution_id),
        "workflowId": failed.version.workflow_id,
        "executionContext": failed.runtime,
        "shouldResume": False,
    }


def _failure_report(failed: Execution) -> Json:
    """Return what n8n tells an error workflow."""
    workflow_id = failed.version.workflow_id
    url = f"https://n8n.example/workflow/{workflow_id}/executions/{failed.execution_id}"
    execution = {
        "id": str(failed.execution_id),
        "url": url,
        "error": failed.walk.error,
        "lastNodeExecuted": failed.walk.last_node,
        "mode": failed.mode,
        "executionContext": failed.runtime,
    }
    about = {"id": workflow_id, "name": failed.version.workflow.name}
    return {"execution": execution, "workflow": about}
