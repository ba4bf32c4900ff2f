"""What instrumentations were recorded to send gives the provider's own log, without them."""

import random
from collections.abc import Sequence

import pytest

from exporter.receivers.traces.conclusion import concluded
from exporter.records import LlmCall, Record, Span
from exporter.settings import TracesSettings
from tests.receivers.traces import provider_log
from tests.receivers.traces.dialects import DIALECTS
from tests.receivers.traces.record import RECORDED, recording_of


def conclude(spans: Sequence[Span]) -> list[Record]:
    return concluded("otel", spans, TracesSettings(), stored_created_at=None, is_over=False)


def test_every_dialect_is_recorded() -> None:
    assert {path.stem for path in RECORDED.glob("*.json")} == set(DIALECTS)


@pytest.mark.parametrize("name", DIALECTS)
def test_calls_tokens_and_errors_are_the_providers_own(name: str) -> None:
    recording = recording_of(name)
    calls = [record for record in conclude(recording.spans) if isinstance(record, LlmCall)]

    assert provider_log.concluded_calls(calls) == provider_log.served_calls(
        recording.served, DIALECTS[name]
    )


@pytest.mark.parametrize("name", DIALECTS)
def test_order_and_repetition_make_no_difference(name: str) -> None:
    spans = recording_of(name).spans
    shuffled = [*spans, *spans[::3]]
    random.Random(5).shuffle(shuffled)

    assert conclude(shuffled) == conclude(spans)


@pytest.mark.parametrize("name", DIALECTS)
def test_no_prose_is_left_among_the_attributes(name: str) -> None:
    for span in recording_of(name).spans:
        for attributes in (span.attributes, *(event.attributes for event in span.events)):
            told = [value for key, value in attributes.items() if not key.startswith("exception.")]
            assert "Write a line on shipping" not in str(told)
            assert "A ship at dawn" not in str(told)
            assert "find_order" not in str({**attributes, "gen_ai.tool.name": None})
