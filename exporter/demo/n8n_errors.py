"""The errors n8n stores: what a provider, a node or n8n itself says when something goes wrong."""

from dataclasses import dataclass

from exporter.demo.texts import compact_json
from exporter.demo.workflow_model import Fate, Json, Model

_MODULES = "/usr/local/lib/node_modules"
_ENGINE = f"{_MODULES}/n8n-core/src/execution-engine/workflow-execute.ts"
_ENGINE_FRAMES = (
    f"\n    at WorkflowExecute.executeNode ({_ENGINE}:1129:8)"
    f"\n    at WorkflowExecute.runNode ({_ENGINE}:1431:11)"
    f"\n    at {_ENGINE}:2333:27\n    at {_ENGINE}:2814:11"
)
_RATE_LIMIT_HELP = (
    "\n\nTroubleshooting URL: "
    "https://docs.langchain.com/oss/javascript/langchain/errors/MODEL_RATE_LIMIT/\n"
)
_OUT_OF_MEMORY = (
    "n8n may have run out of memory while running this execution. More context and tips on how to "
    "avoid this <a href='https://docs.n8n.io/hosting/scaling/memory-errors/' "
    "target='_blank'>in the docs</a>"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderFailure:
    """A provider's refusal, in n8n's words and in the provider's."""

    message: str  # n8n's generic sentence
    description: str  # the provider's sentence
    cause: str  # HTTP status and body
    http_status: int
    agent_failure_type: str


def provider_failure(fate: Fate, model: Model) -> ProviderFailure:
    """Return what a failing call to `model` leaves behind."""
    is_anthropic = model.provider == "anthropic"
    if fate is Fate.LLM_RATE_LIMITED:
        description = (
            "This request would exceed your organization’s rate limit of 50 requests per minute"
            if is_anthropic
            else f"Rate limit reached for {model.name} in organization org-demo on requests per "
            "min (RPM): Limit 500, Used 500. Please try again in 1s."
        )
        body = _anthropic_body("rate_limit_error", description) if is_anthropic else description
        return ProviderFailure(
            message="The service is receiving too many requests from you",
            description=description,
            cause=f"429 {body}{_RATE_LIMIT_HELP}",
            http_status=429,
            agent_failure_type="RateLimitError",
        )
    description = (
        "Internal server error"
        if is_anthropic
        else "The server had an error while processing your request. Sorry about that!"
    )
    body = _anthropic_body("api_error", description) if is_anthropic else description
    return ProviderFailure(
        message="The service was not able to process your request",
        description=description,
        cause=f"500 {body}",
        http_status=500,
        agent_failure_type="InternalServerError",
    )


def _anthropic_body(kind: str, message: str) -> str:
    return compact_json({"type": "error", "error": {"type": kind, "message": message}})


def model_node_error(failure: ProviderFailure, at_ms: int) -> Json:
    """Return the error of the model's own node."""
    return {
        "message": failure.message,
        "timestamp": at_ms,
        "name": "NodeApiError",
        "description": failure.description,
        "context": {},
        "cause": {"name": "Error", "message": failure.cause},
    }


def parent_node_error(failure: ProviderFailure, node: Json, at_ms: int, *, is_api: bool) -> Json:
    """Return the error of the node that used the model; a vendor node is an API node itself."""
    name = "NodeApiError" if is_api else "NodeOperationError"
    error: Json = {
        "level": "warning",
        "shouldReport": True,
        "description": failure.description,
        "tags": {"reWrapped": True},
        "timestamp": at_ms,
        "context": {},
        "functionality": "regular",
        "name": name,
        "node": {
            key: value for key, value in node.items() if key not in {"credentials", "webhookId"}
        },
        "messages": [failure.cause],
        "message": failure.message,
        "stack": f"{name}: {failure.message}\n    at Array.forEach (<anonymous>){_ENGINE_FRAMES}",
    }
    if is_api:
        error["httpCode"] = str(failure.http_status)
    return error


def invalid_json_error() -> Json:
    """Return the error of a Code node that was given prose where it expected JSON."""
    message = "Unexpected token 'H', \"Here is the\"... is not valid JSON [line 2]"
    return {
        "level": "info",
        "shouldReport": False,
        "description": None,
        "tags": {},
        "name": "WrappedExecutionError",
        "lineNumber": 2,
        "message": message,
        "stack": f"WrappedExecutionError: {message}\n    at throwExecutionError "
        f"({_MODULES}/n8n-nodes-base/nodes/Code/throw-execution-error.ts:8:9){_ENGINE_FRAMES}",
    }


def http_item_error(status: int, text: str) -> Json:
    """Return the error of one item of an HTTP node that goes on regardless."""
    body = compact_json(compact_json({"error": text}))
    return {
        "message": f"{status} - {body}",
        "name": "AxiosError",
        "stack": f"AxiosError: Request failed with status code {status}\n    at settle "
        f"({_MODULES}/@n8n/backend-network/node_modules/axios/dist/node/axios.cjs:2199:12)",
        "code": "ERR_BAD_REQUEST",
        "status": status,
    }


def manual_cancel_error(execution_id: int, at_ms: int) -> Json:
    """Return the error of an execution that somebody stopped."""
    message = "The execution was cancelled manually"
    return {
        "level": "warning",
        "shouldReport": False,
        "tags": {},
        "extra": {"executionId": str(execution_id)},
        "timestamp": at_ms,
        "context": {},
        "functionality": "regular",
        "name": "ManualExecutionCancelledError",
        "reason": "manual",
        "message": message,
        "stack": f"ManualExecutionCancelledError: {message}\n    at ExecutionService.stopDuringRun "
        f"({_MODULES}/n8n/src/executions/execution.service.ts:614:24)",
    }


def workflow_crashed_error(recovered_ms: int) -> Json:
    """Return the error n8n gives an execution it found dead after a restart."""
    return {
        "message": "Workflow did not finish, possible out-of-memory issue",
        "timestamp": recovered_ms,
        "name": "WorkflowCrashedError",
        "context": {},
    }


def node_crashed_error(recovered_ms: int) -> Json:
    """Return the error n8n gives the node at which a dead execution stood."""
    return {
        "message": "Execution stopped at this node",
        "timestamp": recovered_ms,
        "name": "NodeCrashedError",
        "description": _OUT_OF_MEMORY,
        "context": {},
        "cause": {"name": "Error", "message": "Node crashed, possible out-of-memory issue"},
    }
