"""Rendering /metrics against prometheus_client.generate_latest, same series, same run."""

import gzip
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from random import Random
from statistics import median

from prometheus_client import CollectorRegistry, Counter, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from benchmarks.server import show
from exporter.interfaces import Counter as Stored
from exporter.interfaces import Increment, PollResult
from exporter.sinks.exposition import Exposition
from exporter.sinks.prometheus import Bookkeeper, LabelCaps

SERIES = 10_000
CHANGED = SERIES // 100
REPEATS = 15
METRIC = "aiwf_llm_calls_total"
NAMES = ("source", "workflow", "provider", "model", "status")


def labels_of(number: int) -> dict[str, str]:
    """Five labels, as a company of a hundred workflows has them."""
    return {
        "source": "n8n",
        "workflow": f'Workflow "{number % 100}" of the company',
        "provider": ("openai", "anthropic", "google", "mistral")[number // 100 % 4],
        "model": f"model-{number // 400 % 5}-2026-01-01",
        "status": ("success", "error", "timeout", "canceled", "crashed")[number // 2000 % 5],
    }


def ours(now: datetime) -> Exposition:
    """Our exposition, caught up and fresh, restored as after a restart."""
    caps = LabelCaps(10_000)
    exposition = Exposition(caps, Bookkeeper(caps), version="benchmark")
    exposition.register("n8n", timedelta(seconds=30), caught_up=True)
    exposition.restore(
        Stored(metric=METRIC, labels=tuple(sorted(labels_of(number).items())), value=number)
        for number in range(SERIES)
    )
    exposition.polled(PollResult(source="n8n", outcome="ok", started_at=now, duration_seconds=0.01))
    return exposition


def theirs() -> tuple[CollectorRegistry, Counter]:
    """The same series in prometheus_client."""
    registry = CollectorRegistry()
    counter = Counter(METRIC, "Calls of language models.", NAMES, registry=registry)
    for number in range(SERIES):
        counter.labels(**labels_of(number)).inc(number)
    return registry, counter


def milliseconds(run: Callable[[], object]) -> float:
    """How long one run takes."""
    begun = time.perf_counter()
    run()
    return 1000 * (time.perf_counter() - begun)


def main() -> None:
    """Interleave both, print medians and the ratio."""
    now = datetime.now(UTC)
    exposition = ours(now)
    registry, counter = theirs()
    chance = Random(1)  # no secret
    first = milliseconds(lambda: exposition.serve(now))

    def change() -> None:
        changed = [labels_of(chance.randrange(SERIES)) for _ in range(CHANGED)]
        for labels in changed:
            counter.labels(**labels).inc()
        exposition.counted(
            "n8n",
            [
                Increment(metric=METRIC, labels=tuple(sorted(labels.items())), amount=1)
                for labels in changed
            ],
            caught_up=True,
        )

    measured: dict[str, list[float]] = {}
    for _ in range(REPEATS):
        change()
        for name, run in (
            ("ours, after a change", lambda: exposition.serve(now)),
            ("generate_latest", lambda: generate_latest(registry)),
            ("ours, nothing changed", lambda: exposition.serve(now)),
            ("generate_latest, nothing changed", lambda: generate_latest(registry)),
        ):
            measured.setdefault(name, []).append(milliseconds(run))
        change()
        for name, run in (
            ("ours, after a change, gzip", lambda: exposition.serve(now, compress=True)),
            ("generate_latest, gzip 1", lambda: gzip.compress(generate_latest(registry), 1)),
            ("ours, nothing changed, gzip", lambda: exposition.serve(now, compress=True)),
        ):
            measured.setdefault(name, []).append(milliseconds(run))

    def samples(body: str) -> dict[tuple[tuple[str, str], ...], float]:
        return {
            tuple(sorted(sample.labels.items())): sample.value
            for family in text_string_to_metric_families(body)
            for sample in family.samples
            if sample.name == METRIC
        }

    assert samples(exposition.serve(now).decode()) == samples(generate_latest(registry).decode())
    print(
        f"{SERIES:,} series, {CHANGED} of them changed, median of {REPEATS}; "
        f"first rendering {first:.1f} ms\n"
    )
    show(
        ("what", "ms", "fastest", "slowest"),
        [
            [name, f"{median(times):.3f}", f"{min(times):.3f}", f"{max(times):.3f}"]
            for name, times in measured.items()
        ],
    )
    their_time = median(measured["generate_latest"])
    print(
        f"\nafter a change: {median(measured['ours, after a change']) / their_time:.3f} of its time"
    )
    print(
        f"nothing changed: {median(measured['ours, nothing changed']) / their_time:.5f} of its time"
    )


if __name__ == "__main__":
    main()
