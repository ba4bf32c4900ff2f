"""Requests wait in order and within bounds, and are answered after the commit or turned away."""

import threading

import pytest

from exporter.errors import NotNowError
from exporter.receivers.intake import Budget, Delivery, Intake, Receipt


def filled(*weights: int) -> Intake[int]:
    intake: Intake[int] = Intake()
    for number, weight in enumerate(weights):
        intake.offer(Delivery(number, weight))
    return intake


def contents(intake: Intake[int], most: int) -> list[int]:
    return [delivery.content for delivery in intake.take(most, 0)]


def test_requests_come_out_in_order_and_as_many_as_fit() -> None:
    intake = filled(3, 3, 3)

    assert contents(intake, 7) == [0, 1]
    assert contents(intake, 7) == [2]
    assert contents(intake, 7) == []


def test_one_that_is_larger_than_a_batch_comes_alone() -> None:
    intake = filled(50, 1)

    assert contents(intake, 10) == [0]
    assert contents(intake, 10) == [1]


def test_a_waiting_writer_is_woken_by_a_request() -> None:
    intake: Intake[int] = Intake()
    taken: list[Delivery[int]] = []
    writer = threading.Thread(target=lambda: taken.extend(intake.take(10, 60)))
    writer.start()

    intake.offer(Delivery(1, 1))
    writer.join(10)

    assert [delivery.content for delivery in taken] == [1]


def test_a_writer_that_fails_turns_its_requests_away() -> None:
    intake = filled(1, 1)
    taken = intake.take(10, 0)

    with pytest.raises(RuntimeError), intake.storing(taken):
        raise RuntimeError("no database")

    for delivery in taken:
        with pytest.raises(NotNowError, match="send it again"):
            delivery.answer.result(0)


def test_a_writer_that_is_given_up_turns_its_requests_away() -> None:
    intake = filled(1)
    taken = intake.take(10, 0)

    def batches():  # type: ignore[no-untyped-def]
        with intake.storing(taken):
            yield "a batch"

    writing = batches()
    next(writing)
    writing.close()

    with pytest.raises(NotNowError):
        taken[0].answer.result(0)


def test_what_is_stored_is_not_turned_away_afterwards() -> None:
    delivery = Delivery("content", 1)

    delivery.stored(Receipt(accepted=1))
    delivery.to_come_again(NotNowError("too late"))

    assert delivery.answer.result(0) == Receipt(accepted=1)


def test_a_closed_intake_turns_away_what_waits_and_what_comes() -> None:
    intake = filled(1)
    waiting = intake._waiting[0]

    intake.close(NotNowError("the exporter ends"))

    with pytest.raises(NotNowError, match="the exporter ends"):
        waiting.answer.result(0)
    with pytest.raises(NotNowError, match="the exporter ends"):
        intake.offer(Delivery(2, 1))


def test_a_budget_that_is_spent_says_so_until_bytes_come_back() -> None:
    budget = Budget(100)
    budget.take(80)

    with pytest.raises(NotNowError, match="send again later") as refusal:
        budget.take(30)
    assert refusal.value.status == 429

    budget.give_back(80)
    budget.take(100)
