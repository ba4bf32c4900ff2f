"""Simulated models that fail at times: enough to see it, not so much that nothing works."""

from collections import Counter
from datetime import UTC, datetime
from random import Random

from exporter.demo.failing_models import DOWN, MoodyBook
from exporter.demo.providers.inference import Failure, Refusal

QUIET = datetime(2026, 3, 1, 12, 1, tzinfo=UTC)
OUTAGE = datetime(2026, 3, 1, 12, 8, tzinfo=UTC)


def test_most_calls_are_answered_and_some_are_limited_or_refused() -> None:
    book = MoodyBook(DOWN, Random(1))

    met = Counter(type(book.mood_at(QUIET)) for _ in range(1_000))

    assert met[type(None)] > 800
    assert met[Failure] > 80
    assert met[Refusal] > 5


def test_every_call_fails_in_an_outage() -> None:
    book = MoodyBook(DOWN, Random(1))

    assert {book.mood_at(OUTAGE) for _ in range(100)} == {DOWN}


def test_a_provider_without_outages_goes_on() -> None:
    book = MoodyBook(None, Random(1))

    assert None in {book.mood_at(OUTAGE) for _ in range(100)}
