"""Writes a post on each topic, whatever the models do: retry, circuit breaker, fallback, cache.

A worker: every line of its input is a batch of topics, separated by commas. Copy it, and put your
own models and steps in.
"""

import logging
import sys
from functools import partial

import anthropic
import openai
from cachetools import TTLCache
from circuitbreaker import CircuitBreakerError, circuit
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.genai.anthropic import AnthropicInstrumentor
from opentelemetry.instrumentation.genai.openai import OpenAIInstrumentor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from tenacity import before_sleep_log, retry, retry_if_exception_type
from tenacity.stop import stop_after_attempt
from tenacity.wait import wait_exponential

log = logging.getLogger("write_posts")
tracer = trace.get_tracer("write_posts")


# --- Models that may fail -------------------------------------------------------------------------

PASSING = (  # what may be over in a second; a wrong key or a bad request will not
    openai.APIConnectionError,
    openai.RateLimitError,
    openai.InternalServerError,
    anthropic.APIConnectionError,
    anthropic.RateLimitError,
    anthropic.InternalServerError,
)
# Five tries, with 1, 2, 4 and 8 seconds between them.
again = retry(
    retry=retry_if_exception_type(PASSING),
    wait=wait_exponential(multiplier=1),
    stop=stop_after_attempt(5),
    before_sleep=before_sleep_log(log, logging.INFO),
    reraise=True,
)
# After five failures in a row a model is left alone for five minutes, then tried by one call.
guarded = partial(circuit, failure_threshold=5, recovery_timeout=300, expected_exception=PASSING)

# Without the SDKs' own retries: neither the breaker nor the trace would know of them.
gpt = openai.OpenAI(max_retries=0, timeout=60)
claude = anthropic.Anthropic(max_retries=0, timeout=60)


class RefusedError(Exception):
    """The model, or a filter before it, would not answer this prompt."""


@again
@guarded(name="gpt-4o-mini")
def ask_gpt(prompt: str) -> str:
    """Ask the model of our choice."""
    answer = gpt.chat.completions.create(
        model="gpt-4o-mini",
        max_completion_tokens=300,
        messages=[{"role": "user", "content": prompt}],
    ).choices[0]
    if answer.finish_reason == "content_filter" or not answer.message.content:
        raise RefusedError(answer.message.refusal or answer.finish_reason)
    return answer.message.content


@again
@guarded(name="claude-haiku-4-5")
def ask_claude(prompt: str) -> str:
    """Ask the model that steps in."""
    answer = claude.messages.create(
        model="claude-haiku-4-5",
        max_tokens=300,
        messages=[{"role": "user", "content": prompt}],
    )
    if answer.stop_reason == "refusal":
        raise RefusedError(answer.stop_reason)
    return "".join(block.text for block in answer.content if block.type == "text")


# --- The workflow ---------------------------------------------------------------------------------

MODELS = (ask_gpt, ask_claude)
PROMPTS = (
    "Write a witty post on {topic} for our followers, with a fact that surprises them.",
    "Write one plain sentence on {topic}.",  # where the first is refused
)
last_posts: TTLCache[str, str] = TTLCache(maxsize=1_000, ttl=24 * 3600)


class NoAnswerError(Exception):
    """No model answered, and nothing was known from before."""


def write(topic: str) -> str:
    """Return a post: of the first model that answers, else the last one that there was."""
    for ask in MODELS:
        for prompt in PROMPTS:
            try:
                with tracer.start_as_current_span(ask.__name__):
                    last_posts[topic] = ask(prompt.format(topic=topic))
                return last_posts[topic]
            except RefusedError as refusal:
                log.info("%s refuses %s: %s", ask.__name__, topic, refusal)
            except (*PASSING, CircuitBreakerError) as failure:
                log.warning("%s fails on %s: %s", ask.__name__, topic, failure)
                break
    if topic not in last_posts:
        raise NoAnswerError(topic)
    with tracer.start_as_current_span("last post", attributes={"aiwf.cached_answer": True}):
        return last_posts[topic]


def write_all(topics: list[str]) -> dict[str, str]:
    """Return a post on each topic that there is one for; a bad topic does not stop the others."""
    described = {
        "aiwf.workflow": "write_posts",
        "aiwf.workflow.version": "1",
        "aiwf.trigger": "queue",
        "aiwf.team": "marketing",
        "aiwf.items.total": len(topics),
    }
    with tracer.start_as_current_span("write_posts", attributes=described) as run:
        posts: dict[str, str] = {}
        for topic in topics:
            try:
                with tracer.start_as_current_span("write post", attributes={"topic": topic}):
                    posts[topic] = write(topic)
            except Exception:
                log.exception("no post on %s", topic)
        run.set_attribute("aiwf.items.failed", len(topics) - len(posts))
        if topics and not posts:
            run.set_status(trace.StatusCode.ERROR, "no topic got a post")
        return posts


# --- The program ----------------------------------------------------------------------------------


def instrument() -> TracerProvider:
    """Send traces to where OTEL_EXPORTER_OTLP_ENDPOINT says."""
    provider = TracerProvider(resource=Resource.create({"service.name": "write-posts"}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    OpenAIInstrumentor().instrument()
    AnthropicInstrumentor().instrument()
    return provider


def main() -> None:
    """Write posts for each batch that comes."""
    logging.basicConfig(level=logging.INFO)
    provider = instrument()
    try:
        for line in sys.stdin:
            topics = [topic.strip() for topic in line.split(",") if topic.strip()]
            for topic, post in write_all(topics).items():
                print(f"{topic}: {post}", flush=True)
    finally:
        provider.shutdown()  # sends what is left


if __name__ == "__main__":
    main()
