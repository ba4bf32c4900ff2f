"""What runs, steps and calls have in common in what programs tell of them."""

from datetime import datetime, timedelta
from typing import Annotated, Any

from pydantic import AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from exporter.pushed import values
from exporter.pushed.usage import UsageSaid
from exporter.records import ExecutionStatus

TOKEN_NAMES = (
    "input_tokens",
    "cached_input_tokens",
    "cache_write_tokens",
    "output_tokens",
    "reasoning_tokens",
)


def named(*names: str, default: Any = None) -> Any:
    """A field with other names; the first is the one that is documented."""
    return Field(default, validation_alias=AliasChoices(*names))


class Said(BaseModel):
    """Frozen; keys that are not known are kept in `model_extra`."""

    model_config = ConfigDict(frozen=True, extra="allow", use_attribute_docstrings=True)


class SaidError(Said):
    """What went wrong."""

    message: values.Text = None
    type: values.Text = named("type", "name", "code")
    """A short word, such as RateLimitError: errors are counted by it."""
    step: values.Text = None
    """The step that failed."""
    stack: values.Text = named("stack", "stacktrace", "traceback")


def _also(schema: dict[str, Any], other: dict[str, Any]) -> None:
    schema["anyOf"].append(other)


def _error(value: object) -> object:
    return {"message": value} if isinstance(value, str) else value


OptionalError = Annotated[
    SaidError | None,
    BeforeValidator(lambda value: None if value == "" else _error(value)),
    Field(json_schema_extra=lambda schema: _also(schema, {"type": "string"})),
]


class Failing(Said):
    """Something that may fail: told as one `error`, or by the names of our columns."""

    error: OptionalError = None
    """A text, or {type, message, step, stack}."""
    error_type: values.Text = None
    error_message: values.Text = None

    @property
    def failure(self) -> SaidError:
        """What is told of its error, either way."""
        said = self.error or SaidError()
        return said.model_copy(
            update={
                "type": said.type or self.error_type,
                "message": said.message or self.error_message,
            }
        )

    def status_or_error(self, told: ExecutionStatus | None) -> ExecutionStatus:
        """Return the status: what does not tell it has failed if it has an error."""
        failure = self.failure
        has_failed = failure.type is not None or failure.message is not None
        return told or (ExecutionStatus.ERROR if has_failed else ExecutionStatus.SUCCESS)


class Lasting(Failing):
    """Something that took time."""

    started_at: values.Time = None
    finished_at: values.Time = None
    duration_ms: values.Milliseconds = None
    duration_seconds: values.Seconds = None

    @property
    def duration(self) -> timedelta | None:
        """How long it took, if told."""
        return self.duration_ms if self.duration_ms is not None else self.duration_seconds

    @property
    def span(self) -> tuple[datetime | None, timedelta | None]:
        """When it began and how long it took, as far as two of its three times tell."""
        duration, started_at = self.duration, self.started_at
        if duration is None and started_at is not None and self.finished_at is not None:
            duration = max(self.finished_at - started_at, timedelta(0))
        if started_at is None and self.finished_at is not None and duration is not None:
            started_at = self.finished_at - duration
        return started_at, duration

    @model_validator(mode="after")
    def _one_duration(self) -> "Lasting":
        if self.duration_ms is not None and self.duration_seconds not in (None, self.duration_ms):
            raise ValueError("duration_ms and duration_seconds say different things; give one")
        return self


class Using(Said):
    """Something that used tokens."""

    provider: values.Text = None
    input_tokens: values.Count = named("input_tokens", "prompt_tokens")
    """All of them: those read from or written to a cache included."""
    cached_input_tokens: values.Count = named("cached_input_tokens", "cached_tokens")
    cache_write_tokens: values.Count = None
    output_tokens: values.Count = named("output_tokens", "completion_tokens")
    """All of them: reasoning included."""
    reasoning_tokens: values.Count = None
    usage: UsageSaid = None
    """Instead of the tokens: what the provider answered as `usage`, as it is."""
    cost_usd: values.Money = None

    @property
    def tokens(self) -> dict[str, int | None]:
        """What it used, as LlmCall names it; what is told one by one counts before `usage`."""
        return {
            name: getattr(self, name)
            if getattr(self, name) is not None or self.usage is None
            else getattr(self.usage, name)
            for name in TOKEN_NAMES
        }

    @property
    def is_use_told(self) -> bool:
        """Whether its cost or any of its tokens is told."""
        return self.cost_usd is not None or any(count is not None for count in self.tokens.values())

    @model_validator(mode="after")
    def _parts_within_the_whole(self) -> "Using":
        tokens = {name: count or 0 for name, count in self.tokens.items()}
        of_cache = tokens["cached_input_tokens"] + tokens["cache_write_tokens"]
        if self.tokens["input_tokens"] is not None and of_cache > tokens["input_tokens"]:
            raise ValueError(
                "input_tokens must include cached_input_tokens and cache_write_tokens "
                "(Anthropic's figure does not: add them, or send its `usage` as it is)"
            )
        if self.tokens["output_tokens"] is not None and (
            tokens["reasoning_tokens"] > tokens["output_tokens"]
        ):
            raise ValueError("output_tokens must include reasoning_tokens")
        return self
