"""The simulated status pages: what the product reads of them while providers fail and recover."""

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from exporter.demo.company_providers import MODEL_PROVIDERS
from exporter.demo.outages import Impact, Outages
from exporter.demo.providers.server import ProviderServer
from exporter.demo.simulated_n8n import SimulatedN8n
from exporter.demo.simulation import Simulation
from exporter.demo.status_pages import STATUS_PAGES, StatusPageApi
from exporter.demo.traffic import Story, Window
from exporter.records import Incident, IncidentPhase, StatusLevel
from exporter.sources.status.conclusion import WHOLE_PAGE, Conclusion, concluded
from exporter.sources.status.door import Door
from exporter.sources.status.formats import incidentio, statuspage
from exporter.sources.status.settings import catalogue

NOW = datetime(2026, 3, 12, 16, 20, tzinfo=UTC)  # a Thursday
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
READ = {"openai": incidentio.read, "anthropic": statuspage.read}
ULID = re.compile(r"[0-7][0-9A-HJKMNP-TV-Z]{25}")


class Company:
    """The providers' pages, asked at times that the test names."""

    def __init__(self, stack: ExitStack) -> None:
        self.now = NOW
        self.outages = Outages()
        self.story = Story.told_at(NOW, self.outages)
        self.servers = {
            provider: stack.enter_context(
                ProviderServer(StatusPageApi(provider, self.story), lambda: self.now)
            )
            for provider in STATUS_PAGES
        }
        self._doors = {
            provider: Door(server.url, allow_private=True)
            for provider, server in self.servers.items()
        }
        for door in self._doors.values():
            stack.callback(door.close)

    def read(self, provider: str, at: datetime) -> Conclusion:
        """Return what the product reads, all components and the past included."""
        self.now = at
        door = self._doors[provider]
        door.begin(at, wants_history=True)
        content = READ[provider](door)
        return concluded(content, (), at, timedelta(days=90))

    def levels(self, provider: str, at: datetime) -> dict[str, StatusLevel | None]:
        """Return what is not operational; the whole page is one of them."""
        statuses = self.read(provider, at).statuses
        return {one.component: one.level for one in statuses if one.level != 0}

    def incidents(self, provider: str, at: datetime) -> list[Incident]:
        """Return incidents, newest first."""
        found = self.read(provider, at).incidents
        return sorted(found, key=lambda one: one.started_at, reverse=True)


@pytest.fixture
def company() -> Iterator[Company]:
    """Serve both pages."""
    with ExitStack() as stack:
        yield Company(stack)


@pytest.mark.parametrize("provider", STATUS_PAGES)
def test_before_anything_goes_wrong_all_is_green(company: Company, provider: str) -> None:
    told = company.read(provider, NOW - timedelta(days=4))

    assert len(told.statuses) == 1 + len(STATUS_PAGES[provider].components)
    assert {one.level for one in told.statuses} == {StatusLevel.OPERATIONAL}
    assert () == told.incidents
    assert told.unmapped == 0


@pytest.mark.parametrize("provider", STATUS_PAGES)
def test_what_the_catalogue_watches_is_on_the_page(company: Company, provider: str) -> None:
    """Otherwise the demo would show a component that is no longer listed."""
    door = Door(company.servers[provider].url, allow_private=True)
    door.begin(NOW)
    content = READ[provider](door)
    told = concluded(content, catalogue()[provider].components, NOW, timedelta(days=90))
    door.close()

    assert None not in {one.level for one in told.statuses}


def test_the_page_tells_of_the_past_outage_late_and_closes_it_late(company: Company) -> None:
    outage = company.story.provider_outage
    assert outage.end is not None
    affected = {"Claude API (api.anthropic.com)", WHOLE_PAGE}

    assert {} == company.levels("anthropic", outage.start + 8 * MINUTE)
    for at in (outage.start + 9 * MINUTE, outage.end + 5 * MINUTE):
        assert dict.fromkeys(affected, StatusLevel.PARTIAL_OUTAGE) == company.levels(
            "anthropic", at
        )
    assert {} == company.levels("anthropic", outage.end + 6 * MINUTE)
    assert {} == company.levels("openai", outage.start + 20 * MINUTE)

    (told,) = company.incidents("anthropic", NOW)
    assert told.phase is IncidentPhase.RESOLVED
    assert (told.published_at, told.resolved_at) == (
        outage.start + 9 * MINUTE,
        outage.end + 6 * MINUTE,
    )
    assert [one.status for one in told.updates] == [
        "resolved",
        "monitoring",
        "identified",
        "investigating",
    ]
    # By now only its updates name the component.
    assert told.components == ("Claude API (api.anthropic.com)",)


def test_yesterdays_slow_hour_is_a_minor_incident(company: Company) -> None:
    slow = company.story.slow_provider
    during = slow.start + 30 * MINUTE

    degraded = dict.fromkeys(("Chat Completions", "Responses", WHOLE_PAGE), StatusLevel.DEGRADED)
    assert degraded == company.levels("openai", during)
    (told,) = company.incidents("openai", during)
    assert (told.title, told.impact, told.phase) == (
        "Elevated latency",
        "minor",
        IncidentPhase.OPEN,
    )
    assert {} == company.levels("openai", slow.end + 6 * MINUTE)


@pytest.mark.parametrize("provider", STATUS_PAGES)
def test_an_outage_comes_and_goes_at_will(company: Company, provider: str) -> None:
    begun = NOW + 10 * MINUTE
    company.outages.begin(provider, begun, impact=Impact.CRITICAL, published_after=MINUTE)

    assert {} == company.levels(provider, begun)
    for at in (begun + MINUTE, begun + 5 * HOUR):  # nobody knows its end
        assert company.levels(provider, at)[WHOLE_PAGE] is StatusLevel.MAJOR_OUTAGE
        assert company.incidents(provider, at)[0].phase is IncidentPhase.OPEN

    company.outages.end(provider, begun + 6 * HOUR)

    assert company.levels(provider, begun + 6 * HOUR)[WHOLE_PAGE] is StatusLevel.MAJOR_OUTAGE
    assert {} == company.levels(provider, begun + 6 * HOUR + 6 * MINUTE)


def test_a_short_outage_has_fewer_updates_or_is_never_told(company: Company) -> None:
    company.outages.begin("openai", NOW)
    company.outages.end("openai", NOW + 2 * MINUTE)
    company.outages.begin("anthropic", NOW)
    company.outages.end("anthropic", NOW + 4 * MINUTE)

    untold = company.incidents("openai", NOW + 9 * MINUTE)
    told = company.incidents("anthropic", NOW + 10 * MINUTE)

    assert ["Elevated latency"] == [one.title for one in untold]
    assert ["resolved", "investigating"] == [one.status for one in told[0].updates]


def test_an_outage_begins_once_and_ends_once() -> None:
    outages = Outages()
    with pytest.raises(ValueError, match="no outage"):
        outages.end("openai", NOW)
    outages.begin("openai", NOW)
    with pytest.raises(ValueError, match="already"):
        outages.begin("openai", NOW + MINUTE)
    outages.begin("anthropic", NOW)
    outages.end("openai", NOW + HOUR)
    outages.begin("openai", NOW + HOUR)

    assert [one.provider for one in outages.troubles] == ["openai", "anthropic", "openai"]


def test_a_page_that_has_not_changed_is_not_sent_again(company: Company) -> None:
    server = company.servers["anthropic"]
    with httpx.Client(base_url=server.url, trust_env=False) as client:
        first = client.get("/api/v2/summary.json")
        tag = {"If-None-Match": first.headers["ETag"]}
        company.now += 10 * MINUTE
        second = client.get("/api/v2/summary.json", headers=tag)
        company.outages.begin("anthropic", company.now, published_after=timedelta())
        third = client.get("/api/v2/summary.json", headers=tag)
        other = client.get("/api/v2/components.json", headers=tag)

    assert (first.status_code, second.status_code) == (200, 304)
    assert second.content == b""
    assert second.headers["ETag"] == first.headers["ETag"]
    assert (third.status_code, other.status_code) == (200, 200)
    assert third.json()["incidents"]


def test_the_product_hears_that_nothing_changed(company: Company) -> None:
    """Its second reading is answered by tags alone, and says the same."""
    first = company.read("openai", NOW)
    second = company.read("openai", NOW + MINUTE)
    asked = company.servers["openai"].requests

    assert first == second
    assert all("if-none-match" in one.headers for one in asked[len(asked) // 2 :])


def test_incident_io_imitates_with_its_own_quirks(company: Company) -> None:
    """ULIDs, null where Statuspage has an empty list, no components on incidents."""
    with httpx.Client(base_url=company.servers["openai"].url, trust_env=False) as client:
        company.now = NOW - timedelta(days=4)
        quiet = client.get("/api/v2/summary.json").json()
        past = client.get("/api/v2/incidents.json").json()
        company.now = company.story.slow_provider.start + 30 * MINUTE
        (incident,) = client.get("/api/v2/summary.json").json()["incidents"]
        missing = client.get("/api/v2/scheduled-maintenances/upcoming.json")

    ids = [quiet["page"]["id"], incident["id"], *(one["id"] for one in quiet["components"])]
    assert all(ULID.fullmatch(one) for one in ids)
    assert len(ids) == len(set(ids))
    assert [None] * 3 == [
        quiet["incidents"],
        quiet["scheduled_maintenances"],
        past["incidents"],
    ]
    assert "components" not in incident
    assert incident["shortlink"] is None
    assert missing.status_code == 404


def calls(simulation: Simulation, window: Window, until: datetime) -> Counter[tuple[str, bool]]:
    """Count calls of executions that start in a window, by provider and failure."""
    counts: Counter[tuple[str, bool]] = Counter()
    for execution in simulation.due(until):
        if execution.created_at in window:
            for state in execution.states:
                counts.update((MODEL_PROVIDERS[one.model], one.failed) for one in state.calls)
    return counts


def share(counts: Counter[tuple[str, bool]], provider: str) -> float:
    """Return the share of failed calls."""
    return counts[provider, True] / (counts[provider, True] + counts[provider, False])


@pytest.mark.parametrize("hour", range(0, 24, 3))
@pytest.mark.parametrize("day", [12, 15])
def test_the_past_outage_is_visible_whatever_the_hour(hour: int, day: int) -> None:
    """On a Thursday and on a Sunday, at night too; only calls to its provider fail."""
    now = datetime(2026, 3, day, hour, 23, tzinfo=UTC)
    simulation = Simulation(seed=1, begin=now - 4 * HOUR, now=now)
    outage = simulation.story.provider_outage
    assert outage.end is not None
    counts = calls(simulation, Window(outage.start, outage.end), now)

    assert counts["anthropic", True] >= 5
    assert share(counts, "anthropic") > 0.5
    assert share(counts, "openai") < 0.1
    assert share(counts, "self-hosted") == 0


def test_an_outage_fails_the_calls_of_the_company_until_it_ends(plain_database_url: str) -> None:
    """Begun and ended while n8n works; the provider that has none answers as before."""
    outages = Outages()
    failed: list[Counter[str]] = []
    made: list[Counter[str]] = []
    with SimulatedN8n(plain_database_url, outages=outages) as n8n:
        n8n.create()
        for hour in range(3):
            at = NOW + hour * HOUR
            if hour == 1:
                outages.begin("openai", at)
            if hour == 2:
                outages.end("openai", at)
            for minutes in range(60):
                n8n.step(at + minutes * MINUTE)
            failed.append(Counter())
            made.append(Counter())
            for (_, model), totals in n8n.truth().llm.items():
                failed[-1][MODEL_PROVIDERS[model]] += totals.failed_calls
                made[-1][MODEL_PROVIDERS[model]] += totals.calls

    def share_in(hour: int, provider: str) -> float:
        before = hour - 1
        newly = failed[hour][provider] - (failed[before][provider] if hour else 0)
        return newly / (made[hour][provider] - (made[before][provider] if hour else 0))

    assert share_in(1, "openai") > 0.6
    assert max(share_in(0, "openai"), share_in(2, "openai")) < 0.1
    assert max(share_in(hour, "anthropic") for hour in range(3)) < 0.2


def test_one_seed_and_one_outage_tell_one_story() -> None:
    """The same twice; and what was before an outage does not know of it."""
    begun = NOW + 30 * MINUTE

    def told(*, with_outage: bool) -> list[tuple[datetime, str]]:
        outages = Outages()
        simulation = Simulation(seed=1, begin=NOW, now=NOW, outages=outages)
        found = [(one.created_at, one.end.data) for one in simulation.due(begun)]
        if with_outage:
            outages.begin("openai", begun)
        return found + [(one.created_at, one.end.data) for one in simulation.due(NOW + HOUR)]

    first, second = told(with_outage=True), told(with_outage=True)
    without = told(with_outage=False)

    assert first == second
    assert [one for one in first if one[0] <= begun] == [one for one in without if one[0] <= begun]
    assert first != without
