"""The gate's route: what is understood, who may ask, and that it never waits."""

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from fastapi.testclient import TestClient
from starlette.applications import Starlette
from starlette.routing import Route

from exporter import configuration
from exporter.app import KIND_SETTINGS
from exporter.budget_settings import BudgetSettings, GateSettings
from exporter.judges.gate import Gate, Known
from exporter.settings import Settings
from exporter.web_gate import PATH, GateRoute

NOW = datetime(2026, 11, 24, 9, 30, tzinfo=UTC)
TOKEN = "the-canary-token"


def price(_provider: str, model: str, tokens: int, output: int, _at: datetime) -> Decimal | None:
    """A dollar for a thousand tokens of any known model."""
    return Decimal(tokens + output) / 1000 if model == "known" else None


@dataclass
class Stub:
    """What the route needs of the exporter."""

    token: str | None = None
    gate_settings: dict[str, Any] = field(default_factory=dict)
    budgets: tuple[BudgetSettings, ...] = ()

    def __post_init__(self) -> None:
        environ = {"AIWF_DATABASE_URL": "postgresql://a:b@127.0.0.1:1/c"}
        if self.token:
            environ["AIWF_TOKEN"] = self.token
        self.settings: Settings = configuration.load(None, KIND_SETTINGS, environ)
        self.gate = Gate(GateSettings.model_validate(self.gate_settings), self.budgets, price)
        self.gate.learn(Known(as_of=NOW))

    def client(self) -> TestClient:
        route = GateRoute(self, lambda: NOW)
        return TestClient(Starlette(routes=[Route(PATH, route)]))


@pytest.fixture
def dollar() -> Stub:
    """A gate that lets a dollar a day pass."""
    told = {"name": "b", "period": "day", "limit_usd": 1, "deny": True}
    return Stub(budgets=(BudgetSettings.model_validate(told),))


def test_a_query_is_answered(dollar: Stub) -> None:
    answer = dollar.client().get(
        PATH, params={"model": "p/known", "input_tokens": 100, "max_output_tokens": 200}
    )
    told = answer.json()
    assert (answer.status_code, told["allow"], told["estimated_cost_usd"]) == (200, True, 0.3)
    assert answer.headers["content-type"] == "application/json"


def test_the_same_as_json_is_answered_the_same(dollar: Stub) -> None:
    answer = dollar.client().post(
        PATH, json={"model": "p/known", "input": "x" * 400, "max_output_tokens": 200}
    )
    assert answer.json()["estimated_cost_usd"] == 0.3


def test_no_is_an_answer_too(dollar: Stub) -> None:
    answer = dollar.client().get(PATH, params={"model": "p/known", "input_tokens": 5000})
    assert (answer.status_code, answer.json()["allow"]) == (200, False)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("input_tokens=many", "input_tokens"),
        ("input_tokens=-1", "input_tokens: -1 is no number of tokens"),
        ("modell=gpt-4o", "modell"),
    ],
)
def test_what_is_not_understood_is_named(dollar: Stub, query: str, said: str) -> None:
    answer = dollar.client().get(f"{PATH}?{query}")
    assert answer.status_code == 400
    assert said in answer.json()["detail"]


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"input_tokens": "1"}', b'"\xff"'])
def test_a_body_that_is_no_question_is_refused(dollar: Stub, body: bytes) -> None:
    assert dollar.client().post(PATH, content=body).status_code == 400


def test_a_body_without_end_is_refused(dollar: Stub) -> None:
    answer = dollar.client().post(PATH, content=b'{"input": "' + b"x" * 2_000_000 + b'"}')
    assert answer.status_code == 413


def test_other_methods_are_refused(dollar: Stub) -> None:
    assert dollar.client().delete(PATH).status_code == 405


def test_with_a_token_the_gate_wants_it() -> None:
    client = Stub(token=TOKEN).client()
    assert client.get(PATH).status_code == 401
    wrong = client.get(PATH, headers={"Authorization": "Bearer wrong"})
    assert wrong.status_code == 401
    assert wrong.headers["www-authenticate"] == "Bearer"
    assert client.get(PATH, headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200


def test_a_gate_that_is_off_says_so() -> None:
    answer = Stub(gate_settings={"enabled": False}).client().get(PATH)
    assert answer.status_code == 404
    assert "gate.enabled" in answer.json()["detail"]


def test_a_rate_that_is_exceeded_says_when_to_come_again() -> None:
    client = Stub(gate_settings={"rates": [{"runs_per_minute": 1}]}).client()
    assert client.get(PATH, params={"customer": "acme"}).json()["allow"]
    answer = client.get(PATH, params={"customer": "acme"})
    assert (answer.json()["code"], answer.headers["retry-after"]) == ("rate", "61")


@pytest.mark.parametrize("when_unknown", ["allow", "deny"])
def test_a_question_that_does_not_end_is_answered_at_the_deadline(when_unknown: str) -> None:
    stub = Stub(gate_settings={"deadline": "10ms", "when_unknown": when_unknown})
    sent: list[Any] = []

    async def never() -> dict[str, Any]:
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "headers": [], "query_string": b""}
    asyncio.run(GateRoute(stub, lambda: NOW)(scope, never, send))
    assert sent[0]["status"] == 200
    assert (b'"allow":true' in sent[1]["body"]) is (when_unknown == "allow")
    assert b'"code":"unknown"' in sent[1]["body"]
