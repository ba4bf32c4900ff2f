"""Settings of baselines: from when on a workflow is far from what is usual for it."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field

from exporter.setting_types import Strict, Zone

_MONTHS = [datetime(year, month, 1, tzinfo=UTC) for year in range(2020, 2038) for month in (1, 7)]


def _whole_hours(value: str) -> str:
    zone = ZoneInfo(value)
    for at in _MONTHS:
        offset = at.astimezone(zone).utcoffset()
        if offset is None or offset.total_seconds() % 3600:
            raise ValueError(
                f"{value!r} is not a whole number of hours from UTC, and costs are summed by the"
                " hour; choose a zone that is, for example UTC"
            )
    return value


HourlyZone = Annotated[Zone, AfterValidator(_whole_hours)]
Ratio = Annotated[Decimal, Field(gt=1)]


class RunawayLimit(Strict):
    """From when on a number of the last hour is taken for a loop: both must be reached."""

    ratio: Ratio
    """So many times what is usual."""
    least: Annotated[int, Field(strict=True, ge=1)]
    """And at least so many."""


class RunawaySettings(Strict):
    """Loops, found while they run; a workflow whose usual is not known is left alone."""

    enabled: bool = True
    calls_per_run: RunawayLimit = RunawayLimit(ratio=Decimal(3), least=50)
    """Model calls of one run, against 99 of 100 of the workflow's runs."""
    retries_per_run: RunawayLimit = RunawayLimit(ratio=Decimal(3), least=10)
    """Retried calls and steps of one run, against 99 of 100 of the workflow's runs."""
    runs_per_hour: RunawayLimit = RunawayLimit(ratio=Decimal(5), least=100)
    """Runs of the last 60 minutes, against the most in such hours of the weekday in four weeks."""


class BaselineLimits(Strict):
    """From when on a day of a workflow is far from usual."""

    enabled: bool = True
    cost_ratio: Ratio = Decimal(2)
    """Cost of a day, and per run: so many times what is usual."""
    cost_usd: Annotated[Decimal, Field(ge=0)] = Decimal(1)
    """A day that costs less is not flagged for its cost."""
    duration_ratio: Ratio = Decimal(2)
    """Median and P95 of the duration; what takes less than a second is not flagged."""
    error_rate: Annotated[Decimal, Field(gt=0, le=1)] = Decimal("0.1")
    """Failed of ended runs: so much more than usual, as a share of 1."""
    tokens_ratio: Ratio = Decimal(2)
    """Tokens of a successful call, input and output, on average."""
    least_runs: Annotated[int, Field(strict=True, ge=1)] = 30
    """Runs (of tokens: calls) that a day needs before anything but its cost is flagged."""
    runaway: RunawaySettings = RunawaySettings()


class BaselineSettings(BaselineLimits):
    """What is usual for workflows, learnt of their last four weeks."""

    zone: HourlyZone = "UTC"
    """Where days begin; a zone that is whole hours from UTC."""


class WorkflowBaselineSettings(Strict):
    """What of `baselines` is another for one workflow."""

    enabled: bool | None = None
    cost_ratio: Ratio | None = None
    cost_usd: Annotated[Decimal, Field(ge=0)] | None = None
    duration_ratio: Ratio | None = None
    error_rate: Annotated[Decimal, Field(gt=0, le=1)] | None = None
    tokens_ratio: Ratio | None = None
    least_runs: Annotated[int, Field(strict=True, ge=1)] | None = None
    runaway: RunawaySettings | None = None
    """As a whole: what is not named here has its default."""

    def over(self, limits: BaselineLimits) -> BaselineLimits:
        """Return the limits with what is another here."""
        named = {key: value for key, value in self if value is not None}
        return limits.model_copy(update=named)
