"""/metrics: what is shown, when, and that its bytes say the same as a reference registry."""

import gzip
import math
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import prometheus_client
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.openmetrics.exposition import generate_latest as openmetrics_of
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as parse_openmetrics,
)
from prometheus_client.parser import text_string_to_metric_families as parse_text

from exporter.interfaces import (
    Change,
    Counter,
    ExecutionChange,
    Increment,
    LlmCallChange,
    PollResult,
    Present,
)
from exporter.records import ExecutionStatus
from exporter.sinks.exposition import Exposition, number
from exporter.sinks.prometheus import METRICS, OTHER, Bookkeeper, LabelCaps

NOW = datetime(2026, 1, 3, 12, tzinfo=UTC)
EVERY = timedelta(seconds=30)
SCRAPE = timedelta(seconds=15)
Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


class Exporter:
    """Bookkeeper and exposition as the poller uses them, and a clock that is turned by hand."""

    def __init__(self, most_values: int = 500) -> None:
        caps = LabelCaps(most_values)
        self.bookkeeper = Bookkeeper(caps)
        self.exposition = Exposition(caps, self.bookkeeper, version="1.2.3")
        self.persisted: dict[tuple[str, tuple[tuple[str, str], ...]], float] = {}
        self.now = NOW

    def register(self, *, caught_up: bool = True, source: str = "n8n") -> None:
        self.exposition.register(source, EVERY, caught_up=caught_up)

    def write(
        self, *changes: Change, caught_up: bool = True, source: str = "n8n", **omissions: int
    ) -> Sequence[Increment]:
        """Commit and show a batch, as session.write and the poller do."""
        moved = self.bookkeeper.increments(source, changes, omissions)
        for step in moved:
            kept = self.persisted.get((step.metric, step.labels))
            if step.keep_max:
                value = step.amount if kept is None else max(kept, step.amount)
            else:
                value = (kept or 0) + step.amount
            self.persisted[step.metric, step.labels] = value
        self.exposition.counted(source, moved, caught_up=caught_up)
        return moved

    def end_poll(self, outcome: str = "ok", source: str = "n8n", reason: str | None = None) -> None:
        self.exposition.polled(
            PollResult(
                source=source,
                outcome=outcome,
                started_at=self.now,
                duration_seconds=0.5,
                newest_at=self.now - timedelta(seconds=10),
                reason=reason,
            )
        )

    def poll(self, *changes: Change, **workflows: bool) -> None:
        self.write(*changes)
        self.exposition.present("n8n", Present(workflows=workflows, open_executions={}))
        self.end_poll()

    def pass_time(self, span: timedelta = SCRAPE) -> None:
        self.now += span

    def scrape(self) -> Samples:
        return samples(parse_text(self.exposition.serve(self.now).decode()))

    def settled(self) -> Samples:
        """What is shown once every series was seen at 0."""
        self.scrape()
        self.pass_time()
        return self.scrape()

    def restarted(self) -> "Exporter":
        again = Exporter()
        again.persisted = dict(self.persisted)
        again.now = self.now
        again.exposition.restore(self.counters())
        return again

    def counters(self) -> list[Counter]:
        return [
            Counter(metric=metric, labels=labels, value=value)
            for (metric, labels), value in self.persisted.items()
        ]


def samples(families: Iterable[prometheus_client.Metric]) -> Samples:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
        if not sample.name.endswith("_created")
    }


def of(found: Samples, name: str, **labels: str) -> dict[tuple[tuple[str, str], ...], float]:
    return {
        key: value
        for (metric, key), value in found.items()
        if metric == name and labels.items() <= dict(key).items()
    }


def one(found: Samples, name: str, **labels: str) -> float | None:
    values = list(of(found, name, **labels).values())
    assert len(values) <= 1
    return values[0] if values else None


def execution(
    status: ExecutionStatus = ExecutionStatus.SUCCESS,
    *,
    workflow: str = "invoices",
    stored: ExecutionStatus | None = None,
    seconds: float | None = 2.0,
    error_type: str | None = None,
    source: str = "n8n",
    items: tuple[int, int] = (0, 0),
    unknown_steps_reason: str | None = None,
    stored_unknown_steps_reason: str | None = None,
) -> ExecutionChange:
    return ExecutionChange(
        source=source,
        workflow=workflow,
        status=status,
        stored_status=stored,
        created_at=NOW - timedelta(minutes=1),
        finished_at=NOW if status.is_final else None,
        duration_seconds=seconds if status.is_final else None,
        error_type=error_type,
        items_succeeded_added=items[0] - items[1],
        items_failed_added=items[1],
        unknown_steps_reason=unknown_steps_reason,
        stored_unknown_steps_reason=stored_unknown_steps_reason,
    )


def call(
    *,
    workflow: str = "invoices",
    model: str = "gpt-5",
    is_new: bool = True,
    latency_seconds: float | None = 1.5,
    tokens: tuple[int, int] = (100, 20),
    cost: str = "0.25",
    is_unpriced: bool = False,
) -> LlmCallChange:
    return LlmCallChange(
        source="n8n",
        workflow=workflow,
        provider="openai",
        model=model,
        status=ExecutionStatus.SUCCESS,
        is_new=is_new,
        is_unpriced=is_unpriced,
        latency_seconds=latency_seconds,
        time_to_first_token_seconds=None,
        input_tokens_added=tokens[0],
        output_tokens_added=tokens[1],
        cost_usd_added=Decimal(cost),
        cost_source=None if is_unpriced else "priced",
    )


@pytest.fixture
def exporter() -> Exporter:
    made = Exporter()
    made.register()
    made.poll(invoices=True)
    made.settled()
    return made


# --- the list of metrics -------------------------------------------------------------------


def test_a_counter_ends_in_total_and_nothing_else_does() -> None:
    assert {name for name, metric in METRICS.items() if metric.kind == "counter"} == {
        name for name in METRICS if name.endswith("_total")
    }


@pytest.mark.parametrize("name", METRICS)
def test_a_metric_has_our_prefix_a_sentence_and_known_labels(name: str) -> None:
    metric = METRICS[name]

    assert name.startswith("aiwf_")
    assert metric.help.endswith(".")
    assert "\n" not in metric.help
    assert set(metric.labels) <= {
        "source", "workflow", "status", "provider", "model", "direction", "error_type", "result",
        "reason", "outcome", "version", "label", "cost_source", "cost_kind", "window", "balance",
        "unit", "report", "amounts", "page", "component", "cause", "kind", "alert", "signal",
        "target", "budget", "scope_value", "measure",
    }  # fmt: skip


@pytest.mark.parametrize("name", METRICS)
def test_only_a_histogram_has_buckets_and_they_rise(name: str) -> None:
    metric = METRICS[name]

    assert (metric.kind == "histogram") == bool(metric.buckets)
    assert sorted(set(metric.buckets)) == list(metric.buckets)


@pytest.mark.parametrize("name", METRICS)
def test_the_unit_of_a_metric_is_a_base_unit(name: str) -> None:
    assert not name.removesuffix("_total").endswith(("_ms", "_milliseconds", "_minutes", "_kb"))


def test_every_series_carries_the_labels_of_its_family(exporter: Exporter) -> None:
    exporter.poll(
        execution(ExecutionStatus.ERROR, error_type="X", items=(5, 2)), call(), invoices=True
    )
    exporter.write(not_saved=1)
    exporter.exposition.rhythms({("n8n", "invoices"): 3600})

    wrong = []
    for family in parse_text(exporter.exposition.serve(exporter.now).decode()):
        name = family.name if family.name in METRICS else f"{family.name}_total"
        for sample in family.samples:
            if sample.labels.keys() - {"le"} != set(METRICS[name].labels):
                wrong.append(sample)
    assert [] == wrong


# --- bytes ---------------------------------------------------------------------------------

NAMES = st.text(min_size=1, max_size=12) | st.sampled_from(
    ['say "hi"', "back\\slash", "\\n", "line\nbreak", "nul\0", "🦑", "a,b={}", "é\u0301", "\\", '"']
)


@given(names=st.lists(NAMES, min_size=1, max_size=4, unique=True))
def test_both_formats_carry_any_label_value(names: list[str]) -> None:
    exporter = Exporter()
    exporter.register()
    exporter.poll(*(execution(workflow=name) for name in names), w=True)
    exporter.settled()

    for parse, body in (
        (parse_text, exporter.exposition.serve(exporter.now)),
        (parse_openmetrics, exporter.exposition.serve(exporter.now, openmetrics=True)),
    ):
        found = samples(parse(body.decode()))
        assert dict.fromkeys(names, 1) == {
            dict(key)["workflow"]: value
            for key, value in of(found, "aiwf_executions_total", status="success").items()
            if dict(key)["workflow"] != "w" or "w" in names
        }


@given(
    seconds=st.lists(st.floats(0, 10_000, allow_nan=False), min_size=1, max_size=30),
    tokens=st.integers(0, 10**12),
)
def test_values_equal_those_of_a_reference_registry(seconds: list[float], tokens: int) -> None:
    exporter = Exporter()
    exporter.register()
    exporter.poll(invoices=True)
    exporter.settled()
    registry = prometheus_client.CollectorRegistry()
    duration = prometheus_client.Histogram(
        "aiwf_execution_duration_seconds",
        "-",
        ["source", "workflow"],
        buckets=METRICS["aiwf_execution_duration_seconds"].buckets,
        registry=registry,
    )
    ended = prometheus_client.Counter(
        "aiwf_executions", "-", ["source", "workflow", "status"], registry=registry
    )
    used = prometheus_client.Counter(
        "aiwf_llm_tokens",
        "-",
        ["source", "workflow", "provider", "model", "direction"],
        registry=registry,
    )
    for value in seconds:
        exporter.poll(execution(seconds=value), call(tokens=(tokens, 1)))
        duration.labels("n8n", "invoices").observe(value)
        ended.labels("n8n", "invoices", "success").inc()
        used.labels("n8n", "invoices", "openai", "gpt-5", "input").inc(tokens)
        used.labels("n8n", "invoices", "openai", "gpt-5", "output").inc(1)
    exporter.settled()

    for parse, expected, body in (
        (
            parse_text,
            prometheus_client.generate_latest(registry),
            exporter.exposition.serve(exporter.now),
        ),
        (
            parse_openmetrics,
            openmetrics_of(registry),
            exporter.exposition.serve(exporter.now, openmetrics=True),
        ),
    ):
        found = _bounds_as_numbers(samples(parse(body.decode())))
        for series, value in _bounds_as_numbers(samples(parse(expected.decode()))).items():
            assert value == pytest.approx(found.get(series), rel=1e-12), series


def _bounds_as_numbers(found: Samples) -> dict[object, float]:
    """`le="1"` and `le="1.0"` name one bound."""
    return {
        (name, tuple((key, float(text) if key == "le" else text) for key, text in labels)): value
        for (name, labels), value in found.items()
    }


def test_families_have_the_type_that_is_declared(exporter: Exporter) -> None:
    exporter.poll(execution(), call(), invoices=True)

    for parse, openmetrics in ((parse_text, False), (parse_openmetrics, True)):
        body = exporter.exposition.serve(exporter.now, openmetrics=openmetrics).decode()
        shown = {family.name: family.type for family in parse(body)}
        assert shown == {
            name.removesuffix("_total"): METRICS[name].kind
            for name in METRICS
            if name.removesuffix("_total") in shown
        }


def test_openmetrics_ends_with_its_mark_and_text_does_not(exporter: Exporter) -> None:
    assert exporter.exposition.serve(NOW, openmetrics=True).endswith(b"# EOF\n")
    assert b"# EOF" not in exporter.exposition.serve(NOW)


@pytest.mark.parametrize("openmetrics", [False, True])
def test_gzip_holds_the_plain_bytes(exporter: Exporter, openmetrics: bool) -> None:
    plain = exporter.exposition.serve(exporter.now, openmetrics=openmetrics)
    packed = exporter.exposition.serve(exporter.now, openmetrics=openmetrics, compress=True)

    assert plain == gzip.decompress(packed)


@pytest.mark.parametrize("openmetrics", [False, True])
@pytest.mark.parametrize("compress", [False, True])
def test_the_same_object_is_served_while_nothing_changed(
    exporter: Exporter, openmetrics: bool, compress: bool
) -> None:
    def serve() -> bytes:
        return exporter.exposition.serve(exporter.now, openmetrics=openmetrics, compress=compress)

    first = serve()
    exporter.exposition.serve(exporter.now, openmetrics=not openmetrics, compress=not compress)
    exporter.pass_time()

    assert first is serve()


def test_a_change_is_served_at_once_in_every_form(exporter: Exporter) -> None:
    before = [
        exporter.exposition.serve(exporter.now, openmetrics=openmetrics, compress=compress)
        for openmetrics in (False, True)
        for compress in (False, True)
    ]
    exporter.end_poll("later")

    after = [
        exporter.exposition.serve(exporter.now, openmetrics=openmetrics, compress=compress)
        for openmetrics in (False, True)
        for compress in (False, True)
    ]
    assert not set(before) & set(after)


def test_no_sample_carries_a_timestamp(exporter: Exporter) -> None:
    exporter.poll(execution(), call())

    body = exporter.exposition.serve(exporter.now).decode()

    assert all(sample.timestamp is None for family in parse_text(body) for sample in family.samples)


@given(value=st.floats(allow_nan=False) | st.integers(-(2**60), 2**60))
def test_a_number_is_read_back_as_it_was(value: float) -> None:
    assert float(value) == float(number(value))


def test_a_boolean_is_one_or_zero() -> None:
    assert ("1", "0") == (number(True), number(False))


# --- a first backlog -----------------------------------------------------------------------


def test_counters_of_a_source_that_is_not_caught_up_are_hidden() -> None:
    exporter = Exporter()
    exporter.register(caught_up=False)
    exporter.write(execution(), call(), caught_up=False)
    exporter.end_poll()

    found = exporter.scrape()

    assert {} == of(found, "aiwf_executions_total")
    assert {} == of(found, "aiwf_llm_cost_usd_total")
    assert 0 == one(found, "aiwf_source_caught_up", source="n8n")


def test_imported_history_is_there_at_once_and_makes_no_rise() -> None:
    """First shown at its full value, a series gives increase() nothing to add."""
    exporter = Exporter()
    exporter.register(caught_up=False)
    exporter.write(execution(), execution(), caught_up=False)
    exporter.scrape()
    exporter.write(execution(), caught_up=True)
    exporter.end_poll()

    assert 3 == one(exporter.scrape(), "aiwf_executions_total", status="success")


def test_a_source_that_was_caught_up_stays_so_in_a_batch_that_is_not(exporter: Exporter) -> None:
    exporter.write(execution(), caught_up=False)

    assert 1 == one(exporter.settled(), "aiwf_executions_total", status="success")


def test_a_backlog_of_one_source_hides_no_other(exporter: Exporter) -> None:
    exporter.register(source="second", caught_up=False)
    exporter.write(execution(source="second"), caught_up=False, source="second")
    exporter.poll(execution())

    found = exporter.settled()

    assert {"n8n"} == {dict(key)["source"] for key in of(found, "aiwf_executions_total")}


# --- series are born at 0 ------------------------------------------------------------------


def test_every_final_status_of_a_known_workflow_exists_at_zero() -> None:
    exporter = Exporter()
    exporter.register()
    exporter.poll(invoices=True)

    shown = of(exporter.scrape(), "aiwf_executions_total", workflow="invoices")

    assert {0} == set(shown.values())
    assert {"success", "error", "timeout", "canceled", "crashed", "pruned"} == {
        dict(key)["status"] for key in shown
    }


def test_a_series_born_later_is_zero_first_and_then_its_value(exporter: Exporter) -> None:
    exporter.poll(execution(ExecutionStatus.ERROR, error_type="Timeout", workflow="new"))

    first = exporter.scrape()
    exporter.pass_time()
    second = exporter.scrape()

    for name in (
        "aiwf_execution_errors_total",
        "aiwf_execution_duration_seconds_count",
        "aiwf_execution_duration_seconds_sum",
    ):
        assert 0 == one(first, name, workflow="new"), name
        assert one(second, name, workflow="new"), name


def test_a_newborn_series_is_zero_for_every_scraper_of_the_first_interval(
    exporter: Exporter,
) -> None:
    exporter.poll(execution(workflow="new"))
    exporter.scrape()
    exporter.pass_time(timedelta(seconds=14))

    assert 0 == one(exporter.scrape(), "aiwf_executions_total", workflow="new", status="success")


def test_a_newborn_series_waits_for_its_first_scrape(exporter: Exporter) -> None:
    exporter.poll(execution(workflow="new"))
    exporter.pass_time(timedelta(minutes=2))
    exporter.end_poll()

    assert 0 == one(exporter.scrape(), "aiwf_executions_total", workflow="new", status="success")


def test_a_series_born_while_its_source_is_hidden_is_zero_when_it_appears(
    exporter: Exporter,
) -> None:
    """After a long silence, or a restart, the first poll itself brings new series."""
    exporter.pass_time(timedelta(hours=1))  # stale
    exporter.write(execution(ExecutionStatus.ERROR, error_type="Timeout"))
    exporter.scrape()  # the poll is still under way
    exporter.pass_time()
    exporter.scrape()
    exporter.pass_time()
    exporter.end_poll()

    assert 0 == one(exporter.scrape(), "aiwf_execution_errors_total")
    exporter.pass_time()
    assert 1 == one(exporter.scrape(), "aiwf_execution_errors_total")


@given(data=st.data())
def test_a_counter_never_falls(data: st.DataObject) -> None:
    exporter = Exporter()
    exporter.register(caught_up=data.draw(st.booleans()))
    statuses = st.sampled_from([ExecutionStatus.SUCCESS, ExecutionStatus.ERROR])
    seen: Samples = {}
    for _ in range(data.draw(st.integers(1, 12))):
        match data.draw(st.integers(0, 4)):
            case 0:
                exporter.write(
                    execution(
                        data.draw(statuses),
                        workflow=data.draw(st.sampled_from("ab")),
                        seconds=data.draw(st.floats(0, 5000)),
                    ),
                    caught_up=data.draw(st.booleans()),
                )
            case 1:
                exporter.end_poll(data.draw(st.sampled_from(["ok", "later"])))
            case 2:
                exporter.pass_time(timedelta(seconds=data.draw(st.integers(1, 600))))
            case 3:
                exporter.poll(a=True)
            case _:
                found = exporter.scrape()
                for series, value in found.items():
                    if series[0].endswith(("_total", "_count", "_sum", "_bucket")):
                        assert value >= seen.get(series, 0)
                        seen[series] = value


# --- staleness -----------------------------------------------------------------------------


def test_a_stale_source_shows_no_value_of_its_own(exporter: Exporter) -> None:
    exporter.exposition.rhythms({("n8n", "invoices"): 3600})
    exporter.poll(execution(), call(), invoices=True)
    exporter.pass_time(timedelta(minutes=6))

    shown = {name for name, _ in exporter.scrape()}

    assert {name for name in shown if name in METRICS and METRICS[name].per_source} == set()
    assert not any(name.startswith("aiwf_execution") for name in shown)


def test_a_family_without_series_is_not_announced(exporter: Exporter) -> None:
    exporter.poll(execution(), call(), invoices=True)
    exporter.pass_time(timedelta(minutes=6))

    body = exporter.exposition.serve(exporter.now).decode()

    assert [] == [family.name for family in parse_text(body) if not family.samples]


def test_a_stale_source_keeps_its_self_metrics(exporter: Exporter) -> None:
    exporter.pass_time(timedelta(minutes=6))

    found = exporter.scrape()

    for name in (
        "aiwf_source_up",
        "aiwf_source_caught_up",
        "aiwf_last_success_timestamp_seconds",
        "aiwf_source_lag_seconds",
        "aiwf_poll_duration_seconds",
    ):
        assert one(found, name, source="n8n") is not None, name
    assert 1 == one(found, "aiwf_polls_total", source="n8n", outcome="ok")


def test_a_source_is_stale_after_five_of_its_intervals_and_not_before() -> None:
    exporter = Exporter()
    exporter.exposition.register("n8n", timedelta(minutes=2), caught_up=True)
    exporter.poll(invoices=True)
    exporter.pass_time(timedelta(minutes=10))
    assert of(exporter.scrape(), "aiwf_executions_total")
    exporter.pass_time(timedelta(seconds=1))

    assert {} == of(exporter.scrape(), "aiwf_executions_total")


def test_failing_polls_do_not_keep_a_source_fresh(exporter: Exporter) -> None:
    exporter.pass_time(timedelta(minutes=6))
    exporter.end_poll("later")

    assert {} == of(exporter.scrape(), "aiwf_executions_total")


def test_a_source_that_answers_again_shows_its_values_again(exporter: Exporter) -> None:
    exporter.poll(execution(), invoices=True)
    exporter.settled()
    exporter.pass_time(timedelta(minutes=6))
    exporter.scrape()
    exporter.end_poll()

    assert 1 == one(exporter.scrape(), "aiwf_executions_total", status="success")


def test_staleness_of_one_source_hides_no_other(exporter: Exporter) -> None:
    exporter.register(source="second")
    exporter.pass_time(timedelta(minutes=6))
    exporter.write(execution(source="second"), source="second")
    exporter.end_poll(source="second")

    assert {"second"} == {
        dict(key)["source"] for key in of(exporter.scrape(), "aiwf_executions_total")
    }


# --- restarts ------------------------------------------------------------------------------


def test_a_restart_neither_loses_nor_invents(exporter: Exporter) -> None:
    exporter.poll(
        execution(), execution(ExecutionStatus.ERROR, error_type="X", items=(7, 2)), call()
    )
    before = exporter.settled()
    again = exporter.restarted()
    again.register()
    again.poll(invoices=True)

    after = again.settled()

    kept = {
        series: value
        for series, value in before.items()
        if series[0].startswith(("aiwf_execution", "aiwf_llm", "aiwf_items"))
    }
    assert kept == {series: after.get(series) for series in kept}


def test_restored_series_are_shown_at_their_value_not_at_zero(exporter: Exporter) -> None:
    exporter.poll(execution())
    again = exporter.restarted()
    again.register()
    again.end_poll()

    assert 1 == one(again.scrape(), "aiwf_executions_total", status="success")


def test_what_is_counted_after_a_restart_is_added(exporter: Exporter) -> None:
    exporter.poll(execution())
    again = exporter.restarted()
    again.register()
    again.poll(execution())

    assert 2 == one(again.scrape(), "aiwf_executions_total", status="success")


def test_after_a_restart_nothing_is_shown_before_the_first_good_poll(exporter: Exporter) -> None:
    exporter.poll(execution())
    again = exporter.restarted()
    again.register()

    assert {} == of(again.scrape(), "aiwf_executions_total")


def test_the_last_end_survives_a_restart_and_never_goes_back(exporter: Exporter) -> None:
    exporter.poll(execution())
    again = exporter.restarted()
    again.register()
    older = execution()
    object.__setattr__(older, "finished_at", NOW - timedelta(days=1))
    again.poll(older)

    assert NOW.timestamp() == one(
        again.scrape(), "aiwf_last_execution_timestamp_seconds", status="success"
    )


def test_a_restart_lets_in_the_label_values_of_before() -> None:
    exporter = Exporter()
    exporter.register()
    exporter.poll(execution(workflow="first"))
    tight = Exporter(most_values=1)
    tight.exposition.restore(exporter.counters())
    tight.register()
    tight.poll(execution(workflow="second"), execution(workflow="first"))

    counts = {
        dict(key)["workflow"]: value
        for key, value in of(tight.settled(), "aiwf_executions_total", status="success").items()
    }
    assert {"first": 2, OTHER: 1} == counts


# --- label caps ----------------------------------------------------------------------------


def test_values_beyond_the_cap_are_counted_under_other() -> None:
    exporter = Exporter(most_values=2)
    exporter.register()
    exporter.poll(*(execution(workflow=name) for name in ("a", "b", "c", "d", "a", "c")))

    found = exporter.settled()

    assert {"a": 2, "b": 1, OTHER: 3} == {
        dict(key)["workflow"]: value
        for key, value in of(found, "aiwf_executions_total", status="success").items()
    }
    assert 2 == one(found, "aiwf_label_values_folded", label="workflow")


@given(workflows=st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=40))
def test_folding_loses_no_execution(workflows: list[str]) -> None:
    exporter = Exporter(most_values=3)
    exporter.register()
    exporter.poll(*(execution(workflow=name) for name in workflows))

    shown = of(exporter.settled(), "aiwf_executions_total", status="success")

    assert len(workflows) == sum(shown.values())
    assert len(shown) <= 4


def test_running_executions_of_folded_workflows_are_added_up() -> None:
    exporter = Exporter(most_values=1)
    exporter.register()
    exporter.exposition.present(
        "n8n",
        Present(
            workflows={"a": True, "b": True, "c": True},
            open_executions={("b", "running"): 2, ("c", "running"): 3},
        ),
    )
    exporter.end_poll()

    assert 5 == one(exporter.scrape(), "aiwf_executions_running", workflow=OTHER, status="running")


def test_a_folded_workflow_is_active_if_one_of_them_is() -> None:
    exporter = Exporter(most_values=1)
    exporter.register()
    exporter.exposition.present(
        "n8n", Present(workflows={"a": True, "b": True, "c": False}, open_executions={})
    )
    exporter.end_poll()

    assert 1 == one(exporter.scrape(), "aiwf_workflow_active", workflow=OTHER)


def test_statuses_and_sources_are_never_folded() -> None:
    exporter = Exporter(most_values=1)
    exporter.register()
    exporter.poll(execution(), execution(ExecutionStatus.ERROR, error_type="X"))

    statuses = {
        dict(key)["status"]
        for key, value in of(exporter.settled(), "aiwf_executions_total").items()
        if value
    }
    assert {"success", "error"} == statuses


# --- histograms ----------------------------------------------------------------------------


@given(
    seconds=st.lists(
        st.floats(0, 100_000, allow_nan=False) | st.sampled_from([0.1, 1, 2.5, 10, 3600]),
        min_size=1,
        max_size=40,
    )
)
def test_buckets_are_cumulative_and_agree_with_count_and_sum(seconds: list[float]) -> None:
    exporter = Exporter()
    exporter.register()
    for value in seconds:
        exporter.write(execution(seconds=value))
    exporter.end_poll()

    found = exporter.settled()

    buckets = sorted(
        (float(dict(key)["le"]), value)
        for key, value in of(found, "aiwf_execution_duration_seconds_bucket").items()
    )
    assert [sum(value <= bound for value in seconds) for bound, _ in buckets] == [
        value for _, value in buckets
    ]
    assert (math.inf, len(seconds)) == buckets[-1]
    assert len(seconds) == one(found, "aiwf_execution_duration_seconds_count")
    assert sum(seconds) == pytest.approx(one(found, "aiwf_execution_duration_seconds_sum"))


def test_a_histogram_shows_every_bucket_from_its_first_observation(exporter: Exporter) -> None:
    """histogram_quantile takes the first bucket it sees to begin at 0."""
    exporter.poll(execution(seconds=100))

    bounds = {
        float(dict(key)["le"])
        for key in of(exporter.settled(), "aiwf_execution_duration_seconds_bucket")
    }
    assert {*METRICS["aiwf_execution_duration_seconds"].buckets, math.inf} == bounds


# --- what is counted -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "counted"),
    [
        (execution(ExecutionStatus.RUNNING), 0),
        (execution(), 1),
        (execution(stored=ExecutionStatus.RUNNING), 1),
        (execution(stored=ExecutionStatus.SUCCESS), 0),
        (execution(ExecutionStatus.CANCELED, stored=ExecutionStatus.ERROR), 1),
    ],
    ids=["still running", "new and final", "ended now", "seen before", "ended differently"],
)
def test_an_execution_is_counted_when_it_ends(
    exporter: Exporter, change: ExecutionChange, counted: int
) -> None:
    exporter.poll(change)

    shown = of(exporter.settled(), "aiwf_executions_total")

    assert counted == sum(shown.values())


def test_an_error_without_type_is_counted_under_its_status(exporter: Exporter) -> None:
    exporter.poll(execution(ExecutionStatus.CRASHED))

    assert 1 == one(exporter.settled(), "aiwf_execution_errors_total", error_type="crashed")


@pytest.mark.parametrize("status", [ExecutionStatus.CANCELED, ExecutionStatus.PRUNED])
def test_a_cancelled_or_pruned_execution_is_no_error(
    exporter: Exporter, status: ExecutionStatus
) -> None:
    exporter.poll(execution(status))

    assert {} == of(exporter.settled(), "aiwf_execution_errors_total")


def test_a_duration_is_observed_once_even_if_the_end_changes(exporter: Exporter) -> None:
    exporter.poll(execution(ExecutionStatus.ERROR, error_type="X"))
    exporter.poll(execution(stored=ExecutionStatus.ERROR))

    assert 1 == one(exporter.settled(), "aiwf_execution_duration_seconds_count")


def test_items_are_counted_by_result_and_never_fall(exporter: Exporter) -> None:
    exporter.poll(execution(items=(10, 3)))
    exporter.poll(execution(stored=ExecutionStatus.SUCCESS, items=(-4, -1)))

    found = exporter.settled()

    assert 7 == one(found, "aiwf_items_total", result="success")
    assert 3 == one(found, "aiwf_items_total", result="failed")


def test_a_call_is_counted_once_and_its_amounts_as_they_grow(exporter: Exporter) -> None:
    exporter.poll(call(tokens=(100, 0), cost="0.25"))
    exporter.poll(call(is_new=False, tokens=(50, 20), cost="0.5"))

    found = exporter.settled()

    assert 1 == one(found, "aiwf_llm_calls_total")
    assert 150 == one(found, "aiwf_llm_tokens_total", direction="input")
    assert 20 == one(found, "aiwf_llm_tokens_total", direction="output")
    assert 0.75 == one(found, "aiwf_llm_cost_usd_total")
    assert 1 == one(found, "aiwf_llm_call_duration_seconds_count")


def test_an_unpriced_call_is_counted_apart_from_cost(exporter: Exporter) -> None:
    exporter.poll(call(is_unpriced=True, cost="0"))

    found = exporter.settled()

    assert 1 == one(found, "aiwf_llm_unpriced_calls_total", model="gpt-5")
    assert {} == of(found, "aiwf_llm_cost_usd_total")


def test_what_was_left_out_is_counted_by_reason(exporter: Exporter) -> None:
    exporter.write(not_saved=2, no_time=1)

    found = exporter.settled()

    assert 2 == one(found, "aiwf_source_omissions_total", reason="not_saved")
    assert 1 == one(found, "aiwf_source_omissions_total", reason="no_time")


def test_unknown_steps_are_counted_once_for_each_execution_and_reason(exporter: Exporter) -> None:
    exporter.poll(execution(unknown_steps_reason="too_large"))
    exporter.poll(
        execution(
            stored=ExecutionStatus.SUCCESS,
            unknown_steps_reason="too_large",
            stored_unknown_steps_reason="too_large",
        )
    )

    assert 1 == one(exporter.settled(), "aiwf_source_omissions_total", reason="too_large")


# --- the exporter about itself -------------------------------------------------------------


def test_the_version_is_shown_before_anything_is_registered() -> None:
    assert 1 == one(Exporter().scrape(), "aiwf_build_info", version="1.2.3")


def test_every_outcome_exists_at_zero_from_the_start() -> None:
    exporter = Exporter()
    exporter.register()

    shown = of(exporter.scrape(), "aiwf_polls_total", source="n8n")

    assert {0} == set(shown.values())
    assert {"ok", "later", "refused", "blocked", "failed"} <= {
        dict(key)["outcome"] for key in shown
    }


@pytest.mark.parametrize(
    ("outcome", "up"), [("ok", 1), ("later", 0), ("refused", 0), ("blocked", 0), ("failed", 0)]
)
def test_a_source_is_up_while_its_last_poll_ended_well(
    exporter: Exporter, outcome: str, up: int
) -> None:
    exporter.end_poll(outcome)

    assert up == one(exporter.scrape(), "aiwf_source_up", source="n8n")


def test_whether_a_source_is_up_is_said_by_the_exporter_that_polls_it(exporter: Exporter) -> None:
    exporter.end_poll("standby")

    assert {} == of(exporter.scrape(), "aiwf_source_up")


def test_a_problem_is_shown_with_its_reason_until_it_is_gone(exporter: Exporter) -> None:
    exporter.end_poll("refused", reason="auth")
    assert 1 == one(exporter.scrape(), "aiwf_source_problem", source="n8n", reason="auth")
    exporter.end_poll("refused", reason="schema")
    assert ["schema"] == [
        dict(key)["reason"] for key in of(exporter.scrape(), "aiwf_source_problem")
    ]
    exporter.end_poll()

    assert {} == of(exporter.scrape(), "aiwf_source_problem")


def test_lag_is_the_age_of_the_newest_record(exporter: Exporter) -> None:
    assert 10.5 == one(exporter.scrape(), "aiwf_source_lag_seconds", source="n8n")


def test_a_forgotten_source_leaves_nothing_behind(exporter: Exporter) -> None:
    exporter.poll(execution(), invoices=True)
    exporter.exposition.forget("n8n")

    assert {"aiwf_build_info"} == {name for name, _ in exporter.settled()}


@pytest.mark.parametrize(
    "late",
    [
        lambda exporter: exporter.write(execution()),
        lambda exporter: exporter.poll(invoices=True),
        lambda exporter: exporter.end_poll(),
    ],
    ids=["counted", "present", "polled"],
)
def test_a_poll_that_ends_after_its_source_was_forgotten_brings_nothing_back(
    exporter: Exporter, late: Callable[[Exporter], object]
) -> None:
    exporter.exposition.forget("n8n")

    late(exporter)

    assert {"aiwf_build_info"} == {name for name, _ in exporter.settled()}


def test_what_was_committed_while_forgotten_is_there_when_the_source_is_back(
    exporter: Exporter,
) -> None:
    """A reload that removes a source and another that brings it back; a poll was under way."""
    exporter.exposition.forget("n8n")
    exporter.write(execution())
    exporter.register()
    exporter.poll(execution())

    assert 2 == one(exporter.settled(), "aiwf_executions_total", status="success")
