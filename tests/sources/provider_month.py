"""A month of polls of a simulated provider: what comes late, is revised, fails, dies in the middle.

A test gives the source's block of the configuration and the server; afterwards the tables must
equal what the provider says at the end.
"""

import os
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from multiprocessing import get_context
from pathlib import Path
from typing import Self

from exporter.demo.providers.bad_days import DropConnection
from exporter.demo.providers.server import ProviderServer
from tests.faults.polling_process import die_at
from tests.sources.by_hand import Clock, Exporter, counters, differences, exporter, stored

_PROCESSES = get_context("forkserver")
_PROCESSES.set_forkserver_preload(["tests.sources.provider_month"])
_EVERY = timedelta(hours=20)  # at another hour each time
# Polls by number: what happens to them. The first ones read the backlog.
_MID_PAGE, _DEATHS, _OUTAGE = 0, {1: 9, 6: 21}, range(10, 12)


@dataclass
class Month:
    """An exporter of one provider, and its life."""

    folder: Path
    database_url: str
    source: Mapping[str, object]
    environ: Mapping[str, str]
    clock: Clock
    _running: ExitStack = field(default_factory=ExitStack)
    _exporter: Exporter | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._running.close()

    def exporter(self) -> Exporter:
        """The exporter in this process, started if it is not running."""
        if self._exporter is None:
            self._exporter = self._running.enter_context(
                exporter(
                    self.folder,
                    self.database_url,
                    self.source,
                    clock=self.clock,
                    environ=self.environ,
                )
            )
        return self._exporter

    def die_in_a_poll(self, exchange: int) -> None:
        """Poll in a process that is killed before that exchange with our database."""
        self._running.close()
        self._running, self._exporter = ExitStack(), None
        process = _PROCESSES.Process(
            target=_poll_and_die,
            args=(self.folder, self.database_url, self.clock.now, exchange),
            kwargs={"source": dict(self.source), "environ": dict(self.environ)},
        )
        process.start()
        process.join(60)
        assert process.exitcode == -9, "the poll ended before it could be killed"

    def live_through(
        self,
        server: ProviderServer,
        until: datetime,
        *,
        fails_mid_page: str | None = "",
        outcome: str = "later",
    ) -> None:
        """Poll every twenty hours until the end, with everything that can go wrong on the way.

        `fails_mid_page` is a part of a path whose second page breaks off in the first poll; None
        where the provider knows no pages.
        """
        number = 0
        while self.clock.now < until:
            if number == _MID_PAGE and fails_mid_page is not None:
                server.bad_days.add(
                    DropConnection(after_bytes=100), path=fails_mid_page, page=2, times=3
                )
                result = self.exporter().poll()
                assert outcome == result.outcome, result.detail
                assert server.bad_days.pending == 0, "no second page was asked for"
                self.clock.advance(minutes=20)
            if number in _DEATHS:
                self.die_in_a_poll(_DEATHS[number])
            if number not in _OUTAGE:
                self.exporter().poll_ok()
            self.clock.now += _EVERY
            number += 1
        self.exporter().poll_ok()

    def assert_at_rest(self, polls: int = 10) -> None:
        """Demand that polls of an unchanged provider change no row and move no counter."""
        before = stored(self.database_url), counters(self.database_url)
        for _ in range(polls):
            self.clock.advance(hours=1)  # some reports are asked for every few hours only
            self.exporter().poll_ok()
        after = stored(self.database_url), counters(self.database_url)
        assert before[1] == after[1]
        for table, rows in before[0].items():
            assert rows == after[0][table], table
        assert {} == differences(self.database_url)


def _poll_and_die(
    folder: Path,
    database_url: str,
    now: datetime,
    exchange: int,
    *,
    source: dict[str, object],
    environ: dict[str, str],
) -> None:
    clock = Clock()
    clock.now = now
    with exporter(folder, database_url, source, clock=clock, environ=environ) as ours:
        die_at(exchange)
        ours.poll()
    os._exit(0)
