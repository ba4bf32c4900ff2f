"""What of a source is true now → gauges."""

from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal

from exporter.interfaces import Present
from exporter.records import OPEN_STATUSES
from exporter.sinks.prometheus import Bookkeeper, Labels

Series = tuple[str, Labels]


def gauges_of(source: str, present: Present, bookkeeper: Bookkeeper) -> dict[Series, float]:
    """Return the gauges of a source; what is not known has none."""
    gauges: dict[Series, float] = defaultdict(float)
    waited_for = {workflow for workflow, _ in present.open_executions}
    for workflow in sorted({*present.workflows, *waited_for}):
        active = present.workflows.get(workflow, False)
        series = ("aiwf_workflow_active", bookkeeper.labels(source=source, workflow=workflow))
        gauges[series] = max(active, gauges[series])
        for status in OPEN_STATUSES:
            with_status = bookkeeper.labels(source=source, workflow=workflow, status=status)
            count = present.open_executions.get((workflow, status), 0)
            gauges["aiwf_executions_running", with_status] += count
    for metric, labels, value in _of_providers(present):
        if value is not None:
            gauges[metric, bookkeeper.labels(source=source, **labels)] = float(value)
    for metric, labels, level in _of_pages(present):
        if level is not None:
            series = (metric, bookkeeper.labels(source=source, **labels))
            gauges[series] = max(gauges[series], level)  # components beyond the cap share one
    return dict(gauges)


def _of_providers(
    present: Present,
) -> Iterator[tuple[str, dict[str, str], Decimal | float | None]]:
    for spend in present.spend:
        labels = {"provider": spend.provider, "cost_kind": spend.cost_kind}
        yield "aiwf_provider_cost_as_of_timestamp_seconds", labels, spend.as_of.timestamp()
        yield "aiwf_provider_cost_usd", {**labels, "window": spend.cost_window}, spend.cost_usd
    for left in present.balances:
        labels = {"provider": left.provider, "balance": left.balance, "unit": left.unit}
        yield "aiwf_provider_balance", labels, left.remaining
        yield "aiwf_provider_balance_limit", labels, left.limit_amount
    for report in present.coverage:
        yield (
            "aiwf_usage_complete_until_timestamp_seconds",
            {"provider": report.provider, "report": report.report, "amounts": report.amounts},
            report.complete_until.timestamp(),
        )


def _of_pages(present: Present) -> Iterator[tuple[str, dict[str, str], float | None]]:
    for page in present.pages:
        of_page = {"page": page.page}
        yield "aiwf_provider_status_known", of_page, page.level is not None
        yield "aiwf_provider_incidents_open", of_page, page.open_incidents
        if page.cause is not None:
            yield "aiwf_provider_status_unknown", {**of_page, "cause": page.cause}, 1
        for component, level in {"": page.level, **page.components}.items():
            yield "aiwf_provider_status_level", {**of_page, "component": component}, level
        for provider in page.providers or ("",):
            labels = {"provider": provider, "kind": page.kind, "alert": page.alert}
            yield "aiwf_provider_status_page_info", {**of_page, **labels}, 1
