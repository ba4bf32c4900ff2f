"""A workflow that calls models under an instrumentation from PyPI; runs in a Python of its own.

Usage: instrumented_program.py INSTRUMENTATION OPENAI_URL ANTHROPIC_URL OTLP_URL API_KEY [PRICES]
"""

import asyncio
import os
import sys
from collections.abc import Callable

WORKFLOW = "content_generator"
QUESTION = [{"role": "user", "content": "Write a line on shipping."}]
LONG = [
    {"role": "system", "content": "Our style guide. " * 400},
    {"role": "user", "content": "Write a headline."},
]
LONG_QUESTION = [{"role": "user", "content": "Summarize this. " * 900}]
PARAMETERS = {"type": "object", "properties": {"number": {"type": "integer"}}}
TOOLS = [
    {
        "type": "function",
        "function": {"name": "find_order", "description": "Find", "parameters": PARAMETERS},
    }
]
ANTHROPIC_TOOLS = [{"name": "find_order", "description": "Find", "input_schema": PARAMETERS}]
CACHED_SYSTEM = [
    {"type": "text", "text": "Our style guide. " * 400, "cache_control": {"type": "ephemeral"}}
]


def instrument(name: str, otlp_url: str, prices: str | None) -> None:
    """Switch one instrumentation on, as its documentation says."""
    if name == "openlit":
        import openlit

        openlit.init(
            otlp_endpoint=otlp_url,
            application_name="content",
            disable_batch=True,
            disable_metrics=True,
            disable_events=True,
            pricing_json=prices,
        )
        return
    from opentelemetry import trace
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor

    provider = TracerProvider(resource=Resource.create({"service.name": "content"}))
    exporter = OTLPSpanExporter(endpoint=f"{otlp_url}/v1/traces")
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    if name == "genai":
        from opentelemetry.instrumentation.genai.anthropic import AnthropicInstrumentor
        from opentelemetry.instrumentation.genai.openai import OpenAIInstrumentor

        OpenAIInstrumentor().instrument()
        AnthropicInstrumentor().instrument()
    elif name == "openai-v2":
        from opentelemetry.instrumentation.openai_v2 import OpenAIInstrumentor

        OpenAIInstrumentor().instrument()
    elif name == "openllmetry":
        from opentelemetry.instrumentation.anthropic import AnthropicInstrumentor
        from opentelemetry.instrumentation.openai import OpenAIInstrumentor

        OpenAIInstrumentor().instrument()
        AnthropicInstrumentor().instrument()
    elif name == "openinference":
        from openinference.instrumentation.anthropic import AnthropicInstrumentor
        from openinference.instrumentation.openai import OpenAIInstrumentor

        OpenAIInstrumentor().instrument()
        AnthropicInstrumentor().instrument()
    elif name != "anthropic-sdk":  # which traces itself
        raise SystemExit(f"{name}: no such instrumentation")


def openai_calls(url: str, api_key: str) -> list[Callable[[], object]]:
    """Return calls of every kind; which of them fail is the provider's business."""
    from openai import AsyncOpenAI, OpenAI

    client = OpenAI(base_url=f"{url}/v1", api_key=api_key, max_retries=0)
    chat = client.chat.completions.create

    def stream(**more: object) -> None:
        for _ in chat(model="gpt-4o-mini", messages=QUESTION, stream=True, **more):
            pass

    def tool_round() -> None:
        asked = [{"role": "user", "content": "Where is order 7?"}]
        said = chat(model="gpt-4o-mini", messages=asked, tools=TOOLS).choices[0].message
        result = {"role": "tool", "tool_call_id": said.tool_calls[0].id, "content": "shipped"}
        chat(
            model="gpt-4o-mini",
            messages=[*asked, said.model_dump(exclude_none=True), result],
            tools=TOOLS,
        )

    async def concurrently() -> None:
        other = AsyncOpenAI(base_url=f"{url}/v1", api_key=api_key, max_retries=0)
        create = other.chat.completions.create
        await asyncio.gather(*(create(model="gpt-4o-mini", messages=QUESTION) for _ in range(3)))
        answer = await create(
            model="gpt-4o-mini",
            messages=QUESTION,
            stream=True,
            stream_options={"include_usage": True},
        )
        async for _ in answer:
            pass

    return [
        lambda: chat(model="gpt-4o-mini", messages=QUESTION),
        lambda: chat(model="gpt-4o-mini", messages=LONG),
        lambda: chat(model="gpt-4o-mini", messages=LONG),
        lambda: chat(model="gpt-5-mini", messages=QUESTION),
        lambda: chat(model="gpt-4o-mini", messages=QUESTION, max_tokens=3),
        lambda: stream(stream_options={"include_usage": True}),
        stream,
        lambda: stream(tools=TOOLS, stream_options={"include_usage": True}),
        tool_round,
        lambda: asyncio.run(concurrently()),
        lambda: client.embeddings.create(model="text-embedding-3-small", input=["one", "two"]),
        lambda: client.images.generate(model="gpt-image-1", prompt="A ship at dawn"),
        lambda: client.images.generate(model="dall-e-3", prompt="A ship at dawn"),
        # The provider has mishaps for these.
        lambda: chat(model="gpt-4.1", messages=QUESTION),
        lambda: chat(model="gpt-4.1", messages=QUESTION),
        lambda: chat(model="gpt-4.1", messages=QUESTION),
        lambda: chat(model="gpt-4.1", messages=QUESTION, stream=True),
        lambda: chat(model="gpt-4.1", messages=QUESTION),
    ]


def anthropic_calls(url: str, api_key: str) -> list[Callable[[], object]]:
    """Return calls of every kind; which of them fail is the provider's business."""
    from anthropic import Anthropic, AsyncAnthropic

    client = Anthropic(base_url=url, api_key=api_key, max_retries=0)

    def create(**more: object) -> object:
        return client.messages.create(
            **{"model": "claude-haiku-4-5", "max_tokens": 300, "messages": QUESTION, **more}
        )

    def stream(**more: object) -> None:
        for _ in create(stream=True, **more):
            pass

    def stream_by_manager() -> None:
        with client.messages.stream(
            model="claude-haiku-4-5", max_tokens=300, messages=QUESTION, system=CACHED_SYSTEM
        ) as answer:
            for _ in answer.text_stream:
                pass

    async def concurrently() -> None:
        other = AsyncAnthropic(base_url=url, api_key=api_key, max_retries=0)
        one = {"model": "claude-haiku-4-5", "max_tokens": 300, "messages": QUESTION}
        await asyncio.gather(*(other.messages.create(**one) for _ in range(3)))
        async for _ in await other.messages.create(stream=True, **one):
            pass

    return [
        create,
        lambda: create(system="Be brief."),
        lambda: create(system=CACHED_SYSTEM),
        lambda: create(system=CACHED_SYSTEM),
        # More fresh than cached: whoever adds them up wrongly is found out.
        lambda: create(system=CACHED_SYSTEM, messages=LONG_QUESTION),
        lambda: create(max_tokens=3),
        lambda: create(tools=ANTHROPIC_TOOLS),
        stream,
        lambda: stream(system=CACHED_SYSTEM),
        lambda: stream(tools=ANTHROPIC_TOOLS),
        stream_by_manager,
        lambda: asyncio.run(concurrently()),
        # The provider has mishaps for these.
        lambda: create(model="claude-sonnet-4-5"),
        lambda: create(model="claude-sonnet-4-5"),
        lambda: create(model="claude-sonnet-4-5"),
        lambda: stream(model="claude-sonnet-4-5"),
        lambda: create(model="claude-sonnet-4-5"),
    ]


def main(
    name: str, openai_url: str, anthropic_url: str, otlp_url: str, api_key: str, *prices: str
) -> None:
    """Run the workflow once: a trace."""
    instrument(name, otlp_url, *prices or (None,))
    from opentelemetry import trace

    calls = openai_calls(openai_url, api_key) if name != "anthropic-sdk" else []
    if name != "openai-v2":
        calls += anthropic_calls(anthropic_url, api_key)
    tracer = trace.get_tracer("content")
    with tracer.start_as_current_span(WORKFLOW, attributes={"aiwf.workflow": WORKFLOW}):
        for number, call in enumerate(calls):
            with tracer.start_as_current_span(f"step {number}"):
                try:
                    call()
                except Exception as error:
                    if "Simulated" not in str(error):
                        raise
    trace.get_tracer_provider().force_flush()
    # Threads of an instrumentation must not hold the program up.
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
