"""When the simulated company's workflows start, and what the week's story does to them."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from random import Random

from exporter.demo.company import (
    BURSTING_WORKFLOW,
    EXPENSIVE_WORKFLOW,
    FAILING_PROVIDER,
    SLOW_PROVIDER,
    WORKFLOWS,
)
from exporter.demo.outages import FAILING_SHARE, Impact, Outages, Trouble
from exporter.demo.workflow_model import Fate, Workflow

SLOT = timedelta(minutes=10)
LATENCY_FACTOR = 6.0
CONTEXT_FACTOR = 20.0
BURST_SHARE = 0.6
SATURDAY = 5
# Whatever the hour: the demo's last hours and its live part look like a working day.
LIVELY_HOURS = 3
LIVELY_SHARE_PER_HOUR = 1 / 8
# Enough traffic in the slow hour to be seen, even on a Sunday.
SLOW_HOUR_SHARE = 1 / 24
# Enough in the outage that its failing calls are no accident, whatever the hour.
OUTAGE_SHARE_PER_HOUR = 1 / 3
EXPENSIVE_RUNS_PER_HOUR = 8.0
BURST_RUNS_PER_HOUR = 60.0


@dataclass(frozen=True, slots=True)
class Window:
    """A span of time; the end is outside."""

    start: datetime
    end: datetime

    def __contains__(self, at: datetime) -> bool:
        return self.start <= at < self.end


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """What went wrong during the week, told at one moment, and what goes wrong from then on."""

    slow_provider: Window
    expensive_prompts: Window
    error_burst: Window
    provider_outage: Trouble
    lively_from: datetime
    outages: Outages = field(default_factory=Outages)  # those begun from outside

    @classmethod
    def told_at(cls, now: datetime, outages: Outages | None = None) -> "Story":
        """Return the story whose end is `now`: yesterday's slow hour and so on."""
        midnight = datetime.combine(now.astimezone(UTC).date(), time(), UTC)
        yesterday, before = midnight - timedelta(days=1), midnight - timedelta(days=2)
        burst, outage = now - timedelta(hours=5), now - timedelta(hours=3)
        return cls(
            slow_provider=Window(yesterday + timedelta(hours=14), yesterday + timedelta(hours=15)),
            expensive_prompts=Window(before + timedelta(hours=9), before + timedelta(hours=15)),
            error_burst=Window(burst, burst + timedelta(minutes=45)),
            provider_outage=Trouble(
                provider=FAILING_PROVIDER,
                title="Elevated error rates",
                impact=Impact.MAJOR,
                start=outage,
                end=outage + timedelta(minutes=40),
                failing_share=FAILING_SHARE,
            ),
            lively_from=now - timedelta(hours=LIVELY_HOURS),
            outages=outages or Outages(),
        )

    @property
    def troubles(self) -> tuple[Trouble, ...]:
        """Return what went wrong at the providers, and goes wrong now."""
        slow_hour = Trouble(
            provider=SLOW_PROVIDER,
            title="Elevated latency",
            impact=Impact.MINOR,
            start=self.slow_provider.start,
            end=self.slow_provider.end,
        )
        return (slow_hour, self.provider_outage, *self.outages.troubles)

    def failing_share(self, provider: str, at: datetime) -> float:
        """Return which share of the calls to a provider it answers with an error of its own."""
        return max(
            (
                trouble.failing_share
                for trouble in self.troubles
                if trouble.provider == provider and at in trouble
            ),
            default=0.0,
        )

    def latency_factor(self, provider: str, at: datetime) -> float:
        """Return how many times longer than usual a provider's answers take."""
        is_slow = provider == SLOW_PROVIDER and at in self.slow_provider
        return LATENCY_FACTOR if is_slow else 1.0

    def context_factor(self, workflow: Workflow, at: datetime) -> float:
        """Return how many times longer than usual a workflow's prompts are."""
        is_long = workflow is EXPENSIVE_WORKFLOW and at in self.expensive_prompts
        return CONTEXT_FACTOR if is_long else 1.0

    def failures(self, workflow: Workflow, at: datetime) -> dict[Fate, float]:
        """Return the share of executions that meet each failure."""
        failures = dict(workflow.failures)
        if workflow is BURSTING_WORKFLOW and at in self.error_burst:
            failures[Fate.INVALID_JSON] = BURST_SHARE
        return failures

    def runs_per_hour(self, workflow: Workflow, at: datetime) -> float:
        """Return how often a workflow is started on demand at that time."""
        if not workflow.hour_weights:
            return 0.0
        share = workflow.hour_weights[at.hour] / sum(workflow.hour_weights)
        day_factor = workflow.weekend_factor if at.weekday() >= SATURDAY else 1.0
        rate = workflow.runs_per_workday * share * day_factor
        if at >= self.lively_from:
            rate = max(rate, workflow.runs_per_workday * LIVELY_SHARE_PER_HOUR)
        if at in self.slow_provider:
            rate = max(rate, workflow.runs_per_workday * SLOW_HOUR_SHARE)
        if at in self.provider_outage and _asks(workflow, self.provider_outage.provider):
            rate = max(rate, workflow.runs_per_workday * OUTAGE_SHARE_PER_HOUR)
        if workflow is EXPENSIVE_WORKFLOW and at in self.expensive_prompts:
            rate = max(rate, EXPENSIVE_RUNS_PER_HOUR)
        if workflow is BURSTING_WORKFLOW and at in self.error_burst:
            rate = max(rate, BURST_RUNS_PER_HOUR)
        return rate


def _asks(workflow: Workflow, provider: str) -> bool:
    return any(step.prompt and step.prompt.model.provider == provider for step in workflow.steps)


def slot_start(at: datetime) -> datetime:
    """Return the start of the ten minutes that hold `at`."""
    at = at.astimezone(UTC)
    return at.replace(minute=at.minute - at.minute % 10, second=0, microsecond=0)


def starts_in_slot(story: Story, seed: int, slot: datetime) -> Iterator[tuple[datetime, Workflow]]:
    """Yield when which workflow starts during one slot; the same for every call."""
    for workflow in WORKFLOWS:
        rng = Random(f"{seed} {workflow.name} {slot.isoformat()}")  # noqa: S311 - simulated chance
        expected = story.runs_per_hour(workflow, slot) * (SLOT / timedelta(hours=1))
        for _ in range(_poisson(rng, expected)):
            yield slot + SLOT * rng.random(), workflow
        schedule = workflow.schedule
        if schedule is None or slot.hour not in schedule.hours:
            continue
        due = slot.replace(minute=schedule.minute)
        if slot_start(due) == slot and schedule.weekday in {None, slot.weekday()}:
            # n8n's scheduler is a few milliseconds late.
            yield due + timedelta(milliseconds=rng.randint(4, 30)), workflow


def choose_fate(story: Story, workflow: Workflow, at: datetime, rng: Random) -> Fate:
    """Return what becomes of an execution that starts at `at`."""
    point = rng.random()
    for fate, share in story.failures(workflow, at).items():
        if point < share:
            return fate
        point -= share
    return Fate.SUCCESS


def _poisson(rng: Random, expected: float) -> int:
    """Return a Poisson number (Knuth's method: `expected` is small here)."""
    limit, product, count = math.exp(-expected), rng.random(), 0
    while product > limit:
        product *= rng.random()
        count += 1
    return count
