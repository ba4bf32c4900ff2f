"""The model calls that n8n recorded in an execution's run data.

n8n keeps them in two places that must not be added to what chains and agents repeat in
`metadata.tracing`: runs of model sub-nodes, and vendor nodes with `metadata.tokenUsage`.
"""

from collections.abc import Iterator

from exporter.n8n_node_kinds import is_vendor_node
from exporter.records import Execution, ExecutionStatus, Json, LlmCall, Operation
from exporter.sources.workflows.n8n import nodes
from exporter.sources.workflows.n8n.run_data import NodeRun, RunData

_CONNECTION = "ai_languageModel"
_MOST_TOKENS = 1e9  # a count beyond is damage, not use


def llm_calls(data: RunData, execution: Execution) -> Iterator[LlmCall]:
    """Yield a call per run of a model node; copied runs of a retry belong to the original."""
    for run in data.node_runs:
        if run.copied or run.started_at is None or nodes.is_model_wrapper(run.node_type):
            continue
        outputs = data.document.mapping(run.task, "data")
        if _CONNECTION in outputs or nodes.is_model_node(run.node_type):
            yield _sub_node_call(data, execution, run)
        elif "ai_embedding" in outputs:
            yield _call(data, execution, run, operation=Operation.EMBEDDINGS)
        elif is_vendor_node(run.node_type) or data.document.get(run.task, "metadata", "tokenUsage"):
            yield _vendor_call(data, execution, run)


def _call(
    data: RunData,
    execution: Execution,
    run: NodeRun,
    *,
    operation: Operation = Operation.CHAT,
    served_model: str | None = None,
    requested_model: str | None = None,
    finish_reason: str | None = None,
    input_tokens: int | None = None,
    output_tokens: int | None = None,
    tokens_estimated: bool = False,
    prompt: str | None = None,
    response: str | None = None,
) -> LlmCall:
    error = data.document.mapping(run.task, "error")
    status = data.document.text(run.task, "executionStatus")
    requested_model = requested_model or nodes.parameter_model(run.parameters)
    return LlmCall(
        source=execution.source,
        execution_id=execution.execution_id,
        created_at=execution.created_at,
        call_id=run.step_id,
        step_id=run.step_id,
        started_at=run.started_at or execution.created_at,
        workflow_id=execution.workflow_id,
        workflow=execution.workflow,
        provider=nodes.provider(run.node_type),
        model=served_model or requested_model or "unknown",
        requested_model=requested_model,
        operation=operation,
        status={"error": ExecutionStatus.ERROR, "crashed": ExecutionStatus.CRASHED}.get(
            status or "", ExecutionStatus.ERROR if error else ExecutionStatus.SUCCESS
        ),
        error_type=data.error_type(error),
        finish_reason=finish_reason,
        latency_seconds=run.duration_seconds,
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        tokens_estimated=tokens_estimated,
        customer=execution.customer,
        project=execution.project,
        team=execution.team,
        prompt=prompt,
        response=response,
    )


def _sub_node_call(data: RunData, execution: Execution, run: NodeRun) -> LlmCall:
    document = data.document
    asked = document.mapping(run.task, "inputOverride", _CONNECTION, 0, 0, "json")
    answer = document.mapping(run.task, "data", _CONNECTION, 0, 0, "json")
    # A failed call repeats its input where the answer would be.
    has_answer = "response" in answer
    usage = document.mapping(answer, "tokenUsage") if has_answer else {}
    estimate = document.mapping(answer, "tokenUsageEstimate") if has_answer else {}
    input_tokens, output_tokens = _tokens(
        data, usage or estimate, "promptTokens", "completionTokens"
    )
    if not usage and not (input_tokens or output_tokens):
        input_tokens = output_tokens = None  # an estimate of nothing is no estimate
    generation = document.mapping(answer, "response", "generations", 0, 0)
    requested = None
    for key in (
        "model",
        "model_name",
        "modelName",
        "deploymentName",
        "azureOpenAIApiDeploymentName",
        "modelId",
    ):
        requested = requested or document.text(asked, "options", key)
    return _call(
        data,
        execution,
        run,
        served_model=document.text(generation, "generationInfo", "model_name"),
        requested_model=requested,
        finish_reason=document.text(generation, "generationInfo", "finish_reason"),
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        tokens_estimated=input_tokens is not None and not usage,
        prompt="\n\n".join(filter(None, _texts(data, asked, "messages"))) or None,
        response=document.text(generation, "text"),
    )


def _vendor_call(data: RunData, execution: Execution, run: NodeRun) -> LlmCall:
    """Read a vendor node: one row for all its items and tool rounds, as n8n adds them up."""
    document = data.document
    usage = document.mapping(run.task, "metadata", "tokenUsage")
    input_tokens, output_tokens = _tokens(data, usage, "inputTokens", "outputTokens")
    answer = document.mapping(run.task, "data", "main", 0, 0, "json")
    served = document.text(answer, "model")
    return _call(
        data,
        execution,
        run,
        operation=nodes.vendor_operation(run.parameters),
        served_model=served,
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        response=_vendor_text(data, answer),
    )


def _vendor_text(data: RunData, answer: dict[str, Json]) -> str | None:
    document = data.document
    for path in (
        ("output", 0, "content", 0, "text"),  # OpenAI Responses
        ("message", "content"),  # OpenAI chat completions
        ("content", 0, "text"),  # Anthropic
        ("content", "parts", 0, "text"),  # Gemini
    ):
        found = document.text(answer, *path)
        if found:
            return found
    return None


def _texts(data: RunData, container: dict[str, Json], key: str) -> Iterator[str]:
    for message in data.document.items(container, key):
        if isinstance(message, str):
            yield message


def _tokens(
    data: RunData, usage: dict[str, Json], input_key: str, output_key: str
) -> tuple[int | None, int | None]:
    counts = [data.document.number(usage, key) for key in (input_key, output_key)]
    input_tokens, output_tokens = (
        int(count) if count is not None and count < _MOST_TOKENS else None for count in counts
    )
    return input_tokens, output_tokens
