"""The words of providers, gateways, SDKs and HTTP for how a call failed or ended → a signal.

The words are those of OpenAI, Azure, Anthropic, Google, Bedrock, Mistral, Cohere, Groq, xAI,
DashScope, vLLM and llama.cpp, of LiteLLM, LangChain and n8n, as their SDKs and API references
give them (litellm/litellm_core_utils/exception_mapping_utils.py collects many).
"""

import re
from functools import lru_cache

from exporter.records import CallSignal

# Between lower and upper case, and before the last capital of several: API|Timeout|Error.
_WORD_BEGINS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_NO_WORD = re.compile(r"[^a-z0-9]+")
# The first that fits counts: a refusal for its length may speak of rate limits, not vice versa.
_PHRASES = (
    (
        CallSignal.CONTEXT_EXCEEDED,
        "context length exceeded",
        "context window exceeded",
        "context overflow",
        "exceeds the context window",
        "exceed context limit",
        "exceed context size",
        "exceeds the available context",
        "maximum context",
        "maximum prompt length",
        "maximum input length",
        "model max prompt tokens",
        "prompt is too long",
        "prompt too long",
        "input is too long",
        "too many input tokens",
        "too many tokens size limit",
        "tokens in the prompt cannot exceed",
        "exceeds the maximum number of tokens",
        "exceeds the maximum number of input tokens",
        "input token count is",
        "input tokens exceed",
        "tokens max new tokens must be",
        "reduce the length of",
    ),
    (
        CallSignal.REFUSED,
        "content filter",
        "content policy",
        "content management policy",
        "responsible ai policy",
        "result of our safety system",
        "result of the safety system",
        "safety system",
        "usage policy",
        "usage guidelines",
        "moderation blocked",
        "prohibited content",
        "blocked prompt",
        "prompt blocked",
        "block reason",
        "stop candidate",
        "blocked by guardrail",
        "guardrail intervened",
        "data inspection failed",
    ),
    (  # before rate limits: OpenAI and Bedrock tell this with 429 too
        CallSignal.OVERLOADED,
        "overloaded",
        "over capacity",
        "at capacity",
        "no capacity",
        "capacity exceeded",
        "insufficient capacity",
        "model not ready",
    ),
    (
        CallSignal.RATE_LIMITED,
        "rate limit",
        "ratelimit",
        "too many requests",
        "throttl",
        "resource exhausted",
        "resource has been exhausted",
        "quota",
        "tokens per min",
        "requests per min",
        "too many tokens",
    ),
    (
        CallSignal.TIMED_OUT,
        "timed out",
        "timedout",
        "timeout",
        "deadline exceeded",
        "etimedout",
        "esockettimedout",
        "econnaborted",
    ),
    (
        CallSignal.OVERLOADED,
        "internal server",
        "internal error",
        "service unavailable",
        "service is unavailable",
        "temporarily unavailable",
        "status code unavailable",
        "server error",
        "server had an error",
        "bad gateway",
        "model error exception",
        "model stream error",
    ),
    (CallSignal.CONTEXT_EXCEEDED, "request too large"),
    (CallSignal.TRUNCATED, "length finish reason"),  # the SDK's error for an answer cut off
)
_PATTERNS = tuple(
    (signal, re.compile(rf"\b(?:{'|'.join(phrases)})")) for signal, *phrases in _PHRASES
)
_MEANT_BY = {
    **dict.fromkeys((408, 504, 522, 524), CallSignal.TIMED_OUT),
    413: CallSignal.CONTEXT_EXCEEDED,
    429: CallSignal.RATE_LIMITED,
    # 498: Groq has no capacity; 52x: the proxy before a provider; 529: Anthropic.
    **dict.fromkeys((498, 500, 502, 503, 520, 521, 523, 529, 530), CallSignal.OVERLOADED),
}
# A number in the midst of a text may be anything: a provider quotes what it was asked.
_HTTP_STATUS = re.compile(
    r"^\W{0,2}([45]\d\d)\b(?![.,]?\d)"
    r"|(?:\b|_)(?:code|status|http(?:/\d(?:\.\d)?)?)\W{0,4}([45]\d\d)\b"
    r"|^[\w.]+ ([45]\d\d)$",
    re.IGNORECASE,
)
_ANTHROPICS_OWN = re.compile(r"\bapi_error\b")  # APIError, in words the same, is any error
_LONGEST = 4_000
_TRUNCATED = frozenset(
    {
        "length",
        "max tokens",
        "max output tokens",
        "max length",
        "model length",  # Mistral
        "token limit",
        "error limit",  # Cohere
        "incomplete",
        "model context window exceeded",  # Anthropic: the answer filled it
    }
)
_REFUSED = frozenset(
    {
        "blocklist",
        "content filter",
        "content filtered",
        "error toxic",
        "guardrail intervened",
        "image prohibited content",
        "image recitation",
        "image safety",
        "prohibited content",
        "recitation",
        "refusal",
        "safety",
        "spii",
    }
)


def failure_signal(*said: str | None) -> CallSignal | None:
    """Return what a failure means by what is said of it, the most exact first; None: nothing."""
    return next((found for text in said if text and (found := _meant(text[:_LONGEST]))), None)


@lru_cache(maxsize=1024)
def _meant(text: str) -> CallSignal | None:
    words = _words(text)
    for signal, pattern in _PATTERNS:
        if pattern.search(words):
            return signal
    if _ANTHROPICS_OWN.search(text):
        return CallSignal.OVERLOADED
    status = _HTTP_STATUS.search(text)
    return _MEANT_BY.get(int(status[status.lastindex or 0])) if status else None


def ending_signal(finish_reason: str | None) -> CallSignal | None:
    """Return what a finish or stop reason means; None: the answer came to its end."""
    ended = _words(finish_reason or "").removeprefix("finish reason ")
    if ended in _TRUNCATED:
        return CallSignal.TRUNCATED
    return CallSignal.REFUSED if ended in _REFUSED else None


def _words(text: str) -> str:
    """Return it in lower case with spaces: RateLimitError, rate_limit_error and so on are one."""
    return _NO_WORD.sub(" ", _WORD_BEGINS.sub(" ", text).lower()).strip()
