"""Vertex AI's usage: what we store is what Google says at the end of the month."""

import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from exporter.demo.providers import vertex_api
from exporter.demo.providers.cloud_organizations import GOOGLE
from exporter.demo.providers.ledger import Ledger
from exporter.demo.providers.server import ProviderServer
from exporter.demo.providers.simulated_month import simulated_month
from exporter.demo.providers.vertex_api import VertexApi, key_file
from exporter.demo.providers.wire import Request
from exporter.errors import ConfigurationError, RefusedRequestError, SourceError, TransientError
from exporter.pricing import Pricing
from exporter.records import UsageBucket
from exporter.sources.polling.spans import Span
from exporter.sources.providers.vertex.service_account import read_key_file
from tests.conftest import connect
from tests.sources.by_hand import Clock
from tests.sources.cloud_answers import Said, cloud, made
from tests.sources.provider_month import Month
from tests.sources.recorded_answers import read
from tests.sources.simulated import SIMULATED

END = datetime(2026, 11, 20, tzinfo=UTC)
HOUR = timedelta(hours=1)
THE_MORNING = Span(END + 10 * HOUR, END + 12 * HOUR)
HISTORY_DAYS = 12
ENVIRON = SIMULATED["vertex"].environ
ONE_PROJECT = {"projects": ["acme-web"]}


def metric(request: Request) -> str:
    return request.query["filter"][0].rpartition("/")[2].rstrip('"')


def recorded(request: Request) -> Said:
    return f"{metric(request)}.json"


def series(value: object, end: str, **labels: str) -> dict[str, object]:
    """One sum of one model."""
    return {
        "metric": {"labels": {"type": "input"} | labels},
        "resource": {"labels": {"model_user_id": "gemini-2.5-flash", "publisher": "google"}},
        "points": [{"interval": {"endTime": end}, "value": value}],
    }


def tokens(*told: object, **more: object) -> dict[str, object]:
    """What is said of tokens, where nothing is said of requests."""
    return {"token_count": {"timeSeries": [*told], **more}, "model_invocation_count": {}}


# What is recorded.


def test_usage_is_told_by_model_publisher_and_location() -> None:
    with cloud("vertex", recorded, **ONE_PROJECT) as (source, server):
        gemini, later, claude = read(source, "usage", THE_MORNING)

    assert gemini == UsageBucket(
        source="vertex",
        provider="google",
        report="usage",
        bucket_start=THE_MORNING.from_at + HOUR,
        bucket_seconds=3600,
        model="gemini-2.5-flash",
        project_id="acme-web",
        dimensions={"publisher": "google", "location": "us-central1"},
        requests=0,
        input_tokens=9_007_199_254_740_991,  # more than a float holds exactly
    )
    assert isinstance(later, UsageBucket)
    assert isinstance(claude, UsageBucket)
    assert (THE_MORNING.from_at, 12, 2_400, 360) == (
        later.bucket_start,
        later.requests,
        later.input_tokens,
        later.output_tokens,
    )
    assert ("claude-sonnet-4-5@20250929", "anthropic", None, 500) == (
        claude.model,
        claude.dimensions["publisher"],
        claude.requests,
        claude.input_tokens,
    )
    token, counted, _ = server.requests
    assert vertex_api.TOKEN_PATH == token.path
    assert ("3600s",) == counted.query["aggregation.alignmentPeriod"]
    assert "metric.label.type" in counted.query["aggregation.groupByFields"]


# The month.


@pytest.fixture(scope="module")
def ledger() -> Ledger:
    return simulated_month(seed=7, until=END, days=30, organization=GOOGLE)


@pytest.fixture
def clock() -> Clock:
    clock = Clock()
    clock.now = END - timedelta(days=30 - HISTORY_DAYS, hours=-1)
    return clock


@pytest.fixture
def api(ledger: Ledger) -> VertexApi:
    return VertexApi(ledger, series_per_page=3)


@pytest.fixture
def server(api: VertexApi, clock: Clock) -> Iterator[ProviderServer]:
    with ProviderServer(api, clock) as server:
        yield server


def test_after_a_month_of_bad_days_the_tables_equal_googles_truth(
    tmp_path: Path, one_database_url: str, ledger: Ledger, clock: Clock, server: ProviderServer
) -> None:
    block = SIMULATED["vertex"].block("vertex", server.url)
    with Month(tmp_path, one_database_url, block, ENVIRON, clock) as month:
        month.live_through(server, END + timedelta(days=4), fails_mid_page="timeSeries")

        usage = ledger.visible(clock.now, END - timedelta(days=40), END)
        assert _usage_truth(usage) == _usage_stored(one_database_url)
        month.assert_at_rest()


def _usage_truth(usage: list) -> dict[tuple[object, ...], list[int]]:
    found: dict[tuple[object, ...], list[int]] = {}
    for call in usage:
        hour = call.at.replace(minute=0, second=0, microsecond=0)
        key = (hour, call.model, call.project_id, call.labels["location"])
        sums = found.setdefault(key, [0] * 3)
        for place, amount in enumerate((call.requests, call.input_tokens, call.output_tokens)):
            sums[place] += amount
    return found


def _usage_stored(url: str) -> dict[tuple[object, ...], list[int]]:
    with connect(url) as connection:
        rows = connection.execute(
            "SELECT bucket_start, model, project_id, dimensions ->> 'location', requests,"
            " input_tokens, output_tokens FROM usage_buckets"
        ).fetchall()
    return {tuple(row.values())[:4]: list(row.values())[4:] for row in rows}  # type: ignore[misc]


# Cloud Monitoring's traps.


def test_the_hour_under_way_is_told_to_the_minute(ledger: Ledger, clock: Clock) -> None:
    """Sums are aligned to the end of what is asked: an hour until now is no hour of the clock."""
    clock.now = END - 10 * HOUR + timedelta(minutes=25, seconds=40)
    with ProviderServer(VertexApi(ledger), clock) as server:
        source = made("vertex", server.url, **ONE_PROJECT)
        found = read(source, "usage", Span(END - 12 * HOUR, clock.now))
        asked = [
            (r.query["interval.endTime"][0], r.query["aggregation.alignmentPeriod"][0])
            for r in server.requests
            if "filter" in r.query
        ]

    until = clock.now.replace(second=0)
    truth = sum(
        call.input_tokens
        for call in ledger.visible(clock.now, END - 12 * HOUR, until)
        if call.project_id == "acme-web"
    )
    assert truth == sum(bucket.input_tokens or 0 for bucket in found)  # type: ignore[union-attr]
    assert {("2026-11-19T14:00:00Z", "3600s"), ("2026-11-19T14:25:00Z", "60s")} == {*asked}


def test_a_sum_that_ends_where_we_begin_is_of_the_hour_before() -> None:
    said = tokens(series({"int64Value": "5"}, "2026-11-20T10:00:00Z"))
    with cloud("vertex", lambda request: said[metric(request)], **ONE_PROJECT) as (source, _):
        assert [] == read(source, "usage", THE_MORNING)


@pytest.mark.parametrize(
    ("value", "end"),
    [
        ({"int64Value": "5"}, "2026-11-20T10:30:00Z"),
        ({"int64Value": "-5"}, "2026-11-20T11:00:00Z"),
        ({"int64Value": "many"}, "2026-11-20T11:00:00Z"),
        ({"int64Value": "1" * 400}, "2026-11-20T11:00:00Z"),
        ({"doubleValue": 0.5}, "2026-11-20T11:00:00Z"),
    ],
    ids=["half past", "negative", "a word", "huge", "half a token"],
)
def test_a_sum_that_is_no_count_of_an_hour_is_refused(value: object, end: str) -> None:
    said = tokens(series(value, end))
    with (
        cloud("vertex", lambda request: said[metric(request)], **ONE_PROJECT) as (source, _),
        pytest.raises(SourceError) as caught,
    ):
        read(source, "usage", THE_MORNING)

    assert "answer_changed" == caught.value.reason


def test_a_part_of_the_truth_is_none() -> None:
    said = tokens(
        series({"int64Value": "5"}, "2026-11-20T11:00:00Z"),
        executionErrors=[{"code": 4, "message": "Deadline exceeded."}],
    )
    with (
        cloud("vertex", lambda request: said[metric(request)], **ONE_PROJECT) as (source, _),
        pytest.raises(TransientError, match="part"),
    ):
        read(source, "usage", THE_MORNING)


def test_tokens_of_a_type_without_a_price_leave_the_estimate_unknown() -> None:
    hour = "2026-11-20T11:00:00Z"
    said = tokens(
        series({"int64Value": "100"}, hour), series({"int64Value": "40"}, hour, type="cached")
    )
    with cloud("vertex", lambda request: said[metric(request)], **ONE_PROJECT) as (source, _):
        (found,) = read(source, "usage", THE_MORNING)

    assert isinstance(found, UsageBucket)
    assert (100, {"cached_tokens": 40}) == (found.input_tokens, found.quantities)
    assert Pricing().priced_usage(found).cost_usd is None


# Google's tokens.


def test_one_token_serves_all_questions_and_a_revoked_one_is_replaced(
    clock: Clock, api: VertexApi, server: ProviderServer
) -> None:
    source = made("vertex", server.url)
    span = Span(clock.now - 2 * HOUR, clock.now)
    before = read(source, "usage", span)
    api.revoke_tokens()

    assert before == read(source, "usage", span)
    assert 2 == sum(request.path == vertex_api.TOKEN_PATH for request in server.requests)


def test_a_key_that_google_no_longer_knows_is_a_refused_key(
    server: ProviderServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = made("vertex", server.url)
    another = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    monkeypatch.setattr(vertex_api, "_private_key", lambda: another)

    with pytest.raises(RefusedRequestError, match="invalid_grant") as caught:
        read(ours, "usage", THE_MORNING)

    assert ("key_refused", 401) == (caught.value.reason, caught.value.status)


# Settings.


@pytest.mark.parametrize(
    "content",
    ["", "no json but-secret", '{"private_key": "but-secret"}', '["but-secret"]'],
)
def test_a_file_that_is_no_key_file_is_named_and_not_quoted(content: str) -> None:
    with pytest.raises(ConfigurationError, match="service_account") as caught:
        read_key_file(content)

    assert "but-secret" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_private_key_that_is_none_is_a_mistake_and_not_quoted() -> None:
    broken = json.dumps({**json.loads(key_file()), "private_key": "but-secret"})

    with pytest.raises(ConfigurationError, match="private_key") as caught:
        made("vertex", "http://127.0.0.1:1", environ={"VERTEX_KEY_FILE": broken})

    assert "but-secret" not in str(caught.value)


def test_without_pyjwt_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jwt", None)

    with pytest.raises(ConfigurationError, match=r"pip install 'ai-workflow-exporter\[vertex\]'"):
        made("vertex", "http://127.0.0.1:1")


def test_without_projects_the_accounts_own_is_read(clock: Clock, server: ProviderServer) -> None:
    source = made("vertex", server.url, projects=[])

    found = read(source, "usage", Span(clock.now - 2 * HOUR, clock.now))

    assert {"acme-web"} == {bucket.project_id for bucket in found}
