"""Bedrock's usage and costs: what we store is what AWS says at the end of the month."""

import json
import logging
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from pydantic import ValidationError

from exporter.demo.providers.bad_days import DropConnection, Status
from exporter.demo.providers.bedrock_api import BedrockApi
from exporter.demo.providers.charges import charges
from exporter.demo.providers.cloud_organizations import AWS
from exporter.demo.providers.ledger import Ledger
from exporter.demo.providers.server import ProviderServer
from exporter.demo.providers.simulated_month import simulated_month
from exporter.demo.providers.wire import Request
from exporter.errors import ConfigurationError, RefusedRequestError, SourceError, TransientError
from exporter.http_answer import Place
from exporter.records import CostBucket, UsageBucket
from exporter.sources.polling.spans import Span
from exporter.sources.providers.bedrock import costs, refusals
from exporter.sources.providers.bedrock.door import Account, Door
from tests.conftest import connect
from tests.sources.by_hand import Clock, counted, exporter, one
from tests.sources.cloud_answers import Said, cloud, made
from tests.sources.provider_month import Month
from tests.sources.recorded_answers import read
from tests.sources.simulated import SIMULATED

END = datetime(2026, 11, 20, tzinfo=UTC)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
THE_MORNING = Span(END + 10 * HOUR, END + 11.5 * HOUR)
THE_DAY = Span(END - 2 * DAY, END - DAY)
HISTORY_DAYS = 12
ONE_REGION = {"regions": ["us-east-1"]}
ENVIRON = SIMULATED["bedrock"].environ
METRIC = {
    "MetricName": "Invocations",
    "Dimensions": [{"Name": "ModelId", "Value": "amazon.nova-micro-v1:0"}],
}


def operation(request: Request) -> str:
    return request.headers["x-amz-target"].partition(".")[2]


def recorded(request: Request) -> Said:
    return {
        "ListMetrics": "list_metrics.json",
        "GetMetricData": "metric_data.json",
        "GetDimensionValues": "dimension_values.json",
        "GetCostAndUsage": "cost_and_usage.json",
    }[operation(request)]


def one_metric(*results: object, **more: object) -> dict[str, Said]:
    """What CloudWatch says of one metric."""
    return {
        "ListMetrics": {"Metrics": [METRIC]},
        "GetMetricData": {"MetricDataResults": list(results), **more},
    }


def result(**changes: object) -> dict[str, object]:
    """An hour of one metric."""
    at = THE_MORNING.from_at.timestamp()
    return {"Id": "m0", "Timestamps": [at], "Values": [7.0], "StatusCode": "Complete", **changes}


# What is recorded.


def test_usage_is_told_by_model_and_region_with_the_cache_in_its_input() -> None:
    with cloud("bedrock", recorded, **ONE_REGION) as (source, server):
        found = read(source, "usage", THE_MORNING)

    hour = UsageBucket(
        source="bedrock",
        provider="aws",
        report="usage",
        bucket_start=THE_MORNING.from_at,
        bucket_seconds=3600,
        model="amazon.nova-micro-v1:0",
        dimensions={"region": "us-east-1"},
        requests=12,
        input_tokens=1_500,
        cached_input_tokens=900,
        cache_write_tokens=100,
        output_tokens=300,
    )
    under_way = UsageBucket(
        source="bedrock",
        provider="aws",
        report="usage",
        bucket_start=THE_MORNING.from_at + HOUR,
        bucket_seconds=3600,
        model="amazon.nova-micro-v1:0",
        dimensions={"region": "us-east-1"},
        requests=1,
        input_tokens=20,
    )
    assert [hour, under_way] == found
    asked = json.loads(server.requests[1].body)
    assert 5 == len(asked["MetricDataQueries"])
    assert THE_MORNING.until_at.timestamp() == asked["EndTime"]


def test_costs_are_told_by_service_and_usage_type_with_credits() -> None:
    with cloud("bedrock", recorded) as (source, server):
        tokens, claude, credit = read(source, "costs", THE_DAY)

    assert tokens == CostBucket(
        source="bedrock",
        provider="aws",
        report="costs",
        bucket_start=THE_DAY.from_at,
        bucket_seconds=86400,
        dimensions={"service": "Amazon Bedrock"},
        line_item="USE1-NovaMicro-input-tokens",
        amount=Decimal("0.0000175001"),
        quantity=Decimal("0.5"),
        quantity_unit="1K tokens",
    )
    assert isinstance(claude, CostBucket)
    assert isinstance(credit, CostBucket)
    assert (Decimal("12.3456789012"), None, None) == (
        claude.amount,
        claude.quantity,  # of units that cannot be added up
        claude.quantity_unit,
    )
    assert Decimal(-2) == credit.amount
    asked = json.loads(server.requests[1].body)
    assert {"Start": "2026-11-18", "End": "2026-11-19"} == asked["TimePeriod"]
    services = ["Amazon Bedrock", "Claude Sonnet 5 (Amazon Bedrock Edition)"]
    assert services == asked["Filter"]["Dimensions"]["Values"]


# The month.


@pytest.fixture(scope="module")
def ledger() -> Ledger:
    return simulated_month(seed=7, until=END, days=30, organization=AWS)


@pytest.fixture
def clock() -> Clock:
    clock = Clock()
    clock.now = END - timedelta(days=30 - HISTORY_DAYS, hours=-1)
    return clock


@pytest.fixture
def api(ledger: Ledger) -> BedrockApi:
    return BedrockApi(ledger, series_per_page=7, results_per_page=10, groups_per_page=40)


@pytest.fixture
def server(api: BedrockApi, clock: Clock) -> Iterator[ProviderServer]:
    with ProviderServer(api, clock) as server:
        yield server


def block(server: ProviderServer) -> dict[str, object]:
    return SIMULATED["bedrock"].block("bedrock", server.url)


def test_after_a_month_of_bad_days_the_tables_equal_awss_truth(
    tmp_path: Path, one_database_url: str, ledger: Ledger, clock: Clock, server: ProviderServer
) -> None:
    with Month(tmp_path, one_database_url, block(server), ENVIRON, clock) as month:
        month.live_through(server, END + timedelta(days=4))

        usage = ledger.visible(clock.now, END - timedelta(days=40), END)
        assert _usage_truth(usage) == _usage_stored(one_database_url)
        assert _cost_truth(usage) == _costs_stored(one_database_url)
        month.assert_at_rest()


def _usage_truth(usage: list) -> dict[tuple[object, ...], list[int]]:
    found: dict[tuple[object, ...], list[int]] = {}
    for call in usage:
        hour = call.at.replace(minute=0, second=0, microsecond=0)
        sums = found.setdefault((hour, call.model, call.labels["region"]), [0] * 5)
        written = call.cache_write_5m_tokens + call.cache_write_1h_tokens
        for place, amount in enumerate(
            (
                call.requests,
                call.input_tokens,
                call.cached_input_tokens,
                written,
                call.output_tokens,
            )
        ):
            sums[place] += amount
    return found


def _usage_stored(url: str) -> dict[tuple[object, ...], list[int]]:
    with connect(url) as connection:
        rows = connection.execute(
            "SELECT bucket_start, model, dimensions ->> 'region', requests, input_tokens,"
            " coalesce(cached_input_tokens, 0) AS cached, coalesce(cache_write_tokens, 0) AS"
            " written, output_tokens FROM usage_buckets"
        ).fetchall()
    return {tuple(row.values())[:3]: list(row.values())[3:] for row in rows}  # type: ignore[misc]


def _cost_truth(usage: list) -> dict[object, Decimal]:
    found: dict[object, Decimal] = {}
    for call in usage:
        day = call.at.replace(hour=0, minute=0, second=0, microsecond=0)
        billed = sum((charge.cost_usd for charge in charges(call)), Decimal(0))
        found[day] = found.get(day, Decimal(0)) + billed
    return found


def _costs_stored(url: str) -> dict[object, Decimal]:
    with connect(url) as connection:
        rows = connection.execute(
            "SELECT bucket_start, sum(cost_usd) AS cost_usd FROM cost_buckets GROUP BY 1"
        ).fetchall()
    return {row["bucket_start"]: row["cost_usd"] for row in rows}  # type: ignore[misc]


# CloudWatch's traps.


@pytest.mark.parametrize(
    "results",
    [
        [result(StatusCode="PartialData")],
        [result(StatusCode="InternalError")],
        [],
        [result(Values=[])],
    ],
    ids=["part", "internal error", "one metric not told", "times without values"],
)
def test_half_an_answer_of_cloudwatch_is_none(results: list[object]) -> None:
    said = one_metric(*results)
    with (
        cloud("bedrock", lambda request: said[operation(request)], **ONE_REGION) as (source, _),
        pytest.raises(TransientError),
    ):
        read(source, "usage", THE_MORNING)


def test_a_metric_told_in_two_pages_is_whole() -> None:
    later = [(THE_MORNING.from_at + HOUR).timestamp()]
    pages = iter(
        [
            {"MetricDataResults": [result(StatusCode="PartialData")], "NextToken": "more"},
            {"MetricDataResults": [result(Timestamps=later)]},
        ]
    )

    def say(request: Request) -> Said:
        return {"Metrics": [METRIC]} if operation(request) == "ListMetrics" else next(pages)

    with cloud("bedrock", say, **ONE_REGION) as (source, _):
        found = read(source, "usage", THE_MORNING)

    assert [7, 7] == [bucket.requests for bucket in found]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "changed",
    [result(Id="m1"), result(Timestamps=[THE_MORNING.from_at.timestamp() + 60])],
    ids=["a metric nobody asked for", "an hour from 10:01 on"],
)
def test_an_answer_to_another_question_is_refused(changed: dict[str, object]) -> None:
    said = one_metric(changed)
    with (
        cloud("bedrock", lambda request: said[operation(request)], **ONE_REGION) as (source, _),
        pytest.raises(SourceError) as caught,
    ):
        read(source, "usage", THE_MORNING)

    assert "answer_changed" == caught.value.reason


def test_a_metric_that_may_not_be_read_is_a_refused_key() -> None:
    said = one_metric(result(StatusCode="Forbidden"))
    with (
        cloud("bedrock", lambda request: said[operation(request)], **ONE_REGION) as (source, _),
        pytest.raises(RefusedRequestError, match="GetMetricData") as caught,
    ):
        read(source, "usage", THE_MORNING)

    assert ("key_refused", 403) == (caught.value.reason, caught.value.status)


def test_more_metrics_than_one_question_may_have_are_asked_for_in_two() -> None:
    metrics = [
        {"MetricName": name, "Dimensions": [{"Name": "ModelId", "Value": f"model-{number}"}]}
        for number in range(300)
        for name in ("Invocations", "InputTokenCount")
    ]
    asked: list[int] = []

    def say(request: Request) -> Said:
        if operation(request) == "ListMetrics":
            return {"Metrics": metrics}
        queries = json.loads(request.body)["MetricDataQueries"]
        asked.append(len(queries))
        return {"MetricDataResults": [result(Id=query["Id"]) for query in queries]}

    with cloud("bedrock", say, **ONE_REGION) as (source, _):
        found = read(source, "usage", THE_MORNING)

    assert [500, 100] == asked
    assert 300 == len(found)
    assert {(7, 7)} == {(one.requests, one.input_tokens) for one in found}  # type: ignore[union-attr]


def test_an_answer_that_broke_off_is_asked_for_again(clock: Clock, server: ProviderServer) -> None:
    server.bad_days.add(DropConnection(after_bytes=40), times=2)
    span = Span(clock.now - 2 * HOUR, clock.now)

    found = read(made("bedrock", server.url), "usage", span)

    assert found
    assert 0 == server.bad_days.pending


# Cost Explorer's traps.


def test_an_account_without_bedrock_is_not_asked_for_its_costs() -> None:
    asked: list[str] = []

    def say(request: Request) -> Said:
        asked.append(operation(request))
        return {"DimensionValues": [{"Value": "Amazon Rock Bed"}]}

    with cloud("bedrock", say) as (source, _):
        assert [] == read(source, "costs", THE_DAY)

    assert ["GetDimensionValues"] == asked


def test_cost_explorer_is_paid_for_eight_answers_a_day(
    tmp_path: Path, one_database_url: str, clock: Clock, ledger: Ledger
) -> None:
    clock.now = clock.now.replace(hour=0, minute=1)
    with (
        ProviderServer(BedrockApi(ledger), clock) as server,
        exporter(tmp_path, one_database_url, block(server), clock=clock, environ=ENVIRON) as ours,
    ):
        for _ in range(24 * 4):
            ours.poll_ok()
            clock.advance(minutes=15, seconds=-1)
        asked = [operation(request) for request in server.requests]

    assert 4 == asked.count("GetDimensionValues")
    assert 4 == asked.count("GetCostAndUsage")


def test_costs_that_fail_again_and_again_are_left_alone_for_an_hour(
    clock: Clock, server: ProviderServer
) -> None:
    seconds = [0.0]
    account = Account(
        access_key_id=ENVIRON["AWS_KEY_ID"],
        secret_access_key=ENVIRON["AWS_KEY"],
        base_url=server.url,
        allow_private=True,
    )
    reader = costs.Costs(Door(account, "ce", "us-east-1"), "bedrock", clock=lambda: seconds[0])
    server.bad_days.add(Status(400), times=3)
    span = Span(clock.now - DAY, clock.now)
    for _ in range(3):
        with pytest.raises(SourceError):
            reader.read(span)

    with pytest.raises(TransientError, match="within an hour"):
        reader.read(span)
    assert 3 == len(server.requests)

    seconds[0] += 3600
    assert reader.read(span)


def test_a_key_that_may_not_read_costs_still_reads_usage(
    tmp_path: Path, one_database_url: str, clock: Clock, ledger: Ledger
) -> None:
    api = BedrockApi(ledger, forbidden=("GetDimensionValues", "GetCostAndUsage"))
    with (
        ProviderServer(api, clock) as server,
        exporter(tmp_path, one_database_url, block(server), clock=clock, environ=ENVIRON) as ours,
    ):
        for _ in range(3):
            ours.poll_ok()
            clock.advance(hours=7)
        asked = [operation(request) for request in server.requests]

    assert 1 == asked.count("GetDimensionValues")
    assert 1 == counted(one_database_url, "aiwf_source_omissions_total", reason="costs_unavailable")
    assert one(one_database_url, "SELECT count(*) > 0 AS found FROM usage_buckets")["found"]


def test_costs_may_be_switched_off(server: ProviderServer) -> None:
    source = made("bedrock", server.url, costs=False)

    assert ["usage"] == [report.name for report in source.reports]


# AWS's words and boto3's.


@pytest.mark.parametrize(
    ("status", "code", "meant"),
    [
        (400, "ThrottlingException", 429),
        (400, "Throttling", 429),
        (400, "LimitExceededException", 429),
        (400, "ExpiredTokenException", 401),
        (403, "InvalidClientTokenId", 401),
        (403, "SignatureDoesNotMatch", 401),
        (400, "UnrecognizedClientException", 401),
        (400, "AccessDeniedException", 403),
        (403, "AccessDenied", 403),
        (400, "InvalidNextTokenException", 500),
        (400, "DataUnavailableException", 400),
        (503, "ServiceUnavailable", 503),
    ],
)
def test_awss_error_codes_say_what_their_status_does_not(
    status: int, code: str, meant: int
) -> None:
    response = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}

    assert meant == refusals.meaning(response)


def test_an_error_quotes_no_key() -> None:
    words = f"Access key {ENVIRON['AWS_KEY_ID']} is of nobody"
    response = {
        "Error": {"Code": "UnrecognizedClientException", "Message": words},
        "ResponseMetadata": {"HTTPStatusCode": 403},
    }

    error = refusals.refusal(response, Place("ce in us-east-1", [*ENVIRON.values()]))

    assert "is of nobody" in str(error)
    assert ENVIRON["AWS_KEY_ID"] not in str(error)


def test_without_credentials_the_source_says_so(
    server: ProviderServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    source = made("bedrock", server.url, access_key_id=None, secret_access_key=None)

    with pytest.raises(SourceError, match="credentials") as caught:
        read(source, "usage", THE_MORNING)

    assert "key_refused" == caught.value.reason
    assert [] == server.requests


def test_an_address_on_a_private_network_needs_permission(server: ProviderServer) -> None:
    source = made("bedrock", server.url.replace("http:", "https:"), allow_private=False)

    with pytest.raises(SourceError, match="allow_private") as caught:
        read(source, "usage", THE_MORNING)

    assert "private_address" == caught.value.reason
    assert [] == server.requests


def test_without_boto3_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "boto3", None)

    with pytest.raises(ConfigurationError, match=r"pip install 'ai-workflow-exporter\[bedrock\]'"):
        made("bedrock", "http://127.0.0.1:1")


def test_a_region_that_cannot_be_is_named() -> None:
    with pytest.raises(ConfigurationError, match="us east"):
        made("bedrock", "http://127.0.0.1:1", regions=["us east"])


def test_one_key_without_the_other_is_a_mistake() -> None:
    with pytest.raises(ValidationError, match="belong together"):
        made("bedrock", "http://127.0.0.1:1", secret_access_key=None)


def test_boto3s_log_tells_no_requests(
    clock: Clock, server: ProviderServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)

    read(made("bedrock", server.url), "usage", Span(clock.now - HOUR, clock.now))

    assert "Signature=" not in caplog.text
