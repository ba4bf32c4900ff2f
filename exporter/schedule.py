"""When to poll: every job at its interval, never twice at once, late runs folded into one."""

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from typing import Protocol

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler

from exporter.errors import SinkError

log = logging.getLogger(__name__)


class Leases(Protocol):
    """Where an exporter learns whether it is the one to do something."""

    def session(self, source: str) -> AbstractContextManager[object | None]:
        """Lease a name; None while another exporter has it."""

    def release(self, source: str) -> None:
        """Give the lease back."""


def one_at_a_time(leases: Leases, name: str, job: Callable[[], object]) -> Callable[[], None]:
    """Return the job as it runs where several exporters share a database: in one of them."""

    def run() -> None:
        try:
            with leases.session(name) as session:
                if session is not None:
                    job()
        finally:
            leases.release(name)

    return until_next_time(name, run)


def until_next_time(name: str, job: Callable[[], object]) -> Callable[[], None]:
    """Return the job as it lives through a database that is down."""

    def run() -> None:
        try:
            job()
        except SinkError as error:
            log.warning("job.failed", extra={"job": name, "detail": str(error)})

    return run


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
