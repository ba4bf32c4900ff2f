"""When to poll: every job at its interval, never twice at once, late runs folded into one."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler


class Schedule:
    """Runs jobs on threads of its own."""

    def __init__(self, threads: int) -> None:
        self._scheduler = BackgroundScheduler(
            timezone=UTC,
            executors={"default": ThreadPoolExecutor(threads)},
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        )

    def every(
        self,
        interval: timedelta,
        job: Callable[[], object],
        *,
        name: str,
        first_at: datetime | None = None,
    ) -> None:
        """Run a job now (or at `first_at`) and then at its interval, spread a little."""
        self._scheduler.add_job(
            job,
            "interval",
            seconds=interval.total_seconds(),
            id=name,
            replace_existing=True,
            next_run_time=first_at or datetime.now(UTC),
            jitter=min(interval.total_seconds() * 0.05, 10),
        )

    def start(self) -> None:
        """Begin."""
        self._scheduler.start()

    def clear(self) -> None:
        """Forget every job; a run under way goes on to its end."""
        self._scheduler.remove_all_jobs()

    def stop(self) -> None:
        """Wait for runs under way, then end."""
        if self._scheduler.running:
            self._scheduler.shutdown(wait=True)
