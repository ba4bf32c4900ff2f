"""Runs with everything that a page about one shows, made up, and written as a poll writes it."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from exporter.records import (
    CostSource,
    Execution,
    ExecutionStatus,
    LlmCall,
    Operation,
    Outcome,
    Record,
    Step,
    StepKind,
)
from tests.spend_records import writer

SOURCE = "code"
GUIDE_RUN = "4bf92f3577b34da6a3ce929d0e0e4736"
FAILED_RUN = "run 2, failed"
SPANS = (
    # The guide's example: name, kind, milliseconds, model.
    ("Fetch topic", StepKind.DATABASE, 45, None),
    ("Generate outline", StepKind.LLM, 1200, "gpt-4"),
    ("Expand sections", StepKind.LLM, 2400, "claude-3"),
    ("Generate image", StepKind.LLM, 3800, "dall-e-3"),
    ("Save to CMS", StepKind.HTTP, 120, None),
)
PROVIDERS = {"gpt-4": "openai", "claude-3": "anthropic", "dall-e-3": "openai"}


def execution(at: datetime, execution_id: str = GUIDE_RUN, **facts: Any) -> Execution:
    """A run of the guide's workflow, which took 7,565 ms."""
    return Execution(
        **{
            "source": SOURCE,
            "execution_id": execution_id,
            "created_at": at,
            "started_at": at,
            "finished_at": at + timedelta(milliseconds=7565),
            "workflow_id": "content",
            "workflow": "Content generation",
            "status": ExecutionStatus.SUCCESS,
            "customer": "acme",
            "input": '{"topic":"cats"}',
            "output": '{"post":17}',
            **facts,
        }
    )


def span_id(place: int) -> str:
    """The id of a step: as spans have them."""
    return f"00f067aa0ba902b{place}"


def step(run: Execution, step_id: str = "s", **facts: Any) -> Step:
    """A step of a run."""
    return Step(
        **{
            "source": run.source,
            "execution_id": run.execution_id,
            "created_at": run.created_at,
            "step_id": step_id,
            "name": step_id,
            "kind": StepKind.CODE,
            "status": ExecutionStatus.SUCCESS,
            **facts,
        }
    )


def call(run: Execution, call_id: str, **facts: Any) -> LlmCall:
    """A model call of a run."""
    return LlmCall(
        **{
            "source": run.source,
            "execution_id": run.execution_id,
            "created_at": run.created_at,
            "started_at": run.created_at,
            "call_id": call_id,
            "provider": "openai",
            "model": "gpt-4",
            "operation": Operation.CHAT,
            "status": ExecutionStatus.SUCCESS,
            "workflow_id": run.workflow_id,
            "workflow": run.workflow,
            **facts,
        }
    )


def guide_steps(run: Execution) -> list[Step]:
    """The guide's five steps, one after the other, and what each gave on."""
    steps, at = [], run.created_at
    for place, (name, kind, milliseconds, _) in enumerate(SPANS):
        steps.append(
            step(
                run,
                span_id(place),
                name=name,
                kind=kind,
                started_at=at,
                duration_seconds=milliseconds / 1000,
                output=None if kind is StepKind.LLM else f'{{"from":"{name}"}}',
                attributes={"service.name": "cms"} if place == 4 else {},
            )
        )
        at += timedelta(milliseconds=milliseconds)
    return steps


def guide_calls(run: Execution) -> list[LlmCall]:
    """The calls of its three models; the last has no price."""
    calls = []
    for place, found in enumerate(guide_steps(run)):
        model = SPANS[place][3]
        if model is None:
            continue
        calls.append(
            call(
                run,
                found.step_id,
                step_id=found.step_id,
                started_at=found.started_at,
                model=model,
                provider=PROVIDERS[model],
                latency_seconds=found.duration_seconds,
                time_to_first_token_seconds=0.5,
                input_tokens=1000 * place,
                output_tokens=100,
                context_window_tokens=8000 if model == "gpt-4" else None,
                finish_reason="stop",
                cost_usd=None if model == "dall-e-3" else Decimal("0.03") / place,
                cost_source=None if model == "dall-e-3" else CostSource.PRICED,
                prompt=f"prompt of {found.name}",
                response=f"response of {found.name}",
                signals=("retry", "fallback") if model == "claude-3" else (),
            )
        )
    return calls


def outcome(run: Execution, name: str = "posts approved", **facts: Any) -> Outcome:
    """A business result of a run."""
    return Outcome(
        **{
            "source": run.source,
            "outcome_id": f"{run.execution_id} {name}",
            "at": run.created_at + timedelta(minutes=1),
            "workflow": run.workflow,
            "name": name,
            "value": Decimal(1),
            "execution_id": run.execution_id,
            **facts,
        }
    )


def failed_run(at: datetime, execution_id: str = FAILED_RUN) -> list[Record]:
    """A run whose image was refused, after its first try had run into a rate limit."""
    run = execution(
        at,
        execution_id,
        status=ExecutionStatus.ERROR,
        error_type="APIStatusError 400",
        error_message="Your request was rejected by our safety system",
        error_step="Generate image",
        retry_of=GUIDE_RUN,
        engine_url="https://cms.example.com/runs/2",
    )
    fetch, _, _, image, _ = guide_steps(run)
    image = replace(
        image,
        status=ExecutionStatus.ERROR,
        error_type=run.error_type,
        error_message=run.error_message,
        attributes={"error_stack": "at draw (cms.ts:7)", "parameters": '{"size":"1024x1024"}'},
        signals=("circuit_open",),
    )
    refused = call(
        run,
        image.step_id,
        step_id=image.step_id,
        model="dall-e-3",
        status=ExecutionStatus.ERROR,
        error_type=run.error_type,
        signals=("refused",),
    )
    long = call(
        run,
        "long",
        step_id=image.step_id,
        input_tokens=7900,
        output_tokens=10,
        context_window_tokens=8000,
        finish_reason="length",
        cost_usd=Decimal("0.2"),
        cost_source=CostSource.PRICED,
        signals=("truncated",),
    )
    copied = replace(fetch, copied_from=GUIDE_RUN, output=None)
    return [run, copied, image, refused, long, outcome(run, "posts rejected", unit="posts")]


def guide_run(at: datetime) -> list[Record]:
    """The guide's example as a whole."""
    run = execution(at, trace_id=GUIDE_RUN, workflow_version="3", team="marketing")
    return [run, *guide_steps(run), *guide_calls(run), outcome(run)]


def write_run_history(url: str, now: datetime) -> None:
    """Fill a database with the guide's run, one that failed, and others of the workflow."""
    at = now - timedelta(hours=2)
    others: Iterable[Record] = (
        execution(at + timedelta(minutes=minutes), f"other {minutes}") for minutes in (-30, -20, 20)
    )
    failed = failed_run(at + timedelta(minutes=5))
    with writer(url, now) as into:
        into.write(SOURCE, [*guide_run(at), *failed, *others], "workflows")
