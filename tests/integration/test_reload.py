"""A reload takes over a good configuration, and a bad one changes nothing."""

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families

from exporter import web
from exporter.app import App
from exporter.errors import SinkError
from exporter.interfaces import Batch, Position

TOKEN = "reload-token"
BASE = "database: {url: {env: AIWF_DATABASE_URL}}\nweb: {token: {file: TOKEN_FILE}}\n"
RECEIVERS = ("otlp", "pushed")
FIRST = "  - {name: n8n, kind: n8n, url: {env: N8N_DATABASE_URL}}\n"
SECOND = "  - {name: second, kind: n8n, url: {env: N8N_DATABASE_URL}, page_rows: 400, every: 1h}\n"


class Running:
    """An exporter with a configuration file that can be written again."""

    def __init__(self, directory: Path, database_url: str, n8n_url: str) -> None:
        self.file = directory / "config.yml"
        self.token = directory / "token"
        self.token.write_text(TOKEN)
        self.write(FIRST)
        self.app = App(self.file, {"AIWF_DATABASE_URL": database_url, "N8N_DATABASE_URL": n8n_url})
        self.app.prepare()
        self.client = TestClient(web.build(self.app), raise_server_exceptions=False)

    def write(self, sources: str, *, more: str = "") -> None:
        base = BASE.replace("TOKEN_FILE", str(self.token))
        self.file.write_text(f"{base}{more}sources:\n{sources}" if sources else base + more)

    def reload(self) -> tuple[int, str]:
        answer = self.client.post("/-/reload", headers={"authorization": f"Bearer {TOKEN}"})
        return answer.status_code, answer.text

    def metrics(self) -> dict[tuple[str, str | None], float]:
        """Name and source → value; the last one where there are several."""
        text = self.app.exposition.serve(datetime.now(UTC)).decode()
        return {
            (sample.name, sample.labels.get("source")): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }

    def names(self) -> list[str]:
        """What is polled; what is pushed is always there."""
        return [source.name for source in self.app.sources() if source.kind not in RECEIVERS]

    def sources_shown(self) -> set[str]:
        """Which sources have a series, beside what is pushed."""
        found = {source for _, source in self.metrics() if source is not None}
        return found - {"otel", "pushed"}

    def jobs(self) -> set[str]:
        """What is scheduled, by name."""
        scheduler = self.app._schedule._scheduler  # it has no other window
        return {job.id for job in scheduler.get_jobs()}


@pytest.fixture
def running(tmp_path: Path, one_database_url: str, n8n_url: str) -> Iterator[Running]:
    made = Running(tmp_path, one_database_url, n8n_url)
    yield made
    made.app.stop()


# --- a good configuration ------------------------------------------------------------------


def test_a_new_source_is_polled_after_a_reload(running: Running) -> None:
    running.write(FIRST + SECOND)

    assert (200, "reloaded\n") == running.reload()
    assert ["n8n", "second"] == running.names()
    assert {"poll n8n", "poll second"} <= running.jobs()
    assert [("n8n", "ok"), ("second", "ok")] == [
        (result.source, result.outcome)
        for poller in running.app.pollers
        if (result := poller.poll()) is not None
    ]


def test_a_removed_source_leaves_no_series(running: Running) -> None:
    running.app.pollers[0].poll()
    running.write(SECOND)
    running.reload()

    assert {"second"} == running.sources_shown()
    assert "poll n8n" not in running.jobs()


def test_a_source_that_stays_keeps_its_counters(running: Running) -> None:
    running.app.pollers[0].poll()
    before = running.metrics()
    running.write(FIRST + SECOND)
    running.reload()

    after = running.metrics()

    assert before[("aiwf_executions_total", "n8n")] == after[("aiwf_executions_total", "n8n")]
    assert before[("aiwf_polls_total", "n8n")] == after[("aiwf_polls_total", "n8n")]


def test_a_source_that_comes_back_goes_on_where_it_was(running: Running) -> None:
    running.app.pollers[0].poll()
    before = running.metrics()
    running.write(SECOND)
    running.reload()
    running.write(FIRST)
    running.reload()
    running.app.pollers[0].poll()

    after = running.metrics()

    for name in ("aiwf_executions_total", "aiwf_llm_cost_usd_total"):
        assert before[(name, "n8n")] == after[(name, "n8n")], name


def test_new_settings_of_a_source_count_from_the_reload_on(running: Running) -> None:
    running.write(FIRST.replace("}}", "}, every: 7m}"))
    running.reload()

    assert 420 == running.app.sources()[0].every.total_seconds()


def test_a_reload_without_change_is_accepted(running: Running) -> None:
    assert (200, "reloaded\n") == running.reload()


def test_a_good_reload_is_told_by_metrics(running: Running) -> None:
    began = datetime.now(UTC).timestamp()
    running.reload()

    found = running.metrics()

    assert 1 == found[("aiwf_config_last_reload_successful", None)]
    assert found[("aiwf_config_last_reload_success_timestamp_seconds", None)] >= began


def test_a_label_cap_is_taken_over_or_refused_and_never_ignored(running: Running) -> None:
    running.write(FIRST, more="metrics: {max_label_values: 1}\n")
    status, _ = running.reload()
    running.app.pollers[0].poll()

    text = running.app.exposition.serve(datetime.now(UTC)).decode()

    assert status == 400 or 'workflow="other"' in text


# --- a bad configuration -------------------------------------------------------------------

BAD = {
    "broken YAML": "sources: [",
    "unknown kind": BASE + "sources:\n  - {name: n8n, kind: n9n}\n",
    "unset variable": BASE + "sources:\n  - {name: n8n, kind: n8n, url: {env: NOT_SET}}\n",
    "another database": "database: {url: {env: N8N_DATABASE_URL}}\n",
    "another address": BASE.replace("web: {", "web: {listen: '127.0.0.1:1', ") + "sources: []\n",
}


@pytest.fixture(params=BAD)
def refused(running: Running, request: pytest.FixtureRequest) -> Running:
    """An exporter that was asked to reload a bad configuration."""
    running.app.pollers[0].poll()
    running.file.write_text(BAD[request.param].replace("TOKEN_FILE", str(running.token)))
    status, text = running.reload()
    assert 400 == status
    assert text.strip()
    return running


def test_a_bad_reload_keeps_the_old_sources(refused: Running) -> None:
    assert ["n8n"] == refused.names()


def test_a_bad_reload_keeps_the_old_sources_polled(refused: Running) -> None:
    (result,) = [poller.poll() for poller in refused.app.pollers]

    assert result is not None
    assert "ok" == result.outcome


def test_a_bad_reload_is_told_by_a_metric_and_a_good_one_after_it_as_well(
    refused: Running,
) -> None:
    accepted_at = refused.metrics()[("aiwf_config_last_reload_success_timestamp_seconds", None)]
    assert 0 == refused.metrics()[("aiwf_config_last_reload_successful", None)]
    refused.write(FIRST)
    refused.reload()

    found = refused.metrics()

    assert 1 == found[("aiwf_config_last_reload_successful", None)]
    assert found[("aiwf_config_last_reload_success_timestamp_seconds", None)] > accepted_at


def test_a_bad_reload_is_answered_with_file_and_cause(running: Running) -> None:
    running.file.write_text("sources: [")

    assert (400, f"{running.file}, line 1, column 11: not valid YAML") == (
        (answer := running.reload())[0],
        answer[1].rpartition(":")[0],
    )


def test_a_file_that_is_gone_is_a_bad_reload(running: Running) -> None:
    running.file.unlink()

    status, text = running.reload()

    assert (400, f"{running.file}: cannot be read: No such file or directory\n") == (status, text)


def test_a_changed_secret_of_the_web_server_needs_a_restart(running: Running) -> None:
    running.token.write_text("another-token")

    status, text = running.reload()

    assert 400 == status
    assert "restart the exporter" in text
    assert "another-token" not in text


# --- a reload at a bad moment --------------------------------------------------------------


def test_a_reload_while_our_database_is_down_changes_nothing(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    def down() -> None:
        raise SinkError("our database gives no connection")

    names, jobs, pollers = running.names(), running.jobs(), running.app.pollers
    running.write(FIRST + SECOND)
    monkeypatch.setattr(running.app.sink, "sources", down)

    status, _ = running.reload()

    assert 400 == status
    assert (names, jobs) == (running.names(), running.jobs())
    assert pollers is running.app.pollers


def test_polls_after_a_reload_while_our_database_is_down_are_shown(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    def down() -> None:
        raise SinkError("our database gives no connection")

    running.write(FIRST + SECOND)
    with monkeypatch.context() as outage:
        outage.setattr(running.app.sink, "sources", down)
        running.reload()
    results = [poller.poll() for poller in running.app.pollers]

    assert ["ok"] * len(results) == [result and result.outcome for result in results]
    assert set(running.names()) <= {source for _, source in running.metrics()}


def test_a_reload_before_the_database_answers_is_taken_over(tmp_path: Path) -> None:
    file = tmp_path / "config.yml"
    file.write_text("database: {url: {env: AIWF_DATABASE_URL}}\n")
    environ = {
        "AIWF_DATABASE_URL": "postgresql://aiwf@127.0.0.1:1/aiwf",
        "N8N_DATABASE_URL": "postgresql://n8n@127.0.0.1:1/n8n",
    }
    app = App(file, environ)
    file.write_text(f"database: {{url: {{env: AIWF_DATABASE_URL}}}}\nsources:\n{FIRST}")

    refused = app.reload()

    app.stop()
    assert refused is None
    assert "n8n" in [source.name for source in app.sources()]
    assert not app.is_ready


def test_a_poll_under_way_during_a_reload_ends_without_a_trace_of_its_source(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reload does not wait for it, and it must not bring back what the reload removed."""
    poller = running.app.pollers[0]
    read = poller.source.poll
    asked, go_on = threading.Event(), threading.Event()

    def waiting(position: Position, now: datetime) -> Iterator[Batch]:
        asked.set()
        assert go_on.wait(30)
        yield from read(position, now)

    monkeypatch.setattr(poller.source, "poll", waiting)
    thread = threading.Thread(target=poller.poll)
    thread.start()
    assert asked.wait(30)
    running.write(SECOND)
    assert 200 == running.reload()[0]
    go_on.set()
    thread.join(60)

    assert not thread.is_alive()
    assert {"second"} == running.sources_shown()
    assert poller.last_result is not None
    assert poller.last_result.outcome != "failed", poller.last_result.detail


def test_a_retired_poller_polls_no_more(running: Running) -> None:
    old = running.app.pollers[0]
    running.reload()

    assert old.poll() is None


def test_reloads_at_once_leave_one_set_of_pollers(running: Running) -> None:
    running.write(FIRST + SECOND)
    threads = [threading.Thread(target=running.app.reload) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert ["n8n", "second"] == [poller.source.name for poller in running.app.pollers]
    polled: list[Callable[[], object]] = [poller.poll for poller in running.app.pollers]
    assert all(poll() is not None for poll in polled)
