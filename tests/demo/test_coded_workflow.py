"""The demo's workflow in code sends traces that OTLP's receiver takes whole."""

import json
import random
from datetime import UTC, datetime

from exporter.demo.coded_workflow import WORKFLOW, run_at
from exporter.receivers.traces import otlp_json
from exporter.records import Span

BEGUN = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)


def runs(number: int) -> list[list[Span]]:
    rng = random.Random(1)
    bodies = [json.dumps(run_at(BEGUN, rng)).encode() for _ in range(number)]
    received = [otlp_json.received(body, "otel", BEGUN) for body in bodies]
    assert all(found.rejected == 0 for found in received)
    return [found.spans for found in received]


def test_every_run_is_one_trace_with_the_workflow_on_its_root() -> None:
    for spans in runs(20):
        roots = [span for span in spans if span.parent_span_id is None]

        assert len({span.trace_id for span in spans}) == 1
        assert [span.attributes["aiwf.workflow"] for span in roots] == [WORKFLOW]
        assert {span.parent_span_id for span in spans} == {None, roots[0].span_id}


def test_steps_follow_each_other_within_the_run() -> None:
    for spans in runs(20):
        *steps, root = spans
        ends = [step.started_at.timestamp() + step.duration_seconds for step in steps]

        assert all(
            end <= later.started_at.timestamp() + 1e-5
            for end, later in zip(ends, steps[1:], strict=False)
        )
        assert ends[-1] <= root.started_at.timestamp() + root.duration_seconds + 1e-5


def test_some_runs_are_retried_and_some_fail() -> None:
    found = runs(200)

    limited = sum(
        span.attributes.get("error.type") == "RateLimitError" for r in found for span in r
    )
    failed = sum(spans[-1].is_error for spans in found)

    assert limited > 5
    assert 2 < failed < 40
