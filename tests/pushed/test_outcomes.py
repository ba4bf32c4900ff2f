"""Business results: told again they are the same result, told anew another."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from exporter.errors import BadRequestError
from exporter.pushed.reading import read_outcomes
from tests.pushed.telling import NOW, RUN, Stored, body, outcomes

LATER = NOW + timedelta(hours=1)
SOLD: dict[str, Any] = {"workflow": "shop", "outcome": "sold", "value": 3}
AT = "2026-05-31T08:00:00Z"


def stored_values(stored: Stored) -> list[Decimal]:
    return [each.value for each in outcomes(list(stored.rows.values()))]


def test_everything_that_an_outcome_holds_can_be_told() -> None:
    (found,) = outcomes(
        Stored().push_outcomes(
            {
                "id": "order-9",
                "workflow": "shop",
                "name": "revenue",
                "value": "19.90",
                "unit": "EUR",
                "at": AT,
                "execution_id": 231,
                "source": "n8n-production",
                "customer": "acme",
                "project": "p",
                "team": "t",
                "attributes": {"channel": "mail"},
                "colour": "red",
            }
        )
    )

    assert ("n8n-production", "order-9", "shop", "revenue") == (
        found.source,
        found.outcome_id,
        found.workflow,
        found.name,
    )
    assert (Decimal("19.90"), "EUR", datetime(2026, 5, 31, 8, tzinfo=UTC), "231") == (
        found.value,
        found.unit,
        found.at,
        found.execution_id,
    )
    assert ("acme", "p", "t") == (found.customer, found.project, found.team)
    assert {"channel": "mail", "colour": "red"} == found.attributes


def test_an_outcome_without_a_value_happened_once_and_now() -> None:
    (found,) = outcomes(
        Stored().push_outcomes({"workflow": "w", "outcome": "approved", "source": "", "at": ""})
    )

    assert (Decimal(1), NOW, "pushed") == (found.value, found.at, found.source)


@pytest.mark.parametrize(
    "identity",
    [{"id": "order-9"}, {"execution_id": "1"}, {"at": AT}, {"execution_id": "1", "at": AT}],
    ids=["by id", "by its run", "by its time", "by its run and time"],
)
def test_told_again_later_it_is_the_same_result(identity: dict[str, str]) -> None:
    stored = Stored()
    stored.push_outcomes({**SOLD, **identity})
    before = dict(stored.rows)

    stored.push_outcomes({**SOLD, **identity}, now=LATER)

    assert before == stored.rows


def test_a_result_keeps_its_first_time_also_if_its_sender_writes_another_each_time() -> None:
    stored = Stored()
    stored.push_outcomes({**SOLD, "id": "order-9", "at": AT})
    stored.push_outcomes({**SOLD, "id": "order-9", "at": "2026-05-31T08:00:01Z", "value": 4})

    assert [Decimal(4)] == stored_values(stored)


def test_twice_in_one_request_it_is_the_same_result() -> None:
    stored = Stored()
    stored.push_outcomes(
        {**SOLD, "id": "a", "at": AT}, {**SOLD, "id": "a", "at": "2026-05-31T09:00:00Z", "value": 5}
    )

    assert [Decimal(5)] == stored_values(stored)


def test_what_nothing_identifies_counts_each_time() -> None:
    stored = Stored()
    stored.push_outcomes(SOLD, SOLD)

    assert [Decimal(3), Decimal(3)] == stored_values(stored)


@pytest.mark.parametrize(
    "other",
    [
        {"customer": "b"},
        {"value": 4},
        {"attributes": {"order": 2}},
        {"at": "2026-05-31T08:00:00.000001Z"},
        {"outcome": "returned"},
        {"workflow": "other"},
    ],
)
def test_two_results_of_one_moment_that_differ_are_two(other: dict[str, object]) -> None:
    stored = Stored()
    stored.push_outcomes({**SOLD, "at": AT, "customer": "a"})
    stored.push_outcomes({**SOLD, "at": AT, "customer": "a", **other})

    assert 2 == len(stored.rows)


def test_told_with_its_run_and_by_itself_it_is_one_result() -> None:
    stored = Stored()
    stored.push({**RUN, "started_at": AT, "duration_ms": 1, "outcomes": {"approved": 0}})
    stored.push_outcomes(
        {"workflow": "content", "execution_id": "run-1", "outcome": "approved", "value": 1},
        now=LATER,
    )

    assert [Decimal(1)] == stored_values(stored)


def test_results_of_one_name_in_one_run_are_several() -> None:
    stored = Stored()
    stored.push({**RUN, "outcomes": [{"name": "post", "value": 1}, {"name": "post", "value": 1}]})

    assert [Decimal(1), Decimal(1)] == stored_values(stored)


def test_a_result_of_another_source_is_not_that_of_ours() -> None:
    stored = Stored()
    stored.push_outcomes({**SOLD, "id": "a"}, {**SOLD, "id": "a", "source": "n8n"})

    assert {"pushed", "n8n"} == {each.source for each in outcomes(list(stored.rows.values()))}


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"workflow": None}, "workflow: must be text"),
        ({"outcome": ""}, "outcome: must not be empty"),
        ({"value": "many"}, "value: must be a number, or true or false"),
        ({"source": "N8N Production"}, "source: 'N8N Production' does not do; write a name of"),
        ({"at": "2027-01-01T00:00:00Z"}, "at: is 2027-01-01 00:00 UTC, more than a day from now"),
    ],
)
def test_a_wrong_outcome_is_refused_with_its_place(fields: dict[str, object], reason: str) -> None:
    with pytest.raises(BadRequestError) as error:
        read_outcomes(body({**SOLD, **fields}), is_lines=False, now=NOW)

    assert str(error.value).startswith(reason)
