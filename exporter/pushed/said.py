"""The shape of what programs tell of their runs and results: names, types and what each means."""

from collections import Counter
from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from functools import cached_property
from typing import Annotated

from pydantic import (
    AliasChoices,
    BeforeValidator,
    Field,
    WithJsonSchema,
    model_validator,
)

from exporter.pushed import values
from exporter.pushed.parts import Failing, Lasting, Said, Using, named
from exporter.pushed.words import KNOWN_STATUSES, status_named
from exporter.records import ExecutionStatus
from exporter.setting_types import SourceName

_STATUS_SCHEMA = WithJsonSchema({"type": "string", "description": f"One of {KNOWN_STATUSES}."})
Status = Annotated[ExecutionStatus, BeforeValidator(status_named), _STATUS_SCHEMA]
OptionalStatus = Annotated[
    ExecutionStatus | None,
    BeforeValidator(lambda value: None if value is None or value == "" else status_named(value)),
    _STATUS_SCHEMA,
]


def _objects(value: object) -> object:
    if value is None:
        return ()
    if not isinstance(value, list):
        raise ValueError("must be a list of objects")
    return value


class SaidStep(Lasting):
    """One step of a run."""

    step_id: values.Text = named("step_id", "id")
    """Unique within the run; without one, its place in the list."""
    name: values.Text = named("name", "step")
    parent_step_id: values.Text = None
    """The step on whose behalf this one ran."""
    kind: values.Text = None
    """llm, tool, retrieval, http, database, code, trigger, workflow or other."""
    status: OptionalStatus = None
    attempt: values.Attempt = None
    items_in: values.Count = None
    items_out: values.Count = None
    items_failed: values.Count = None
    attributes: values.Attributes = Field(default_factory=dict)
    input: values.Content = None
    """What it received: any JSON."""
    output: values.Content = None
    """What it gave on: any JSON."""


class SaidCall(Using, Failing):
    """One call of one model."""

    model: values.Name
    """The model that answered."""
    call_id: values.Text = named("call_id", "id")
    """Unique within the run; without one, its place in the list."""
    step_id: values.Text = named("step_id", "step", "step_name")
    """The step that made it, by id or name."""
    requested_model: values.Text = None
    operation: values.Text = None
    """chat, embeddings, image, audio, moderation or other."""
    status: OptionalStatus = None
    started_at: values.Time = None
    latency_ms: values.Milliseconds = named("latency_ms", "duration_ms")
    latency_seconds: values.Seconds = named("latency_seconds", "duration_seconds")
    time_to_first_token_ms: values.Milliseconds = None
    time_to_first_token_seconds: values.Seconds = None
    finish_reason: values.Text = None
    tokens_estimated: values.Flag = False
    prompt: values.Content = None
    """A text, or messages as they were sent."""
    response: values.Content = None

    @property
    def latency(self) -> timedelta | None:
        """How long the answer took, if told."""
        return self.latency_ms if self.latency_ms is not None else self.latency_seconds

    @property
    def time_to_first_token(self) -> timedelta | None:
        """How long its first token took, if told."""
        first = self.time_to_first_token_ms
        return first if first is not None else self.time_to_first_token_seconds


class SaidAchievement(Said):
    """A business result of the run it is told with."""

    name: values.Name = Field(validation_alias=AliasChoices("name", "outcome"))
    value: values.Result = Decimal(1)
    unit: values.Text = None
    id: values.OptionalId = named("id", "outcome_id")
    at: values.Time = named("at", "timestamp")
    attributes: values.Attributes = Field(default_factory=dict)


def _achievements(value: object) -> object:
    match value:
        case Mapping():
            return [{"name": name, "value": amount} for name, amount in value.items()]
        case None | list():
            return value or ()
        case _:
            raise ValueError("must be {name: value, …} or a list of {name, value, unit}")


class SaidOutcome(SaidAchievement):
    """A business result, told by itself."""

    workflow: values.Name
    execution_id: values.OptionalId = None
    source: Annotated[
        SourceName | None, BeforeValidator(lambda value: None if value == "" else value)
    ] = None
    """The source whose workflow it is about; without one, of what is pushed."""
    customer: values.Text = None
    project: values.Text = None
    team: values.Text = None


class SaidExecution(Using, Lasting):
    """One run of a workflow. Told again, it replaces what was told of it before."""

    execution_id: values.Id
    """Unique within the source; the same run told twice is one."""
    workflow: values.Text = named("workflow", "workflow_name")
    workflow_id: values.Text = None
    """What stays when the workflow is renamed; without one, its name."""
    status: Status
    version: values.Text = named("version", "workflow_version")
    trigger: values.Text = None
    model: values.Text = None
    """With `provider`, `prompt` and `response`: of `cost_usd` and the tokens of a run that does not
    tell `llm_calls`."""
    prompt: values.Content = None
    response: values.Content = None
    created_at: values.Time = None
    timestamp: values.Time = named("timestamp", "@timestamp", "time")
    """When the line was written: the end of a run that has ended, else its start."""
    error_step: values.Text = None
    retry_of: values.Text = None
    parent_execution_id: values.Text = None
    trace_id: values.Text = None
    customer: values.Text = None
    project: values.Text = None
    team: values.Text = None
    tags: values.Tags = ()
    attributes: values.Attributes = Field(default_factory=dict)
    """Anything else worth keeping; keys that are not known go here too."""
    items_total: values.Count = None
    items_failed: values.Count = None
    input: values.Content = None
    """What it was started with: any JSON."""
    output: values.Content = None
    """What came of it: any JSON."""
    url: values.Url = named("url", "engine_url")
    """Where to look at it."""
    steps_completed: values.Count = None
    steps: Annotated[tuple[SaidStep, ...], BeforeValidator(_objects)] = ()
    llm_calls: Annotated[tuple[SaidCall, ...], BeforeValidator(_objects)] = ()
    outcomes: Annotated[tuple[SaidAchievement, ...], BeforeValidator(_achievements)] = Field(
        (), json_schema_extra=lambda schema: schema.update(type=["array", "object"])
    )
    """What it achieved: {name: value, …}, or a list of {name, value, unit, id, at}."""

    @property
    def workflow_name(self) -> str:
        """What the workflow is shown as."""
        return self.workflow or self.workflow_id or ""

    @property
    def is_use_told_as_a_whole(self) -> bool:
        """Whether what models did is told of the run, not of its calls."""
        texts = (self.prompt, self.response)
        is_any = self.is_use_told or any(text is not None for text in texts)
        return is_any and not self.llm_calls

    @cached_property
    def step_ids(self) -> list[str]:
        """The ids of its steps, in their order."""
        return [step.step_id or str(place) for place, step in enumerate(self.steps, 1)]

    @cached_property
    def call_ids(self) -> list[str]:
        """The ids of its calls, in their order."""
        return [call.call_id or str(place) for place, call in enumerate(self.llm_calls, 1)]

    @model_validator(mode="after")
    def _consistent(self) -> "SaidExecution":
        if not self.workflow_name.strip():
            raise ValueError("workflow is missing")
        if (self.items_failed or 0) > (self.items_total or self.items_failed or 0):
            raise ValueError("items_failed must not be more than items_total")
        for name, ids in (("steps", self.step_ids), ("llm_calls", self.call_ids)):
            twice = next((each for each, count in Counter(ids).items() if count > 1), None)
            if twice is not None:
                raise ValueError(f"{name}: the id {twice[:40]!r} stands twice; each needs its own")
        return self
