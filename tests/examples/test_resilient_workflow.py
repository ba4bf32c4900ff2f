"""The resilient workflow against simulated providers: it does what it says, and its traces tell."""

import json
import os
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock

import pytest

from exporter.demo.providers.anthropic_inference import AnthropicInference
from exporter.demo.providers.inference import Failure, Mishap, Refusal
from exporter.demo.providers.openai_inference import API_KEY, OpenAiInference
from exporter.demo.providers.server import ProviderServer
from exporter.demo.providers.wire import Answer, Request
from exporter.receivers.traces import otlp_protobuf
from exporter.receivers.traces.conclusion import concluded
from exporter.records import (
    CallSignal,
    Execution,
    ExecutionStatus,
    LlmCall,
    Record,
    Span,
    Step,
    StepSignal,
)
from exporter.resilience import with_signals
from exporter.settings import TracesSettings

EXAMPLE = Path(__file__).parents[2] / "examples" / "resilient_workflow"
WORKER = Path(__file__).with_name("resilient_worker.py")
GPT, CLAUDE = "gpt-4o-mini", "claude-haiku-4-5"
LIMITED = Failure(status=429, error="rate_limit_exceeded", message="Rate limit reached.")
DOWN = Failure(status=503, error="server_error", message="The engine is currently overloaded.")
OVERLOADED = Failure(status=529, error="overloaded_error", message="Overloaded")
BAD = Failure(status=400, error="invalid_value", message="Invalid value.")


class Collector:
    """Takes spans as the exporter does."""

    def __init__(self) -> None:
        self._bodies: list[bytes] = []
        self._lock = Lock()

    def answer(self, request: Request, now: datetime) -> Answer:
        with self._lock:
            self._bodies.append(request.body)
        return Answer(headers={"Content-Type": "application/x-protobuf"})

    def refuse(self, status: int, message: str) -> Answer:
        return Answer(status=status, body=message.encode())

    def taken(self) -> list[Span]:
        """Return the spans since it was asked last."""
        with self._lock:
            bodies, self._bodies = self._bodies, []
        return [
            span for body in bodies for span in otlp_protobuf.received(body, "otel", _now()).spans
        ]


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Told:
    """What a batch was concluded to be."""

    records: Sequence[Record]

    @property
    def execution(self) -> Execution:
        return next(one for one in self.records if isinstance(one, Execution))

    @property
    def calls(self) -> list[tuple[str, tuple[str, ...]]]:
        """The calls in their order: model and signals."""
        calls = [one for one in self.records if isinstance(one, LlmCall)]
        ordered = sorted(calls, key=lambda call: call.started_at)
        return [(call.requested_model or call.model, call.signals) for call in ordered]

    @property
    def remarkable_steps(self) -> list[tuple[str, tuple[str, ...]]]:
        steps = [one for one in self.records if isinstance(one, Step) and one.signals]
        ordered = sorted(steps, key=lambda step: str(step.started_at))
        return [(step.name, step.signals) for step in ordered]


@dataclass(frozen=True)
class Done:
    """What came of it: the posts of each batch, the pauses between tries, and what was told."""

    posts: Sequence[dict[str, str]]
    slept: Sequence[float]
    told: Sequence[Told]


class Worker:
    """The example as it runs, and the providers it calls."""

    def __init__(self, python: str, folder: Path, openai: str, anthropic: str, otlp: str) -> None:
        self._folder = folder
        self._log = (folder / "log").open("w")
        self._process = subprocess.Popen(
            [python, WORKER, EXAMPLE],
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(folder),
                "OPENAI_BASE_URL": f"{openai}/v1",
                "OPENAI_API_KEY": API_KEY,
                "ANTHROPIC_BASE_URL": anthropic,
                "ANTHROPIC_API_KEY": API_KEY,
                "OTEL_EXPORTER_OTLP_ENDPOINT": otlp,
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )

    def do(self, *entries: list[str] | int, is_new: bool) -> dict[str, object]:
        """Let a worker do batches of topics, with pauses of seconds between them."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([is_new, *entries]) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, (self._folder / "log").read_text()
        answer: dict[str, object] = json.loads(line)
        return answer

    def end(self) -> None:
        self._process.communicate(timeout=30)
        self._log.close()
        assert self._process.returncode == 0, (self._folder / "log").read_text()


class Stage:
    """Providers that have mishaps as planned, and the worker that lives with them."""

    def __init__(
        self, worker: Worker, gpt: OpenAiInference, claude: AnthropicInference, taken: Collector
    ) -> None:
        self._worker = worker
        self._providers = {GPT: gpt, CLAUDE: claude}
        self._collector = taken
        self._before = {name: len(one.book.calls) for name, one in self._providers.items()}

    def plan(self, model: str, *mishaps: Mishap) -> None:
        self._providers[model].book.plan(*mishaps)

    def served(self, model: str) -> int:
        """How many requests the provider saw in this test."""
        return len(self._providers[model].book.calls) - self._before[model]

    def do(self, *entries: list[str] | int, is_new: bool = True) -> Done:
        answer = self._worker.do(*entries, is_new=is_new)
        traces: dict[str, list[Span]] = {}
        for span in self._collector.taken():
            traces.setdefault(span.trace_id, []).append(span)
        ordered = sorted(traces.values(), key=lambda spans: min(one.started_at for one in spans))
        settings = TracesSettings()
        told = [
            Told(
                with_signals(
                    concluded("otel", spans, settings, stored_created_at=None, is_over=False)
                )
            )
            for spans in ordered
        ]
        return Done(answer["posts"], answer["slept"], told)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def running(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Worker, OpenAiInference, AnthropicInference, Collector]]:
    python = os.environ.get("TEST_INSTRUMENTATIONS")
    if python is None:
        pytest.skip("TEST_INSTRUMENTATIONS is not set: run the tests by `make test`")
    gpt, claude, collector = OpenAiInference(), AnthropicInference(), Collector()
    with (
        ProviderServer(gpt, _now) as openai,
        ProviderServer(claude, _now) as anthropic,
        ProviderServer(collector, _now) as otlp,
    ):
        folder = Path(tmp_path_factory.mktemp("worker"))
        worker = Worker(python, folder, openai.url, anthropic.url, otlp.url)
        try:
            yield worker, gpt, claude, collector
        finally:
            worker.end()


@pytest.fixture
def stage(
    running: tuple[Worker, OpenAiInference, AnthropicInference, Collector],
) -> Iterator[Stage]:
    _, gpt, claude, _ = running
    yield Stage(*running)
    left = [one.book.mishap_for(model) for model, one in ((GPT, gpt), (CLAUDE, claude))]
    assert left == [None, None], "a planned mishap was not met"


def test_a_model_that_fails_is_tried_again_after_one_two_four_and_eight_seconds(
    stage: Stage,
) -> None:
    stage.plan(GPT, LIMITED, DOWN, LIMITED, DOWN)

    done = stage.do(["tea"])

    assert done.slept == [1, 2, 4, 8]
    assert done.posts[0]["tea"]
    assert done.told[0].calls == [
        (GPT, (CallSignal.RATE_LIMITED,)),
        (GPT, (CallSignal.OVERLOADED, CallSignal.RETRY)),
        (GPT, (CallSignal.RATE_LIMITED, CallSignal.RETRY)),
        (GPT, (CallSignal.OVERLOADED, CallSignal.RETRY)),
        (GPT, (CallSignal.RETRY,)),
    ]


def test_another_model_steps_in_for_one_that_stays_down(stage: Stage) -> None:
    stage.plan(GPT, *[DOWN] * 5)

    done = stage.do(["tea"])

    assert done.posts[0]["tea"]
    assert done.told[0].calls[-1] == (CLAUDE, (CallSignal.FALLBACK,))
    assert done.told[0].execution.status is ExecutionStatus.SUCCESS


def test_after_five_failures_a_model_is_left_alone_for_five_minutes(stage: Stage) -> None:
    stage.plan(GPT, *[DOWN] * 5)

    done = stage.do(["tea", "coffee"], 240, ["milk"], 60, ["water"])

    assert stage.served(GPT) == 6
    assert [list(posts) for posts in done.posts] == [["tea", "coffee"], ["milk"], ["water"]]
    first, second, third = done.told
    assert first.remarkable_steps == [("ask_gpt", (StepSignal.CIRCUIT_OPEN,))]
    assert first.calls[-2:] == [(CLAUDE, (CallSignal.FALLBACK,))] * 2
    assert second.remarkable_steps == [("ask_gpt", (StepSignal.CIRCUIT_OPEN,))]
    assert second.calls == [(CLAUDE, (CallSignal.FALLBACK,))]
    assert third.remarkable_steps == []
    assert third.calls == [(GPT, ())]


def test_the_last_post_on_a_topic_is_used_where_no_model_answers(stage: Stage) -> None:
    before = stage.do(["tea"])
    stage.plan(GPT, *[DOWN] * 5)
    stage.plan(CLAUDE, *[OVERLOADED] * 5)

    done = stage.do(["tea"], is_new=False)

    assert done.posts == before.posts
    assert done.told[0].remarkable_steps == [("last post", (StepSignal.CACHED_ANSWER,))]
    assert done.told[0].execution.status is ExecutionStatus.SUCCESS


def test_a_batch_without_any_post_has_failed(stage: Stage) -> None:
    stage.plan(GPT, *[DOWN] * 5)
    stage.plan(CLAUDE, *[OVERLOADED] * 5)

    done = stage.do(["tea"])

    assert done.posts == [{}]
    assert done.told[0].execution.status is ExecutionStatus.ERROR


def test_one_bad_topic_does_not_stop_the_others(stage: Stage) -> None:
    stage.plan(GPT, BAD)

    done = stage.do(["a bad one", "tea", "coffee"])

    execution = done.told[0].execution
    assert list(done.posts[0]) == ["tea", "coffee"]
    assert execution.status is ExecutionStatus.SUCCESS
    assert (execution.items_total, execution.items_failed) == (3, 1)
    assert done.slept == []
    assert done.told[0].calls == [(GPT, ()), (GPT, ()), (GPT, ())]


def test_a_prompt_that_is_refused_is_put_more_simply(stage: Stage) -> None:
    stage.plan(GPT, Refusal())

    done = stage.do(["tea"])

    assert done.posts[0]["tea"]
    assert done.told[0].calls == [(GPT, (CallSignal.REFUSED,)), (GPT, ())]


def test_its_traces_say_what_it_is_and_for_whom(stage: Stage) -> None:
    execution = stage.do(["tea"]).told[0].execution

    assert execution.workflow == "write_posts"
    assert execution.workflow_version == "1"
    assert execution.trigger == "queue"
    assert execution.team == "marketing"
