"""One execution as it happens: walks a workflow's steps and keeps the run data n8n would keep."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from typing import Any

from exporter.demo.n8n_errors import http_item_error, invalid_json_error
from exporter.demo.n8n_nodes import WorkflowVersion
from exporter.demo.n8n_runs import items_of, main_run, source_of
from exporter.demo.texts import field_value
from exporter.demo.traffic import Story
from exporter.demo.workflow_model import Fate, Json, Kind, LlmCall, Step


class NodeFailed(Exception):  # noqa: N818 - an event of the simulation, not an error of ours
    """A node failed and nothing catches it: the execution ends here."""


class TimedOut(Exception):  # noqa: N818 - as above
    """The workflow's time is over while a node is still at work."""


class Crashed(Exception):  # noqa: N818 - as above
    """The process dies while a node is at work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """A wait for somebody's approval: what was stored when it began, and when it ends."""

    began_ms: int
    resumes_ms: int
    run_data: Json
    stack: list[Json]
    calls_made: int


@dataclass(slots=True, kw_only=True)
class Walk:
    """The state of one execution while it runs; times are epoch milliseconds."""

    version: WorkflowVersion
    execution_id: int
    story: Story
    fate: Fate
    rng: Random
    clock_ms: int
    body: Json  # what the trigger was given
    trigger_metadata: Json | None = None
    background: str = ""
    resume_token: str = ""
    deadline_ms: int | None = None
    failing_step: str = ""  # where the fate strikes
    run_data: Json = field(default_factory=dict)
    sub_runs: Json = field(default_factory=dict)
    custom_data: dict[str, str] = field(default_factory=dict)
    context_data: Json = field(default_factory=dict)
    calls: list[LlmCall] = field(default_factory=list)
    lost_calls: list[LlmCall] = field(default_factory=list)  # served, but never stored
    stack: list[Json] = field(default_factory=list)
    error: Json | None = None
    last_node: str | None = None
    current_node: str = ""
    current_start_ms: int = 0
    previous: str = ""
    output: list[Json] = field(default_factory=list)  # items of the step before
    pause: Pause | None = None
    next_index: int = 0

    def now(self) -> datetime:
        """Return the time inside the execution."""
        return datetime.fromtimestamp(self.clock_ms / 1000, UTC)

    def take_index(self) -> int:
        """Return the number of the node run that starts now."""
        self.next_index += 1
        return self.next_index - 1

    def spend(self, milliseconds: int) -> None:
        """Let time pass; the workflow's timeout cuts it short."""
        self.clock_ms += milliseconds
        if self.deadline_ms is not None and self.clock_ms > self.deadline_ms:
            self.clock_ms = self.deadline_ms
            raise TimedOut

    def begin(self, step: Step) -> None:
        """Note that a step starts; this is where the fates strike that no node can handle."""
        self.current_node, self.current_start_ms = step.name, self.clock_ms
        if self.fate is Fate.CRASH and step.name == self.failing_step:
            raise Crashed
        if self.fate is Fate.TIMEOUT and step.name == self.failing_step:
            self.spend(10**9)

    def own_time(self, step: Step) -> int:
        """Return a plausible duration of a step's own work, in ms."""
        low, high = step.seconds
        return round(self.rng.triangular(low, high, low + (high - low) / 4) * 1000)

    def record(self, node: str, run: Json) -> None:
        """Add a run to the run data."""
        self.run_data.setdefault(node, []).append(run)

    def finish(
        self,
        step: Step,
        *,
        index: int,
        payloads: list[Json] | None = None,
        items: list[Json] | None = None,
        metadata: Json | None = None,
    ) -> None:
        """Record a step's success and hand its items to the next one."""
        output = items if items is not None else items_of(payloads or [])
        source = [source_of(self.previous)] if self.previous else []
        run = main_run(
            start_ms=self.current_start_ms,
            index=index,
            source=source,
            took_ms=self.clock_ms - self.current_start_ms,
            outcome={"data": {"main": [output]}},
            metadata=metadata,
        )
        self.record(step.name, run)
        self.output, self.previous, self.last_node = output, step.name, step.name

    def fail(
        self,
        step: Step,
        error: Json,
        *,
        index: int,
        metadata: Json | None = None,
        model_input: Json | None = None,
        stack_metadata: Json | None = None,
    ) -> None:
        """Record a step's failure and end the execution."""
        run = main_run(
            start_ms=self.current_start_ms,
            index=index,
            source=[source_of(self.previous)],
            took_ms=self.clock_ms - self.current_start_ms,
            outcome={"error": dict(error)},
            metadata=metadata,
            status="error",
        )
        self.record(step.name, run)
        data: Json = {"main": [self.output]}
        if model_input is not None:
            data["ai_languageModel"] = [[{"json": model_input}]]
        entry = self.stack_entry(step.name, data)
        if stack_metadata is not None:
            entry |= {"runIndex": 0, "metadata": stack_metadata}
        self.stack, self.error, self.last_node = [entry], error, step.name
        raise NodeFailed

    def stack_entry(self, node: str, data: Json) -> Json:
        """Return what n8n keeps of a node that has still to run."""
        stored = {
            key: value for key, value in self.version.nodes[node].items() if key != "credentials"
        }
        source = {"main": [source_of(self.previous)]} if self.previous else None
        return {"node": stored, "data": data, "source": source}


def run_trigger(walk: Walk, step: Step) -> None:
    """Run the node that started the execution."""
    walk.current_node, walk.current_start_ms = step.name, walk.clock_ms
    index = walk.take_index()
    took_ms = walk.rng.randint(0, 2)
    run = main_run(
        start_ms=walk.clock_ms,
        index=index,
        source=[],
        took_ms=took_ms,
        outcome={"data": {"main": [items_of([walk.body])]}},
        metadata=walk.trigger_metadata,
    )
    walk.record(step.name, run)
    walk.clock_ms += took_ms
    walk.output, walk.previous = run["data"]["main"][0], step.name
    walk.last_node = step.name


def run_plain_step(walk: Walk, step: Step) -> None:
    """Run a node that asks no model and waits for nobody."""
    walk.begin(step)
    index = walk.take_index()
    if step.parses_json and walk.fate is Fate.INVALID_JSON:
        walk.spend(walk.own_time(step))
        walk.fail(step, invalid_json_error(), index=index)
    walk.spend(walk.own_time(step) * (len(walk.output) if step.continue_on_error else 1))
    match step.kind:
        case Kind.EXECUTION_DATA:
            for key in ("customer", "project", "team"):
                walk.custom_data[key] = _custom_value(walk, key)
            # The node hands its input on: the same payloads in new items.
            walk.finish(step, index=index, payloads=[item["json"] for item in walk.output])
        case _ if step.batch:
            count = walk.rng.randint(*step.batch)
            leads = [
                {"lead": number, "domain": f"lead-{walk.rng.randint(100, 999)}.example"}
                for number in range(1, count + 1)
            ]
            walk.finish(step, index=index, payloads=leads)
        case _ if step.continue_on_error:
            payloads = [_enriched(walk, step, item["json"]) for item in walk.output]
            walk.context_data[f"node:{step.name}"] = {"response": {"body": payloads[-1]}}
            walk.finish(step, index=index, items=items_of(payloads))
        case _:
            walk.finish(step, index=index, payloads=[_payload(walk, step)])


def run_wait(walk: Walk, step: Step) -> None:
    """Wait for an approval: keep what is stored meanwhile, then go on from there."""
    walk.begin(step)
    index = walk.take_index()
    walk.spend(walk.rng.randint(10, 90))
    path = f"webhook-waiting/{walk.execution_id}?signature={walk.resume_token}"
    metadata: Json = {"resumeUrl": f"https://n8n.example/{path}"}
    source = [source_of(walk.previous)]
    waiting = main_run(
        start_ms=walk.current_start_ms,
        index=index,
        source=source,
        took_ms=walk.clock_ms - walk.current_start_ms,
        outcome={"data": {"main": [walk.output]}},
        metadata=metadata,
        status="waiting",
    )
    entry = walk.stack_entry(step.name, {"main": [walk.output]}) | {"metadata": metadata}
    began_ms = walk.clock_ms
    # Half of the approvals come within 33 minutes; after twelve hours n8n goes on by itself.
    approval_seconds = min(walk.rng.lognormvariate(7.6, 1.3), 12 * 3600)
    walk.clock_ms += round(approval_seconds * 1000)
    walk.pause = Pause(
        began_ms=began_ms,
        resumes_ms=walk.clock_ms,
        run_data=walk.run_data | {step.name: [waiting]},
        stack=[entry],
        calls_made=len(walk.calls),
    )
    # After a wait n8n counts the node runs from 0 again.
    walk.next_index = 0
    walk.current_start_ms = walk.clock_ms
    answer = {
        "headers": {"host": "n8n.example", "user-agent": "Mozilla/5.0"},
        "params": {},
        "query": {"signature": walk.resume_token},
        "body": {},
        "webhookUrl": f"https://n8n.example/webhook/{walk.version.nodes[step.name]['webhookId']}",
        "executionMode": "production",
    }
    resumed: Json = metadata | {"forwardAllOutputs": True}
    walk.finish(step, index=walk.take_index(), payloads=[answer], metadata=resumed)


def _custom_value(walk: Walk, key: str) -> str:
    workflow = walk.version.workflow
    values: dict[str, Any] = {"project": workflow.project, "team": workflow.team}
    return str(values.get(key) or walk.body["body"][key])


def _payload(walk: Walk, step: Step) -> Json:
    if "alert" in step.fields:
        failed = walk.body
        return {"alert": f"{failed['workflow']['name']} failed: execution {_parent_id(failed)}"}
    if {"ok", "failed"} <= set(step.fields):
        failed_items = sum("error" in item["json"] for item in walk.output)
        return {"ok": len(walk.output) - failed_items, "failed": failed_items}
    payload = {name: field_value(walk.rng, name) for name in step.fields}
    if "rows" in payload and walk.background:
        payload["details"] = walk.background
    return payload


def _parent_id(failed: Json) -> str:
    return str(failed["execution"]["id"])


def _enriched(walk: Walk, step: Step, lead: Json) -> Json:
    if walk.rng.random() < step.item_failure_rate:
        return {"error": http_item_error(422, f"{lead['domain']} is not a known company")}
    values = {name: field_value(walk.rng, name) for name in step.fields if name != "lead"}
    return {"lead": lead["lead"]} | values
