"""The simulated OpenAI tells its ledger's truth, with OpenAI's quirks; the server misbehaves."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest

from exporter.demo.providers.ledger import Ledger, Usage
from exporter.demo.providers.openai_api import ADMIN_KEY, NAMES_SCOPE, USAGE_SCOPE, OpenAIApi
from exporter.demo.providers.server import ProviderServer

NOW = datetime(2026, 11, 20, 12, 30, tzinfo=UTC)
TODAY = datetime(2026, 11, 20, tzinfo=UTC)
HOUR = timedelta(hours=1)
USAGE = "/v1/organization/usage/completions"
COSTS = "/v1/organization/costs"


def seconds(at: datetime) -> int:
    return int(at.timestamp())


def get(client: httpx.Client, path: str, **parameters: Any) -> Any:
    """Return the parsed body; numbers keep every digit."""
    response = client.get(path, params={k.replace("__", "[]"): v for k, v in parameters.items()})
    assert response.status_code == 200, response.text
    return json.loads(response.content, parse_float=Decimal)


def every_page(client: httpx.Client, path: str, **parameters: Any) -> list[Any]:
    found = []
    while True:
        page = get(client, path, **parameters)
        found += page["data"]
        if not page["has_more"]:
            return found
        parameters["page"] = page["next_page"]


@pytest.fixture
def ledger() -> Ledger:
    """Three calls this morning and one yesterday."""
    ledger = Ledger()
    ledger.add(
        Usage(
            at=TODAY + 9 * HOUR,
            model="gpt-a",
            requests=2,
            project_id="proj_1",
            api_key_id="key_1",
            input_tokens=1000,
            cached_input_tokens=400,
            cache_write_5m_tokens=60,
            cache_write_1h_tokens=40,
            output_tokens=500,
            cost_usd=Decimal("0.0123456789"),
        )
    )
    ledger.add(
        Usage(
            at=TODAY + 9 * HOUR + timedelta(minutes=59),
            model="gpt-a",
            project_id="proj_2",
            batch=True,
            input_tokens=10,
            output_tokens=5,
            cost_usd=Decimal("0.0000000007"),
        )
    )
    ledger.add(
        Usage(
            at=TODAY + 11 * HOUR,
            model="gpt, b",
            project_id="proj_1",
            input_tokens=7,
            output_tokens=3,
            cost_usd=Decimal("1.5"),
        )
    )
    ledger.add(Usage(at=TODAY - HOUR, model="gpt-a", input_tokens=1, cost_usd=Decimal("0.25")))
    return ledger


@pytest.fixture
def server(ledger: Ledger) -> Iterator[ProviderServer]:
    with ProviderServer(OpenAIApi(ledger), lambda: NOW) as server:
        yield server


@pytest.fixture
def client(server: ProviderServer) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {ADMIN_KEY}"}
    with httpx.Client(base_url=server.url, headers=headers, trust_env=False) as client:
        yield client


def test_usage_is_summed_by_bucket_and_group(client: httpx.Client) -> None:
    """Each hour has its bucket, empty ones too, and the kinds of tokens add up."""
    page = get(
        client,
        USAGE,
        start_time=seconds(TODAY + 9 * HOUR),
        end_time=seconds(TODAY + 12 * HOUR),
        bucket_width="1h",
        group_by=["model"],
    )

    nine, ten, eleven = page["data"]
    (result,) = nine["results"]
    assert (page["has_more"], page["next_page"]) == (False, None)
    assert (seconds(TODAY + 9 * HOUR), seconds(TODAY + 10 * HOUR)) == (
        nine["start_time"],
        nine["end_time"],
    )
    assert result["object"] == "organization.usage.completions.result"
    assert (result["num_model_requests"], result["input_tokens"]) == (3, 1010)
    assert (result["input_uncached_tokens"], result["input_cached_tokens"]) == (510, 400)
    assert result["input_cache_write_tokens"] == 100
    assert (result["model"], result["project_id"], result["batch"]) == ("gpt-a", None, None)
    assert ten["results"] == []
    assert [found["model"] for found in eleven["results"]] == ["gpt, b"]


def test_arrays_come_with_or_without_brackets_and_batch_is_a_boolean(client: httpx.Client) -> None:
    """Groups and filters are honoured in both spellings."""
    start = seconds(TODAY)
    (day,) = get(client, USAGE, start_time=start, group_by__=["batch", "service_tier"])["data"]
    (kept,) = get(client, USAGE, start_time=start, project_ids=["proj_2"])["data"]

    assert [(r["batch"], r["service_tier"]) for r in day["results"]] == [
        (False, "default"),
        (True, "default"),
    ]
    assert [r["input_tokens"] for r in kept["results"]] == [10]


def test_a_page_holds_so_many_buckets_and_its_token_fits_only_its_request(
    client: httpx.Client,
) -> None:
    """Paging gives every bucket once; a token with other parameters is refused."""
    asked = {"start_time": seconds(TODAY - 12 * HOUR), "bucket_width": "1h", "limit": 5}
    buckets = every_page(client, USAGE, **asked)
    token = get(client, USAGE, **asked)["next_page"]
    misused = client.get(USAGE, params={**asked, "limit": 6, "page": token})

    starts = [bucket["start_time"] for bucket in buckets]
    assert starts == [seconds(TODAY + hour * HOUR) for hour in range(-12, 13)]
    assert sum(r["input_tokens"] for bucket in buckets for r in bucket["results"]) == 1018
    assert misused.status_code == 400


def test_costs_add_up_to_the_ledger_to_the_last_digit(client: httpx.Client) -> None:
    """Line items sum to the bill; every other amount is a string of 17 digits."""
    today = get(client, COSTS, start_time=seconds(TODAY), group_by=["line_item", "project_id"])
    results = today["data"][0]["results"]
    values = [result["amount"]["value"] for result in results]

    assert sum(map(Decimal, values)) == Decimal("1.5123456796")
    assert {type(value) for value in values} == {Decimal, str}
    assert all(len(value.replace(".", "")) >= 17 for value in values if isinstance(value, str))
    assert {r["line_item"] for r in results} == {
        "gpt, b, input",
        "gpt, b, output",
        "gpt-a, cache write 12h",
        "gpt-a, cache write 30m",
        "gpt-a, cached input",
        "gpt-a, input",
        "gpt-a, output",
    }
    cached = next(r for r in results if r["line_item"] == "gpt-a, cached input")
    assert (cached["quantity"], cached["quantity_unit"]) == (400, "tokens")


def test_costs_without_line_items_name_no_quantity(client: httpx.Client) -> None:
    """One amount a day, with nulls where it is not grouped."""
    days = every_page(client, COSTS, start_time=seconds(TODAY - 24 * HOUR), limit=1)

    amounts = [Decimal(r["amount"]["value"]) for day in days for r in day["results"]]
    assert amounts == [Decimal("0.25"), Decimal("1.5123456796")]
    assert "quantity" not in days[0]["results"][0]


@pytest.mark.parametrize(
    ("parameters", "param"),
    [
        ({"group_by": "colour"}, "group_by"),
        ({"groupby": "model"}, "groupby"),
        ({"bucket_width": "1w"}, "bucket_width"),
        ({"limit": 32}, "limit"),
        ({"end_time": seconds(NOW) + 61}, "end_time"),
        ({"end_time": seconds(TODAY)}, "end_time"),
        ({"start_time": f"{TODAY:%Y-%m-%d}"}, "start_time"),
        ({"page": "page_none"}, "page"),
    ],
)
def test_what_is_wrong_with_a_request_is_refused(
    client: httpx.Client, parameters: dict[str, Any], param: str
) -> None:
    """400 and OpenAI's error body; a minute of clock skew is forgiven."""
    answer = client.get(USAGE, params={"start_time": seconds(TODAY), **parameters})
    skewed = client.get(USAGE, params={"start_time": seconds(TODAY), "end_time": seconds(NOW) + 60})

    assert (answer.status_code, skewed.status_code) == (400, 200)
    assert answer.json()["error"]["type"] == "invalid_request_error"
    assert answer.json()["error"]["param"] == param


def test_keys_open_what_their_scopes_say(ledger: Ledger) -> None:
    """A wrong key is 401, one without the scope is 403 and learns the scope's name."""
    api = OpenAIApi(
        ledger,
        keys={"sk-usage": (USAGE_SCOPE,), "sk-names": (NAMES_SCOPE,)},
        refused_cost_groups=("api_key_id",),
    )
    with ProviderServer(api, lambda: NOW) as server:
        asked = {"start_time": seconds(TODAY)}
        wrong = _ask(server, USAGE, "sk-other", asked)
        unscoped = _ask(server, USAGE, "sk-names", asked)
        nameless = _ask(server, "/v1/organization/users", "sk-usage", {})
        by_key = _ask(server, COSTS, "sk-usage", {**asked, "group_by": "api_key_id"})

    assert (wrong.status_code, wrong.json()["error"]["code"]) == (401, "invalid_api_key")
    assert unscoped.status_code == 403
    assert USAGE_SCOPE in unscoped.json()["error"]["message"]
    assert nameless.status_code == 403
    assert by_key.status_code == 400


def _ask(server: ProviderServer, path: str, key: str, query: dict[str, Any]) -> httpx.Response:
    with httpx.Client(trust_env=False, headers={"Authorization": f"Bearer {key}"}) as client:
        return client.get(server.url + path, params=query)


def test_names_are_listed_page_by_page_and_some_only_on_request(
    client: httpx.Client, ledger: Ledger
) -> None:
    """Archived projects and hidden keys need their parameter; deleted keys are gone."""
    for number in (1, 2, 3):
        ledger.add_name("project", f"proj_{number}", f"Project {number}")
    ledger.remove_name("project", "proj_2", at=NOW - HOUR)
    ledger.add_name("api_key", "key_1", "one", project_id="proj_1")
    ledger.add_name("api_key", "key_2", "two", project_id="proj_1", is_hidden=True)
    ledger.add_name("api_key", "key_3", "three", project_id="proj_1")
    ledger.remove_name("api_key", "key_3", at=NOW - HOUR)
    projects = "/v1/organization/projects"
    first = get(client, projects, limit=1)
    second = get(client, projects, limit=1, after=first["last_id"])
    archived = get(client, projects, include_archived="true")
    keys = f"{projects}/proj_1/api_keys"

    assert [item["id"] for item in (*first["data"], *second["data"])] == ["proj_1", "proj_3"]
    assert (first["has_more"], second["has_more"]) == (True, False)
    assert [item["status"] for item in archived["data"]] == ["active", "archived", "active"]
    assert [item["id"] for item in get(client, keys)["data"]] == ["key_1"]
    everyones = get(client, keys, owner_project_access="any")
    assert [item["id"] for item in everyones["data"]] == ["key_1", "key_2"]
    assert ledger.names["project"]["proj_2"] == "Project 2"


@pytest.mark.parametrize(
    ("kind", "counted", "result"),
    [
        ("images", "images", "images"),
        ("audio_speeches", "characters", "audio_speeches"),
        ("audio_transcriptions", "seconds", "audio_transcriptions"),
        ("vector_stores", "usage_bytes", "vector_stores"),
        ("code_interpreter_sessions", "num_sessions", "code_interpreter_sessions"),
        ("file_search_calls", "num_requests", "file_searches"),
        ("web_search_calls", "num_requests", "web_searches"),
    ],
)
def test_usage_without_tokens_has_its_own_fields(
    client: httpx.Client, ledger: Ledger, kind: str, counted: str, result: str
) -> None:
    """Every kind counts what it counts, and calls its results what OpenAI calls them."""
    ledger.add(Usage(at=TODAY, model="m", endpoint=kind, quantities={counted: 70}))
    page = get(client, f"/v1/organization/usage/{kind}", start_time=seconds(TODAY))

    (found,) = page["data"][0]["results"]
    assert found["object"] == f"organization.usage.{result}.result"
    assert found[counted] == 70
    assert "input_tokens" not in found
