"""Views of one run: where its time and money went, what each step was given, what stands around."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest

from exporter.app import App
from exporter.records import (
    ExecutionStatus,
    IncidentPhase,
    Json,
    Record,
    StatusLevel,
    StepKind,
    UnknownCause,
)
from tests.conftest import as_dashboards, connect
from tests.run_records import (
    FAILED_RUN,
    GUIDE_RUN,
    SOURCE,
    SPANS,
    call,
    execution,
    failed_run,
    guide_run,
    guide_steps,
    outcome,
    span_id,
    step,
)
from tests.spend_records import Writer, writer
from tests.status_records import SOURCE as PAGES
from tests.status_records import incident, reading

BEGUN = datetime(2025, 3, 10, 12, tzinfo=UTC)
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
ERROR, RUNNING, SUCCESS = ExecutionStatus.ERROR, ExecutionStatus.RUNNING, ExecutionStatus.SUCCESS
Row = dict[str, Any]


class Ours:
    """Our database: what is written into it, and what its views answer about one run."""

    def __init__(self, connection: psycopg.Connection[Row], into: Writer) -> None:
        self._connection = connection
        self._into = into

    def write(self, *records: Record, source: str = SOURCE, role: str = "workflows") -> None:
        self._into.write(source, records, role)

    def rows(self, query: str, *parameters: object) -> list[Row]:
        return self._connection.execute(query.encode(), parameters).fetchall()

    def of(
        self, view: str, run: str = GUIDE_RUN, source: str = "__all__", order: str = "1"
    ) -> list[Row]:
        return self.rows(f"SELECT * FROM v_{view}(%s, %s) ORDER BY {order}", source, run)

    def run(self, run: str = GUIDE_RUN, source: str = "__all__") -> Row:
        (found,) = self.of("run", run, source)
        return found

    def steps(self, run: str = GUIDE_RUN) -> dict[str, Row]:
        return {row["step_id"]: row for row in self.of("run_steps", run)}

    def content(self, run: str = GUIDE_RUN) -> dict[str, tuple[Any, ...]]:
        """Of each step: what it received, from where, and what it gave on."""
        return {
            row["name"]: (row["received_from"], row["received"], row["gave"])
            for row in self.of("run_content", run)
        }


@pytest.fixture
def ours(database_url: str) -> Iterator[Ours]:
    with connect(database_url) as connection, writer(database_url, BEGUN + MINUTE) as into:
        yield Ours(connection, into)


# --- which run -----------------------------------------------------------------------------


def test_a_run_is_found_by_its_id_and_by_that_of_its_trace(ours: Ours) -> None:
    ours.write(execution(BEGUN, "17", trace_id=GUIDE_RUN))

    for asked in ("17", "  17 ", GUIDE_RUN, GUIDE_RUN.upper()):
        assert "17" == ours.run(asked)["execution_id"]
    assert [] == ours.of("run", "1")
    assert [] == ours.of("run", "")


def test_two_sources_may_have_a_run_under_one_id(ours: Ours) -> None:
    ours.write(execution(BEGUN, "17"))
    ours.write(execution(BEGUN + MINUTE, "17", source="n8n"), source="n8n")

    assert "code" == ours.run("17", "code")["source"]
    assert "n8n" == ours.run("17")["source"]
    assert ["code", "n8n"] == sorted(
        row["source"] for row in ours.rows("SELECT * FROM v_run_sources('17')")
    )


def test_of_two_runs_under_one_id_the_newer_is_shown(ours: Ours) -> None:
    ours.write(execution(BEGUN, "17"), execution(BEGUN + MINUTE, "17"))

    assert BEGUN + MINUTE == ours.run("17")["created_at"]


# --- header --------------------------------------------------------------------------------


def test_a_run_sums_up_its_steps_calls_tokens_and_cost(ours: Ours) -> None:
    ours.write(*guide_run(BEGUN))

    found = ours.run()

    assert (5, 0, 3, 0, 1) == tuple(
        found[key] for key in ("steps", "failed_steps", "calls", "failed_calls", "unpriced_calls")
    )
    assert (6000, 300, Decimal("0.045")) == (
        found["input_tokens"],
        found["output_tokens"],
        found["cost_usd"],
    )
    assert found["unknown_steps"] is None


@pytest.mark.parametrize(
    ("facts", "why"),
    [
        ({"unknown_steps_reason": "too_large"}, "its run data is larger than max_data_mb"),
        ({"unknown_steps_reason": "a word of its own"}, "a word of its own"),
        ({"status": RUNNING, "finished_at": None}, "it has not ended yet"),
        ({}, "nothing was told of them"),
    ],
)
def test_where_steps_are_unknown_so_is_what_they_cost(
    ours: Ours, facts: dict[str, Any], why: str
) -> None:
    ours.write(execution(BEGUN, **facts))

    found = ours.run()

    assert why == found["unknown_steps"]
    for key in ("steps", "calls", "unpriced_calls", "input_tokens", "cost_usd"):
        assert found[key] is None, key


def test_a_run_without_model_calls_cost_nothing(ours: Ours) -> None:
    run = execution(BEGUN)
    ours.write(run, step(run))

    found = ours.run()

    assert (1, 0, 0, 0) == tuple(
        found[key] for key in ("steps", "calls", "input_tokens", "cost_usd")
    )


def test_a_cost_of_which_every_part_is_unknown_is_unknown(ours: Ours) -> None:
    run = execution(BEGUN)
    ours.write(run, call(run, "a"))

    assert (None, 1) == (ours.run()["cost_usd"], ours.run()["unpriced_calls"])


def test_a_cost_of_the_whole_run_is_no_call(ours: Ours) -> None:
    run = execution(BEGUN)
    ours.write(run, call(run, "whole", calls=0, cost_usd=Decimal("0.5")))

    assert (0, Decimal("0.5")) == (ours.run()["calls"], ours.run()["cost_usd"])


# --- time and money ------------------------------------------------------------------------


def test_image_generation_took_half_of_the_guides_run(ours: Ours) -> None:
    ours.write(*guide_run(BEGUN))

    shares = {row["name"]: row["share"] for row in ours.of("run_time")}

    assert shares == {
        name: pytest.approx(milliseconds / 7565) for name, _, milliseconds, _ in SPANS
    }
    assert round(shares["Generate image"], 2) == 0.50


def test_steps_side_by_side_pass_once_on_the_clock(ours: Ours) -> None:
    run = execution(BEGUN, finished_at=BEGUN + 10 * SECOND)
    beside = [
        step(
            run, f"call {place}", name="Ask", started_at=BEGUN + place * SECOND, duration_seconds=4
        )
        for place in range(3)
    ]
    ours.write(run, *beside)

    ask, between = sorted(ours.of("run_time"), key=lambda row: row["name"])

    assert (3, 12, 0.6) == (ask["runs"], ask["seconds"], ask["share"])
    assert ("between steps", 4, 0.4) == (between["name"], between["seconds"], between["share"])


def test_a_steps_own_time_is_what_no_step_below_it_took(ours: Ours) -> None:
    run = execution(BEGUN, finished_at=BEGUN + 10 * SECOND)
    agent = step(run, "agent", started_at=BEGUN, duration_seconds=10)
    below = [
        step(
            run,
            f"{place}",
            parent_step_id="agent",
            started_at=BEGUN + begun * SECOND,
            duration_seconds=seconds,
        )
        # Two that overlap, and one that goes on after the agent has ended.
        for place, (begun, seconds) in enumerate([(1, 3), (2, 4), (9, 5)])
    ]
    ours.write(run, agent, *below)

    found = ours.steps()["agent"]

    assert (10, 1.0, 4, 0.4) == tuple(
        found[key] for key in ("duration_seconds", "share", "own_seconds", "own_share")
    )
    (row,) = (row for row in ours.of("run_time") if row["name"] == "agent")
    assert (1.0, 0.4) == (row["share"], row["own_share"])


def test_a_step_whose_times_are_unknown_has_no_share(ours: Ours) -> None:
    run = execution(BEGUN)
    ours.write(run, step(run))

    found = ours.steps()["s"]

    assert (None, None, None) == (found["share"], found["own_seconds"], found["own_share"])


def test_a_step_that_tells_only_how_long_it_took_has_its_share(ours: Ours) -> None:
    run = execution(BEGUN, finished_at=BEGUN + 10 * SECOND)
    ours.write(run, step(run, duration_seconds=5))

    (found,) = ours.of("run_time")

    assert ("s", 0.5, 0.5) == (found["name"], found["share"], found["own_share"])


def test_what_a_retry_copied_has_no_share_of_it(ours: Ours) -> None:
    ours.write(*failed_run(BEGUN))

    found = ours.steps(FAILED_RUN)[span_id(0)]

    assert (GUIDE_RUN, None, None) == (found["copied_from"], found["share"], found["own_share"])
    assert "Fetch topic" not in {row["name"] for row in ours.of("run_time", FAILED_RUN)}


def test_a_run_that_has_not_ended_has_no_shares_and_no_time_between_steps(ours: Ours) -> None:
    run = execution(BEGUN, status=RUNNING, finished_at=None)
    ours.write(run, step(run, started_at=BEGUN, duration_seconds=5))

    (found,) = ours.of("run_time")

    assert (5, None) == (found["seconds"], found["share"])


def test_money_is_told_by_step_and_model_and_unknown_is_not_zero(ours: Ours) -> None:
    ours.write(*guide_run(BEGUN))

    found = {
        row["name"]: (row["model"], row["cost_usd"], row["share"], row["unpriced_calls"])
        for row in ours.of("run_cost")
    }

    assert found == {
        "Generate outline": ("gpt-4", Decimal("0.03"), pytest.approx(2 / 3), 0),
        "Expand sections": ("claude-3", Decimal("0.015"), pytest.approx(1 / 3), 0),
        "Generate image": ("dall-e-3", None, None, 1),
    }


def test_a_step_without_model_calls_has_no_cost_to_be_unknown(ours: Ours) -> None:
    ours.write(*guide_run(BEGUN))

    found = ours.steps()

    assert (None, None) == (found[span_id(0)]["cost_usd"], found[span_id(0)]["unpriced_calls"])
    assert (None, 1) == (found[span_id(3)]["cost_usd"], found[span_id(3)]["unpriced_calls"])


def test_steps_below_others_are_as_deep_as_they_are_and_rings_end(ours: Ours) -> None:
    run = execution(BEGUN)
    parents = {"a": None, "b": "a", "c": "b", "lost": "nobody", "x": "y", "y": "x", "self": "self"}
    ours.write(run, *(step(run, name, parent_step_id=parent) for name, parent in parents.items()))

    found = ours.steps()

    assert {name: row["depth"] for name, row in found.items()} == {
        **dict.fromkeys(("a", "lost", "x", "y", "self"), 0),
        "b": 1,
        "c": 2,
    }
    assert found["lost"]["parent_step_id"] is None


# --- calls ---------------------------------------------------------------------------------


def test_a_call_tells_how_much_of_its_models_window_its_input_took(ours: Ours) -> None:
    ours.write(*guide_run(BEGUN))

    used = {row["model"]: row["context_used"] for row in ours.of("run_calls")}

    assert used == {"gpt-4": 0.125, "claude-3": None, "dall-e-3": None}


def test_a_call_shows_its_step_texts_and_signals(ours: Ours) -> None:
    ours.write(*guide_run(BEGUN))

    (found,) = (row for row in ours.of("run_calls") if row["model"] == "claude-3")

    assert ("Expand sections", "retry, fallback") == (found["step"], found["signals"])
    assert ("prompt of Expand sections", "response of Expand sections") == (
        found["prompt"],
        found["response"],
    )


# --- inputs and outputs --------------------------------------------------------------------


def test_a_step_received_what_the_step_before_it_gave_on(ours: Ours) -> None:
    ours.write(*guide_run(BEGUN))

    found = ours.content()

    assert ("the start of the run", '{"topic":"cats"}', '{"from":"Fetch topic"}') == found[
        "Fetch topic"
    ]
    assert ("Fetch topic", "prompt of Generate outline", "response of Generate outline") == found[
        "Generate outline"
    ]
    assert ("Generate image", "response of Generate image", '{"from":"Save to CMS"}') == found[
        "Save to CMS"
    ]
    assert (None, '{"topic":"cats"}', '{"post":17}') == found["the run as a whole"]


def test_what_a_step_tells_of_its_own_input_counts(ours: Ours) -> None:
    run = execution(BEGUN)
    first, second, *_ = guide_steps(run)
    ours.write(run, first, replace(second, input="told"))

    assert ("Fetch topic", "told", None) == ours.content()["Generate outline"]


def test_the_step_that_an_engine_names_comes_before_the_one_that_ended_last(ours: Ours) -> None:
    run = execution(BEGUN)
    first, second, third, *_ = guide_steps(run)
    named: dict[str, Json] = {"previous_step": first.step_id}
    ours.write(run, first, replace(second, output="two"), replace(third, attributes=named))

    assert ("Fetch topic", '{"from":"Fetch topic"}', None) == ours.content()["Expand sections"]


def test_a_step_beside_which_another_ran_received_nothing_that_is_known(ours: Ours) -> None:
    run = execution(BEGUN)
    first, second, third, *_ = guide_steps(run)
    ours.write(
        run, first, replace(second, output="two"), replace(third, started_at=second.started_at)
    )

    assert (None, None) == ours.content()["Expand sections"][:2]


def test_what_a_retry_copied_is_told_by_the_run_that_did_it(ours: Ours) -> None:
    ours.write(*guide_run(BEGUN), *failed_run(BEGUN + MINUTE))

    found = ours.content(FAILED_RUN)

    assert '{"from":"Fetch topic"}' == found["Fetch topic"][2]
    assert ("Fetch topic", '{"from":"Fetch topic"}', None) == found["Generate image"]


# --- errors --------------------------------------------------------------------------------


def test_an_error_is_told_with_its_stack_its_parameters_and_what_was_received(ours: Ours) -> None:
    ours.write(*guide_run(BEGUN), *failed_run(BEGUN + MINUTE))

    (found,) = ours.of("run_errors", FAILED_RUN)

    assert (
        "Generate image",
        "APIStatusError 400",
        "Your request was rejected by our safety system",
        "at draw (cms.ts:7)",
        '{"size":"1024x1024"}',
        '{"from":"Fetch topic"}',
    ) == tuple(
        found[key]
        for key in (
            "step",
            "error_type",
            "error_message",
            "error_stack",
            "parameters",
            "received",
        )
    )


def test_an_error_that_no_step_tells_is_the_runs_own(ours: Ours) -> None:
    told: dict[str, Json] = {"error_stack": "at x"}
    run = execution(BEGUN, status=ERROR, error_type="E", error_message="no", attributes=told)
    ours.write(run, step(run, status=ERROR, error_message="another"))

    whole, found = ours.of("run_errors")

    assert ("the run as a whole", "no", "at x") == (
        whole["step"],
        whole["error_message"],
        whole["error_stack"],
    )
    assert "another" == found["error_message"]


def test_a_run_that_ran_out_of_time_says_so(ours: Ours) -> None:
    ours.write(execution(BEGUN, status=ExecutionStatus.TIMEOUT))

    (found,) = ours.of("run_errors")

    assert "The execution ran into its time limit" == found["error_message"]


def test_a_run_that_went_well_has_no_errors(ours: Ours) -> None:
    ours.write(*guide_run(BEGUN))

    assert [] == ours.of("run_errors")


# --- around it -----------------------------------------------------------------------------


def related(ours: Ours, run: str = GUIDE_RUN) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for row in ours.of("run_siblings", run, order="created_at"):
        found.setdefault(row["relation"], []).append(row["execution_id"])
    return found


def test_the_ten_runs_before_and_after_stand_beside_a_run(ours: Ours) -> None:
    others = [execution(BEGUN + place * MINUTE, f"{place}") for place in range(-12, 13) if place]
    elsewhere = execution(BEGUN + SECOND, "elsewhere", workflow_id="w", workflow="w")
    ours.write(execution(BEGUN), elsewhere, *others)

    assert related(ours) == {
        "earlier": [f"{place}" for place in range(-10, 0)],
        "this run": [GUIDE_RUN],
        "later": [f"{place}" for place in range(1, 11)],
    }


def test_runs_that_have_to_do_with_it_are_told_apart(ours: Ours) -> None:
    other: dict[str, Any] = {"workflow_id": "w", "workflow": "w"}
    ours.write(
        execution(BEGUN, retry_of="first", parent_execution_id="caller", trace_id="ab" * 16),
        execution(BEGUN - MINUTE, "first"),
        execution(BEGUN + MINUTE, "again", retry_of=GUIDE_RUN),
        execution(BEGUN - SECOND, "caller", **other),
        execution(BEGUN + SECOND, "called", parent_execution_id=GUIDE_RUN, **other),
    )
    ours.write(
        execution(BEGUN, "ab" * 16, source="otlp", trace_id="ab" * 16, **other), source="otlp"
    )

    assert related(ours) == {
        "this is a retry of": ["first"],
        "called this": ["caller"],
        "this run": [GUIDE_RUN],
        "in the same trace": ["ab" * 16],
        "called by this": ["called"],
        "is a retry of this": ["again"],
    }


def test_providers_are_shown_as_they_were_while_it_ran(ours: Ours) -> None:
    ours.write(*guide_run(BEGUN))
    ended = {"phase": IncidentPhase.RESOLVED, "resolved_at": BEGUN - MINUTE}
    over = incident(BEGUN - 2 * MINUTE, incident_id="over", **ended)
    there = incident(BEGUN + SECOND, incident_id="there", title="Slow", url="https://x.example")
    for page in (
        reading(BEGUN - MINUTE, StatusLevel.OPERATIONAL, incidents=(over,)),
        reading(BEGUN + 2 * SECOND, StatusLevel.DEGRADED, incidents=(over, there)),
        reading(BEGUN + MINUTE, StatusLevel.MAJOR_OUTAGE, incidents=(over, there)),
    ):
        ours.write(page, source=PAGES, role="status")

    found = {row["provider"]: row for row in ours.of("run_providers")}

    assert ("degraded", "Slow", "https://x.example", 2, 0) == tuple(
        found["openai"][key]
        for key in ("status", "incidents", "incident_url", "calls", "failed_calls")
    )
    assert ("no page", None, 1) == tuple(
        found["anthropic"][key] for key in ("status", "incidents", "calls")
    )


def test_a_page_that_nobody_could_read_is_unknown_and_not_well(ours: Ours) -> None:
    ours.write(*guide_run(BEGUN))
    ours.write(reading(BEGUN - MINUTE, UnknownCause.UNREACHABLE), source=PAGES, role="status")

    (found,) = (row for row in ours.of("run_providers") if row["provider"] == "openai")

    assert ("unknown", "unreachable", None) == (found["status"], found["cause"], found["level"])


def test_results_of_the_run_are_told_and_of_no_other(ours: Ours) -> None:
    run = execution(BEGUN)
    ours.write(run, outcome(run, "posts approved", value=Decimal("2.5")))
    ours.write(outcome(execution(BEGUN, "other")))

    (found,) = ours.of("run_outcomes")

    assert ("posts approved", Decimal("2.5")) == (found["name"], found["value"])


# --- the traces panel ----------------------------------------------------------------------


def frame(ours: Ours, run: str = GUIDE_RUN) -> list[Row]:
    """The rows of the traces panel, after what Grafana demands of them."""
    rows = ours.rows("SELECT * FROM v_run_spans('__all__', %s)", run)
    ids = [row["spanID"] for row in rows]
    assert len(set(ids)) == len(ids)
    for row in rows:
        assert len(row["traceID"]) == 32
        assert int(row["traceID"], 16)
        assert len(row["spanID"]) == 16
        assert int(row["spanID"], 16)
        assert row["parentSpanID"] in (None, *ids)
        assert row["operationName"]
        assert row["serviceName"]
        assert isinstance(row["startTime"], float)
        assert row["startTime"] > 1e12  # milliseconds
        assert row["duration"] >= 0
        assert all(set(tag) == {"key", "value"} for tag in row["tags"])
        names = [tag["key"] for tag in row["tags"]]
        assert len(set(names)) == len(names)  # the panel warns of a tag that stands twice
        assert [{"key": "service.name", "value": row["serviceName"]}] == row["serviceTags"]
        assert all(isinstance(text, str) for text in row["stackTraces"] + row["warnings"])
        for entry in row["logs"]:
            assert entry["timestamp"] > 1e12
            assert all(set(one) == {"key", "value"} for one in entry["fields"])
    assert len({row["traceID"] for row in rows}) <= 1
    assert [row["parentSpanID"] for row in rows].count(None) == min(len(rows), 1)
    return rows


def tags(row: Row) -> dict[str, Any]:
    return {tag["key"]: tag["value"] for tag in row["tags"]}


def test_the_guides_run_shows_as_a_trace_of_which_the_image_took_half(ours: Ours) -> None:
    ours.write(*guide_run(BEGUN))

    root, *spans = frame(ours)

    assert (GUIDE_RUN, "Content generation", 7565.0) == (
        root["traceID"],
        root["operationName"],
        root["duration"],
    )
    assert [(span["operationName"], span["duration"]) for span in spans] == [
        (name, milliseconds) for name, _, milliseconds, _ in SPANS
    ]
    assert [span["spanID"] for span in spans] == [span_id(place) for place in range(5)]
    assert {root["spanID"]} == {span["parentSpanID"] for span in spans}
    assert 1000 * BEGUN.timestamp() == root["startTime"] == spans[0]["startTime"]
    image = spans[3]
    assert 1000 * BEGUN.timestamp() + 45 + 1200 + 2400 == image["startTime"]
    assert 0.50 == round(image["duration"] / root["duration"], 2)
    assert "50.2 %" == tags(image)["share of the run"]


def test_a_span_is_coloured_by_its_service_else_by_its_provider_else_by_its_kind(
    ours: Ours,
) -> None:
    ours.write(*guide_run(BEGUN))

    assert ["code", "database", "openai", "anthropic", "openai", "cms"] == [
        row["serviceName"] for row in frame(ours)
    ]


def test_what_failed_is_marked_and_has_its_stack(ours: Ours) -> None:
    ours.write(*guide_run(BEGUN), *failed_run(BEGUN + MINUTE))

    root, image = frame(ours, FAILED_RUN)

    for row in (root, image):
        assert tags(row)["error"] is True
        assert 2 == row["statusCode"]
    assert ["at draw (cms.ts:7)"] == image["stackTraces"]
    assert '{"from":"Fetch topic"}' == tags(image)["received"]
    assert '{"size":"1024x1024"}' == tags(image)["parameters"]
    assert "circuit_open, refused, truncated" == tags(image)["signals"]
    assert "error" not in {key for row in frame(ours) for key in tags(row)}


def test_ids_that_are_no_spans_make_spans_all_the_same(ours: Ours) -> None:
    run = execution(BEGUN, "17", source="n8n")
    agent = step(run, "Agent#0", started_at=BEGUN, duration_seconds=2)
    model = step(run, "Model#0", parent_step_id="Agent#0", started_at=BEGUN, duration_seconds=1)
    ours.write(run, agent, model, source="n8n")

    root, above, below = frame(ours, "17")

    assert (None, root["spanID"], above["spanID"]) == tuple(
        row["parentSpanID"] for row in (root, above, below)
    )
    assert "Model#0" == tags(below)["step"]


@pytest.mark.parametrize("trace_id", ["0" * 32, "no trace", "AB" * 16, ""])
def test_a_trace_id_that_is_none_is_made_one(ours: Ours, trace_id: str) -> None:
    ours.write(execution(BEGUN, trace_id=trace_id))

    (root,) = frame(ours)

    assert trace_id != root["traceID"]


def test_a_span_of_unknown_time_is_shown_and_says_so(ours: Ours) -> None:
    run = execution(BEGUN, status=RUNNING, started_at=None, finished_at=None)
    ours.write(run, step(run, "a"), step(run, "b", started_at=BEGUN + SECOND))

    root, b, a = frame(ours)

    assert ["it has not ended"] == root["warnings"]
    assert ["its start is unknown"] == a["warnings"]
    assert ["its duration is unknown"] == b["warnings"]
    assert (0, 0) == (a["duration"], b["duration"])


def test_attributes_and_events_of_a_step_are_shown(ours: Ours) -> None:
    told: dict[str, Json] = {
        "http.status_code": 200,
        "nested": {"a": [1]},
        "nothing": None,
        "status": "a word that is taken",
        "events": [{"name": "retrying", "after_seconds": 0.25}, "odd", {"after_seconds": "x"}],
    }
    run = execution(BEGUN)
    ours.write(run, step(run, started_at=BEGUN, duration_seconds=1, attributes=told))

    _, found = frame(ours)

    assert (200, {"a": [1]}, "success") == tuple(
        tags(found)[key] for key in ("http.status_code", "nested", "status")
    )
    assert "nothing" not in tags(found)
    assert {
        "timestamp": 1000 * BEGUN.timestamp() + 250,
        "fields": [{"key": "name", "value": "retrying"}],
    } == found["logs"][0]


@pytest.mark.parametrize("odd", [5, "text", {}, [5], None])
def test_events_of_another_shape_are_no_logs(ours: Ours, odd: Json) -> None:
    run = execution(BEGUN)
    ours.write(run, step(run, started_at=BEGUN, attributes={"events": odd}))

    _, found = frame(ours)

    assert [] == found["logs"]


def test_a_call_that_no_step_made_is_a_span_of_its_own(ours: Ours) -> None:
    run = execution(BEGUN)
    ours.write(
        run,
        call(run, "a", latency_seconds=1.5, prompt="hello"),
        call(run, "whole", calls=0, cost_usd=Decimal(1)),
    )

    _, found = frame(ours)

    assert ("gpt-4", "openai", 1500) == (
        found["operationName"],
        found["serviceName"],
        found["duration"],
    )
    assert "hello" == tags(found)["received"]


def test_a_run_of_which_only_the_end_is_known_is_a_trace_of_one_span(ours: Ours) -> None:
    ours.write(execution(BEGUN, unknown_steps_reason="too_large"))

    (root,) = frame(ours)

    assert "its run data is larger than max_data_mb" == tags(root)["steps_unknown"]


def test_no_run_is_no_trace(ours: Ours) -> None:
    assert [] == frame(ours, "")


# --- size ----------------------------------------------------------------------------------


def test_a_run_of_three_thousand_steps_is_answered(ours: Ours, database_url: str) -> None:
    """The dashboards' role is given 15 seconds; a query for each step would take minutes."""
    run = execution(BEGUN, finished_at=BEGUN + 600 * SECOND)
    many = [
        step(
            run,
            f"{place}",
            name=f"Step {place % 50}",
            kind=StepKind.LLM,
            parent_step_id=f"{place // 10}" if place > 10 else None,
            started_at=BEGUN + place * SECOND / 5,
            duration_seconds=0.2,
            output=f"output {place}",
        )
        for place in range(3_000)
    ]
    calls = [
        call(run, one.step_id, step_id=one.step_id, prompt="p", cost_usd=Decimal(1)) for one in many
    ]
    ours.write(run, *many, *calls)

    with as_dashboards(database_url) as connection:
        for view in ("steps", "time", "cost", "calls", "content", "errors", "spans"):
            (found,) = connection.execute(
                f"SELECT count(*) AS n FROM v_run_{view}('code', %s)".encode(), [GUIDE_RUN]
            ).fetchall()
            assert found["n"] == {"time": 50, "cost": 50, "errors": 0, "content": 3_001}.get(
                view, 3_001 if view == "spans" else 3_000
            )


# --- n8n -----------------------------------------------------------------------------------


@pytest.fixture
def read_n8n(make_app: Callable[..., App], database_url: str, n8n_url: str) -> App:
    """The recorded n8n, read once; it speaks no OpenTelemetry."""
    app = make_app(database_url, n8n_url)
    result = app.pollers[0].poll()
    assert result is not None
    assert result.outcome == "ok", result.detail
    return app


def test_a_run_of_n8n_is_shown_without_opentelemetry(read_n8n: App, ours: Ours) -> None:
    rows = frame(ours, "13")  # an agent with a model and a calculator

    names = {row["spanID"]: row["operationName"] for row in rows}
    below = {
        row["operationName"] for row in rows if names.get(row["parentSpanID"]) == "Onboarding Agent"
    }
    assert {"OpenAI Chat Model", "Calculator"} <= below
    calculator = next(row for row in rows if row["operationName"] == "Calculator")
    assert ('[{"input":"85*49"}]', '[{"response":"4165"}]') == (
        tags(calculator)["received"],
        tags(calculator)["gave"],
    )


def test_a_failed_step_of_n8n_shows_what_it_received_and_how_it_failed(
    read_n8n: App, ours: Ours
) -> None:
    (found,) = ours.of("run_errors", "7")

    assert ("Reject", "Contract is not signed") == (found["step"], found["error_message"])
    assert "StopAndError.node.ts" in found["error_stack"]
    (received,) = json.loads(found["received"])["Signed?"]
    assert received["body"] == {"signed": "no"}


def test_each_step_of_n8n_received_what_the_one_before_it_gave_on(
    read_n8n: App, ours: Ours
) -> None:
    steps = [row for row in ours.of("run_content", "1") if row["step_id"]]

    gave = {row["name"]: row["gave"] for row in steps}
    chain = [(row["received_from"], row["received"]) for row in steps if row["name"] == "SEO Title"]
    assert chain == [("Writer Agent", gave["Writer Agent"])]
    assert gave["Writer Agent"] is not None


def test_time_of_a_run_of_n8n_is_accounted_for(read_n8n: App, ours: Ours) -> None:
    for run in ours.rows(
        "SELECT execution_id FROM executions WHERE status = 'success' AND retry_of IS NULL LIMIT 40"
    ):
        rows = ours.of("run_time", str(run["execution_id"]))
        assert sum(row["own_share"] for row in rows) == pytest.approx(1, abs=0.05), rows
