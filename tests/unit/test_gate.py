"""The gate's answers, from budgets, prices and rates that are told to it."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from exporter.budget_settings import BudgetSettings, GateSettings
from exporter.judges.budgets import BudgetState
from exporter.judges.gate import Answer, Gate, Known, Question

NOW = datetime(2026, 11, 24, 9, 30, tzinfo=UTC)
MIDNIGHT = datetime(2026, 11, 25, tzinfo=UTC)
# USD a token, in and out.
PRICES = {
    ("openai", "large"): (Decimal("0.00001"), Decimal("0.00003")),
    ("openai", "small"): (Decimal("0.000001"), Decimal("0.000003")),
    ("openai", "tiny"): (Decimal("0.0000001"), Decimal("0.0000003")),
    ("anthropic", "other"): (Decimal("0.000002"), Decimal("0.000006")),
}


def price(
    provider: str, model: str, input_tokens: int, output_tokens: int, _at: datetime
) -> Decimal | None:
    """Price by the table above."""
    rate = PRICES.get((provider, model))
    return None if rate is None else rate[0] * input_tokens + rate[1] * output_tokens


def budget(**fields: Any) -> BudgetSettings:
    """A budget that denies."""
    return BudgetSettings.model_validate(
        {"name": "b", "period": "day", "limit_usd": "1", "deny": True, **fields}
    )


def gate(
    *budgets: BudgetSettings,
    spent: dict[tuple[str, str], str] | None = None,
    runs: dict[str, str] | None = None,
    as_of: datetime = NOW,
    **settings: Any,
) -> Gate:
    """A gate that knows what was spent."""
    made = Gate(GateSettings.model_validate(settings), budgets, price)
    by_name = {one.name: one for one in budgets}
    states = {
        (name, value): BudgetState(
            settings=by_name[name],
            scope_value=value,
            period_start=MIDNIGHT - timedelta(days=1),
            period_end=MIDNIGHT,
            spent_usd=Decimal(usd),
            unpriced_calls=0,
            pace_usd_per_hour=None,
            as_of=as_of,
        )
        for (name, value), usd in (spent or {}).items()
    }
    made.learn(
        Known(
            as_of=as_of,
            states=states,
            runs_usd={run: Decimal(usd) for run, usd in (runs or {}).items()},
            models=[("openai", "large"), ("openai", "small"), ("openai", "tiny")],
        )
    )
    return made


def asks(of: Gate, now: datetime = NOW, **fields: Any) -> Answer:
    """Ask about a call of 1,000 tokens in and 1,000 out of the large model: 0.04 USD."""
    told = {"model": "large", "input_tokens": 1000, "max_output_tokens": 1000, **fields}
    return of.ask(Question(**told), now)


def test_what_fits_into_what_remains_goes_on() -> None:
    answer = asks(gate(budget(), spent={("b", ""): "0.96"}))
    assert (answer.allow, answer.estimated_cost_usd) == (True, 0.04)
    assert answer.remaining_usd == pytest.approx(0.04)


def test_what_does_not_fit_is_denied_with_the_numbers() -> None:
    answer = asks(gate(budget(), spent={("b", ""): "0.97"}))
    assert not answer.allow
    assert answer.code == "budget"
    assert answer.reason == (
        "0.03 USD of 1.00 USD remain of budget b (total, day), and the call may cost 0.04 USD"
    )
    assert answer.retry_after_seconds == (MIDNIGHT - NOW).total_seconds() + 1


def test_cheaper_models_that_fit_are_named_dearest_first() -> None:
    answer = asks(gate(budget(), spent={("b", ""): "0.97"}))
    assert [(one.model, one.estimated_cost_usd) for one in answer.cheaper_models] == [
        ("small", 0.004),
        ("tiny", 0.0004),
    ]


def test_equivalents_of_the_configuration_stand_for_the_providers_models() -> None:
    answer = asks(
        gate(
            budget(),
            spent={("b", ""): "0.97"},
            equivalents={"openai/large": ["anthropic/other"]},
        )
    )
    assert [(one.provider, one.model) for one in answer.cheaper_models] == [("anthropic", "other")]


def test_a_run_ceiling_stops_the_call_that_would_cross_it() -> None:
    """The guide's: 0.50 USD a run; twelve calls of 0.04 USD fit, the thirteenth does not."""
    at_gate = gate(budget(period="execution", limit_usd="0.50"))
    answers = [asks(at_gate, execution_id="run 7").allow for _ in range(13)]
    assert answers == [True] * 12 + [False]
    assert asks(at_gate, execution_id="run 8").allow


def test_the_ceiling_of_a_run_counts_what_its_engine_tells_of_it() -> None:
    at_gate = gate(budget(period="execution", limit_usd="0.50"), runs={"run 7": "0.47"})
    answer = asks(at_gate, execution_id="run 7")
    assert (answer.allow, answer.code) == (False, "run_ceiling")


def test_what_was_let_pass_counts_until_it_can_be_read() -> None:
    at_gate = gate(budget(limit_usd="0.05"), hold="2m")
    assert asks(at_gate).allow
    assert not asks(at_gate).allow
    assert asks(at_gate, now=NOW + timedelta(minutes=2)).allow


def test_what_was_denied_is_not_held() -> None:
    at_gate = gate(budget(limit_usd="0.05"))
    assert not asks(at_gate, max_output_tokens=5000).allow
    assert asks(at_gate).allow


def test_a_budget_of_each_customer_binds_each_by_itself() -> None:
    at_gate = gate(budget(scope="customer"), spent={("b", "acme"): "1"})
    assert not asks(at_gate, customer="acme").allow
    assert asks(at_gate, customer="globex").allow


def test_a_budget_that_the_question_does_not_name_is_said_not_to_be_judged() -> None:
    assert asks(gate(budget(scope="customer"))).not_judged == ["b"]


def test_the_tightest_of_several_budgets_denies() -> None:
    at_gate = gate(
        budget(name="wide", limit_usd=100),
        budget(name="narrow", scope="customer", limit_usd="0.02"),
    )
    answer = asks(at_gate, customer="acme")
    assert answer.budget is not None
    assert (answer.allow, answer.budget.name) == (False, "narrow")


def test_a_period_that_has_ended_binds_no_more() -> None:
    at_gate = gate(budget(), spent={("b", ""): "5"}, as_of=MIDNIGHT - timedelta(seconds=5))
    assert not asks(at_gate, now=MIDNIGHT - timedelta(seconds=1)).allow
    assert asks(at_gate, now=MIDNIGHT).allow


def test_a_budget_without_deny_only_tells() -> None:
    answer = asks(gate(budget(deny=False), spent={("b", ""): "5"}))
    assert (answer.allow, answer.remaining_usd) == (True, -4)


def test_a_dry_run_lets_pass_and_says_what_it_would_have_done() -> None:
    answer = asks(gate(budget(dry_run=True), spent={("b", ""): "5"}))
    assert answer.allow
    assert answer.reason is not None
    assert answer.reason.startswith("dry run, else denied: ")


def test_a_run_without_a_model_is_let_in_while_anything_is_left() -> None:
    left = gate(budget(), spent={("b", ""): "0.999"})
    assert left.ask(Question(workflow="Invoices"), NOW).allow
    used_up = gate(budget(), spent={("b", ""): "1"})
    assert not used_up.ask(Question(workflow="Invoices"), NOW).allow


@pytest.mark.parametrize("when_unknown", ["allow", "deny"])
def test_an_unknown_price_is_answered_as_configured(when_unknown: str) -> None:
    answer = asks(gate(budget(), when_unknown=when_unknown), provider="openai", model="new")
    assert answer.allow is (when_unknown == "allow")
    assert answer.code == "unknown"
    assert answer.estimated_cost_usd is None
    assert "no price is known of openai/new; set one in `prices`" in str(answer.reason)


def test_an_unknown_price_does_not_matter_where_no_budget_denies() -> None:
    assert asks(gate(when_unknown="deny"), provider="openai", model="new").code == "ok"


@pytest.mark.parametrize("when_unknown", ["allow", "deny"])
def test_spending_that_was_not_read_lately_is_unknown(when_unknown: str) -> None:
    at_gate = gate(budget(), as_of=NOW - timedelta(minutes=6), when_unknown=when_unknown)
    answer = asks(at_gate)
    assert (answer.allow, answer.code) == (when_unknown == "allow", "unknown")


def test_the_length_of_a_text_is_an_estimate_and_said_to_be() -> None:
    answer = asks(gate(), input_tokens=None, input="a" * 401)
    assert (answer.input_tokens, answer.input_tokens_estimated) == (101, True)


def test_an_output_without_a_limit_is_assumed_and_said_to_be() -> None:
    answer = asks(gate(assumed_output_tokens=2000), max_output_tokens=None)
    assert (answer.max_output_tokens, answer.max_output_tokens_assumed) == (2000, True)
    assert answer.estimated_cost_usd == pytest.approx(0.07)


@pytest.mark.parametrize("model", ["openai/large", "large"])
def test_the_provider_is_found_by_the_model(model: str) -> None:
    assert asks(gate(), model=model).estimated_cost_usd == 0.04


def test_a_customer_cannot_take_more_tokens_than_its_minute_has() -> None:
    at_gate = gate(rates=[{"tokens_per_minute": 5000}])
    assert [asks(at_gate, customer="acme").allow for _ in range(3)] == [True, True, False]
    assert asks(at_gate, customer="globex").allow
    answer = asks(at_gate, customer="acme", now=NOW + timedelta(seconds=20))
    assert (answer.code, answer.retry_after_seconds) == ("rate", 41)
    assert asks(at_gate, customer="acme", now=NOW + timedelta(seconds=60)).allow


def test_calls_of_one_run_are_one_run_of_the_rate() -> None:
    at_gate = gate(rates=[{"customer": "acme", "runs_per_minute": 2}])
    runs = ["a", "a", "b", "a", "c", "b"]
    assert [asks(at_gate, customer="acme", execution_id=run).allow for run in runs] == [
        True,
        True,
        True,
        True,
        False,
        True,
    ]


def test_a_customer_with_a_rate_of_its_own_has_not_that_of_the_others() -> None:
    at_gate = gate(
        rates=[{"customer": "acme", "runs_per_minute": 2}, {"runs_per_minute": 1}],
    )
    for customer, expected in (("acme", [True, True, False]), ("globex", [True, False, False])):
        asked = [at_gate.ask(Question(customer=customer), NOW).allow for _ in range(3)]
        assert asked == expected


def test_a_reload_forgets_nothing_that_was_let_pass() -> None:
    before = gate(budget(limit_usd="0.05"), rates=[{"tokens_per_minute": 5000}])
    assert asks(before).allow
    after = gate(budget(limit_usd="0.06"), rates=[{"tokens_per_minute": 3000}])
    after.take_over(before)
    assert asks(after).code == "rate"
    assert asks(after, now=NOW + timedelta(seconds=61)).code == "budget"
