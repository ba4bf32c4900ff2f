"""Received spans go on to other endpoints: each at least once, whatever the endpoint answers."""

from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from exporter.receivers.forwarding import Forwarder, forwardings_of
from exporter.records import Forwarding
from exporter.settings import ForwardTarget
from tests.conftest import connect
from tests.hostile_web import HostileWeb, drop, hostile_web, http
from tests.receivers.otlp_requests import BEGUN, GUIDE, PROTOBUF, as_protobuf
from tests.receivers.pushing import traces_into
from tests.sources.by_hand import Clock

TAKEN = http(200, kind=PROTOBUF)


class Waiting:
    """What waits, in memory."""

    def __init__(self, *bodies: bytes) -> None:
        self.kept = [
            Forwarding(
                source="otel",
                target="tempo",
                forwarding_id=str(place),
                received_at=BEGUN + timedelta(seconds=place),
                content_type=PROTOBUF,
                body=body,
            )
            for place, body in enumerate(bodies)
        ]

    def forwardings(self, target: str, most: int) -> Sequence[Forwarding]:
        return [one for one in self.kept if one.target == target][:most]

    def forwarded(self, done: Sequence[Forwarding]) -> None:
        self.kept = [one for one in self.kept if one not in done]


class Shown(dict[str, float]):
    """The newest value of each series."""

    def __call__(self, metric: str, value: float, **labels: str) -> None:
        self[" ".join([metric, *labels.values()])] = value


def target_at(web: HostileWeb) -> ForwardTarget:
    return ForwardTarget.model_validate(
        {
            "name": "tempo",
            "url": f"http://127.0.0.1:{web.port}/v1/traces",
            "headers": {"x-tenant": {"env": "TENANT"}},
        },
        context={"environ": {"TENANT": "canary"}},
    )


Make = Callable[..., tuple[Forwarder, HostileWeb, Waiting, Clock, Shown]]


@pytest.fixture
def make() -> Iterator[Make]:
    """Build a forwarder whose target gives these answers."""
    open_webs = []

    def made(
        answers: Sequence[object], *bodies: bytes
    ) -> tuple[Forwarder, HostileWeb, Waiting, Clock, Shown]:
        context = hostile_web(*answers)  # type: ignore[arg-type]
        web = context.__enter__()
        open_webs.append(context)
        clock, shown, waiting = Clock(), Shown(), Waiting(*bodies)
        clock.now = BEGUN + timedelta(minutes=1)
        return Forwarder(target_at(web), waiting, shown, clock=clock), web, waiting, clock, shown

    yield made
    for context in open_webs:
        context.__exit__(None, None, None)


def test_bodies_go_on_as_they_came_in_order_with_the_targets_headers(make: Make) -> None:
    forwarder, web, waiting, _, shown = make([TAKEN], b"first", b"second")

    forwarder.run()

    assert waiting.kept == []
    assert [request.partition(b"\r\n\r\n")[2] for request in web.requests] == [b"first", b"second"]
    head = web.requests[0].lower()
    assert b"post /v1/traces" in head
    assert b"content-type: application/x-protobuf" in head
    assert b"x-tenant: canary" in head
    assert shown["aiwf_forwarded_bodies_total tempo sent"] == 2
    assert shown["aiwf_forwarding_lag_seconds tempo"] == 0


def test_a_target_that_is_down_keeps_them_waiting_and_is_asked_less_and_less(make: Make) -> None:
    forwarder, web, waiting, clock, shown = make([drop], b"first")

    forwarder.run()
    asked = len(web.requests)
    forwarder.run()  # at once: the target rests

    assert len(web.requests) == asked
    assert len(waiting.kept) == 1
    assert shown["aiwf_forwarding_lag_seconds tempo"] == 60
    clock.advance(seconds=6)
    forwarder.run()
    assert len(web.requests) > asked


def test_a_target_that_asks_for_a_rest_gets_it(make: Make) -> None:
    forwarder, web, waiting, clock, _ = make([http(429, b"", "Retry-After: 90"), TAKEN], b"first")
    forwarder.run()
    clock.advance(seconds=80)
    forwarder.run()
    assert len(web.requests) == 1

    clock.advance(seconds=20)
    forwarder.run()

    assert waiting.kept == []


def test_a_body_that_is_refused_for_what_it_is_makes_way_and_is_counted(make: Make) -> None:
    forwarder, _, waiting, _, shown = make([http(400), TAKEN], b"wrong", b"right")

    forwarder.run()

    assert waiting.kept == []
    assert shown["aiwf_forwarded_bodies_total tempo refused"] == 1
    assert shown["aiwf_forwarded_bodies_total tempo sent"] == 1


@pytest.mark.parametrize("status", [401, 403, 404, 405])
def test_a_target_that_is_set_up_wrongly_loses_nothing(make: Make, status: int) -> None:
    forwarder, _, waiting, _, _ = make([http(status)], b"first")

    forwarder.run()

    assert len(waiting.kept) == 1


def test_what_waited_too_long_is_dropped_and_counted(make: Make) -> None:
    forwarder, web, waiting, clock, shown = make([TAKEN], b"old")
    clock.advance(hours=25)

    forwarder.run()

    assert (waiting.kept, web.requests) == ([], [])
    assert shown["aiwf_forwarded_bodies_total tempo expired"] == 1


def test_a_run_ends_though_much_waits_and_the_next_goes_on(make: Make) -> None:
    bodies = [str(number).encode() for number in range(10)]
    forwarder, web, waiting, clock, shown = make([TAKEN], *bodies)
    forget = waiting.forwarded

    def forget_slowly(done: Sequence[Forwarding]) -> None:
        clock.advance(seconds=4)
        forget(done)

    waiting.forwarded = forget_slowly  # type: ignore[method-assign]
    forwarder.run()

    assert len(web.requests) == 4
    assert shown["aiwf_forwarding_lag_seconds tempo"] > 0
    forwarder.run()
    forwarder.run()
    assert [request.partition(b"\r\n\r\n")[2] for request in web.requests] == bodies


def test_every_target_gets_its_own_copy() -> None:
    targets = [
        ForwardTarget(name="tempo", url="http://tempo:4318"),
        ForwardTarget(name="other", url="https://otlp.example.com"),
    ]

    found = forwardings_of(targets, "otel", b"body", PROTOBUF, BEGUN)

    assert [(one.target, one.body) for one in found] == [("tempo", b"body"), ("other", b"body")]
    assert len({one.forwarding_id for one in found}) == 2


def test_what_is_acknowledged_waits_in_the_database_until_it_is_sent(
    one_database_url: str, tmp_path: Path
) -> None:
    with hostile_web(http(503), TAKEN) as web:
        forward = [{"name": "tempo", "url": f"http://127.0.0.1:{web.port}/v1/traces"}]
        with traces_into(tmp_path, one_database_url, BEGUN, traces={"forward": forward}) as traces:
            answer = traces.push(*GUIDE)
            traces.poll()
            assert answer.result(0).accepted == len(GUIDE)

        # Another process, after a crash: nothing but the database is left.
        with traces_into(tmp_path, one_database_url, BEGUN, traces={"forward": forward}) as traces:
            (forwarder,) = traces.app._forwarders
            forwarder._clock = traces.clock
            forwarder.run()
            traces.clock.advance(minutes=10)
            forwarder.run()

        bodies = [request.partition(b"\r\n\r\n")[2] for request in web.requests]
        assert as_protobuf(GUIDE) in bodies
    with connect(one_database_url) as connection:
        assert connection.execute("SELECT count(*) AS n FROM forwardings").fetchone() == {"n": 0}
