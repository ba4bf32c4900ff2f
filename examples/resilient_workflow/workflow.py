"""Writes a post for each topic, whatever the models do: retry, circuit breaker, fallback, cache.

Reads batches from standard input, one a line, topics separated by commas. Copy it, and put your
own models and steps in: `again`, `guarded` and the loop of `write` are what makes it resilient.
"""

import logging
import sys

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
from tenacity import stop_after_attempt, wait_exponential

log = logging.getLogger("write_posts")
tracer = trace.get_tracer("write_posts")

# What may be over in a second. A wrong key or a bad request is not: it fails at once.
PASSING = (
    openai.APIConnectionError,  # time-outs too
    openai.RateLimitError,
    openai.InternalServerError,
    anthropic.APIConnectionError,
    anthropic.RateLimitError,
    anthropic.InternalServerError,  # overloaded, too
)


class RefusedError(Exception):
    """The model, or a filter before it, would not answer this prompt."""


# Five tries, with 1, 2, 4 and 8 seconds between them.
again = retry(
    retry=retry_if_exception_type(PASSING),
    wait=wait_exponential(multiplier=1),
    stop=stop_after_attempt(5),
    before_sleep=before_sleep_log(log, logging.INFO),
    reraise=True,
)
# After five failures in a row the model is left alone for five minutes; then one call may try.
guarded = circuit(failure_threshold=5, recovery_timeout=300, expected_exception=PASSING)


@again
@circuit(failure_threshold=5, recovery_timeout=300, expected_exception=PASSING)
def ask_gpt(prompt: str) -> str:
    """Ask the model we want."""
    # The SDK's own retries would be hidden from the circuit breaker, and from the traces.
    client = openai.OpenAI(max_retries=0, timeout=60)
