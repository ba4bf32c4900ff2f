"""The language models the simulated company calls, with plausible speeds."""

from exporter.demo.workflow_model import Model

OPENAI_URL = "https://api.openai.com/v1"
ANTHROPIC_URL = "https://api.anthropic.com"

GPT_4O = Model(
    name="gpt-4o",
    provider="openai",
    base_url=OPENAI_URL,
    first_token_seconds=0.6,
    tokens_per_second=75,
)
GPT_4O_MINI = Model(
    name="gpt-4o-mini",
    provider="openai",
    base_url=OPENAI_URL,
    first_token_seconds=0.4,
    tokens_per_second=95,
)
GPT_4_1 = Model(
    name="gpt-4.1",
    provider="openai",
    base_url=OPENAI_URL,
    first_token_seconds=0.7,
    tokens_per_second=80,
)
GPT_5_MINI = Model(
    name="gpt-5-mini",
    provider="openai",
    base_url=OPENAI_URL,
    first_token_seconds=1.4,
    tokens_per_second=90,
    responses_api=True,
)
SONNET = Model(
    name="claude-sonnet-4-5",
    provider="anthropic",
    base_url=ANTHROPIC_URL,
    first_token_seconds=1.1,
    tokens_per_second=65,
)
HAIKU = Model(
    name="claude-haiku-4-5",
    provider="anthropic",
    base_url=ANTHROPIC_URL,
    first_token_seconds=0.5,
    tokens_per_second=120,
)
# No price list knows this name: the company trained it and serves it itself.
ROUTER = Model(
    name="ft-support-router-2",
    provider="self-hosted",
    base_url="http://llm.internal:8000/v1",
    first_token_seconds=0.1,
    tokens_per_second=140,
)
