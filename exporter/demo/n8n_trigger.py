"""What starts an execution: a webhook's request, the clock, or another execution's failure."""

from datetime import datetime
from random import Random

from exporter.demo.company import CUSTOMER_WEIGHTS
from exporter.demo.n8n_nodes import WEBHOOK_BASE, WorkflowVersion
from exporter.demo.texts import compact_json, field_value, passage
from exporter.demo.traffic import Story
from exporter.demo.workflow_model import Json, Workflow


def runtime_data(version: WorkflowVersion, mode: str, created_ms: int, parent: Json | None) -> Json:
    """Return executionData.runtimeData; `parent` is the parentExecution of an error workflow."""
    trigger = version.nodes[version.workflow.steps[0].name]
    runtime: Json = {"version": 1, "establishedAt": created_ms - 40, "source": mode}
    runtime["triggerNode"] = {"name": trigger["name"], "type": trigger["type"]}
    runtime["redaction"] = {"version": 2, "production": False, "manual": False}
    if parent is not None:
        # n8n names the trigger of the execution that failed, not the error trigger.
        runtime["triggerNode"] = parent["executionContext"]["triggerNode"]
        runtime["parentExecutionId"] = parent["executionId"]
    return runtime


def background(workflow: Workflow, story: Story, at: datetime, rng: Random) -> str:
    """Return the reference material that comes with a request, as long as the prompts want it."""
    spans = [step.prompt.context_tokens for step in workflow.steps if step.prompt]
    low, high = max(spans, default=(0, 0))
    if high == 0:
        return ""
    tokens = rng.randint(low, high) * story.context_factor(workflow, at)
    return passage(rng, round(tokens))


def webhook_output(workflow: Workflow, reference: str, rng: Random) -> Json:
    """Return what a webhook node puts out."""
    body = _webhook_body(workflow, reference, rng)
    return {
        "headers": {
            "host": "n8n.example",
            "user-agent": "axios/1.12",
            "content-type": "application/json",
            "content-length": str(len(compact_json(body).encode())),
        },
        "params": {},
        "query": {},
        "body": body,
        "webhookUrl": f"{WEBHOOK_BASE}/{workflow.path}",
        "executionMode": "production",
    }


def _webhook_body(workflow: Workflow, reference: str, rng: Random) -> Json:
    customer = rng.choices(list(CUSTOMER_WEIGHTS), list(CUSTOMER_WEIGHTS.values()))[0]
    body: Json = {"customer": customer}
    for name in workflow.inputs[1:]:
        contact = f"office@{customer}.example"
        body[name] = contact if name == "contact" else field_value(rng, name)
    if reference:
        body["background"] = reference
    return body


def schedule_output(at: datetime) -> Json:
    """Return what a schedule node puts out."""
    return {
        "timestamp": at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}+00:00",
        "Readable date": f"{at:%B} {at.day}, {at:%Y}, {at:%I:%M:%S} {at:%p}",
        "Readable time": f"{at:%I:%M:%S} {at:%p}",
        "Day of week": f"{at:%A}",
        "Year": f"{at:%Y}",
        "Month": f"{at:%B}",
        "Day of month": f"{at:%d}",
        "Hour": f"{at:%H}",
        "Minute": f"{at:%M}",
        "Second": f"{at:%S}",
        "Timezone": "Etc/UTC (UTC+00:00)",
    }
