"""The monitored n8n is down, locked or altered: it is named, others go on, it recovers."""

from collections.abc import Iterator
from pathlib import Path
from time import monotonic

import psycopg
import pytest
from psycopg import sql

from tests import databases
from tests.conftest import connect
from tests.faults.test_sink_down import unreachable
from tests.sources.by_hand import Exporter, exporter, one, stored
from tests.sources.changing_n8n import ChangingN8n


@pytest.fixture
def other_n8n_url(plain_server: str, n8n_template: str) -> Iterator[str]:
    """A second n8n, which stays well."""
    with databases.new_database(plain_server, template=n8n_template) as url:
        yield url


@pytest.fixture
def two(
    one_database_url: str, n8n_url: str, other_n8n_url: str, tmp_path: Path
) -> Iterator[Exporter]:
    """An exporter of an n8n that falls ill (0) and one that stays well (1)."""
    sources = ({"name": "ill", "url": n8n_url}, {"name": "well", "url": other_n8n_url})
    with exporter(tmp_path, one_database_url, *sources) as app:
        yield app


def _is_shown(app: Exporter, line: str) -> bool:
    return line in app.app.exposition.serve(app.clock.now).decode().splitlines()


def test_an_n8n_that_is_down_is_asked_again_later_and_the_other_goes_on(
    two: Exporter, one_database_url: str, plain_server: str, n8n_url: str
) -> None:
    two.poll_ok(0)
    with ChangingN8n(n8n_url) as n8n:
        n8n.add(601)
    with unreachable(plain_server, n8n_url):
        assert "later" == two.poll(0).outcome
        assert "ok" == two.poll(1).outcome
        assert _is_shown(two, 'aiwf_source_up{source="ill"} 0')
        assert _is_shown(two, 'aiwf_source_up{source="well"} 1')
    two.poll_ok(0)

    counts = "SELECT count(*) AS n FROM executions WHERE source = %s"
    assert {"n": 574} == one(one_database_url, counts, ["ill"])
    assert {"n": 573} == one(one_database_url, counts, ["well"])


def test_an_n8n_that_refuses_connections_is_asked_again_later(
    one_database_url: str, tmp_path: Path
) -> None:
    nobody_listens = "postgresql://reader:secret-word@127.0.0.1:1/n8n"
    with exporter(tmp_path, one_database_url, {"url": nobody_listens}) as app:
        result = app.poll()

    assert "later" == result.outcome
    assert "secret-word" not in str(result.detail)


@pytest.mark.parametrize(
    ("url", "reason", "detail"),
    [
        ("no_such_database", "url", "the database in the URL does not exist"),
        (None, "url", "the database URL is not valid"),
    ],
)
def test_a_wrong_address_is_refused_with_its_reason(
    *,
    one_database_url: str,
    plain_server: str,
    tmp_path: Path,
    url: str | None,
    reason: str,
    detail: str,
) -> None:
    address = databases.with_database(plain_server, url) if url else "nonsense"
    with exporter(tmp_path, one_database_url, {"url": address}) as app:
        result = app.poll()

    assert ("refused", reason) == (result.outcome, result.reason)
    assert detail in str(result.detail)


def test_a_locked_table_is_not_waited_for(
    two: Exporter, one_database_url: str, n8n_url: str
) -> None:
    two.poll_ok(0)
    before = stored(one_database_url)
    with psycopg.connect(n8n_url) as locking:
        locking.execute("LOCK TABLE execution_entity IN ACCESS EXCLUSIVE MODE")
        begun = monotonic()
        result = two.poll(0)
        waited = monotonic() - begun
        assert "ok" == two.poll(1).outcome

    assert ("later", "a table is locked; we do not queue behind it") == (
        result.outcome,
        result.detail,
    )
    assert waited < 2
    two.poll_ok(0)
    assert [row for row in before["executions"] if row["source"] == "ill"] == [
        row for row in stored(one_database_url)["executions"] if row["source"] == "ill"
    ]


def test_a_lock_leaves_no_session_of_ours_waiting(two: Exporter, n8n_url: str) -> None:
    two.poll_ok(0)
    with psycopg.connect(n8n_url) as locking, connect(n8n_url) as watching:
        locking.execute("LOCK TABLE execution_entity IN ACCESS EXCLUSIVE MODE")
        for _ in range(3):
            two.poll(0)
        row = watching.execute(
            "SELECT count(*) AS sessions, count(*) FILTER (WHERE wait_event_type = 'Lock') AS "
            "waiting FROM pg_stat_activity WHERE application_name = 'ai-workflow-exporter' "
            "AND datname = current_database()"
        ).fetchone()

    assert row is not None
    assert 0 == row["waiting"]
    assert row["sessions"] <= 2  # type: ignore[operator]


@pytest.mark.parametrize(
    ("alter", "revert", "named"),
    [
        (
            'ALTER TABLE execution_entity RENAME COLUMN "stoppedAt" TO "endedAt"',
            'ALTER TABLE execution_entity RENAME COLUMN "endedAt" TO "stoppedAt"',
            "stoppedAt",
        ),
        (
            "ALTER TABLE execution_entity RENAME TO executions",
            "ALTER TABLE executions RENAME TO execution_entity",
            "execution_entity",
        ),
        (
            "ALTER TABLE execution_data RENAME COLUMN data TO payload",
            "ALTER TABLE execution_data RENAME COLUMN payload TO data",
            "data",
        ),
    ],
)
def test_an_altered_schema_is_refused_by_name_and_recovers_when_it_is_put_back(
    *, two: Exporter, one_database_url: str, n8n_url: str, alter: str, revert: str, named: str
) -> None:
    two.poll_ok(0)
    with ChangingN8n(n8n_url) as n8n:
        n8n.add(601)
        n8n.execute(alter)
        result = two.poll(0)
        assert ("refused", "schema") == (result.outcome, result.reason)
        assert named in str(result.detail)
        assert "ok" == two.poll(1).outcome
        assert _is_shown(two, 'aiwf_source_problem{reason="schema",source="ill"} 1')

        n8n.execute(revert)
    two.clock.advance(minutes=2)  # after a refusal it rests
    two.poll_ok(0)
    assert not _is_shown(two, 'aiwf_source_problem{reason="schema",source="ill"} 1')
    assert {"n": 574} == one(
        one_database_url, "SELECT count(*) AS n FROM executions WHERE source = 'ill'"
    )


def test_after_a_refusal_the_source_rests_for_a_minute(two: Exporter, n8n_url: str) -> None:
    with ChangingN8n(n8n_url) as n8n:
        n8n.execute('ALTER TABLE execution_entity RENAME COLUMN "stoppedAt" TO "endedAt"')
    assert "refused" == two.poll(0).outcome
    two.clock.advance(seconds=50)

    assert two.app.pollers[0].poll() is None


def test_a_role_that_may_not_read_is_refused_and_told_what_to_grant(
    one_database_url: str,
    plain_server: str,
    n8n_url: str,
    tmp_path: Path,
) -> None:
    role = f"aiwf_poor_reader_{databases.database_name(n8n_url)[-6:]}"
    with connect(n8n_url) as admin:
        admin.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD 'p'").format(sql.Identifier(role)))
        try:
            host = plain_server.rpartition("@")[2].partition("/")[0]
            poor = f"postgresql://{role}:p@{host}/{databases.database_name(n8n_url)}"
            with exporter(tmp_path, one_database_url, {"url": poor}) as app:
                result = app.poll()
        finally:
            admin.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(role)))

    assert ("refused", "permission") == (result.outcome, result.reason)
    assert "grant SELECT" in str(result.detail)


@pytest.mark.parametrize(
    "granted",
    ["ALL TABLES IN SCHEMA public", "execution_entity, execution_data, workflow_entity"],
)
def test_a_role_that_may_only_select_is_enough(
    granted: str, one_database_url: str, plain_server: str, n8n_url: str, tmp_path: Path
) -> None:
    """Custom data, tags and projects may be kept from us; they are then unknown."""
    role = f"aiwf_reader_{databases.database_name(n8n_url)[-6:]}"
    named = sql.Identifier(role)
    with connect(n8n_url) as admin:
        admin.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD 'p'").format(named))
        try:
            admin.execute(sql.SQL("GRANT SELECT ON {} TO {}").format(sql.SQL(granted), named))
            host = plain_server.rpartition("@")[2].partition("/")[0]
            url = f"postgresql://{role}:p@{host}/{databases.database_name(n8n_url)}"
            with exporter(tmp_path, one_database_url, {"url": url}) as app:
                app.poll_ok()
        finally:
            admin.execute(sql.SQL("DROP OWNED BY {}").format(named))
            admin.execute(sql.SQL("DROP ROLE {}").format(named))

    assert {"n": 573} == one(one_database_url, "SELECT count(*) AS n FROM executions")


def test_sessions_that_are_ended_are_opened_again(
    one_database_url: str, n8n_url: str, tmp_path: Path
) -> None:
    with exporter(tmp_path, one_database_url, {"url": n8n_url}) as app:
        app.poll_ok()
        with connect(n8n_url) as admin:
            admin.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        outcomes = [app.poll().outcome for _ in range(2)]

    assert ["later", "ok"] == outcomes


def test_a_poll_that_breaks_off_in_the_middle_loses_nothing(
    one_database_url: str,
    n8n_url: str,
    tmp_path: Path,
) -> None:
    with exporter(tmp_path, one_database_url, {"url": n8n_url, "page_rows": 50}) as app:
        show = app.app.exposition.counted
        shown = 0

        def end_n8ns_sessions_after_four(*arguments: object, **named: object) -> None:
            nonlocal shown
            shown += 1
            show(*arguments, **named)  # type: ignore[arg-type]
            if shown == 4:
                with connect(n8n_url) as admin:
                    admin.execute(
                        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
                        "WHERE datname = current_database() AND pid <> pg_backend_pid()"
                    )

        app.app.exposition.counted = end_n8ns_sessions_after_four  # type: ignore[method-assign]
        assert "later" == app.poll().outcome
        assert 0 < one(one_database_url, "SELECT count(*) AS n FROM executions")["n"] < 573
        app.poll_ok()

    assert {"n": 573} == one(one_database_url, "SELECT count(*) AS n FROM executions")
