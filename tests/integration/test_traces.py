"""Spans in any order, repeated and split over requests give the same tables as in order."""

import random
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from exporter.errors import NotNowError
from tests import databases
from tests.conftest import connect
from tests.receivers.otlp_requests import BEGUN, GUIDE, TRACE, Sent, span_id
from tests.receivers.pushing import Traces, requests, traces_into
from tests.sources.by_hand import counters, differences, exporter, stored

NOW = BEGUN + timedelta(minutes=1)


def query(url: str, statement: str) -> list[dict[str, object]]:
    with connect(url) as connection:
        return connection.execute(statement).fetchall()


def company(seed: int = 1) -> list[Sent]:
    """Three traces: the guide's, one with nested agents and a wrapper, one that failed."""
    rng = random.Random(seed)
    nested = [
        Sent(
            trace_id="a" * 32,
            span_id=span_id(number),
            parent=span_id(rng.randrange(1, number)) if number > 1 else "",
            name=f"step {number}",
            at_ms=number * 10,
            took_ms=3_000 - number,
            attributes={
                "gen_ai.operation.name": "chat",
                "gen_ai.provider.name": "openai",
                "gen_ai.request.model": "gpt-4o-mini",
                "gen_ai.usage.input_tokens": number * 10,
                "gen_ai.usage.output_tokens": number,
            }
            if number % 3 == 0
            else {},
        )
        for number in range(1, 60)
    ]
    failed = [
        Sent(trace_id="b" * 32, span_id=span_id(1), name="enrich", took_ms=900, error="no answer"),
        Sent(
            trace_id="b" * 32,
            span_id=span_id(2),
            parent=span_id(1),
            name="chat",
            error="429",
            attributes={
                "error.type": "RateLimitError",
                "gen_ai.operation.name": "chat",
                "gen_ai.request.model": "gpt-4o-mini",
            },
        ),
    ]
    return [*GUIDE, *nested, *failed]


def shuffled(seed: int) -> list[Sequence[Sent]]:
    rng = random.Random(seed)
    spans = [*company(), *rng.choices(company(), k=40)]
    rng.shuffle(spans)
    return requests(spans, 50)


def roots_last(seed: int) -> list[Sequence[Sent]]:
    spans = sorted(company(), key=lambda sent: (not sent.parent, random.Random(seed).random()))
    return requests(spans, 50)


def one_by_one_with_time_between(seed: int) -> list[Sequence[Sent]]:
    return [[sent] for sent in shuffled(seed)[0]] + shuffled(seed)[1:]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("arranged", [shuffled, roots_last, one_by_one_with_time_between])
def test_any_arrangement_gives_the_same_tables(  # noqa: PLR0917 - fixtures
    arranged: Callable[[int], list[Sequence[Sent]]],
    seed: int,
    one_database_url: str,
    plain_server: str,
    migrated: Callable[[str], str],
    tmp_path: Path,
) -> None:
    with databases.new_database(plain_server, template=migrated(plain_server)) as in_order:
        with traces_into(tmp_path, in_order, NOW) as traces:
            traces.push(*company())
            traces.settle()
        with traces_into(tmp_path, one_database_url, NOW) as traces:
            for place, sent in enumerate(arranged(seed)):
                traces.push(*sent)
                if place % 3 == 0:
                    traces.settle()
            traces.settle()

        assert stored(in_order) == stored(one_database_url)
        assert differences(one_database_url) == {}
        assert stored(in_order)["llm_calls"], "there are calls to compare"


def test_a_trace_without_its_root_is_the_same_in_any_order(
    one_database_url: str, plain_server: str, migrated: Callable[[str], str], tmp_path: Path
) -> None:
    rootless = [sent for sent in company() if sent.parent]
    with databases.new_database(plain_server, template=migrated(plain_server)) as in_order:
        for url, arranged in (
            (in_order, [rootless]),
            (one_database_url, requests(rootless, 9)[::-1]),
        ):
            with traces_into(tmp_path, url, NOW) as traces:
                for sent in arranged:
                    traces.push(*sent)
                    traces.settle()
                running = query(url, "SELECT DISTINCT status FROM executions")
                traces.clock.now = NOW + timedelta(minutes=15)
                traces.settle()

            assert running == [{"status": "running"}]

        assert stored(in_order) == stored(one_database_url)
        assert query(in_order, "SELECT DISTINCT status FROM executions") == [{"status": "pruned"}]


def test_the_guides_trace_shows_image_generation_at_half_of_the_time(
    database_url: str, tmp_path: Path
) -> None:
    with traces_into(tmp_path, database_url, NOW) as traces:
        traces.push(*GUIDE)
        traces.settle()

    (run,) = query(database_url, "SELECT * FROM executions")
    shares = query(
        database_url,
        "SELECT s.name, round((s.duration_seconds / e.duration_seconds)::numeric, 2) AS share "
        "FROM steps s JOIN executions e USING (source, execution_id, created_at) "
        "ORDER BY s.started_at",
    )

    assert (run["workflow"], run["status"], run["duration_seconds"]) == (
        "content_generator",
        "success",
        7.565,
    )
    assert [(row["name"], float(str(row["share"]))) for row in shares] == [
        ("Fetch topic from database", 0.01),
        ("Generate outline with GPT-4", 0.16),
        ("Expand each section with Claude", 0.32),
        ("Generate image with DALL-E", 0.50),
        ("Save to CMS", 0.02),
    ]


def test_a_request_is_answered_when_its_spans_are_committed(
    one_database_url: str, tmp_path: Path
) -> None:
    with traces_into(tmp_path, one_database_url, NOW) as traces:
        answer = traces.push(*GUIDE)
        assert not answer.done()

        traces.poll()

        assert answer.result(0).accepted == len(GUIDE)
        assert query(one_database_url, "SELECT count(*) AS n FROM spans") == [{"n": len(GUIDE)}]


def test_a_request_that_cannot_be_stored_is_to_come_again(
    one_database_url: str, tmp_path: Path
) -> None:
    with traces_into(tmp_path, one_database_url, NOW) as traces:
        answer = traces.push(*GUIDE)
        with connect(one_database_url) as connection:
            connection.execute("ALTER TABLE spans RENAME TO elsewhere")

        assert traces.poll().outcome == "blocked"
        with pytest.raises(NotNowError):
            answer.result(0)

        with connect(one_database_url) as connection:
            connection.execute("ALTER TABLE elsewhere RENAME TO spans")
        traces.push(*GUIDE)
        traces.settle()
        assert query(one_database_url, "SELECT status FROM executions") == [{"status": "success"}]


def test_a_settled_trace_keeps_no_spans_and_rejects_late_ones(
    one_database_url: str, tmp_path: Path
) -> None:
    with traces_into(tmp_path, one_database_url, NOW) as traces:
        traces.push(*GUIDE)
        traces.settle()
        before = stored(one_database_url)
        traces.clock.now = NOW + timedelta(hours=2)
        traces.settle()
        assert query(one_database_url, "SELECT * FROM spans") == []

        late = traces.push(Sent(span_id=span_id(99), parent=span_id(1)))
        traces.settle()

        assert late.result(0).rejected == 1
        assert stored(one_database_url) == before
        omitted = [
            value for key, value in counters(one_database_url).items() if "late_span" in str(key)
        ]
        assert omitted == [1]


def test_a_run_shows_as_running_until_its_root_has_come(
    one_database_url: str, tmp_path: Path
) -> None:
    root, *steps = GUIDE
    with traces_into(tmp_path, one_database_url, NOW) as traces:
        traces.push(*steps)
        traces.settle()
        before = query(one_database_url, "SELECT status, execution_id FROM executions")
        traces.push(root)
        traces.settle()
        after = query(one_database_url, "SELECT status, execution_id, created_at FROM executions")

    assert before == [{"status": "running", "execution_id": TRACE}]
    assert after == [{"status": "success", "execution_id": TRACE, "created_at": BEGUN}]


def test_a_run_is_counted_once_whatever_it_was_before(
    one_database_url: str, tmp_path: Path
) -> None:
    root, *steps = GUIDE
    with traces_into(tmp_path, one_database_url, NOW) as traces:
        for sent in (steps[:2], steps[2:], [root], GUIDE):
            traces.push(*sent)
            traces.settle()

    counted = {
        key: value
        for key, value in counters(one_database_url).items()
        if "aiwf_executions_total" in str(key) and value
    }
    assert list(counted.values()) == [1]


SECRET = "sk-canary0123456789abcdef"


def everything_stored(url: str) -> str:
    with connect(url) as connection:
        tables = connection.execute(
            "SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public'"
        ).fetchall()
        return "".join(
            str(row)
            for table in tables
            for row in connection.execute(f"SELECT * FROM {table['name']}").fetchall()
        )


def telling(text: str) -> Sent:
    return Sent(
        span_id=span_id(1),
        error=text,
        attributes={
            "http.request.header.authorization": text,
            "nested": {"list": [text]},
            "gen_ai.operation.name": "chat",
            "gen_ai.request.model": "gpt-4o",
            "gen_ai.input.messages": text,
        },
        events=(("exception", 1, {"exception.type": "Error", "exception.stacktrace": text}),),
    )


def test_a_key_in_a_span_is_nowhere_stored(one_database_url: str, tmp_path: Path) -> None:
    with traces_into(tmp_path, one_database_url, NOW) as traces:
        traces.push(telling(f"Bearer {SECRET}"))
        traces.poll()
        assert SECRET not in everything_stored(one_database_url)

        traces.settle()

    found = everything_stored(one_database_url)
    assert SECRET not in found
    assert "[api_key]" in found


def test_with_capture_off_no_prose_is_stored_even_for_a_moment(
    one_database_url: str, tmp_path: Path
) -> None:
    with exporter(tmp_path, one_database_url, content={"capture": "off"}, receivers={}) as running:
        traces = Traces(running.app, running.clock)
        running.clock.now = NOW
        traces.push(
            Sent(
                span_id=span_id(1),
                attributes={"gen_ai.input.messages": "the plan", "gen_ai.request.model": "m"},
            )
        )
        traces.poll()
        assert "the plan" not in everything_stored(one_database_url)
        assert b"the plan" not in everything_stored(one_database_url).encode()


OF_N8N = Sent(span_id=span_id(1), name="workflow.execute", attributes={"n8n.workflow.id": "w1"})


@pytest.mark.parametrize(("choice", "stored_runs"), [("auto", 0), ("keep", 1)])
def test_runs_that_an_n8ns_database_tells_are_not_told_twice(
    choice: str, stored_runs: int, one_database_url: str, tmp_path: Path
) -> None:
    with traces_into(tmp_path, one_database_url, NOW, traces={"n8n": choice}) as traces:
        answer = traces.push(OF_N8N)
        traces.settle()

    assert answer.result(0).accepted == 1
    assert len(query(one_database_url, "SELECT * FROM executions")) == stored_runs
