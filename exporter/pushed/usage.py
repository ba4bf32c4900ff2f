"""The usage that a provider's answer states, in any of their dialects → tokens of a call."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import (
    AliasChoices,
    AliasPath,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
)

from exporter.pushed.values import Count


def _count(*names: str | AliasPath) -> Any:
    return Field(None, validation_alias=AliasChoices(*names))


class Usage(BaseModel):
    """What OpenAI, Anthropic, Gemini and those who copy them answer as `usage`.

    Input is meant to include what was read from and written to a cache. Anthropic's figure does
    not, so its cache figures are added; a dialect is known by the names that only it has.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    input: Count = _count("input_tokens", "prompt_tokens", "promptTokenCount", "promptTokens")
    output: Count = _count(
        "output_tokens", "completion_tokens", "candidatesTokenCount", "completionTokens"
    )
    cached: Count = _count(
        AliasPath("prompt_tokens_details", "cached_tokens"),
        AliasPath("input_tokens_details", "cached_tokens"),
        "cachedContentTokenCount",
    )
    reasoning: Count = _count(
        AliasPath("completion_tokens_details", "reasoning_tokens"),
        AliasPath("output_tokens_details", "reasoning_tokens"),
    )
    anthropic_read: Count = _count("cache_read_input_tokens")
    anthropic_written: Count = _count("cache_creation_input_tokens")
    gemini_thoughts: Count = _count("thoughtsTokenCount")

    @property
    def input_tokens(self) -> int | None:
        """All of the input."""
        if self.input is None:
            return None
        return self.input + (self.anthropic_read or 0) + (self.anthropic_written or 0)

    @property
    def cached_input_tokens(self) -> int | None:
        """What of it was read from a cache."""
        return self.cached if self.anthropic_read is None else self.anthropic_read

    @property
    def cache_write_tokens(self) -> int | None:
        """What of it was written to a cache."""
        return self.anthropic_written

    @property
    def output_tokens(self) -> int | None:
        """All of the output: Gemini states what it thought beside it."""
        if self.output is None and self.gemini_thoughts is None:
            return None
        return (self.output or 0) + (self.gemini_thoughts or 0)

    @property
    def reasoning_tokens(self) -> int | None:
        """What of it was thought."""
        return self.reasoning if self.gemini_thoughts is None else self.gemini_thoughts


def _object(value: object) -> object:
    if value is not None and not isinstance(value, Mapping):
        raise ValueError("must be an object: the usage of the provider's answer")
    return value


UsageSaid = Annotated[Usage | None, BeforeValidator(_object), WithJsonSchema({"type": "object"})]
