"""Views of what status pages said: how long, who was first, and whether a failure was ours."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from exporter.records import (
    Execution,
    ExecutionStatus,
    IncidentPhase,
    IncidentUpdate,
    LlmCall,
    StatusLevel,
    UnknownCause,
)
from tests.conftest import connect
from tests.spend_records import DAY, Writer, call, run, writer
from tests.status_records import SOURCE, Said, incident, reading

BEGUN = datetime(2025, 3, 10, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
INSTANT = timedelta(microseconds=1)
OPERATIONAL, MAINTENANCE, DEGRADED, PARTIAL, MAJOR = StatusLevel
UNREACHABLE = UnknownCause.UNREACHABLE
SCHEDULED, RESOLVED = IncidentPhase.SCHEDULED, IncidentPhase.RESOLVED
ERROR, TIMEOUT = ExecutionStatus.ERROR, ExecutionStatus.TIMEOUT
Row = dict[str, Any]


def at(minutes: float) -> datetime:
    return BEGUN + minutes * MINUTE


def minutes(time: datetime) -> float:
    return (time - BEGUN) / MINUTE


class Ours:
    """Our database: what is written into it, and what its views answer."""

    def __init__(self, connection: psycopg.Connection[Row], into: Writer) -> None:
        self._connection = connection
        self._into = into

    def rows(self, query: str, *parameters: object) -> list[Row]:
        return self._connection.execute(query.encode(), parameters).fetchall()

    def read(
        self,
        minute: float,
        said: Said = OPERATIONAL,
        *,
        begun: datetime = BEGUN,
        believed_for: timedelta = DAY,
        **facts: Any,
    ) -> None:
        """Read a page, and believe it for a day."""
        told = reading(begun + minute * MINUTE, said, believed_for=believed_for, **facts)
        self._into.write(SOURCE, [told], "status")

    def calls(self, *calls: LlmCall, role: str = "workflows") -> None:
        for source in {one.source for one in calls}:
            self._into.write(source, [one for one in calls if one.source == source], role)

    def executions(self, *executions: Execution) -> None:
        self._into.write("n8n", executions, "workflows")

    def spans(self, from_at: datetime, until_at: datetime) -> list[tuple[Any, ...]]:
        """(from, until, level or cause) of each span."""
        return [
            (
                minutes(row["from_at"]),
                minutes(row["until_at"]),
                row["cause"] if row["level"] is None else row["level"],
            )
            for row in self.rows(
                "SELECT * FROM v_status_spans(%s, %s) ORDER BY from_at", from_at, until_at
            )
        ]

    def time(self, from_at: datetime, until_at: datetime) -> Row | None:
        found = self.rows("SELECT * FROM v_status_time(%s, %s)", from_at, until_at)
        assert len(found) <= 1
        return found[0] if found else None

    def blame(
        self, failed: LlmCall, from_at: datetime = BEGUN - DAY, until_at: datetime = BEGUN + 2 * DAY
    ) -> Row:
        (found,) = self.rows(
            "SELECT * FROM v_call_blame(%s, %s) WHERE call_id = %s",
            from_at,
            until_at,
            failed.call_id,
        )
        return found

    def blames(self, *failed: LlmCall) -> list[str]:
        return [self.blame(one)["blame"] for one in failed]

    def execution_blame(self, execution: Execution) -> Row:
        (found,) = self.rows(
            "SELECT * FROM v_execution_blame(%s, %s) WHERE execution_id = %s",
            BEGUN - DAY,
            BEGUN + DAY,
            execution.execution_id,
        )
        return found

    def lead(self) -> tuple[float | None, int, float | None]:
        """When failures were noticed, how many calls failed, by how many minutes we were first."""
        (found,) = self.rows("SELECT * FROM v_incident_lead(%s, %s)", BEGUN - DAY, BEGUN + DAY)
        noticed_at = found["noticed_at"]
        return noticed_at and minutes(noticed_at), found["failed_calls"], found["lead_minutes"]

    def health(self, provider: str = "openai") -> Row:
        (found,) = self.rows(
            "SELECT * FROM v_provider_health(%s, %s) WHERE provider = %s",
            BEGUN,
            BEGUN + DAY,
            provider,
        )
        return found


@pytest.fixture
def ours(one_database_url: str) -> Iterator[Ours]:
    with connect(one_database_url) as connection, writer(one_database_url, BEGUN) as into:
        connection.execute("SET timezone = 'UTC'")
        yield Ours(connection, into)


def made(minute: float, *, source: str = "n8n", workflow: str = "A", **facts: Any) -> LlmCall:
    """A call that succeeded, if nothing else is said."""
    return replace(call(source, at(minute), "1", workflow=workflow), **facts)


def failed(minute: float, **facts: Any) -> LlmCall:
    return made(minute, **{"status": ERROR, **facts})


# --- now -------------------------------------------------------------------------------------


def test_a_page_says_what_it_was_read_to_say_last(ours: Ours) -> None:
    now = datetime.now(UTC)
    told = (incident(now), incident(now, incident_id="m", is_maintenance=True))
    ours.read(-60, OPERATIONAL, begun=now)
    ours.read(-9, PARTIAL, begun=now)
    ours.read(-1, PARTIAL, begun=now, incidents=told, moved_to="https://elsewhere")

    assert [
        {
            "source": SOURCE,
            "page": "openai",
            "title": "OpenAI",
            "url": "https://status.openai.com",
            "kind": "incidentio",
            "providers": ["openai"],
            "alert": "used",
            "moved_to": "https://elsewhere",
            "level": 3,
            "status": "partial outage",
            "cause": None,
            "raw": "PARTIAL_OUTAGE",
            "since": now - 9 * MINUTE,
            "open_incidents": 1,
        }
    ] == ours.rows("SELECT * FROM v_status_now")


def test_a_page_that_is_unknown_says_why(ours: Ours) -> None:
    ours.read(-1, UNREACHABLE, begun=datetime.now(UTC))

    (now,) = ours.rows("SELECT * FROM v_status_now")

    assert (None, "unknown", "unreachable") == (now["level"], now["status"], now["cause"])


def test_what_was_read_too_long_ago_says_nothing_of_now(ours: Ours) -> None:
    ours.read(0, MAJOR, components={"API": MAJOR}, incidents=(incident(at(0)),))

    (now,) = ours.rows("SELECT * FROM v_status_now")

    assert (None, "unknown", "not_watched", "nobody looked", BEGUN + DAY, None) == (
        now["level"],
        now["status"],
        now["cause"],
        now["raw"],
        now["since"],
        now["open_incidents"],
    )
    assert [] == ours.rows("SELECT * FROM v_component_status_now")


def test_components_are_told_by_name_without_the_page_as_a_whole(ours: Ours) -> None:
    components = {"API": DEGRADED, "Chat": MAINTENANCE, "Old": UnknownCause.MISSING}
    ours.read(-1, DEGRADED, begun=datetime.now(UTC), components=components)

    assert [
        ("API", 2, "degraded", None),
        ("Chat", 1, "maintenance", None),
        ("Old", None, "unknown", "missing"),
    ] == [
        (row["component"], row["level"], row["status"], row["cause"])
        for row in ours.rows("SELECT * FROM v_component_status_now ORDER BY component")
    ]


# --- over time -------------------------------------------------------------------------------


def a_day_of_everything(ours: Ours) -> None:
    """Read a page until minute 300, and believe it until minute 310."""
    for minute, said in (
        (0, OPERATIONAL),
        (60, DEGRADED),
        (90, UNREACHABLE),
        (100, MAINTENANCE),
        (160, PARTIAL),
        (200, MAJOR),
        (230, OPERATIONAL),
    ):
        ours.read(minute, said, components={"API": MAJOR})
    ours.read(300, believed_for=10 * MINUTE)


def test_spans_follow_each_other_until_nobody_looked(ours: Ours) -> None:
    a_day_of_everything(ours)

    assert [
        (0, 60, 0),
        (60, 90, 2),
        (90, 100, "unreachable"),
        (100, 160, 1),
        (160, 200, 3),
        (200, 230, 4),
        (230, 310, 0),
    ] == ours.spans(at(-60), at(900))


def test_a_range_cuts_the_spans_that_it_begins_and_ends_in(ours: Ours) -> None:
    a_day_of_everything(ours)

    assert [(70, 90, 2), (90, 95, "unreachable")] == ours.spans(at(70), at(95))
    assert [(240, 250, 0)] == ours.spans(at(240), at(250))
    assert [(60, 90, 2)] == ours.spans(at(60), at(90))
    assert [] == ours.spans(at(310), at(400))
    assert [] == ours.spans(at(-60), at(0))
    assert [] == ours.spans(at(70), at(60))


def test_a_span_ends_now_and_not_when_it_is_no_longer_believed(ours: Ours) -> None:
    now = datetime.now(UTC)
    ours.read(-5, begun=now)

    (span,) = ours.rows("SELECT * FROM v_status_spans(%s, %s)", now - DAY, now + DAY)

    assert now <= span["until_at"] <= datetime.now(UTC)


def test_a_state_is_found_however_long_before_the_range_it_began(ours: Ours) -> None:
    """A source that is polled rarely has its first reading of a day hours after midnight."""
    ours.read(0, DEGRADED, believed_for=3 * DAY)
    ours.read(47 * 60, DEGRADED, believed_for=3 * DAY)

    assert [(46 * 60, 47 * 60, 2)] == ours.spans(at(46 * 60), at(47 * 60))


def test_a_dark_time_is_a_span_without_a_level(ours: Ours) -> None:
    ours.read(0, believed_for=10 * MINUTE)
    ours.read(60, believed_for=10 * MINUTE)

    assert [(0, 10, 0), (10, 60, "not_watched"), (60, 70, 0)] == ours.spans(at(0), at(90))
    assert [(30, 60, "not_watched")] == ours.spans(at(30), at(60))


def test_a_timeline_has_the_worst_of_each_step(ours: Ours) -> None:
    for minute, said in ((0, OPERATIONAL), (12, DEGRADED), (18, OPERATIONAL)):
        ours.read(minute, said)
    ours.read(30, UNREACHABLE)
    ours.read(45, UNREACHABLE, believed_for=15 * MINUTE)

    found = ours.rows("SELECT * FROM v_status_timeline(%s, %s, '10 minutes')", at(-30), at(90))

    assert [(0, 0), (10, 2), (20, 0), (30, -1), (40, -1), (50, -1)] == [
        (minutes(row["at"]), row["level"]) for row in found
    ]


def test_a_step_that_is_known_in_part_has_what_is_known(ours: Ours) -> None:
    for minute, said in ((0, UNREACHABLE), (5, OPERATIONAL), (12, UNREACHABLE)):
        ours.read(minute, said)

    found = ours.rows("SELECT * FROM v_status_timeline(%s, %s, '10 minutes')", at(0), at(20))

    assert [0, 0] == [row["level"] for row in found]


def test_the_time_at_each_level_adds_up_to_what_was_watched(ours: Ours) -> None:
    a_day_of_everything(ours)

    assert {
        "source": SOURCE,
        "page": "openai",
        "title": "OpenAI",
        "operational_seconds": (60 + 80) * 60,
        "degraded_seconds": 30 * 60,
        "unknown_seconds": 10 * 60,
        "maintenance_seconds": 60 * 60,
        "partial_outage_seconds": 40 * 60,
        "major_outage_seconds": 30 * 60,
        "operational_ratio": pytest.approx(140 / 300),
    } == ours.time(at(-60), at(900))


def seconds(row: Row | None) -> dict[str, float]:
    """Those that are not 0."""
    assert row is not None
    return {
        name.removesuffix("_seconds"): value
        for name, value in row.items()
        if name.endswith("_seconds") and value
    }


def test_time_is_counted_within_the_range_only(ours: Ours) -> None:
    a_day_of_everything(ours)

    cut = ours.time(at(30), at(75))

    assert {"operational": 30 * 60, "degraded": 15 * 60} == seconds(cut)
    assert {"operational": 30 * 60} == seconds(ours.time(at(-60), at(30)))
    assert {"major_outage": 60} == seconds(ours.time(at(210), at(211)))
    assert ours.time(at(-60), at(0)) is None
    assert ours.time(at(310), at(400)) is None


def test_the_ratio_of_a_time_in_which_nothing_is_known_is_unknown(ours: Ours) -> None:
    a_day_of_everything(ours)

    found = ours.time(at(91), at(99))

    assert found is not None
    assert found["operational_ratio"] is None


def test_ninety_days_are_counted_to_the_second(ours: Ours) -> None:
    # Every six hours; day 40 is degraded from 6:00 to 12:00.
    for hour in range(0, 90 * 24 + 6, 6):
        ours.read(60 * hour, DEGRADED if hour == 40 * 24 + 6 else OPERATIONAL)

    assert {"operational": 90 * 86400 - 6 * 3600, "degraded": 6 * 3600} == seconds(
        ours.time(BEGUN, BEGUN + 90 * DAY)
    )
    assert {"operational": 45 * 86400 - 6 * 3600, "degraded": 6 * 3600} == seconds(
        ours.time(BEGUN + 30.4 * DAY, BEGUN + 75.4 * DAY)
    )
    # A row a day, and three of day 40: nothing changed at its midnight.
    assert 91 + 2 == len(ours.rows("SELECT * FROM status_samples"))


# --- incidents -------------------------------------------------------------------------------


def test_an_incident_is_told_with_its_newest_update_and_all_that_it_named(ours: Ours) -> None:
    updates = tuple(
        IncidentUpdate(update_id=id_, at=at(minute), status="x", body=body)
        for id_, minute, body in (("z", 5, "first"), ("a", 50, "last"), ("b", 20, "middle"))
    )
    told = incident(
        at(0),
        phase=RESOLVED,
        status="resolved",
        resolved_at=at(60),
        published_at=at(5),
        updated_at=at(61),
        url="https://status.openai.com/i1",
        components=("Chat", "API"),
        updates=updates,
    )
    ours.read(70, incidents=(told,))

    assert [
        {
            "source": SOURCE,
            "page": "openai",
            "page_title": "OpenAI",
            "incident_id": "i1",
            "title": "Elevated errors",
            "phase": "resolved",
            "level": 3,
            "severity": "partial outage",
            "impact": "major",
            "status": "resolved",
            "is_maintenance": False,
            "started_at": at(0),
            "told_at": at(5),
            "updated_at": at(61),
            "resolved_at": at(60),
            "until_at": at(60),
            "duration_seconds": 3600,
            "url": "https://status.openai.com/i1",
            "components": "API, Chat",
            "providers": ["openai"],
            "newest_update": "last",
        }
    ] == ours.rows("SELECT * FROM v_incidents")


def test_an_incident_lasts_for_as_long_as_its_page_is_believed(ours: Ours) -> None:
    ours.read(5, incidents=(incident(at(0)),), believed_for=10 * MINUTE)

    (found,) = ours.rows("SELECT * FROM v_incidents")

    assert (15 * 60, at(5)) == (found["duration_seconds"], found["told_at"])


def test_what_has_not_begun_has_no_duration(ours: Ours) -> None:
    planned = incident(at(-60), phase=SCHEDULED, is_maintenance=True)
    called_off = replace(planned, incident_id="i2", started_at=at(60))
    ours.read(0, incidents=(planned, called_off))
    ours.read(1, incidents=(planned,))

    assert [("i1", None), ("i2", None)] == [
        (row["incident_id"], row["duration_seconds"])
        for row in ours.rows("SELECT * FROM v_incidents ORDER BY incident_id")
    ]


# --- is it us or them? -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "level", "blame"),
    [
        (OPERATIONAL, 0, "ours"),
        (MAINTENANCE, 1, "ours"),
        (DEGRADED, 2, "provider"),
        (PARTIAL, 3, "provider"),
        (MAJOR, 4, "provider"),
        (UNREACHABLE, None, "unknown"),
    ],
)
def test_a_call_that_fails_alone_is_blamed_by_its_page(
    ours: Ours, said: Said, level: int | None, blame: str
) -> None:
    ours.read(0, said)
    one = failed(5)
    ours.calls(one, made(5, workflow="B"))

    assert {
        "source": "n8n",
        "execution_id": one.execution_id,
        "created_at": at(5),
        "call_id": one.call_id,
        "workflow_id": "A",
        "provider": "openai",
        "started_at": at(5),
        "level": level,
        "incident": None,
        "incident_url": None,
        "others_failing": 0,
        "blame": blame,
    } == ours.blame(one)


def test_only_calls_that_failed_in_the_range_are_blamed(ours: Ours) -> None:
    calls = [
        made(5),
        failed(5, status=ExecutionStatus.CANCELED),
        failed(0 - 0.001),
        failed(0),
        failed(5, status=TIMEOUT),
        failed(9, status=ExecutionStatus.CRASHED),
        failed(10),
    ]
    ours.calls(*calls)

    found = ours.rows("SELECT started_at FROM v_call_blame(%s, %s) ORDER BY 1", at(0), at(10))

    assert [0, 5, 9] == [minutes(row["started_at"]) for row in found]


def test_a_level_begins_with_the_instant_of_its_reading(ours: Ours) -> None:
    for minute, said in ((0, OPERATIONAL), (10, DEGRADED), (20, OPERATIONAL)):
        ours.read(minute, said)
    calls = [
        failed(0, started_at=time)
        for time in (at(10) - INSTANT, at(10), at(20) - INSTANT, at(20), at(0) - INSTANT, at(0))
    ]
    ours.calls(*calls)

    assert ["ours", "provider", "provider", "ours", "unknown", "ours"] == ours.blames(*calls)


def test_what_nobody_looked_at_is_unknown(ours: Ours) -> None:
    ours.read(0, DEGRADED, believed_for=10 * MINUTE)
    ours.read(60, DEGRADED, believed_for=10 * MINUTE)
    calls = [failed(9), failed(10), failed(59), failed(69), failed(70)]
    ours.calls(*calls)

    assert ["provider", "unknown", "unknown", "provider", "unknown"] == ours.blames(*calls)


def test_an_incident_that_is_dated_back_blames_what_failed_before_it_was_told(ours: Ours) -> None:
    ours.read(0)
    told = incident(at(2), published_at=at(15), url="https://status.openai.com/i1")
    ours.read(15, incidents=(told,))
    before, first, later = failed(1.9), failed(2), failed(5)
    ours.calls(before, first, later)

    assert ["ours", "provider", "provider"] == ours.blames(before, first, later)
    found = ours.blame(later)
    assert (3, "Elevated errors", "https://status.openai.com/i1") == (
        found["level"],
        found["incident"],
        found["incident_url"],
    )


def test_an_incident_that_has_ended_blames_nothing_after_its_end(ours: Ours) -> None:
    ours.read(0)
    ours.read(15, incidents=(incident(at(2), phase=RESOLVED, resolved_at=at(8)),))
    during, after = failed(0, started_at=at(8) - INSTANT), failed(8)
    ours.calls(during, after)

    assert ["provider", "ours"] == ours.blames(during, after)


def test_an_open_incident_of_a_page_that_is_no_longer_read_blames_nothing(ours: Ours) -> None:
    ours.read(0, incidents=(incident(at(0)),), believed_for=10 * MINUTE)
    during, after = failed(9), failed(10)
    ours.calls(during, after)

    assert ["provider", "unknown"] == ours.blames(during, after)


@pytest.mark.parametrize(
    "facts",
    [
        {"level": MAINTENANCE},
        {"level": OPERATIONAL},
        {"is_maintenance": True},
        {"phase": SCHEDULED},
    ],
    ids=["level of maintenance", "harmless", "maintenance", "plan"],
)
def test_what_is_no_outage_blames_nothing(ours: Ours, facts: dict[str, Any]) -> None:
    ours.read(0, MAINTENANCE, incidents=(incident(at(0), **facts),))
    one = failed(5)
    ours.calls(one)

    found = ours.blame(one)

    assert (1, None, "ours") == (found["level"], found["incident"], found["blame"])


def test_of_two_incidents_the_worse_and_then_the_newer_is_named(ours: Ours) -> None:
    told = (
        incident(at(1), incident_id="1", title="worse", level=MAJOR),
        incident(at(2), incident_id="2", title="newer", level=DEGRADED),
        incident(at(0), incident_id="3", title="older", level=MAJOR),
    )
    ours.read(0, incidents=told)
    one = failed(5)
    ours.calls(one)

    assert (4, "worse") == (ours.blame(one)["level"], ours.blame(one)["incident"])


@pytest.mark.parametrize(
    ("first", "second", "level", "blame"),
    [
        (OPERATIONAL, MAJOR, 4, "provider"),
        (UNREACHABLE, MAJOR, 4, "provider"),
        (UNREACHABLE, OPERATIONAL, 0, "ours"),
        (UNREACHABLE, UNREACHABLE, None, "unknown"),
    ],
)
def test_of_two_pages_of_a_provider_the_worse_counts(
    ours: Ours, first: Said, second: Said, level: int | None, blame: str
) -> None:
    ours.read(0, first)
    ours.read(0, second, page="azure", providers=("azure_openai", "openai"))
    one = failed(5)
    ours.calls(one)

    found = ours.blame(one)

    assert (level, blame) == (found["level"], found["blame"])


def test_a_provider_without_a_page_is_unknown(ours: Ours) -> None:
    ours.read(0, MAJOR, incidents=(incident(at(0)),))
    ours.read(0, MAJOR, page="nobody's", providers=())
    one = failed(5, provider="mistral")
    ours.calls(one)

    assert (None, "unknown") == (ours.blame(one)["level"], ours.blame(one)["blame"])


@pytest.mark.parametrize("begun", [0, 1.5, 4.9])
@pytest.mark.parametrize("sign", [-1, 1])
def test_workflows_that_fail_within_ten_minutes_share_their_failure(
    ours: Ours, begun: float, sign: int
) -> None:
    ours.read(-60)
    one = failed(begun)
    near = failed(begun + sign * 10, workflow="B")
    far = failed(begun + sign * 20.1, workflow="C")
    ours.calls(one, near, far)

    assert ["shared", "shared", "ours"] == ours.blames(one, near, far)
    assert 1 == ours.blame(one)["others_failing"]


@pytest.mark.parametrize("begun", [0, 1.5, 4.9])
@pytest.mark.parametrize("sign", [-1, 1])
def test_workflows_that_fail_more_than_ten_minutes_apart_share_nothing(
    ours: Ours, begun: float, sign: int
) -> None:
    ours.read(-60)
    one = failed(begun)
    other = failed(0, workflow="B", started_at=at(begun + sign * 10) + sign * INSTANT)
    ours.calls(one, other)

    assert ["ours", "ours"] == ours.blames(one, other)


def test_others_are_counted_once_and_also_outside_of_the_range(ours: Ours) -> None:
    one = failed(0)
    others = [failed(minute, workflow="B") for minute in (-9, -1, 0, 9)]
    others += [failed(9, workflow="C"), failed(0), failed(1, workflow="D", provider="mistral")]
    ours.calls(one, *others, made(1, workflow="E"))

    found = ours.blame(one, at(0), at(0) + INSTANT)

    assert (2, "shared") == (found["others_failing"], found["blame"])


def test_of_many_failures_each_is_near_to_the_workflows_within_ten_minutes(ours: Ours) -> None:
    calls = [
        failed(number * number * 29 % 523 + number % 2, workflow="ABCDE"[number % 5])
        for number in range(90)
    ]
    ours.calls(*calls)

    expected = {
        one.call_id: len(
            {
                other.workflow_id
                for other in calls
                if abs(other.started_at - one.started_at) <= 10 * MINUTE
            }
            - {one.workflow_id}
        )
        for one in calls
    }
    assert {0, 1, 2, 3, 4} == set(expected.values())
    assert expected == {
        row["call_id"]: row["others_failing"]
        for row in ours.rows("SELECT * FROM v_call_blame(%s, %s)", at(0), at(600))
    }


def test_the_same_workflow_id_in_two_sources_is_two_workflows(ours: Ours) -> None:
    ours.read(0)
    one, other = failed(5), failed(6, source="second n8n")
    ours.calls(one, other)

    assert ["shared", "shared"] == ours.blames(one, other)


def test_the_page_counts_before_others(ours: Ours) -> None:
    ours.read(0, DEGRADED)
    one, other = failed(5), failed(6, workflow="B")
    ours.calls(one, other)

    assert ["provider", "provider"] == ours.blames(one, other)


def test_what_a_gateway_tells_of_the_same_call_is_no_other_workflow(ours: Ours) -> None:
    ours.read(0)
    one, same = failed(5), failed(5, source="litellm", workflow="")
    ours.calls(one)
    ours.calls(same, role="gateway")

    assert ["ours", "ours"] == ours.blames(one, same)


def test_workflows_of_one_gateway_share_their_failure(ours: Ours) -> None:
    ours.read(0)
    one, other = (failed(5, source="litellm", workflow=name) for name in ("A", "B"))
    again = failed(5, source="langfuse", workflow="C")
    ours.calls(one, other, again, role="gateway")

    assert ["shared", "shared", "ours"] == ours.blames(one, other, again)


def test_an_execution_is_blamed_by_the_call_that_says_most_against_the_provider(
    ours: Ours,
) -> None:
    ours.read(0)
    ours.read(30, DEGRADED)
    execution = replace(run("n8n", at(0), "A"), status=ERROR)
    of_run = {"execution_id": execution.execution_id, "created_at": at(0)}
    ours.executions(execution)
    ours.calls(
        failed(1, **of_run, provider="mistral"), failed(5, **of_run), failed(40, **of_run), made(50)
    )

    assert {
        "source": "n8n",
        "execution_id": execution.execution_id,
        "created_at": at(0),
        "workflow": "A",
        "status": "error",
        "provider": "openai",
        "level": 2,
        "incident": None,
        "incident_url": None,
        "others_failing": 0,
        "blame": "provider",
    } == ours.execution_blame(execution)


@pytest.mark.parametrize(
    ("providers", "blame"),
    [
        (("mistral", "openai"), "unknown"),
        (("openai", "groq"), "shared"),
        (("mistral", "groq"), "shared"),
        (("openai",), "ours"),
    ],
)
def test_a_doubt_counts_before_our_own_fault(
    ours: Ours, providers: tuple[str, ...], blame: str
) -> None:
    """Openai is well, of mistral nothing is known, with groq another workflow fails too."""
    ours.read(0)
    execution = replace(run("n8n", at(0), "A"), status=TIMEOUT)
    of_run = {"execution_id": execution.execution_id, "created_at": at(0)}
    ours.executions(execution)
    ours.calls(*(failed(1, **of_run, provider=provider) for provider in providers))
    ours.calls(failed(2, workflow="B", provider="groq"))

    assert blame == ours.execution_blame(execution)["blame"]


def test_an_execution_without_a_failed_call_did_not_fail_by_a_model(ours: Ours) -> None:
    ours.read(0, MAJOR)
    execution = replace(run("n8n", at(1), "A"), status=ERROR)
    ours.executions(execution)
    ours.calls(
        made(1, execution_id=execution.execution_id, created_at=at(1)),
        failed(1),
        # An execution of another time that had the same id.
        failed(1, execution_id=execution.execution_id, created_at=at(-1)),
    )

    found = ours.execution_blame(execution)

    assert ("not a model call", None, None) == (found["blame"], found["provider"], found["level"])


def test_a_call_that_failed_after_the_range_still_blames_its_execution(ours: Ours) -> None:
    ours.read(0, MAJOR)
    execution = replace(run("n8n", at(9), "A"), status=ERROR)
    ours.executions(execution, run("n8n", at(9), "A"), replace(run("n8n", at(10)), status=ERROR))
    ours.calls(failed(60, execution_id=execution.execution_id, created_at=at(9)))

    found = ours.rows("SELECT * FROM v_execution_blame(%s, %s)", at(0), at(10))

    assert [(execution.execution_id, "provider")] == [
        (row["execution_id"], row["blame"]) for row in found
    ]


# --- who noticed first? ----------------------------------------------------------------------


def told_at(ours: Ours, minute: float, **facts: Any) -> None:
    """Tell an incident at that minute; it ends at minute 200."""
    one = incident(**{"started_at": at(minute), "published_at": at(minute), **facts})
    ours.read(minute, PARTIAL, incidents=(one,))
    ours.read(200)


def some_failed(*at_minutes: float, of: int = 0, **facts: Any) -> list[LlmCall]:
    """Failed calls, and as many that succeed in the same minutes that there are `of` in all."""
    well = [made(at_minutes[0], **facts) for _ in range(of - len(at_minutes))]
    return [failed(minute, **facts) for minute in at_minutes] + well


def test_we_notice_with_the_third_failure_if_a_fifth_of_the_calls_fail(ours: Ours) -> None:
    told_at(ours, 60)
    ours.calls(*some_failed(31, 32, 33, 34, of=20))

    assert (33, 4, 27) == ours.lead()


@pytest.mark.parametrize(
    "calls",
    [
        some_failed(31, 32, 33, of=16),
        some_failed(31, 32, of=2),
        some_failed(31, 32, 35, of=3),
        some_failed(31, 32, 33, provider="mistral"),
    ],
    ids=["less than a fifth", "two", "not within five minutes", "another provider's"],
)
def test_few_failures_are_not_noticed(ours: Ours, calls: list[LlmCall]) -> None:
    told_at(ours, 60)
    ours.calls(*calls)

    noticed, failures, lead = ours.lead()

    assert (None, None) == (noticed, lead)
    assert failures == sum(one.status is ERROR and one.provider == "openai" for one in calls)


def test_the_first_of_several_times_counts(ours: Ours) -> None:
    told_at(ours, 60)
    ours.calls(*some_failed(71, 72, 73), *some_failed(41, 42, 43), *some_failed(11, 12, 13, of=50))

    assert (43, 9, 17) == ours.lead()


def test_a_page_that_is_first_has_a_negative_lead(ours: Ours) -> None:
    told_at(ours, 62)
    ours.calls(*some_failed(61, 61.5, 64))

    assert (64, 3, -2) == ours.lead()


def test_failures_are_looked_for_from_an_hour_before_until_the_end(ours: Ours) -> None:
    told_at(ours, 60)
    ours.calls(
        *some_failed(-1.1, -1.2, -1.3), *some_failed(0, 199.9), *some_failed(200, 200.1, 200.2)
    )

    assert (None, 2, None) == ours.lead()


def test_an_incident_that_is_told_when_it_is_over_is_looked_for_from_its_begin(
    ours: Ours,
) -> None:
    told_at(ours, 600, started_at=at(0), phase=RESOLVED, resolved_at=at(30))
    ours.calls(*some_failed(1, 2, 3), *some_failed(31, 32, 33))

    assert (3, 3, 597) == ours.lead()


def test_an_incident_that_began_long_ago_is_looked_for_a_day_back(ours: Ours) -> None:
    told_at(ours, 60, started_at=at(60) - 10 * DAY)
    old = at(60) - DAY - timedelta(hours=1) - INSTANT
    ours.calls(*(failed(0, started_at=old) for _ in range(3)), *some_failed(1, 2, 3))

    assert (3, 3, 57) == ours.lead()


def test_a_call_that_a_gateway_tells_too_counts_once(ours: Ours) -> None:
    told_at(ours, 60)
    ours.calls(*some_failed(31, 32))
    ours.calls(*some_failed(31, 32, source="litellm"), role="gateway")

    assert (None, 2, None) == ours.lead()


def test_without_workflows_a_gateway_notices(ours: Ours) -> None:
    told_at(ours, 60)
    ours.calls(*some_failed(31, 32, 33, source="litellm"), role="gateway")

    assert (33, 3, 27) == ours.lead()


@pytest.mark.parametrize(
    ("page", "facts"),
    [
        ({"providers": ()}, {}),
        ({}, {"is_maintenance": True}),
        ({}, {"level": MAINTENANCE}),
        ({}, {"phase": SCHEDULED}),
        ({}, {"published_at": at(0) - DAY - INSTANT}),
        ({}, {"published_at": at(0) + DAY}),
    ],
    ids=["no provider", "maintenance", "harmless", "plan", "before the range", "after the range"],
)
def test_a_lead_is_told_of_outages_of_our_providers_in_the_range(
    ours: Ours, page: dict[str, Any], facts: dict[str, Any]
) -> None:
    ours.read(0, incidents=(incident(**{"started_at": at(0), **facts}),), **page)

    assert [] == ours.rows("SELECT * FROM v_incident_lead(%s, %s)", BEGUN - DAY, BEGUN + DAY)


# --- how do providers serve us? --------------------------------------------------------------


def test_a_providers_health_is_what_it_says_beside_what_we_see(ours: Ours) -> None:
    now = datetime.now(UTC)
    ours.read(-5, DEGRADED, begun=now)
    calls = [made(second / 60, latency_seconds=float(second)) for second in range(1, 101)]
    calls[0] = replace(calls[0], status=TIMEOUT)
    calls[1] = replace(calls[1], status=ERROR)
    ours.calls(*calls, made(1), made(-1, latency_seconds=500.0), made(24 * 60 + 1))

    assert {
        "provider": "openai",
        "page_title": "OpenAI",
        "url": "https://status.openai.com",
        "level": 2,
        "status": "degraded",
        "cause": None,
        "since": now - 5 * MINUTE,
        "calls": 101,
        "failed_calls": 2,
        "failed_ratio": pytest.approx(2 / 101),
        "p95_seconds": pytest.approx(95, rel=0.011),
    } == ours.health()


def test_a_provider_without_a_page_is_told_by_our_calls(ours: Ours) -> None:
    ours.calls(made(1), failed(2))

    found = ours.health()

    assert (None, "no page", 2, 1, 0.5, None) == (
        found["level"],
        found["status"],
        found["calls"],
        found["failed_calls"],
        found["failed_ratio"],
        found["p95_seconds"],
    )


def test_a_provider_that_is_not_called_is_told_by_its_page(ours: Ours) -> None:
    ours.read(-5, begun=datetime.now(UTC))

    found = ours.health()

    assert ("operational", 0, 0, None) == (
        found["status"],
        found["calls"],
        found["failed_calls"],
        found["failed_ratio"],
    )


def test_of_two_pages_the_worse_tells_a_providers_health(ours: Ours) -> None:
    now = datetime.now(UTC)
    for page, said in (("a", UNREACHABLE), ("b", OPERATIONAL), ("c", MAJOR)):
        ours.read(-5, said, begun=now, page=page, title=page)

    assert ("c", 4) == (ours.health()["page_title"], ours.health()["level"])


def test_a_page_that_is_no_longer_read_gives_way_to_one_that_is(ours: Ours) -> None:
    ours.read(0, MAJOR, page="a", title="a")
    ours.read(-5, UNREACHABLE, begun=datetime.now(UTC), page="b", title="b")

    assert ("b", "unreachable") == (ours.health()["page_title"], ours.health()["cause"])


def test_a_page_of_two_providers_tells_of_both(ours: Ours) -> None:
    ours.read(-5, MAJOR, begun=datetime.now(UTC), providers=("openai", "azure_openai"))

    assert 4 == ours.health("openai")["level"] == ours.health("azure_openai")["level"]


def test_calls_that_a_gateway_tells_count_where_nobody_else_tells_any(ours: Ours) -> None:
    ours.calls(made(1, latency_seconds=1.0), failed(2, latency_seconds=1.0))
    ours.calls(
        *(failed(1, source="litellm", latency_seconds=60.0) for _ in range(8)),
        *(failed(1, source="litellm", provider="groq") for _ in range(3)),
        role="gateway",
    )

    openai = ours.health()

    assert (2, 1) == (openai["calls"], openai["failed_calls"])
    assert openai["p95_seconds"] == pytest.approx(1, rel=0.011)
    assert ours.health("groq")["calls"] == 3


@pytest.mark.parametrize(
    ("from_at", "until_at"),
    [
        (at(0), at(300)),
        (at(7.5), at(251)),
        (at(61), at(62)),
        (at(120), at(180)),
        (at(59.5), at(60.5)),
        (at(-600), at(900)),
        (at(30), at(10)),
    ],
)
def test_latencies_of_a_range_are_those_of_its_calls(
    ours: Ours, from_at: datetime, until_at: datetime
) -> None:
    ours.calls(
        *(
            made(
                number * 1.5,
                workflow="AB"[number % 2],
                provider=("openai", "groq")[number % 3 == 0],
                latency_seconds=None if number % 7 == 0 else 0.1 * (number % 11),
            )
            for number in range(200)
        )
    )

    by_hand = ours.rows(
        "SELECT source, workflow_id, provider, model,"
        " duration_bucket(latency_seconds) AS latency_bucket, count(*) AS calls FROM llm_calls"
        " WHERE latency_seconds IS NOT NULL AND started_at BETWEEN %s AND %s"
        " GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5",
        from_at,
        until_at,
    )

    assert by_hand == ours.rows(
        "SELECT * FROM v_llm_latencies(%s, %s) ORDER BY 1, 2, 3, 4, 5", from_at, until_at
    )
    assert bool(by_hand) == (from_at < until_at)
