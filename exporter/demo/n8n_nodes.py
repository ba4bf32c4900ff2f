"""Workflows as n8n stores them: nodes, connections and settings, from the company's own words.

n8n keeps a workflow twice: as it was edited (`workflow_entity`, `workflow_history`), and as it ran
(`execution_data.workflowData`), where every parameter that has a default is filled in.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from random import Random
from uuid import UUID

from exporter.demo.texts import compact_json
from exporter.demo.workflow_model import Json, Kind, Model, Prompt, Step, Workflow

WEBHOOK_BASE = "https://n8n.example/webhook"
_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_LANGCHAIN = "@n8n/n8n-nodes-langchain."
_BASE = "n8n-nodes-base."

_TYPES: dict[Kind, tuple[str, float]] = {
    Kind.WEBHOOK: (_BASE + "webhook", 2.1),
    Kind.SCHEDULE: (_BASE + "scheduleTrigger", 1.2),
    Kind.ERROR_TRIGGER: (_BASE + "errorTrigger", 1),
    Kind.EXECUTION_DATA: (_BASE + "executionData", 1),
    Kind.SET: (_BASE + "set", 3.4),
    Kind.CODE: (_BASE + "code", 2),
    Kind.HTTP: (_BASE + "httpRequest", 4.2),
    Kind.CHAIN: (_LANGCHAIN + "chainLlm", 1.7),
    Kind.AGENT: (_LANGCHAIN + "agent", 3.1),
    Kind.VENDOR: (_LANGCHAIN + "openAi", 2.1),
    Kind.WAIT: (_BASE + "wait", 1.1),
}
_TOOL_TYPES: dict[str, tuple[str, float]] = {
    "Calculator": (_LANGCHAIN + "toolCalculator", 1),
    "Look Up Account": (_BASE + "httpRequestTool", 4.2),
}
_CREDENTIALS = {"anthropic": ("anthropicApi", "Anthropic"), "openai": ("openAiApi", "OpenAI")}


def n8n_id(name: str) -> str:
    """Return the 16 characters that stand for `name`, the same ones in every run."""
    return "".join(Random(name).choices(_ALPHABET, k=16))  # noqa: S311 - an id, not a secret


def uuid_for(name: str) -> str:
    """Return the UUID that stands for `name`, the same one in every run."""
    return str(UUID(int=Random(name).getrandbits(128), version=4))  # noqa: S311 - as above


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkflowVersion:
    """One version of a workflow, ready to be stored."""

    workflow: Workflow
    workflow_id: str
    version_id: str
    edited_nodes: list[Json]
    connections: Json
    settings: Json
    nodes: dict[str, Json]  # by name, as they run
    snapshot: str  # execution_data.workflowData


def workflow_version(workflow: Workflow, number: int, error_workflow_id: str) -> WorkflowVersion:
    """Return version `number` of a workflow; the first versions had shorter instructions."""
    workflow_id = n8n_id(workflow.name)
    is_old = workflow.revised_days_ago is not None and number == 1
    pairs = list(_nodes(workflow, short_instructions=is_old))
    edited_nodes = [node | {"parameters": edited} for node, edited, _ in pairs]
    running = [node | {"parameters": defaults | edited} for node, edited, defaults in pairs]
    settings: Json = {"executionOrder": "v1"}
    if workflow.reports_errors:
        settings["errorWorkflow"] = error_workflow_id
    if workflow.timeout_seconds is not None:
        settings["executionTimeout"] = workflow.timeout_seconds
    connections = _connections(workflow)
    return WorkflowVersion(
        workflow=workflow,
        workflow_id=workflow_id,
        version_id=uuid_for(f"{workflow.name} version {number}"),
        edited_nodes=edited_nodes,
        connections=connections,
        settings=settings,
        nodes={node["name"]: node for node in running},
        snapshot=compact_json(
            {
                "id": workflow_id,
                "name": workflow.name,
                "nodes": running,
                "connections": connections,
                "settings": settings,
                "nodeGroups": [],
            }
        ),
    )


def _nodes(workflow: Workflow, *, short_instructions: bool) -> Iterable[tuple[Json, Json, Json]]:
    """Yield every node without parameters, its edited parameters and its defaults."""
    position = 0
    for step in workflow.steps:
        node_type, version = _TYPES[step.kind]
        node = _node(workflow, step.name, node_type, version, position)
        if step.kind in {Kind.WEBHOOK, Kind.WAIT}:
            node["webhookId"] = uuid_for(f"{workflow.name} {step.name} webhook")
        if step.retry_on_fail:
            node |= {"retryOnFail": True, "maxTries": 3, "waitBetweenTries": 1000}
        if step.continue_on_error:
            node["onError"] = "continueRegularOutput"
        if step.kind is Kind.VENDOR:
            node["credentials"] = _credentials("openai")
        edited, defaults = _parameters(workflow, step, short_instructions=short_instructions)
        yield node, edited, defaults
        position += 220
    for prompt in _model_nodes(workflow):
        node = _node(workflow, prompt.node, *_model_type(prompt.model), position)
        node["credentials"] = _credentials(prompt.model.provider)
        yield node, _model_parameters(prompt.model), {"notice": ""}
        position += 220
    for tool in (tool for step in workflow.steps for tool in step.tools):
        node = _node(workflow, tool, *_TOOL_TYPES[tool], position)
        node["rewireOutputLogTo"] = "ai_tool"
        yield node, _tool_parameters(tool), {"notice": ""}
        position += 220


def _node(workflow: Workflow, name: str, node_type: str, version: float, position: int) -> Json:
    return {
        "id": uuid_for(f"{workflow.name} {name}"),
        "name": name,
        "type": node_type,
        "typeVersion": version,
        "position": [position, 0],
        "parameters": {},
    }


def _model_nodes(workflow: Workflow) -> list[Prompt]:
    """Return one prompt per model node: several steps may share one."""
    by_node = {step.prompt.node: step.prompt for step in workflow.steps if step.prompt}
    return [prompt for node, prompt in by_node.items() if node]


def _model_type(model: Model) -> tuple[str, float]:
    if model.provider == "anthropic":
        return _LANGCHAIN + "lmChatAnthropic", 1.3
    return _LANGCHAIN + "lmChatOpenAi", 1.3


def _model_parameters(model: Model) -> Json:
    choice = {"__rl": True, "mode": "list", "value": model.name}
    if model.provider == "anthropic":
        return {"model": choice, "options": {}}
    if model.provider == "openai":
        return {"model": choice, "responsesApiEnabled": model.responses_api, "options": {}}
    by_name = {"__rl": True, "mode": "id", "value": model.name}
    options = {"baseURL": model.base_url}
    return {"model": by_name, "responsesApiEnabled": False, "options": options}


def _tool_parameters(tool: str) -> Json:
    if tool == "Calculator":
        return {}
    return {
        "toolDescription": "Look up the account of a customer",
        "method": "GET",
        "url": "=https://crm.example/accounts/{{ $fromAI('account') }}",
        "options": {},
    }


def _credentials(provider: str) -> Json:
    kind, name = _CREDENTIALS.get(provider, ("openAiApi", "Self-hosted models"))
    return {kind: {"id": n8n_id(f"credential {name}"), "name": name}}


def _expression(workflow: Workflow, prompt: Prompt) -> str:
    """Return a prompt template as the n8n expression that would produce it."""
    text = prompt.text.replace("{previous}", "{{ $json.text }}")
    for name in workflow.inputs:
        text = text.replace(f"{{{name}}}", f"{{{{ $('Webhook').item.json.body.{name} }}}}")
    if workflow.inputs and prompt.context_tokens != (0, 0):
        text += " {{ $('Webhook').item.json.body.background }}"
    return f"={text}"


def _parameters(workflow: Workflow, step: Step, *, short_instructions: bool) -> tuple[Json, Json]:
    """Return a step's parameters as edited, and the defaults n8n adds when it runs."""
    match step.kind:
        case Kind.WEBHOOK:
            edited: Json = {"httpMethod": "POST", "path": workflow.path}
            edited |= {"responseMode": "onReceived", "options": {}}
            defaults = {"multipleMethods": False, "authentication": "none", "contentTypeNotice": ""}
        case Kind.SCHEDULE:
            edited = {"rule": {"interval": [_interval(workflow)]}}
            defaults = {"notice": "", "skipDurableScheduler": False}
        case Kind.ERROR_TRIGGER:
            edited, defaults = {}, {"notice": ""}
        case Kind.EXECUTION_DATA:
            values = [{"key": "customer", "value": "={{ $json.body.customer }}"}]
            values += [{"key": "project", "value": workflow.project}]
            values += [{"key": "team", "value": workflow.team}]
            edited = {"dataToSave": {"values": values}}
            defaults = {"notice": "", "operation": "save"}
        case Kind.SET:
            assignments = [
                {"id": uuid_for(f"{step.name} {name}"), "name": name, "value": "yes"}
                | {"type": "string"}
                for name in step.fields
            ]
            edited = {"assignments": {"assignments": assignments}, "options": {}}
            defaults = {"mode": "manual", "duplicateItem": False, "includeOtherFields": False}
        case Kind.CODE:
            edited = {"jsCode": _code(step)}
            defaults = {"mode": "runOnceForAllItems", "language": "javaScript", "notice": ""}
        case Kind.HTTP:
            edited = {"url": step.url, "options": {}}
            defaults = {"curlImport": "", "method": "GET", "authentication": "none"}
            defaults |= {"provideSslCertificates": False, "sendQuery": False}
            defaults |= {"sendHeaders": False, "sendBody": False, "infoMessage": ""}
        case Kind.WAIT:
            edited = {"resume": "webhook", "httpMethod": "GET", "limitWaitTime": True}
            edited |= {"limitType": "afterTimeInterval", "resumeAmount": 12}
            edited |= {"resumeUnit": "hours", "options": {}}
            defaults = {"incomingAuthentication": "none", "webhookNotice": ""}
            defaults |= {"responseCode": 200, "responseMode": "onReceived"}
        case Kind.CHAIN | Kind.AGENT | Kind.VENDOR:
            edited, defaults = _llm_parameters(
                workflow, step, short_instructions=short_instructions
            )
    return edited, defaults


def _llm_parameters(
    workflow: Workflow, step: Step, *, short_instructions: bool
) -> tuple[Json, Json]:
    prompt = step.prompt
    if prompt is None:
        msg = f"step {step.name!r} asks a model but has no prompt"
        raise ValueError(msg)
    text = _expression(workflow, prompt)
    system = prompt.system.split(".")[0] + "." if short_instructions else prompt.system
    if step.kind is Kind.VENDOR:
        model = {"__rl": True, "value": prompt.model.name, "mode": "list"}
        edited: Json = {"modelId": model | {"cachedResultName": prompt.model.name.upper()}}
        edited |= {"responses": {"values": [{"content": text}]}, "builtInTools": {}, "options": {}}
        return edited, {"resource": "text", "operation": "response", "simplify": True}
    edited = {"promptType": "define", "text": text, "hasOutputParser": False}
    if step.kind is Kind.AGENT:
        edited["options"] = {"systemMessage": system}
        return edited, {"aiAgentStarterCallout": "", "needsFallback": False}
    edited["batching"] = {}
    edited["messages"] = {}
    if system:
        message = {"type": "SystemMessagePromptTemplate", "message": system}
        edited["messages"] = {"messageValues": [message]}
    return edited, {"notice": "", "needsFallback": False}


def _interval(workflow: Workflow) -> Json:
    schedule = workflow.schedule
    if schedule is None:
        msg = f"workflow {workflow.name!r} has a schedule trigger but no schedule"
        raise ValueError(msg)
    if schedule.weekday is not None:
        days = [(schedule.weekday + 1) % 7]
        return {"field": "weeks", "triggerAtDay": days, "triggerAtHour": schedule.hours[0]}
    hours = ",".join(str(hour) for hour in schedule.hours)
    return {"field": "cronExpression", "expression": f"{schedule.minute} {hours} * * *"}


def _code(step: Step) -> str:
    if step.parses_json:
        return "const text = $input.first().json.text;\nreturn [{ json: JSON.parse(text) }];"
    if step.batch:
        return "return $getWorkflowStaticData('global').leads.map((json) => ({ json }));"
    return (
        "const items = $input.all();\nconst failed = items.filter((i) => i.json.error).length;\n"
        "return [{ json: { ok: items.length - failed, failed } }];"
    )


def _connections(workflow: Workflow) -> Json:
    names = [step.name for step in workflow.steps]
    connections: Json = {
        name: {"main": [[{"node": following, "type": "main", "index": 0}]]}
        for name, following in pairwise(names)
    }
    for step in workflow.steps:
        if step.prompt and step.prompt.node:
            link = {"node": step.name, "type": "ai_languageModel", "index": 0}
            links = connections.setdefault(step.prompt.node, {"ai_languageModel": [[]]})
            links["ai_languageModel"][0].append(link)
        for tool in step.tools:
            connections[tool] = {"ai_tool": [[{"node": step.name, "type": "ai_tool", "index": 0}]]}
    return connections
