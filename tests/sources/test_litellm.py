"""LiteLLM's spend logs in a real database: what we store is what LiteLLM wrote."""

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest

from exporter import configuration
from exporter.app import KIND_SETTINGS
from exporter.demo.providers.call_book import CallBook, LoggedCall
from exporter.demo.providers.litellm_database import LiteLlmDatabase
from exporter.demo.providers.simulated_calls import simulated_calls
from exporter.errors import SourceError, TransientError
from exporter.records import CostSource, ExecutionStatus, LlmCall, Operation
from exporter.sources.engine_database import PostgresEngine
from exporter.sources.polling.call_log import CallLogSource
from exporter.vendor_names import provider_named
from tests import databases
from tests.conftest import connect
from tests.sources.by_hand import Clock
from tests.sources.call_logs import (
    DAYS,
    END,
    HISTORY,
    assert_same,
    at_the_beginning,
    made,
    read,
    stored_calls,
    truth,
)
from tests.sources.provider_month import Month

NOT_ASKED: Any = None  # there is no web server to have a bad day
DATABASE = {"AIWF_DATABASE_URL": "postgresql://ours@db/aiwf"}
MORNING = datetime(2026, 11, 3, 9, tzinfo=UTC)
NOON = datetime(2026, 11, 3, 12, tzinfo=UTC)


class WritingClock(Clock):
    """Whenever the time is asked for, LiteLLM has written until then."""

    def __init__(self, database: LiteLlmDatabase) -> None:
        self.now = at_the_beginning().now
        self._database = database

    def __call__(self) -> datetime:
        self._database.write(self.now)
        return self.now


@pytest.fixture
def book() -> CallBook:
    return simulated_calls(11, END, DAYS)


@pytest.fixture
def litellm_url(plain_server: str) -> Iterator[str]:
    with databases.new_database(plain_server) as url:
        yield url


def block(url: str) -> dict[str, object]:
    return {
        "name": "litellm",
        "kind": "litellm",
        "url": url,
        "every": "5s",
        "history": HISTORY,
        "page_rows": 20,
    }


def told(call: LoggedCall) -> dict[str, object]:
    return {
        "requested_model": f"group-{call.model}",
        "error_type": call.error,
        "project": "care-backend",
        "team": "care",
    }


def told_by_old(call: LoggedCall) -> dict[str, object]:
    return {
        "execution_id": call.call_id,
        "provider": provider_named(None, call.model),
        "time_to_first_token_seconds": None,
        "error_type": call.error,
        "project": "care-backend",
        "team": None,
    }


@pytest.mark.parametrize("is_old", [False, True], ids=["new", "old"])
def test_after_a_month_of_bad_days_each_call_is_as_litellm_wrote_it(
    tmp_path: Path, one_database_url: str, book: CallBook, litellm_url: str, is_old: bool
) -> None:
    database = LiteLlmDatabase(litellm_url, book, is_old=is_old)
    database.create()
    clock = WritingClock(database)
    with Month(tmp_path, one_database_url, block(litellm_url), {}, clock) as month:
        month.live_through(NOT_ASKED, END + timedelta(days=3), fails_mid_page=None)

        expected = truth(book, clock.now, told_by_old if is_old else told)
        assert_same(expected, stored_calls(one_database_url))
        month.assert_at_rest()


@pytest.fixture
def rows_url(litellm_url: str) -> str:
    """A LiteLLM with the recorded rows."""
    LiteLlmDatabase(litellm_url, CallBook()).create()
    with connect(litellm_url) as connection:
        connection.execute((Path(__file__).parent / "litellm" / "rows.sql").read_bytes())
    return litellm_url


def reading(url: str, **settings: object) -> CallLogSource:
    return made("litellm", {"URL": url}, url={"env": "URL"}, **settings)


def by_id(url: str, **settings: object) -> dict[str, LlmCall]:
    with closing(reading(url, **settings)) as source:
        return {call.call_id: call for call in read(source, MORNING, NOON)}


def test_rows_are_told_call_by_call(rows_url: str) -> None:
    found = by_id(rows_url)

    assert found["chatcmpl-streamed"] == LlmCall(
        source="litellm",
        execution_id="session-1",
        created_at=datetime(2026, 11, 3, 10, 0, 0, 250_000, tzinfo=UTC),
        call_id="chatcmpl-streamed",
        provider="anthropic",
        model="claude-sonnet-4-5",
        requested_model="smart",
        operation=Operation.CHAT,
        status=ExecutionStatus.SUCCESS,
        workflow_id="support-triage",
        workflow="support-triage",
        started_at=datetime(2026, 11, 3, 10, 0, 0, 250_000, tzinfo=UTC),
        latency_seconds=4.5,
        time_to_first_token_seconds=0.75,
        input_tokens=18495,
        cached_input_tokens=16399,
        cache_write_tokens=2089,
        output_tokens=445,
        reasoning_tokens=45,
        cost_usd=Decimal("0.0194397"),
        cost_source=CostSource.REPORTED,
        customer="acme",
        project="care-backend",
        team="care",  # the name stands in the table of teams
    )
    failed = found["call-failed"]
    assert (ExecutionStatus.ERROR, "RateLimitError", None, None, "care-backend") == (
        failed.status,
        failed.error_type,
        failed.input_tokens,
        failed.cost_usd,
        failed.project,
    )


def test_a_spend_of_0_is_known_where_litellm_priced_it_or_answered_from_its_cache(
    rows_url: str,
) -> None:
    found = by_id(rows_url)

    assert Decimal(0) == found["chatcmpl-free"].cost_usd
    assert Decimal(0) == found["chatcmpl-streamed_cache_hit1762164100.5"].cost_usd
    unpriced = found["chatcmpl-unpriced"]
    assert (None, None, 12) == (unpriced.cost_usd, unpriced.cost_source, unpriced.input_tokens)


def test_without_a_stream_the_time_to_the_first_token_is_unknown(rows_url: str) -> None:
    found = by_id(rows_url)

    assert None is found["chatcmpl-free"].time_to_first_token_seconds
    assert None is found["chatcmpl-unpriced"].time_to_first_token_seconds


def test_management_of_files_is_no_call_of_a_model(rows_url: str) -> None:
    assert "file-hash" not in by_id(rows_url)


def test_a_request_that_litellm_refused_itself_is_no_call_of_a_model(rows_url: str) -> None:
    with connect(rows_url) as connection:
        connection.execute(
            "UPDATE \"LiteLLM_SpendLogs\" SET model = '', call_type = '' "
            "WHERE request_id = 'call-failed'"
        )

    assert "call-failed" not in by_id(rows_url)


def test_what_a_finished_batch_cost_is_told(rows_url: str) -> None:
    with connect(rows_url) as connection:
        connection.execute(
            "UPDATE \"LiteLLM_SpendLogs\" SET call_type = 'aretrieve_batch', spend = 0.5 "
            "WHERE request_id = 'file-hash'"
        )

    batch = by_id(rows_url)["file-hash"]
    assert (Decimal("0.5"), Operation.OTHER, None) == (
        batch.cost_usd,
        batch.operation,
        batch.input_tokens,
    )


def test_a_cache_that_an_old_litellm_counts_apart_is_added_to_the_input(rows_url: str) -> None:
    with connect(rows_url) as connection:
        connection.execute('UPDATE "LiteLLM_SpendLogs" SET prompt_tokens = 7')

    assert 18495 == by_id(rows_url)["chatcmpl-streamed"].input_tokens


def test_a_timeout_has_a_status_of_its_own(rows_url: str) -> None:
    with connect(rows_url) as connection:
        connection.execute(
            'UPDATE "LiteLLM_SpendLogs" SET metadata = jsonb_set(metadata, '
            "'{error_information,error_class}', '\"APITimeoutError\"') "
            "WHERE request_id = 'call-failed'"
        )

    assert ExecutionStatus.TIMEOUT is by_id(rows_url)["call-failed"].status


def test_times_with_a_zone_are_told_the_same(rows_url: str) -> None:
    expected = by_id(rows_url)
    with connect(rows_url) as connection:
        connection.execute("SET timezone = 'UTC'")
        for column in ("startTime", "endTime", "completionStartTime"):
            connection.execute(
                f'ALTER TABLE "LiteLLM_SpendLogs" ALTER COLUMN "{column}" TYPE timestamptz(3)'
            )

    assert expected == by_id(rows_url)


def test_calls_that_began_at_one_moment_are_read_across_pages(rows_url: str) -> None:
    with connect(rows_url) as connection:
        connection.execute(
            'INSERT INTO "LiteLLM_SpendLogs" '
            '(request_id, call_type, "startTime", "endTime", model) '
            "SELECT 'same-' || n, 'acompletion', timestamp '2026-11-03 11:00', "
            "timestamp '2026-11-03 11:00:01', 'gpt-5-mini' FROM generate_series(1, 25) n"
        )

    assert 30 == len(by_id(rows_url, page_rows=4))


def test_a_role_that_may_read_nothing_else_is_enough(rows_url: str) -> None:
    """Prompts and answers stand in columns that are not granted."""
    columns = (
        "request_id, call_type, api_key, spend, total_tokens, prompt_tokens, completion_tokens, "
        '"startTime", "endTime", "completionStartTime", model, model_group, custom_llm_provider, '
        "metadata, cache_hit, request_tags, team_id, end_user, session_id, status"
    )
    expected = by_id(rows_url)
    role = f"reader_{databases.database_name(rows_url)}"
    with connect(rows_url) as connection:
        connection.execute(f"CREATE ROLE {role} LOGIN")
        try:
            connection.execute(f'GRANT SELECT ({columns}) ON "LiteLLM_SpendLogs" TO {role}')
            connection.execute(
                f'GRANT SELECT (token, key_alias) ON "LiteLLM_VerificationToken" TO {role}'
            )
            connection.execute(f'GRANT SELECT ON "LiteLLM_TeamTable" TO {role}')
            assert expected == by_id(rows_url.replace("postgres@", f"{role}@"))
        finally:
            connection.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")


def test_without_the_tables_of_names_calls_are_told_without_them(rows_url: str) -> None:
    with connect(rows_url) as connection:
        connection.execute('DROP TABLE "LiteLLM_VerificationToken"; DROP TABLE "LiteLLM_TeamTable"')

    found = by_id(rows_url)
    assert ("care-backend", None) == (  # the alias that the row itself remembers
        found["chatcmpl-streamed"].project,
        found["chatcmpl-streamed"].team,
    )
    assert None is found["call-failed"].project


def test_a_database_that_is_not_litellms_is_told_of(litellm_url: str) -> None:
    with pytest.raises(SourceError, match=r'no table "public"\."LiteLLM_SpendLogs"') as caught:
        by_id(litellm_url)
    assert "schema" == caught.value.reason


def test_a_column_that_is_missing_is_named(rows_url: str) -> None:
    with connect(rows_url) as connection:
        connection.execute('ALTER TABLE "LiteLLM_SpendLogs" DROP COLUMN spend')

    with pytest.raises(SourceError, match="no column spend"):
        by_id(rows_url)


def test_litellms_own_database_url_will_do_with_what_only_prisma_knows(rows_url: str) -> None:
    with connect(rows_url) as connection:
        connection.execute('CREATE SCHEMA "proxy"')
        connection.execute('ALTER TABLE "LiteLLM_SpendLogs" SET SCHEMA "proxy"')
    url = f"{rows_url}?connection_limit=5&schema=proxy&connect_timeout=7&pool_timeout=9"

    assert 5 == len(by_id(url))
    with pytest.raises(SourceError, match="public"):
        by_id(url, schema="public")


def test_a_page_that_fails_leaves_the_cursor_and_the_next_poll_reads_all(
    tmp_path: Path,
    one_database_url: str,
    book: CallBook,
    litellm_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    database = LiteLlmDatabase(litellm_url, book)
    database.create()
    clock = WritingClock(database)
    asked: list[str] = []
    query = PostgresEngine.query

    def breaks_off(engine: PostgresEngine, statement: str, *rest: Any) -> Any:
        asked.append(statement)
        if len(asked) == 9:
            raise TransientError("no answer in 10 s, statement cancelled")
        return query(engine, statement, *rest)

    monkeypatch.setattr(PostgresEngine, "query", breaks_off)
    with Month(tmp_path, one_database_url, block(litellm_url), {}, clock) as month:
        assert "later" == month.exporter().poll().outcome
        some = stored_calls(one_database_url)
        month.exporter().poll_ok()

        first = clock.now.replace(hour=0, minute=0) - timedelta(days=7)
        expected = {
            call_id: row
            for call_id, row in truth(book, clock.now, told).items()
            if first <= row["created_at"] < clock.now  # type: ignore[operator]
        }
        assert 0 < len(some) < len(expected)
        assert_same(expected, stored_calls(one_database_url))


def test_a_page_is_found_by_the_index(litellm_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    LiteLlmDatabase(litellm_url, CallBook()).create()
    with connect(litellm_url) as connection:
        connection.execute(
            'INSERT INTO "LiteLLM_SpendLogs" '
            '(request_id, call_type, "startTime", "endTime", model) '
            "SELECT 'call-' || n, 'acompletion', t, t, 'gpt-5-mini' FROM ("
            "SELECT n, timestamp '2026-11-01' + n * interval '1 second' AS t "
            "FROM generate_series(1, 100000) n) s"
        )
        connection.execute('ANALYZE "LiteLLM_SpendLogs"')
    plans: list[str] = []
    query = PostgresEngine.query

    def explained(engine: PostgresEngine, statement: str, parameters: Any = None) -> Any:
        if "ORDER BY" in statement:
            found = query(engine, f"EXPLAIN {statement}", parameters)
            plans.append("\n".join(str(line["QUERY PLAN"]) for line in found))
        return query(engine, statement, parameters)

    monkeypatch.setattr(PostgresEngine, "query", explained)
    day = datetime(2026, 11, 2, tzinfo=UTC)
    with closing(reading(litellm_url)) as source:
        assert 600 == len(read(source, day, day + timedelta(minutes=10)))

    assert 'on "LiteLLM_SpendLogs" s' in plans[0]
    assert 'Seq Scan on "LiteLLM_SpendLogs"' not in plans[0]
    (bounds,) = [line for line in plans[0].splitlines() if 'Index Cond: (("startTime"' in line]
    assert bounds.count('"startTime"') >= 2  # from and until


def test_a_database_that_is_down_is_asked_again_later(rows_url: str) -> None:
    with pytest.raises(TransientError):
        by_id("postgresql://postgres@127.0.0.1:1/litellm")


def test_the_url_is_never_quoted(rows_url: str) -> None:
    url = rows_url.replace("postgres@", "nobody:not-a-real-password@")
    with pytest.raises((SourceError, TransientError)) as caught:
        by_id(url + "_missing")
    assert "not-a-real-password" not in str(caught.value)
    assert isinstance(caught.value, Exception)
    assert not isinstance(caught.value, psycopg.Error)


def test_variables_are_enough() -> None:
    environ = {"LITELLM_DATABASE_URL": "postgresql://reader@litellm-db/litellm"}
    (settings,) = configuration.load(None, KIND_SETTINGS, environ | DATABASE).sources

    assert "litellm" == settings.kind
