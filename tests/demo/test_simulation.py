"""The simulated week: its rhythm, what goes wrong in it, and that a seed decides it."""

from collections import Counter
from datetime import UTC, datetime, timedelta

from exporter.demo.simulation import Simulation
from exporter.demo.workflow_model import Fate

NOW = datetime(2026, 3, 12, 16, 20, tzinfo=UTC)  # a Thursday


def test_the_week_tells_its_story() -> None:
    """A slow hour, an expensive morning and a burst of errors stand out of the week."""
    simulation = Simulation(seed=1, begin=NOW - timedelta(days=7), now=NOW)
    story = simulation.story
    slow: list[float] = []
    usual: list[float] = []
    burst: list[float] = []
    quiet: list[float] = []
    long_prompts: list[float] = []
    short_prompts: list[float] = []
    per_day: Counter[str] = Counter()
    for execution in simulation.due(NOW):
        end, at = execution.end, execution.created_at
        per_day[at.strftime("%A")] += 1
        workflow = execution.version.workflow.name
        seconds = (end.visible_at - at).total_seconds()
        if workflow == "Social Posts" and end.status == "success":
            (slow if at in story.slow_provider else usual).append(seconds)
        if workflow == "Support Ticket Triage":
            (burst if at in story.error_burst else quiet).append(end.status == "error")
        if workflow == "Blog Writer" and end.status == "success":
            tokens = sum(call.input_tokens for call in end.calls)
            (long_prompts if at in story.expensive_prompts else short_prompts).append(tokens)

    assert sum(per_day.values()) > 3_000
    assert per_day["Tuesday"] > 1.5 * per_day["Saturday"]
    assert _mean(slow) > 4 * _mean(usual)
    assert _mean(long_prompts) > 5 * _mean(short_prompts)
    assert _mean(burst) > 0.4
    assert _mean(quiet) < 0.06


def test_one_seed_tells_one_story() -> None:
    """Asked hour by hour or at once, a seed gives the same executions; another seed others."""
    begin = NOW - timedelta(hours=6)
    at_once = list(Simulation(seed=1, begin=begin, now=NOW).due(NOW))
    piecewise = Simulation(seed=1, begin=begin, now=NOW)
    bit_by_bit = [
        execution
        for hours in range(7)
        for execution in piecewise.due(begin + timedelta(hours=hours))
    ]
    other = list(Simulation(seed=2, begin=begin, now=NOW).due(NOW))

    assert [e.end.data for e in at_once] == [e.end.data for e in bit_by_bit]
    assert [e.created_at for e in at_once] != [e.created_at for e in other]
    assert {e.walk.fate for e in at_once} > {Fate.SUCCESS}


def _mean(values: list[float]) -> float:
    assert values
    return sum(values) / len(values)
