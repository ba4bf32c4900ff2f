"""Gauges of what is usual: one beyond the cap has none, and of nothing a dollar is infinite."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from prometheus_client.parser import text_string_to_metric_families

from exporter.interfaces import PollResult
from exporter.records import Anomaly, Comparison, Measure
from exporter.sinks.baseline_gauges import anomaly_gauges, cost_gauges
from exporter.sinks.exposition import Exposition
from exporter.sinks.prometheus import Bookkeeper, LabelCaps

NOW = datetime(2026, 11, 24, 15, tzinfo=UTC)
BEGAN_AT = NOW.replace(hour=0)


def exposition_of(most_values: int) -> Exposition:
    caps = LabelCaps(most_values)
    exposition = Exposition(caps, Bookkeeper(caps), version="1")
    exposition.register("n8n", timedelta(minutes=1), caught_up=True)
    exposition.polled(
        PollResult(
            source="n8n",
            started_at=NOW,
            outcome="ok",
            detail=None,
            records=0,
            duration_seconds=0,
            newest_at=None,
        )
    )
    return exposition


def cost(workflow: str, usd: int) -> Comparison:
    return Comparison(
        source="n8n",
        workflow_id=workflow,
        workflow=workflow,
        measure=Measure.COST_PER_DAY,
        day=NOW.date(),
        baseline_value=Decimal(1),
        observed_value=Decimal(usd),
    )


def test_workflows_beyond_the_cap_share_a_cost_and_have_no_usual_one() -> None:
    labels = exposition_of(1).labels
    days = [cost("first", 5), cost("second", 7), cost("third", 8)]

    gauges = cost_gauges(days, NOW.date(), labels)

    by_workflow = {
        metric: {dict(series)["workflow"]: value for series, value in values.items()}
        for metric, values in gauges.items()
    }
    assert {"first": 5, "other": 15} == by_workflow["aiwf_workflow_cost_usd"]
    assert {"first": 1} == by_workflow["aiwf_cost_baseline_usd"]


def test_a_cost_where_nothing_is_usual_is_infinitely_far_and_can_be_read() -> None:
    exposition = exposition_of(10)
    found = Anomaly(
        source="n8n",
        workflow_id="1",
        workflow="Posts",
        measure=Measure.COST_PER_DAY,
        day=NOW.date(),
        baseline_value=Decimal(0),
        observed_value=Decimal(5),
        execution_id="",
        first_seen_at=NOW,
        last_seen_at=NOW,
    )

    gauges = anomaly_gauges([found], NOW.date(), BEGAN_AT, NOW, exposition.labels)
    for metric, values in gauges.items():
        exposition.own_all(metric, values)

    served = exposition.serve(NOW).decode()
    families = {one.name: one.samples for one in text_string_to_metric_families(served)}
    assert [float("inf")] == [sample.value for sample in families["aiwf_anomaly_ratio"]]
    assert "} +Inf\n" in served
