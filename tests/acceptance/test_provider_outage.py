"""An outage of the demo company's provider: seen within one poll, marked, blamed, and over."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from exporter.app import App
from exporter.demo.outages import Outages
from exporter.demo.simulated_n8n import SimulatedN8n
from exporter.demo.status_pages import served_status_pages
from grafana.src import providers_queries
from grafana.src.annotations import INCIDENTS
from tests import databases
from tests.conftest import connect
from tests.shipped.grafana_macros import expand_macros

MINUTE = timedelta(minutes=1)
# The outage ends a while before the present: views compare with the database's own clock.
BEGINS, PUBLISHED, ENDS, RESOLVED = -60 * MINUTE, -58 * MINUTE, -9 * MINUTE, -7 * MINUTE
MAJOR = 3


class Company:
    """The demo company and an exporter, both at times that the test names."""

    def __init__(self, stack: ExitStack, url: str, n8n_url: str, folder: Path) -> None:
        self.present = datetime.now(UTC).replace(microsecond=0)
        self.url = url
        self.outages = Outages()
        self.outages.begin(
            "openai",
            self.present + BEGINS,
            failing_share=1.0,
            published_after=PUBLISHED - BEGINS,
            resolved_after=RESOLVED - ENDS,
        )
        self.n8n = stack.enter_context(SimulatedN8n(n8n_url, outages=self.outages))
        self.n8n.create()
        self.n8n.write_history(self.present - 80 * MINUTE, days=1)
        self._now = self.present
        pages = stack.enter_context(served_status_pages(self.n8n.story, lambda: self._now))
        said = [{"page": name, "url": address} for name, address in pages.items()]
        sources = [
            {"name": "n8n", "kind": "n8n", "url": {"env": "N8N_DATABASE_URL"}},
            {"name": "status", "kind": "status_pages", "allow_private": True, "pages": said},
        ]
        (folder / "config.yml").write_text(yaml.safe_dump({"sources": sources}))
        environ = {"AIWF_DATABASE_URL": url, "N8N_DATABASE_URL": n8n_url}
        self.app = App(folder / "config.yml", environ)
        stack.callback(self.app.stop)
        self.app.prepare()
        for poller in self.app.pollers:
            poller._clock = lambda: self._now

    def poll(self, since_present: timedelta) -> None:
        """Work and poll once, at a time before the present."""
        self._now = self.present + since_present
        self.n8n.step(self._now)
        for poller in self.app.pollers:
            result = poller.poll()
            assert result is not None
            assert result.outcome == "ok", result.detail

    def ask(self, query: str, **parameters: object) -> list[dict[str, Any]]:
        """Ask as a dashboard that shows the last three hours would."""
        start, end = self.present - timedelta(hours=3), self.present + MINUTE
        sql = expand_macros(query, start, end, interval="1m")
        with connect(self.url) as connection:
            return connection.execute(sql.encode(), parameters or None).fetchall()

    def level(self, page: str, since_present: timedelta) -> Any:
        """Return what the state timeline shows of a minute."""
        at = self.present + since_present
        return next(
            row["value"]
            for row in self.ask(providers_queries.TIMELINE)
            if row["metric"] == page and row["time"] <= at < row["time"] + MINUTE
        )

    def metric(self, series: str) -> float | None:
        """Return a sample of /metrics at the time of the last poll."""
        for line in self.app.exposition.serve(self._now).decode().splitlines():
            if line.startswith(series + " "):
                return float(line.rpartition(" ")[2])
        return None


@pytest.fixture(scope="module")
def company(
    plain_server: str, migrated: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Company]:
    with (
        ExitStack() as stack,
        databases.new_database(plain_server, template=migrated(plain_server)) as url,
        databases.new_database(plain_server) as n8n_url,
    ):
        yield Company(stack, url, n8n_url, tmp_path_factory.mktemp("outage"))
        stack.close()


LEVEL = 'aiwf_provider_status_level{component="",page="openai",source="status"}'
OPEN = 'aiwf_provider_incidents_open{page="openai",source="status"}'


def test_a_provider_outage_is_seen_blamed_and_over(company: Company) -> None:
    """One story, told in order: each step needs the ones before."""
    for minutes in range(-75, -58, 4):
        company.poll(minutes * MINUTE)
    assert (0, 0) == (company.metric(LEVEL), company.metric(OPEN))
    assert [] == [row for row in company.ask(INCIDENTS) if "OpenAI" in row["text"]]

    # The first poll after the page told it.
    company.poll(PUBLISHED)
    assert (MAJOR, 1) == (company.metric(LEVEL), company.metric(OPEN))
    assert (MAJOR, 0) == (company.level("OpenAI", PUBLISHED), company.level("Anthropic", PUBLISHED))
    (drawn,) = [row for row in company.ask(INCIDENTS) if "OpenAI" in row["text"]]
    assert drawn["time"] <= company.present + PUBLISHED < drawn["timeend"]

    for minutes in range(-54, -9, 5):
        company.poll(minutes * MINUTE)
    company.outages.end("openai", company.present + ENDS)
    company.poll(RESOLVED)
    company.poll(timedelta(0))

    # It is over,
    assert (0, 0) == (company.metric(LEVEL), company.metric(OPEN))
    assert 0 == company.level("OpenAI", timedelta(0) - MINUTE)
    assert [0] == [row["value"] for row in company.ask(providers_queries.PAGES_NOT_WELL)]
    (drawn,) = [row for row in company.ask(INCIDENTS) if "OpenAI" in row["text"]]
    assert company.present + RESOLVED == drawn["timeend"]

    # what failed in it is marked,
    failed = company.ask(
        "SELECT provider, blame, count(*) AS calls FROM v_call_blame(%(from_at)s, %(until_at)s)"
        " GROUP BY 1, 2",
        from_at=company.present + PUBLISHED,
        until_at=company.present + ENDS,
    )
    blamed = {(row["provider"], row["blame"]): row["calls"] for row in failed}
    assert blamed["openai", "provider"] >= 5
    assert {"provider"} == {blame for provider, blame in blamed if provider == "openai"}

    # and so is the time that it took.
    (lasted,) = company.ask(
        "SELECT major_outage_seconds, partial_outage_seconds FROM v_status_time(%(a)s, %(b)s)"
        " WHERE page = 'openai'",
        a=company.present - timedelta(hours=2),
        b=company.present,
    )
    assert (RESOLVED - PUBLISHED).total_seconds() == lasted["partial_outage_seconds"]
    assert 0 == lasted["major_outage_seconds"]
