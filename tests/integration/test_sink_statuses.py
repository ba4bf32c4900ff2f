"""Readings of status pages in our database: what they add to the past, and what is true now."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from exporter.interfaces import Batch, Increment, Present
from exporter.records import (
    IncidentPhase,
    IncidentUpdate,
    PageReading,
    Record,
    StatusLevel,
    UnknownCause,
)
from exporter.sinks.gauges import Series, gauges_of
from exporter.sinks.present import present_of
from exporter.sinks.prometheus import Bookkeeper, LabelCaps
from exporter.sinks.timescale import TimescaleSink
from tests.conftest import connect
from tests.spend_records import midnight
from tests.status_records import SOURCE, Said, incident, reading

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
OPERATIONAL, MAINTENANCE, DEGRADED, PARTIAL, MAJOR = StatusLevel
UNREACHABLE, NOT_WATCHED = UnknownCause.UNREACHABLE, UnknownCause.NOT_WATCHED
OPEN, RESOLVED = IncidentPhase.OPEN, IncidentPhase.RESOLVED
TABLES = (
    "status_pages",
    "status_samples",
    "component_statuses",
    "incidents",
    "incident_updates",
)


def at(minutes: float) -> datetime:
    return NOW + minutes * MINUTE


class Database:
    """Our database, written by one exporter that reads status pages."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.sink = TimescaleSink(url, sources=4)
        self.sink.open()
        self.bookkeeper = Bookkeeper(LabelCaps(100))

    def write(self, *records: Record, name: str = SOURCE) -> Sequence[Increment]:
        with self.sink.session(name) as session:
            assert session is not None
            batch = Batch(records=records, cursor={}, caught_up=True)
            _, increments = session.write(session.position(), batch, self.bookkeeper, NOW)
        return increments

    def present(self, now: datetime) -> Present:
        self.sink.describe_source(SOURCE, "status_pages", "status")
        with self.sink.session(SOURCE) as session:
            assert session is not None
            return session.present(now)

    def gauges(self, now: datetime) -> dict[Series, float]:
        return gauges_of(SOURCE, self.present(now), self.bookkeeper)

    def rows(self, query: str, *parameters: object) -> list[dict[str, Any]]:
        with connect(self._url) as connection:
            return connection.execute(query.encode(), parameters).fetchall()

    def past(self, component: str = "", page: str = "openai") -> list[tuple[Any, ...]]:
        """(minutes after NOW, level or cause) of each sample."""
        found = self.rows(
            "SELECT * FROM status_samples WHERE page = %s AND component = %s ORDER BY observed_at",
            page,
            component,
        )
        return [
            (
                (row["observed_at"] - NOW) / MINUTE,
                row["cause"] if row["level"] is None else row["level"],
            )
            for row in found
        ]

    def now(self, component: str = "") -> dict[str, Any] | None:
        found = self.rows("SELECT * FROM component_statuses WHERE component = %s", component)
        assert len(found) <= 1
        return found[0] if found else None

    def incident(self) -> dict[str, Any]:
        (found,) = self.rows("SELECT * FROM incidents")
        return found

    def everything(self) -> dict[str, list[dict[str, Any]]]:
        """Every row, and which transaction wrote it."""
        return {
            name: self.rows(f"SELECT xmin::text, * FROM {name} ORDER BY 2, 3") for name in TABLES
        }


@pytest.fixture
def database(one_database_url: str) -> Iterator[Database]:
    database = Database(one_database_url)
    yield database
    database.sink.close()


# --- levels ----------------------------------------------------------------------------------


def test_a_change_is_added_to_the_past_and_replaces_the_present(database: Database) -> None:
    for minute, level in enumerate((OPERATIONAL, DEGRADED, DEGRADED, MAJOR)):
        database.write(reading(at(minute), level))

    assert [(0, 0), (1, 2), (3, 4)] == database.past()
    now = database.now()
    assert now is not None
    assert (4, "MAJOR_OUTAGE", at(3), at(3)) == (
        now["level"],
        now["raw"],
        now["since"],
        now["sampled_at"],
    )


def test_a_level_lasts_since_its_first_reading(database: Database) -> None:
    midnight_after = midnight(NOW) + timedelta(days=1)
    for minute in (0, 5, 720, 721):
        at_ = at(minute)
        database.write(reading(at_, DEGRADED, believed_for=timedelta(days=1)))

    now = database.now()
    assert now is not None
    assert (NOW, midnight_after) == (now["since"], now["sampled_at"])


def test_the_same_reading_twice_changes_nothing(database: Database) -> None:
    told = reading(
        NOW,
        DEGRADED,
        {"API": DEGRADED, "Chat": OPERATIONAL},
        incidents=(
            incident(
                at(-5),
                components=("API",),
                updates=(IncidentUpdate(update_id="u", at=at(-5), status="x", body="y"),),
            ),
            incident(
                at(-99),
                incident_id="i0",
                phase=RESOLVED,
                resolved_at=at(-90),
                url="https://status.openai.com/i0",
            ),
        ),
    )
    database.write(told)
    database.write(replace(told, incidents=told.incidents[:1]))
    harmless = replace(told.incidents[1], level=OPERATIONAL, url=None, components=())
    once = database.everything()

    database.write(replace(told, incidents=(told.incidents[0], harmless)))

    for table in ("status_samples", "component_statuses", "incidents", "incident_updates"):
        assert once[table] == database.everything()[table]


def test_what_does_not_change_has_a_row_a_utc_day(database: Database) -> None:
    for hour in range(61):
        told = reading(at(60 * hour), components={"API": DEGRADED}, believed_for=timedelta(hours=5))
        database.write(told)

    assert [(0, 0), (12 * 60, 0), (36 * 60, 0), (60 * 60, 0)] == database.past()
    assert [(0, 2), (12 * 60, 2), (36 * 60, 2), (60 * 60, 2)] == database.past("API")


def test_a_page_that_is_unknown_makes_its_components_unknown(database: Database) -> None:
    database.write(reading(at(0), components={"API": OPERATIONAL, "Chat": DEGRADED}))
    database.write(reading(at(1), UNREACHABLE))
    database.write(reading(at(2), UNREACHABLE))

    assert [(0, 0), (1, "unreachable")] == database.past() == database.past("API")
    assert [(0, 2), (1, "unreachable")] == database.past("Chat")
    chat = database.now("Chat")
    assert chat is not None
    assert (None, "unreachable", at(1)) == (chat["level"], chat["cause"], chat["since"])


def test_the_cause_of_what_is_unknown_is_a_change(database: Database) -> None:
    for minute, cause in enumerate((UNREACHABLE, UNREACHABLE, UnknownCause.BLOCKED)):
        database.write(reading(at(minute), cause))

    assert [(0, "unreachable"), (2, "blocked")] == database.past()


def test_a_page_that_recovers_is_known_with_its_components(database: Database) -> None:
    database.write(reading(at(0), components={"API": OPERATIONAL}))
    database.write(reading(at(1), UNREACHABLE))
    database.write(reading(at(2), components={"API": OPERATIONAL}))

    assert [(0, 0), (1, "unreachable"), (2, 0)] == database.past() == database.past("API")
    now = database.now("API")
    assert now is not None
    assert (0, None, at(2)) == (now["level"], now["cause"], now["since"])


def test_a_component_that_vanishes_is_unknown_in_the_past_and_gone_from_the_present(
    database: Database,
) -> None:
    database.write(reading(at(0), components={"API": DEGRADED, "Chat": OPERATIONAL}))
    for minute in (1, 2, 3):
        database.write(reading(at(minute), components={"Chat": OPERATIONAL}))

    assert [(0, 2), (1, "missing")] == database.past("API")
    assert database.now("API") is None
    assert [(0, 0)] == database.past("Chat") == database.past()


def test_a_component_that_comes_back_is_known_again(database: Database) -> None:
    for minute, components in enumerate(({"API": DEGRADED}, {}, {"API": DEGRADED})):
        database.write(reading(at(minute), components=components))

    assert [(0, 2), (1, "missing"), (2, 2)] == database.past("API")
    now = database.now("API")
    assert now is not None
    assert now["since"] == at(2)


def test_a_time_in_which_nobody_looked_is_dark(database: Database) -> None:
    database.write(reading(at(0), components={"API": DEGRADED}))
    told = reading(at(300), components={"API": DEGRADED})
    database.write(told)
    database.write(replace(told, observed_at=at(301)))

    assert [(0, 0), (10, "not_watched"), (300, 0)] == database.past()
    assert [(0, 2), (10, "not_watched"), (300, 2)] == database.past("API")
    now = database.now("API")
    assert now is not None
    assert now["since"] == at(300)


def test_a_pause_that_is_believable_is_not_dark(database: Database) -> None:
    database.write(reading(at(0)))
    database.write(reading(at(10)))

    assert [(0, 0)] == database.past()


def test_what_a_page_says_after_a_dark_time_of_vanished_components_is_missing(
    database: Database,
) -> None:
    database.write(reading(at(0), components={"API": DEGRADED}))
    database.write(reading(at(60)))

    assert [(0, 2), (10, "not_watched"), (60, "missing")] == database.past("API")
    assert database.now("API") is None


def test_a_reading_that_is_older_than_the_last_one_is_ignored(database: Database) -> None:
    for minute in (0, 5, 9):
        database.write(reading(at(minute), title="new"))
    before = database.everything()

    # Older than what was read, and newer than the newest row of the past.
    database.write(reading(at(7), MAJOR, {"API": MAJOR}, title="old", incidents=(incident(at(7)),)))

    assert before == database.everything()


def test_of_two_readings_of_one_time_the_later_written_counts(database: Database) -> None:
    for level in (OPERATIONAL, MAJOR):
        database.write(reading(at(0), level))

    now = database.now()
    assert now is not None
    assert [(0, now["level"])] == [(0, 4)] == database.past()


def test_readings_of_a_batch_count_in_the_order_of_their_times(database: Database) -> None:
    database.write(reading(at(2), OPERATIONAL), reading(at(0), OPERATIONAL), reading(at(1), MAJOR))

    assert [(0, 0), (1, 4), (2, 0)] == database.past()


def test_pages_of_one_source_do_not_touch_each_other(database: Database) -> None:
    other: dict[str, Any] = {"page": "anthropic", "providers": ("anthropic",)}
    database.write(
        reading(at(0), components={"API": DEGRADED}, incidents=(incident(at(0)),)),
        reading(at(0), components={"API": MAJOR}, incidents=(incident(at(0)),), **other),
    )
    database.write(reading(at(1), MAJOR, **other))

    assert [(0, 2)] == database.past("API")
    assert [(0, 4), (1, "missing")] == database.past("API", "anthropic")
    assert [("anthropic", "resolved"), ("openai", "open")] == [
        (row["page"], row["phase"]) for row in database.rows("SELECT * FROM incidents ORDER BY 2")
    ]


def test_what_is_configured_of_a_page_is_the_newest(database: Database) -> None:
    database.write(reading(at(0), moved_to="https://elsewhere"))
    database.write(reading(at(1), title="Other", providers=("openai", "azure"), alert="always"))

    (page,) = database.rows("SELECT * FROM status_pages")
    assert ("Other", ["openai", "azure"], "always", None, at(1), at(11)) == (
        page["title"],
        page["providers"],
        page["alert"],
        page["moved_to"],
        page["read_at"],
        page["believed_until"],
    )


# --- incidents -------------------------------------------------------------------------------


def tell(database: Database, minute: float, **facts: Any) -> dict[str, Any]:
    """Write a reading with one incident, and return what is stored of it."""
    told = incident(**{"started_at": at(0), **facts})
    database.write(reading(at(minute), incidents=(told,)))
    return database.incident()


def test_an_incident_concerns_all_that_it_ever_named(database: Database) -> None:
    tell(database, 1, components=("Chat", "API"))
    tell(database, 2, components=("API", "Batch"))
    found = tell(database, 3, phase=RESOLVED, resolved_at=at(3), components=())

    assert ["API", "Batch", "Chat"] == found["components"]


def test_a_closed_incident_keeps_its_level_when_its_page_calls_it_harmless(
    database: Database,
) -> None:
    tell(database, 1, level=MAJOR)
    found = tell(
        database, 2, phase=RESOLVED, resolved_at=at(2), level=OPERATIONAL, status="resolved"
    )

    assert (4, "resolved", at(2)) == (found["level"], found["status"], found["resolved_at"])


def test_an_open_incident_has_the_level_that_its_page_gives_it_now(database: Database) -> None:
    tell(database, 1, level=MAJOR)

    assert tell(database, 2, level=DEGRADED)["level"] == 2


def test_an_incident_that_is_no_longer_listed_has_ended(database: Database) -> None:
    tell(database, 1)
    database.write(reading(at(7)))

    found = database.incident()
    assert ("resolved", at(7)) == (found["phase"], found["resolved_at"])
    database.write(reading(at(8)))
    assert found == database.incident()


def test_a_reading_that_is_not_complete_ends_no_incident(database: Database) -> None:
    tell(database, 1)
    database.write(reading(at(2), UNREACHABLE))
    database.write(reading(at(3), is_complete=False))

    assert ("open", None) == (database.incident()["phase"], database.incident()["resolved_at"])


def test_the_history_tells_later_when_an_incident_ended(database: Database) -> None:
    tell(database, 1)
    database.write(reading(at(7)))

    found = tell(database, 8, phase=RESOLVED, resolved_at=at(5.5))
    database.write(reading(at(9)))

    assert found["resolved_at"] == at(5.5)
    assert database.incident()["resolved_at"] == at(5.5)


def test_an_incident_that_has_ended_at_no_told_time_ended_when_that_was_seen(
    database: Database,
) -> None:
    tell(database, 1)

    assert tell(database, 4, phase=RESOLVED)["resolved_at"] == at(4)
    assert tell(database, 5, phase=RESOLVED)["resolved_at"] == at(4)


def test_an_incident_that_is_opened_again_has_no_end(database: Database) -> None:
    tell(database, 1)
    tell(database, 2, phase=RESOLVED, resolved_at=at(2))

    found = tell(database, 3, level=DEGRADED)

    assert ("open", None, 2) == (found["phase"], found["resolved_at"], found["level"])
    assert found["first_seen_at"] == at(1)


def test_an_incident_that_is_dated_back_began_earlier(database: Database) -> None:
    tell(database, 1, started_at=at(1), published_at=at(1))
    found = tell(database, 2, started_at=at(-30), published_at=at(2))

    assert (at(-30), at(1)) == (found["started_at"], found["published_at"])
    assert tell(database, 3, started_at=at(3))["started_at"] == at(-30)


def test_a_maintenance_that_is_put_off_begins_later(database: Database) -> None:
    planned = {
        "phase": IncidentPhase.SCHEDULED,
        "level": MAINTENANCE,
        "is_maintenance": True,
    }
    tell(database, 1, started_at=at(60), **planned)
    assert tell(database, 2, started_at=at(600), **planned)["started_at"] == at(600)

    begun = {**planned, "phase": OPEN}
    tell(database, 3, started_at=at(3), **begun)
    assert tell(database, 4, started_at=at(4), **begun)["started_at"] == at(3)


def test_an_update_that_is_edited_is_as_it_was_told_last(database: Database) -> None:
    first = IncidentUpdate(update_id="a", at=at(0), status="investigating", body="We look.")
    second = IncidentUpdate(update_id="b", at=at(1), status="identified", body="Found.")
    tell(database, 1, updates=(first,))
    tell(database, 2, updates=(replace(first, body="We look at it."), second))
    tell(database, 3, updates=(second,))

    assert [("a", "We look at it."), ("b", "Found.")] == [
        (row["update_id"], row["body"])
        for row in database.rows("SELECT * FROM incident_updates ORDER BY update_id")
    ]


# --- hostile texts ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    ["x" * 10_000, "€" * 10_000, "a\0b", "\0", "\ud800", "a\udfffb", "'; DROP TABLE incidents; --"],
    ids=["long", "long in bytes", "NUL", "only NUL", "high", "low", "SQL"],
)
def test_any_text_is_stored(database: Database, text: str) -> None:
    update = IncidentUpdate(update_id=text, at=NOW, status=text, body=text)
    told = reading(
        NOW,
        MAJOR,
        {text: DEGRADED, f"{text}!": PARTIAL},
        page=text,
        title=text,
        url=text,
        providers=(text,),
        moved_to=text,
        incidents=(
            incident(
                NOW,
                incident_id=text,
                title=text,
                impact=text,
                status=text,
                url=text,
                components=(text, f"{text}!"),
                updates=(update, replace(update, update_id=f"{text}\0")),
            ),
        ),
    )
    told = replace(told, statuses=tuple(replace(one, raw=text) for one in told.statuses))

    database.write(told)
    database.write(replace(told, observed_at=at(1)))

    levels = {
        row["component"]: row["level"] for row in database.rows("SELECT * FROM component_statuses")
    }
    assert levels[""] == 4
    assert {3} <= set(levels.values())
    named = set(database.incident()["components"])
    assert set(levels) - {""} <= named
    assert database.incident()["phase"] == "open"
    (page,) = database.present(at(2)).pages
    assert (4, 1) == (page.level, page.open_incidents)


def test_two_long_names_that_begin_alike_stay_two(database: Database) -> None:
    database.write(reading(NOW, components={"x" * 10_000: DEGRADED, "x" * 9_999: MAJOR}))

    assert [0, 2, 4] == [
        row["level"] for row in database.rows("SELECT * FROM component_statuses ORDER BY level")
    ]


def test_names_that_cannot_be_told_apart_have_the_first_ones_level(database: Database) -> None:
    """Sources put the worst first."""
    database.write(reading(NOW, components={"API": MAJOR, "AP\0I": OPERATIONAL}))

    assert [(0, 4)] == database.past("API")


# --- two at once, and half a poll ------------------------------------------------------------


def pages(number: int, minute: float, level: StatusLevel) -> list[PageReading]:
    return [
        reading(
            at(minute),
            level,
            {"API": level, "Chat": OPERATIONAL},
            page=f"page-{page}",
            incidents=(incident(at(0)),) if level else (),
        )
        for page in range(number)
    ]


def test_two_exporters_that_write_the_same_readings_leave_them_once(database: Database) -> None:
    rounds = [pages(8, minute, MAJOR if minute % 2 else OPERATIONAL) for minute in range(10)]

    def write_all(name: str) -> None:
        for readings in rounds:
            for one in readings:
                database.write(one, name=name)

    with ThreadPoolExecutor(2) as threads:
        list(threads.map(write_all, (SOURCE, "another exporter")))

    changes = [(minute, 4 if minute % 2 else 0) for minute in range(10)]
    for page in range(8):
        assert changes == database.past(page=f"page-{page}") == database.past("API", f"page-{page}")
        assert [(0, 0)] == database.past("Chat", f"page-{page}")
    assert [(8, "open")] == [
        (row["n"], row["phase"])
        for row in database.rows("SELECT phase, count(*) AS n FROM incidents GROUP BY 1")
    ]


def test_a_kill_between_the_batches_of_two_pages_loses_nothing(database: Database) -> None:
    for one in pages(2, 0, OPERATIONAL):
        database.write(one)
    database.write(pages(2, 1, MAJOR)[0])  # and then the exporter is killed
    for one in pages(2, 2, MAJOR):
        database.write(one)

    assert [(0, 0), (1, 4)] == database.past(page="page-0")
    assert [(0, 0), (2, 4)] == database.past(page="page-1")


def test_a_page_that_was_read_before_a_kill_is_dark_from_its_own_last_reading_on(
    database: Database,
) -> None:
    for one in pages(2, 0, OPERATIONAL):
        database.write(one)
    # An hour later one of them is read, then the exporter is killed; hours later all are.
    database.write(pages(2, 60, MAJOR)[0])
    for one in pages(2, 300, MAJOR):
        database.write(one)

    assert [(0, 0), (10, "not_watched"), (60, 4), (70, "not_watched"), (300, 4)] == database.past(
        page="page-0"
    )
    assert [(0, 0), (10, "not_watched"), (300, 4)] == database.past(page="page-1")


def test_a_batch_that_cannot_be_stored_leaves_no_half_reading(database: Database) -> None:
    whole, *_ = pages(1, 0, OPERATIONAL)
    database.write(whole)
    before = database.everything()
    impossible = replace(whole, observed_at=at(1), alert="\0")

    with pytest.raises(Exception, match="NUL"):
        database.write(impossible)

    assert before == database.everything()


# --- what is true now ------------------------------------------------------------------------


def test_the_present_of_a_status_source_is_its_pages(database: Database) -> None:
    database.write(
        reading(at(0), DEGRADED, {"API": DEGRADED, "Chat": OPERATIONAL}, incidents=(incident(NOW),))
    )

    present = database.present(at(1))

    (page,) = present.pages
    assert ("openai", "incidentio", ["openai"], "used", 2, None, 1) == (
        page.page,
        page.kind,
        page.providers,
        page.alert,
        page.level,
        page.cause,
        page.open_incidents,
    )
    assert {"API": 2, "Chat": 0} == page.components
    assert ({}, (), (), ()) == (
        present.workflows,
        present.spend,
        present.balances,
        present.coverage,
    )


def test_components_that_nobody_chose_are_not_watched(database: Database) -> None:
    database.write(reading(at(0), DEGRADED, {"API": DEGRADED}, is_selective=False))

    (page,) = database.present(at(1)).pages

    assert {} == page.components


@pytest.mark.parametrize(
    ("role", "statements"),
    [("workflows", 2), ("provider", 3), ("status", 1), ("gateway", 0), (None, 6)],
)
def test_only_what_a_role_can_tell_is_asked(role: str | None, statements: int) -> None:
    asked: list[str] = []

    def rows(statement: str) -> list[dict[str, Any]]:
        asked.append(statement)
        return []

    present_of(role, rows)

    assert statements == len(asked)
    assert (role in ("status", None)) == any("status_pages" in one for one in asked)
    assert (role in ("provider", None)) == any("cost_daily" in one for one in asked)
    assert (role in ("workflows", None)) == any("executions" in one for one in asked)


def series(gauges: dict[Series, float], metric: str, label: str, **where: str) -> dict[str, float]:
    """The gauges of a metric by one of their labels."""
    return {
        dict(labels)[label]: value
        for (name, labels), value in gauges.items()
        if name == f"aiwf_provider_{metric}" and where.items() <= dict(labels).items()
    }


def test_a_page_and_its_watched_components_have_levels(database: Database) -> None:
    database.write(reading(at(0), MAJOR, {"API": MAJOR, "Chat": OPERATIONAL}))

    gauges = database.gauges(at(1))

    assert {"": 4, "API": 4, "Chat": 0} == series(gauges, "status_level", "component")
    assert {"openai": 1} == series(gauges, "status_known", "page")
    assert {} == series(gauges, "status_unknown", "cause")
    assert {"openai": 0} == series(gauges, "incidents_open", "page")


def test_what_is_unknown_has_a_cause_and_no_level(database: Database) -> None:
    database.write(reading(at(0), components={"API": OPERATIONAL}))
    database.write(reading(at(1), UNREACHABLE))

    gauges = database.gauges(at(2))

    assert {} == series(gauges, "status_level", "component")
    assert {"openai": 0} == series(gauges, "status_known", "page")
    assert {"unreachable": 1} == series(gauges, "status_unknown", "cause")


def test_a_component_that_is_unknown_leaves_the_level_of_its_page(database: Database) -> None:
    components: dict[str, Said] = {"API": UnknownCause.MISSING, "Chat": PARTIAL}
    database.write(reading(at(0), PARTIAL, components))

    found = series(database.gauges(at(1)), "status_level", "component")

    assert {"": 3, "Chat": 3} == found


def test_open_incidents_are_counted_without_maintenances_and_plans(database: Database) -> None:
    told = (
        incident(at(0), incident_id="1"),
        incident(at(0), incident_id="2", level=OPERATIONAL),
        incident(at(0), incident_id="3", is_maintenance=True, level=MAINTENANCE),
        incident(at(9), incident_id="4", phase=IncidentPhase.SCHEDULED),
        incident(at(0), incident_id="5", phase=RESOLVED, resolved_at=at(0)),
    )
    database.write(reading(at(0), incidents=told))

    assert {"openai": 2} == series(database.gauges(at(1)), "incidents_open", "page")


@pytest.mark.parametrize("providers", [(), ("openai",), ("openai", "azure_openai")])
def test_a_page_is_described_for_each_of_its_providers(
    database: Database, providers: tuple[str, ...]
) -> None:
    database.write(reading(at(0), providers=providers))

    found = series(database.gauges(at(1)), "status_page_info", "provider", alert="used")

    assert dict.fromkeys(providers or ("",), 1) == found


def test_components_beyond_the_cap_share_the_worst_level(database: Database) -> None:
    database.bookkeeper = Bookkeeper(LabelCaps(2))
    database.write(reading(at(0), MAJOR, {"A": DEGRADED, "B": MAJOR, "C": OPERATIONAL}))

    found = series(database.gauges(at(1)), "status_level", "component")

    assert {"": 4, "A": 2, "other": 4} == found


def test_a_page_that_is_no_longer_configured_goes_silent(database: Database) -> None:
    database.write(reading(at(0), MAJOR, {"API": MAJOR}), reading(at(0), page="anthropic"))
    database.write(reading(at(9), page="anthropic"))

    assert ["anthropic", "openai"] == [page.page for page in database.present(at(9.9)).pages]
    assert {"anthropic": 1} == series(database.gauges(at(10)), "status_known", "page")
    assert {} == series(database.gauges(at(10)), "status_level", "component", page="openai")
