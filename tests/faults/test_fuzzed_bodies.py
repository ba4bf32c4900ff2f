"""Whatever is sent to the receivers: no fault of ours, and no table changes by what is refused."""

import gzip
import json
import random
import threading
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from exporter import web
from tests.receivers.otlp_requests import GUIDE, JSON, PROTOBUF, Sent, as_json, as_protobuf, span_id
from tests.sources.by_hand import differences, exporter, stored

ROUNDS = 400
RUN = {
    "execution_id": "exec_1",
    "workflow": "content_generator",
    "status": "success",
    "duration_ms": 2340,
    "cost_usd": 0.023,
    "steps": [{"name": "write", "status": "success"}],
    "llm_calls": [{"provider": "openai", "model": "gpt-4o", "input_tokens": 5}],
    "outcomes": {"posts": 3},
}
ODD: tuple[Any, ...] = (
    None, True, -1, 0, 1e308, 10**30, "", "\0", "\ud800", "x" * 70_000, [], {}, [[]], {"a": {}},
    float("inf"), "NaN", "2026-13-45", -(2**63) - 1,
)  # fmt: skip
KINDS = (PROTOBUF, JSON, "application/x-ndjson", "text/plain", "", "application/json; charset=x")


@contextmanager
def receiving(folder: Path, url: str, **receivers: object) -> Iterator[tuple[TestClient, Any]]:
    """Serve the receivers of an exporter, and store what they take."""
    with exporter(folder, url, receivers=receivers) as running:
        running.app._receivers.start()
        yield TestClient(web.build(running.app), raise_server_exceptions=False), running.app


def mutated(value: Any, chance: random.Random) -> Any:
    """Put something odd somewhere into a document."""
    if chance.random() < 0.25 or not isinstance(value, dict | list) or not value:
        return chance.choice(ODD)
    if isinstance(value, list):
        place = chance.randrange(len(value))
        return [*value[:place], mutated(value[place], chance), *value[place + 1 :]]
    key = chance.choice(list(value))
    return value | {key: mutated(value[key], chance)}


def damaged(body: bytes, chance: random.Random) -> bytes:
    """Change some bytes, cut, or repeat."""
    changed = bytearray(body)
    for _ in range(chance.randrange(1, 6)):
        if changed:
            changed[chance.randrange(len(changed))] = chance.randrange(256)
    return bytes(
        changed[: chance.randrange(len(changed) + 1)] if chance.random() < 0.5 else changed
    )


def body_of(chance: random.Random) -> bytes:  # noqa: PLR0911 - one return per kind
    """Return a body of some kind, mostly wrong."""
    match chance.randrange(8):
        case 0:
            return chance.randbytes(chance.randrange(3_000))
        case 1:
            return damaged(as_protobuf(GUIDE), chance)
        case 2:
            return json.dumps(mutated(json.loads(as_json(GUIDE)), chance)).encode()
        case 3:
            return json.dumps(mutated(RUN, chance)).encode()
        case 4:
            return b"\n".join(json.dumps(mutated(RUN, chance)).encode() for _ in range(3))
        case 5:
            return b"[" * chance.randrange(100_000) + b"]" * chance.randrange(100_000)
        case 6:
            return gzip.compress(b"\0" * chance.randrange(40_000_000))
        case _:
            huge = {f"a{n}": "y" * 20_000 for n in range(40)}
            return as_protobuf([Sent(span_id=span_id(1), name="\0" * 5_000, attributes=huge)])


@pytest.mark.parametrize("seed", range(3))
def test_no_body_is_a_fault_of_ours_and_refused_ones_change_nothing(
    seed: int, one_database_url: str, tmp_path: Path
) -> None:
    chance = random.Random(seed)
    refused: list[tuple[str, bytes, dict[str, str]]] = []
    with receiving(tmp_path, one_database_url) as (client, app):
        for _ in range(ROUNDS):
            route = chance.choice(("/v1/traces", "/v1/executions", "/v1/outcomes"))
            headers = {"content-type": chance.choice(KINDS)}
            if chance.random() < 0.3:
                headers["content-encoding"] = chance.choice(("gzip", "br", "identity"))
            body = body_of(chance)

            answer = client.post(route, content=body, headers=headers)

            assert answer.status_code < 500, (route, headers, body[:200], answer.text)
            if answer.status_code != 200:
                refused.append((route, body, headers))
        assert app.budget._taken == 0

    assert len(refused) > ROUNDS / 2, "most of it is to be wrong"
    before = stored(one_database_url)
    with receiving(tmp_path, one_database_url) as (client, _):
        for route, body, headers in refused:
            assert client.post(route, content=body, headers=headers).status_code != 200

    assert stored(one_database_url) == before
    assert differences(one_database_url) == {}


def test_bombs_side_by_side_stay_within_the_memory_that_is_set(
    one_database_url: str, tmp_path: Path
) -> None:
    bomb = gzip.compress(b"\0" * 60_000_000)
    with receiving(tmp_path, one_database_url, max_waiting=8_000_000) as (client, _):
        client.post("/v1/traces", content=b"", headers={"content-type": PROTOBUF})
        headers = {"content-type": PROTOBUF, "content-encoding": "gzip"}
        statuses: list[int] = []

        def send() -> None:
            statuses.append(client.post("/v1/traces", content=bomb, headers=headers).status_code)

        tracemalloc.start()
        senders = [threading.Thread(target=send) for _ in range(12)]
        for sender in senders:
            sender.start()
        for sender in senders:
            sender.join()
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()

    assert set(statuses) <= {413, 429}
    assert peak < 32_000_000, f"{peak / 1e6:.0f} MB"
