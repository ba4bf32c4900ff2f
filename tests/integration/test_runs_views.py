"""Views of many runs: found by what is known of them, and what was remarkable of them."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest

from exporter.records import Execution, ExecutionStatus, Record, Workflow
from tests.conftest import connect
from tests.run_records import SOURCE, call, execution, failed_run, guide_run, step
from tests.spend_records import Writer, writer

BEGUN = datetime(2025, 3, 10, 12, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
ERROR, SUCCESS = ExecutionStatus.ERROR, ExecutionStatus.SUCCESS
Row = dict[str, Any]


class Ours:
    """Our database: what is written into it, and which runs are found in it."""

    def __init__(self, connection: psycopg.Connection[Row], into: Writer) -> None:
        self._connection = connection
        self._into = into

    def write(self, *records: Record, source: str = SOURCE) -> None:
        self._into.write(source, records, "workflows")

    def rows(self, query: str, *parameters: object) -> list[Row]:
        return self._connection.execute(query.encode(), parameters).fetchall()

    def asked(
        self, view: str, from_at: datetime, until_at: datetime, asked_for: dict[str, object]
    ) -> list[Row]:
        named = "".join(f", {name} => %s" for name in asked_for)
        return self.rows(
            f"SELECT * FROM {view}(%s, %s{named})", from_at, until_at, *asked_for.values()
        )

    def runs(
        self,
        *,
        from_at: datetime = BEGUN - HOUR,
        until_at: datetime = BEGUN + HOUR,
        **asked_for: object,
    ) -> list[Row]:
        """The runs found; as many are counted over time."""
        found = self.asked("v_runs", from_at, until_at, asked_for)
        asked_for.pop("most", None)
        counted = self.asked("v_runs_over_time", from_at, until_at, asked_for)
        assert sum(row["runs"] for row in counted) >= len(found)
        return found

    def ids(self, **asked_for: Any) -> list[str]:
        return [row["execution_id"] for row in self.runs(**asked_for)]

    def counted(self, **asked_for: object) -> dict[tuple[datetime, str], int]:
        rows = self.asked("v_runs_over_time", BEGUN - 3 * HOUR, BEGUN + 3 * HOUR, asked_for)
        return {(row["bucket_start"], row["result"]): row["runs"] for row in rows}


@pytest.fixture
def ours(database_url: str) -> Iterator[Ours]:
    with connect(database_url) as connection, writer(database_url, BEGUN + MINUTE) as into:
        yield Ours(connection, into)


def failed(at: datetime, execution_id: str, message: str, **facts: Any) -> Execution:
    return execution(at, execution_id, status=ERROR, error_message=message, **facts)


# --- what is found -------------------------------------------------------------------------


def test_the_newest_runs_of_the_range_come_first_and_no_more_than_asked_for(ours: Ours) -> None:
    ours.write(*(execution(BEGUN + place * MINUTE, f"{place}") for place in (-90, 1, 3, 2, 90)))

    assert ["3", "2", "1"] == ours.ids()
    assert ["3", "2"] == ours.ids(most=2)


def test_a_run_at_the_ranges_very_ends_is_in_it(ours: Ours) -> None:
    ours.write(execution(BEGUN, "17"))

    assert ["17"] == ours.ids(from_at=BEGUN, until_at=BEGUN)


def test_a_run_shows_its_calls_tokens_cost_models_and_signals(ours: Ours) -> None:
    ours.write(*guide_run(BEGUN), *failed_run(BEGUN + MINUTE))

    refused, guide = ours.runs()

    assert (3, 1, 6300, Decimal("0.045"), "claude-3, dall-e-3, gpt-4", "fallback, retry") == tuple(
        guide[key] for key in ("calls", "unpriced_calls", "tokens", "cost_usd", "models", "signals")
    )
    assert "circuit_open, refused, truncated" == refused["signals"]
    assert ("Generate image", "https://cms.example.com/runs/2") == (
        refused["error_step"],
        refused["url"],
    )


@pytest.mark.parametrize("facts", [{}, {"unknown_steps_reason": "too_large"}])
def test_what_a_run_of_unknown_steps_cost_is_unknown(ours: Ours, facts: dict[str, Any]) -> None:
    ours.write(execution(BEGUN, **facts))

    (found,) = ours.runs()

    for key in ("calls", "unpriced_calls", "tokens", "cost_usd"):
        assert found[key] is None, key


def test_a_run_of_known_steps_without_calls_cost_nothing(ours: Ours) -> None:
    run = execution(BEGUN)
    ours.write(run, step(run))

    (found,) = ours.runs()

    assert (0, 0, 0) == (found["calls"], found["tokens"], found["cost_usd"])


def test_a_run_that_waits_has_no_failed_step(ours: Ours) -> None:
    ours.write(execution(BEGUN, status=ExecutionStatus.WAITING, error_step="Wait"))

    assert ours.runs()[0]["error_step"] is None


# --- by what it is found -------------------------------------------------------------------


def test_runs_are_found_by_source_workflow_and_status(ours: Ours) -> None:
    ours.write(
        execution(BEGUN, "a"),
        execution(BEGUN, "b", workflow_id="w", workflow="Other"),
        failed(BEGUN, "c", "no"),
    )
    ours.write(execution(BEGUN, "d", source="n8n"), source="n8n")

    assert ["d"] == ours.ids(sources=["n8n", "nobody"])
    assert ["b"] == ours.ids(workflows=["Other"])
    assert ["c"] == ours.ids(statuses=["error", "timeout"])
    assert ["a", "b", "c", "d"] == sorted(ours.ids(sources=["__all__"], statuses=["__all__"]))


def test_a_renamed_workflows_runs_are_found_by_its_present_name(ours: Ours) -> None:
    ours.write(execution(BEGUN, "a", workflow="Old"))
    ours.write(
        Workflow(source=SOURCE, workflow_id="content", workflow="New", active=True),
        execution(BEGUN + MINUTE, "b", workflow="New"),
    )

    assert ["b", "a"] == ours.ids(workflows=["New"])


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("acme", ["a"]),
        (" ACME ", ["a"]),
        ("cme", ["a"]),
        ("%", ["b"]),
        ("_", []),
        ("", ["a", "b", "c"]),
    ],
)
def test_a_customer_is_found_by_a_part_of_the_name(
    ours: Ours, asked: str, expected: list[str]
) -> None:
    for place, (name, customer) in enumerate(
        [("a", "Acme Ltd"), ("b", "100 % Fruit"), ("c", None)]
    ):
        ours.write(execution(BEGUN - place * MINUTE, name, customer=customer))

    assert expected == ours.ids(a_customer=asked)


@pytest.mark.parametrize("asked", ["rate limit", "RATE", "429", "Ask model"])
def test_an_error_is_found_by_a_part_of_its_type_message_or_step(ours: Ours, asked: str) -> None:
    ours.write(
        failed(BEGUN, "a", "Rate limit reached", error_type="Api 429", error_step="Ask model"),
        failed(BEGUN, "b", "Signature is missing"),
        execution(BEGUN, "c", error_message="Rate limit 429, Ask model"),  # it succeeded
    )

    assert ["a"] == ours.ids(an_error=asked)


def test_runs_are_found_by_how_long_they_took(ours: Ours) -> None:
    for seconds in (1, 2, 3):
        ours.write(execution(BEGUN, f"{seconds}", finished_at=BEGUN + timedelta(seconds=seconds)))
    ours.write(execution(BEGUN, "unknown", finished_at=None))

    assert ["2", "3"] == sorted(ours.ids(least_seconds=2))


def test_runs_are_found_by_what_all_their_calls_cost(ours: Ours) -> None:
    for name, costs in {"a": ["0.3", "0.3"], "b": ["0.5"], "c": ["0.6", None], "d": []}.items():
        run = execution(BEGUN, name)
        calls = [
            call(run, f"{place}", cost_usd=cost and Decimal(cost))
            for place, cost in enumerate(costs)
        ]
        ours.write(run, *calls)

    assert ["a", "c"] == sorted(ours.ids(least_usd=Decimal("0.6")))


def test_runs_are_found_by_the_models_they_called(ours: Ours) -> None:
    ours.write(*guide_run(BEGUN), execution(BEGUN, "other"))

    assert 1 == len(ours.runs(models=["claude-3", "no model"]))
    assert 0 == len(ours.runs(models=["claude"]))


@pytest.mark.parametrize("signal", ["circuit_open", "refused", "truncated"])
def test_runs_are_found_by_signals_of_their_calls_and_of_their_steps(
    ours: Ours, signal: str
) -> None:
    ours.write(*guide_run(BEGUN), *failed_run(BEGUN, "refused"))

    assert ["refused"] == ours.ids(some_signals=[signal, "timed_out"])
    assert [] == ours.ids(some_signals=["timed_out"])


def test_all_that_is_asked_for_must_be_so(ours: Ours) -> None:
    ours.write(*guide_run(BEGUN), *failed_run(BEGUN, "refused"))

    everything: dict[str, object] = {
        "statuses": ["error"],
        "models": ["dall-e-3"],
        "some_signals": ["refused"],
        "a_customer": "acme",
        "an_error": "safety",
        "least_seconds": 7,
        "least_usd": Decimal("0.1"),
    }

    assert ["refused"] == ours.ids(**everything)
    for name, other in {
        "statuses": ["success"],
        "models": ["gpt-5"],
        "some_signals": ["retry"],
        "a_customer": "nobody",
        "an_error": "429",
        "least_seconds": 8,
        "least_usd": 1,
    }.items():
        assert [] == ours.ids(**everything | {name: other}), name


@pytest.mark.parametrize(
    ("typed", "number"),
    [
        ("1.5", Decimal("1.5")),
        (" 2 ", 2),
        ("0,5", Decimal("0.5")),
        ("", None),
        ("-1", None),
        ("1e5", None),
        ("a lot", None),
        ("1'; DROP TABLE executions", None),
        ("9" * 99, None),
    ],
)
def test_what_is_typed_is_a_number_or_nothing(
    ours: Ours, typed: str, number: Decimal | None
) -> None:
    assert [{"n": number}] == ours.rows("SELECT typed_number(%s) AS n", typed)


# --- over time -----------------------------------------------------------------------------


def test_runs_are_counted_by_hour_and_result_from_sums_as_from_rows(ours: Ours) -> None:
    ours.write(
        execution(BEGUN, "a"),
        execution(BEGUN + MINUTE, "b"),
        failed(BEGUN + 2 * MINUTE, "c", "no"),
        execution(BEGUN + HOUR, "d", status=ExecutionStatus.RUNNING, finished_at=None),
        execution(BEGUN - HOUR, "e", status=ExecutionStatus.CANCELED),
    )

    expected = {
        (BEGUN, "success"): 2,
        (BEGUN, "failed"): 1,
        (BEGUN + HOUR, "open"): 1,
        (BEGUN - HOUR, "canceled"): 1,
    }
    assert expected == ours.counted()
    assert expected == ours.counted(a_customer="acme")
    assert {(BEGUN, "success"): 2} == ours.counted(statuses=["success"])
    assert {} == ours.counted(a_customer="nobody")


# --- signals -------------------------------------------------------------------------------


def test_signals_are_counted_in_exactly_the_range(ours: Ours) -> None:
    for place, minutes in enumerate((-61, -60, -1, 0, 1, 59, 60, 119, 120)):
        at = BEGUN + minutes * MINUTE
        run = execution(at, f"{place}")
        ours.write(
            run,
            step(run, signals=("circuit_open",)),
            call(run, "a", signals=("retry", "rate_limited")),
        )

    def counted(from_minute: float, until_minute: float) -> set[tuple[str, str, int]]:
        rows = ours.rows(
            "SELECT * FROM v_signal_totals(%s, %s)",
            BEGUN + from_minute * MINUTE,
            BEGUN + until_minute * MINUTE,
        )
        return {(row["model"], row["signal"], row["events"]) for row in rows}

    def all_of(events: int) -> set[tuple[str, str, int]]:
        return {("gpt-4", "retry", events), ("gpt-4", "rate_limited", events)} | {
            ("", "circuit_open", events)
        }

    assert all_of(9) == counted(-61, 120)
    assert all_of(7) == counted(-60, 119)
    assert all_of(3) == counted(-1, 1)
    assert all_of(5) == counted(0, 119)
    assert set() == counted(2, 58)


def test_a_model_shows_its_calls_its_signals_and_how_full_its_window_was(ours: Ours) -> None:
    ours.write(*guide_run(BEGUN), *failed_run(BEGUN + MINUTE))

    found = {
        row["model"]: row
        for row in ours.rows("SELECT * FROM v_model_signals(%s, %s)", BEGUN - HOUR, BEGUN + HOUR)
    }

    assert (1, 0, 1, 1, 0) == tuple(
        found["claude-3"][key] for key in ("calls", "failed", "retry", "fallback", "refused")
    )
    assert (2, 1, 1) == tuple(found["dall-e-3"][key] for key in ("calls", "failed", "refused"))
    assert (1, 1, pytest.approx(7900 / 8000)) == tuple(
        found["gpt-4"][key] for key in ("truncated", "nearly_full", "context_used_most")
    )
    assert (0, None) == (
        found["claude-3"]["nearly_full"],
        found["claude-3"]["context_used_most"],
    )


def test_a_workflow_shows_signals_of_its_calls_and_of_its_steps(ours: Ours) -> None:
    quiet = execution(BEGUN, "quiet", workflow_id="w", workflow="Quiet")
    ours.write(*guide_run(BEGUN), *failed_run(BEGUN + MINUTE), quiet)

    (found,) = ours.rows("SELECT * FROM v_workflow_signals(%s, %s)", BEGUN - HOUR, BEGUN + HOUR)

    assert ("Content generation", 1, 1, 1, 1, 1, 0) == tuple(
        found[key]
        for key in (
            "workflow",
            "retry",
            "fallback",
            "circuit_open",
            "refused",
            "truncated",
            "rate_limited",
        )
    )


def test_signals_are_shown_of_what_is_chosen(ours: Ours) -> None:
    ours.write(*guide_run(BEGUN))

    for view, nobody in (("v_model_signals", 0), ("v_workflow_signals", 0)):
        for choice, expected in ((["Content generation"], True), (["Other"], False)):
            rows = ours.asked(view, BEGUN - HOUR, BEGUN + HOUR, {"workflows": choice})
            assert (len(rows) > nobody) is expected, (view, choice)


def test_signals_are_told_by_hour_under_their_workflows_name(ours: Ours) -> None:
    ours.write(*guide_run(BEGUN))

    found = ours.rows("SELECT * FROM v_signals_hourly ORDER BY signal")

    assert [(BEGUN, "Content generation", "claude-3", "fallback", 1)] == [
        tuple(row[key] for key in ("bucket_start", "workflow", "model", "signal", "events"))
        for row in found[:1]
    ]
