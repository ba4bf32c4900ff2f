"""Whatever is sent, something is concluded, and the same in every order."""

import json
import random
from datetime import timedelta

import hypothesis.strategies as st
from hypothesis import HealthCheck, given, settings

from exporter.records import Execution, Json, LlmCall, Span, SpanEvent, Step
from tests.receivers.traces import made_spans
from tests.receivers.traces.made_spans import conclude

# Names that are looked for, so that values of every type meet every reader.
_NAMES = [
    "aiwf.workflow",
    "aiwf.workflow.version",
    "aiwf.customer",
    "aiwf.tags",
    "aiwf.items.total",
    "aiwf.attempt",
    "aiwf.trigger",
    "metadata",
    "tag.tags",
    "error.type",
    "error.message",
    "exception.type",
    "exception.message",
    "exception.stacktrace",
    "gen_ai.operation.name",
    "gen_ai.provider.name",
    "gen_ai.system",
    "gen_ai.request.model",
    "gen_ai.response.finish_reasons",
    "gen_ai.response.id",
    "gen_ai.response.time_to_first_chunk",
    "gen_ai.usage.input_tokens",
    "gen_ai.usage.output_tokens",
    "gen_ai.usage.cache_read.input_tokens",
    "gen_ai.usage.cost",
    "gen_ai.agent.name",
    "openinference.span.kind",
    "llm.request.type",
    "llm.token_count.prompt",
    "ai.operationId",
    "ai.response.msToFirstChunk",
    "traceloop.span.kind",
    "traceloop.workflow.name",
    "n8n.workflow.id",
    "n8n.node.type",
    "n8n.execution.status",
    "airflow.dag_run.state",
    "server.address",
    "http.request.method",
    "http.response.status_code",
    "http.request.resend_count",
    "db.system",
    "service.version",
]
_WORDS = [
    "chat",
    "embeddings",
    "execute_tool",
    "invoke_agent",
    "LLM",
    "CHAIN",
    "workflow",
    "task",
    "ai.embed.doEmbed",
    "waiting",
    "openai",
    "gpt-4o-mini",
    "[1, 2",
    '{"customer": {"deep": [null]}}',
    "\x00",
    "",
]
_PROSE = [
    "gen_ai.input.messages",
    "gen_ai.output.messages",
    "gen_ai.prompt.0.content",
    "gen_ai.prompt.x.content",
    "gen_ai.prompt.0.tool_calls.0.name",
    "llm.invocation_parameters",
    "output.value",
    "input.value",
    "event.0.gen_ai.choice.content",
    "event.0.x.gen_ai.prompt",
    "retrieval.documents.0.document.content",
]
_SCOPES = ["", "com.anthropic.sdk.python", "openlit.instrumentation.anthropic", "made"]
_scalars = st.one_of(
    st.sampled_from(_WORDS),
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(),
    st.text(max_size=20),
)
_values: st.SearchStrategy[Json] = st.recursive(
    _scalars,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=6,
)
_attributes = st.dictionaries(st.sampled_from(_NAMES) | st.text(max_size=8), _values, max_size=8)
_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["user", "text", "x"]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(
            ["role", "parts", "content", "type", "tool_calls", "function", "name", "arguments",
             "messages", "choices", "usage", "input_tokens", "finish_reason", "model", "text"]
        ),
        inner,
        max_size=4,
    ),
    max_leaves=8,
)  # fmt: skip
_prose = st.dictionaries(
    st.sampled_from(_PROSE),
    st.text(max_size=12) | _json.map(lambda value: json.dumps(value)),
    max_size=3,
)
_ids = st.sampled_from([f"s{number}" for number in range(7)])
_moments = st.integers(0, 5).map(made_spans.at)
_events = st.lists(
    st.builds(
        SpanEvent,
        name=st.sampled_from(["exception", "First Token Stream Event", "retry", ""]),
        at=_moments,
        attributes=_attributes,
    ),
    max_size=2,
).map(tuple)
_spans = st.lists(
    st.builds(
        Span,
        source=st.just("otel"),
        trace_id=st.just(made_spans.TRACE),
        span_id=_ids,
        parent_span_id=st.none() | _ids | st.just("elsewhere"),
        is_parent_remote=st.booleans(),
        name=st.sampled_from(["", "chat gpt", "ImagesResponse", "workflow.execute", "step"]),
        started_at=_moments,
        duration_seconds=st.sampled_from([0.0, 0.5, 3.0]),
        kind=st.sampled_from(["internal", "server", "client"]),
        is_error=st.booleans(),
        status_message=st.none() | st.text(max_size=8),
        scope=st.sampled_from(_SCOPES),
        service=st.sampled_from(["", "writer", "unknown_service:node"]),
        attributes=_attributes,
        resource=_attributes,
        content=_prose,
        events=_events,
    ),
    min_size=1,
    max_size=8,
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(spans=_spans, is_over=st.booleans(), seed=st.integers(0, 2**16))
def test_any_spans_give_one_execution_whatever_their_order(
    spans: list[Span], is_over: bool, seed: int
) -> None:
    records = conclude(*spans, is_over=is_over)

    shuffled = [*spans, *spans]
    random.Random(seed).shuffle(shuffled)
    assert repr(conclude(*shuffled, is_over=is_over)) == repr(records)  # repr: NaN is not itself

    [execution] = [record for record in records if isinstance(record, Execution)]
    steps = {record.step_id: record for record in records if isinstance(record, Step)}
    assert len(steps) in {len({span.span_id for span in spans}) - offset for offset in (0, 1)}
    assert execution.status.is_final or not is_over
    assert execution.workflow
    for step in steps.values():
        assert step.parent_step_id is None or step.parent_step_id in steps
    for call in (record for record in records if isinstance(record, LlmCall)):
        assert call.step_id is None or call.step_id in steps
        assert call.input_tokens is None or call.input_tokens >= (call.cached_input_tokens or 0)
        assert call.started_at <= made_spans.at(5) + timedelta(seconds=1)
