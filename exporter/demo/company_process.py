"""Keeps the simulated company working: one step a second, until told to stop."""

import logging
import threading
from datetime import UTC, datetime

import psycopg

from exporter.demo.outages import Outages
from exporter.demo.simulated_n8n import SimulatedN8n
from exporter.demo.truth import Meter

log = logging.getLogger(__name__)

STEP_SECONDS = 1.0
HISTORY_DAYS = 7


def prepare_n8n(
    url: str, now: datetime, *, meter: Meter | None = None, outages: Outages | None = None
) -> SimulatedN8n:
    """Fill an empty database with a week of history, or go on in one filled before.

    `meter` hears of the calls that providers serve from now on, those of a new history included;
    `outages` may begin and end while it works.

    Raises:
        ValueError: the database holds an n8n that is not simulated.
    """
    n8n = SimulatedN8n(url, meter=meter, outages=outages)
    if n8n.is_filled():
        n8n.resume(now)
    else:
        n8n.create()
        n8n.write_history(now, HISTORY_DAYS)
    return n8n


def work(n8n: SimulatedN8n, stopped: threading.Event) -> None:
    """Step until `stopped` is set; a database that is away for a while is waited for."""
    while not stopped.wait(STEP_SECONDS):
        try:
            n8n.step(datetime.now(UTC))
        except psycopg.Error as error:
            log.warning("company.waits", extra={"detail": type(error).__name__})
            n8n.close()
    n8n.close()
