"""The tokens of a model call, by whatever names: input incl. cached, output incl. reasoning."""

from dataclasses import dataclass

from exporter.receivers.traces.attribute_values import count
from exporter.receivers.traces.messages import answer_json
from exporter.records import Span

_INPUT = (
    "gen_ai.usage.input_tokens",
    "gen_ai.usage.prompt_tokens",
    "llm.token_count.prompt",
    "llm.usage.prompt_tokens",
    "ai.usage.inputTokens",
    "ai.usage.promptTokens",
    "ai.usage.tokens",
)
_OUTPUT = (
    "gen_ai.usage.output_tokens",
    "gen_ai.usage.completion_tokens",
    "llm.token_count.completion",
    "llm.usage.completion_tokens",
    "ai.usage.outputTokens",
    "ai.usage.completionTokens",
)
_TOTAL = (
    "gen_ai.usage.total_tokens",
    "llm.usage.total_tokens",
    "llm.token_count.total",
    "ai.usage.totalTokens",
)
_CACHED = (
    "gen_ai.usage.cache_read.input_tokens",
    "gen_ai.usage.cache_read_input_tokens",
    "gen_ai.usage.prompt_tokens_details.cached_tokens",
    "gen_ai.usage.input_tokens.cached",
    "llm.token_count.prompt_details.cache_read",
    "llm.usage.cache_read_input_tokens",
    "ai.usage.cachedInputTokens",
)
_WRITTEN = (
    "gen_ai.usage.cache_write.input_tokens",
    "gen_ai.usage.cache_creation.input_tokens",
    "gen_ai.usage.cache_creation_input_tokens",
    "gen_ai.usage.cache_creation_tokens",
    "gen_ai.usage.prompt_tokens_details.cache_creation_tokens",
    "gen_ai.usage.input_tokens.cache_write",
    "llm.token_count.prompt_details.cache_write",
    "llm.usage.cache_creation_input_tokens",
)
_REASONING = (
    "gen_ai.usage.reasoning.output_tokens",
    "gen_ai.usage.reasoning_tokens",
    "gen_ai.usage.completion_tokens_details.reasoning_tokens",
    "gen_ai.usage.output_tokens.reasoning",
    "gen_ai.usage.details.reasoning_tokens",
    "llm.usage.reasoning_tokens",
    "llm.token_count.completion_details.reasoning",
    "ai.usage.reasoningTokens",
)
# These send a provider's count as it is, and this provider counts cached tokens apart.
_WITHOUT_CACHED = frozenset(
    {"openlit.instrumentation.anthropic", "openlit.instrumentation.bedrock"}
)


@dataclass(frozen=True, slots=True)
class TokenCounts:
    """None: not told."""

    input_tokens: int | None
    cached_input_tokens: int | None
    cache_write_tokens: int | None
    output_tokens: int | None
    reasoning_tokens: int | None
    are_estimated: bool = False

    @property
    def are_known(self) -> bool:
        """Whether any are."""
        return self.input_tokens is not None or self.output_tokens is not None


def token_counts(span: Span) -> TokenCounts:
    """Return the tokens of a span that is a model call."""
    said = span.attributes
    asked, answered = count(said, *_INPUT), count(said, *_OUTPUT)
    cached, written = count(said, *_CACHED), count(said, *_WRITTEN)
    if asked is None and answered is None:
        asked, answered = _usage_in_answer(span)
    if asked is not None:
        beside = (cached or 0) + (written or 0)
        if asked < beside or span.scope in _WITHOUT_CACHED:
            asked += beside
    if answered is None and asked is not None:
        total = count(said, *_TOTAL)
        answered = total - asked if total is not None and total >= asked else None
    return TokenCounts(
        input_tokens=asked,
        cached_input_tokens=cached,
        cache_write_tokens=written,
        output_tokens=answered,
        reasoning_tokens=count(said, *_REASONING),
        are_estimated=answered is not None and _are_estimated(span),
    )


def _usage_in_answer(span: Span) -> tuple[int | None, int | None]:
    """Find the tokens of an image, say, where the provider's answer was sent as it is."""
    answer = answer_json(span)
    usage = answer.get("usage") if isinstance(answer, dict) else None
    if not isinstance(usage, dict):
        return None, None
    return (
        count(usage, "input_tokens", "prompt_tokens"),
        count(usage, "output_tokens", "completion_tokens"),
    )


def _are_estimated(span: Span) -> bool:
    """Whether the instrumentation counted words itself: of a stream whose usage was not told.

    OpenLIT 1.45 does, and then sends no cached tokens, not even 0.
    """
    said = span.attributes
    return (
        span.scope == "openlit.instrumentation.openai"
        and said.get("gen_ai.request.stream") is True
        and "gen_ai.usage.cache_read.input_tokens" not in said
    )
