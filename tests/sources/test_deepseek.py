"""DeepSeek's balance: what we store is what is left of each purse."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from exporter.demo.providers.bad_days import Status
from exporter.demo.providers.deepseek_api import API_KEY, DeepSeekApi
from exporter.demo.providers.server import ProviderServer
from exporter.demo.providers.simulated_month import simulated_month
from exporter.errors import SourceError
from exporter.records import Balance
from tests.conftest import connect
from tests.sources.by_hand import Clock
from tests.sources.provider_month import Month
from tests.sources.recorded_answers import recorded
from tests.sources.written_answers import written

END = datetime(2026, 11, 20, tzinfo=UTC)
PATH = "user/balance"


def test_each_currency_is_a_balance_of_its_own_and_may_be_overdrawn() -> None:
    with recorded("deepseek", "api_key", {PATH: "balance.json"}) as (source, _):
        assert source.balances is not None
        found = source.balances(END)

    assert found == [
        Balance(
            source="deepseek",
            provider="deepseek",
            balance="credits",
            unit=unit,
            observed_at=END,
            remaining=remaining,
        )
        for unit, remaining in (("CNY", Decimal("110.00")), ("USD", Decimal("-0.07")))
    ]


@pytest.mark.parametrize("amount", ['"NaN"', '"Infinity"', '"-Infinity"', '"1e999"', '"much"'])
def test_a_balance_that_is_no_money_is_refused(amount: str) -> None:
    body = f'{{"balance_infos": [{{"currency": "CNY", "total_balance": {amount}}}]}}'
    with written("deepseek", "api_key", {PATH: body}) as (source, _):
        assert source.balances is not None
        with pytest.raises(SourceError) as refused:
            source.balances(END)

    assert "answer_changed" == refused.value.reason


def test_after_a_month_of_bad_days_the_newest_balances_are_deepseeks(
    tmp_path: Path, one_database_url: str
) -> None:
    clock = Clock()
    clock.now = END - timedelta(days=19)
    api = DeepSeekApi(simulated_month(seed=7, until=END, days=20))
    with ProviderServer(api, clock) as server:
        block = {
            "name": "deepseek",
            "kind": "deepseek",
            "api_key": {"env": "DEEPSEEK_API_KEY"},
            "base_url": server.url,
            "allow_private": True,
        }
        environ = {"DEEPSEEK_API_KEY": API_KEY}
        with Month(tmp_path, one_database_url, block, environ, clock) as month:
            month.exporter().poll_ok()
            for day in range(1, 22):
                if day in (3, 9):
                    month.die_in_a_poll(day)
                if day in (5, 6):
                    server.bad_days.add(Status(500), times=3)
                    assert "later" == month.exporter().poll().outcome
                elif day not in (12, 13):  # nobody polls
                    month.exporter().poll_ok()
                clock.advance(days=1)
            month.exporter().poll_ok()

            assert api.left(clock.now) == _newest(one_database_url)
            assert api.left(END - timedelta(days=19)) == _oldest(one_database_url)
            month.assert_at_rest()


def _newest(url: str) -> dict[str, Decimal]:
    return _first_in_order(url, "DESC")


def _oldest(url: str) -> dict[str, Decimal]:
    return _first_in_order(url, "ASC")


def _first_in_order(url: str, order: str) -> dict[str, Decimal]:
    with connect(url) as connection:
        rows = connection.execute(
            "SELECT DISTINCT ON (unit) unit, remaining FROM balances"
            f" ORDER BY unit, observed_at {order}"
        ).fetchall()
    return {str(row["unit"]): row["remaining"] for row in rows}  # type: ignore[misc]
