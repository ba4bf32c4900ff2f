"""What n8n does to rows that were read before: every execution ends once, in its final state."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import psycopg
import pytest

from exporter.interfaces import Increment
from tests.conftest import connect
from tests.sources.by_hand import (
    Exporter,
    counted,
    differences,
    execution,
    exporter,
    one,
    runs,
)
from tests.sources.changing_n8n import NEWEST, ChangingN8n, add_execution

RECORDED = {
    "success": 461,
    "error": 76,
    "crashed": 15,
    "canceled": 2,
    "timeout": 8,
    "waiting": 8,
    "running": 3,
}
NEW = NEWEST + 25  # of an id that nothing in the recording has


@pytest.fixture
def n8n(n8n_url: str) -> Iterator[ChangingN8n]:
    """A copy of the recorded n8n that goes on working."""
    with ChangingN8n(n8n_url) as changing:
        yield changing


@pytest.fixture
def app(read_url: str, n8n_url: str, tmp_path: Path) -> Iterator[Exporter]:
    """An exporter that is started where another has read the recording to its end."""
    with exporter(tmp_path, read_url, {"url": n8n_url, "max_data_mb": 1}) as polled:
        yield polled


def _ended(url: str, status: str) -> float:
    return counted(url, "aiwf_executions_total", status=status)


def _calls(url: str, execution_id: int) -> int:
    return int(
        one(
            url,
            "SELECT count(*) AS n FROM llm_calls WHERE execution_id = %s",
            [str(execution_id)],
        )["n"]
    )


# --- order and lateness ------------------------------------------------------------------------


def test_an_id_that_commits_after_a_higher_one_is_read_once(
    app: Exporter, n8n: ChangingN8n, read_url: str
) -> None:
    with psycopg.connect(n8n.url) as late:
        add_execution(late, NEW, like=100)
        n8n.add(NEW + 1)
        app.poll_ok()
        assert RECORDED["success"] + 1 == runs(read_url)["success"]
        late.commit()
    app.poll_ok()
    app.poll_ok()

    assert "success" == execution(read_url, NEW)["status"]
    assert RECORDED["success"] + 2 == runs(read_url)["success"]
    assert RECORDED["success"] + 2 == _ended(read_url, "success")
    assert {} == differences(read_url)


def test_the_very_first_execution_of_an_n8n_may_commit_late(
    one_database_url: str, n8n: ChangingN8n, tmp_path: Path
) -> None:
    n8n.execute("DELETE FROM execution_entity WHERE id NOT IN (100, 101)")
    n8n.execute("CREATE TABLE gone AS SELECT * FROM execution_entity WHERE id = 100")
    n8n.execute('CREATE TABLE gone_data AS SELECT * FROM execution_data WHERE "executionId" = 100')
    n8n.delete(100)
    with exporter(tmp_path, one_database_url, {"url": n8n.url}) as app:
        app.poll_ok()
        n8n.execute("INSERT INTO execution_entity SELECT * FROM gone")
        n8n.execute("INSERT INTO execution_data SELECT * FROM gone_data")
        n8n.change(100, stoppedAt=n8n.now())
        app.poll_ok()

    assert "success" == execution(one_database_url, 100)["status"]


def test_an_id_that_never_comes_is_no_execution(
    app: Exporter, n8n: ChangingN8n, read_url: str
) -> None:
    n8n.add(NEW + 3)
    for _ in range(3):
        app.poll_ok()

    assert {**RECORDED, "success": RECORDED["success"] + 1} == runs(read_url)


def test_more_executions_in_a_moment_than_a_page_holds_are_all_read(
    one_database_url: str, n8n: ChangingN8n, tmp_path: Path
) -> None:
    with exporter(tmp_path, one_database_url, {"url": n8n.url, "page_rows": 10}) as app:
        app.poll_ok()
        ids = [n8n.begin(NEW + number) for number in range(45)]
        app.poll_ok()
        n8n.execute(
            "UPDATE execution_entity SET status = 'success', finished = true, "
            '"stoppedAt" = %s WHERE id = ANY(%s)',
            [n8n.now(), ids],
        )
        app.poll_ok()

    assert {**RECORDED, "success": RECORDED["success"] + 45} == runs(one_database_url)


# --- running -----------------------------------------------------------------------------------


def test_a_running_execution_ends_once_in_its_final_state(
    app: Exporter, n8n: ChangingN8n, read_url: str
) -> None:
    n8n.begin(NEW)
    app.poll_ok()
    assert "running" == execution(read_url, NEW)["status"]
    assert 0 == _calls(read_url, NEW)
    n8n.end(NEW)
    app.poll_ok()
    app.poll_ok()

    row = execution(read_url, NEW)
    assert ("success", None) == (row["status"], row["unknown_steps_reason"])
    assert _calls(read_url, NEW) == _calls(read_url, 100) > 0
    assert {**RECORDED, "success": RECORDED["success"] + 1} == runs(read_url)
    assert RECORDED["success"] + 1 == _ended(read_url, "success")
    assert 0 == _ended(read_url, "running")
    assert {} == differences(read_url)


@pytest.mark.parametrize("status", ["error", "canceled", "crashed", "success"])
def test_each_way_to_end_is_counted_once(
    app: Exporter, n8n: ChangingN8n, read_url: str, status: str
) -> None:
    before = _ended(read_url, "timeout") + _ended(read_url, status)
    n8n.begin(NEW)
    app.poll_ok()
    n8n.end(NEW, status)
    for _ in range(3):
        app.poll_ok()

    after = _ended(read_url, "timeout") + _ended(read_url, status)
    assert (before if status != "timeout" else 0) + 1 == after
    assert 3 == runs(read_url)["running"]


def test_an_execution_that_begins_and_ends_between_two_polls_is_read_as_ended(
    app: Exporter, n8n: ChangingN8n, read_url: str
) -> None:
    n8n.begin(NEW)
    n8n.end(NEW)
    app.poll_ok()

    assert RECORDED["success"] + 1 == _ended(read_url, "success")
    assert 3 == runs(read_url)["running"]


def test_the_number_of_open_executions_is_the_engines(app: Exporter, n8n: ChangingN8n) -> None:
    n8n.begin(NEW)
    n8n.begin(NEW + 1, status="new")
    app.poll_ok()
    n8n.end(NEW)
    n8n.end(572, "error")
    app.poll_ok()

    body = app.app.exposition.serve(app.clock.now).decode().splitlines()
    shown = {"queued": 0.0, "running": 0.0, "waiting": 0.0}
    for line in body:
        if line.startswith("aiwf_executions_running{"):
            status = line.partition('status="')[2].partition('"')[0]
            shown[status] += float(line.rpartition(" ")[2])
    assert {"queued": 1, "running": 2, "waiting": 8} == shown


def test_a_queued_execution_keeps_its_time_of_creation_when_it_starts(
    app: Exporter, n8n: ChangingN8n, read_url: str
) -> None:
    n8n.begin(NEW, status="new", startedAt=None)
    app.poll_ok()
    queued = execution(read_url, NEW)
    assert ("queued", None) == (queued["status"], queued["started_at"])
    n8n.change(NEW, status="running", startedAt=n8n.now())
    app.poll_ok()
    n8n.end(NEW)
    app.poll_ok()

    row = execution(read_url, NEW)
    assert ("success", queued["created_at"]) == (row["status"], row["created_at"])


def test_crash_recovery_that_writes_a_stop_long_past_is_seen(
    app: Exporter, n8n: ChangingN8n, read_url: str
) -> None:
    n8n.begin(NEW)
    app.poll_ok()
    n8n.execute(
        "UPDATE execution_entity SET status = 'crashed', "
        '"stoppedAt" = "startedAt" - interval \'3 hours\' WHERE id = %s',
        [NEW],
    )
    app.poll_ok()

    row = execution(read_url, NEW)
    assert ("crashed", None) == (row["status"], row["duration_seconds"])
    assert RECORDED["crashed"] + 1 == _ended(read_url, "crashed")


# --- waiting -----------------------------------------------------------------------------------


def test_an_execution_that_waits_and_goes_on_under_its_id_is_counted_once(
    app: Exporter, n8n: ChangingN8n, read_url: str
) -> None:
    n8n.begin(NEW)
    app.poll_ok()
    n8n.change(NEW, status="waiting", stoppedAt=n8n.now(), waitTill="3000-01-01 00:00:00+00")
    app.poll_ok()
    waiting = execution(read_url, NEW)
    assert ("waiting", None) == (waiting["status"], waiting["finished_at"])
    assert waiting["attributes"]["n8n"]["waiting_until"].startswith("3000-01-01")
    n8n.change(NEW, status="running", waitTill=None)  # the old stop stays
    app.poll_ok()
    assert "running" == execution(read_url, NEW)["status"]
    n8n.end(NEW)
    app.poll_ok()
    app.poll_ok()

    assert {**RECORDED, "success": RECORDED["success"] + 1} == runs(read_url)
    assert RECORDED["success"] + 1 == _ended(read_url, "success")
    assert _calls(read_url, NEW) == _calls(read_url, 100)
    assert {} == differences(read_url)


def test_calls_made_before_a_wait_are_counted_once_and_those_after_it_too(
    app: Exporter, n8n: ChangingN8n, read_url: str
) -> None:
    before = counted(read_url, "aiwf_llm_calls_total")
    full = n8n.data(100)
    n8n.begin(NEW)
    n8n.change(NEW, status="waiting", stoppedAt=n8n.now())
    app.poll_ok()
    of_one = _calls(read_url, 100)
    assert before + of_one == counted(read_url, "aiwf_llm_calls_total")
    n8n.set_data(NEW, full)
    n8n.end(NEW)
    app.poll_ok()

    assert before + of_one == counted(read_url, "aiwf_llm_calls_total")


def test_an_execution_that_waits_twice_shows_its_second_wait(
    app: Exporter, n8n: ChangingN8n, read_url: str
) -> None:
    n8n.begin(NEW)
    n8n.change(NEW, status="waiting", stoppedAt=n8n.now(), waitTill="2030-01-01 00:00:00+00")
    app.poll_ok()
    n8n.change(NEW, stoppedAt=n8n.now(), waitTill="2031-01-01 00:00:00+00")
    app.poll_ok()

    row = execution(read_url, NEW)
    assert row["attributes"]["n8n"]["waiting_until"].startswith("2031-01-01")


# --- ended, and changed after all --------------------------------------------------------------


def test_an_ended_execution_that_ends_otherwise_later_is_moved_not_added(
    app: Exporter, n8n: ChangingN8n, read_url: str
) -> None:
    n8n.begin(NEW)
    n8n.end(NEW, "crashed")
    app.poll_ok()
    assert RECORDED["crashed"] + 1 == runs(read_url)["crashed"]
    n8n.end(NEW, "success")
    app.poll_ok()
    app.poll_ok()

    assert "success" == execution(read_url, NEW)["status"]
    assert {**RECORDED, "success": RECORDED["success"] + 1} == runs(read_url)
    assert RECORDED["success"] + 1 == _ended(read_url, "success")
    # A counter cannot fall: the crash was seen, and stays counted.
    assert RECORDED["crashed"] + 1 == _ended(read_url, "crashed")
    assert {} == differences(read_url)


def test_an_ended_execution_that_changes_while_the_poll_reads_is_not_missed(
    app: Exporter, n8n: ChangingN8n, read_url: str
) -> None:
    """It is read as crashed; before the poll asks what stopped lately it has become a success."""
    n8n.begin(NEW)
    n8n.end(NEW, "crashed")
    _poll_with_something_in_between(app, lambda: n8n.end(NEW, "success"))
    app.poll_ok()

    assert "success" == execution(read_url, NEW)["status"]


def _poll_with_something_in_between(app: Exporter, happen: Callable[[], object]) -> None:
    """Poll, and let something happen when the first batch of executions is committed."""
    show = app.app.exposition.counted
    has_happened = False

    def show_and_let_happen(
        source: str, increments: Sequence[Increment], *, caught_up: bool
    ) -> None:
        nonlocal has_happened
        show(source, increments, caught_up=caught_up)
        if increments and not has_happened:
            has_happened = True
            happen()

    app.app.exposition.counted = show_and_let_happen  # type: ignore[method-assign]
    try:
        app.poll_ok()
    finally:
        app.app.exposition.counted = show  # type: ignore[method-assign]


def test_custom_data_committed_after_the_execution_is_read(
    app: Exporter, n8n: ChangingN8n, read_url: str
) -> None:
    n8n.begin(NEW)
    n8n.end(NEW)
    app.poll_ok()
    assert execution(read_url, NEW)["customer"] is None
    n8n.add_metadata(NEW, "customer", "acme")
    app.poll_ok()

    assert "acme" == execution(read_url, NEW)["customer"]
    assert {"n": _calls(read_url, NEW)} == one(
        read_url,
        "SELECT count(*) AS n FROM llm_calls WHERE execution_id = %s AND customer = 'acme'",
        [str(NEW)],
    )
    assert RECORDED["success"] + 1 == _ended(read_url, "success")
    assert {} == differences(read_url)


def test_custom_data_committed_while_the_poll_reads_is_not_missed(
    app: Exporter, n8n: ChangingN8n, read_url: str
) -> None:
    """It commits after the execution was read and before the poll asks for new metadata."""
    n8n.begin(NEW)
    n8n.end(NEW)
    _poll_with_something_in_between(app, lambda: n8n.add_metadata(NEW, "customer", "acme"))
    app.poll_ok()

    assert "acme" == execution(read_url, NEW)["customer"]


def test_custom_data_whose_id_commits_late_is_read(
    app: Exporter, n8n: ChangingN8n, read_url: str
) -> None:
    n8n.begin(NEW)
    n8n.end(NEW)
    app.poll_ok()
    with psycopg.connect(n8n.url) as late:
        late.execute(
            'INSERT INTO execution_metadata ("executionId", key, value) VALUES (%s, %s, %s)',
            [NEW, "customer", "acme"],
        )
        n8n.add_metadata(NEW, "team", "sales")
        app.poll_ok()
        late.commit()
    app.poll_ok()

    row = execution(read_url, NEW)
    assert ("acme", "sales") == (row["customer"], row["team"])


# --- gone --------------------------------------------------------------------------------------


def test_an_open_execution_that_is_deleted_is_closed_as_pruned(
    app: Exporter, n8n: ChangingN8n, read_url: str
) -> None:
    n8n.begin(NEW)
    app.poll_ok()
    n8n.delete(NEW)
    app.poll_ok()
    app.poll_ok()

    assert "pruned" == execution(read_url, NEW)["status"]
    assert {**RECORDED, "pruned": 1} == runs(read_url)
    assert 1 == _ended(read_url, "pruned")
    assert {} == differences(read_url)


def test_an_ended_execution_that_is_pruned_stays_as_it_was(
    app: Exporter, n8n: ChangingN8n, read_url: str
) -> None:
    n8n.execute('UPDATE execution_entity SET "deletedAt" = now() WHERE id < 300')
    app.poll_ok()
    n8n.execute("DELETE FROM execution_entity WHERE id < 300 AND status <> 'waiting'")
    app.poll_ok()

    # n8n does not prune what waits, yet this one was deleted by hand: it will never end.
    assert {"n": 573} == one(read_url, "SELECT count(*) AS n FROM executions")
    assert RECORDED["success"] == runs(read_url)["success"]


def test_an_execution_pruned_before_it_was_ever_read_is_unknown(
    app: Exporter, n8n: ChangingN8n, read_url: str
) -> None:
    n8n.begin(NEW)
    n8n.delete(NEW)
    app.poll_ok()

    assert RECORDED == runs(read_url)


def test_a_run_that_n8n_does_not_save_is_closed_as_pruned_when_it_was_seen_open(
    app: Exporter, n8n: ChangingN8n, read_url: str
) -> None:
    n8n.begin(NEW)
    app.poll_ok()
    n8n.execute(
        "UPDATE execution_entity SET \"deletedAt\" = now() - interval '1 hour' WHERE id = %s", [NEW]
    )
    app.poll_ok()
    n8n.delete(NEW)
    app.poll_ok()

    assert "pruned" == execution(read_url, NEW)["status"]
    assert 1 == _ended(read_url, "pruned")
    assert {**RECORDED, "pruned": 1} == runs(read_url)


def test_a_run_that_n8n_does_not_save_and_nobody_saw_is_an_omission(
    app: Exporter, n8n: ChangingN8n, read_url: str
) -> None:
    n8n.begin(NEW, deletedAt="2026-11-23 14:00:00+00")
    app.poll_ok()
    app.poll_ok()

    assert RECORDED == runs(read_url)
    assert 1 == counted(read_url, "aiwf_source_omissions_total", reason="not_saved")


# --- run data that cannot be read --------------------------------------------------------------


@pytest.mark.parametrize(
    ("reason", "prepare"),
    [
        ("stored_elsewhere", lambda n8n: n8n.change(NEW, storedAt="fs")),
        (
            "stored_elsewhere",
            lambda n8n: n8n.execute(
                "UPDATE execution_entity SET \"storedAt\" = 's3' WHERE id = %s", [NEW]
            ),
        ),
        ("too_large", lambda n8n: n8n.set_data(NEW, '["' + "x" * 1_100_000 + '"]')),
        ("unreadable", lambda n8n: n8n.set_data(NEW, "not flatted")),
        ("unreadable", lambda n8n: n8n.set_data(NEW, '[{"resultData":"99"}]')),
        ("unreadable", lambda n8n: n8n.set_data(NEW, '[{"resultData":"x"}]')),
        ("unreadable", lambda n8n: n8n.set_data(NEW, "[" * 100_000)),
        (
            "no_run_data",
            lambda n8n: n8n.execute('DELETE FROM execution_data WHERE "executionId" = %s', [NEW]),
        ),
    ],
)
def test_an_execution_whose_run_data_cannot_be_read_still_counts(
    app: Exporter, n8n: ChangingN8n, read_url: str, reason: str, prepare: object
) -> None:
    n8n.begin(NEW)
    prepare(n8n)  # type: ignore[operator]
    n8n.end(NEW)
    n8n.begin(NEW + 1)
    n8n.end(NEW + 1)
    app.poll_ok()
    app.poll_ok()

    row = execution(read_url, NEW)
    assert ("success", reason) == (row["status"], row["unknown_steps_reason"])
    assert 1 == counted(read_url, "aiwf_source_omissions_total", reason=reason)
    assert 1 == counted(read_url, "aiwf_source_omissions_total")
    assert execution(read_url, NEW + 1)["unknown_steps_reason"] is None
    assert RECORDED["success"] + 2 == _ended(read_url, "success")


@pytest.mark.parametrize(
    "data", ["[]", "[{}]", "[null]", '["text"]', "[[]]", '[{"resultData":"0"}]']
)
def test_an_execution_with_empty_run_data_has_no_steps(
    app: Exporter, n8n: ChangingN8n, read_url: str, data: str
) -> None:
    n8n.begin(NEW)
    n8n.set_data(NEW, data)
    n8n.end(NEW)
    app.poll_ok()

    assert "success" == execution(read_url, NEW)["status"]
    assert {"n": 0} == one(
        read_url, "SELECT count(*) AS n FROM steps WHERE execution_id = %s", [str(NEW)]
    )


def _run(start: object, milliseconds: object, text: str = "answer", tokens: object = 5) -> str:
    """Run data of one model call."""
    return (
        '[{"resultData":"1"},{"runData":"2"},{"Model":"3"},["4"],'
        f'{{"startTime":{start},"executionTime":{milliseconds},"executionIndex":{tokens},'
        '"executionStatus":"5","source":[],"data":"6"},'
        '"success",{"ai_languageModel":"7"},["8"],["9"],{"json":"10"},'
        f'{{"response":"11","tokenUsage":"12"}},{{"generations":"13"}},'
        f'{{"promptTokens":{tokens},"completionTokens":{tokens}}},["14"],["15"],{{"text":"16"}},'
        f'"{text}"]'
    )


def test_a_model_call_in_made_up_run_data_is_read(
    app: Exporter, n8n: ChangingN8n, read_url: str
) -> None:
    """The sample that the tests below damage is right itself."""
    n8n.begin(NEW)
    n8n.set_data(NEW, _run(1795445180818, 172))
    n8n.end(NEW)
    app.poll_ok()

    row = one(
        read_url,
        "SELECT c.*, t.response FROM llm_calls c JOIN llm_content t "
        "USING (source, execution_id, created_at, call_id) WHERE execution_id = %s",
        [str(NEW)],
    )
    assert (5, 5, 0.172, "answer") == (
        row["input_tokens"],
        row["output_tokens"],
        row["latency_seconds"],
        row["response"],
    )


@pytest.mark.parametrize(
    ("start", "milliseconds", "tokens"),
    [
        ("1e300", "172", "5"),
        ("-1e300", "172", "5"),
        ("-62135596800001", "172", "5"),
        ("253402300800000", "172", "5"),
        ("1795445180818", "1e300", "5"),
        ("1795445180818", "1.7e308", "5"),
        ("1795445180818", "1e-300", "5"),
        ("1795445180818", "-5", "5"),
        ("1795445180818", "172", "1e300"),
        ("1795445180818", "172", "9" * 25),
        ("1795445180818", "172", "-1"),
        ("1795445180818", "172", "1.5"),
        ("1795445180818", "172", "true"),
    ],
)
def test_a_hostile_number_in_one_execution_does_not_stop_the_others(
    *,
    app: Exporter,
    n8n: ChangingN8n,
    read_url: str,
    start: str,
    milliseconds: str,
    tokens: str,
) -> None:
    n8n.begin(NEW)
    n8n.set_data(NEW, _run(start, milliseconds, tokens=tokens))
    n8n.end(NEW)
    n8n.begin(NEW + 1)
    n8n.end(NEW + 1)
    app.poll_ok()

    assert "success" == execution(read_url, NEW)["status"]
    assert "success" == execution(read_url, NEW + 1)["status"]
    assert {} == differences(read_url)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        (r"a\u0000b", "ab"),
        (r"cut \ud83d", "cut ?"),
        (r"\udc00 rest", "? rest"),
        ("naïve 😀", "naïve 😀"),
    ],
)
def test_a_text_that_postgres_cannot_hold_is_kept_without_what_it_cannot_hold(
    app: Exporter, n8n: ChangingN8n, read_url: str, text: str, kept: str
) -> None:
    """JavaScript cuts texts between the halves of a character, and writes the half as it is."""
    n8n.begin(NEW)
    n8n.set_data(NEW, _run(1795445180818, 172, text=text))
    n8n.end(NEW)
    app.poll_ok()

    assert execution(read_url, NEW)["unknown_steps_reason"] is None
    assert {"response": kept} == one(
        read_url, "SELECT response FROM llm_content WHERE execution_id = %s", [str(NEW)]
    )


def test_a_node_name_of_many_thousand_characters_does_not_stop_the_source(
    app: Exporter, n8n: ChangingN8n, read_url: str
) -> None:
    """Names stand in keys, and an index holds no row above 2,700 bytes."""
    name = "".join(chr(0x4E00 + number) for number in range(3000))
    n8n.begin(NEW)
    n8n.set_data(NEW, _run(1795445180818, 172).replace("Model", name))
    n8n.end(NEW)
    n8n.begin(NEW + 1)
    n8n.end(NEW + 1)
    app.poll_ok()

    assert "success" == execution(read_url, NEW)["status"]
    assert "success" == execution(read_url, NEW + 1)["status"]


def test_a_customer_of_many_thousand_characters_does_not_stop_the_source(
    app: Exporter, n8n: ChangingN8n, read_url: str
) -> None:
    n8n.begin(NEW)
    n8n.add_metadata(NEW, "customer", "".join(chr(0x4E00 + number) for number in range(3000)))
    n8n.end(NEW)
    n8n.begin(NEW + 1)
    n8n.end(NEW + 1)
    app.poll_ok()

    assert "success" == execution(read_url, NEW)["status"]
    assert "success" == execution(read_url, NEW + 1)["status"]


# --- workflows ---------------------------------------------------------------------------------


def test_a_renamed_workflow_is_one_workflow_under_its_new_name(
    app: Exporter, n8n: ChangingN8n, read_url: str
) -> None:
    n8n.execute("UPDATE workflow_entity SET name = 'Lead Magic' WHERE name = 'Lead Enrichment'")
    app.clock.advance(minutes=6)
    n8n.add(NEW, like=100)
    app.poll_ok()

    with connect(read_url) as ours:
        totals = ours.execute(
            "SELECT workflow, runs FROM v_workflow_summary('2000-01-01', '2100-01-01') "
            "WHERE workflow LIKE 'Lead %'"
        ).fetchall()
        hourly = ours.execute(
            "SELECT DISTINCT workflow FROM v_executions_hourly WHERE workflow LIKE 'Lead %'"
        ).fetchall()
        raw = one(
            read_url,
            "SELECT count(*) AS runs FROM executions WHERE workflow LIKE 'Lead %'",
        )
    assert [{"workflow": "Lead Magic", **raw}] == totals
    assert [{"workflow": "Lead Magic"}] == hourly


def test_two_workflows_of_one_name_stay_two(app: Exporter, n8n: ChangingN8n, read_url: str) -> None:
    n8n.execute("UPDATE workflow_entity SET name = 'Order Pipeline' WHERE name = 'Lead Enrichment'")
    app.clock.advance(minutes=6)
    app.poll_ok()

    with connect(read_url) as ours:
        rows = ours.execute(
            "SELECT workflow_id, workflow FROM v_workflows WHERE workflow LIKE 'Order Pipeline%' "
            'ORDER BY workflow_id COLLATE "C"'
        ).fetchall()
    assert [
        ("4vEyETHZ5iH7AUDf", "Order Pipeline (4vEyETHZ5iH7AUDf)"),
        ("TvgQJ83kLOEGPZwP", "Order Pipeline (TvgQJ83kLOEGPZwP)"),
    ] == [(row["workflow_id"], row["workflow"]) for row in rows]


def test_a_workflow_that_is_deleted_and_imported_again_is_shown_as_active(
    app: Exporter, n8n: ChangingN8n, read_url: str
) -> None:
    """The import gets a new id and the old name; the old one's history stays."""
    n8n.execute(
        'INSERT INTO workflow_entity SELECT (json_populate_record(w, \'{"id": "imported"}\')).* '
        "FROM workflow_entity w WHERE name = 'Lead Enrichment'"
    )
    n8n.execute("SET session_replication_role = replica")  # other tables point at it
    n8n.execute("DELETE FROM execution_entity WHERE \"workflowId\" = '4vEyETHZ5iH7AUDf'")
    n8n.execute("DELETE FROM workflow_entity WHERE id = '4vEyETHZ5iH7AUDf'")
    app.clock.advance(minutes=6)
    app.poll_ok()

    for touched in ("4vEyETHZ5iH7AUDf", "imported"):  # whichever row comes last
        with connect(read_url) as ours:
            ours.execute("UPDATE workflows SET active = active WHERE workflow_id = %s", [touched])
        app.poll_ok()
        shown = app.app.exposition.serve(app.clock.now).decode().splitlines()
        assert 'aiwf_workflow_active{source="n8n",workflow="Lead Enrichment"} 1' in shown


def test_a_workflow_that_was_never_run_is_known_with_its_counters_at_zero(
    app: Exporter, n8n: ChangingN8n
) -> None:
    n8n.execute(
        "INSERT INTO workflow_entity SELECT (json_populate_record(w, "
        '\'{"id": "fresh", "name": "Fresh"}\')).* FROM workflow_entity w '
        "WHERE name = 'Lead Enrichment'"
    )
    app.clock.advance(minutes=6)
    app.poll_ok()

    shown = app.app.exposition.serve(app.clock.now).decode().splitlines()
    assert 'aiwf_executions_total{source="n8n",status="error",workflow="Fresh"} 0' in shown
