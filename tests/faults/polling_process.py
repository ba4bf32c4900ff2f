"""The process that test_kill.py kills: polls for ever and tells of every committed batch."""

import os
import signal
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import psycopg

from exporter.app import App

BATCH = b"batch"


def poll_until_killed(
    config: str, environ: dict[str, str], reports: Connection, dies_at: int | None
) -> None:
    """Start an exporter as a process does and poll its only source; report batches, then polls.

    With `dies_at` it kills itself before that many exchanges with a database are made: between any
    two statements, before a commit, after one.
    """
    app = App(Path(config), environ)
    show = app.exposition.counted

    def report_and_show(*arguments: Any, **named: Any) -> None:
        reports.send_bytes(BATCH)  # the batch is committed, and nothing in memory knows of it
        show(*arguments, **named)

    app.exposition.counted = report_and_show  # type: ignore[method-assign]
    app.prepare()
    if dies_at is not None:
        die_at(dies_at)
    while True:
        result = app.pollers[0].poll()
        if result is not None and result.outcome != "standby":
            reports.send_bytes(result.outcome.encode())


def die_at(number: int) -> None:
    """SIGKILL this process before its `number`-th exchange with a database from now on."""
    exchange = psycopg.Connection.wait
    made = 0

    def die_or_exchange(*arguments: Any, **named: Any) -> Any:
        nonlocal made
        made += 1
        if made == number:
            os.kill(os.getpid(), signal.SIGKILL)
        return exchange(*arguments, **named)

    psycopg.Connection.wait = die_or_exchange  # type: ignore[method-assign]
