"""Azure OpenAI's usage and costs: what we store is what Azure says at the end of the month."""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from pydantic import ValidationError

from exporter.demo.providers.azure_api import CLIENT_SECRET, AzureApi, resource_id
from exporter.demo.providers.bad_days import RateLimited
from exporter.demo.providers.charges import charges
from exporter.demo.providers.cloud_organizations import AZURE
from exporter.demo.providers.ledger import Ledger, Usage
from exporter.demo.providers.server import ProviderServer
from exporter.demo.providers.simulated_month import simulated_month
from exporter.demo.providers.wire import Request
from exporter.errors import RefusedRequestError, SourceError, TransientError
from exporter.records import CostBucket, UsageBucket
from exporter.sources.polling.spans import Span
from tests.conftest import connect
from tests.sources.by_hand import Clock, counted, exporter, one
from tests.sources.cloud_answers import Said, cloud, made
from tests.sources.provider_month import Month
from tests.sources.recorded_answers import FOLDER, read
from tests.sources.simulated import SIMULATED

END = datetime(2026, 11, 20, tzinfo=UTC)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
THE_MORNING = Span(END + 10 * HOUR, END + 12 * HOUR)
THE_DAY = Span(END - 2 * DAY, END - DAY)
HISTORY_DAYS = 12
ENVIRON = SIMULATED["azure_openai"].environ
WEB = resource_id("Acme-Web")
ONE_RESOURCE = {"resources": [WEB]}


def metrics_asked(request: Request) -> list[str]:
    return request.query["metricnames"][0].split(",")


def recorded(request: Request) -> Said:
    if request.method == "POST":
        return "costs.json"
    return "requests.json" if metrics_asked(request) == ["AzureOpenAIRequests"] else "tokens.json"


def changed(name: str, change: Mapping[str, object]) -> dict[str, object]:
    """A recorded answer of which some things are otherwise."""
    body: dict[str, Any] = json.loads((FOLDER / "azure_openai" / name).read_text())
    return {**body, **change}


# What is recorded.


def test_usage_is_told_by_deployment_and_its_model_is_found_by_the_requests() -> None:
    with cloud("azure_openai", recorded, **ONE_RESOURCE) as (source, server):
        chat, embed = read(source, "usage", THE_MORNING)

    assert chat == UsageBucket(
        source="azure_openai",
        provider="azure",
        report="usage",
        bucket_start=THE_MORNING.from_at,
        bucket_seconds=3600,
        model="gpt-4o-2024-05-13",
        project_id=WEB.lower(),
        service_tier="priority",
        dimensions={"deployment": "chat", "model_version": "2024-05-13"},
        requests=12,  # and not the 3000 that were refused
        input_tokens=24_000,
        output_tokens=3_600,
    )
    assert embed == UsageBucket(
        source="azure_openai",
        provider="azure",
        report="usage",
        bucket_start=THE_MORNING.from_at + HOUR,
        bucket_seconds=3600,
        model="text-embedding-3-small",  # as its requests of the evening before say
        project_id=WEB.lower(),
        service_tier="default",
        dimensions={"deployment": "embed", "model_version": "1"},
        input_tokens=800,
    )
    token, calls, tokens = server.requests
    assert [f"{server.url}/.default"] == parse_qs(token.body.decode())["scope"]
    assert ("2026-11-19T10:00:00Z/2026-11-20T12:00:00Z",) == calls.query["timespan"]
    assert ("2026-11-20T10:00:00Z/2026-11-20T12:00:00Z",) == tokens.query["timespan"]


def test_costs_are_told_by_meter_and_resource_whatever_the_columns_order() -> None:
    with cloud("azure_openai", recorded) as (source, server):
        first, second, unnamed = read(source, "costs", THE_DAY)

    assert first == CostBucket(
        source="azure_openai",
        provider="azure",
        report="costs",
        bucket_start=THE_DAY.from_at,
        bucket_seconds=86400,
        project_id="/subscriptions/0000/resourcegroups/ai/providers/"
        "microsoft.cognitiveservices/accounts/acme-web",
        line_item="gpt 4o 0513 Input Tokens",
        amount=Decimal("0.0123456789012345678"),
        currency="EUR",
    )
    assert Decimal("1e-7") == second.amount  # type: ignore[union-attr]
    assert (None, None) == (unnamed.project_id, unnamed.line_item)  # type: ignore[union-attr]
    period = json.loads(server.requests[1].body)["timePeriod"]
    assert {"from": "2026-11-18T00:00:00Z", "to": "2026-11-18T23:59:59Z"} == period


# The month.


@pytest.fixture(scope="module")
def ledger() -> Ledger:
    return simulated_month(seed=7, until=END, days=30, organization=AZURE)


@pytest.fixture
def clock() -> Clock:
    clock = Clock()
    clock.now = END - timedelta(days=30 - HISTORY_DAYS, hours=-1)
    return clock


@pytest.fixture
def api(ledger: Ledger) -> AzureApi:
    return AzureApi(ledger, rows_per_page=20)


@pytest.fixture
def server(api: AzureApi, clock: Clock) -> Iterator[ProviderServer]:
    with ProviderServer(api, clock) as server:
        yield server


def block(server: ProviderServer) -> dict[str, object]:
    return SIMULATED["azure_openai"].block("azure_openai", server.url)


def test_after_a_month_of_bad_days_the_tables_equal_azures_truth(
    tmp_path: Path, one_database_url: str, ledger: Ledger, clock: Clock, server: ProviderServer
) -> None:
    with Month(tmp_path, one_database_url, block(server), ENVIRON, clock) as month:
        month.live_through(server, END + timedelta(days=4), fails_mid_page="CostManagement")

        usage = ledger.visible(clock.now, END - timedelta(days=40), END)
        assert _usage_truth(usage) == _usage_stored(one_database_url)
        assert _cost_truth(usage) == _costs_stored(one_database_url)
        month.assert_at_rest()


def _usage_truth(usage: list) -> dict[tuple[object, ...], list[int]]:
    found: dict[tuple[object, ...], list[int]] = {}
    for call in usage:
        hour = call.at.replace(minute=0, second=0, microsecond=0)
        account = resource_id(call.project_id).lower()
        key = (hour, call.model, account, call.labels["deployment"], call.service_tier)
        sums = found.setdefault(key, [0] * 3)
        for place, amount in enumerate((call.requests, call.input_tokens, call.output_tokens)):
            sums[place] += amount
    return found


def _usage_stored(url: str) -> dict[tuple[object, ...], list[int]]:
    with connect(url) as connection:
        rows = connection.execute(
            "SELECT bucket_start, model, project_id, dimensions ->> 'deployment', service_tier,"
            " requests, input_tokens, output_tokens FROM usage_buckets"
        ).fetchall()
    return {tuple(row.values())[:5]: list(row.values())[5:] for row in rows}  # type: ignore[misc]


def _cost_truth(usage: list) -> dict[tuple[object, ...], Decimal]:
    found: dict[tuple[object, ...], Decimal] = {}
    for call in usage:
        day = call.at.replace(hour=0, minute=0, second=0, microsecond=0)
        for charge in charges(call):
            meter = f"{call.model} {charge.part} Tokens"
            key = (day, resource_id(call.project_id).lower(), meter)
            found[key] = found.get(key, Decimal(0)) + charge.cost_usd
    return found


def _costs_stored(url: str) -> dict[tuple[object, ...], Decimal]:
    with connect(url) as connection:
        rows = connection.execute(
            "SELECT bucket_start, project_id, line_item, cost_usd FROM cost_buckets"
        ).fetchall()
    return {tuple(row.values())[:3]: row["cost_usd"] for row in rows}  # type: ignore[misc]


# Azure Monitor's traps.


def calls_at(at: datetime, *models: str, deployment: str | None = None) -> Ledger:
    """A call of each model in one hour."""
    ledger = Ledger()
    for model in models:
        ledger.add(
            Usage(
                at=at,
                model=model,
                project_id="Acme-Web",
                labels={"deployment": deployment or model},
                input_tokens=100,
                output_tokens=10,
            )
        )
    return ledger


def read_simulated(ledger: Ledger, now: datetime, **settings: object) -> list[UsageBucket]:
    """The usage of the last two hours."""
    with ProviderServer(AzureApi(ledger), lambda: now) as server:
        source = made("azure_openai", server.url, **{**ONE_RESOURCE, **settings})
        found = read(source, "usage", Span(now - 2 * HOUR, now))
    return [bucket for bucket in found if isinstance(bucket, UsageBucket)]


def test_more_deployments_than_azure_tells_unasked_are_all_told() -> None:
    models = [f"model-{number}" for number in range(25)]

    found = read_simulated(calls_at(END, *models), END + HOUR)

    assert {*models} == {bucket.model for bucket in found}


def test_tokens_of_a_deployment_that_changes_its_model_go_to_each() -> None:
    models = ("gpt-4o-2024-05-13", "gpt-4o-2024-11-20")

    found = read_simulated(calls_at(END, *models, deployment="chat"), END + HOUR)

    assert [(model, 1, 100, 10) for model in models] == sorted(
        (str(b.model), b.requests, b.input_tokens, b.output_tokens) for b in found
    )


def test_tokens_that_may_be_of_several_models_are_of_none() -> None:
    """A router's tokens have a version of its own, its requests that of the model they went to."""

    def say(request: Request) -> Said:
        if metrics_asked(request) == ["AzureOpenAIRequests"]:
            body = changed("requests.json", {})
            served: list[Any] = body["value"][0]["timeseries"]  # type: ignore[index]
            for series in served:
                series["metadatavalues"][0]["value"] = "router"
            return body
        body = changed("tokens.json", {})
        for metric in body["value"]:  # type: ignore[attr-defined]
            for series in metric["timeseries"]:
                series["metadatavalues"][0]["value"] = "router"
                series["metadatavalues"][1]["value"] = "2025-11-18"
        return body

    with cloud("azure_openai", say, **ONE_RESOURCE) as (source, _):
        found = read(source, "usage", THE_MORNING)

    tokens = {(b.model, b.input_tokens) for b in found if b.input_tokens}  # type: ignore[union-attr]
    assert {(None, 24_000), (None, 800)} == tokens


def test_a_resource_that_tells_no_tiers_is_read_without(
    tmp_path: Path, one_database_url: str, ledger: Ledger, clock: Clock
) -> None:
    with (
        ProviderServer(AzureApi(ledger, tells_tiers=False), clock) as server,
        exporter(tmp_path, one_database_url, block(server), clock=clock, environ=ENVIRON) as ours,
    ):
        ours.poll_ok()
        asked = len(server.requests)
        ours.poll_ok()
        filters = [r.query["$filter"][0] for r in server.requests[asked:] if "$filter" in r.query]

    assert filters
    assert not [text for text in filters if "ServiceTier" in text]
    row = one(
        one_database_url,
        "SELECT count(*) > 100 AS many, count(service_tier) AS tiers FROM usage_buckets",
    )
    assert {"many": True, "tiers": 0} == row


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"interval": "PT15M"}, SourceError),
        ({"value": []}, TransientError),
        (
            {
                "value": [
                    {
                        "name": {"value": "AzureOpenAIRequests"},
                        "timeseries": [],
                        "errorCode": "InternalError",
                    }
                ]
            },
            TransientError,
        ),
    ],
    ids=["other widths", "a metric is missing", "a metric has an error of its own"],
)
def test_an_answer_that_is_not_whole_is_none(
    change: dict[str, object], error: type[Exception]
) -> None:
    body = changed("requests.json", change)
    with (
        cloud("azure_openai", lambda _: body, **ONE_RESOURCE) as (source, _),
        pytest.raises(error),
    ):
        read(source, "usage", THE_MORNING)


# Cost Management's traps.


def costs_answer(**properties: object) -> dict[str, object]:
    body = changed("costs.json", {})
    return {**body, "properties": {**body["properties"], **properties}}  # type: ignore[dict-item]


def test_the_next_page_is_asked_for_with_the_same_body(
    clock: Clock, server: ProviderServer
) -> None:
    read(made("azure_openai", server.url), "costs", Span(clock.now - 5 * DAY, clock.now))

    first, second, *_ = [r for r in server.requests if r.path.endswith("/query")]
    assert ("POST", first.body) == (second.method, second.body)
    assert "$skiptoken" in second.query


def test_a_next_page_elsewhere_is_not_asked_for() -> None:
    link = "https://management.example.com/subscriptions/0000/query?$skiptoken=1"
    with (
        cloud("azure_openai", lambda _: costs_answer(nextLink=link)) as (source, server),
        pytest.raises(TransientError, match="next page"),
    ):
        read(source, "costs", THE_DAY)

    assert 2 == len(server.requests)


@pytest.mark.parametrize(
    "rows",
    [
        [[20261118, 1.5, "meter", "id"]],
        [[20261118, "much", "meter", "id", "EUR"]],
        [[18, 1.5, "meter", "id", "EUR"]],
    ],
    ids=["a cell is missing", "a word is no cost", "a number is no day"],
)
def test_a_row_that_does_not_fit_its_columns_is_refused(rows: list[object]) -> None:
    with (
        cloud("azure_openai", lambda _: costs_answer(rows=rows)) as (source, _),
        pytest.raises(SourceError) as caught,
    ):
        read(source, "costs", THE_DAY)

    assert "answer_changed" == caught.value.reason


def test_a_bill_in_another_currency_has_no_dollars_without_a_rate(
    tmp_path: Path, one_database_url: str, ledger: Ledger, clock: Clock
) -> None:
    with (
        ProviderServer(AzureApi(ledger, currency="EUR"), clock) as server,
        exporter(tmp_path, one_database_url, block(server), clock=clock, environ=ENVIRON) as ours,
    ):
        ours.poll_ok()

    row = one(
        one_database_url,
        "SELECT count(*) > 0 AS billed, count(cost_usd) AS dollars, min(currency) AS currency"
        " FROM cost_buckets",
    )
    assert {"billed": True, "dollars": 0, "currency": "EUR"} == row


def test_an_application_that_may_not_read_costs_still_reads_usage(
    tmp_path: Path, one_database_url: str, ledger: Ledger, clock: Clock
) -> None:
    with (
        ProviderServer(AzureApi(ledger, tells_costs=False), clock) as server,
        exporter(tmp_path, one_database_url, block(server), clock=clock, environ=ENVIRON) as ours,
    ):
        for _ in range(3):
            ours.poll_ok()
            clock.advance(hours=5)
        asked = [r for r in server.requests if r.path.endswith("/query")]

    assert 1 == len(asked)
    assert 1 == counted(one_database_url, "aiwf_source_omissions_total", reason="costs_unavailable")
    assert one(one_database_url, "SELECT count(*) > 0 AS found FROM usage_buckets")["found"]


def test_a_busy_cost_management_loses_no_usage(
    tmp_path: Path, one_database_url: str, clock: Clock, server: ProviderServer
) -> None:
    server.bad_days.add(RateLimited(60), path="CostManagement")
    with exporter(tmp_path, one_database_url, block(server), clock=clock, environ=ENVIRON) as ours:
        assert "later" == ours.poll().outcome
        assert one(one_database_url, "SELECT count(*) > 0 AS n FROM usage_buckets")["n"]
        clock.advance(minutes=2)
        ours.poll_ok()

    assert one(one_database_url, "SELECT count(*) > 0 AS n FROM cost_buckets")["n"]


# Entra's tokens.


def test_one_token_serves_all_questions_and_a_revoked_one_is_replaced(
    clock: Clock, api: AzureApi, server: ProviderServer
) -> None:
    source = made("azure_openai", server.url)
    span = Span(clock.now - 2 * HOUR, clock.now)
    before = read(source, "usage", span)
    api.revoke_tokens()

    assert before == read(source, "usage", span)
    assert 2 == sum(request.path.endswith("/token") for request in server.requests)


def test_a_wrong_secret_is_a_refused_key(server: ProviderServer) -> None:
    source = made("azure_openai", server.url, client_id="somebody-else")

    with pytest.raises(RefusedRequestError, match="invalid_client") as caught:
        read(source, "usage", THE_MORNING)

    assert ("key_refused", 401) == (caught.value.reason, caught.value.status)
    assert CLIENT_SECRET not in str(caught.value)


# Settings.


def test_resources_have_their_names(server: ProviderServer) -> None:
    source = made("azure_openai", server.url)
    assert source.names is not None

    assert {(WEB.lower(), "Acme-Web"), (resource_id("Acme-Support").lower(), "Acme-Support")} == {
        (name.id, name.name) for name in source.names()
    }


def test_a_resource_is_written_as_a_path() -> None:
    with pytest.raises(ValidationError, match="/subscriptions/"):
        made("azure_openai", "http://127.0.0.1:1", resources=["Acme-Web"])
