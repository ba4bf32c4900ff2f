"""Records what each instrumentation sends, beside the provider's own log of the same calls.

Usage: make test once, then, with the variables that scripts/test_services.py names:
    python -m tests.receivers.traces.record
It writes tests/receivers/traces/recorded/<dialect>.json; RECORDED.md there says what is cut.
"""

import os
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from exporter.demo.providers.inference import ServedCall
from exporter.records import Json, Span, SpanEvent
from tests.receivers.traces.dialects import DIALECTS
from tests.receivers.traces.instrumented_run import InstrumentedRun, run

RECORDED = Path(__file__).with_name("recorded")
_LONGEST = 400
_STEPS_LEFT_OUT = {  # more of the same
    "step 1",
    "step 4",
    "step 7",
    "step 9",
    "step 14",
    "step 16",
    "step 19",
    "step 23",
    "step 26",
    "step 28",
    "step 31",
    "step 33",
}


def recording_of(name: str) -> InstrumentedRun:
    """Read what was recorded of a dialect."""
    recorded = msgspec.json.decode((RECORDED / f"{name}.json").read_bytes())
    return InstrumentedRun(
        served=[msgspec.convert(call, ServedCall) for call in recorded["served"]],
        spans=[_span(span) for span in recorded["spans"]],
    )


def _span(recorded: dict[str, Any]) -> Span:
    events = tuple(
        SpanEvent(**{**event, "at": datetime.fromisoformat(event["at"])})
        for event in recorded.pop("events")
    )
    started_at = datetime.fromisoformat(recorded.pop("started_at"))
    return Span(**recorded, started_at=started_at, events=events)


def _part(sent: InstrumentedRun) -> InstrumentedRun:
    """Keep some steps, with all below them and what the provider served meanwhile."""
    left_out = {span.span_id for span in sent.spans if span.name in _STEPS_LEFT_OUT}
    gone: list[Span] = [span for span in sent.spans if span.span_id in left_out]
    below = set(left_out)
    while more := {
        span.span_id
        for span in sent.spans
        if span.parent_span_id in below and span.span_id not in below
    }:
        below |= more
    return InstrumentedRun(
        served=[call for call in sent.served if not _is_within(call, gone)],
        spans=[_shortened(span) for span in sent.spans if span.span_id not in below],
    )


def _is_within(call: ServedCall, steps: Sequence[Span]) -> bool:
    return any(
        step.started_at <= call.at <= step.started_at + timedelta(seconds=step.duration_seconds)
        for step in steps
    )


def _shortened(span: Span) -> Span:
    return replace(
        span,
        resource={"service.name": span.service},
        status_message=span.status_message and span.status_message[:_LONGEST],
        content={key: text[:_LONGEST] for key, text in span.content.items()},
        events=tuple(
            replace(
                event,
                attributes={key: _cut(key, value) for key, value in event.attributes.items()},
            )
            for event in span.events
        ),
    )


def _cut(key: str, value: Json) -> Json:
    if not isinstance(value, str):
        return value
    if key == "exception.stacktrace":  # full of the paths of a machine
        first, *_, last = value.strip().splitlines()
        return f"{first}\n  …\n{last}"[:_LONGEST]
    return value[:_LONGEST]


def main() -> None:
    RECORDED.mkdir(exist_ok=True)
    for name, dialect in DIALECTS.items():
        with tempfile.TemporaryDirectory() as folder:
            recording = _part(run(dialect, os.environ[dialect.python], Path(folder)))
        written = msgspec.json.format(msgspec.json.encode(recording), indent=1)
        (RECORDED / f"{name}.json").write_bytes(written + b"\n")
        sys.stdout.write(f"{name}: {len(recording.spans)} spans, {len(recording.served)} calls\n")


if __name__ == "__main__":
    main()
